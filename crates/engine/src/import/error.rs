//! Why an import was refused: each with Convex's code where Convex has one.

use hull_value::TableNumber;
use thiserror::Error;

use super::RefusedRow;
use crate::error::{CommitError, TxError};

/// Why an import, or a part of it, was refused. A replacing import that failed has changed nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The mode wants empty tables, and this one is not.
    #[error(
        "Table \"{table}\" already exists and has data; import with `append`, `replace` or `replaceAll`, or delete its documents first"
    )]
    TableExists {
        /// The table.
        table: String,
    },
    /// A name that no table can have, or that was given twice.
    #[error("Invalid table name {name:?}: {reason}")]
    InvalidName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The number in the ids of a table is another one's, or cannot be its own.
    #[error("Table \"{table}\" cannot have the number {}: {reason}", number.0)]
    TableNumberConflict {
        /// The table.
        table: String,
        /// The number.
        number: TableNumber,
        /// Why not.
        reason: String,
    },
    /// Documents that stay hold ids of a table whose number would change.
    #[error(
        "Table \"{table}\" would change its number from {} to {}, but documents of \"{by}\", which is not imported, hold ids of it; import \"{by}\" as well",
        from.0, to.0
    )]
    ReferencedTableRenumbered {
        /// The table.
        table: String,
        /// Its number now.
        from: TableNumber,
        /// Its number afterwards.
        to: TableNumber,
        /// The table that references it.
        by: String,
    },
    /// The table was not named when the import began.
    #[error("Table \"{0}\" was not named when the import began")]
    TableNotInImport(String),
    /// There would be too many tables.
    #[error("Too many tables (limit: {0})")]
    TooManyTables(usize),
    /// The schema is not the one that the rows were checked against.
    #[error("the schema was changed during the import; import again")]
    SchemaChanged,
    /// The import is over: an earlier part of it failed.
    #[error("the import has failed before; begin another one")]
    Failed,
    /// A row is not valid.
    #[error("row {} of table \"{table}\": {}", row.row, row.message)]
    Row {
        /// The table.
        table: String,
        /// The row, and what is wrong with it.
        row: Box<RefusedRow>,
    },
    /// The engine could not read or write.
    #[error(transparent)]
    Transaction(#[from] TxError),
    /// The engine could not commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl ImportError {
    /// The stable code; that of the row where a row is not valid.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TableExists { .. } => "TableExists",
            Self::InvalidName { .. } => "InvalidName",
            Self::TableNumberConflict { .. } => "TableNumberConflict",
            Self::ReferencedTableRenumbered { .. } => "ReferencedTableRenumbered",
            Self::TableNotInImport(_) => "TableNotInImport",
            Self::TooManyTables(_) => "TooManyTables",
            Self::SchemaChanged => "SchemaChanged",
            Self::Failed => "ImportFailed",
            Self::Row { row, .. } => row.code,
            Self::Transaction(error) => error.code(),
            Self::Commit(error) => error.code(),
        }
    }

    /// Whether the fault lies with what is imported, and not with the engine.
    pub fn is_user(&self) -> bool {
        match self {
            Self::Transaction(error) => error.is_user(),
            Self::Commit(_) => false,
            _ => true,
        }
    }
}
