//! The groups of a ranked index in the order of their sums, or counts: the same for all documents with equal declared
//! fields. As of the newest commit, and of the rows that the tree knows.

use std::collections::{BTreeMap, BTreeSet};

use hull_model::NumberKind;

use super::total::{Row, Total};
use super::tree::Change;
use crate::key::{Key, key};

/// What ends an index key: the creation time as a sort key, and the id.
const END: usize = 9 + 16;

/// The part of an index key that its group shares.
pub(crate) fn group_of(k: &[u8]) -> &[u8] {
    k.get(..k.len().saturating_sub(END)).unwrap_or_default()
}

/// A group: the sort keys of its fields, and the total of its rows.
pub(crate) type Ranked = (Key, Total);

/// The groups of an index.
#[derive(Debug, Default)]
pub(crate) struct Ranking {
    totals: BTreeMap<Key, Total>,
    order: BTreeSet<(i128, Key)>,
}

impl Ranking {
    /// Applies a change; `kind` is that of what is added up, if anything is.
    pub(crate) fn change(&mut self, change: &Change, kind: Option<NumberKind>) {
        let group = key(group_of(&change.key));
        let total = self.totals.entry(group.clone()).or_default();
        if total.count > 0 {
            self.order.remove(&(total.rank(kind), group.clone()));
        }
        apply(total, change.before, change.after, kind);
        if total.count > 0 {
            self.order.insert((total.rank(kind), group));
        } else {
            self.totals.remove(&group);
        }
    }

    /// The first groups of an order, if `changes` take place as well.
    pub(crate) fn first(
        &self,
        limit: usize,
        descending: bool,
        changes: impl Iterator<Item = Change>,
        kind: Option<NumberKind>,
    ) -> Vec<Ranked> {
        let mut touched: BTreeMap<Key, Total> = BTreeMap::new();
        for change in changes {
            let group = key(group_of(&change.key));
            let known = || self.totals.get(&group).cloned().unwrap_or_default();
            let total = touched.entry(group.clone()).or_insert_with(known);
            apply(total, change.before, change.after, kind);
        }
        let mut found: Vec<(i128, Key)> = touched
            .iter()
            .filter(|(_, total)| total.count > 0)
            .map(|(group, total)| (total.rank(kind), group.clone()))
            .collect();
        let others = self.order.iter().filter(|(_, group)| !touched.contains_key(group));
        if descending {
            found.extend(others.rev().take(limit).cloned());
            found.sort_unstable_by(|a, b| b.cmp(a));
        } else {
            found.extend(others.take(limit).cloned());
            found.sort_unstable();
        }
        found.truncate(limit);
        let total = |group: &Key| touched.get(group).or_else(|| self.totals.get(group)).cloned();
        found.into_iter().filter_map(|(_, group)| total(&group).map(|total| (group, total))).collect()
    }
}

fn apply(total: &mut Total, before: Option<Row>, after: Option<Row>, kind: Option<NumberKind>) {
    // Without numbers the kind is of no account.
    let kind = kind.unwrap_or(NumberKind::Float64);
    if let Some(row) = before {
        total.remove(row, kind);
    }
    if let Some(row) = after {
        total.add(row, kind);
    }
}
