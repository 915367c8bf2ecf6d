//! Snapshots, optimistic transactions, indexes and the commit log over sled.

pub mod log;
pub mod storage;
