//! Residency: which tables are held whole in memory.
//!
//! A new table is complete from birth. After a start the tables are loaded from storage in the background, chunk by
//! chunk, each chunk excluding checkpoints, as long as they fit; when memory runs short the largest complete table
//! is let go. Neither changes what anybody reads.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hull_value::Timestamp;

use crate::document::Document;
use crate::engine::Inner;
use crate::error::TxError;
use crate::key::{Key, Keyspace, key, storage_end, storage_key, successor};
use crate::overlay::{Residency, TableStore};

/// The table that is being loaded or let go, and how far that is.
#[derive(Debug, Default)]
pub(crate) struct ResidencyWork {
    loading: Option<(Arc<TableStore>, Key)>,
    evicting: Option<(Arc<TableStore>, Key)>,
}

/// What is loaded or let go while checkpoints wait.
const CHUNK_KEYS: usize = 500;
const CHUNK_BYTES: usize = 1 << 20;

impl Inner {
    pub(crate) fn stores(&self) -> Vec<Arc<TableStore>> {
        let catalog = self.newest_catalog();
        catalog.stores().cloned().chain(self.system.iter().map(|t| t.store.clone())).collect()
    }

    /// Bytes that documents and index entries take.
    pub(crate) fn overlay_bytes(&self) -> u64 {
        self.stores().iter().map(|s| s.bytes()).sum()
    }

    /// Tables that are held whole, of how many.
    pub(crate) fn resident_tables(&self) -> (u64, u64) {
        let catalog = self.newest_catalog();
        let complete = catalog.tables().filter(|t| t.store.residency() == Residency::Complete).count();
        (complete as u64, catalog.len() as u64)
    }

    /// Loads or lets go of one chunk; returns whether there is more to do.
    pub(crate) fn residency_step(&self) -> Result<bool, TxError> {
        let mut guard = self.checkpoints.lock();
        let at = guard.stored_to();
        let work = &mut guard.residency;
        if let Some((store, from)) = work.evicting.take() {
            work.evicting = store.evict(&from, CHUNK_KEYS, at).map(|next| (store, next));
            return Ok(true);
        }
        let used = self.overlay_bytes();
        if used > self.memory_budget / 2 {
            if let Some((store, _)) = work.loading.take() {
                store.declined.store(true, Ordering::Relaxed);
                store.set_residency(Residency::Partial);
                work.evicting = Some((store, Key::new()));
                return Ok(true);
            }
            let largest = self.stores().into_iter().filter(|s| s.by_id != Keyspace::CATALOG);
            let largest = largest.filter(|s| s.residency() == Residency::Complete).max_by_key(|s| s.bytes());
            return Ok(match largest {
                Some(store) if store.bytes() > 0 => {
                    tracing::info!(
                        table = store.number.0,
                        bytes = store.bytes(),
                        "a table no longer fits in memory"
                    );
                    store.declined.store(true, Ordering::Relaxed);
                    work.evicting = Some((store, Key::new()));
                    true
                }
                _ => false,
            });
        }
        if work.loading.is_none() {
            let next = self
                .stores()
                .into_iter()
                .find(|s| s.residency() == Residency::Partial && !s.declined.load(Ordering::Relaxed));
            let Some(store) = next else { return Ok(false) };
            store.set_residency(Residency::Loading);
            work.loading = Some((store, Key::new()));
        }
        if let Some((store, from)) = work.loading.take() {
            match self.load_chunk(&store, &from)? {
                Some(next) => work.loading = Some((store, next)),
                None => store.set_residency(Residency::Complete),
            }
        }
        Ok(true)
    }

    fn load_chunk(&self, store: &TableStore, from: &[u8]) -> Result<Option<Key>, TxError> {
        let start = storage_key(store.by_id, from);
        let chunk =
            self.storage.range(&start, Some(&storage_end(store.by_id)), false, CHUNK_KEYS, CHUNK_BYTES)?;
        let mut documents: Vec<(Key, Timestamp, Document)> = Vec::with_capacity(chunk.entries.len());
        for (stored_key, stored) in &chunk.entries {
            let k = key(&stored_key[4..]);
            let (ts, document) = Document::from_storage(store.number, &k, stored)?;
            documents.push((k, ts, document));
        }
        let next = documents.last().filter(|_| chunk.more).map(|(k, _, _)| successor(k));
        store.load(documents);
        Ok(next)
    }
}
