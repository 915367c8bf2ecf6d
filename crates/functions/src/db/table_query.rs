//! Queries on a table by name: an index and ranges of it, an order, filters as expressions, the fields that are looked at.

use std::borrow::Cow;

use hull_engine::{Document, Order};

use super::conditions::Conditions;
use super::expression::Expression;
use super::extent::Extent;
use super::reader::DatabaseReader;
use super::scan::{Cursor, Plan, only};
use super::shape::object;
use super::table::check_fields;
use crate::error::{Error, Result};
use crate::pages::{PaginationOptions, PaginationResult};
use crate::run::transaction_error;

/// The most operators of one query.
const MAX_OPERATORS: usize = 256;

/// A query on a table by name that has not been run.
#[must_use = "a query does nothing until it is awaited"]
pub struct TableQuery<'a> {
    pub(super) plan: Plan<'a>,
    /// The ranges, where an index was named.
    pub(super) ranges: Option<Vec<Conditions>>,
    /// Whether they are read as one, also if there is one alone.
    pub(super) merged: bool,
    rows: Rows<'a>,
}

/// How documents become rows.
struct Rows<'a> {
    /// Filters on whole documents, from before fields were selected.
    whole: Vec<Expression>,
    /// The fields that were selected.
    fields: Option<Vec<&'a str>>,
    filters: Vec<Expression>,
}

impl Rows<'_> {
    /// The row of a document, if it passes.
    fn row(&self, document: &Document) -> Result<Option<Document>> {
        if !passes(&self.whole, document)? {
            return Ok(None);
        }
        let row = match &self.fields {
            Some(fields) => document.only(fields).map_err(transaction_error)?,
            None => document.clone(),
        };
        Ok(passes(&self.filters, &row)?.then_some(row))
    }

    fn filters(&self) -> usize {
        self.whole.len() + self.filters.len()
    }
}

impl<'a> TableQuery<'a> {
    pub(super) fn new(reader: &'a DatabaseReader, table: &'a str) -> TableQuery<'a> {
        let rows = Rows { whole: Vec::new(), fields: None, filters: Vec::new() };
        TableQuery { plan: Plan::full(reader, table), ranges: None, merged: false, rows }
    }

    /// Goes through an index, where only what `range` describes is read.
    pub fn with_index(
        mut self,
        index: &'a str,
        range: impl FnOnce(Conditions) -> Conditions,
    ) -> TableQuery<'a> {
        self.plan.index = index;
        self.ranges = Some(vec![range(Conditions::default())]);
        self.merged = false;
        self
    }

    /// Goes through the index in this order; ascending unless said otherwise.
    pub fn order(mut self, order: Order) -> TableQuery<'a> {
        self.plan.order = order;
        self
    }

    /// Keeps the documents for which the expression is true. The others count as read all the same.
    pub fn filter(mut self, keep: Expression) -> TableQuery<'a> {
        self.rows.filters.push(keep);
        self
    }

    /// Reads these top-level fields alone: rows have them and the system's, and what the function does depends on no other
    /// field. Filters that follow see such rows; an earlier one has seen whole documents, and then all fields count as
    /// looked at.
    pub fn select(mut self, fields: impl IntoIterator<Item = &'a str>) -> TableQuery<'a> {
        let fields: Vec<&str> = fields.into_iter().collect();
        if self.rows.fields.is_some() {
            let message = "The fields of a query can be selected only once.";
            self.plan.extent = Err(Error::system("AlreadySelected", message));
            return self;
        }
        self.rows.whole = std::mem::take(&mut self.rows.filters);
        if self.rows.whole.is_empty() {
            self.plan.fields = Some(Cow::Owned(fields.clone()));
        }
        self.rows.fields = Some(fields);
        self
    }

    /// All documents.
    pub async fn collect(self) -> Result<Vec<Document>> {
        self.take(usize::MAX).await
    }

    /// The first `count` documents.
    pub async fn take(self, count: usize) -> Result<Vec<Document>> {
        let mut found = Vec::new();
        self.for_each(count, |row| found.push(row)).await?;
        Ok(found)
    }

    /// The first document, if there is one.
    pub async fn first(self) -> Result<Option<Document>> {
        Ok(self.take(1).await?.pop())
    }

    /// The only document, if there is one; an error if there are more.
    pub async fn unique(self) -> Result<Option<Document>> {
        let table = self.plan.table;
        let found = self.take(2).await?;
        only(table, found.into_iter().map(|document| (document.id.to_string(), document)).collect())
    }

    /// How many documents there are. Without filters this depends on which documents are in the range, and on none of
    /// their fields; each counts as read.
    pub async fn count(self) -> Result<u32> {
        let (plan, rows) = self.ready().await?;
        if rows.filters() == 0 {
            return plan.count().await;
        }
        let mut count = 0;
        plan.for_each(usize::MAX, |document| {
            count += u32::from(rows.row(document)?.is_some());
            Ok(true)
        })
        .await?;
        Ok(count)
    }

    /// Whether there is a document. Without filters this depends on the presence of the first one alone, or, where there
    /// is none, on there being none.
    pub async fn exists(self) -> Result<bool> {
        if self.rows.filters() == 0 {
            return self.ready().await?.0.presence().exists().await;
        }
        let mut exists = false;
        self.for_each(1, |_| exists = true).await?;
        Ok(exists)
    }

    /// A page of the documents. Its cursors are for this index, range and order alone; any other gives the error
    /// `InvalidCursor`.
    pub async fn paginate(self, options: PaginationOptions) -> Result<PaginationResult<Document>> {
        let (plan, rows) = self.ready().await?;
        plan.page(options, |document| rows.row(document)).await
    }

    /// The documents one after the other; what is not fetched is not read.
    pub async fn documents(self) -> Result<TableDocuments<'a>> {
        let (plan, rows) = self.ready().await?;
        Ok(TableDocuments { cursor: plan.begin().await?, rows })
    }

    /// Hands out the first `count` documents.
    async fn for_each(self, count: usize, mut each: impl FnMut(Document)) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let mut left = count;
        let (plan, rows) = self.ready().await?;
        plan.for_each(count, |document| {
            if let Some(row) = rows.row(document)? {
                each(row);
                left -= 1;
            }
            Ok(left > 0)
        })
        .await
    }

    async fn ready(mut self) -> Result<(Plan<'a>, Rows<'a>)> {
        self.plan.extent = Ok(self.plan.take_extent()?);
        check_fields(self.rows.fields.as_deref().unwrap_or_default())?;
        if self.rows.filters() > MAX_OPERATORS {
            let message = format!("A query can't have more than {MAX_OPERATORS} operators.");
            return Err(Error::system("TooManyOperators", message));
        }
        if let Some(ranges) = &self.ranges {
            let (table, index) = (self.plan.table, self.plan.index);
            let fields =
                self.plan.reader.call(|tx| tx.index_fields(table, index).map_err(transaction_error)).await?;
            // A table that isn't there has no index; it is empty whatever the range.
            if let Some(fields) = fields {
                let name = format!("{table}.{index}");
                self.plan.extent = Ok(match &ranges[..] {
                    [only] if !self.merged => only.extent(&name, &fields)?,
                    several => {
                        let ranges = several.iter().map(|range| range.bounds(&name, &fields));
                        Extent::Union(ranges.collect::<Result<_>>()?)
                    }
                });
            }
        }
        Ok((self.plan, self.rows))
    }
}

/// Documents of an untyped query, fetched one after the other.
pub struct TableDocuments<'a> {
    cursor: Cursor<'a>,
    rows: Rows<'a>,
}

impl TableDocuments<'_> {
    /// The next document.
    pub async fn next(&mut self) -> Result<Option<Document>> {
        while let Some(document) = self.cursor.next().await? {
            if let Some(row) = self.rows.row(&document)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

fn passes(filters: &[Expression], document: &Document) -> Result<bool> {
    for filter in filters {
        if !filter.test(object(document)?).map_err(|error| Error::system(error.code(), error.to_string()))? {
            return Ok(false);
        }
    }
    Ok(true)
}
