//! The writing half of the database, typed by table.

use std::ops::Deref;

use hull_model::{Field, Incrementable, Patch, Settable, Table};
use hull_value::{CommitTs, Id, Packed, ValueError, ValueRef};
use smallvec::SmallVec;

use super::reader::{DatabaseReader, check_table};
use super::table::TableWriter;
use crate::error::{Error, Result};
use crate::run::transaction_error;

/// Reads and writes documents. What is written is seen by later reads of the same transaction, and by nobody else
/// until the function has succeeded.
pub struct DatabaseWriter {
    reader: DatabaseReader,
}

impl Deref for DatabaseWriter {
    type Target = DatabaseReader;

    fn deref(&self) -> &DatabaseReader {
        &self.reader
    }
}

impl DatabaseWriter {
    pub(crate) fn new(reader: DatabaseReader) -> DatabaseWriter {
        DatabaseWriter { reader }
    }

    /// Adds a document and returns its id.
    pub async fn insert<T: Table>(&self, document: T) -> Result<Id<T>> {
        let object = Packed::encode(&document).map_err(invalid_value)?;
        self.call(|tx| tx.insert(T::NAME, &object).map_err(transaction_error)).await.map(Id::from)
    }

    /// Changes some fields of a document.
    pub async fn patch<T: Table>(&self, id: Id<T>, patch: Patch<T>) -> Result<()> {
        let changes = patch.into_changes().map_err(invalid_value)?;
        self.call(|tx| {
            check_table(tx, id.document_id(), T::NAME)?;
            let changes: SmallVec<[(&str, Option<ValueRef<'_>>); 8]> =
                changes.iter().map(|(name, value)| (*name, value.as_ref().map(Packed::as_ref))).collect();
            tx.patch(id.document_id(), &changes).map_err(transaction_error)
        })
        .await
    }

    /// Adds to a number: `ctx.db.increment(id, User::total_points, 5.0)`. A field that is absent counts as zero.
    ///
    /// Nothing is read by it. So mutations that increment the same field never conflict with each other, however many
    /// there are, and each adds to what the ones before have left. One that reads the field as well, before or after,
    /// depends on what it has read.
    pub async fn increment<T: Table, N: Settable, V: Incrementable>(
        &self,
        id: Id<T>,
        field: Field<T, N, V>,
        amount: impl Into<V::Amount>,
    ) -> Result<()> {
        self.table(T::NAME).increment(id.document_id(), field.path(), amount.into()).await
    }

    /// Replaces all fields of a document.
    pub async fn replace<T: Table>(&self, id: Id<T>, document: T) -> Result<()> {
        let object = Packed::encode(&document).map_err(invalid_value)?;
        self.call(|tx| {
            check_table(tx, id.document_id(), T::NAME)?;
            tx.replace(id.document_id(), &object).map_err(transaction_error)
        })
        .await
    }

    /// Deletes a document.
    pub async fn delete<T: Table>(&self, id: Id<T>) -> Result<()> {
        self.call(|tx| {
            check_table(tx, id.document_id(), T::NAME)?;
            tx.delete(id.document_id()).map_err(transaction_error)
        })
        .await
    }

    /// What is known only when the mutation commits.
    pub fn vars(&self) -> Vars {
        Vars(())
    }

    /// A table by its wire name, untyped.
    pub fn table<'a>(&'a self, name: &'a str) -> TableWriter<'a> {
        TableWriter::new(&self.reader, name)
    }
}

/// What is known only when a mutation commits.
#[derive(Clone, Copy, Debug)]
pub struct Vars(());

impl Vars {
    /// The timestamp of the commit: to be written into fields of the type [`CommitTs`], to be handed to other mutations and
    /// to be returned. Until then it is greater than every other.
    pub fn commit_ts(&self) -> CommitTs {
        CommitTs::PENDING
    }
}

pub(super) fn invalid_value(error: ValueError) -> Error {
    Error::system("InvalidValue", error.to_string())
}
