//! Diffs: the vectors that every implementation runs, and properties over random values and edits.

// A test says that something is wrong by failing.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod client;
mod damage;
mod properties;
mod values;
mod vectors;
