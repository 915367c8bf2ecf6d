//! Checkpoints: writing what storage lacks, batch by batch, up to one timestamp C.
//!
//! C is durable and no newer than any registered snapshot. The first batch names the C it is bound for, the last one
//! records that it was reached; each batch is synced, and the log has been synced through C before. So storage never holds
//! anything newer than a registered snapshot, a crash in the middle is repaired by replaying the log from the C before,
//! and a log that ends below a named C is damage.
//!
//! The row under `checkpoint` in [`Keyspace::META`]: three numbers of 8 bytes, little endian: the C that is named, the
//! log position that the log never ends below, the C that was reached. The row under `backup`: the timestamp of the last
//! backup that was recorded, 8 bytes, little endian.

use std::sync::atomic::Ordering;

use hull_value::Timestamp;

use crate::engine::{Engine, Inner};
use crate::key::{Keyspace, storage_key};
use crate::log::LogPosition;
use crate::overlay::Dirty;
use crate::residency::ResidencyWork;
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
    /// Bytes of `storing_bytes` for each key of `work`.
    share: u64,
    still_dirty: Vec<Dirty>,
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
        let mut batch = Batch::new();
        let first = checkpoints.row.bound != ts;
        if first {
            CheckpointRow { reached: checkpoints.row.reached, ..running.row }.put(&mut batch);
        }
        let mut written = Vec::new();
        while let Some(dirty) = running.work.pop() {
            let Some(value) = dirty.store.to_store(dirty.keyspace, &dirty.key, running.row.reached, ts)
            else {
                written.push(dirty);
                continue;
            };
            // The key, the row above and the row below.
            let size = dirty.key.len() + value.as_ref().map_or(0, Vec::len) + 128;
            if written.len() + 3 > crate::storage::MAX_BATCH_KEYS
                || !batch.has_room(size) && batch.len() > usize::from(first)
            {
                running.work.push(dirty);
                break;
            }
            let stored = storage_key(dirty.keyspace, &dirty.key);
            match value {
                Some(value) => batch.put(stored, value),
                None => batch.delete(stored),
            }
            written.push(dirty);
        }
        let last = running.work.is_empty() && (batch.is_empty() || batch.has_room(128));
        if last {
            CheckpointRow { reached: ts, ..running.row }.put(&mut batch);
        }
        if let Err(error) = self.store_undo(&batch, ts).and_then(|()| self.write(batch)) {
            // What reached storage is repeated; the overlay hides it until then.
            running.work.extend(written);
            checkpoints.running = Some(running);
            checkpoints.row.bound = Timestamp(0);
            return Err(error);
        }
        checkpoints.row.bound = ts;
        {
            let mut state = self.commit.lock();
            state.storing_bytes = state.storing_bytes.saturating_sub(running.share * written.len() as u64);
            self.dirty_bytes.store(state.unstored(), Ordering::Relaxed);
        }
        for dirty in written {
            if dirty.store.stored(dirty.keyspace, &dirty.key, ts) {
                running.still_dirty.push(dirty);
            }
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
        self.trim_floor.store(self.snapshots.floor().0, Ordering::Release);
        self.checkpoint_ts.store(ts.0, Ordering::Release);
        self.checkpoints_done.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.log.trim(self.log_floor(ts)) {
            tracing::warn!(%error, "the log was not trimmed");
        }
        Ok(CheckpointStep::Done)
    }

    /// Applies and syncs a batch. After a failure the store is opened again, and the batch must be repeated.
    pub(crate) fn write(&self, batch: Batch) -> Result<(), StorageError> {
        self.write_unsynced(batch)?;
        self.storage.sync().inspect_err(|error| self.note_failed_write(error))
    }

    /// Applies a batch that may be lost in a crash.
    pub(crate) fn write_unsynced(&self, batch: Batch) -> Result<(), StorageError> {
        if self.storage_failed.load(Ordering::Acquire) {
            self.storage.reopen()?;
            self.storage_failed.store(false, Ordering::Release);
        }
        self.storage.apply(batch).inspect_err(|error| self.note_failed_write(error))
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
        // Neighbours share pages of the tree. The batches take from the end.
        work.sort_unstable_by(|a, b| (b.keyspace, &b.key).cmp(&(a.keyspace, &a.key)));
        let row = CheckpointRow { bound: ts, position, reached: last.reached };
        let share = self.storing_share(work.len());
        Some(Running { row, work, share, still_dirty: Vec::new() })
    }

    fn storing_share(&self, keys: usize) -> u64 {
        self.commit.lock().storing_bytes / keys.max(1) as u64
    }

    /// Whether a checkpoint is under way.
    pub(crate) fn is_checkpointing(&self) -> bool {
        self.checkpoints.lock().running.is_some()
    }
}
