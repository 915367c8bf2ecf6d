//! Filling new indexes over existing documents, and removing what dropped ones have left.
//!
//! A fill is a row of ordinary transactions of at most 200 documents, in the order of creation: the page is in the read
//! set, and the place where the next page begins is saved in the same commit. So it competes with writers like anybody
//! else, and a crash loses at most one page.

use std::sync::Arc;

use hull_model::KeyRange;

use crate::catalog::{BY_CREATION_TIME, DROPPED, NUMBERS, row, table_key};
use crate::engine::{Engine, Inner};
use crate::error::{SchemaChangeError, TxError};
use crate::key::{Keyspace, key, storage_end, storage_key, successor};
use crate::scan::Order;
use crate::schema_change::{Progress, commit_change};
use crate::storage::Batch;
use crate::transaction::Transaction;
use crate::writes::Filled;

/// Documents in one transaction of a fill.
const PAGE: u64 = 200;
/// Bytes of them, after which it takes no other.
const PAGE_BYTES: u64 = 1 << 20;

/// Fills every index that is not filled yet.
pub(crate) fn fill_indexes(
    engine: &Engine,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), SchemaChangeError> {
    let catalog = engine.inner.newest_catalog();
    let mut unfilled: Vec<(bool, String, Keyspace, String)> = Vec::new();
    for table in catalog.tables() {
        for index in table.indexes.iter().filter(|i| !i.ready) {
            let name = index.names.first().cloned().unwrap_or_default();
            // The index on the creation time is first, since the others are filled from it.
            let other = !index.spec.fields.is_empty();
            unfilled.push((other, table.name.clone(), index.spec.keyspace, name));
        }
        for search in table.searches.iter().filter(|s| !s.ready) {
            let name = search.names.first().cloned().unwrap_or_default();
            unfilled.push((true, table.name.clone(), search.spec.keyspace, name));
        }
    }
    unfilled.sort();
    for (_, table, keyspace, index) in unfilled {
        let mut documents = 0;
        loop {
            let (mut count, mut more) = (0, false);
            commit_change(&engine.inner, |transaction| {
                (count, more) = fill_page(transaction, &table, keyspace)?;
                Ok(true)
            })?;
            documents += count;
            progress(Progress::Filling { table: table.clone(), index: index.clone(), documents });
            if !more {
                break;
            }
        }
    }
    Ok(())
}

impl Engine {
    /// The tables and names of the indexes and search indexes that cannot be read until they are filled.
    pub fn unfilled(&self) -> Vec<(String, String)> {
        let catalog = self.inner.newest_catalog();
        let mut unfilled = Vec::new();
        for table in catalog.tables() {
            let indexes = table.indexes.iter().map(|index| (index.ready, &index.names));
            let searches = table.searches.iter().map(|search| (search.ready, &search.names));
            for (_, names) in indexes.chain(searches).filter(|(ready, _)| !ready) {
                unfilled.extend(names.iter().map(|name| (table.name.clone(), name.clone())));
            }
        }
        unfilled
    }

    /// Makes an index or a search index anew from the documents of its table. Until it is filled, reads of it are refused, as of any index
    /// that is being filled; the keys of the old one are removed in the background. After an interruption the filling
    /// goes on with the next call or the next [`Engine::apply_schema`].
    pub fn rebuild_index(
        &self,
        table: &str,
        index: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), SchemaChangeError> {
        let _one_at_a_time = self.inner.schema_change.lock();
        commit_change(&self.inner, |transaction| {
            let not_found = || TxError::IndexNotFound { table: table.into(), index: index.into() };
            let info = transaction.table_named(table).ok_or_else(not_found)?;
            let (mut numbers, mut dropped) =
                (transaction.catalog.numbers, transaction.catalog.dropped.clone());
            let mut changed = info.row.clone();
            let named = changed.derived().find(|(_, names, _)| names.iter().any(|name| name == index));
            let (keyspace, _, backfill) = named.ok_or_else(not_found)?;
            dropped.push(std::mem::replace(keyspace, numbers.keyspace));
            *backfill = Some(Vec::new());
            numbers.keyspace += 1;
            let rows = vec![
                (table_key(table), Some(row(&changed)?)),
                (key(NUMBERS), Some(row(&numbers)?)),
                (key(DROPPED), Some(row(&dropped)?)),
            ];
            for (k, _) in &rows {
                transaction.reads.add_point(Keyspace::CATALOG, k);
            }
            transaction.put_catalog(rows)?;
            Ok(true)
        })?;
        fill_indexes(self, progress)
    }
}

/// Enters one page into an index; returns how many documents it had, and whether there are more.
fn fill_page(transaction: &mut Transaction, table: &str, keyspace: Keyspace) -> Result<(u64, bool), TxError> {
    let Some(info) = transaction.table_named(table) else { return Ok((0, false)) };
    let mut changed = info.row.clone();
    let Some((_, _, backfill)) = changed.derived().find(|(k, _, _)| **k == keyspace.0) else {
        return Ok((0, false));
    };
    let Some(start) = backfill.clone() else { return Ok((0, false)) };
    let range = KeyRange { start, end: None };
    let by_time = info.indexes.iter().any(|i| i.spec.keyspace == keyspace && i.spec.fields.is_empty());
    let mut scan = match by_time {
        // It is itself filled from the documents.
        true => transaction.scan_ids(&info, &range)?,
        false => transaction.scan(table, BY_CREATION_TIME, &range, Order::Asc)?,
    };
    let mut next = None;
    let (mut count, mut bytes) = (0, 0);
    while count < PAGE && bytes < PAGE_BYTES {
        let row = transaction.next_row(&mut scan)?;
        next = row.as_ref().and(scan.last()).map(|k| successor(&k).to_vec());
        let Some(read) = row else { break };
        count += 1;
        bytes += u64::from(read.document.size);
        transaction.writes.filled.push(Filled {
            table: info.clone(),
            keyspace,
            slot: read.slot,
            ts: read.ts,
            document: read.document,
        });
    }
    let more = next.is_some();
    *backfill = next;
    transaction.put_catalog(vec![(table_key(table), Some(row(&changed)?))])?;
    Ok((count, more))
}

impl Inner {
    /// Removes the rows of dropped indexes and tables, a batch at a time, once no snapshot can read them any more;
    /// returns whether there may be more to remove now.
    pub(crate) fn clean_dropped(self: &Arc<Self>) -> Result<bool, TxError> {
        let catalog = self.newest_catalog();
        let Some(dropped) = catalog.dropped.first().copied() else { return Ok(false) };
        if !self.trim_catalogs(self.snapshots.floor()) {
            return Ok(false);
        }
        // Writers who wait are waiting for checkpoints.
        let waits = !self.delay().is_zero();
        {
            // No batch of a checkpoint may come between.
            let _checkpoints = self.checkpoints.lock();
            // What a held snapshot may read stays, and what it still waits for comes to storage.
            if self.holds.oldest().is_some() {
                return Ok(false);
            }
            {
                // No commit makes an index meanwhile, or lets go of one that a snapshot still reads.
                let _commits = self.commit.lock();
                if !Arc::ptr_eq(&catalog, &self.newest_catalog()) {
                    return Ok(true);
                }
                for table in catalog.tables() {
                    table.store.set_indexes(&table.specs());
                    table.store.set_searches(&table.search_specs());
                }
            }
            // What storage lacks of them it does not get any more.
            catalog.gone().for_each(|store| store.clear());
            if waits {
                return Ok(false);
            }
            // After a failed sync storage may show a removal that opening it again takes back.
            self.reopen_failed()?;
            let keyspace = Keyspace(dropped);
            let (start, end) = (storage_key(keyspace, b""), storage_end(keyspace));
            let chunk = self.to_remove(&start, &end)?;
            if !chunk.entries.is_empty() {
                let mut batch = Batch::new();
                chunk.entries.into_iter().for_each(|(k, _)| batch.delete(k));
                self.write(batch, true)?;
                return Ok(true);
            }
        }
        let result = commit_change(self, |transaction| {
            let mut left = transaction.catalog.dropped.clone();
            left.retain(|k| *k != dropped);
            transaction.reads.add_point(Keyspace::CATALOG, DROPPED);
            transaction.put_catalog(vec![(key(DROPPED), Some(row(&left)?))])?;
            Ok(true)
        });
        match result {
            Err(SchemaChangeError::Transaction(e)) => Err(e),
            Err(error) => {
                tracing::debug!(%error, "a dropped keyspace is forgotten later");
                Ok(false)
            }
            Ok(()) => Ok(true),
        }
    }
}
