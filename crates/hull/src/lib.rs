//! A reactive document store with Convex's semantics, and functions written in Rust.
