//! All tables of an application, and the check that finds every mistake in them at once.
//!
//! The limits and codes are Convex's. Unlike there, two indexes with the same fields are allowed.

use std::collections::{BTreeMap, BTreeSet};

use hull_value::{FieldPath, Value, check_identifier};

use crate::{CREATION_TIME_FIELD, ID_FIELD, SchemaError, SchemaErrors, Table, TableDef, Validator};

/// Tables of a schema.
pub(crate) const MAX_TABLES: usize = 10_000;
/// Indexes of a table, search indexes included.
pub(crate) const MAX_INDEXES: usize = 64;
/// Search indexes of a table.
pub(crate) const MAX_SEARCH_INDEXES: usize = 4;
/// Fields of an index, with the appended `_creationTime`; also the filter fields of a search index.
pub(crate) const MAX_INDEX_FIELDS: usize = 16;

/// All tables of an application.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// The tables, in the order of declaration.
    pub tables: Vec<TableDef>,
    /// Whether documents are checked against the tables' validators.
    pub validate: bool,
}

impl Default for Schema {
    fn default() -> Schema {
        Schema::new()
    }
}

impl Schema {
    /// A schema without tables, which checks documents.
    pub fn new() -> Schema {
        Schema { tables: Vec::new(), validate: true }
    }

    /// Adds a table built by hand.
    #[must_use]
    pub fn table(mut self, table: TableDef) -> Schema {
        self.tables.push(table);
        self
    }

    /// Adds the table that a Rust type declares.
    #[must_use]
    pub fn of<T: Table>(self) -> Schema {
        self.table(T::table())
    }

    /// Adds all tables of another schema.
    #[must_use]
    pub fn with(mut self, other: Schema) -> Schema {
        self.tables.extend(other.tables);
        self
    }

    /// Sets whether documents are checked against the tables' validators.
    #[must_use]
    pub fn validated(mut self, validate: bool) -> Schema {
        self.validate = validate;
        self
    }

    /// The table of this name.
    pub fn get(&self, name: &str) -> Option<&TableDef> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// Reports every mistake of every table.
    pub fn check(&self) -> Result<(), SchemaErrors> {
        let mut errors = Vec::new();
        if self.tables.len() > MAX_TABLES {
            errors.push(SchemaError::TooManyTables { count: self.tables.len() });
        }
        let mut names = BTreeSet::new();
        for table in &self.tables {
            if !names.insert(&table.name) {
                errors.push(SchemaError::TableNamesNotUnique { table: table.name.clone() });
            }
            TableCheck { table, validate: self.validate, errors: &mut errors }.run();
        }
        if errors.is_empty() { Ok(()) } else { Err(SchemaErrors(errors)) }
    }
}

struct TableCheck<'a> {
    table: &'a TableDef,
    validate: bool,
    errors: &'a mut Vec<SchemaError>,
}

impl TableCheck<'_> {
    fn name(&self) -> String {
        self.table.name.clone()
    }

    fn run(mut self) {
        if check_identifier(&self.table.name).is_err() || self.table.name.starts_with('_') {
            self.errors.push(SchemaError::InvalidTableName { table: self.name() });
        }
        self.errors.extend(self.table.mistakes.iter().cloned());
        self.document();
        self.indexes();
    }

    fn document(&mut self) {
        let document = &self.table.document;
        let objects: Vec<&BTreeMap<_, _>> = match document {
            Validator::Any => Vec::new(),
            Validator::Object(fields) => vec![fields],
            Validator::Union(members) => {
                let objects: Vec<_> = members
                    .iter()
                    .filter_map(|m| if let Validator::Object(fields) = m { Some(fields) } else { None })
                    .collect();
                if objects.len() != members.len() {
                    self.top_level();
                }
                objects
            }
            _ => {
                self.top_level();
                Vec::new()
            }
        };
        for name in objects.iter().flat_map(|fields| fields.keys()).filter(|name| name.starts_with('_')) {
            self.errors.push(SchemaError::InvalidFieldName { table: self.name(), field: name.clone() });
        }
        self.validator(document, "");
    }

    fn top_level(&mut self) {
        let found = self.table.document.to_string();
        self.errors.push(SchemaError::InvalidTopLevelType { table: self.name(), found });
    }

    fn validator(&mut self, validator: &Validator, path: &str) {
        match validator {
            Validator::Literal(value) => {
                let allowed = matches!(
                    value,
                    Value::String(_) | Value::Float64(_) | Value::Int64(_) | Value::Boolean(_)
                );
                if !allowed {
                    self.errors
                        .push(SchemaError::InvalidLiteral { table: self.name(), path: path.to_owned() });
                }
            }
            Validator::Id(target) if check_identifier(target).is_err() => {
                self.errors.push(SchemaError::InvalidTableName { table: target.clone() });
            }
            Validator::Array(element) => self.validator(element, &format!("{path}[]")),
            Validator::Object(fields) => {
                for (name, field) in fields {
                    if check_identifier(name).is_err() {
                        let field = format!("{path}.{name}").trim_start_matches('.').to_owned();
                        self.errors.push(SchemaError::InvalidFieldName { table: self.name(), field });
                    }
                    self.validator(&field.validator, &format!("{path}.{name}"));
                }
            }
            Validator::Record(keys, values) => {
                if !is_key_type(keys) {
                    self.errors.push(SchemaError::InvalidRecordType {
                        table: self.name(),
                        path: path.to_owned(),
                        keys: keys.to_string(),
                    });
                }
                self.validator(keys, &format!("{path}.keys()"));
                self.validator(values, &format!("{path}.values()"));
            }
            Validator::Union(members) => {
                for member in members {
                    self.validator(member, path);
                }
            }
            _ => {}
        }
    }

    fn indexes(&mut self) {
        let count = self.table.indexes.len() + self.table.search_indexes.len();
        if count > MAX_INDEXES {
            self.errors.push(SchemaError::TooManyIndexes { table: self.name(), count });
        }
        let count = self.table.search_indexes.len();
        if count > MAX_SEARCH_INDEXES {
            self.errors.push(SchemaError::TooManySearchIndexes { table: self.name(), count });
        }
        let mut names = BTreeSet::new();
        for index in &self.table.indexes {
            self.index_name(&index.name, &mut names);
            if index.fields.is_empty() {
                self.errors.push(SchemaError::EmptyIndex { table: self.name(), index: index.name.clone() });
            }
            if index.fields.len() + 1 > MAX_INDEX_FIELDS {
                let count = index.fields.len() + 1;
                self.errors.push(SchemaError::IndexTooManyFields {
                    table: self.name(),
                    index: index.name.clone(),
                    count,
                });
            }
            self.index_fields(&index.name, &index.fields);
            if let Some(sum) = index.aggregate.as_ref().and_then(|aggregate| aggregate.sum.as_ref()) {
                self.summed_field(&index.name, sum);
            }
        }
        let mut searched = BTreeSet::new();
        for index in &self.table.search_indexes {
            self.index_name(&index.name, &mut names);
            if index.filter_fields.len() > MAX_INDEX_FIELDS {
                self.errors.push(SchemaError::SearchIndexTooManyFilterFields {
                    table: self.name(),
                    index: index.name.clone(),
                    count: index.filter_fields.len(),
                });
            }
            let filters: BTreeSet<&FieldPath> = index.filter_fields.iter().collect();
            if !searched.insert((&index.search_field, filters)) {
                self.errors.push(SchemaError::SearchIndexFieldNotUnique {
                    table: self.name(),
                    index: index.name.clone(),
                });
            }
            self.index_fields(&index.name, std::slice::from_ref(&index.search_field));
            self.index_fields(&index.name, &index.filter_fields);
        }
    }

    /// The field must hold numbers of one kind, so that a sum has one, too.
    fn summed_field(&mut self, index: &str, field: &FieldPath) {
        let known = self.errors.len();
        self.index_fields(index, std::slice::from_ref(field));
        if self.errors.len() == known && self.table.document.number_kind(field).is_none() {
            let (table, index, field) = (self.name(), index.to_owned(), field.to_string());
            self.errors.push(SchemaError::SummedFieldNotNumeric { table, index, field });
        }
    }

    fn index_name<'n>(&mut self, name: &'n str, names: &mut BTreeSet<&'n str>) {
        if check_identifier(name).is_err() {
            self.errors.push(SchemaError::InvalidIndexName { table: self.name(), index: name.to_owned() });
        } else if name.starts_with('_') || name == "by_id" || name == "by_creation_time" {
            self.errors.push(SchemaError::IndexNameReserved { table: self.name(), index: name.to_owned() });
        }
        if !names.insert(name) {
            self.errors.push(SchemaError::IndexNamesNotUnique { table: self.name(), index: name.to_owned() });
        }
    }

    fn index_fields(&mut self, index: &str, fields: &[FieldPath]) {
        let mut seen = BTreeSet::new();
        for field in fields {
            let (table, index, text) = (self.name(), index.to_owned(), field.to_string());
            let first = field.fields().first().map_or("", String::as_str);
            if !seen.insert(field) {
                let field = text.clone();
                self.errors.push(SchemaError::FieldsNotUniqueWithinIndex {
                    table: self.name(),
                    index: index.clone(),
                    field,
                });
            }
            if first == CREATION_TIME_FIELD {
                self.errors.push(SchemaError::IndexFieldsContainCreationTime { table, index });
            } else if first == ID_FIELD {
                self.errors.push(SchemaError::IndexFieldsContainId { table, index });
            } else if first.starts_with('_') {
                self.errors.push(SchemaError::IndexFieldNameReserved { table, index, field: text });
            } else if self.validate && !self.table.document.can_contain(field.fields()) {
                self.errors.push(SchemaError::SchemaDefinition { table, index, field: text });
            }
        }
    }
}

/// Whether a record may have such keys: strings or ids, but no literal, since a literal key is a field.
fn is_key_type(keys: &Validator) -> bool {
    match keys {
        Validator::String | Validator::Id(_) => true,
        Validator::Union(members) => members.iter().all(is_key_type),
        _ => false,
    }
}
