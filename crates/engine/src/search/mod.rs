//! Full-text search: which documents have a term, how often, and what a query needs to rank them without reading them.
//!
//! A document is to a search index what [`SearchSpec::read`] says: the terms of its text, and hashes of the values that a
//! search may be narrowed by. Each of its terms is a posting, `(term, id)`. Storage has postings in [`block`]s, which a
//! [`fold::Fold`] changes and a [`cursor::Cursor`] reads.

mod ahead;
mod block;
mod buffers;
mod chains;
mod change;
mod cursor;
mod fold;
mod folding;
mod highlight;
mod info;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod life_tests;
mod list;
mod place;
mod posting;
mod query;
mod read;
mod rows;
mod score;
mod settling;
mod statistics;
mod store;
mod token;
mod walk;

#[cfg(test)]
mod model_tests;

pub(crate) use buffers::Buffers;
pub(crate) use change::SearchChange;
pub(crate) use folding::Folding;
pub use highlight::highlight;
pub(crate) use info::{SearchInfo, SearchRow};
pub(crate) use posting::{DocKey, Posting, SearchDoc, SearchSpec};
pub use query::{Search, SearchHit, SearchRequest};
pub(crate) use statistics::{Statistics, Stored};
pub(crate) use store::SearchStore;
pub(crate) use walk::walk_block;
