//! Full-text search: which documents have a term, how often, and what a query needs to rank them without reading them.
//!
//! A document is to a search index what [`SearchSpec::read`] says: the terms of its text, and hashes of the values that a
//! search may be narrowed by. Each of its terms is a posting, `(term, id)`.

mod info;
mod posting;
mod token;

pub(crate) use info::{SearchInfo, SearchRow};
pub(crate) use posting::SearchSpec;
