//! Diffs between two results of a query, as DIFF.md beside this crate describes them.
//!
//! [`make`] finds a patch that takes one value to another and takes fewer bytes than the other; [`apply`] does what it
//! says, exactly for every type of value, and refuses what does not fit; [`ValueHash`] tells whether what came out is
//! what the other side has. [`RowHashes`] are handed on from value to value, so that a hash costs what changed, and
//! [`Change`]s tell a user interface what happened to a list.

mod align;
mod apply;
mod changes;
mod hash;
mod make;
mod rows;
mod size;
mod steps;
mod text;

pub use apply::{PatchError, apply};
pub use changes::{Change, changes};
pub use hash::{HashError, ValueHash};
pub use make::{Made, make};
pub use rows::{RowHashes, RowOrigins};
