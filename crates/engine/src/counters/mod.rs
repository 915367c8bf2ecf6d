//! Counters: how many rows a range of an index has, and of one field their sum and extremes, without reading them.
//!
//! They are derived from the index and live in memory alone: neither in the log nor in storage, nor in a read set. What
//! an answer depends on is the range of the index that it is about. After a start they are built in the background; until
//! then, and wherever they know nothing, the index itself is read, which gives the same answer later.

mod build;
mod counter;
mod exact;
mod ranking;
mod read;
mod table_count;
#[cfg(test)]
mod tests;
mod total;
mod tree;

use std::sync::Arc;

use hull_model::{NumberKind, TableDef};
use hull_value::{FieldPath, Timestamp};
use parking_lot::RwLock;

use crate::catalog::{IndexInfo, TableInfo};
use crate::document::Document;
use crate::key::{Key, Keyspace};
use crate::overlay::{Residency, TableStore};

pub(crate) use counter::Counter;
pub use read::RankedGroup;
use table_count::TableCount;
pub(crate) use table_count::load_counts;
pub use total::Number;
use total::Row;
use tree::Change;

/// What is counted: the rows of an index, and what of their documents.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CounterSpec {
    pub(crate) keyspace: Keyspace,
    /// The field that is added up.
    pub(crate) sum: Option<(FieldPath, NumberKind)>,
    /// Whether groups are kept in order.
    pub(crate) ranked: bool,
}

impl CounterSpec {
    fn number_kind(&self) -> Option<NumberKind> {
        self.sum.as_ref().map(|(_, kind)| *kind)
    }

    /// The kind of the numbers, or any where there are none.
    fn kind(&self) -> NumberKind {
        self.number_kind().unwrap_or(NumberKind::Float64)
    }
}

/// An aggregate that a table declares, by the name of its index.
#[derive(Clone, Debug)]
pub(crate) struct AggregateInfo {
    pub(crate) name: String,
    pub(crate) spec: CounterSpec,
}

/// The aggregates of a table that are declared over these indexes.
pub(crate) fn aggregates(declared: Option<&TableDef>, indexes: &[IndexInfo]) -> Vec<AggregateInfo> {
    let Some(table) = declared else { return Vec::new() };
    let all = table.indexes.iter().filter_map(|index| {
        let aggregate = index.aggregate.as_ref()?;
        let info = indexes.iter().find(|info| info.names.contains(&index.name))?;
        let sum = aggregate.sum.clone().map(|field| {
            // The schema was checked; under a kind that no value has nothing is added up.
            let kind = table.document.number_kind(&field).unwrap_or(NumberKind::Float64);
            (field, kind)
        });
        let spec = CounterSpec { keyspace: info.spec.keyspace, sum, ranked: aggregate.ranked };
        Some(AggregateInfo { name: index.name.clone(), spec })
    });
    all.collect()
}

/// The counters of one table.
#[derive(Debug)]
pub(crate) struct Counters {
    all: RwLock<Vec<Arc<Counter>>>,
    pub(crate) count: TableCount,
}

impl Counters {
    pub(crate) fn new(residency: Residency) -> Self {
        Self { all: RwLock::default(), count: TableCount::new(residency) }
    }

    /// Keeps what these aggregates need, from the commit at `since` on, and nothing else.
    pub(crate) fn declare(&self, aggregates: &[AggregateInfo], since: Timestamp) {
        let missing = |all: &[Arc<Counter>]| {
            let known = |aggregate: &AggregateInfo| all.iter().any(|counter| counter.spec == aggregate.spec);
            aggregates.iter().find(|aggregate| !known(aggregate)).map(|aggregate| aggregate.spec.clone())
        };
        let needed = |counter: &Arc<Counter>| aggregates.iter().any(|a| a.spec == counter.spec);
        {
            let all = self.all.read();
            if all.iter().all(needed) && missing(&all).is_none() {
                return;
            }
        }
        let mut all = self.all.write();
        all.retain(needed);
        while let Some(spec) = missing(&all) {
            all.push(Counter::new(spec, since));
        }
    }

    /// The counters for this, if there are any.
    pub(crate) fn of(&self, spec: &CounterSpec) -> Option<Arc<Counter>> {
        self.all.read().iter().find(|counter| counter.spec == *spec).cloned()
    }

    fn all(&self) -> Vec<Arc<Counter>> {
        self.all.read().clone()
    }

    /// Forgets changes that no snapshot at or above `floor` needs.
    pub(crate) fn trim(&self, floor: Timestamp) {
        self.all().iter().for_each(|counter| counter.trim(floor));
        self.count.trim(floor);
    }
}

/// What a write changes in the counters of its table.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// How many documents more there are.
    pub(crate) documents: i64,
    changes: Vec<(Arc<Counter>, Change)>,
}

impl Counts {
    /// What it is that a document was this and becomes that.
    pub(crate) fn of(table: &TableInfo, old: Option<&Document>, new: Option<&Document>) -> Self {
        let documents = i64::from(new.is_some()) - i64::from(old.is_some());
        let mut changes = Vec::new();
        for aggregate in &table.aggregates {
            let Some(counter) = table.store.counters.of(&aggregate.spec) else { continue };
            // Two names of one aggregate share its counters.
            if !changes.iter().any(|(other, _)| Arc::ptr_eq(other, &counter)) {
                each_change(table, &aggregate.spec, old, new, |change| {
                    changes.push((counter.clone(), change))
                });
            }
        }
        Self { documents, changes }
    }

    /// Applies it at `ts`, under the commit lock; returns the bytes that are kept for older snapshots.
    pub(crate) fn apply(self, store: &TableStore, k: &Key, ts: Timestamp, floor: Timestamp) -> usize {
        let mut kept = 0;
        if self.documents != 0 {
            kept += store.counters.count.change(k, self.documents, ts, floor);
        }
        for (counter, change) in self.changes {
            kept += counter.apply(change, ts, floor);
        }
        kept
    }
}

/// The changes of rows that it makes that a document was this and becomes that: up to two.
fn each_change(
    table: &TableInfo,
    spec: &CounterSpec,
    old: Option<&Document>,
    new: Option<&Document>,
    mut each: impl FnMut(Change),
) {
    let Some(index) = table.indexes.iter().find(|index| index.spec.keyspace == spec.keyspace) else { return };
    let mut buffer = Vec::with_capacity(64);
    let mut row = |document: &Document| (index.spec.key_of(document, &mut buffer), Row::of(document, spec));
    match (old.map(&mut row), new.map(&mut row)) {
        (Some((key, before)), Some((same, after))) if key == same => {
            if before != after {
                each(Change { key, before: Some(before), after: Some(after) });
            }
        }
        (old, new) => {
            if let Some((key, row)) = old {
                each(Change { key, before: Some(row), after: None });
            }
            if let Some((key, row)) = new {
                each(Change { key, before: None, after: Some(row) });
            }
        }
    }
}
