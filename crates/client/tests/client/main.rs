//! The client against a server that says what each test wants it to say, over streams in memory and under a clock that
//! runs ahead whenever everybody waits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

mod auth;
mod calls;
mod connection;
mod fake;
mod functions;
mod subscriptions;
