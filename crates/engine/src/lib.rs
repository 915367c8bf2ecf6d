//! Snapshots, optimistic transactions, indexes and the commit log over sled.
