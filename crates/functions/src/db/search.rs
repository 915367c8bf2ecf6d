//! Searching: the documents whose text has what is searched for, best first.
//!
//! A search depends on its terms within its filters, and on what is looked at of the documents that it hands out: a
//! document of another user, one without the terms, or a change of one that was not reached runs nothing again.

use hull_engine::{BY_CREATION_TIME, Order, Projection, Search, SearchRequest, Transaction};
use hull_model::{KeyRange, SearchIndex, SearchTerms, SearchText, Selection, Table};
use hull_value::{FieldPath, Packed, ValueRef, write_sort_key};

use super::extent::Extent;
use super::query::{Documents, Query};
use super::scan::Plan;
use super::shape::{Fields, Shape, Whole};
use super::writer::invalid_value;
use crate::error::{Error, Result};
use crate::pages::{Fingerprint, PaginationOptions, PaginationResult};
use crate::run::transaction_error;

/// What is searched for in a search index.
pub(super) struct Searched {
    /// The field, where it was named.
    pub(super) field: Option<String>,
    pub(super) text: String,
    /// Filter fields, and what each must equal.
    pub(super) filters: Vec<(String, Option<Packed>)>,
}

impl Searched {
    pub(super) fn begin(
        &self,
        tx: &mut Transaction,
        (table, index): (&str, &str),
        projection: Projection<'_>,
        position: Option<&[u8]>,
    ) -> Result<Search> {
        let filters: Vec<(&str, Option<ValueRef<'_>>)> = self
            .filters
            .iter()
            .map(|(field, value)| (&**field, value.as_ref().map(Packed::as_ref)))
            .collect();
        let request =
            SearchRequest { table, index, field: self.field.as_deref(), text: &self.text, filters: &filters };
        Ok(tx.search_from(&request, position).map_err(transaction_error)?.select(projection))
    }

    pub(super) fn fingerprint(&self, table: &str, index: &str, fields: Option<&[FieldPath]>) -> Fingerprint {
        let values: Vec<Vec<u8>> = self
            .filters
            .iter()
            .map(|(_, value)| {
                let mut sort_key = Vec::new();
                write_sort_key(value.as_ref().map(Packed::as_ref), &mut sort_key);
                sort_key
            })
            .collect();
        let mut parts: Vec<&[u8]> = vec![b"\0search", self.text.as_bytes()];
        for ((field, _), value) in self.filters.iter().zip(&values) {
            parts.extend([field.as_bytes(), value]);
        }
        Fingerprint::of(table, index, fields, &KeyRange::all(), Order::Asc, &parts)
    }
}

/// A search that has not been run: its rows come best first, and then the newest first. At most 1,024 can be reached;
/// going on behind them is the error `SearchQueryScannedTooManyDocumentsError`.
///
/// ```text
/// ctx.db.query::<Entry>()
///     .with_search_index(Entry::search_content, |q| q.search(text).eq(Entry::user_id, user))
///     .take(20).await?
/// ```
#[must_use = "a search does nothing until it is awaited with `collect`, `take`, `first`, `unique`, `count`, `paginate` or read with `documents`"]
pub struct SearchQuery<'a, T: Table, S: Shape<T> = Whole>(Query<'a, T, S>);

impl<'a, T: Table, S: Shape<T>> Query<'a, T, S> {
    /// Searches a text: finds the documents whose field, that of the search index, has one of the first 16 tokens of the
    /// text, or a token that begins as the last of them does. `eq` narrows it to values of the index's filter fields.
    pub fn with_search_index<I>(
        mut self,
        index: SearchIndex<T, I>,
        search: impl FnOnce(SearchText<T, I>) -> SearchTerms<T, I>,
    ) -> SearchQuery<'a, T, S> {
        let (text, filters) = search(index.request()).into_parts();
        let filters = filters.map_err(invalid_value).map(|filters| {
            filters.into_iter().map(|(field, value)| (field.to_owned(), value)).collect::<Vec<_>>()
        });
        let searched = filters.map(|filters| Searched { field: None, text, filters });
        self.plan.search(index.name(), searched);
        SearchQuery(self)
    }
}

impl<'a, T: Table> SearchQuery<'a, T> {
    /// Reads these fields alone; see [`Query::select`].
    pub fn select<S: Selection<T>>(self, fields: S) -> SearchQuery<'a, T, Fields<S>> {
        SearchQuery(self.0.select(fields))
    }
}

impl<'a, T: Table, S: Shape<T>> SearchQuery<'a, T, S> {
    /// Leaves out rows. Their documents count as read all the same, and among the 1,024.
    pub fn filter(self, keep: impl Fn(&S::Row) -> bool + Send + Sync + 'a) -> Self {
        SearchQuery(self.0.filter(keep))
    }

    /// All rows; an error if there are more than 1,024.
    pub async fn collect(self) -> Result<Vec<S::Row>> {
        self.0.collect().await
    }

    /// The best `count` rows.
    pub async fn take(self, count: usize) -> Result<Vec<S::Row>> {
        self.0.take(count).await
    }

    /// The best row, if there is one.
    pub async fn first(self) -> Result<Option<S::Row>> {
        self.0.first().await
    }

    /// The only row, if there is one; an error if there are more.
    pub async fn unique(self) -> Result<Option<S::Row>> {
        self.0.unique().await
    }

    /// How many rows there are; an error if there are more than 1,024. Without filters this looks at no field of the
    /// documents; each counts as read.
    pub async fn count(self) -> Result<u32> {
        self.0.count().await
    }

    /// A page of the rows. Its cursors are for this index, text and filters alone; any other gives the error
    /// `InvalidCursor`. All pages rank by the statistics that the first began with, so none repeats or leaves out rows of
    /// another when other documents come and go. Pages are not split, and `maximum_rows_read` and `maximum_bytes_read` have no effect.
    pub async fn paginate(self, options: PaginationOptions) -> Result<PaginationResult<S::Row>> {
        self.0.paginate(options).await
    }

    /// The rows one after the other; what is not fetched is not read.
    pub async fn documents(self) -> Result<Documents<'a, T, S>> {
        self.0.documents().await
    }
}

impl<'a> Plan<'a> {
    /// Reads a search index from now on.
    pub(super) fn search(&mut self, index: &'a str, searched: Result<Searched>) {
        let extent = self.take_extent().and(searched).map(Extent::Search);
        self.extent = if self.index == BY_CREATION_TIME && self.order == Order::Asc {
            extent
        } else {
            let message = "A search goes through its search index alone, the best first: leave out with_index() and order().";
            Err(Error::system("InvalidSearchQuery", message))
        };
        self.index = index;
    }
}
