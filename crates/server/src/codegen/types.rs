//! Validators as TypeScript types, in the form of Convex's own generated files.
//!
//! | validator | type |
//! |---|---|
//! | any, null, number, boolean, string | `any`, `null`, `number`, `boolean`, `string` |
//! | int64, commitTs | `bigint` |
//! | bytes | `ArrayBuffer` |
//! | literal | the literal; `number` for one that TypeScript can't write (NaN, infinities, -0) |
//! | id | `Id<"t">`; `GenericId<"t">` where the schema has no such table |
//! | array | `Array<T>` |
//! | object | `{ a: T; b?: T }`, the fields in ascending order |
//! | record | `Record<K, V>` |
//! | union | its members with a bar between them; `never` without members |
//! | the stored documents of a table | `Doc<"t">` |
//!
//! Each type is written for a line that begins after `indent` spaces; what fits, and has no documentation, is written on
//! one line.

use std::collections::BTreeMap;

use hull_model::{CREATION_TIME_FIELD, FieldValidator, ID_FIELD, Schema, TableDef, Validator};
use hull_value::Value;

/// What an object or a union may take on one line.
const LINE: usize = 80;
/// The tables that every deployment has.
const SYSTEM_TABLES: [&str; 2] = ["_scheduled_functions", "_storage"];

/// The types of an application's values.
pub(super) struct Types<'a> {
    schema: &'a Schema,
    /// The validators of stored documents, by table.
    stored: BTreeMap<&'a str, Validator>,
}

impl<'a> Types<'a> {
    pub(super) fn new(schema: &'a Schema) -> Types<'a> {
        let stored = schema.tables.iter().map(|table| (table.name.as_str(), stored(table))).collect();
        Types { schema, stored }
    }

    /// The stored documents of a table, with what is known about their fields.
    pub(super) fn document(&self, table: &TableDef, indent: usize) -> String {
        match self.stored.get(table.name.as_str()) {
            Some(Validator::Object(fields)) => self.object(fields, &table.field_docs, indent),
            Some(Validator::Union(members)) => {
                let members = members.iter().map(|member| match member {
                    Validator::Object(fields) => self.object(fields, &table.field_docs, indent + 4),
                    other => self.of(other, indent + 4),
                });
                union(members.collect(), indent)
            }
            Some(other) => self.of(other, indent),
            None => "any".to_owned(),
        }
    }

    /// The type of what a validator accepts.
    pub(super) fn of(&self, validator: &Validator, indent: usize) -> String {
        if let Some(table) = self.table_of(validator) {
            return format!("Doc<{}>", quoted(table));
        }
        match validator {
            Validator::Any => "any".to_owned(),
            Validator::Null => "null".to_owned(),
            Validator::Number => "number".to_owned(),
            Validator::Int64 | Validator::CommitTs => "bigint".to_owned(),
            Validator::Boolean => "boolean".to_owned(),
            Validator::String => "string".to_owned(),
            Validator::Bytes => "ArrayBuffer".to_owned(),
            Validator::Literal(value) => literal(value),
            Validator::Id(table) => self.id(table),
            Validator::Array(element) => {
                let element = self.of(element, indent);
                let end = if element.starts_with('\n') { format!("\n{:indent$}", "") } else { String::new() };
                format!("Array<{element}{end}>")
            }
            Validator::Object(fields) => self.object(fields, &BTreeMap::new(), indent),
            Validator::Record(keys, values) => {
                format!("Record<{}, {}>", self.of(keys, indent), self.of(values, indent))
            }
            Validator::Union(members) => {
                union(members.iter().map(|member| self.of(member, indent + 4)).collect(), indent)
            }
        }
    }

    fn id(&self, table: &str) -> String {
        let known = SYSTEM_TABLES.contains(&table) || self.stored.contains_key(table);
        let name = if known || !self.schema.validate { "Id" } else { "GenericId" };
        format!("{name}<{}>", quoted(table))
    }

    /// The table whose stored documents these are, each and all.
    fn table_of(&self, validator: &Validator) -> Option<&'a str> {
        let first = match validator {
            Validator::Union(members) => members.first()?,
            other => other,
        };
        let Validator::Object(fields) = first else { return None };
        let Validator::Id(table) = &fields.get(ID_FIELD)?.validator else { return None };
        let (name, stored) = self.stored.get_key_value(table.as_str())?;
        (stored == validator).then_some(*name)
    }

    fn object(
        &self,
        fields: &BTreeMap<String, FieldValidator>,
        docs: &BTreeMap<String, String>,
        indent: usize,
    ) -> String {
        let members: Vec<String> = in_order(fields)
            .map(|(name, field)| {
                let optional = if field.optional { "?" } else { "" };
                format!("{}{optional}: {}", property(name), self.of(&field.validator, indent + 2))
            })
            .collect();
        if members.is_empty() {
            return "{}".to_owned();
        }
        let width = members.iter().map(|member| member.len() + 2).sum::<usize>();
        let doc = |name: &str, field: &FieldValidator| {
            let of_table = docs.get(name).filter(|doc| !doc.is_empty());
            comment(of_table.map_or(field.doc, String::as_str), indent + 2)
        };
        let plain = in_order(fields).all(|(name, field)| doc(name, field).is_empty());
        if plain && indent + width <= LINE && !members.iter().any(|member| member.contains('\n')) {
            return format!("{{ {} }}", members.join("; "));
        }
        let mut text = String::from("{\n");
        for ((name, field), member) in in_order(fields).zip(members) {
            text.push_str(&doc(name, field));
            text.push_str(&format!("{:1$}{member};\n", "", indent + 2));
        }
        text.push_str(&format!("{:indent$}}}", ""));
        text
    }
}

/// What the documents of a table match once they are stored.
pub(super) fn stored(table: &TableDef) -> Validator {
    table.document.clone().with_system_fields(&table.name)
}

/// An object's own fields in ascending order, then the two of the system.
fn in_order(fields: &BTreeMap<String, FieldValidator>) -> impl Iterator<Item = (&str, &FieldValidator)> {
    let of_system = |name: &str| [ID_FIELD, CREATION_TIME_FIELD].contains(&name);
    let all = || fields.iter().map(|(name, field)| (name.as_str(), field));
    all().filter(move |(name, _)| !of_system(name)).chain(all().filter(move |(name, _)| of_system(name)))
}

fn union(members: Vec<String>, indent: usize) -> String {
    let mut distinct: Vec<String> = Vec::new();
    for member in members {
        if !distinct.contains(&member) {
            distinct.push(member);
        }
    }
    let width = distinct.iter().map(|member| member.len() + 3).sum::<usize>();
    match distinct.as_slice() {
        [] => "never".to_owned(),
        [only] => only.clone(),
        _ if indent + width <= LINE && !distinct.iter().any(|member| member.contains('\n')) => {
            distinct.join(" | ")
        }
        _ => distinct.iter().map(|member| format!("\n{:1$}| {member}", "", indent + 2)).collect(),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Boolean(value) => value.to_string(),
        Value::Int64(value) => format!("{value}n"),
        Value::Float64(value) if value.is_finite() && !(*value == 0.0 && value.is_sign_negative()) => {
            value.to_string()
        }
        Value::Float64(_) => "number".to_owned(),
        _ => "any".to_owned(),
    }
}

/// A string literal.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The name of a property.
pub(super) fn property(name: &str) -> String {
    let mut characters = name.chars();
    let begins = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$');
    let goes_on = characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
    if begins && goes_on { name.to_owned() } else { quoted(name) }
}

/// A documentation comment with its line end; nothing where nothing is said.
pub(super) fn comment(doc: &str, indent: usize) -> String {
    let doc = doc.trim().replace("*/", "*\\/");
    let space = " ".repeat(indent);
    match doc.lines().count() {
        0 => String::new(),
        1 => format!("{space}/** {doc} */\n"),
        _ => {
            let lines = doc.lines().map(|line| format!("{space} * {line}").trim_end().to_owned() + "\n");
            format!("{space}/**\n{}{space} */\n", lines.collect::<String>())
        }
    }
}
