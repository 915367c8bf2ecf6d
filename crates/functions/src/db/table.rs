//! Tables by name, for code that does not know them when it is compiled: values in, values out.

use std::ops::Deref;

use hull_engine::Document;
use hull_model::Amount;
use hull_value::{DocumentId, Encode, Packed, ValueRef, check_identifier};

use super::reader::{DatabaseReader, check_table};
use super::table_query::TableQuery;
use super::writer::invalid_value;
use crate::error::{Error, Result};
use crate::run::transaction_error;

/// Reads a table by name.
#[derive(Clone)]
pub struct TableReader<'a> {
    pub(super) reader: &'a DatabaseReader,
    pub(super) name: &'a str,
}

impl<'a> TableReader<'a> {
    /// The document with this id, if it exists.
    pub async fn get(&self, id: DocumentId) -> Result<Option<Document>> {
        self.reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.get(id).map_err(transaction_error)
            })
            .await
    }

    /// Some top-level fields of the document with this id, and the system's, if it exists. What the function does depends
    /// on no other field.
    pub async fn get_fields(&self, id: DocumentId, fields: &[&str]) -> Result<Option<Document>> {
        check_fields(fields)?;
        let found = self
            .reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.get_fields(id, fields).map_err(transaction_error)
            })
            .await?;
        found.map(|document| document.only(fields).map_err(transaction_error)).transpose()
    }

    /// The id that a text stands for, if it is one of this table.
    pub async fn normalize_id(&self, text: &str) -> Result<Option<DocumentId>> {
        let Ok(id) = text.parse::<DocumentId>() else { return Ok(None) };
        self.reader
            .call(|tx| {
                tx.depend_on_tables();
                Ok((tx.table_mapping().table_of(id.table) == Some(self.name)).then_some(id))
            })
            .await
    }

    /// A query on the table.
    pub fn query(&self) -> TableQuery<'a> {
        TableQuery::new(self.reader, self.name)
    }
}

/// Reads and writes a table by name.
pub struct TableWriter<'a> {
    reader: TableReader<'a>,
}

impl<'a> Deref for TableWriter<'a> {
    type Target = TableReader<'a>;

    fn deref(&self) -> &TableReader<'a> {
        &self.reader
    }
}

impl<'a> TableWriter<'a> {
    pub(super) fn new(reader: &'a DatabaseReader, name: &'a str) -> TableWriter<'a> {
        TableWriter { reader: TableReader { reader, name } }
    }

    /// Adds a document and returns its id.
    pub async fn insert(&self, document: impl Encode) -> Result<DocumentId> {
        let object = Packed::encode(&document).map_err(invalid_value)?;
        self.reader.reader.call(|tx| tx.insert(self.name, &object).map_err(transaction_error)).await
    }

    /// Sets some fields of a document; `None` removes one.
    pub async fn patch(&self, id: DocumentId, changes: &[(&str, Option<ValueRef<'_>>)]) -> Result<()> {
        self.reader
            .reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.patch(id, changes).map_err(transaction_error)
            })
            .await
    }

    /// Adds to a top-level field, which must hold a number of the amount's kind: a float for an `f64`, an int64 for an
    /// `i64`. One that is absent counts as zero. Nothing is read by it, so it conflicts with no other increment.
    pub async fn increment(&self, id: DocumentId, field: &str, amount: impl Into<Amount>) -> Result<()> {
        let amount = amount.into();
        self.reader
            .reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.increment(id, field, amount).map_err(transaction_error)
            })
            .await
    }

    /// Replaces all fields of a document.
    pub async fn replace(&self, id: DocumentId, document: impl Encode) -> Result<()> {
        let object = Packed::encode(&document).map_err(invalid_value)?;
        self.reader
            .reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.replace(id, &object).map_err(transaction_error)
            })
            .await
    }

    /// Deletes a document.
    pub async fn delete(&self, id: DocumentId) -> Result<()> {
        self.reader
            .reader
            .call(|tx| {
                check_table(tx, id, self.name)?;
                tx.delete(id).map_err(transaction_error)
            })
            .await
    }
}

/// Fields to select are top-level ones.
pub(super) fn check_fields(fields: &[&str]) -> Result<()> {
    match fields.iter().find_map(|field| check_identifier(field).err().map(|error| (field, error))) {
        Some((field, error)) => {
            let message = format!("{field:?} can't be selected: {error}; name whole top-level fields");
            Err(Error::system("InvalidSelection", message))
        }
        None => Ok(()),
    }
}
