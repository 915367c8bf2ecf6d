//! What can go wrong in the engine, each with the stable code that clients and tests match on.

use hull_model::ValidationError;
use hull_value::{DocumentId, Timestamp};
use thiserror::Error;

use crate::overlap::ConflictKey;
use crate::storage::StorageError;

mod rebuild;

pub use rebuild::{HoldError, RebuildError};

/// Why a read or a write inside a transaction was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TxError {
    /// Too many documents were read.
    #[error(
        "Too many documents read in a single function execution (limit: {0}). Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a selective index range expressions."
    )]
    TooManyDocumentsRead(u32),
    /// Too many bytes were read.
    #[error(
        "Too many bytes read in a single function execution (limit: {0} bytes). Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a selective index range expressions."
    )]
    TooManyBytesRead(u64),
    /// Too many intervals were read.
    #[error("Too many reads in a single function execution (limit: {0})")]
    TooManyReads(u32),
    /// Too many documents were written.
    #[error("Too many writes in a single function execution (limit: {0})")]
    TooManyWrites(u32),
    /// Too many bytes were written.
    #[error("Too many bytes written in a single function execution (limit: {0} bytes)")]
    TooManyBytesWritten(u64),
    /// The transaction only reads.
    #[error("This transaction is read-only")]
    ReadOnly,
    /// The table's name is no identifier or is reserved.
    #[error("Invalid table name {name:?}: {reason}")]
    InvalidTableName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There are as many tables as there may be.
    #[error("Too many tables (limit: {0})")]
    TooManyTables(usize),
    /// The document to change does not exist.
    #[error("{operation} on nonexistent document ID {id}")]
    NonexistentDocument {
        /// `Update`, `Replace`, `Delete` or `Increment`.
        operation: &'static str,
        /// The id.
        id: DocumentId,
    },
    /// An amount can't be added to what a field holds.
    #[error("Can't increment the field `{field}` of document {id}: {reason}")]
    InvalidIncrement {
        /// The document.
        id: DocumentId,
        /// The field.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// The document breaks a rule that every document obeys.
    #[error("{0}")]
    InvalidDocument(String),
    /// The `_id` that was supplied is not the document's own.
    #[error("Provided document ID {given} doesn't match the ID of the document, {expected}")]
    InvalidId {
        /// What was supplied.
        given: String,
        /// The document's id.
        expected: DocumentId,
    },
    /// The `_creationTime` that was supplied is not the document's own.
    #[error("Provided `_creationTime` {given} doesn't match the creation time of the document, {expected}")]
    InvalidCreationTime {
        /// What was supplied.
        given: String,
        /// The document's creation time.
        expected: f64,
    },
    /// The document is too large.
    #[error("Value is too large ({size} > maximum size {limit})")]
    ValueTooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The document is too deep.
    #[error("Document is too nested (nested {depth} levels deep > maximum nesting {limit})")]
    TooNested {
        /// Its depth.
        depth: usize,
        /// The limit.
        limit: usize,
    },
    /// The document does not fit the schema.
    #[error(
        "Failed to insert or update a document in table \"{table}\" because it does not match the schema: {error}"
    )]
    SchemaEnforcement {
        /// The table.
        table: String,
        /// Where and why.
        error: Box<ValidationError>,
    },
    /// The table has no such index.
    #[error("Index {table}.{index} not found.")]
    IndexNotFound {
        /// The table.
        table: String,
        /// The index.
        index: String,
    },
    /// The index has no counters of this sort.
    #[error("Index {table}.{index} {lacks}; declare it with {declare}.")]
    NotAggregated {
        /// The table.
        table: String,
        /// The index.
        index: String,
        /// What it does not do, as a sentence goes on.
        lacks: &'static str,
        /// How an index that does it is declared.
        declare: &'static str,
    },
    /// A sum of int64 numbers is no int64.
    #[error("The sum over index {table}.{index} does not fit into an int64.")]
    SumOverflow {
        /// The table.
        table: String,
        /// The index.
        index: String,
    },
    /// The index is still being filled.
    #[error("Index {table}.{index} is currently backfilling and not available to query yet.")]
    IndexBackfilling {
        /// The table.
        table: String,
        /// The index.
        index: String,
    },
    /// A search is over a field that is not that of its index.
    #[error(
        "Search query against {table}.{index} contains an incorrect search field {given:?}: this index searches {expected:?}."
    )]
    IncorrectSearchField {
        /// The table.
        table: String,
        /// The index.
        index: String,
        /// The field that was named.
        given: String,
        /// The field of the index.
        expected: String,
    },
    /// A search is filtered by a field that its index does not have.
    #[error(
        "Search query against {table}.{index} contains an equality filter on {given:?}, which is no filter field of this index; it has [{known}]. Declare the field there, or use `.filter`."
    )]
    IncorrectFilterField {
        /// The table.
        table: String,
        /// The index.
        index: String,
        /// The field that was named.
        given: String,
        /// The filter fields of the index.
        known: String,
    },
    /// A search has too many conditions.
    #[error("A search query may have at most {limit} equality filters, and this one has {given}.")]
    TooManySearchFilters {
        /// So many it has.
        given: usize,
        /// So many it may have.
        limit: usize,
    },
    /// More was wanted than can be reached.
    #[error(
        "Search query scanned too many documents (fetched more than {0}). Use `.take`, a page, or a more selective search."
    )]
    TooManySearchResults(usize),
    /// Storage failed.
    #[error("storage failed: {0}")]
    Storage(#[from] StorageError),
    /// What is stored cannot be read.
    #[error("the stored data is damaged: {0}")]
    Damaged(String),
}

impl TxError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooManyDocumentsRead(_) => "TooManyDocumentsRead",
            Self::TooManyBytesRead(_) => "TooManyBytesRead",
            Self::TooManyReads(_) => "TooManyReads",
            Self::TooManyWrites(_) => "TooManyWrites",
            Self::TooManyBytesWritten(_) => "TooManyBytesWritten",
            Self::ReadOnly => "ReadOnlyTransaction",
            Self::InvalidTableName { .. } => "InvalidTableName",
            Self::TooManyTables(_) => "TooManyTables",
            Self::NonexistentDocument { .. } => "NonexistentDocument",
            Self::InvalidIncrement { .. } => "InvalidIncrementError",
            Self::InvalidDocument(_) => "InvalidDocumentError",
            Self::InvalidId { .. } => "InvalidIdError",
            Self::InvalidCreationTime { .. } => "InvalidCreationTimeError",
            Self::ValueTooLarge { .. } => "ValueTooLargeError",
            Self::TooNested { .. } => "TooNestedError",
            Self::SchemaEnforcement { .. } => "SchemaEnforcementError",
            Self::IndexNotFound { .. } => "IndexNotFoundError",
            Self::NotAggregated { .. } => "IndexNotAggregated",
            Self::SumOverflow { .. } => "SumOverflow",
            Self::IndexBackfilling { .. } => "IndexBackfillingError",
            Self::IncorrectSearchField { .. } => "IncorrectSearchField",
            Self::IncorrectFilterField { .. } => "IncorrectFilterFieldError",
            Self::TooManySearchFilters { .. } => "TooManyFilterConditionsInSearchQueryError",
            Self::TooManySearchResults(_) => "SearchQueryScannedTooManyDocumentsError",
            Self::Storage(_) => "StorageFailed",
            Self::Damaged(_) => "StorageDamaged",
        }
    }

    /// Whether the fault lies with the caller's function, and not with the engine.
    pub fn is_user(&self) -> bool {
        !matches!(self, Self::Storage(_) | Self::Damaged(_))
    }

    /// Whether a per-transaction limit was exceeded.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::TooManyDocumentsRead(_)
                | Self::TooManyBytesRead(_)
                | Self::TooManyReads(_)
                | Self::TooManyWrites(_)
                | Self::TooManyBytesWritten(_)
        )
    }
}

/// Why a transaction was not begun at a timestamp.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BeginError {
    /// The history that far back is gone.
    #[error("the data at {at} is out of retention; the oldest kept is {oldest}", at = .at.0, oldest = .oldest.0)]
    OutOfRetention {
        /// What was asked for.
        at: Timestamp,
        /// The oldest that is kept.
        oldest: Timestamp,
    },
    /// The timestamp is not reached yet.
    #[error("the timestamp {at} is in the future; the newest is {newest}", at = .at.0, newest = .newest.0)]
    InTheFuture {
        /// What was asked for.
        at: Timestamp,
        /// The newest there is.
        newest: Timestamp,
    },
    /// The commit log has failed and the engine has stopped.
    #[error("the commit log has failed; restart to find out what was kept")]
    LogFailed,
}

impl BeginError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutOfRetention { .. } => "OutOfRetention",
            Self::InTheFuture { .. } => "TimestampInTheFuture",
            Self::LogFailed => "LogFailed",
        }
    }
}

/// Why a transaction was not committed. Nothing of it was written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A commit since the snapshot wrote what this transaction read: run it again.
    #[error("a later commit changed what this transaction has read")]
    Conflict(ConflictKey),
    /// A document that this transaction increments is gone by now, or the sum breaks a rule: run it again
    /// [without folds](crate::Transaction::without_folds), which tells what is wrong.
    #[error("what this transaction increments is gone, or can't be incremented any more")]
    Fold,
    /// The snapshot is so old that it cannot be told whether there is a conflict: run it again.
    #[error("the transaction's snapshot is out of retention")]
    OutOfRetention,
    /// The commit log has failed and the engine has stopped.
    #[error("the commit log has failed; restart to find out what was kept")]
    LogFailed,
    /// There is no space left on the disk; reads go on.
    #[error("the disk is full: writes are refused until there is space")]
    DiskFull,
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    ShuttingDown,
    /// A transaction's record is larger than the log takes.
    #[error("{0}")]
    Refused(String),
}

impl CommitError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "OptimisticConcurrencyControlFailure",
            Self::Fold => "FoldFailed",
            Self::OutOfRetention => "OutOfRetention",
            Self::LogFailed => "LogFailed",
            Self::DiskFull => "DiskFull",
            Self::ShuttingDown => "ShuttingDown",
            Self::Refused(_) => "CommitRefused",
        }
    }

    /// Whether running the transaction again may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::Fold | Self::OutOfRetention)
    }
}

/// Why an engine did not open.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the directory open.
    #[error("{directory} is in use by another server{pid}; stop it first, or choose another data directory", pid = .pid.map(|p| format!(" (process {p})")).unwrap_or_default())]
    Locked {
        /// The directory.
        directory: String,
        /// The other process, where known.
        pid: Option<u32>,
    },
    /// The data was written by a newer version.
    #[error(
        "the data is of format {found}, and this version knows formats up to {known}; use a newer version"
    )]
    NewerFormat {
        /// The format found.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// The log or storage contradicts itself.
    #[error("the data is damaged: {0}")]
    Damaged(String),
    /// Storage did not open.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The log did not open.
    #[error("the commit log did not open: {0}")]
    Log(String),
    /// The directory cannot be used.
    #[error("{directory}: {error}")]
    Io {
        /// The directory or file.
        directory: String,
        /// The cause.
        error: std::io::Error,
    },
}

impl OpenError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "DirectoryInUse",
            Self::NewerFormat { .. } => "NewerFormat",
            Self::Damaged(_) => "DataDamaged",
            Self::Storage(_) => "StorageFailed",
            Self::Log(_) => "LogFailed",
            Self::Io { .. } => "DirectoryUnusable",
        }
    }
}

/// Why a schema was not applied. Unless it says otherwise, nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SchemaChangeError {
    /// The schema contradicts itself.
    #[error("the schema is invalid: {0}")]
    Invalid(String),
    /// A document does not fit the new schema.
    #[error(
        "Schema validation failed: document {id} in table \"{table}\" does not match the schema: {error}"
    )]
    ExistingDocument {
        /// The table.
        table: String,
        /// The document.
        id: DocumentId,
        /// Where and why.
        error: Box<ValidationError>,
    },
    /// The catalog was changed by somebody else at the same time, again and again.
    #[error("the schema could not be committed: {0}")]
    Commit(#[from] CommitError),
    /// A read failed.
    #[error(transparent)]
    Transaction(#[from] TxError),
}

impl SchemaChangeError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "SchemaDefinitionError",
            Self::ExistingDocument { .. } => "SchemaEnforcementError",
            Self::Commit(e) => e.code(),
            Self::Transaction(e) => e.code(),
        }
    }
}
