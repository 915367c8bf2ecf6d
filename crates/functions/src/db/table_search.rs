//! Searches of a table by name, checked against its search indexes when they run.

use hull_engine::Document;
use hull_value::{Encode, Packed, ValueError};

use super::expression::Expression;
use super::search::Searched;
use super::table_query::{TableDocuments, TableQuery};
use super::writer::invalid_value;
use crate::error::{Error, Result};
use crate::pages::{PaginationOptions, PaginationResult};

/// What to search for, by the names of fields: `search` once, and `eq` or `absent` for up to eight filter fields.
#[derive(Default)]
pub struct SearchConditions {
    searches: Vec<(String, String)>,
    filters: Vec<(String, std::result::Result<Option<Packed>, ValueError>)>,
}

impl SearchConditions {
    /// The field, which must be that of the search index, has a token of the text, or one that begins as its last does.
    #[must_use]
    pub fn search(mut self, field: &str, text: impl Into<String>) -> SearchConditions {
        self.searches.push((field.to_owned(), text.into()));
        self
    }

    /// The filter field equals the value.
    #[must_use]
    pub fn eq(mut self, field: &str, value: impl Encode) -> SearchConditions {
        self.filters.push((field.to_owned(), Packed::encode(&value).map(Some)));
        self
    }

    /// The filter field is absent.
    #[must_use]
    pub fn absent(mut self, field: &str) -> SearchConditions {
        self.filters.push((field.to_owned(), Ok(None)));
        self
    }

    fn check(self) -> Result<Searched> {
        let mut searches = self.searches.into_iter();
        let Some((field, text)) = searches.next() else {
            let message = "A search query must say what to search for: q.search(field, text).";
            return Err(Error::system("MissingSearchFilterError", message));
        };
        if searches.next().is_some() {
            let message = "A search query may call q.search(field, text) only once.";
            return Err(Error::system("DuplicateSearchFiltersError", message));
        }
        let filters =
            self.filters.into_iter().map(|(field, value)| Ok((field, value.map_err(invalid_value)?)));
        Ok(Searched { field: Some(field), text, filters: filters.collect::<Result<_>>()? })
    }
}

/// A search of a table by name that has not been run: its documents come best first, and then the newest first. At most
/// 1,024 can be reached; going on behind them is the error `SearchQueryScannedTooManyDocumentsError`.
///
/// ```text
/// ctx.db.table("events").query().with_search_index("search_events", |q| q.search("title", text).eq("category", category))
/// ```
#[must_use = "a search does nothing until it is awaited"]
pub struct TableSearchQuery<'a>(TableQuery<'a>);

impl<'a> TableQuery<'a> {
    /// Searches a text with a search index.
    pub fn with_search_index(
        mut self,
        index: &'a str,
        search: impl FnOnce(SearchConditions) -> SearchConditions,
    ) -> TableSearchQuery<'a> {
        self.ranges = None;
        self.plan.search(index, search(SearchConditions::default()).check());
        TableSearchQuery(self)
    }
}

impl<'a> TableSearchQuery<'a> {
    /// Keeps the documents for which the expression is true. The others count as read all the same, and among the 1,024.
    pub fn filter(self, keep: Expression) -> TableSearchQuery<'a> {
        TableSearchQuery(self.0.filter(keep))
    }

    /// Reads these top-level fields alone; see [`TableQuery::select`].
    pub fn select(self, fields: impl IntoIterator<Item = &'a str>) -> TableSearchQuery<'a> {
        TableSearchQuery(self.0.select(fields))
    }

    /// All documents; an error if there are more than 1,024.
    pub async fn collect(self) -> Result<Vec<Document>> {
        self.0.collect().await
    }

    /// The best `count` documents.
    pub async fn take(self, count: usize) -> Result<Vec<Document>> {
        self.0.take(count).await
    }

    /// The best document, if there is one.
    pub async fn first(self) -> Result<Option<Document>> {
        self.0.first().await
    }

    /// The only document, if there is one; an error if there are more.
    pub async fn unique(self) -> Result<Option<Document>> {
        self.0.unique().await
    }

    /// How many documents there are; an error if there are more than 1,024. Each counts as read.
    pub async fn count(self) -> Result<u32> {
        self.0.count().await
    }

    /// A page of the documents. Its cursors are for this index, text and filters alone; any other gives the error
    /// `InvalidCursor`. All pages rank by the statistics that the first began with, so none repeats or leaves out rows of
    /// another when other documents come and go. Pages are not split, and `maximum_rows_read` and `maximum_bytes_read` have no effect.
    pub async fn paginate(self, options: PaginationOptions) -> Result<PaginationResult<Document>> {
        self.0.paginate(options).await
    }

    /// The documents one after the other; what is not fetched is not read.
    pub async fn documents(self) -> Result<TableDocuments<'a>> {
        self.0.documents().await
    }
}
