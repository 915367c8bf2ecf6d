//! Queries typed by table: an index and a range of it, an order, filters, and how much of the result is wanted.

use hull_model::{Doc, Index, IndexRange, IntoBounds, Table};

use super::reader::{DatabaseReader, decode};
use super::scan::{Cursor, Plan, only};
use crate::error::{Error, Result};

pub use hull_engine::Order;

type Filter<'a, T> = Box<dyn Fn(&Doc<T>) -> bool + Send + Sync + 'a>;

/// A query that has not been run.
///
/// ```text
/// ctx.db.query::<Entry>().with_index(Entry::by_user, |q| q.eq(Entry::user, user)).order(Order::Desc).take(10).await?
/// ```
#[must_use = "a query does nothing until it is awaited with `collect`, `take`, `first`, `unique` or read with `documents`"]
pub struct Query<'a, T> {
    plan: Plan<'a>,
    filters: Vec<Filter<'a, T>>,
}

impl<'a, T: Table> Query<'a, T> {
    pub(super) fn new(reader: &'a DatabaseReader) -> Query<'a, T> {
        Query { plan: Plan::full(reader, T::NAME), filters: Vec::new() }
    }

    /// Goes through an index, where only what `range` describes is read.
    pub fn with_index<Fields, R: IntoBounds<T>>(
        mut self,
        index: Index<T, Fields>,
        range: impl FnOnce(IndexRange<T, Fields>) -> R,
    ) -> Query<'a, T> {
        self.plan.index = index.name();
        self.plan.range = match range(index.range()).into_bounds() {
            Ok(bounds) => Ok(bounds.to_key_range()),
            Err(error) => Err(Error::system("InvalidIndexRange", error.to_string())),
        };
        self
    }

    /// Goes through the index in this order; ascending unless said otherwise.
    pub fn order(mut self, order: Order) -> Query<'a, T> {
        self.plan.order = order;
        self
    }

    /// Leaves out documents. They count as read all the same.
    pub fn filter(mut self, keep: impl Fn(&Doc<T>) -> bool + Send + Sync + 'a) -> Query<'a, T> {
        self.filters.push(Box::new(keep));
        self
    }

    /// All documents.
    pub async fn collect(self) -> Result<Vec<Doc<T>>> {
        self.take(usize::MAX).await
    }

    /// The first `count` documents.
    pub async fn take(self, count: usize) -> Result<Vec<Doc<T>>> {
        let mut found = Vec::new();
        if count == 0 {
            return Ok(found);
        }
        let filters = self.filters;
        self.plan
            .for_each(count, |document| {
                let document = decode(document)?;
                if passes(&filters, &document) {
                    found.push(document);
                }
                Ok(found.len() < count)
            })
            .await?;
        Ok(found)
    }

    /// The first document, if there is one.
    pub async fn first(self) -> Result<Option<Doc<T>>> {
        Ok(self.take(1).await?.pop())
    }

    /// The only document, if there is one; an error if there are more.
    pub async fn unique(self) -> Result<Option<Doc<T>>> {
        let found = self.take(2).await?;
        only(T::NAME, found.into_iter().map(|document| (document._id.to_string(), document)).collect())
    }

    /// The documents one after the other; what is not fetched is not read.
    pub async fn documents(self) -> Result<Documents<'a, T>> {
        Ok(Documents { cursor: self.plan.begin().await?, filters: self.filters })
    }
}

/// Documents of a query, fetched one after the other.
pub struct Documents<'a, T> {
    cursor: Cursor<'a>,
    filters: Vec<Filter<'a, T>>,
}

impl<T: Table> Documents<'_, T> {
    /// The next document.
    pub async fn next(&mut self) -> Result<Option<Doc<T>>> {
        while let Some(document) = self.cursor.next().await? {
            let document = decode(&document)?;
            if passes(&self.filters, &document) {
                return Ok(Some(document));
            }
        }
        Ok(None)
    }
}

fn passes<T>(filters: &[Filter<'_, T>], document: &Doc<T>) -> bool {
    filters.iter().all(|keep| keep(document))
}
