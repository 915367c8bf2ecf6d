//! Reading through an index, chunk by chunk, so that a long scan lets others go first and keeps to the budget.
//!
//! The read set covers what was yielded and no more: taking ten documents depends on the keys up to the tenth, and of
//! the documents on the fields that are looked at.

use std::borrow::Cow;

use hull_engine::{Document, Order, Projection, Scan, Transaction};
use hull_model::KeyRange;

use super::reader::DatabaseReader;
use crate::error::{Error, Result};
use crate::run::transaction_error;

/// How many documents are read at most before the budget is checked again.
pub(super) const CHUNK: usize = 128;

/// What is read: an index of a table, a range of it, in an order, and fields of the documents.
pub(super) struct Plan<'a> {
    pub(super) reader: &'a DatabaseReader,
    pub(super) table: &'a str,
    pub(super) index: &'a str,
    pub(super) range: Result<KeyRange>,
    pub(super) order: Order,
    /// Top-level fields; `None` is all of each document.
    pub(super) fields: Option<Cow<'a, [&'a str]>>,
}

/// A plan that has been begun.
pub(super) struct Cursor<'a> {
    reader: &'a DatabaseReader,
    scan: Scan,
}

impl<'a> Plan<'a> {
    pub(super) fn full(reader: &'a DatabaseReader, table: &'a str) -> Plan<'a> {
        Plan {
            reader,
            table,
            index: "by_creation_time",
            range: Ok(KeyRange::all()),
            order: Order::Asc,
            fields: None,
        }
    }

    /// The same without a look at the documents: nothing but that they are there.
    pub(super) fn presence(self) -> Plan<'a> {
        Plan { fields: Some(Cow::Borrowed(&[])), ..self }
    }

    pub(super) fn scan(&self, tx: &mut Transaction, range: &KeyRange) -> Result<Scan> {
        let scan = tx.scan(self.table, self.index, range, self.order).map_err(transaction_error)?;
        Ok(scan.select(self.fields.as_deref().map_or(Projection::Whole, Projection::Fields)))
    }

    pub(super) async fn begin(mut self) -> Result<Cursor<'a>> {
        let range = self.take_range()?;
        let scan = self.reader.call(|tx| self.scan(tx, &range)).await?;
        Ok(Cursor { reader: self.reader, scan })
    }

    /// The range, or why there is none.
    pub(super) fn take_range(&mut self) -> Result<KeyRange> {
        std::mem::replace(&mut self.range, Ok(KeyRange::all()))
    }

    /// Whether there is anything; depends on the first entry, or on there being none.
    pub(super) async fn exists(mut self) -> Result<bool> {
        let range = self.take_range()?;
        self.reader
            .call(|tx| {
                let scan = self.scan(tx, &range)?;
                tx.exists(scan).map_err(transaction_error)
            })
            .await
    }

    /// Hands out documents until `each` says that it has enough, which is expected after `wanted`.
    pub(super) async fn for_each(
        mut self,
        wanted: usize,
        mut each: impl FnMut(&Document) -> Result<bool>,
    ) -> Result<()> {
        let range = self.take_range()?;
        let mut scan = None;
        let mut chunk = wanted.clamp(1, CHUNK);
        loop {
            let more = self
                .reader
                .call(|tx| {
                    let scan = match &mut scan {
                        Some(scan) => scan,
                        none => none.insert(self.scan(tx, &range)?),
                    };
                    let mut failed = None;
                    let each = |document: &Document| {
                        each(document).unwrap_or_else(|error| {
                            failed = Some(error);
                            false
                        })
                    };
                    let more = tx.for_each(scan, chunk, each).map_err(transaction_error)?;
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
        let scan = &mut self.scan;
        self.reader.call(|tx| tx.next(scan).map_err(transaction_error)).await
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
