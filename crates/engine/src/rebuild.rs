//! Rebuilding: a new store from a backup file and the log, from the log alone, or from the old store; and a new data
//! directory from a backup file.
//!
//! Guarantees: the log is never changed, and a rebuilt store holds everything that the log holds. The new store is complete
//! and synced before it takes the place of the old one, which is moved aside; a crash at any moment leaves a directory
//! that opens with the one or the other. Nothing is written from a backup that was not verified to its end.
//!
//! A record of the log is absolute, so it is applied to the new store as it is, in bounded memory. Only the blocks of
//! search indexes are made at checkpoints alone: where the log goes on with a table, its search indexes are emptied, and
//! filled from the documents by the next [`Engine::apply_schema`](crate::Engine::apply_schema).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hull_value::{TableNumber, Timestamp};
use rand::Rng;

use crate::backup::{BackupInfo, BackupReader};
use crate::catalog::{Catalog, CatalogChanges, keyspaces, row};
use crate::checkpoint::{CheckpointRow, NOTED_BACKUP};
use crate::directory::{check_format, finish_swap, lock, swap_in};
use crate::document::Document;
use crate::error::RebuildError;
use crate::key::{Keyspace, key, storage_end, storage_key};
use crate::log::{CommitLog, LogPosition, RealDisk, SegmentLog, SegmentLogOptions};
use crate::overlay::Residency;
use crate::record;
use crate::storage::{
    Batch, Entry, MAX_BATCH_BYTES, MAX_BATCH_KEYS, SledOptions, SledStorage, Storage, StorageError,
};

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildProgress {
    /// The backup is read through.
    Verifying {
        /// Bytes of the file so far.
        bytes: u64,
    },
    /// The new store is filled.
    Storing {
        /// Keys so far.
        keys: u64,
    },
    /// The log is applied to it.
    Replaying {
        /// Records so far.
        records: u64,
    },
}

/// What a store was rebuilt from, beside the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildSource {
    /// The backup of this snapshot.
    Backup(Timestamp),
    /// Nothing: the log reaches back to the beginning.
    Log,
    /// The old store, which was whole.
    Store,
}

/// What a rebuild did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// From what.
    pub source: RebuildSource,
    /// The state of the new store: that at the end of the log.
    pub ts: Timestamp,
    /// Keys that came from the source.
    pub keys: u64,
    /// Records of the log that were applied to them.
    pub records: u64,
    /// Tables and their search indexes that the next start fills.
    pub unfilled: Vec<(String, String)>,
    /// Bytes that the old store took on disk.
    pub bytes_before: u64,
    /// Bytes that the new store takes on disk.
    pub bytes_after: u64,
    /// Where the old store is now; nobody needs it any more.
    pub moved_aside: Option<PathBuf>,
}

/// Called with the progress of a rebuild.
type Tell<'a> = &'a mut dyn FnMut(RebuildProgress);

/// Makes a new store for the data directory `directory`, which no server may have open: from the backup file `backup` and the
/// log; without one from the log, where that reaches back to the beginning, or else from the old store where that is whole.
pub fn rebuild(directory: &Path, backup: Option<&Path>, progress: Tell<'_>) -> Result<Rebuilt, RebuildError> {
    let rebuild = Rebuild::begin(directory)?;
    match backup {
        Some(backup) => rebuild.with_backup(backup, progress),
        None if rebuild.log_begins()? == (0, Timestamp(0)) => rebuild.with_log(progress),
        None => rebuild.with_store(progress),
    }
}

/// Makes a new store for the data directory `directory`, which no server may have open, from the old one and the log: it
/// takes the disk space that its data needs, and no more.
pub fn compact(directory: &Path, progress: Tell<'_>) -> Result<Rebuilt, RebuildError> {
    Rebuild::begin(directory)?.with_store(progress)
}

/// Makes the data directory `directory`, which must be missing or empty, from a backup file.
pub fn restore(backup: &Path, directory: &Path, progress: Tell<'_>) -> Result<BackupInfo, RebuildError> {
    if fs::read_dir(directory).is_ok_and(|mut files| files.next().is_some()) {
        return Err(RebuildError::NotEmpty { directory: directory.display().to_string() });
    }
    let info = verify(backup, progress)?.0;
    fs::create_dir_all(directory).map_err(|e| RebuildError::io(directory, e))?;
    let _lock = lock(directory)?;
    let restored = (|| {
        let mut new = Filling::begin(directory)?;
        new.fill_from_backup(backup, progress)?;
        let options =
            SegmentLogOptions { new_log_start: info.ts, ..log_options(Timestamp(0), LogPosition(0)) };
        drop(open_log(directory, options)?);
        new.finish(info.ts, LogPosition(0))?;
        check_format(directory)?;
        swap_in(directory)?;
        Ok(info)
    })();
    if restored.is_err() {
        // The directory was empty.
        for name in ["store.new", "log"] {
            let _ = fs::remove_dir_all(directory.join(name));
        }
        let _ = fs::remove_file(directory.join("format"));
        let _ = fs::remove_file(directory.join("lock"));
    }
    restored
}

fn verify(backup: &Path, progress: Tell<'_>) -> Result<(BackupInfo, u64, LogPosition), RebuildError> {
    let mut file = open_backup(backup)?;
    let mut reader = BackupReader::open(&mut file)?;
    while reader.next_block()?.is_some() {
        progress(RebuildProgress::Verifying { bytes: reader.info.bytes });
    }
    Ok((reader.info, reader.log_id, reader.position))
}

fn open_backup(backup: &Path) -> Result<std::io::BufReader<File>, RebuildError> {
    Ok(std::io::BufReader::new(File::open(backup).map_err(|e| RebuildError::io(backup, e))?))
}

fn log_options(checkpoint: Timestamp, must_reach: LogPosition) -> SegmentLogOptions {
    SegmentLogOptions {
        must_reach,
        checkpoint,
        new_log_id: rand::make_rng::<rand::rngs::SmallRng>().next_u64(),
        ..SegmentLogOptions::default()
    }
}

fn open_log(directory: &Path, options: SegmentLogOptions) -> Result<SegmentLog, RebuildError> {
    let path = directory.join("log");
    let disk = RealDisk::open(&path).map_err(|e| RebuildError::io(&path, e))?;
    Ok(SegmentLog::open(Arc::new(disk), options)?)
}

/// A rebuild of a data directory, which is locked meanwhile.
struct Rebuild<'a> {
    directory: &'a Path,
    _lock: crate::directory::DirectoryLock,
}

impl<'a> Rebuild<'a> {
    fn begin(directory: &'a Path) -> Result<Self, RebuildError> {
        if !directory.join("format").exists() {
            return Err(RebuildError::NoDirectory { directory: directory.display().to_string() });
        }
        let lock = lock(directory)?;
        check_format(directory)?;
        finish_swap(directory)?;
        Ok(Self { directory, _lock: lock })
    }

    /// The log, which must be there.
    fn log(&self, checkpoint: Timestamp, must_reach: LogPosition) -> Result<SegmentLog, RebuildError> {
        let path = self.directory.join("log");
        let segments = fs::read_dir(&path).into_iter().flatten().flatten();
        if !segments.into_iter().any(|file| file.path().extension().is_some_and(|kind| kind == "log")) {
            return Err(RebuildError::NoLog { directory: path.display().to_string() });
        }
        open_log(self.directory, log_options(checkpoint, must_reach))
    }

    /// Where the log begins; only its last segment is read.
    fn log_begins(&self) -> Result<(u64, Timestamp), RebuildError> {
        Ok(self.log(Timestamp(u64::MAX), LogPosition(0))?.begins())
    }

    fn with_backup(&self, backup: &Path, progress: Tell<'_>) -> Result<Rebuilt, RebuildError> {
        let (info, log_id, position) = verify(backup, progress)?;
        let log = self.log(info.ts, LogPosition(0))?;
        // A restored directory has a log of its own, which begins where the backup ends.
        let restored = log.begins() == (0, info.ts);
        if log.id() != log_id && !restored {
            return Err(RebuildError::ForeignBackup { backup: backup.display().to_string() });
        }
        if !restored && log.begins().1 > info.ts {
            return Err(RebuildError::Gap { backup: info.ts, log: log.begins().1 });
        }
        if !restored && log.sync()? < position || log.head().timestamp < info.ts {
            let detail =
                "the log ends before the backup was taken; restore the backup into an empty directory";
            return Err(RebuildError::Damaged(detail.into()));
        }
        let mut new = Filling::begin(self.directory)?;
        new.fill_from_backup(backup, progress)?;
        new.put(storage_key(Keyspace::META, NOTED_BACKUP), Some(info.ts.0.to_le_bytes().to_vec()))?;
        self.finish(new, &log, RebuildSource::Backup(info.ts), info.ts, progress)
    }

    fn with_log(&self, progress: Tell<'_>) -> Result<Rebuilt, RebuildError> {
        let log = self.log(Timestamp(0), LogPosition(0))?;
        let new = Filling::begin(self.directory)?;
        self.finish(new, &log, RebuildSource::Log, Timestamp(0), progress)
    }

    fn with_store(&self, progress: Tell<'_>) -> Result<Rebuilt, RebuildError> {
        let begins = self.log_begins()?.1;
        let damaged =
            |error: StorageError| RebuildError::Unrecoverable { log: begins, detail: error.to_string() };
        let path = self.directory.join("store");
        let old = if path.exists() {
            SledStorage::open(&path, SledOptions::default()).map_err(damaged)?
        } else {
            let detail = format!("{} is missing", path.display());
            return Err(RebuildError::Unrecoverable { log: begins, detail });
        };
        let row = CheckpointRow::load(&old).map_err(damaged)?;
        if row.reached < begins {
            // A store whose files are gone looks like a new one.
            let detail = "the store knows of no checkpoint that the log goes on from".into();
            return Err(RebuildError::Unrecoverable { log: begins, detail });
        }
        let log = self.log(row.reached, row.position)?;
        if log.head().timestamp < row.bound {
            let detail = "the log ends before the store's last checkpoint".into();
            return Err(RebuildError::Unrecoverable { log: begins, detail });
        }
        let mut new = Filling::begin(self.directory)?;
        let ranges = [
            (storage_key(Keyspace::CATALOG, b""), Some(storage_key(Keyspace::UNDO, b""))),
            (storage_end(Keyspace::UNDO), None),
        ];
        for (mut from, end) in ranges {
            loop {
                let chunk = old.range(&from, end.as_deref(), false, MAX_BATCH_KEYS, MAX_BATCH_BYTES);
                let chunk = chunk.map_err(damaged)?;
                let last =
                    chunk.entries.last().filter(|_| chunk.more).map(|(last, _)| [last, &[0][..]].concat());
                new.store(chunk.entries, progress)?;
                match last {
                    Some(next) => from = next,
                    None => break,
                }
            }
        }
        let backup = CheckpointRow::load_backup(&old).map_err(damaged)?;
        if backup > Timestamp(0) {
            new.put(storage_key(Keyspace::META, NOTED_BACKUP), Some(backup.0.to_le_bytes().to_vec()))?;
        }
        drop(old);
        self.finish(new, &log, RebuildSource::Store, row.reached, progress)
    }

    /// Applies the log after `from` and puts the new store in place.
    fn finish(
        &self,
        mut new: Filling,
        log: &SegmentLog,
        source: RebuildSource,
        from: Timestamp,
        progress: Tell<'_>,
    ) -> Result<Rebuilt, RebuildError> {
        let keys = new.keys;
        let mut records = 0;
        let mut written = BTreeSet::new();
        for entry in log.tail(from)? {
            let (ts, bytes) = entry?;
            let damaged =
                |detail: String| RebuildError::Damaged(format!("the log record at {}: {detail}", ts.0));
            for write in record::decode(&bytes).map_err(damaged)? {
                written.insert(write.keyspace);
                let stored = storage_key(write.keyspace, &write.key);
                match write.new {
                    Some(Some(value)) if !write.filled => {
                        new.put(stored, Some([&ts.0.to_le_bytes(), value.bytes()].concat()))?;
                    }
                    Some(None) => new.put(stored, None)?,
                    _ => {}
                }
                for (keyspace, k) in write.lost {
                    new.put(storage_key(keyspace, &k), None)?;
                }
                for (keyspace, k) in write.gained {
                    new.put(storage_key(keyspace, &k), Some(Vec::new()))?;
                }
            }
            records += 1;
            if records % 1000 == 0 {
                progress(RebuildProgress::Replaying { records });
            }
        }
        progress(RebuildProgress::Replaying { records });
        new.remove_strays()?;
        let unfilled = new.empty_searches(&written)?;
        let (ts, position) = (log.head().timestamp, log.sync()?);
        new.finish(ts, position)?;
        let bytes_before = size_of(&self.directory.join("store"));
        let moved_aside = swap_in(self.directory)?;
        let bytes_after = size_of(&self.directory.join("store"));
        Ok(Rebuilt { source, ts, keys, records, unfilled, bytes_before, bytes_after, moved_aside })
    }
}

/// A new store while it is filled.
struct Filling {
    path: PathBuf,
    storage: SledStorage,
    batch: Batch,
    keys: u64,
}

impl Filling {
    fn begin(directory: &Path) -> Result<Self, RebuildError> {
        let path = directory.join("store.new");
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|e| RebuildError::io(&path, e))?;
        }
        let storage = SledStorage::open(&path, SledOptions::default())?;
        Ok(Self { path, storage, batch: Batch::new(), keys: 0 })
    }

    fn put(&mut self, k: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), StorageError> {
        if !self.batch.has_room(k.len() + value.as_ref().map_or(0, Vec::len)) {
            self.flush()?;
        }
        match value {
            Some(value) => self.batch.put(k, value),
            None => self.batch.delete(k),
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        self.storage.apply(std::mem::take(&mut self.batch))?;
        self.storage.sync()
    }

    fn store(&mut self, entries: Vec<Entry>, progress: Tell<'_>) -> Result<(), StorageError> {
        self.keys += entries.len() as u64;
        for (k, value) in entries {
            self.put(k, Some(value))?;
        }
        progress(RebuildProgress::Storing { keys: self.keys });
        Ok(())
    }

    fn fill_from_backup(&mut self, backup: &Path, progress: Tell<'_>) -> Result<(), RebuildError> {
        let mut file = open_backup(backup)?;
        let mut reader = BackupReader::open(&mut file)?;
        while let Some(entries) = reader.next_block()? {
            self.store(entries, progress)?;
        }
        Ok(())
    }

    /// Removes the keys of what was dropped and cleaned up since the source was taken: the log does not name them.
    fn remove_strays(&mut self) -> Result<(), RebuildError> {
        self.flush()?;
        let known = known_keyspaces(&stored_catalog(&self.storage)?);
        let mut from = storage_key(Keyspace::FIRST_USER, b"");
        loop {
            let chunk = self.storage.range(&from, None, false, 1, 0)?;
            let Some(keyspace) = chunk.entries.first().and_then(|(k, _)| stored_keyspace(k)) else {
                return Ok(());
            };
            if !known.contains(&keyspace) {
                self.empty(keyspace)?;
            }
            from = storage_end(keyspace);
        }
    }

    /// Removes all keys of a keyspace.
    fn empty(&mut self, keyspace: Keyspace) -> Result<(), StorageError> {
        let (start, end) = (storage_key(keyspace, b""), storage_end(keyspace));
        loop {
            let chunk = self.storage.range(&start, Some(&end), false, MAX_BATCH_KEYS, MAX_BATCH_BYTES)?;
            if chunk.entries.is_empty() {
                return Ok(());
            }
            for (k, _) in chunk.entries {
                self.put(k, None)?;
            }
            self.flush()?;
        }
    }

    /// Empties the search indexes of the tables whose documents are in one of these keyspaces, and marks them to be
    /// filled; returns the names of tables and indexes.
    fn empty_searches(&mut self, by_id: &BTreeSet<Keyspace>) -> Result<Vec<(String, String)>, RebuildError> {
        let mut emptied = Vec::new();
        let catalog = stored_catalog(&self.storage)?;
        for table in catalog.tables().filter(|t| !t.searches.is_empty() && by_id.contains(&t.by_id)) {
            let mut changed = table.row.clone();
            for search in &mut changed.searches {
                self.empty(Keyspace(search.keyspace))?;
                search.backfill = Some(Vec::new());
                emptied.extend(search.names.first().map(|name| (table.name.clone(), name.clone())));
            }
            let stored_key = storage_key(Keyspace::CATALOG, &table.row_key);
            let ts = self.storage.get(&stored_key)?.and_then(|stored| stored.first_chunk::<8>().copied());
            let changed = row(&changed).map_err(|error| RebuildError::Damaged(error.to_string()))?;
            self.put(stored_key, Some([&ts.unwrap_or_default(), changed.bytes()].concat()))?;
        }
        self.flush()?;
        Ok(emptied)
    }

    /// Records that the store is the state at `ts`, and closes it, durably.
    fn finish(mut self, ts: Timestamp, position: LogPosition) -> Result<(), RebuildError> {
        self.flush()?;
        CheckpointRow { bound: ts, position, reached: ts }.put(&mut self.batch);
        self.flush()?;
        drop(self.storage);
        // It is opened once more: proof that it can be, and sled's threads are done with it then.
        drop(SledStorage::open(&self.path, SledOptions::default())?);
        let sync = || -> std::io::Result<()> {
            for file in fs::read_dir(&self.path)? {
                File::open(file?.path())?.sync_all()?;
            }
            File::open(&self.path)?.sync_all()
        };
        sync().map_err(|e| RebuildError::io(&self.path, e))
    }
}

/// The keyspace of a storage key.
pub(crate) fn stored_keyspace(k: &[u8]) -> Option<Keyspace> {
    let number = u32::from_be_bytes(*k.first_chunk::<4>()?);
    let first = u32::from_be_bytes(*storage_key(Keyspace(0), b"").first_chunk::<4>()?);
    number.checked_sub(first).map(Keyspace)
}

/// The keyspaces of all tables and of what is dropped and not cleaned up yet.
pub(crate) fn known_keyspaces(catalog: &Catalog) -> BTreeSet<Keyspace> {
    let tables = catalog.tables().chain(catalog.hidden()).flat_map(|table| keyspaces(&table.row));
    tables.chain(catalog.dropped.iter().copied()).map(Keyspace).collect()
}

fn stored_catalog(storage: &dyn Storage) -> Result<Catalog, RebuildError> {
    let damaged = |error: crate::error::TxError| RebuildError::Damaged(error.to_string());
    let (mut from, end) = (storage_key(Keyspace::CATALOG, b""), storage_end(Keyspace::CATALOG));
    let mut changes: CatalogChanges = Vec::new();
    loop {
        let chunk = storage.range(&from, Some(&end), false, MAX_BATCH_KEYS, MAX_BATCH_BYTES)?;
        let next = chunk.entries.last().filter(|_| chunk.more).map(|(last, _)| [last, &[0][..]].concat());
        for (stored_key, stored) in chunk.entries {
            let k = key(stored_key.get(4..).unwrap_or_default());
            let (_, row) = Document::from_storage(TableNumber(0), &k, &stored).map_err(damaged)?;
            changes.push((k, Some(row)));
        }
        match next {
            Some(next) => from = next,
            None => return Catalog::default().with(&changes, Residency::Partial).map_err(damaged),
        }
    }
}

fn size_of(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    files
        .map(|file| match file.metadata() {
            Ok(found) if found.is_dir() => size_of(&file.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}
