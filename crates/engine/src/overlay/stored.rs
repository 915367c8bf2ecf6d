//! The overlay beside storage: what a checkpoint takes from it, what need not stay, what is loaded.
//!
//! Guarantee: an entry is dropped only when storage holds the same, and nothing loaded hides what is newer.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hull_value::Timestamp;

use super::entry::{ENTRY_BYTES, Entry};
use super::{Residency, State, TableStore};
use crate::document::Document;
use crate::key::{Key, Keyspace, key};
use crate::slot::{SLOT_BYTES, Slot, Version};

impl TableStore {
    /// What storage must hold of a dirty key at `ts`: `None` when nothing is to be written, since nothing was known of
    /// the key by then, or it has not changed since the checkpoint at `reached`.
    pub(crate) fn to_store(
        &self,
        keyspace: Keyspace,
        k: &[u8],
        reached: Timestamp,
        ts: Timestamp,
    ) -> Option<Option<Vec<u8>>> {
        let state = self.state.read();
        if keyspace == self.by_id {
            let version = state.documents.get(k)?.at(ts).filter(|version| version.ts > reached)?;
            return Some(version.document.map(|d| d.to_storage(version.ts)));
        }
        let index = state.indexes.iter().find(|i| i.spec.keyspace == keyspace)?;
        index
            .entries
            .get(k)?
            .since_at(ts)
            .filter(|(since, _)| *since > reached)
            .map(|(_, p)| p.then(Vec::new))
    }

    /// Notes that storage holds the state at `ts` of a key; returns whether it is still dirty.
    pub(crate) fn stored(&self, keyspace: Keyspace, k: &[u8], ts: Timestamp) -> bool {
        let mut state = self.state.write();
        let mut still_dirty = false;
        let mut freed = 0;
        if keyspace == self.by_id {
            let Some(slot) = state.documents.get(k) else { return false };
            let mut chain = slot.lock();
            freed += chain.trim(ts);
            if chain.newest().ts <= ts {
                chain.dirty = false;
            } else {
                still_dirty = true;
            }
            drop(chain);
            if !still_dirty {
                freed += state.settle(k, ts);
            }
        } else {
            let State { indexes, .. } = &mut *state;
            let Some(index) = indexes.iter_mut().find(|i| i.spec.keyspace == keyspace) else { return false };
            let Some(entry) = index.entries.get_mut(k) else { return false };
            entry.trim(ts);
            if entry.since <= ts {
                entry.dirty = false;
            } else {
                still_dirty = true;
            }
            if entry.is_settled(ts) && !entry.present {
                index.entries.remove(k);
                freed += ENTRY_BYTES + k.len().saturating_sub(40);
            }
            if !still_dirty && k.len() >= 16 {
                let id = key(&k[k.len() - 16..]);
                freed += state.settle(&id, ts);
            }
        }
        drop(state);
        self.grow(-(freed as isize));
        still_dirty
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
        let documents = std::mem::take(&mut state.documents);
        let entries: Vec<_> = state.indexes.iter_mut().map(|i| std::mem::take(&mut i.entries)).collect();
        self.declined.store(true, Ordering::Relaxed);
        self.grow(-(self.bytes() as isize));
        // Other tables do not wait until all of it is freed.
        drop(state);
        drop((documents, entries));
    }

    /// Changes how much is kept in memory.
    pub(crate) fn set_residency(&self, residency: Residency) {
        self.state.write().residency = residency;
    }

    /// Takes over documents that were read from storage, where nothing newer is known of them.
    pub(crate) fn load(&self, documents: Vec<(Key, Timestamp, Document)>) {
        let mut state = self.state.write();
        let mut grown = 0;
        let mut buffer = Vec::new();
        for (k, ts, document) in documents {
            if state.documents.contains_key(&k) {
                continue;
            }
            let slot = Arc::new(Slot::new(Version { ts, document: Some(document.clone()) }, false));
            grown += SLOT_BYTES + slot.lock().bytes();
            for index in &mut state.indexes {
                let entry_key = index.spec.key_of(&document, &mut buffer);
                grown += ENTRY_BYTES + entry_key.len().saturating_sub(40);
                index.entries.entry(entry_key).or_insert_with(|| Entry::new(slot.clone(), ts, true, false));
            }
            state.documents.insert(k, slot);
        }
        drop(state);
        self.grow(grown as isize);
    }
}

impl State {
    /// Drops a document, with its entries, when storage holds all of it and it need not stay; returns the bytes freed.
    fn settle(&mut self, k: &[u8], ts: Timestamp) -> usize {
        let Some(slot) = self.documents.get(k) else { return 0 };
        let chain = slot.lock();
        if chain.dirty || !chain.is_settled(ts) {
            return 0;
        }
        let document = chain.newest().document.clone();
        let mut freed = SLOT_BYTES + chain.bytes();
        drop(chain);
        let mut keys = Vec::new();
        if let Some(document) = &document {
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
        // Under the slot's lock once more: a commit that keeps the keys may have written to it meanwhile.
        let slot = slot.clone();
        let mut chain = slot.lock();
        if chain.dirty || !chain.is_settled(ts) {
            return 0;
        }
        chain.detached = true;
        drop(chain);
        self.documents.remove(k);
        for (index, entry_key) in self.indexes.iter_mut().zip(keys) {
            if index.entries.remove(&entry_key).is_some() {
                freed += ENTRY_BYTES + entry_key.len().saturating_sub(40);
            }
        }
        freed
    }
}
