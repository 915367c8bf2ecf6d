//! Reading a page: the rows of a plan behind a position, up to and including another.
//!
//! The page's end is where `end_cursor` or the journal says, and then everything up to it is read; else behind the row
//! that filled the page. What is read, and so what the page depends on, is what lies between its ends and nothing more.
//!
//! With the journal of a run, a run at the same timestamp gives the same page and the same journal.

use hull_engine::{Document, Limits, TxError};

use super::scan::{CHUNK, Plan};
use crate::error::Result;
use crate::pages::{MAX_PAGE, PageEnd, PageStatus, PaginationOptions, PaginationResult, Position, Wanted};
use crate::run::transaction_error;

/// What has been read of a page.
struct Reading<R> {
    rows: Vec<R>,
    /// All documents that were read.
    documents: Vec<Document>,
    bytes: u64,
}

/// Why reading ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// There is nothing more up to the end of the page, or of the query.
    Exhausted,
    /// The page is full.
    Full,
    /// The function may read no more.
    Cut,
}

impl Plan<'_> {
    /// Reads a page of what `row` makes of the documents.
    pub(super) async fn page<R>(
        mut self,
        options: PaginationOptions,
        mut row: impl FnMut(&Document) -> Result<Option<R>>,
    ) -> Result<PaginationResult<R>> {
        let run = self.reader.run.clone();
        let turn = run.journal.begin();
        let mut wanted = options.check()?;
        let keys = self.take_keys()?;
        let can_be_split = !keys.is_search();
        if !can_be_split {
            (wanted.rows, wanted.bytes) = (None, None);
        }
        let seal = run.cursors.seal().await?;
        let (fields, limits) = self
            .reader
            .call(|tx| {
                let fields = match keys.is_search() {
                    true => {
                        tx.search_field(self.table, self.index).map(|field| field.map(|field| vec![field]))
                    }
                    false => tx.index_fields(self.table, self.index),
                };
                let fields = fields.map_err(transaction_error)?;
                Ok((fields, tx.limits()))
            })
            .await?;
        let query = keys.fingerprint(self.table, self.index, fields.as_deref(), self.order);
        let open = |cursor: &str| Position::open(seal, query, cursor);
        let start = wanted.cursor.as_deref().map(open).transpose()?;
        let end = match &wanted.end {
            Some(end) => Some(open(end)?),
            None => run.journal.end(turn, query, seal)?,
        };

        let mut reading = Reading { rows: Vec::new(), documents: Vec::new(), bytes: 0 };
        let mut stop = (start == Some(Position::End)).then_some(Stop::Exhausted);
        let mut walk = None;
        while stop.is_none() {
            stop = self
                .reader
                .call(|tx| {
                    let walk = match &mut walk {
                        Some(walk) => walk,
                        none => {
                            let after = start.as_ref().and_then(Position::key);
                            let until = end.as_ref().and_then(Position::key);
                            let walk = self.walk(tx, &keys, after.or(until))?;
                            none.insert(walk.between(after, until))
                        }
                    };
                    let (mut full, mut failed) = (false, None);
                    let each = |document: &Document| {
                        failed = reading.add(document, &mut row).err();
                        full = end.is_none() && reading.is_full(&wanted);
                        failed.is_none() && !full
                    };
                    let chunk = if end.is_none() { wanted.items.min(CHUNK) } else { CHUNK };
                    let more = walk.for_each(tx, chunk, each);
                    match (failed, more) {
                        (Some(error), _) => Err(error),
                        (None, Ok(_)) if full => Ok(Some(Stop::Full)),
                        (None, Ok(more)) => Ok((!more).then_some(Stop::Exhausted)),
                        (None, Err(error)) if can_be_split && reading.can_be_cut(&error, end.is_some()) => {
                            Ok(Some(Stop::Cut))
                        }
                        (None, Err(error)) => Err(transaction_error(error)),
                    }
                })
                .await?;
        }

        let page_status = match stop {
            _ if !can_be_split => None,
            Some(Stop::Cut) if end.is_some() => Some(PageStatus::SplitRequired),
            _ => reading.is_large(&wanted, limits).then_some(PageStatus::SplitRecommended),
        };
        let place = |document: &Document| walk.as_ref().map(|walk| Position::After(walk.place(document)));
        let read = reading.documents.len();
        let split = reading.documents.get(read.saturating_sub(1) / 2).filter(|_| can_be_split && read > 2);
        let split = split.and_then(place);
        let end = end.unwrap_or_else(|| {
            let last = reading.documents.last().filter(|_| stop != Some(Stop::Exhausted));
            last.and_then(place).unwrap_or(Position::End)
        });
        let continue_cursor = end.seal(seal, query)?;
        let split_cursor = split.map(|split| split.seal(seal, query)).transpose()?;
        let is_done = end == Position::End;
        run.journal.finish(turn, PageEnd { query, position: end });
        Ok(PaginationResult { page: reading.rows, is_done, continue_cursor, split_cursor, page_status })
    }
}

impl<R> Reading<R> {
    fn add(
        &mut self,
        document: &Document,
        row: &mut impl FnMut(&Document) -> Result<Option<R>>,
    ) -> Result<()> {
        self.bytes += u64::from(document.size());
        self.rows.extend(row(document)?);
        self.documents.push(document.clone());
        Ok(())
    }

    /// Whether the page has all it was asked for with, or has read as much as it was allowed.
    fn is_full(&self, wanted: &Wanted) -> bool {
        self.rows.len() >= wanted.items
            || wanted.rows.is_some_and(|most| self.documents.len() as f64 >= most)
            || wanted.bytes.is_some_and(|most| self.bytes as f64 >= most)
    }

    /// Whether an error means that the function has read what it may, and the page so far is of use: it goes on behind
    /// its last row, or, where its end is fixed, can be split.
    fn can_be_cut(&self, error: &TxError, fixed: bool) -> bool {
        error.is_limit() && self.documents.len() > if fixed { 2 } else { 0 }
    }

    /// Whether more than three quarters of a limit have been used up.
    fn is_large(&self, wanted: &Wanted, limits: Limits) -> bool {
        let rows = wanted.rows.unwrap_or(f64::INFINITY).min(f64::from(limits.documents_read));
        let bytes = wanted.bytes.unwrap_or(f64::INFINITY).min(limits.bytes_read as f64);
        self.documents.len() as f64 > 0.75 * rows
            || self.bytes as f64 > 0.75 * bytes
            || self.rows.len() > MAX_PAGE
    }
}
