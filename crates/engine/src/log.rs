//! The commit log: the truth that everything else is rebuilt from.
//!
//! Guarantees of every [`CommitLog`]:
//! - records are kept in the order of their appends, with rising timestamps; an append succeeds only at the head that
//!   its caller expected;
//! - an append that returned is *ordered*, not durable: it is *durable* once [`CommitLog::durable`] reaches its
//!   timestamp, and only then may anybody be told;
//! - after a crash a prefix of the appended records is there, and at least all of the durable ones;
//! - once a write or a sync has failed nothing more becomes durable, and every append answers
//!   [`AppendError::Failed`] for ever.

use hull_value::Timestamp;

mod disk;
mod group;
mod memory;
mod recovery;
mod segment;
mod segment_log;
mod sim;
mod tail;
mod writer;

pub use disk::{Disk, DiskFile, RealDisk};
pub use memory::MemoryLog;
pub use segment::LOG_FORMAT;
pub use segment_log::{Durability, SegmentLog, SegmentLogOptions};
pub use sim::SimDisk;

/// The end of the log: how many records were ever appended, and the timestamp of the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// The number of records since the log was created.
    pub sequence: u64,
    /// The timestamp of the last record.
    pub timestamp: Timestamp,
}

/// A place in the log, in bytes since it was created. Places only grow, and none is used twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition(pub u64);

/// What the log tells those that wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DurableEvent {
    /// Everything up to this timestamp is durable.
    Durable(Timestamp),
    /// Nothing more will become durable, for this reason. Sent once, as the last event.
    Failed(String),
}

/// Called for every event, in order.
pub type DurableCallback = Box<dyn Fn(&DurableEvent) + Send + Sync>;

/// Records with their timestamps, in order.
pub type Tail<'a> = Box<dyn Iterator<Item = Result<(Timestamp, Vec<u8>), LogError>> + Send + 'a>;

/// An ordered, durable sequence of records. See the module for what holds of every implementation.
pub trait CommitLog: Send + Sync {
    /// Puts a record into the open group and returns the new head. Cheap, blocks on nothing but a short lock, and
    /// wakes the sync thread when that is idle. `timestamp` must be above that of `expected`.
    fn append(&self, expected: Head, timestamp: Timestamp, record: &[u8]) -> Result<Head, AppendError>;

    /// As [`CommitLog::append`], but the sync thread may sleep on until [`CommitLog::wake`]: for callers that hold a lock.
    fn push(&self, expected: Head, timestamp: Timestamp, record: &[u8]) -> Result<Head, AppendError> {
        self.append(expected, timestamp, record)
    }

    /// Wakes the sync thread when it is idle and there is something for it; to be called after [`CommitLog::push`].
    fn wake(&self) {}

    /// As [`CommitLog::wake`], unless the sync thread looks by itself within a millisecond: for callers that will call
    /// `wake` soon, and expect more records before.
    fn wake_soon(&self) {
        self.wake();
    }

    /// The end of the log, durable or not.
    fn head(&self) -> Head;

    /// The timestamp up to which records may be answered.
    fn durable(&self) -> Timestamp;

    /// Calls `f` for every later event, from the sync thread, in order. `f` must be short; it may append.
    fn on_durable(&self, f: DurableCallback);

    /// Waits until every record that was appended before is on disk, and returns a place that the log will never
    /// end below again: a checkpoint stores it, and hands it to the log's recovery. In `relaxed` mode this is more
    /// than `durable` says.
    fn sync(&self) -> Result<LogPosition, LogError>;

    /// The durable records with a timestamp above `after`.
    fn tail(&self, after: Timestamp) -> Result<Tail<'_>, LogError>;

    /// Gives up records at or below `through`. They may stay for a while.
    fn trim(&self, through: Timestamp) -> Result<(), LogError>;

    /// Sizes and counters.
    fn stats(&self) -> LogStats;

    /// A number that tells this log from any other; zero where there is no such number.
    fn id(&self) -> u64 {
        0
    }
}

/// Sizes and counters of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogStats {
    /// The bytes of groups that are kept.
    pub kept_bytes: u64,
    /// How many segments hold them.
    pub segments: u64,
    /// How many groups were written since the log was opened.
    pub groups: u64,
    /// How many records were appended since the log was opened.
    pub records: u64,
    /// How often the log was synced since it was opened.
    pub syncs: u64,
    /// How long the last write and sync took.
    pub last_sync_micros: u64,
    /// Whether appends are refused because the disk is full.
    pub disk_full: bool,
}

/// Why a record was not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The log does not end where the caller thinks; or the timestamp is not above the head's.
    #[error("the commit log has moved on to record {}", .0.sequence)]
    HeadMoved(Head),
    /// The log has failed; only a restart helps.
    #[error("the commit log has failed: {0}")]
    Failed(String),
    /// There is no space for another segment. Appends go on once there is.
    #[error("the disk is full: no space for the commit log")]
    DiskFull,
}

impl AppendError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            AppendError::HeadMoved(_) => "HeadMoved",
            AppendError::Failed(_) => "LogFailed",
            AppendError::DiskFull => "DiskFull",
        }
    }
}

/// Why the log could not be opened, read or trimmed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operating system refused.
    #[error("commit log: {action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Records that were durable cannot be read any more.
    #[error(
        "commit log: damaged at offset {offset}, in {file}: {detail}; `hull restore` makes a new data directory from the last backup"
    )]
    Damaged {
        /// Where in the log.
        offset: u64,
        /// The file.
        file: String,
        /// What was found.
        detail: String,
    },
    /// The log begins later than the records that were asked for.
    #[error("commit log: records after {} were asked for, those up to {} are trimmed", after.0, start.0)]
    Trimmed {
        /// What was asked for.
        after: Timestamp,
        /// Where the log begins.
        start: Timestamp,
    },
    /// A newer version of the program wrote the log.
    #[error(
        "commit log: {file} has format {found}, this program knows formats up to {known}; use a newer program"
    )]
    NewerFormat {
        /// The file.
        file: String,
        /// Its format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The disk has no space for a segment.
    #[error("commit log: the disk is full")]
    DiskFull,
    /// The log has failed.
    #[error("the commit log has failed: {0}")]
    Failed(String),
}

impl LogError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            LogError::Io { .. } => "LogIo",
            LogError::Damaged { .. } => "LogDamaged",
            LogError::Trimmed { .. } => "LogTrimmed",
            LogError::NewerFormat { .. } => "LogNewerFormat",
            LogError::DiskFull => "DiskFull",
            LogError::Failed(_) => "LogFailed",
        }
    }
}
