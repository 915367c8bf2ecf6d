//! Hidden tables: in the catalog with keyspaces of their own, under no name that anybody reads.
//!
//! A hidden table belongs to the import that fills it for as long as the import lives in this process. Any other, one that
//! a crash has left included, is removed in the background, and its keys with it.

use std::sync::Arc;

use super::{ImportError, commit};
use crate::catalog::{
    BY_CREATION_TIME, DROPPED, HIDDEN, IndexRow, NUMBERS, TableRow, emptied, hidden_key, keyspaces, row,
};
use crate::engine::{Engine, Inner};
use crate::error::TxError;
use crate::key::{Key, Keyspace, key};
use crate::schema_change::commit_change;
use hull_value::TableNumber;

/// A hidden table that an import fills; dropping this leaves the table to the sweep.
pub(super) struct Hidden {
    pub(super) row_key: Key,
    by_id: Keyspace,
    engine: Arc<Inner>,
}

impl Hidden {
    fn claim(engine: &Arc<Inner>, row_key: Key, by_id: Keyspace) -> Hidden {
        *engine.importing.lock().entry(by_id).or_default() += 1;
        Hidden { row_key, by_id, engine: engine.clone() }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let mut importing = self.engine.importing.lock();
        match importing.get_mut(&self.by_id) {
            Some(claims) if *claims > 1 => *claims -= 1,
            _ => drop(importing.remove(&self.by_id)),
        }
    }
}

/// Makes a hidden table with the indexes that `table` has; `None` gives it a fresh number.
pub(super) fn create(
    engine: &Engine,
    table: &str,
    number: Option<TableNumber>,
) -> Result<(Hidden, TableNumber), ImportError> {
    let (made, _) = commit(engine, |transaction| {
        let mut numbers = transaction.catalog.numbers;
        transaction.reads.add_point(Keyspace::CATALOG, NUMBERS);
        let number = number.map_or(numbers.table, |n| n.0);
        let live = transaction.table_named(table);
        let new = match live {
            Some(live) => emptied(&live.row, number, &mut numbers),
            None => emptied(&plain(), number, &mut numbers),
        };
        let by_id = Keyspace(new.by_id);
        let row_key = hidden_key(table, new.by_id);
        let rows = vec![(row_key.clone(), Some(row(&new)?)), (key(NUMBERS), Some(row(&numbers)?))];
        transaction.put_catalog(rows)?;
        // Before the commit, so that the sweep never takes it for one that was left.
        Ok((Hidden::claim(&engine.inner, row_key, by_id), TableNumber(number)))
    })?;
    Ok(made)
}

fn plain() -> TableRow {
    let index =
        IndexRow { keyspace: 0, fields: Vec::new(), names: vec![BY_CREATION_TIME.into()], backfill: None };
    TableRow { number: 0, by_id: 0, indexes: vec![index], searches: Vec::new() }
}

impl Inner {
    /// Removes the hidden tables that no import fills; their keys go with those of dropped indexes.
    pub(crate) fn sweep_hidden(self: &Arc<Self>) -> Result<(), TxError> {
        let catalog = self.newest_catalog();
        let left: Vec<Key> = {
            let importing = self.importing.lock();
            catalog
                .hidden()
                .filter(|t| !importing.contains_key(&t.by_id))
                .map(|t| t.row_key.clone())
                .collect()
        };
        if left.is_empty() || !self.delay().is_zero() {
            return Ok(());
        }
        let swept = commit_change(self, |transaction| {
            transaction.reads.add_point(Keyspace::CATALOG, DROPPED);
            let mut dropped = transaction.catalog.dropped.clone();
            let mut rows = Vec::new();
            for k in &left {
                debug_assert!(k.starts_with(HIDDEN));
                transaction.reads.add_point(Keyspace::CATALOG, k);
                if let Some(table) = transaction.catalog.hidden_at(k) {
                    dropped.extend(keyspaces(&table.row));
                    rows.push((k.clone(), None));
                }
            }
            if rows.is_empty() {
                return Ok(false);
            }
            rows.push((key(DROPPED), Some(row(&dropped)?)));
            transaction.put_catalog(rows)?;
            Ok(true)
        });
        if let Err(error) = swept {
            tracing::debug!(%error, "the tables of an import that ended are removed later");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::MemoryLog;
    use crate::options::Options;
    use crate::storage::MemoryStorage;

    #[test]
    fn who_tried_the_same_keyspace_in_vain_does_not_give_it_away() {
        let mut options = Options::new(Arc::new(MemoryStorage::new()), Arc::new(MemoryLog::new()));
        options.background = false;
        let engine = Engine::open(options).unwrap();
        let (hidden, _) = create(&engine, "t", None).unwrap();
        let row_key = hidden.row_key.clone();
        let is_there = || engine.inner.newest_catalog().hidden_at(&row_key).is_some();
        drop(Hidden::claim(&engine.inner, row_key.clone(), hidden.by_id));
        engine.inner.sweep_hidden().unwrap();
        assert!(is_there());
        drop(hidden);
        engine.inner.sweep_hidden().unwrap();
        assert!(!is_there());
    }
}
