//! Files that hold tables: how they are written and read, one format each.

pub(crate) mod archive;
pub(crate) mod bounded;
pub(crate) mod cells;
pub(crate) mod columns;
pub(crate) mod csv_rows;
pub(crate) mod rows;
pub(crate) mod zip_in;
