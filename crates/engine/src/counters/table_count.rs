//! How many documents a table has: one number as of the newest commit, and its changes back to the oldest snapshot.
//!
//! The numbers of all tables at a checkpoint are a row in storage, `counts` in [`Keyspace::META`]: the timestamp of the
//! checkpoint (8 bytes), then for each table the keyspace of its documents (4 bytes) and the number (8 bytes), all little
//! endian. It counts only beside the checkpoint that it names. A table without a number is counted in the background, by
//! keys in ascending order, and each step is brought up to date from the changes.

use std::collections::{BTreeMap, VecDeque};

use hull_value::Timestamp;
use parking_lot::Mutex;

use crate::engine::Inner;
use crate::error::TxError;
use crate::key::{Key, Keyspace, key, storage_key, successor};
use crate::overlay::{Residency, TableStore};
use crate::storage::{Storage, StorageError};

/// The name of the row.
const COUNTS: &[u8] = b"counts";
/// Documents that are counted in one step.
const STEP: usize = 8192;
/// What a change takes in memory while it is kept.
const CHANGE_BYTES: usize = size_of::<(Timestamp, [u8; 16], i64)>();

/// The number of a table's documents.
#[derive(Debug)]
pub(crate) struct TableCount(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The documents below `next`.
    count: i64,
    /// The first key that is not counted; `None` once all are.
    next: Option<Key>,
    changes: VecDeque<(Timestamp, [u8; 16], i64)>,
}

impl TableCount {
    /// A table that is complete when its overlay is made has nothing yet.
    pub(crate) fn new(residency: Residency) -> Self {
        let next = (residency != Residency::Complete).then(Key::new);
        Self(Mutex::new(State { count: 0, next, changes: VecDeque::new() }))
    }

    /// What storage says of the table.
    fn set(&self, count: i64) {
        let mut state = self.0.lock();
        (state.count, state.next) = (count, None);
    }

    /// Adds or takes away a document in the commit at `ts`; returns the bytes kept.
    pub(crate) fn change(&self, k: &[u8], by: i64, ts: Timestamp, floor: Timestamp) -> usize {
        let Ok(id) = <[u8; 16]>::try_from(k) else { return 0 };
        let mut state = self.0.lock();
        if state.next.as_ref().is_none_or(|next| *k < next[..]) {
            state.count += by;
        }
        state.changes.push_back((ts, id, by));
        for _ in 0..2 {
            if state.changes.front().is_some_and(|(ts, ..)| *ts <= floor) {
                state.changes.pop_front();
            }
        }
        CHANGE_BYTES
    }

    /// Forgets changes that no snapshot at or above `floor` needs.
    pub(crate) fn trim(&self, floor: Timestamp) {
        let mut state = self.0.lock();
        let gone = state.changes.partition_point(|(ts, ..)| *ts <= floor).min(10_000);
        state.changes.drain(..gone);
        if state.changes.capacity() > 1024 && state.changes.len() < state.changes.capacity() / 4 {
            state.changes.shrink_to_fit();
        }
    }

    /// The number at `ts`, if it is known.
    pub(crate) fn at(&self, ts: Timestamp) -> Option<i64> {
        let state = self.0.lock();
        if state.next.is_some() {
            return None;
        }
        let since: i64 = state.changes.iter().rev().take_while(|(at, ..)| *at > ts).map(|(.., by)| by).sum();
        Some(state.count - since)
    }

    /// Whether not all documents are counted yet.
    pub(crate) fn is_counting(&self) -> bool {
        self.0.lock().next.is_some()
    }

    /// Where counting goes on, if it is not done.
    fn next(&self) -> Option<Key> {
        self.0.lock().next.clone()
    }

    /// So many documents were counted at `ts`, from where counting went on up to this key.
    fn counted(&self, ts: Timestamp, documents: i64, to: Option<Key>) {
        let mut state = self.0.lock();
        let Some(from) = state.next.take() else { return };
        let is_in = |id: &[u8]| *id >= from[..] && to.as_ref().is_none_or(|to| *id < to[..]);
        let since = state.changes.iter().rev().take_while(|(at, ..)| *at > ts);
        let since: i64 = since.filter(|(_, id, _)| is_in(id)).map(|(.., by)| by).sum();
        state.count += documents + since;
        state.next = to;
    }
}

impl Inner {
    /// Counts some documents of tables whose number is not known; returns whether there are more.
    pub(crate) fn count_step(&self) -> Result<bool, TxError> {
        let Ok(snapshot) = self.snapshots.register(|| self.ordered()) else { return Ok(false) };
        let catalog = self.catalog_at(snapshot.ts());
        let mut tables =
            catalog.tables().filter_map(|table| Some((table, table.store.counters.count.next()?)));
        let Some((table, from)) = tables.next() else { return Ok(false) };
        let (mut documents, mut last) = (0, None);
        let all = self.keys(table, table.by_id, (&from, None), snapshot.ts(), &mut |k| {
            documents += 1;
            last = Some(key(k));
            documents < STEP
        })?;
        let to = last.filter(|_| !all).map(|last| successor(&last));
        table.store.counters.count.counted(snapshot.ts(), documents as i64, to);
        Ok(true)
    }

    /// The row of a checkpoint at `ts`.
    pub(crate) fn counts_row(&self, ts: Timestamp) -> (Vec<u8>, Vec<u8>) {
        let mut row = ts.0.to_le_bytes().to_vec();
        for store in self.newest_catalog().stores() {
            if let Some(count) = store.counters.count.at(ts) {
                row.extend(store.by_id.0.to_le_bytes());
                row.extend(count.to_le_bytes());
            }
        }
        (storage_key(Keyspace::META, COUNTS), row)
    }
}

/// Takes over the numbers of a checkpoint at `reached`, if storage has them.
pub(crate) fn load_counts<'a>(
    storage: &dyn Storage,
    reached: Timestamp,
    stores: impl Iterator<Item = &'a std::sync::Arc<TableStore>>,
) -> Result<(), StorageError> {
    let Some(row) = storage.get(&storage_key(Keyspace::META, COUNTS))? else { return Ok(()) };
    let Some((ts, tables)) = row.split_first_chunk::<8>() else { return Ok(()) };
    if u64::from_le_bytes(*ts) != reached.0 {
        return Ok(());
    }
    let (tables, _) = tables.as_chunks::<12>();
    let counts: BTreeMap<Keyspace, i64> = tables
        .iter()
        .filter_map(|table| {
            let (keyspace, count) = table.split_first_chunk::<4>()?;
            Some((Keyspace(u32::from_le_bytes(*keyspace)), i64::from_le_bytes(count.try_into().ok()?)))
        })
        .collect();
    for store in stores {
        if let Some(count) = counts.get(&store.by_id) {
            store.counters.count.set(*count);
        }
    }
    Ok(())
}
