//! The server's session, rule by rule: what a client may rely on, seen as the messages it gets.

// A test says that something is wrong by failing.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod bounds;
mod diffs;
mod harness;
mod liveness;
mod mutations;
mod transitions;
