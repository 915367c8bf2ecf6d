//! Checkpoints: writing what storage lacks, batch by batch, up to one timestamp C.
//!
//! C is durable and no newer than any registered snapshot. The first batch names the C it is bound for, the last one
//! records that it was reached, and the log has been synced through C before. A few batches share a sync: storage keeps a
//! prefix of them in a crash, and the overlay keeps them until they are synced. So storage never holds anything newer than
//! a registered snapshot, a crash in the middle is repaired by replaying the log from the C before, and a log that ends
//! below a named C is damage.
//!
//! The row under `checkpoint` in [`Keyspace::META`]: three numbers of 8 bytes, little endian: the C that is named, the
//! log position that the log never ends below, the C that was reached. The row under `backup`: the timestamp of the last
//! backup that was recorded, 8 bytes, little endian.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hull_value::Timestamp;

use crate::engine::{Engine, Inner};
use crate::key::{Keyspace, storage_key};
use crate::log::LogPosition;
use crate::overlay::Dirty;
use crate::residency::ResidencyWork;
use crate::search::Folding;
use crate::storage::{Batch, Storage, StorageError};

/// The name of the row in [`Keyspace::META`] that records the last backup.
pub(crate) const NOTED_BACKUP: &[u8] = b"backup";

/// What storage says about checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckpointRow {
    pub(crate) bound: Timestamp,
    pub(crate) position: LogPosition,
    pub(crate) reached: Timestamp,
}

impl CheckpointRow {
    fn key() -> Vec<u8> {
        storage_key(Keyspace::META, b"checkpoint")
    }

    /// Reads the row; all zero when there was no checkpoint.
    pub(crate) fn load(storage: &dyn Storage) -> Result<Self, StorageError> {
        let Some(row) = storage.get(&Self::key())? else { return Ok(Self::default()) };
        let number = |i: usize| {
            row.get(i * 8..i * 8 + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
        };
        Ok(Self {
            bound: Timestamp(number(0)),
            position: LogPosition(number(1)),
            reached: Timestamp(number(2)),
        })
    }

    /// The timestamp of the last backup that was recorded; zero when there is none.
    pub(crate) fn load_backup(storage: &dyn Storage) -> Result<Timestamp, StorageError> {
        let row = storage.get(&storage_key(Keyspace::META, NOTED_BACKUP))?;
        Ok(Timestamp(row.and_then(|row| row.try_into().ok()).map_or(0, u64::from_le_bytes)))
    }

    pub(crate) fn put(self, batch: &mut Batch) {
        let numbers = [self.bound.0, self.position.0, self.reached.0];
        batch.put(Self::key(), numbers.iter().flat_map(|n| n.to_le_bytes()).collect());
    }
}

/// The checkpoint under way, and what else reads and writes storage in the background.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    pub(crate) row: CheckpointRow,
    running: Option<Running>,
    pub(crate) residency: ResidencyWork,
}

#[derive(Debug)]
struct Running {
    row: CheckpointRow,
    work: Vec<Dirty>,
    /// What comes after `work`.
    folding: Folding,
    /// Bytes of `storing_bytes` for each key of `work`.
    share: u64,
    /// What was written, or needs no writing, since the last sync; and its bytes and batches.
    unsynced: Vec<Dirty>,
    unsynced_bytes: usize,
    unsynced_batches: usize,
    /// The writes of storage that had failed by the last sync: after one more the batches since are lost.
    failures: u64,
    still_dirty: Vec<Dirty>,
}

/// The batches and the bytes after which storage is synced.
const SYNC_BATCHES: usize = 8;
const SYNC_BYTES: usize = 1 << 20;
/// The keys that are handled while a table is locked.
const KEYS_AT_ONCE: usize = 64;

impl Running {
    /// Writes everything since the last sync again.
    fn repeat(&mut self, failures: u64) {
        self.work.append(&mut self.unsynced);
        self.folding.repeat();
        (self.unsynced_bytes, self.unsynced_batches) = (0, 0);
        self.failures = failures;
    }

    /// Moves what one batch has room for to it.
    fn fill(&mut self, batch: &mut Batch) {
        let (reached, ts) = (self.row.reached, self.row.bound);
        let first = batch.len();
        while let Some(store) = self.work.last().map(|dirty| dirty.store.clone()) {
            let last = self.work.len().saturating_sub(KEYS_AT_ONCE);
            let other = self.work[last..].iter().rposition(|dirty| !Arc::ptr_eq(&dirty.store, &store));
            let from = other.map_or(last, |other| last + other + 1);
            let (mut taken, mut full) = (0, false);
            store.to_store(&self.work[from..], reached, ts, |dirty, value| {
                if let Some(value) = value {
                    // The key, the row above and the row below.
                    let size = dirty.key.len() + value.as_ref().map_or(0, Vec::len) + 128;
                    full = batch.len() + 2 > crate::storage::MAX_BATCH_KEYS
                        || !batch.has_room(size) && batch.len() > first;
                    if full {
                        return false;
                    }
                    let stored = storage_key(dirty.keyspace, &dirty.key);
                    match value {
                        Some(value) => batch.put(stored, value),
                        None => batch.delete(stored),
                    }
                }
                taken += 1;
                true
            });
            self.unsynced.extend(self.work.drain(self.work.len() - taken..));
            if full {
                return;
            }
        }
    }
}

/// How far a step of a checkpoint came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointStep {
    /// There is nothing to write.
    Idle,
    /// A batch was written, and there are more.
    More,
    /// The checkpoint is complete.
    Done,
}

impl Engine {
    /// Takes a whole checkpoint, up to what is durable and no snapshot needs the history of.
    pub fn checkpoint(&self) -> Result<(), StorageError> {
        while self.checkpoint_step()? == CheckpointStep::More {}
        Ok(())
    }

    /// Writes one batch of a checkpoint, beginning one when none is under way.
    pub fn checkpoint_step(&self) -> Result<CheckpointStep, StorageError> {
        self.inner.checkpoint_step(self.durable())
    }
}

impl Checkpoints {
    /// What the checkpoint under way is bound for.
    pub(crate) fn bound(&self) -> Option<Timestamp> {
        self.running.as_ref().map(|running| running.row.bound)
    }

    /// Whatever is clean is in storage as of here at the latest.
    pub(crate) fn stored_to(&self) -> Timestamp {
        self.running.as_ref().map_or(self.row.reached, |running| running.row.bound)
    }
}

impl Inner {
    /// Writes one batch. A new checkpoint goes up to `wanted` at most.
    pub(crate) fn checkpoint_step(&self, wanted: Timestamp) -> Result<CheckpointStep, StorageError> {
        let mut guard = self.checkpoints.lock();
        let checkpoints = &mut *guard;
        let mut running = match checkpoints.running.take() {
            Some(running) => running,
            None => match self.begin_checkpoint(checkpoints.row, wanted) {
                Some(running) => running,
                None => return Ok(CheckpointStep::Idle),
            },
        };
        let ts = running.row.bound;
        if let Err(error) = self.reopen_failed() {
            checkpoints.running = Some(running);
            return Err(error);
        }
        let failures = self.storage_failures.load(Ordering::Relaxed);
        if failures != running.failures {
            // Another batch than a checkpoint's has failed.
            running.repeat(failures);
            checkpoints.row.bound = Timestamp(0);
        }
        let mut batch = Batch::new();
        let first = checkpoints.row.bound != ts;
        if first {
            CheckpointRow { reached: checkpoints.row.reached, ..running.row }.put(&mut batch);
        }
        running.fill(&mut batch);
        let fold = running.work.is_empty() && !running.folding.is_done();
        if fold && let Err(error) = running.folding.fill(&*self.storage, running.row.reached, ts, &mut batch)
        {
            running.repeat(failures);
            checkpoints.row.bound = Timestamp(0);
            checkpoints.running = Some(running);
            return Err(error);
        }
        let done = running.work.is_empty() && running.folding.is_done();
        let counts = done.then(|| self.counts_row(ts));
        let room = 128 + counts.as_ref().map_or(0, |(k, row)| k.len() + row.len());
        let keys = batch.len() + 2 <= crate::storage::MAX_BATCH_KEYS;
        let counts = counts.filter(|_| batch.is_empty() || keys && batch.has_room(room));
        let last = counts.is_some();
        if let Some((k, row)) = counts {
            batch.put(k, row);
            CheckpointRow { reached: ts, ..running.row }.put(&mut batch);
        }
        running.unsynced_bytes += batch.bytes();
        running.unsynced_batches += 1;
        let sync = last || running.unsynced_bytes > SYNC_BYTES || running.unsynced_batches >= SYNC_BATCHES;
        if let Err(error) = self.store(batch, ts, sync, fold) {
            // The overlay hides what reached storage until it is repeated.
            running.repeat(self.storage_failures.load(Ordering::Relaxed));
            checkpoints.row.bound = Timestamp(0);
            checkpoints.running = Some(running);
            return Err(error);
        }
        checkpoints.row.bound = ts;
        if sync {
            self.note_stored(&mut running, ts);
        }
        if !last {
            checkpoints.running = Some(running);
            return Ok(CheckpointStep::More);
        }
        checkpoints.row = CheckpointRow { reached: ts, ..running.row };
        {
            let mut state = self.commit.lock();
            state.storing_bytes = 0;
            state.dirty_bytes += running.still_dirty.len() as u64 * 256;
            state.dirty.append(&mut running.still_dirty);
            self.dirty_bytes.store(state.unstored(), Ordering::Relaxed);
        }
        running.folding.settle(ts);
        self.trim_floor.store(self.snapshots.floor().0, Ordering::Release);
        self.checkpoint_ts.store(ts.0, Ordering::Release);
        self.checkpoints_done.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.log.trim(self.log_floor(ts)) {
            tracing::warn!(%error, "the log was not trimmed");
        }
        Ok(CheckpointStep::Done)
    }

    /// The overlay lets go of what was synced.
    fn note_stored(&self, running: &mut Running, ts: Timestamp) {
        {
            let mut state = self.commit.lock();
            let stored = running.share * running.unsynced.len() as u64;
            state.storing_bytes = state.storing_bytes.saturating_sub(stored);
            self.dirty_bytes.store(state.unstored(), Ordering::Relaxed);
        }
        let mut stored = running.unsynced.drain(..).peekable();
        while let Some(store) = stored.peek().map(|dirty| dirty.store.clone()) {
            let keys = std::iter::from_fn(|| stored.next_if(|dirty| Arc::ptr_eq(&dirty.store, &store)));
            store.stored(keys.take(KEYS_AT_ONCE), ts, &mut running.still_dirty);
        }
        drop(stored);
        (running.unsynced_bytes, running.unsynced_batches) = (0, 0);
    }

    /// Applies a batch and syncs if told so. After a failure the store is opened again, and all batches since the last
    /// sync must be repeated.
    pub(crate) fn write(&self, batch: Batch, sync: bool) -> Result<(), StorageError> {
        self.write_unsynced(batch)?;
        if sync { self.sync() } else { Ok(()) }
    }

    /// Applies a batch that may be lost in a crash.
    pub(crate) fn write_unsynced(&self, batch: Batch) -> Result<(), StorageError> {
        self.reopen_failed()?;
        self.apply(batch)
    }

    /// Applies a batch of the checkpoint to `ts`; `fold` says that it may have blocks of search indexes.
    fn store(&self, batch: Batch, ts: Timestamp, sync: bool, fold: bool) -> Result<(), StorageError> {
        self.store_undo(&batch, ts)?;
        let blocks = fold.then(|| self.blocks.write());
        self.apply(batch)?;
        drop(blocks);
        if sync { self.sync() } else { Ok(()) }
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.storage.sync().inspect_err(|error| self.note_failed_write(error))
    }

    fn apply(&self, batch: Batch) -> Result<(), StorageError> {
        self.storage.apply(batch).inspect_err(|error| self.note_failed_write(error))
    }

    /// Opens the store again after a failure. Batches may be gone, so nobody reads blocks meanwhile.
    pub(crate) fn reopen_failed(&self) -> Result<(), StorageError> {
        if self.storage_failed.load(Ordering::Acquire) {
            let _blocks = self.blocks.write();
            self.storage.reopen()?;
            self.storage_failed.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn note_failed_write(&self, error: &StorageError) {
        self.storage_failures.fetch_add(1, Ordering::Relaxed);
        // A full disk is found before anything is written.
        self.storage_failed.store(!matches!(error, StorageError::DiskFull), Ordering::Release);
    }

    /// Begins a checkpoint up to `wanted`, when none is under way; returns what it is bound for.
    pub(crate) fn start_checkpoint(
        &self,
        checkpoints: &mut Checkpoints,
        wanted: Timestamp,
    ) -> Option<Timestamp> {
        checkpoints.running = self.begin_checkpoint(checkpoints.row, wanted);
        checkpoints.bound()
    }

    /// Chooses C and takes over what is to be written.
    fn begin_checkpoint(&self, last: CheckpointRow, wanted: Timestamp) -> Option<Running> {
        let durable = Timestamp(self.durable.load(Ordering::Acquire));
        let ts = self.snapshots.raise_floor(wanted.min(durable));
        if ts <= last.reached {
            return None;
        }
        // A place at or behind C, since C is durable already.
        let position = match self.log.sync() {
            Ok(position) => position,
            Err(error) => {
                tracing::warn!(%error, "no checkpoint while the log cannot be synced");
                return None;
            }
        };
        let mut state = self.commit.lock();
        if state.dirty.is_empty() {
            return None;
        }
        // From here until the end chains keep what is at C.
        self.trim_floor.store(ts.0, Ordering::Release);
        state.storing_bytes = std::mem::take(&mut state.dirty_bytes);
        let mut work = std::mem::take(&mut state.dirty);
        drop(state);
        // Neighbours share pages of the tree, and documents come last, so that each is let go of once. The batches take
        // from the end.
        work.sort_unstable_by(|a, b| {
            let order = |d: &Dirty| (d.is_document(), d.keyspace);
            order(b).cmp(&order(a)).then_with(|| b.key.cmp(&a.key))
        });
        let row = CheckpointRow { bound: ts, position, reached: last.reached };
        let (folding, fold_bytes) = Folding::begin(&self.stores());
        let share = self.storing_share(work.len(), fold_bytes);
        Some(Running {
            row,
            work,
            folding,
            share,
            unsynced: Vec::new(),
            unsynced_bytes: 0,
            unsynced_batches: 0,
            failures: self.storage_failures.load(Ordering::Relaxed),
            still_dirty: Vec::new(),
        })
    }

    /// The bytes of each key, without what is folded after all keys.
    fn storing_share(&self, keys: usize, fold_bytes: u64) -> u64 {
        self.commit.lock().storing_bytes.saturating_sub(fold_bytes) / keys.max(1) as u64
    }

    /// Whether a checkpoint is under way.
    pub(crate) fn is_checkpointing(&self) -> bool {
        self.checkpoints.lock().running.is_some()
    }
}
