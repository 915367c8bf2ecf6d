//! Building counters in the background: leaf by leaf, each read at a snapshot of its own and then brought up to date.
//!
//! Tables that are being loaded come later: once they are in memory they are read faster.

use std::sync::atomic::Ordering;

use hull_value::Timestamp;

use super::CounterSpec;
use super::counter::Counter;
use super::total::Row;
use super::tree::LeafAt;
use crate::catalog::TableInfo;
use crate::engine::Inner;
use crate::error::TxError;
use crate::key::{Key, key, successor};
use crate::overlay::{Residency, TableStore};
use crate::rows::Rows;

/// Rows that are read of an unknown leaf in one step.
const STEP: usize = 4096;
/// Rows whose documents are read while the table is locked.
const CHUNK: usize = 256;
/// Leaves that are read again in one step.
const LEAVES: usize = 64;

/// Rows of a leaf, and the first key that was not read, if there is one.
type ReadLeaf = (Vec<(Key, Row)>, Option<Key>);

impl Inner {
    /// Builds a part of some counters, or counts a part of a table; returns whether there is more to do. `loading`: tables are
    /// on their way into memory.
    pub(crate) fn counters_step(&self, loading: bool) -> Result<bool, TxError> {
        let floor = Timestamp(self.trim_floor.load(Ordering::Acquire));
        let catalog = self.newest_catalog();
        let mut worked = false;
        for table in catalog.tables() {
            table.store.counters.trim(floor);
            if !(worked || loading && is_coming(&table.store)) {
                for counter in table.store.counters.all() {
                    worked |= self.build_step(&table.name, &counter)?;
                }
            }
        }
        Ok(self.count_step()? || worked)
    }

    /// Counters that do not know every row yet, and tables that are still being counted.
    pub(crate) fn counters_building(&self) -> u64 {
        let catalog = self.newest_catalog();
        let building = |store: &TableStore| {
            let counters = store.counters.all();
            let unknown = counters.iter().filter(|counter| !counter.is_known()).count();
            unknown as u64 + u64::from(store.counters.count.is_counting())
        };
        catalog.tables().map(|table| building(&table.store)).sum()
    }

    /// Reads some leaves of an index; returns whether there were any.
    fn build_step(&self, table: &str, counter: &Counter) -> Result<bool, TxError> {
        for _ in 0..LEAVES {
            let Ok(snapshot) = self.snapshots.register(|| self.ordered()) else { return Ok(false) };
            let ts = snapshot.ts();
            let catalog = self.catalog_at(ts);
            let known = catalog.table(table).filter(|table| {
                let index = table.indexes.iter().find(|index| index.spec.keyspace == counter.spec.keyspace);
                let ours = table.store.counters.of(&counter.spec);
                index.is_some_and(|index| index.ready)
                    && ours.is_some_and(|ours| std::ptr::eq(&*ours, counter))
            });
            // While its index is filled there is nothing to read, and later there may be other counters.
            let Some(table) = known.filter(|_| counter.reaches(ts)) else { return Ok(false) };
            let Some(leaf) = counter.begin() else { return Ok(false) };
            let limit = if leaf.unknown { STEP } else { usize::MAX };
            match self.read_leaf(table, &counter.spec, &leaf, limit, ts) {
                Ok((rows, reached)) => counter.finish(&leaf, ts, &rows, reached),
                Err(error) => {
                    counter.abandon(&leaf);
                    return Err(error);
                }
            }
            if leaf.unknown {
                return Ok(true);
            }
        }
        Ok(true)
    }

    fn read_leaf(
        &self,
        table: &TableInfo,
        spec: &CounterSpec,
        leaf: &LeafAt,
        limit: usize,
        ts: Timestamp,
    ) -> Result<ReadLeaf, TxError> {
        let mut rows = Vec::new();
        let range = (&leaf.start[..], leaf.end.as_ref().map(|end| &end[..]));
        let all = self.rows(table, spec, range, ts, &mut |k, row| {
            rows.push((key(k), row));
            rows.len() < limit
        })?;
        let reached = rows.last().filter(|_| !all).map(|(k, _)| successor(k));
        Ok((rows, reached))
    }

    /// Hands the rows of a range of an index at `ts` to `each`, in ascending order, as long as it returns true; returns
    /// whether it did to the end. Where nothing is added up no document is read.
    pub(super) fn rows(
        &self,
        table: &TableInfo,
        spec: &CounterSpec,
        (start, end): (&[u8], Option<&[u8]>),
        ts: Timestamp,
        each: &mut dyn FnMut(&[u8], Row) -> bool,
    ) -> Result<bool, TxError> {
        if spec.sum.is_none() {
            return self.keys(table, spec.keyspace, (start, end), ts, &mut |k| each(k, Row::Plain));
        }
        let mut from = key(start);
        let mut rows = Rows::default();
        while end.is_none_or(|end| from[..] < *end) {
            rows.clear();
            let covered = self.scan(table, spec.keyspace, (&from, end), false, CHUNK, ts, &mut rows)?;
            for (k, read) in rows.take(table, spec.keyspace) {
                if let Some(read) = read
                    && !each(&k, Row::of(&read.document, spec))
                {
                    return Ok(false);
                }
            }
            match covered {
                Some(last) => from = successor(&last),
                None => return Ok(true),
            }
        }
        Ok(true)
    }
}

/// Whether a table is on its way into memory, if any is.
fn is_coming(store: &TableStore) -> bool {
    match store.residency() {
        Residency::Complete => false,
        Residency::Loading => true,
        Residency::Partial => !store.declined.load(Ordering::Relaxed),
    }
}
