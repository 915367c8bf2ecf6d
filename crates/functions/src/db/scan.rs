//! Reading through an index, chunk by chunk, so that a long scan lets others go first and keeps to the budget.
//!
//! The read set covers what was yielded and no more: taking ten documents depends on the keys up to the tenth, and of
//! the documents on the fields that are looked at.

use std::borrow::Cow;

use hull_engine::{Document, Order, Projection, Transaction};
use hull_model::IndexBounds;

use super::extent::{Extent, Keys, Walk};
use super::reader::DatabaseReader;
use crate::error::{Error, Result};
use crate::run::transaction_error;

/// How many documents are read at most before the budget is checked again.
pub(super) const CHUNK: usize = 128;

/// What is read: an index of a table, how much of it, in an order, and fields of the documents.
pub(super) struct Plan<'a> {
    pub(super) reader: &'a DatabaseReader,
    pub(super) table: &'a str,
    pub(super) index: &'a str,
    pub(super) extent: Result<Extent>,
    pub(super) order: Order,
    /// Top-level fields; `None` is all of each document.
    pub(super) fields: Option<Cow<'a, [&'a str]>>,
}

/// A plan that has been begun.
pub(super) struct Cursor<'a> {
    reader: &'a DatabaseReader,
    walk: Walk,
}

impl<'a> Plan<'a> {
    pub(super) fn full(reader: &'a DatabaseReader, table: &'a str) -> Plan<'a> {
        Plan {
            reader,
            table,
            index: "by_creation_time",
            extent: Ok(Extent::Range(IndexBounds::all())),
            order: Order::Asc,
            fields: None,
        }
    }

    /// The same without a look at the documents: nothing but that they are there.
    pub(super) fn presence(self) -> Plan<'a> {
        Plan { fields: Some(Cow::Borrowed(&[])), ..self }
    }

    /// What is looked at of each document.
    fn projection(&self) -> Projection<'_> {
        self.fields.as_deref().map_or(Projection::Whole, Projection::Fields)
    }

    pub(super) fn walk(&self, tx: &mut Transaction, keys: &Keys, place: Option<&[u8]>) -> Result<Walk> {
        keys.begin(tx, (self.table, self.index, self.order), self.projection(), place)
    }

    pub(super) async fn begin(mut self) -> Result<Cursor<'a>> {
        let keys = self.take_keys()?;
        let walk = self.reader.call(|tx| self.walk(tx, &keys, None)).await?;
        Ok(Cursor { reader: self.reader, walk })
    }

    /// How much is read, or why nothing can be.
    pub(super) fn take_extent(&mut self) -> Result<Extent> {
        std::mem::replace(&mut self.extent, Ok(Extent::Range(IndexBounds::all())))
    }

    /// The same as keys.
    pub(super) fn take_keys(&mut self) -> Result<Keys> {
        self.take_extent()?.into_keys(self.table, self.index)
    }

    /// Whether there is anything; depends on the first entry, or on there being none.
    pub(super) async fn exists(mut self) -> Result<bool> {
        let keys = self.take_keys()?;
        self.reader
            .call(|tx| {
                for range in keys.ranges() {
                    let scan =
                        tx.scan(self.table, self.index, range, self.order).map_err(transaction_error)?;
                    if tx.exists(scan.select(self.projection())).map_err(transaction_error)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            })
            .await
    }

    /// Hands out documents until `each` says that it has enough, which is expected after `wanted`.
    pub(super) async fn for_each(
        mut self,
        wanted: usize,
        mut each: impl FnMut(&Document) -> Result<bool>,
    ) -> Result<()> {
        let keys = self.take_keys()?;
        let mut walk = None;
        let mut chunk = wanted.clamp(1, CHUNK);
        loop {
            let more = self
                .reader
                .call(|tx| {
                    let walk = match &mut walk {
                        Some(walk) => walk,
                        none => none.insert(self.walk(tx, &keys, None)?),
                    };
                    let mut failed = None;
                    let each = |document: &Document| {
                        each(document).unwrap_or_else(|error| {
                            failed = Some(error);
                            false
                        })
                    };
                    let more = walk.for_each(tx, chunk, each).map_err(transaction_error)?;
                    failed.map_or(Ok(more), Err)
                })
                .await?;
            if !more {
                return Ok(());
            }
            chunk = (chunk * 8).min(CHUNK);
        }
    }
}

impl Cursor<'_> {
    pub(super) async fn next(&mut self) -> Result<Option<Document>> {
        let walk = &mut self.walk;
        self.reader
            .call(|tx| {
                let mut found = None;
                let each = |document: &Document| {
                    found = Some(document.clone());
                    true
                };
                walk.for_each(tx, 1, each).map_err(transaction_error)?;
                Ok(found)
            })
            .await
    }
}

/// The one document of a query, or the error that there are several.
pub(super) fn only<T>(table: &str, mut found: Vec<(String, T)>) -> Result<Option<T>> {
    if let [(first, _), (second, _), ..] = &found[..] {
        let message = format!(
            "unique() query returned more than one result from table {table}: [{first}, {second}, …]"
        );
        return Err(Error::system("NotUnique", message));
    }
    Ok(found.pop().map(|(_, document)| document))
}
