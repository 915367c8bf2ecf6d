//! What a page is asked for with, and what it is answered with: Convex's `PaginationOptions` and `PaginationResult`.

use hull_model::Object;
use hull_value::Nullable;

use crate::error::{Error, Result};

/// The most rows a page may be asked for with.
const MAX_ITEMS: f64 = 32_000.0;
/// From so many rows on a page should be split: three quarters of the longest array.
pub(crate) const MAX_PAGE: usize = 6_144;

/// Which page of a query is wanted: the argument that `usePaginatedQuery` passes as `paginationOpts`.
///
/// ```text
/// #[query]
/// async fn list(ctx: &QueryCtx, pagination_opts: PaginationOptions) -> Result<PaginationResult<Doc<Message>>> {
///     ctx.db.query::<Message>().order(Order::Desc).paginate(pagination_opts).await
/// }
/// ```
#[derive(Object, Clone, Debug, PartialEq)]
pub struct PaginationOptions {
    /// How many rows the page should have: 1 to 32,000. It has fewer where the query ends or a limit is reached, and as
    /// many as there are once its end is fixed: by `end_cursor`, or because it is run again for the same subscriber.
    pub num_items: f64,
    /// Where the page begins: `continue_cursor` of the page before it, null for the first one.
    pub cursor: Nullable<String>,
    /// Where the page ends, whatever `num_items` says.
    pub end_cursor: Option<Nullable<String>>,
    /// Tells subscriptions apart that are otherwise the same; not looked at.
    pub id: Option<f64>,
    /// The most documents to read, those that a filter leaves out included. At least one is read. Without effect where the
    /// page's end is fixed.
    pub maximum_rows_read: Option<f64>,
    /// The same in bytes.
    pub maximum_bytes_read: Option<f64>,
}

/// A page: the rows behind its cursor up to and including its end.
///
/// Run again for the same subscriber, it has whatever is there by then between the same ends: pages next to each other
/// have neither a gap between them nor a row in common.
#[derive(Object, Clone, Debug, PartialEq)]
pub struct PaginationResult<T> {
    /// The rows, in the query's order.
    pub page: Vec<T>,
    /// Whether the page reaches to the end of the query.
    pub is_done: bool,
    /// The cursor for the next page: where this one ends.
    pub continue_cursor: String,
    /// The middle of the page, for splitting it in two, if more than two documents were read.
    pub split_cursor: Option<String>,
    /// Whether the page should be split.
    pub page_status: Option<PageStatus>,
}

/// Whether a page should be split at its `split_cursor`.
#[derive(Object, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageStatus {
    /// It is complete, and took more than three quarters of what a function may read or return.
    #[hull(rename = "SplitRecommended")]
    SplitRecommended,
    /// It is incomplete: there is more up to its end than a function may read.
    #[hull(rename = "SplitRequired")]
    SplitRequired,
}

/// Options that have been checked.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) items: usize,
    pub(crate) cursor: Option<String>,
    pub(crate) end: Option<String>,
    pub(crate) rows: Option<f64>,
    pub(crate) bytes: Option<f64>,
}

impl PaginationOptions {
    /// The first page, of so many rows.
    pub fn first(num_items: u32) -> PaginationOptions {
        PaginationOptions {
            num_items: f64::from(num_items),
            cursor: Nullable::Null,
            end_cursor: None,
            id: None,
            maximum_rows_read: None,
            maximum_bytes_read: None,
        }
    }

    /// The page that begins at a cursor: `continue_cursor` of the one before it.
    #[must_use]
    pub fn after(self, cursor: impl Into<String>) -> PaginationOptions {
        PaginationOptions { cursor: Nullable::Some(cursor.into()), ..self }
    }

    /// The page that ends at a cursor.
    #[must_use]
    pub fn until(self, cursor: impl Into<String>) -> PaginationOptions {
        PaginationOptions { end_cursor: Some(Nullable::Some(cursor.into())), ..self }
    }

    pub(crate) fn check(self) -> Result<Wanted> {
        let items = self.num_items;
        if items.is_nan() || items < 1.0 {
            let message = format!("A page must be asked for with at least 1 document (numItems is {items}).");
            return Err(Error::system("NoDocumentsForPagination", message));
        }
        if items > MAX_ITEMS {
            let message =
                format!("A page may be asked for with at most {MAX_ITEMS} documents (numItems is {items}).");
            return Err(Error::system("PageSizeTooLarge", message));
        }
        for (name, limit) in
            [("maximumRowsRead", self.maximum_rows_read), ("maximumBytesRead", self.maximum_bytes_read)]
        {
            if let Some(limit) = limit
                && (limit.is_nan() || limit <= 0.0)
            {
                let message = format!("The limit {name} of a page must be greater than 0 (it is {limit}).");
                return Err(Error::system("InvalidPaginationLimit", message));
            }
        }
        Ok(Wanted {
            items: items as usize,
            cursor: self.cursor.into_option(),
            end: self.end_cursor.and_then(Nullable::into_option),
            rows: self.maximum_rows_read,
            bytes: self.maximum_bytes_read,
        })
    }
}

impl<T> PaginationResult<T> {
    /// The page with each row made into something else.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> PaginationResult<U> {
        PaginationResult {
            page: self.page.into_iter().map(each).collect(),
            is_done: self.is_done,
            continue_cursor: self.continue_cursor,
            split_cursor: self.split_cursor,
            page_status: self.page_status,
        }
    }
}
