//! Opening: what storage holds, then the log past its checkpoint, then an empty record, then service.
//!
//! Guarantee: the state is that of the log's last record, whatever part of a checkpoint storage holds beside the last
//! complete one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hull_value::{TableNumber, Timestamp};

use crate::catalog::{Catalog, CatalogChanges};
use crate::checkpoint::CheckpointRow;
use crate::counters::load_counts;
use crate::document::Document;
use crate::engine::Inner;
use crate::error::{OpenError, TxError};
use crate::key::{Key, Keyspace, key, storage_end, storage_key};
use crate::overlay::{Change, Dirty, KeyChange, Residency, TableStore, Write};
use crate::record::{self, RecordedSearch, RecordedWrite};
use crate::search::{SearchChange, Statistics, Stored};
use crate::slot::Version;

impl From<TxError> for OpenError {
    fn from(error: TxError) -> Self {
        match error {
            TxError::Storage(e) => Self::Storage(e),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl Inner {
    /// Brings the overlay to the state of the log's end.
    pub(crate) fn recover(&self) -> Result<(), OpenError> {
        let row = CheckpointRow::load(&*self.storage)?;
        let head = self.log.head();
        if head.timestamp < row.bound {
            return Err(OpenError::Damaged(format!(
                "storage names a checkpoint at {}, but the commit log ends at {}; `hull restore` makes a new data directory from the last backup",
                row.bound.0, head.timestamp.0
            )));
        }
        self.checkpoints.lock().row = row;
        self.checkpoint_ts.store(row.reached.0, Ordering::Release);
        let backup = CheckpointRow::load_backup(&*self.storage)?;
        self.backup_ts.store(backup.0, Ordering::Release);
        // Without any checkpoint everything is in the log.
        let residency =
            if row == CheckpointRow::default() { Residency::Complete } else { Residency::Partial };
        for table in &self.system {
            table.store.set_residency(residency);
        }
        let mut catalog = self.load_catalog()?;
        self.load_searches(&catalog, row.reached)?;
        load_counts(&*self.storage, row.reached, catalog.stores())?;
        let mut dirty = Vec::new();
        for entry in self.log.tail(row.reached).map_err(|e| OpenError::Log(e.to_string()))? {
            let (ts, bytes) = entry.map_err(|e| OpenError::Log(e.to_string()))?;
            let damaged = |e: String| OpenError::Damaged(format!("the log record at {}: {e}", ts.0));
            let writes = record::decode(&bytes).map_err(damaged)?;
            let changes = catalog_changes(&writes);
            if !changes.is_empty() {
                // A table that is not in storage is in the log as a whole, or is replaced later.
                let next = catalog.with(&changes, Residency::Complete)?;
                // Storage has been cleaned of what the catalog forgets, and must not get it again.
                let forgotten = catalog.stores().filter(|store| !next.knows(store));
                forgotten.for_each(|store| store.clear());
                catalog = next;
                for table in catalog.tables().chain(catalog.hidden()) {
                    table.store.add_indexes(&table.specs());
                }
                self.load_searches(&catalog, row.reached)?;
            }
            for write in writes {
                self.replay(&catalog, write, ts, &mut dirty).map_err(|e| damaged(e.to_string()))?;
            }
        }
        for table in catalog.tables().chain(catalog.hidden()) {
            table.store.set_indexes(&table.specs());
            table.store.set_searches(&table.search_specs());
        }
        // Nobody reads these any more.
        catalog.gone().for_each(|store| store.clear());
        let mut state = self.commit.lock();
        let ts = Timestamp((head.timestamp.0 + 1).max(self.clock.now().0));
        state.head =
            self.log.append(head, ts, &record::empty()).map_err(|e| OpenError::Log(e.to_string()))?;
        state.recent_start = ts;
        state.dirty_bytes = dirty.len() as u64 * 256;
        state.dirty = dirty;
        self.publish_catalog(Timestamp(0), catalog);
        self.ordered.store(ts.0, Ordering::Release);
        self.trim_floor.store(ts.0, Ordering::Release);
        drop(state);
        self.trim_catalogs(ts);
        self.log.sync().map_err(|e| OpenError::Log(e.to_string()))?;
        self.durable.store(ts.0, Ordering::Release);
        self.snapshots.raise_floor(ts);
        Ok(())
    }

    fn load_catalog(&self) -> Result<Catalog, OpenError> {
        let (mut start, end) = (storage_key(Keyspace::CATALOG, b""), storage_end(Keyspace::CATALOG));
        let mut changes: CatalogChanges = Vec::new();
        let mut rows = Vec::new();
        loop {
            let chunk = self.storage.range(&start, Some(&end), false, 500, 1 << 20)?;
            for (stored_key, stored) in &chunk.entries {
                let k = key(&stored_key[4..]);
                let (ts, document) = Document::from_storage(TableNumber(0), &k, stored)?;
                changes.push((k.clone(), Some(document.clone())));
                rows.push((k, ts, document));
            }
            match chunk.entries.last() {
                Some((last, _)) if chunk.more => {
                    start = last.clone();
                    start.push(0);
                }
                _ => break,
            }
        }
        let table = self.system(Keyspace::CATALOG)?;
        table.store.load(rows);
        table.store.set_residency(Residency::Complete);
        Ok(Catalog::default().with(&changes, Residency::Partial)?)
    }

    /// Makes the overlays of the search indexes that have none, over what storage holds of them.
    fn load_searches(&self, catalog: &Catalog, reached: Timestamp) -> Result<(), OpenError> {
        for table in catalog.tables().chain(catalog.hidden()) {
            for spec in table.search_specs() {
                if table.store.search(spec.keyspace).is_none() {
                    let statistics = Statistics::load(&*self.storage, spec.keyspace, reached)?;
                    table.store.add_search(&spec, Stored { ts: reached, statistics });
                }
            }
        }
        Ok(())
    }

    fn replay(
        &self,
        catalog: &Catalog,
        write: RecordedWrite,
        ts: Timestamp,
        dirty: &mut Vec<Dirty>,
    ) -> Result<(), TxError> {
        let RecordedWrite { keyspace, key, previous, new, filled, gained, lost, documents, searches } = write;
        let table = match catalog.of_keyspace(keyspace) {
            Some(table) => table.clone(),
            None => match self.system(keyspace) {
                Ok(table) => table,
                // Of a table that was deleted later.
                Err(_) => return Ok(()),
            },
        };
        let stored = |value| Document::stored(table.number, &key, value);
        let (base, new) = match (filled, new) {
            (true, Some(Some(value))) => {
                let ts = previous.unwrap_or_default();
                (Some(Version { ts, document: Some(stored(value)?) }), None)
            }
            (_, new) => (None, new.map(|n| n.map(stored).transpose()).transpose()?),
        };
        let before = self.read_resident(&table.store, &key, ts);
        let mut keys: Vec<KeyChange> = Vec::new();
        let after = match (&new, &base) {
            (Some(new), _) => new.as_ref(),
            (None, Some(base)) => base.document.as_ref(),
            (None, None) => None,
        };
        let mut buffer = Vec::new();
        for index in &table.indexes {
            let keyspace = index.spec.keyspace;
            let old = before.as_ref().map(|d| index.spec.key_of(d, &mut buffer));
            let now = after.map(|d| index.spec.key_of(d, &mut buffer));
            let is = |list: &[(Keyspace, Key)], k: &Key| list.iter().any(|(s, l)| *s == keyspace && l == k);
            // What the index was not yet declared for is not in the record, but follows from the documents.
            if let Some(old) = old.filter(|old| Some(old) != now.as_ref() && !is(&lost, old)) {
                keys.push(KeyChange { keyspace, change: Change::Lost, key: old });
            }
            if let Some(now) = now.filter(|now| !is(&gained, now)) {
                keys.push(KeyChange { keyspace, change: Change::Kept, key: now });
            }
        }
        keys.extend(lost.into_iter().map(|(keyspace, key)| KeyChange {
            keyspace,
            change: Change::Lost,
            key,
        }));
        keys.extend(gained.into_iter().map(|(keyspace, key)| KeyChange {
            keyspace,
            change: Change::Gained,
            key,
        }));
        let changed = |RecordedSearch { keyspace, old_length, lost }| {
            // Of a search index that was dropped later there is none.
            let store = table.store.search(keyspace)?;
            let new = store.spec.text_of(after).map(Arc::new);
            Some(SearchChange { keyspace, old_length, lost, new })
        };
        let searches = searches.into_iter().filter_map(changed).collect();
        if documents != 0 && !table.by_id.is_system() {
            table.store.counters.count.change(&key, documents, ts, ts);
        }
        TableStore::apply(
            Write { store: table.store.clone(), key, slot: None, base, new, keys, searches },
            ts,
            ts,
            dirty,
        );
        Ok(())
    }

    fn read_resident(&self, store: &crate::overlay::TableStore, k: &[u8], ts: Timestamp) -> Option<Document> {
        match store.get(k, ts) {
            crate::overlay::Found::Here(_, document, _) => document,
            _ => None,
        }
    }
}

fn catalog_changes(writes: &[RecordedWrite]) -> CatalogChanges {
    writes
        .iter()
        .filter(|w| w.keyspace == Keyspace::CATALOG)
        .map(|w| (w.key.clone(), w.new.clone().flatten().map(Document::row)))
        .collect()
}
