//! One table as data: its document validator, its indexes and its comments.
//!
//! The same value comes from the builder ([`define_table`]) and from `#[derive(Table)]`. Nothing is checked while it
//! is built; [`Schema::check`](crate::Schema::check) reports every mistake at once.

use std::collections::BTreeMap;

use hull_value::FieldPath;

use crate::{Aggregate, FieldValidator, SchemaError, Validator, v};

/// The field that holds a document's id.
pub const ID_FIELD: &str = "_id";
/// The field that holds the time of a document's creation, in milliseconds since the epoch.
pub const CREATION_TIME_FIELD: &str = "_creationTime";

/// One table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableDef {
    /// The wire name.
    pub name: String,
    /// What a document must match, its system fields aside.
    pub document: Validator,
    /// The declared indexes, in the order of declaration. `by_id` and `by_creation_time` are always there.
    pub indexes: Vec<IndexDef>,
    /// The declared search indexes.
    pub search_indexes: Vec<SearchIndexDef>,
    /// What the table is for; empty when nothing was said.
    pub doc: String,
    /// What fields are for, by wire name.
    pub field_docs: BTreeMap<String, String>,
    /// What was wrong already while the table was built.
    pub(crate) mistakes: Vec<SchemaError>,
}

/// An ordered index. Two of a table with the same fields are two names of one.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexDef {
    /// The name.
    pub name: String,
    /// The declared fields; `_creationTime` and `_id` always follow them.
    pub fields: Vec<FieldPath>,
    /// What it counts and adds up, if anything.
    pub aggregate: Option<Aggregate>,
}

/// A full-text search index.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchIndexDef {
    /// The name.
    pub name: String,
    /// The field whose text is searched.
    pub search_field: FieldPath,
    /// The fields that a search may be narrowed by.
    pub filter_fields: Vec<FieldPath>,
}

/// Begins a table without fields or indexes.
pub fn define_table(name: impl Into<String>) -> TableDef {
    TableDef {
        name: name.into(),
        document: v::object::<String, Validator>([]),
        indexes: Vec::new(),
        search_indexes: Vec::new(),
        doc: String::new(),
        field_docs: BTreeMap::new(),
        mistakes: Vec::new(),
    }
}

impl TableDef {
    /// Adds a field to the document, which must be an object. A system field is left out.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, field: impl Into<FieldValidator>) -> TableDef {
        self.document = without_system_fields(self.document.field(name, field));
        self
    }

    /// Sets the whole document's validator: an object, a union of objects, or any. Its system fields are left out.
    #[must_use]
    pub fn document(mut self, document: Validator) -> TableDef {
        self.document = without_system_fields(document);
        self
    }

    /// Adds an index over these fields, given as dotted paths.
    #[must_use]
    pub fn index<'a>(
        mut self,
        name: impl Into<String>,
        fields: impl IntoIterator<Item = &'a str>,
    ) -> TableDef {
        let name = name.into();
        let fields = fields.into_iter().filter_map(|field| self.path(&name, field)).collect();
        self.indexes.push(IndexDef { name, fields, aggregate: None });
        self
    }

    /// Adds a search index over one field, with the fields that a search may be narrowed by.
    #[must_use]
    pub fn search_index<'a>(
        mut self,
        name: impl Into<String>,
        search_field: &str,
        filter_fields: impl IntoIterator<Item = &'a str>,
    ) -> TableDef {
        let name = name.into();
        let filter_fields = filter_fields.into_iter().filter_map(|field| self.path(&name, field)).collect();
        if let Some(search_field) = self.path(&name, search_field) {
            self.search_indexes.push(SearchIndexDef { name, search_field, filter_fields });
        }
        self
    }

    /// Says what the table is for.
    #[must_use]
    pub fn doc(mut self, text: impl Into<String>) -> TableDef {
        self.doc = text.into();
        self
    }

    /// Says what a field is for.
    #[must_use]
    pub fn field_doc(mut self, field: impl Into<String>, text: impl Into<String>) -> TableDef {
        self.field_docs.insert(field.into(), text.into());
        self
    }

    /// The declared index of this name.
    pub fn index_named(&self, name: &str) -> Option<&IndexDef> {
        self.indexes.iter().find(|index| index.name == name)
    }

    /// The first declared index with the same fields: the one that an alias stands for, or the index itself.
    pub fn original_of<'a>(&'a self, index: &'a IndexDef) -> &'a IndexDef {
        self.indexes.iter().find(|other| other.fields == index.fields).unwrap_or(index)
    }

    /// The field path of an index; one that is none becomes a mistake.
    pub(crate) fn path(&mut self, index: &str, text: &str) -> Option<FieldPath> {
        let path = text.parse().ok();
        if path.is_none() {
            let (table, index, field) = (self.name.clone(), index.to_owned(), text.to_owned());
            self.mistakes.push(SchemaError::InvalidIndexField { table, index, field });
        }
        path
    }
}

pub(crate) fn without_system_fields(validator: Validator) -> Validator {
    match validator {
        Validator::Object(mut fields) => {
            fields.remove(ID_FIELD);
            fields.remove(CREATION_TIME_FIELD);
            Validator::Object(fields)
        }
        Validator::Union(members) => {
            Validator::Union(members.into_iter().map(without_system_fields).collect())
        }
        other => other,
    }
}
