//! What can go wrong while a snapshot is held, and while a store is rebuilt.

use hull_value::Timestamp;
use thiserror::Error;

use super::{OpenError, TxError};
use crate::backup::BackupError;
use crate::log::LogError;
use crate::storage::StorageError;

/// Why a snapshot was not held, or cannot be read any more.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HoldError {
    /// The commit log has failed and the engine has stopped.
    #[error("the commit log has failed; restart to find out what was kept")]
    LogFailed,
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    ShuttingDown,
    /// The snapshot has no such table.
    #[error("there is no table {0:?}")]
    TableNotFound(String),
    /// The disk had no room for what the snapshot still needed.
    #[error(
        "the held snapshot was given up, since the disk has no room for what it still needs; make space and begin again"
    )]
    Lost,
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What is stored cannot be read.
    #[error("the stored data is damaged: {0}")]
    Damaged(String),
    /// A read was refused.
    #[error(transparent)]
    Read(TxError),
}

impl From<TxError> for HoldError {
    fn from(error: TxError) -> Self {
        match error {
            TxError::Storage(error) => Self::Storage(error),
            TxError::Damaged(detail) => Self::Damaged(detail),
            other => Self::Read(other),
        }
    }
}

impl HoldError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::LogFailed => "LogFailed",
            Self::ShuttingDown => "ShuttingDown",
            Self::TableNotFound(_) => "TableNotFound",
            Self::Lost => "SnapshotLost",
            Self::Storage(error) => error.code(),
            Self::Damaged(_) => "StorageDamaged",
            Self::Read(error) => error.code(),
        }
    }
}

/// Why a store was not rebuilt or a directory not restored. What was there before is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// The directory could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The backup cannot be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The new store could not be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A file or directory cannot be used.
    #[error("{path}: {error}")]
    Io {
        /// The file or directory.
        path: String,
        /// The cause.
        error: std::io::Error,
    },
    /// Only an empty directory is restored into.
    #[error("{directory} is not empty; restore into a new directory")]
    NotEmpty {
        /// The directory.
        directory: String,
    },
    /// There is nothing to rebuild.
    #[error("{directory} is no data directory: it has no `format` file")]
    NoDirectory {
        /// The directory.
        directory: String,
    },
    /// The log is gone.
    #[error(
        "{directory} holds no commit log: what was committed after the last backup can't be recovered; `hull restore` makes a new data directory from a backup"
    )]
    NoLog {
        /// Where it should be.
        directory: String,
    },
    /// The backup belongs to another database.
    #[error(
        "{backup} is a backup of another database than the log belongs to; choose one that was taken from this directory"
    )]
    ForeignBackup {
        /// The file.
        backup: String,
    },
    /// Between the backup and the log something is missing.
    #[error(
        "the backup ends at {}, and the log begins at {}: what was committed between can't be recovered with it; choose a later backup, or `hull restore` this one into an empty directory",
        utc(*backup), utc(*log)
    )]
    Gap {
        /// The snapshot of the backup.
        backup: Timestamp,
        /// The last timestamp before the log.
        log: Timestamp,
    },
    /// The old store cannot be used, and the log alone is not enough.
    #[error(
        "without a backup nothing that was committed up to {} can be recovered: the log begins there, and the store cannot be used ({detail}); name a backup file that was taken since then or noted last",
        utc(*log)
    )]
    Unrecoverable {
        /// The last timestamp before the log.
        log: Timestamp,
        /// What is wrong with the store.
        detail: String,
    },
    /// What was read contradicts itself.
    #[error("the data is damaged: {0}")]
    Damaged(String),
}

impl RebuildError {
    pub(crate) fn io(path: &std::path::Path, error: std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), error }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Open(error) => error.code(),
            Self::Backup(error) => error.code(),
            Self::Storage(error) => error.code(),
            Self::Log(error) => error.code(),
            Self::Io { .. } => "RebuildIo",
            Self::NotEmpty { .. } => "DirectoryNotEmpty",
            Self::NoDirectory { .. } => "NoDataDirectory",
            Self::NoLog { .. } => "NoLog",
            Self::ForeignBackup { .. } => "ForeignBackup",
            Self::Gap { .. } => "BackupTooOld",
            Self::Unrecoverable { .. } => "Unrecoverable",
            Self::Damaged(_) => "DataDamaged",
        }
    }
}

/// A timestamp as people read it.
fn utc(ts: Timestamp) -> String {
    let seconds = ts.0 / 1_000_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar from a count of days, in years that begin in March.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_told_in_utc() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(Timestamp(seconds * 1_000_000_000)), expected);
        }
    }
}
