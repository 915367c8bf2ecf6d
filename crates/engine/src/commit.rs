//! Committing: one short critical section that checks, orders, logs and publishes a transaction.
//!
//! Guarantee: a transaction commits only if no commit since its snapshot changed what it read, so the commits'
//! timestamps are an order in which running them one after another gives the same answers. `ordered` is published
//! last, so a snapshot sees a commit whole or not at all.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hull_value::Timestamp;

use crate::catalog::CatalogChanges;
use crate::counters::Counts;
use crate::engine::{Engine, Inner};
use crate::error::CommitError;
use crate::fields::FieldMask;
use crate::key::{Key, Keyspace};
use crate::log::{AppendError, Head};
use crate::overlap::CommitKeys;
use crate::overlay::{Change, Dirty, KeyChange, Residency, TableStore, Write};
use crate::read_set::ReadSet;
use crate::record;
use crate::search::{SearchChange, SearchInfo};
use crate::slot::Version;
use crate::stamp;
use crate::transaction::Transaction;
use crate::writes::{Filled, Pending};

/// A transaction that took place.
#[derive(Clone, Debug)]
pub struct Committed {
    /// When: its own timestamp, or that of its snapshot if it wrote nothing. No answer may leave before this is durable.
    pub ts: Timestamp,
    /// The keys it changed; `None` if it wrote nothing.
    pub keys: Option<Arc<CommitKeys>>,
}

/// What the commit lock protects.
#[derive(Debug, Default)]
pub(crate) struct CommitState {
    pub(crate) head: Head,
    /// The commits since `recent_start`, oldest first.
    pub(crate) recent: VecDeque<Arc<CommitKeys>>,
    pub(crate) recent_start: Timestamp,
    pub(crate) recent_bytes: u64,
    /// The commits that are not told of as durable.
    pub(crate) undelivered: VecDeque<Arc<CommitKeys>>,
    /// What storage lacks.
    pub(crate) dirty: Vec<Dirty>,
    /// Bytes that storage lacks and no checkpoint has taken over, estimated.
    pub(crate) dirty_bytes: u64,
    /// Bytes that the checkpoint under way is about to write, estimated.
    pub(crate) storing_bytes: u64,
    pub(crate) closed: bool,
}

impl CommitState {
    /// Bytes that storage lacks, estimated.
    pub(crate) fn unstored(&self) -> u64 {
        self.dirty_bytes + self.storing_bytes
    }

    /// The commits after `ts`, oldest first.
    fn since(&self, ts: Timestamp) -> impl Iterator<Item = &Arc<CommitKeys>> {
        let newer = self.recent.iter().rev().take_while(|c| c.ts > ts).count();
        self.recent.range(self.recent.len() - newer..)
    }
}

/// More commits than this since the snapshot are checked before taking the lock.
const CHECK_OUTSIDE: usize = 64;
/// Up to so many are looked up in the intervals as they are.
const CHECK_UNSORTED: u64 = 4;

impl Engine {
    /// Commits a transaction. When this returns the commit is ordered; it is durable once [`Engine::durable`] has
    /// reached its timestamp.
    pub fn commit(&self, transaction: Transaction) -> Result<Committed, CommitError> {
        let committed = self.order(transaction);
        self.sync_soon();
        committed
    }

    /// As [`Engine::commit`], for callers that commit several transactions in a row and then call
    /// [`Engine::sync_soon`]: until then, and a millisecond at most, the log waits for more to sync at once.
    pub fn order(&self, transaction: Transaction) -> Result<Committed, CommitError> {
        let inner = &*self.inner;
        if inner.failed.load(Ordering::Acquire) {
            return Err(CommitError::LogFailed);
        }
        let Transaction { snapshot, commits_before, catalog: tables, mut reads, mut writes, .. } =
            transaction;
        let snapshot_ts = snapshot.ts();
        let folds = writes.take_folds();
        writes.list.retain(Pending::is_effective);
        if writes.is_empty() && folds.is_empty() {
            return Ok(Committed { ts: snapshot_ts, keys: None });
        }
        let is_catalog = |pending: &Pending| pending.table.by_id == Keyspace::CATALOG;
        let catalog: CatalogChanges = if writes.list.iter().any(is_catalog) {
            writes.list.sort_by_key(|pending| !is_catalog(pending));
            let rows = writes.list.iter().filter(|pending| is_catalog(pending));
            rows.map(|pending| (pending.key.clone(), pending.new.clone())).collect()
        } else {
            Vec::new()
        };
        let count = writes.list.len() + writes.filled.len() + folds.len();
        let indexes: usize = writes.list.iter().map(|pending| 1 + pending.table.indexes.len()).sum();
        let mut parts = Parts {
            writes: Vec::with_capacity(count),
            counts: Vec::with_capacity(count),
            keys: CommitKeys::with_room(indexes),
            record: Vec::with_capacity(8 + 192 * count),
        };
        record::begin(count, &mut parts.record);
        let stamped = stamp::take(&mut writes.list, &*tables);
        for pending in writes.list {
            parts.add(pending);
        }
        for filled in writes.filled {
            parts.fill(filled);
        }
        // Few commits are checked under the lock alone, without taking it twice; and very few without sorting.
        let since = inner.commits.load(Ordering::Relaxed).saturating_sub(commits_before);
        if since > CHECK_UNSORTED {
            reads.seal();
        }
        let checked = if since > CHECK_OUTSIDE as u64 {
            inner.check_outside(&reads, snapshot_ts)?
        } else {
            snapshot_ts
        };

        let mut guard = inner.commit.lock();
        let state = &mut *guard;
        inner.check(state, &reads, checked)?;
        if state.closed {
            return Err(CommitError::ShuttingDown);
        }
        let ts = Timestamp((state.head.timestamp.0 + 1).max(inner.clock.now().0));
        for fold in folds {
            parts.add(fold.finish(&*tables)?);
        }
        for stamped in stamped {
            parts.add(stamped.finish(ts)?);
        }
        let Parts { writes: prepared, counts, keys, record } = parts;
        let mut keys = Arc::new(keys);
        let next_catalog = if catalog.is_empty() {
            None
        } else {
            // Fails before anything is written.
            let next = inner.newest_catalog().with(&catalog, Residency::Complete);
            Some(next.map_err(|e| CommitError::Refused(e.to_string()))?)
        };
        state.head = match inner.log.push(state.head, ts, &record) {
            Ok(head) => head,
            Err(AppendError::DiskFull) => return Err(CommitError::DiskFull),
            Err(AppendError::Failed(_) | AppendError::HeadMoved(_)) => {
                inner.failed.store(true, Ordering::Release);
                return Err(CommitError::LogFailed);
            }
        };
        if let Some(next) = next_catalog {
            inner.publish_catalog(ts, next);
        }
        let floor = Timestamp(inner.trim_floor.load(Ordering::Acquire));
        let mut superseded = 0;
        for (mut write, counts) in prepared.into_iter().zip(counts) {
            // A table that this commit makes has got its place only now.
            if !write.store.by_id.is_system()
                && !catalog.is_empty()
                && let Some(table) = inner.newest_catalog().of_keyspace(write.store.by_id)
            {
                write.store = table.store.clone();
            }
            superseded += counts.apply(&write.store, &write.key, ts, floor);
            let applied = TableStore::apply(write, ts, floor, &mut state.dirty);
            superseded += applied.superseded;
            state.dirty_bytes += applied.dirtied as u64;
        }
        if let Some(keys) = Arc::get_mut(&mut keys) {
            keys.ts = ts;
            keys.superseded = u32::try_from(superseded).unwrap_or(u32::MAX);
        }
        state.recent_bytes += inner.history_cost(&keys);
        state.recent.push_back(keys.clone());
        state.undelivered.push_back(keys.clone());
        inner.trim_recent(state);
        inner.dirty_bytes.store(state.unstored(), Ordering::Relaxed);
        inner.ordered.store(ts.0, Ordering::Release);
        drop(guard);
        inner.log.wake_soon();
        inner.commits.fetch_add(1, Ordering::Relaxed);
        drop(snapshot);
        Ok(Committed { ts, keys: Some(keys) })
    }

    /// What is ordered becomes durable now.
    pub fn sync_soon(&self) {
        self.inner.log.wake();
    }

    /// Whether a transaction that read `reads` as of `since` would read the same at the newest commit. `None` if
    /// that cannot be told any more.
    pub fn is_unchanged(&self, reads: &ReadSet, since: Timestamp) -> Option<bool> {
        let state = self.inner.commit.lock();
        if since < state.recent_start {
            return None;
        }
        Some(!state.since(since).any(|commit| reads.touches(commit)))
    }
}

impl Inner {
    /// Checks all but the last commits without holding the lock for long; returns up to where.
    fn check_outside(&self, reads: &ReadSet, mut from: Timestamp) -> Result<Timestamp, CommitError> {
        loop {
            let state = self.commit.lock();
            if from < state.recent_start {
                return Err(CommitError::OutOfRetention);
            }
            let newer = state.recent.iter().rev().take_while(|c| c.ts > from).take(CHECK_OUTSIDE + 1).count();
            if newer <= CHECK_OUTSIDE {
                return Ok(from);
            }
            let first = state.recent.partition_point(|c| c.ts <= from);
            let some: Vec<_> = state.recent.range(first..).take(4096).cloned().collect();
            drop(state);
            for commit in &some {
                self.conflict(reads, commit)?;
                from = commit.ts;
            }
        }
    }

    fn check(&self, state: &CommitState, reads: &ReadSet, from: Timestamp) -> Result<(), CommitError> {
        if from < state.recent_start {
            return Err(CommitError::OutOfRetention);
        }
        for commit in state.recent.iter().rev().take_while(|c| c.ts > from) {
            self.conflict(reads, commit)?;
        }
        Ok(())
    }

    fn conflict(&self, reads: &ReadSet, commit: &CommitKeys) -> Result<(), CommitError> {
        match reads.conflict(commit) {
            Some(key) => {
                self.conflicts.fetch_add(1, Ordering::Relaxed);
                Err(CommitError::Conflict(key))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn history_cost(&self, keys: &CommitKeys) -> u64 {
        keys.memory() as u64 + u64::from(keys.superseded)
    }

    /// Drops the oldest commits beyond the bounds on history, a few at a time.
    pub(crate) fn trim_recent(&self, state: &mut CommitState) {
        let oldest_by_time = state.head.timestamp.0.saturating_sub(HISTORY_NANOSECONDS);
        let durable = self.durable.load(Ordering::Acquire);
        for _ in 0..4 {
            let Some(first) = state.recent.front() else { return };
            let kept = first.ts.0 > oldest_by_time && state.recent_bytes <= self.history_budget;
            if kept || first.ts.0 > durable {
                return;
            }
            let cost = self.history_cost(first);
            state.recent_start = first.ts;
            state.recent_bytes = state.recent_bytes.saturating_sub(cost);
            state.recent.pop_front();
        }
    }
}

/// History is kept this long at most.
pub(crate) const HISTORY_NANOSECONDS: u64 = 30_000_000_000;

/// What a commit is made of, worked out before the lock in one pass over its writes.
struct Parts {
    writes: Vec<Write>,
    /// What each of them changes in the counters of its table.
    counts: Vec<Counts>,
    keys: CommitKeys,
    record: Vec<u8>,
}

impl Parts {
    /// Adds the write of a document: only where one of an index's fields changes has the document two keys in it.
    fn add(&mut self, pending: Pending) {
        let Pending { table, key, slot, base, new, .. } = pending;
        let store = table.store.clone();
        let mut write =
            Write { store, key, slot, base, new: Some(new), keys: Vec::new(), searches: Vec::new() };
        let old = write.base.as_ref().and_then(|b| b.document.as_ref());
        let new = write.new.as_ref().and_then(|n| n.as_ref());
        self.counts.push(Counts::of(&table, old, new));
        let (changed, mask) = table.change(old, new);
        self.keys.push(table.by_id, mask, &write.key);
        let covers = |search: &&SearchInfo| old.or(new).is_some_and(|document| search.covers(document));
        let between =
            |search: &SearchInfo| SearchChange::between(&search.spec, old, new, &changed, &mut self.keys);
        write.searches = table.searches.iter().filter(covers).filter_map(between).collect();
        if let (Some(_), Some(new)) = (old, new)
            && !table.indexes.iter().any(|index| index.spec.depends_on(&changed))
        {
            for index in &table.indexes {
                self.keys.push_with(index.spec.keyspace, mask, |buffer| index.spec.write_key(new, buffer));
            }
            record::write(&write, &changed, &mut self.record);
            drop(changed);
            return self.writes.push(write);
        }
        let mut changes = Vec::with_capacity(2 * table.indexes.len());
        let mut buffer = Vec::with_capacity(64);
        for index in &table.indexes {
            let before = old.map(|d| index.spec.key_of(d, &mut buffer));
            let after = new.map(|d| index.spec.key_of(d, &mut buffer));
            let keyspace = index.spec.keyspace;
            let mut push = |change, key: Key| {
                let mask = if change == Change::Kept { mask } else { FieldMask::ALL };
                self.keys.push(keyspace, mask, &key);
                changes.push(KeyChange { keyspace, change, key });
            };
            match (before, after) {
                (Some(before), Some(after)) if before == after => push(Change::Kept, before),
                (before, after) => {
                    if let Some(before) = before {
                        push(Change::Lost, before);
                    }
                    if let Some(after) = after {
                        push(Change::Gained, after);
                    }
                }
            }
        }
        write.keys = changes;
        record::write(&write, &changed, &mut self.record);
        drop(changed);
        self.writes.push(write);
    }

    /// Adds an index entry, or an entry of a search index, that a backfill makes.
    fn fill(&mut self, filled: Filled) {
        let Filled { table, keyspace, slot, ts, document } = filled;
        let mut changes = Vec::with_capacity(table.indexes.len());
        let mut buffer = Vec::with_capacity(64);
        for index in &table.indexes {
            let key = index.spec.key_of(&document, &mut buffer);
            let change = if index.spec.keyspace == keyspace { Change::Gained } else { Change::Kept };
            if change == Change::Gained {
                self.keys.push(keyspace, FieldMask::ALL, &key);
            }
            changes.push(KeyChange { keyspace: index.spec.keyspace, change, key });
        }
        let search = table.searches.iter().find(|search| search.spec.keyspace == keyspace);
        let searches =
            search.map(|search| SearchChange::filled(&search.spec, &document)).into_iter().collect();
        let key = crate::key::key(&document.id.internal.0);
        let base = Some(Version { ts, document: Some(document) });
        let write = Write { store: table.store.clone(), key, slot, base, new: None, keys: changes, searches };
        record::write(&write, &[], &mut self.record);
        self.counts.push(Counts::default());
        self.writes.push(write);
    }
}
