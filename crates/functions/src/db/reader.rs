//! The reading half of the database, typed by table.

use std::sync::Arc;

use hull_engine::Transaction;
use hull_model::{Doc, Selected, Selection, Table};
use hull_value::{DocumentId, Id};

use super::query::Query;
use super::shape::{Fields, Shape, Whole};
use super::table::TableReader;
use crate::error::{Error, Result};
use crate::run::{Run, transaction_error};

/// Reads documents. Everything read becomes a part of what the function depends on.
pub struct DatabaseReader {
    pub(crate) run: Arc<Run>,
    pub(crate) frame: u32,
}

impl DatabaseReader {
    pub(super) async fn call<R>(&self, work: impl FnOnce(&mut Transaction) -> Result<R>) -> Result<R> {
        self.run.call(self.frame, work).await
    }

    /// The document with this id, if it exists.
    pub async fn get<T: Table>(&self, id: Id<T>) -> Result<Option<Doc<T>>> {
        let found = self
            .call(|tx| {
                check_table(tx, id.document_id(), T::NAME)?;
                tx.get(id.document_id()).map_err(transaction_error)
            })
            .await?;
        found.map(|document| Whole::row(&document, self.run.registry.declares::<T>())).transpose()
    }

    /// Some fields of the document with this id, if it exists. What the function does depends on these fields and on
    /// whether there is the document, and not on its other fields.
    ///
    /// ```text
    /// let row = ctx.db.get_fields(id, (Message::author, Message::body)).await?;
    /// ```
    pub async fn get_fields<T: Table, S: Selection<T>>(
        &self,
        id: Id<T>,
        _fields: S,
    ) -> Result<Option<Selected<T, S::Values>>> {
        let found = self
            .call(|tx| {
                check_table(tx, id.document_id(), T::NAME)?;
                tx.get_fields(id.document_id(), S::NAMES).map_err(transaction_error)
            })
            .await?;
        found.map(|document| <Fields<S> as Shape<T>>::row(&document, false)).transpose()
    }

    /// A query on a table; without an index it goes through all documents in the order of their creation.
    pub fn query<T: Table>(&self) -> Query<'_, T> {
        Query::new(self)
    }

    /// The id that a text stands for, if it is one of table `T`. Whether the document exists is not looked at.
    pub async fn normalize_id<T: Table>(&self, text: &str) -> Result<Option<Id<T>>> {
        Ok(self.table(T::NAME).normalize_id(text).await?.map(Id::from))
    }

    /// A table by its wire name, untyped.
    pub fn table<'a>(&'a self, name: &'a str) -> TableReader<'a> {
        TableReader { reader: self, name }
    }
}

/// An id must be of the table that it is used with. One whose table is gone is of none.
pub(super) fn check_table(tx: &mut Transaction, id: DocumentId, table: &str) -> Result<()> {
    match tx.table_mapping().table_of(id.table) {
        Some(found) if found != table => {
            let error = wrong_table(table, found);
            tx.depend_on_tables();
            Err(error)
        }
        _ => Ok(()),
    }
}

fn wrong_table(expected: &str, found: &str) -> Error {
    let message =
        format!("Invalid argument `id`: expected to be an Id<\"{expected}\">, got Id<\"{found}\"> instead.");
    Error::system("InvalidTable", message)
}
