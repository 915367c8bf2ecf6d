//! The in-memory twin: a `BTreeMap` that remembers which batches were not synced, so that a test can cut the power.

use std::collections::BTreeMap;
use std::ops::Bound;

use parking_lot::Mutex;

use super::{Batch, Change, Chunk, Storage, StorageError, StorageStats};

/// Storage in memory. A power loss keeps a prefix of the batches that were applied since the last sync.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    now: BTreeMap<Vec<u8>, Vec<u8>>,
    live_bytes: u64,
    /// For each batch since the last sync, what its keys held before, in the order they were changed.
    unsynced: Vec<Vec<Change>>,
    syncs: u64,
}

impl State {
    fn change(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let length = key.len() as u64;
        if let Some(value) = &value {
            self.live_bytes += length + value.len() as u64;
        }
        let old = match value {
            Some(value) => self.now.insert(key, value),
            None => self.now.remove(&key),
        };
        if let Some(old) = &old {
            self.live_bytes -= length + old.len() as u64;
        }
        old
    }
}

impl MemoryStorage {
    /// An empty store.
    pub fn new() -> MemoryStorage {
        MemoryStorage::default()
    }

    /// How many batches a power loss could take back.
    pub fn unsynced(&self) -> usize {
        self.state.lock().unsynced.len()
    }

    /// Cuts the power: of the batches that were applied since the last sync only the first `keep` survive.
    pub fn power_loss(&self, keep: usize) {
        let mut state = self.state.lock();
        while state.unsynced.len() > keep {
            let undo = state.unsynced.pop().unwrap_or_default();
            for (key, old) in undo.into_iter().rev() {
                state.change(key, old);
            }
        }
        state.unsynced.clear();
    }
}

impl Storage for MemoryStorage {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.state.lock().now.get(key).cloned())
    }

    fn range(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        reverse: bool,
        limit_keys: usize,
        limit_bytes: usize,
    ) -> Result<Chunk, StorageError> {
        if end.is_some_and(|end| end <= start) {
            return Ok(Chunk::default());
        }
        let state = self.state.lock();
        let bounds = (Bound::Included(start), end.map_or(Bound::Unbounded, Bound::Excluded));
        let mut entries = state.now.range::<[u8], _>(bounds);
        let mut collector = Collector::new(limit_keys, limit_bytes);
        while let Some((key, value)) = if reverse { entries.next_back() } else { entries.next() } {
            if !collector.has_room(key.len() + value.len()) {
                break;
            }
            collector.push(key.clone(), value.clone());
        }
        Ok(collector.finish())
    }

    fn apply(&self, batch: Batch) -> Result<(), StorageError> {
        batch.debug_check();
        let mut state = self.state.lock();
        let mut undo = Vec::with_capacity(batch.len());
        for (key, value) in batch.into_changes() {
            let old = state.change(key.clone(), value);
            undo.push((key, old));
        }
        state.unsynced.push(undo);
        Ok(())
    }

    fn sync(&self) -> Result<(), StorageError> {
        let mut state = self.state.lock();
        state.unsynced.clear();
        state.syncs += 1;
        Ok(())
    }

    fn reopen(&self) -> Result<(), StorageError> {
        // Half of what may be gone is gone.
        self.power_loss(self.unsynced() / 2);
        Ok(())
    }

    fn stats(&self) -> StorageStats {
        let state = self.state.lock();
        StorageStats {
            disk_bytes: 0,
            live_bytes: state.live_bytes,
            live_keys: state.now.len() as u64,
            syncs: state.syncs,
        }
    }
}

/// Gathers a chunk within its limits.
pub(super) struct Collector {
    chunk: Chunk,
    keys_left: usize,
    bytes_left: usize,
}

impl Collector {
    pub(super) fn new(limit_keys: usize, limit_bytes: usize) -> Collector {
        Collector { chunk: Chunk::default(), keys_left: limit_keys.max(1), bytes_left: limit_bytes }
    }

    /// Whether an entry of `bytes` bytes still fits; when not, the chunk is marked as cut.
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        let room = self.chunk.entries.is_empty() || (self.keys_left > 0 && bytes <= self.bytes_left);
        self.chunk.more |= !room;
        room
    }

    pub(super) fn push(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.keys_left = self.keys_left.saturating_sub(1);
        self.bytes_left = self.bytes_left.saturating_sub(key.len() + value.len());
        self.chunk.entries.push((key, value));
    }

    pub(super) fn finish(self) -> Chunk {
        self.chunk
    }
}
