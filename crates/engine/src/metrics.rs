//! Figures about a running engine.

use hull_value::Timestamp;

/// Figures about a running engine, for `/metrics` and for tests.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EngineMetrics {
    /// The newest commit.
    pub ordered: Timestamp,
    /// The newest commit that is synced.
    pub durable: Timestamp,
    /// The checkpoint that storage is known to hold.
    pub checkpoint: Timestamp,
    /// The oldest timestamp that can be read.
    pub history_start: Timestamp,
    /// Commits since start.
    pub commits: u64,
    /// Conflicts since start.
    pub conflicts: u64,
    /// Checkpoints since start.
    pub checkpoints: u64,
    /// Storage write failures since start.
    pub storage_failures: u64,
    /// Bytes of documents and index entries held in memory.
    pub overlay_bytes: u64,
    /// Bytes in memory of what storage does not hold yet.
    pub dirty_bytes: u64,
    /// Bytes of superseded versions and commit keys kept as history.
    pub history_bytes: u64,
    /// Tables held whole in memory.
    pub resident_tables: u64,
    /// Tables.
    pub tables: u64,
    /// Bytes of the storage files on disk.
    pub storage_bytes: u64,
    /// Bytes of the newest versions of all documents and index entries, estimated.
    pub live_bytes: u64,
    /// Bytes of the log on disk.
    pub log_bytes: u64,
    /// Segments of the log on disk: those since the last checkpoint, the last backup and the oldest held snapshot.
    pub log_segments: u64,
    /// The timestamp of the last backup that was recorded; zero when there is none.
    pub last_backup: Timestamp,
    /// Snapshots that are held for long reads.
    pub holds: u64,
    /// Counters of indexes that do not know every row yet, and tables that are still being counted.
    pub counters_building: u64,
    /// Syncs of the log since start.
    pub log_syncs: u64,
    /// Snapshots that are registered.
    pub snapshots: u64,
}
