//! Diffs between two results of a query, as DIFF.md beside this crate describes them.
//!
//! A patch takes one value to another, exactly for every type of value; [`apply`] refuses what does not fit, and
//! [`ValueHash`] tells whether what came out is what the other side has.

mod apply;
mod hash;
mod steps;

pub use apply::{PatchError, apply};
pub use hash::{HashError, ValueHash};
