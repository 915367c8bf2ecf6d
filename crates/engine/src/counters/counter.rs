//! The counters of one index: the tree as of the newest commit, and the changes back to the oldest snapshot, so that the
//! state at any snapshot follows from it.
//!
//! Commits change them under the commit lock, before the commit can be seen; so whoever has a snapshot finds everything
//! up to it applied, and what came after it among the changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hull_model::NumberKind;
use hull_value::Timestamp;
use parking_lot::RwLock;

use super::CounterSpec;
use super::ranking::{Ranked, Ranking};
use super::total::{Row, Total, ordered};
use super::tree::{Change, Hole, LeafAt, NEW_ROWS, Node, Tree};
use crate::key::Key;

/// What a change takes in memory while it is kept.
const CHANGE_BYTES: usize = size_of::<(Timestamp, Change)>();

/// The counters of one index.
#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) spec: CounterSpec,
    /// The changes since then are known.
    since: Timestamp,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    tree: Tree,
    ranking: Option<Ranking>,
    changes: VecDeque<(Timestamp, Change)>,
}

/// A row that is not the same in the tree, at the snapshot and for a transaction that has written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Differs {
    /// In the tree.
    pub(crate) now: Option<Row>,
    /// At the snapshot.
    pub(crate) then: Option<Row>,
    /// At the snapshot, with the transaction's own writes.
    pub(crate) seen: Option<Row>,
}

/// The rows that differ, by key.
pub(crate) type Differences = BTreeMap<Key, Differs>;

/// What the counters say about a range.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    /// What has to be read instead.
    pub(crate) holes: Vec<Hole>,
    pub(crate) differences: Differences,
}

/// A row that has to be looked for among the rows of a leaf.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) leaf: Hole,
    /// How many rows of the leaf are before it.
    pub(crate) before: i64,
    pub(crate) differences: Differences,
}

impl Differs {
    /// Whether so many more rows are seen than the tree has.
    fn rows(&self) -> i64 {
        i64::from(self.seen.is_some()) - i64::from(self.now.is_some())
    }
}

/// Whether a key lies in a range.
fn is_in(k: &[u8], (start, end): (&[u8], Option<&[u8]>)) -> bool {
    k >= start && end.is_none_or(|end| k < end)
}

/// Whether a key lies in one of some ascending ranges.
fn is_in_any(k: &[u8], holes: &[Hole]) -> bool {
    let at = holes.partition_point(|(start, _)| start[..] <= *k);
    let hole = at.checked_sub(1).and_then(|at| holes.get(at));
    hole.is_some_and(|(_, end)| end.as_ref().is_none_or(|end| *k < end[..]))
}

impl State {
    /// The rows of a range that differ at `ts`, and for a transaction with these writes.
    fn differences(&self, ts: Timestamp, range: (&[u8], Option<&[u8]>), own: &[Change]) -> Differences {
        let mut all = Differences::new();
        for (_, change) in self.changes.iter().rev().take_while(|(at, _)| *at > ts) {
            if is_in(&change.key, range) {
                let newest = Differs { now: change.after, then: None, seen: None };
                let differs = all.entry(change.key.clone()).or_insert(newest);
                (differs.then, differs.seen) = (change.before, change.before);
            }
        }
        for change in own.iter().filter(|change| is_in(&change.key, range)) {
            let base = Differs { now: change.before, then: change.before, seen: None };
            all.entry(change.key.clone()).or_insert(base).seen = change.after;
        }
        all
    }
}

impl Counter {
    /// Counters that know nothing yet, from a commit on.
    pub(crate) fn new(spec: CounterSpec, since: Timestamp) -> Arc<Self> {
        let state = State {
            tree: Tree::new(spec.kind()),
            ranking: spec.ranked.then(Ranking::default),
            changes: VecDeque::new(),
        };
        Arc::new(Self { spec, since, state: RwLock::new(state) })
    }

    /// Whether every row is known.
    pub(crate) fn is_known(&self) -> bool {
        self.state.read().tree.is_known()
    }

    /// Whether they can tell about a snapshot.
    pub(crate) fn reaches(&self, ts: Timestamp) -> bool {
        self.since <= ts
    }

    /// Applies a change of the commit at `ts`, keeping what snapshots at `floor` or above need; returns the bytes kept.
    pub(crate) fn apply(&self, change: Change, ts: Timestamp, floor: Timestamp) -> usize {
        let mut guard = self.state.write();
        let state = &mut *guard;
        state.change(&change, self.spec.number_kind());
        state.changes.push_back((ts, change));
        // Two at a time, so that what has gathered while a snapshot was held goes bit by bit.
        for _ in 0..2 {
            if state.changes.front().is_some_and(|(ts, _)| *ts <= floor) {
                state.changes.pop_front();
            }
        }
        CHANGE_BYTES
    }

    /// Forgets changes that no snapshot at or above `floor` needs.
    pub(crate) fn trim(&self, floor: Timestamp) {
        if self.state.read().changes.front().is_none_or(|(ts, _)| *ts > floor) {
            return;
        }
        let mut state = self.state.write();
        let gone = state.changes.partition_point(|(ts, _)| *ts <= floor).min(10_000);
        state.changes.drain(..gone);
        if state.changes.capacity() > 1024 && state.changes.len() < state.changes.capacity() / 4 {
            state.changes.shrink_to_fit();
        }
    }

    /// The total of a range at `ts` for a transaction with these writes, but for the holes, of which only what differs
    /// there between the snapshot and the transaction is in it.
    pub(crate) fn total(
        &self,
        ts: Timestamp,
        range: (&[u8], Option<&[u8]>),
        own: &[Change],
    ) -> Answer<Total> {
        let state = self.state.read();
        let mut holes = Vec::new();
        let mut value = state.tree.total(range.0, range.1, &mut holes);
        let differences = state.differences(ts, range, own);
        drop(state);
        let kind = self.spec.kind();
        for (k, differs) in &differences {
            let before = if is_in_any(k, &holes) { differs.then } else { differs.now };
            if let Some(row) = before {
                value.remove(row, kind);
            }
            if let Some(row) = differs.seen {
                value.add(row, kind);
            }
        }
        Answer { value, holes, differences }
    }

    /// The least or the greatest number of a range as ordered bits, at `ts` for a transaction with these writes, but for the
    /// holes, where only rows that are not among the differences are left to be looked at.
    pub(crate) fn extreme(
        &self,
        ts: Timestamp,
        range: (&[u8], Option<&[u8]>),
        greatest: bool,
        own: &[Change],
    ) -> Answer<Option<u64>> {
        let kind = self.spec.kind();
        let number = |row: Option<Row>| row.and_then(Row::number).map(|bits| ordered(bits, kind));
        let state = self.state.read();
        let differences = state.differences(ts, range, own);
        let avoided: Vec<(Key, u64)> =
            differences.iter().filter_map(|(k, d)| Some((k.clone(), number(d.now)?))).collect();
        let mut holes = Vec::new();
        let known = state.tree.extreme(range, greatest, &avoided, &mut holes);
        drop(state);
        let seen = differences.values().filter_map(|differs| number(differs.seen)).chain(known);
        let value = if greatest { seen.max() } else { seen.min() };
        Answer { value, holes, differences }
    }

    /// Where the row of this rank among all rows of the index is, at `ts` for a transaction with these writes. `None`: there
    /// are not so many rows; an error: not all rows are known.
    pub(crate) fn select(&self, ts: Timestamp, rank: i64, own: &[Change]) -> Result<Option<Place>, NotKnown> {
        let state = self.state.read();
        if !state.tree.is_known() {
            return Err(NotKnown);
        }
        let differences = state.differences(ts, (&[], None), own);
        // How many rows more are seen up to each of the keys.
        let mut shifts: Vec<(&Key, i64)> = Vec::with_capacity(differences.len());
        let mut more = 0;
        for (k, differs) in &differences {
            more += differs.rows();
            shifts.push((k, more));
        }
        let before = |k: &[u8]| {
            let at = shifts.partition_point(|(other, _)| other[..] < *k);
            at.checked_sub(1).and_then(|at| shifts.get(at)).map_or(0, |(_, more)| *more)
        };
        let shift = |start: &[u8], end: Option<&[u8]>| end.map_or(more, &before) - before(start);
        let found = state.tree.select(rank, &shift);
        drop(state);
        Ok(found.map(|(leaf, before)| Place { leaf, before, differences }))
    }

    /// The first groups of an order, at `ts` for a transaction with these writes.
    pub(crate) fn first_groups(
        &self,
        ts: Timestamp,
        (limit, descending): (usize, bool),
        own: &[Change],
    ) -> Result<Vec<Ranked>, NotKnown> {
        let state = self.state.read();
        let Some(ranking) = state.ranking.as_ref().filter(|_| state.tree.is_known()) else {
            return Err(NotKnown);
        };
        let differences = state.differences(ts, (&[], None), own);
        let changes = differences.into_iter().map(|(key, differs)| Change {
            key,
            before: differs.now,
            after: differs.seen,
        });
        Ok(ranking.first(limit, descending, changes, self.spec.number_kind()))
    }

    /// A leaf that is to be read, which keeps its bounds until [`Counter::finish`]; `None` while one is being read already.
    pub(crate) fn begin(&self) -> Option<LeafAt> {
        let mut state = self.state.write();
        if state.tree.pinned.is_some() {
            return None;
        }
        let leaf = state.tree.next_work()?;
        state.tree.pinned = Some(leaf.start.clone());
        Some(leaf)
    }

    /// Gives up reading a leaf.
    pub(crate) fn abandon(&self, leaf: &LeafAt) {
        let mut state = self.state.write();
        state.tree.pinned = None;
        if !leaf.unknown {
            let again = state.tree.leaf_at(&leaf.start).start;
            state.tree.put_off(again);
        }
    }

    /// Replaces a leaf by leaves of the rows that were read of it at `ts`, brought up to date; `reached` is the first key that
    /// was not read, if there is one.
    pub(crate) fn finish(&self, leaf: &LeafAt, ts: Timestamp, rows: &[(Key, Row)], reached: Option<Key>) {
        let (kind, number_kind) = (self.spec.kind(), self.spec.number_kind());
        let mut leaves: Vec<Node> = rows
            .chunks(NEW_ROWS)
            .enumerate()
            .map(|(at, rows)| {
                let first = rows.first().filter(|_| at > 0).map_or(&leaf.start, |(k, _)| k);
                Node::leaf(first.clone(), rows, kind)
            })
            .collect();
        if leaves.is_empty() {
            leaves.push(Node::leaf(leaf.start.clone(), &[], kind));
        }
        let end = reached.clone().or_else(|| leaf.end.clone());
        leaves.extend(reached.map(Node::unknown));
        let mut guard = self.state.write();
        let State { tree, ranking, changes } = &mut *guard;
        tree.replace(&leaf.start, leaves);
        tree.pinned = None;
        if leaf.unknown
            && let Some(ranking) = ranking
        {
            for (key, row) in rows {
                let change = Change { key: key.clone(), before: None, after: Some(*row) };
                ranking.change(&change, number_kind);
            }
        }
        let range = (&leaf.start[..], end.as_ref().map(|end| &end[..]));
        let first = changes.partition_point(|(at, _)| *at <= ts);
        for (_, change) in changes.range(first..).filter(|(_, change)| is_in(&change.key, range)) {
            let known = tree.change(change);
            if known
                && leaf.unknown
                && let Some(ranking) = ranking
            {
                ranking.change(change, number_kind);
            }
        }
    }
}

/// Not every row is known yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotKnown;

impl State {
    fn change(&mut self, change: &Change, kind: Option<NumberKind>) {
        let known = self.tree.change(change);
        if known && let Some(ranking) = &mut self.ranking {
            ranking.change(change, kind);
        }
    }
}
