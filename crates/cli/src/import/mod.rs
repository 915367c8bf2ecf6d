//! What an import reads: which tables are in the file or folder that was given, and their rows.
//!
//! Guarantee: one row is held at a time, of at most 8 MiB (a JSON array: 16 MiB of text), whatever the file claims.
//! Every part of a ZIP is read to its end and its checksum before a row of it reaches a server.

pub(crate) mod batches;
pub(crate) mod source;
pub(crate) mod visit;

pub(crate) use batches::{Batch, Sent, send};
pub(crate) use source::{Format, Source};
