//! The functions that every table has alike: make a document, get one, list them along an index.
//!
//! A module says `documents!(Table)` and one `get_by!`, `list_by!` or `page_by!` for each index, and registers what it got.
//! A list is never longer than [`LONGEST`]; what may grow beyond that is read in pages, with `usePaginatedQuery`.

/// The documents of a list where no `limit` is given.
const USUAL: u32 = 50;
/// The documents of the longest list.
const LONGEST: u32 = 1000;

/// How many documents a list has: as many as asked for, 50 where nothing is said, at most 1,000.
pub(crate) fn size(limit: Option<u32>) -> usize {
    limit.unwrap_or(USUAL).min(LONGEST) as usize
}

/// `create`, `get` and `list` of a table.
macro_rules! documents {
    ($table:ident) => {
        /// A new document with its fields.
        #[mutation]
        async fn create(ctx: &MutationCtx, #[hull(flatten)] document: $table) -> Result<Id<$table>> {
            ctx.db.insert(document).await
        }

        /// One document, or null.
        #[query]
        async fn get(ctx: &QueryCtx, id: Id<$table>) -> Result<Nullable<Doc<$table>>> {
            Ok(ctx.db.get(id).await?.into())
        }

        /// The newest documents first: 50 unless `limit` says otherwise, at most 1,000.
        #[query]
        async fn list(ctx: &QueryCtx, limit: Option<u32>) -> Result<Vec<Doc<$table>>> {
            ctx.db.query::<$table>().order(Order::Desc).take($crate::table_functions::size(limit)).await
        }
    };
}

/// A query for the newest document with a value in an index, or null.
macro_rules! get_by {
    ($(#[$doc:meta])* $name:ident = $table:ident::$index:ident($field:ident: $type:ty)) => {
        $(#[$doc])*
        #[query]
        async fn $name(ctx: &QueryCtx, $field: $type) -> Result<Nullable<Doc<$table>>> {
            let found = ctx.db.query().with_index($table::$index, |q| q.eq($table::$field, $field));
            Ok(found.order(Order::Desc).first().await?.into())
        }
    };
}

/// A query for the documents with a value in an index, newest first: 50 unless `limit` says otherwise, at most 1,000.
macro_rules! list_by {
    ($(#[$doc:meta])* $name:ident = $table:ident::$index:ident($field:ident: $type:ty)) => {
        $(#[$doc])*
        #[query]
        async fn $name(ctx: &QueryCtx, $field: $type, limit: Option<u32>) -> Result<Vec<Doc<$table>>> {
            let found = ctx.db.query().with_index($table::$index, |q| q.eq($table::$field, $field));
            found.order(Order::Desc).take($crate::table_functions::size(limit)).await
        }
    };
}

/// A query for all documents in pages, newest first.
macro_rules! pages {
    ($table:ident) => {
        /// All documents in pages, the newest first.
        #[query]
        async fn list_paginated(
            ctx: &QueryCtx,
            pagination_opts: PaginationOptions,
        ) -> Result<PaginationResult<Doc<$table>>> {
            ctx.db.query::<$table>().order(Order::Desc).paginate(pagination_opts).await
        }
    };
}

/// A query for the documents with a value in an index, in pages, newest first.
macro_rules! page_by {
    ($(#[$doc:meta])* $name:ident = $table:ident::$index:ident($field:ident: $type:ty)) => {
        $(#[$doc])*
        #[query]
        async fn $name(
            ctx: &QueryCtx,
            $field: $type,
            pagination_opts: PaginationOptions,
        ) -> Result<PaginationResult<Doc<$table>>> {
            let found = ctx.db.query().with_index($table::$index, |q| q.eq($table::$field, $field));
            found.order(Order::Desc).paginate(pagination_opts).await
        }
    };
}

pub(crate) use {documents, get_by, list_by, page_by, pages};
