//! Ordered bytes: what the engine asks of the store that holds its checkpointed state.
//!
//! Guarantees of every [`Storage`]:
//! - a [`Batch`] is applied whole or not at all, and is seen by reads as soon as `apply` returns;
//! - after a crash the state is that of a prefix of the applied batches, and at least all of those that were
//!   applied before the last `sync` that succeeded;
//! - a value that is read is the value that was written, or an error that names its key.
//!
//! There are no snapshots: a scan in several chunks may see batches that were applied between them. The engine's
//! overlay hides that.
//!
//! Keys start with a byte from `0x01` to `0xFE`; the others belong to the implementation. One thread writes.

use std::path::PathBuf;

mod faulty;
mod memory;
mod real_sync;
mod sled;

pub use faulty::{Fault, FaultyStorage};
pub use memory::MemoryStorage;
pub use sled::{STORAGE_FORMAT, SledOptions, SledStorage};

/// The most keys that one batch may touch.
pub const MAX_BATCH_KEYS: usize = 500;
/// The most bytes of keys and values in one batch, unless it has only one key.
pub const MAX_BATCH_BYTES: usize = 1 << 20;

/// A key and what becomes of it: a new value, or its removal.
pub type Change = (Vec<u8>, Option<Vec<u8>>);
/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Ordered bytes with atomic batches. See the module for what holds of every implementation.
pub trait Storage: Send + Sync {
    /// The value stored at `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// The first entries with `start <= key < end` (no upper end for `None`), in ascending order, or the last ones in
    /// descending order when `reverse`. At most `limit_keys` entries and `limit_bytes` bytes of keys and values, but at
    /// least one entry where there is any. A forward scan goes on with `start` = the last key and a zero byte
    /// behind it, a reverse one with `end` = the last key.
    fn range(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        reverse: bool,
        limit_keys: usize,
        limit_bytes: usize,
    ) -> Result<Chunk, StorageError>;

    /// Applies all changes of `batch`, or none. Not durable before the next `sync`. After an error it is unknown
    /// which of the two happened, and [`Storage::reopen`] must be called before the next write.
    fn apply(&self, batch: Batch) -> Result<(), StorageError>;

    /// Makes every applied batch durable: a real `fdatasync`, not only a hand-over to the operating system.
    fn sync(&self) -> Result<(), StorageError>;

    /// Opens the store again after a failed write, with whatever is in it. The batches since the last sync may be
    /// gone and must be repeated.
    fn reopen(&self) -> Result<(), StorageError>;

    /// Sizes and counters.
    fn stats(&self) -> StorageStats;
}

/// One chunk of a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The entries, in the order that was asked for.
    pub entries: Vec<Entry>,
    /// Whether a limit ended the chunk, so that there may be more entries behind it.
    pub more: bool,
}

/// Changes that happen together. When a key occurs twice, the later change holds.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    changes: Vec<Change>,
    bytes: usize,
}

impl Batch {
    /// No changes.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Stores `value` at `key`.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.changes.push((key, Some(value)));
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.bytes += key.len();
        self.changes.push((key, None));
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether one more change of `bytes` bytes keeps the limits of a batch.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.is_empty() || (self.len() < MAX_BATCH_KEYS && self.bytes + bytes <= MAX_BATCH_BYTES)
    }

    /// The changes in order; `None` is a removal.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The changes in order, owned.
    pub fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// In debug builds, that the caller kept the limits and the reserved first bytes.
    pub(crate) fn debug_check(&self) {
        debug_assert!(self.len() <= MAX_BATCH_KEYS, "a batch of {} keys", self.len());
        debug_assert!(self.bytes <= MAX_BATCH_BYTES || self.len() == 1, "a batch of {} bytes", self.bytes);
        debug_assert!(
            self.changes.iter().all(|(key, _)| matches!(key.first(), Some(1..=0xFE))),
            "a key outside of the callers' key space"
        );
    }
}

/// Sizes and counters of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StorageStats {
    /// What the store takes on disk.
    pub disk_bytes: u64,
    /// The bytes of all keys and values that are stored now.
    pub live_bytes: u64,
    /// How many keys are stored now.
    pub live_keys: u64,
    /// How often data was made durable since the process started.
    pub syncs: u64,
}

/// Why a store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system refused.
    #[error("storage: {action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A value is not the one that was written.
    #[error(
        "storage: the value of key {} fails its checksum; `hull rebuild` makes a new store from the last backup and the log",
        hex(key)
    )]
    Checksum {
        /// The key.
        key: Vec<u8>,
    },
    /// The store is damaged.
    #[error(
        "storage: {} cannot be read ({detail}); `hull rebuild` makes a new one from the last backup and the log, `hull restore` a new data directory from a backup, and `hull import` fills an empty one from the last export",
        directory.display()
    )]
    Corrupt {
        /// Where the store is.
        directory: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A newer version of the program wrote the store.
    #[error(
        "storage: {} has format {found}, this program knows formats up to {known}; use a newer program",
        directory.display()
    )]
    NewerFormat {
        /// Where the store is.
        directory: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// Another process has the store open.
    #[error("storage: {} is in use by another process", directory.display())]
    Busy {
        /// Where the store is.
        directory: PathBuf,
    },
    /// Opening took longer than it may.
    #[error(
        "storage: {} did not open within {seconds} s; if this stays so, `hull rebuild` makes a new one from the last backup and the log, `hull restore` a new data directory from a backup, and `hull import` fills an empty one from the last export",
        directory.display()
    )]
    OpenTimeout {
        /// Where the store is.
        directory: PathBuf,
        /// The limit.
        seconds: u64,
    },
    /// A flush did not reach `fdatasync`, so nothing would be durable.
    #[error(
        "storage: a flush did not call fdatasync, so nothing would survive a power loss; refusing to start"
    )]
    SyncNotReal,
    /// There is not enough free space for the batch.
    #[error("storage: the disk is full")]
    DiskFull,
    /// A write failed before, and the store was not opened again.
    #[error("storage: closed by an earlier failure")]
    Closed,
}

impl StorageError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            StorageError::Io { .. } => "StorageIo",
            StorageError::Checksum { .. } => "StorageChecksum",
            StorageError::Corrupt { .. } => "StorageCorrupt",
            StorageError::NewerFormat { .. } => "StorageNewerFormat",
            StorageError::Busy { .. } => "StorageBusy",
            StorageError::OpenTimeout { .. } => "StorageOpenTimeout",
            StorageError::SyncNotReal => "StorageSyncNotReal",
            StorageError::DiskFull => "DiskFull",
            StorageError::Closed => "StorageClosed",
        }
    }
}

fn hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}
