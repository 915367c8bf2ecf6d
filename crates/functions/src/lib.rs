//! Queries and mutations written in Rust, run with retry and kept live.
