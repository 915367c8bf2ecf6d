//! Snapshots, optimistic transactions, indexes and the commit log over sled.
//!
//! Everything that can be read is a key range in one ordered keyspace. A read leaves the ranges it covered (the
//! [`ReadSet`]), a write leaves the keys it changed (the [`CommitKeys`]), and their overlap, checked in one place, means a
//! conflict, a live query to run again, or a stale result.
//!
//! ```text
//! Engine ── begin ──► Transaction ── get, scan, insert, patch, replace, delete ──► commit ──► Committed
//!    │                                                                                │
//!    └── on_group: what became durable, in order ◄── CommitLog ◄──────────────────────┘
//! ```
//! All calls block and none needs a runtime. Reads of resident tables are walks of maps in memory; others read storage.

mod backfill;
mod backup;
mod catalog;
mod checkpoint;
mod clock;
mod commit;
mod count;
mod counters;
mod directory;
mod document;
mod edit;
mod engine;
mod error;
mod fields;
mod fold;
mod held;
mod hold;
mod import;
mod key;
mod limits;
mod line;
pub mod log;
mod maintenance;
mod metrics;
mod options;
mod overlap;
mod overlay;
mod read_set;
mod rebuild;
mod record;
mod replay;
mod residency;
mod rows;
mod scan;
mod schema_change;
mod search;
mod slot;
mod snapshot;
mod stamp;
pub mod storage;
mod transaction;
mod undo;
mod verify;
mod within;
mod writes;

pub use backup::{BACKUP_FORMAT, Backup, BackupError, BackupInfo, verify_backup, write_backup};
pub use catalog::{BY_CREATION_TIME, BY_ID};
pub use checkpoint::CheckpointStep;
pub use clock::{Clock, ManualClock, SystemClock};
pub use commit::Committed;
pub use counters::{Number, RankedGroup};
pub use directory::{DIRECTORY_FORMAT, DirOptions, WrapStorage};
pub use document::Document;
pub use engine::{Engine, EngineWatch, Group, GroupCallback, ReadAt};
pub use error::{BeginError, CommitError, HoldError, OpenError, RebuildError, SchemaChangeError, TxError};
pub use fields::{FieldMask, Projection};
pub use held::{HeldDocuments, HeldKeys};
pub use hold::{HeldTable, Hold};
pub use hull_model::{Amount, KeyRange};
pub use import::{
    Import, ImportError, ImportMode, ImportOptions, ImportRow, ImportTable, Imported, ImportedTable, Pushed,
    RefusedRow,
};
pub use key::{Key, Keyspace};
pub use limits::{FIRST_TABLE_NUMBER, Limits, MAX_DOCUMENT_NESTING, MAX_DOCUMENT_SIZE, MAX_TABLES, Usage};
pub use line::{Clearance, Place};
pub use metrics::EngineMetrics;
pub use options::Options;
pub use overlap::{CommitKeys, ConflictKey, IntervalIndex};
pub use read_set::{End, Interval, ReadSet};
pub use rebuild::{RebuildProgress, RebuildSource, Rebuilt, compact, rebuild, restore};
pub use scan::{Distinct, Order, Scan, Stretch, SystemScan, Union};
pub use schema_change::Progress;
pub use search::{Search, SearchHit, SearchRequest, highlight};
pub use transaction::Transaction;
pub use verify::{Finding, VerifiedIndex, VerifiedTable, VerifyProgress, VerifyReport};
pub use within::Within;
pub use writes::Savepoint;
