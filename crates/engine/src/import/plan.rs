//! What an import is asked for, the rows that come, and what it has done.

use hull_value::{Packed, TableNumber, Timestamp};

/// What becomes of the documents that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImportMode {
    /// There must be none in the imported tables.
    #[default]
    RequireEmpty,
    /// They stay.
    Append,
    /// Those of the imported tables go.
    Replace,
    /// All go: tables that are not imported are emptied, or deleted if the schema does not declare them.
    ReplaceAll,
}

/// How an import is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// What becomes of the documents that are there.
    pub mode: ImportMode,
    /// Leave out rows that are not valid, and say which; otherwise the first one ends the import.
    pub skip_invalid: bool,
    /// Check everything and change nothing.
    pub dry_run: bool,
}

/// A table to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportTable {
    /// Its name.
    pub name: String,
    /// The number inside the ids of its rows, where it is known.
    pub number: Option<TableNumber>,
}

/// One row, as it comes.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportRow {
    /// What to call it in errors: its line, or its place in the file, from 1.
    pub number: u64,
    /// The object; `_id` and `_creationTime` are kept where they are there.
    pub value: Packed,
}

/// A row that is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// The row's number.
    pub row: u64,
    /// The stable code.
    pub code: &'static str,
    /// Where in the row, as `.a.b[3]`; empty for the whole.
    pub path: String,
    /// What is wrong, for people.
    pub message: String,
}

/// What became of some rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// The rows that were taken.
    pub applied: u64,
    /// The rows that were left out.
    pub refused: Vec<RefusedRow>,
    /// When the last of them was committed; appended rows must not be told of before this is durable.
    pub ts: Timestamp,
}

/// A table that was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedTable {
    /// Its name.
    pub name: String,
    /// Its number, unless the import made no table for want of rows.
    pub number: Option<TableNumber>,
    /// The rows that were taken.
    pub rows: u64,
}

/// What an import has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// When; must be durable before anybody is told.
    pub ts: Timestamp,
    /// The tables, by name.
    pub tables: Vec<ImportedTable>,
    /// Declared tables that were not in the import and have lost their documents.
    pub emptied: Vec<String>,
    /// Undeclared tables that were not in the import and are gone.
    pub deleted: Vec<String>,
}
