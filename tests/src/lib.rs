//! One file per promise, and what the promises are tested with: a server process and a client that speaks raw messages.
//!
//! The server is `testbed`, a small application whose functions do what a test needs to see.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this crate is for tests alone")]

pub mod app;
pub mod cli;
pub mod proxy;
pub mod server;
mod types;
pub mod wire;
