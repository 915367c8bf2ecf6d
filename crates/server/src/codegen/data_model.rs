//! `dataModel.d.ts`: every table's documents, the paths of their fields, and its indexes.

use std::collections::BTreeSet;

use hull_model::{CREATION_TIME_FIELD, FieldValidator, ID_FIELD, Schema, TableDef, Validator};
use hull_value::FieldPath;

use super::types::{Types, comment, property, quoted, stored};

const TYPES: &str = r#"
/**
 * The names of all tables.
 */
export type TableNames = TableNamesInDataModel<DataModel>;

/**
 * A document as it is stored, with `_id` and `_creationTime`.
 *
 * @typeParam TableName - The name of its table, such as "users".
 */
export type Doc<TableName extends TableNames> = DocumentByName<DataModel, TableName>;

/**
 * The id of a document: a string at run time, told apart by table when types are checked.
 *
 * @typeParam TableName - The name of its table, such as "users".
 */
export type Id<TableName extends TableNames | SystemTableNames> = GenericId<TableName>;
"#;

/// The file below its header.
pub(super) fn text(schema: &Schema, types: &Types<'_>) -> String {
    let mut tables: Vec<&TableDef> = schema.tables.iter().collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    // Documents of an unchecked schema may be in tables that it does not name.
    let (any, others) = if schema.validate { ("", "") } else { ("AnyDataModel, ", " & AnyDataModel") };
    let mut text = format!(
        "import type {{ {any}DocumentByName, SystemTableNames, TableNamesInDataModel }} from \"convex/server\";\n\
         import type {{ GenericId }} from \"convex/values\";\n\n\
         /**\n * The tables: their documents, the paths of their fields and their indexes.\n */\n\
         export type DataModel = {{\n"
    );
    for table in tables {
        text.push_str(&table_text(table, types));
    }
    text.push_str(&format!("}}{others};\n{TYPES}"));
    text
}

fn table_text(table: &TableDef, types: &Types<'_>) -> String {
    let mut text = comment(&table.doc, 2);
    text.push_str(&format!("  {}: {{\n", property(&table.name)));
    text.push_str(&format!("    document: {};\n", types.document(table, 4)));
    text.push_str(&format!("    fieldPaths: {};\n", field_paths(&stored(table))));
    text.push_str("    indexes: {\n");
    for (name, fields) in [("by_id", ID_FIELD), ("by_creation_time", CREATION_TIME_FIELD)] {
        text.push_str(&format!("      {name}: [{}];\n", quoted(fields)));
    }
    for index in &table.indexes {
        let fields: Vec<String> = index.fields.iter().map(|field| quoted(&field.to_string())).collect();
        let fields = [fields, vec![quoted(CREATION_TIME_FIELD)]].concat().join(", ");
        text.push_str(&format!("      {}: [{fields}];\n", property(&index.name)));
    }
    text.push_str("    };\n    searchIndexes: {");
    for index in &table.search_indexes {
        let filters = index.filter_fields.iter().map(FieldPath::to_string);
        text.push_str(&format!(
            "\n      {}: {{\n        searchField: {};\n        filterFields: {};\n      }};",
            property(&index.name),
            quoted(&index.search_field.to_string()),
            alternatives(filters, 8),
        ));
    }
    let end = if table.search_indexes.is_empty() { "" } else { "\n    " };
    text.push_str(&format!("{end}}};\n    vectorIndexes: {{}};\n  }};\n"));
    text
}

/// Every path that a document of this validator can have something at.
fn field_paths(document: &Validator) -> String {
    if *document == Validator::Any {
        return "string".to_owned();
    }
    let mut paths = BTreeSet::new();
    collect(document, "", &mut paths);
    alternatives(paths, 4)
}

fn collect(validator: &Validator, prefix: &str, paths: &mut BTreeSet<String>) {
    match validator {
        Validator::Object(fields) => {
            for (name, FieldValidator { validator, .. }) in fields {
                let path = format!("{prefix}{name}");
                collect(validator, &format!("{path}."), paths);
                paths.insert(path);
            }
        }
        Validator::Union(members) => members.iter().for_each(|member| collect(member, prefix, paths)),
        Validator::Record(..) => {
            paths.insert(format!("{prefix}${{string}}"));
        }
        _ => {}
    }
}

/// A union of strings, each on a line of its own; one with `${string}` in it is a template.
fn alternatives(strings: impl IntoIterator<Item = String>, indent: usize) -> String {
    let one = |text: String| if text.contains("${") { format!("`{text}`") } else { quoted(&text) };
    let distinct: Vec<String> = strings.into_iter().collect::<BTreeSet<_>>().into_iter().map(one).collect();
    match distinct.as_slice() {
        [] => "never".to_owned(),
        [only] => only.clone(),
        several => several.iter().map(|text| format!("\n{:1$}| {text}", "", indent + 2)).collect(),
    }
}
