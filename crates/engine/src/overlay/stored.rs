//! The overlay beside storage: what a checkpoint takes from it, what need not stay, what is loaded.
//!
//! Guarantee: an entry is dropped only when storage holds the same, and nothing loaded hides what is newer.

use std::ops::Bound;
use std::sync::atomic::Ordering;

use hull_value::Timestamp;

use super::entry::{ENTRY_BYTES, Entry};
use super::{Dirty, Residency, State, TableStore};
use crate::document::Document;
use crate::key::Key;
use crate::slot::{SLOT_BYTES, Slot, Version};

impl TableStore {
    /// What storage must hold of dirty keys of this table at `ts`, from the last one on, as long as `take` wants more:
    /// `None` when nothing is to be written, since nothing was known of the key by then, or it has not changed since the
    /// checkpoint at `reached`.
    pub(crate) fn to_store(
        &self,
        keys: &[Dirty],
        reached: Timestamp,
        ts: Timestamp,
        mut take: impl FnMut(&Dirty, Option<Option<Vec<u8>>>) -> bool,
    ) {
        let state = self.state.read();
        for dirty in keys.iter().rev() {
            let value = if dirty.is_document() {
                state.documents.get(&dirty.key).and_then(|at| {
                    let version = state.slots.get(*at)?.at(ts).filter(|version| version.ts > reached)?;
                    Some(version.document.as_ref().map(|d| d.to_storage(version.ts)))
                })
            } else {
                let index = state.indexes.iter().find(|i| i.spec.keyspace == dirty.keyspace);
                let since = index.and_then(|i| i.entries.get(&dirty.key)).and_then(|e| e.since_at(ts));
                since.filter(|(since, _)| *since > reached).map(|(_, present)| present.then(Vec::new))
            };
            if !take(dirty, value) {
                return;
            }
        }
    }

    /// Notes that storage holds the state at `ts` of these keys of this table; adds those that are still dirty to
    /// `still_dirty`. A document is let go of with the last of its keys.
    pub(crate) fn stored(
        &self,
        keys: impl Iterator<Item = Dirty>,
        ts: Timestamp,
        still_dirty: &mut Vec<Dirty>,
    ) {
        let mut freed = 0;
        let mut state = self.state.write();
        for dirty in keys {
            let (clean, bytes) = state.note_stored(&dirty, ts);
            freed += bytes;
            if !clean {
                still_dirty.push(dirty);
            }
        }
        drop(state);
        self.grow(-(freed as isize));
    }

    /// Drops up to `limit` clean documents from `from` on, of a table that is no longer complete; returns where to go on.
    pub(crate) fn evict(&self, from: &[u8], limit: usize, ts: Timestamp) -> Option<Key> {
        let mut state = self.state.write();
        if state.residency == Residency::Complete {
            state.residency = Residency::Partial;
        }
        let range = state.documents.range::<[u8], _>((Bound::Included(from), Bound::Unbounded));
        let mut keys: Vec<Key> = range.take(limit + 1).map(|(k, _)| k.clone()).collect();
        let next = if keys.len() > limit { keys.pop() } else { None };
        let freed: usize = keys.iter().map(|k| state.settle(k, ts)).sum();
        drop(state);
        self.grow(-(freed as isize));
        next
    }

    /// Lets go of everything, also of what storage lacks: the table is gone.
    pub(crate) fn clear(&self) {
        let mut state = self.state.write();
        let slots = state.slots.take();
        let documents = std::mem::take(&mut state.documents);
        let entries: Vec<_> = state.indexes.iter_mut().map(|i| std::mem::take(&mut i.entries)).collect();
        self.declined.store(true, Ordering::Relaxed);
        let searches = std::mem::take(&mut *self.searches.write());
        self.bytes.store(0, Ordering::Relaxed);
        // Other tables do not wait until all of it is freed.
        drop(state);
        drop((slots, documents, entries, searches));
    }

    /// Changes how much is kept in memory.
    pub(crate) fn set_residency(&self, residency: Residency) {
        self.state.write().residency = residency;
    }

    /// Takes over documents that were read from storage, where nothing newer is known of them.
    pub(crate) fn load(&self, documents: Vec<(Key, Timestamp, Document)>) {
        let mut guard = self.state.write();
        let state = &mut *guard;
        let mut grown = 0;
        let mut buffer = Vec::new();
        let mut keys = Vec::new();
        for (k, ts, document) in documents {
            if state.documents.contains_key(&k) {
                continue;
            }
            for index in &state.indexes {
                keys.push(index.spec.key_of(&document, &mut buffer));
            }
            let at = state.slots.insert(Version { ts, document: Some(document) }, false).at;
            grown += SLOT_BYTES + state.slots.get(at).map_or(0, Slot::bytes);
            for (index, entry_key) in state.indexes.iter_mut().zip(keys.drain(..)) {
                grown += ENTRY_BYTES + entry_key.len().saturating_sub(40);
                let entry = index.entries.entry(entry_key);
                entry.or_insert_with(|| Entry::new(at, ts, true, false)).slot = at;
            }
            state.documents.insert(k, at);
        }
        drop(guard);
        self.grow(grown as isize);
    }
}

impl State {
    /// Notes that storage holds a key's state at `ts`; returns whether it holds its newest, and the bytes freed.
    fn note_stored(&mut self, dirty: &Dirty, ts: Timestamp) -> (bool, usize) {
        let k = &*dirty.key;
        if dirty.is_document() {
            let slot = self.documents.get(k).and_then(|at| self.slots.get_mut(*at));
            let Some(slot) = slot else { return (true, 0) };
            let freed = slot.trim(ts);
            slot.dirty = slot.newest().ts > ts;
            let clean = !slot.dirty;
            return (clean, freed + if clean { self.settle(k, ts) } else { 0 });
        }
        let Some(index) = self.indexes.iter_mut().find(|i| i.spec.keyspace == dirty.keyspace) else {
            return (true, 0);
        };
        let Some(entry) = index.entries.get_mut(k) else { return (true, 0) };
        entry.trim(ts);
        entry.dirty = entry.since > ts;
        let clean = !entry.dirty;
        // A dirty document follows, and is let go of then.
        let was_last = clean && self.slots.get(entry.slot).is_none_or(|slot| !slot.dirty);
        let mut freed = 0;
        if entry.is_settled(ts) && !entry.present {
            index.entries.remove(k);
            freed += ENTRY_BYTES + k.len().saturating_sub(40);
        }
        if was_last && let Some(id) = k.last_chunk::<16>() {
            freed += self.settle(id, ts);
        }
        (clean, freed)
    }

    /// Drops a document, with its entries, when storage holds all of it and it need not stay; returns the bytes freed.
    fn settle(&mut self, k: &[u8], ts: Timestamp) -> usize {
        let Some(&at) = self.documents.get(k) else { return 0 };
        let Some(slot) = self.slots.get(at).filter(|slot| slot.is_settled(ts)) else { return 0 };
        let mut freed = SLOT_BYTES + slot.bytes();
        let mut keys = Vec::new();
        if let Some(document) = &slot.newest().document {
            if self.residency != Residency::Partial {
                return 0;
            }
            let mut buffer = Vec::new();
            for index in &self.indexes {
                let entry_key = index.spec.key_of(document, &mut buffer);
                if index.entries.get(&entry_key).is_some_and(|e| !e.is_settled(ts)) {
                    return 0;
                }
                keys.push(entry_key);
            }
        }
        self.slots.remove(at);
        self.documents.remove(k);
        for (index, entry_key) in self.indexes.iter_mut().zip(keys) {
            if index.entries.remove(&entry_key).is_some() {
                freed += ENTRY_BYTES + entry_key.len().saturating_sub(40);
            }
        }
        freed
    }
}
