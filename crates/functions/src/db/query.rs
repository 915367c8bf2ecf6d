//! Queries typed by table: an index and ranges of it, an order, filters, the fields that are looked at, and how much of
//! the result is wanted.
//!
//! What a function depends on is what its queries looked at: a change of another field neither runs a live query again nor
//! conflicts with a mutation.

use std::borrow::Cow;
use std::marker::PhantomData;

use hull_engine::Document;
use hull_model::{Doc, IndexOf, IndexRange, IntoIndexRead, Selection, Table};

use super::extent::Extent;
use super::reader::DatabaseReader;
use super::scan::{Cursor, Plan, only};
use super::shape::{Fields, Shape, Whole};
use super::union::invalid_range;
use crate::error::Result;
use crate::pages::{PaginationOptions, PaginationResult};

pub use hull_engine::Order;

type Filter<'a, Row> = Box<dyn Fn(&Row) -> bool + Send + Sync + 'a>;

/// A query that has not been run.
///
/// ```text
/// ctx.db.query::<Entry>().with_index(Entry::by_user, |q| q.eq(Entry::user, user)).order(Order::Desc).take(10).await?
/// ```
#[must_use = "a query does nothing until it is awaited with `collect`, `take`, `first`, `unique`, `count`, `exists`, `paginate` or read with `documents`"]
pub struct Query<'a, T: Table, S: Shape<T> = Whole> {
    pub(super) plan: Plan<'a>,
    rows: Rows<'a, T, S>,
}

/// How documents become rows.
struct Rows<'a, T: Table, S: Shape<T>> {
    /// Filters on whole documents, from before fields were selected.
    whole: Vec<Filter<'a, Doc<T>>>,
    filters: Vec<Filter<'a, S::Row>>,
    /// Whether the documents are just what `T` says.
    exact: bool,
    shape: PhantomData<fn() -> S>,
}

impl<T: Table, S: Shape<T>> Rows<'_, T, S> {
    /// The row of a document, if it passes.
    fn row(&self, document: &Document) -> Result<Option<S::Row>> {
        if !self.whole.is_empty() {
            let document: Doc<T> = Whole::row(document, self.exact)?;
            if !self.whole.iter().all(|keep| keep(&document)) {
                return Ok(None);
            }
        }
        let row = S::row(document, self.exact)?;
        Ok(self.filters.iter().all(|keep| keep(&row)).then_some(row))
    }

    fn has_filters(&self) -> bool {
        !self.whole.is_empty() || !self.filters.is_empty()
    }
}

impl<'a, T: Table> Query<'a, T> {
    pub(super) fn new(reader: &'a DatabaseReader) -> Query<'a, T> {
        let exact = reader.run.registry.declares::<T>();
        let rows = Rows { whole: Vec::new(), filters: Vec::new(), exact, shape: PhantomData };
        Query { plan: Plan::full(reader, T::NAME), rows }
    }

    /// Reads these fields alone: rows have them by their place, with `_id` and `_creation_time`, and what the function
    /// does depends on no other field. Filters that follow see such rows; an earlier one has seen whole documents, and
    /// then all fields count as looked at.
    ///
    /// ```text
    /// let rows = ctx.db.query::<Message>().select((Message::author, Message::body)).collect().await?;
    /// let authors = rows.iter().map(|row| &row.0);
    /// ```
    pub fn select<S: Selection<T>>(self, _fields: S) -> Query<'a, T, Fields<S>> {
        let whole = self.rows.filters;
        let fields = <Fields<S> as Shape<T>>::fields().filter(|_| whole.is_empty()).map(Cow::Borrowed);
        let rows = Rows { whole, filters: Vec::new(), exact: self.rows.exact, shape: PhantomData };
        Query { plan: Plan { fields, ..self.plan }, rows }
    }
}

impl<'a, T: Table, S: Shape<T>> Query<'a, T, S> {
    /// Goes through an index, where only what `range` describes is read.
    ///
    /// With `distinct` that is the first document, in the query's order, for each value of the fields behind those with
    /// `eq`. Finding each takes one search, however many documents share its value, reads one document and counts as a
    /// range that was read; what comes and goes behind it is not looked at. Filters see these documents alone.
    ///
    /// ```text
    /// ctx.db.query::<Event>().with_index(Event::by_category, |q| q.distinct(Event::category)).collect().await?
    /// ```
    pub fn with_index<I: IndexOf<T>, R: IntoIndexRead<T>>(
        mut self,
        index: I,
        range: impl FnOnce(IndexRange<T, I::Fields>) -> R,
    ) -> Self {
        self.plan.index = index.name();
        self.plan.extent = match range(index.range()).into_index_read() {
            Ok((bounds, 0)) => Ok(Extent::Range(bounds)),
            Ok((bounds, fields)) => Ok(Extent::Distinct(bounds, fields)),
            Err(error) => Err(invalid_range(&error)),
        };
        self
    }

    /// Goes through the index in this order; ascending unless said otherwise.
    pub fn order(mut self, order: Order) -> Self {
        self.plan.order = order;
        self
    }

    /// Leaves out rows. Their documents count as read all the same.
    pub fn filter(mut self, keep: impl Fn(&S::Row) -> bool + Send + Sync + 'a) -> Self {
        self.rows.filters.push(Box::new(keep));
        self
    }

    /// All rows.
    pub async fn collect(self) -> Result<Vec<S::Row>> {
        self.take(usize::MAX).await
    }

    /// The first `count` rows.
    pub async fn take(self, count: usize) -> Result<Vec<S::Row>> {
        let mut found = Vec::new();
        self.for_each(count, |_, row| found.push(row)).await?;
        Ok(found)
    }

    /// The first row, if there is one. Depends on the range up to it, and on nothing behind.
    pub async fn first(self) -> Result<Option<S::Row>> {
        Ok(self.take(1).await?.pop())
    }

    /// The only row, if there is one; an error if there are more.
    pub async fn unique(self) -> Result<Option<S::Row>> {
        let mut found = Vec::new();
        self.for_each(2, |document, row| found.push((document.id.to_string(), row))).await?;
        only(T::NAME, found)
    }

    /// How many rows there are. Without filters this depends on which documents are in the range, and on none of their
    /// fields; each counts as read, unless an index over the same fields counts.
    pub async fn count(self) -> Result<u32> {
        if !self.rows.has_filters() {
            return self.plan.count().await;
        }
        let mut count = 0;
        self.for_each(usize::MAX, |_, _| count += 1).await?;
        Ok(count)
    }

    /// Whether there is a row. Without filters this depends on the presence of the first one alone, or, where there is
    /// none, on there being none.
    pub async fn exists(mut self) -> Result<bool> {
        if self.rows.has_filters() {
            let mut exists = false;
            self.for_each(1, |_, _| exists = true).await?;
            return Ok(exists);
        }
        self.plan = self.plan.presence();
        self.plan.exists().await
    }

    /// A page of the rows. Its cursors are for this index, range and order alone; any other gives the error
    /// `InvalidCursor`. Several pages may be read by one function.
    pub async fn paginate(self, options: PaginationOptions) -> Result<PaginationResult<S::Row>> {
        let rows = self.rows;
        self.plan.page(options, |document| rows.row(document)).await
    }

    /// The rows one after the other; what is not fetched is not read.
    pub async fn documents(self) -> Result<Documents<'a, T, S>> {
        Ok(Documents { cursor: self.plan.begin().await?, rows: self.rows })
    }

    /// Hands out the first `count` rows, with their documents.
    async fn for_each(self, count: usize, mut each: impl FnMut(&Document, S::Row)) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let (rows, mut left) = (self.rows, count);
        self.plan
            .for_each(count, |document| {
                if let Some(row) = rows.row(document)? {
                    each(document, row);
                    left -= 1;
                }
                Ok(left > 0)
            })
            .await
    }
}

/// Rows of a query, fetched one after the other.
pub struct Documents<'a, T: Table, S: Shape<T> = Whole> {
    cursor: Cursor<'a>,
    rows: Rows<'a, T, S>,
}

impl<T: Table, S: Shape<T>> Documents<'_, T, S> {
    /// The next row.
    pub async fn next(&mut self) -> Result<Option<S::Row>> {
        while let Some(document) = self.cursor.next().await? {
            if let Some(row) = self.rows.row(&document)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}
