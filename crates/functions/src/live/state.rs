//! The bookkeeping of live queries, with no IO and no clock: events in, [`Effects`] out.
//!
//! - A distinct query runs once for all who hold it, and again only when a durable commit touches what it read.
//! - A query that reads pages runs again with the journal of its first run, so that its pages end where they ended; who
//!   comes later begins afresh.
//! - A session moves to the newest durable timestamp at which every one of its results holds.
//! - A session is woken only when there is something to send to it: a result that differs from what it was sent, an
//!   answer whose group is durable, or a change of its own subscriptions.
//! - A query that is still running delays only the sessions that hold it. The timestamp it runs at is pinned, so that
//!   the other results of those sessions at that timestamp are still there when it ends; and of two slow queries in a
//!   session the second runs at the timestamp of the first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use hull_engine::{CommitKeys, IntervalIndex};
use hull_value::Timestamp;
use tokio::sync::Notify;

use super::entry::{Entry, EntryId, Held, Pins, QueryKey, SessionId};
use super::subscriptions::{Session, same};
use crate::identity::Identity;
use crate::outcome::{QueryOutcome, QueryResult};

/// What the caller of the state has to do after it let go of the lock.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) starts: Vec<Start>,
    pub(super) wakes: Vec<Arc<Notify>>,
}

/// A query to run; [`State::finish`] must follow.
pub(super) struct Start {
    pub(super) entry: EntryId,
    pub(super) run: u64,
    pub(super) key: Arc<QueryKey>,
    pub(super) identity: Identity,
    pub(super) at: Timestamp,
}

/// What has a number of ours. Nobody else chooses the numbers, so they need no hash that withstands an attacker.
pub(super) type Numbered<T> = HashMap<u64, T, BuildHasherDefault<NumberHasher>>;

/// Spreads a number by one multiplication (Knuth's, with the golden ratio).
#[derive(Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// All live queries and all sessions.
pub(super) struct State {
    pub(super) durable: Timestamp,
    pub(super) failed: bool,
    pub(super) next: u64,
    pub(super) entries: Numbered<Entry>,
    pub(super) by_key: HashMap<Arc<QueryKey>, Vec<EntryId>>,
    pub(super) sessions: Numbered<Session>,
    pub(super) index: IntervalIndex<EntryId>,
    pub(super) answers: BinaryHeap<Reverse<(Timestamp, SessionId)>>,
    pub(super) pins: Pins,
    /// Timestamps of the runs that have not ended.
    pub(super) running: Pins,
    /// Commits newer than the oldest run that has not ended.
    pub(super) recent: VecDeque<Arc<CommitKeys>>,
    pub(super) unused: BTreeMap<u64, EntryId>,
    pub(super) unused_bytes: usize,
    pub(super) cache_bytes: usize,
}

impl State {
    pub(super) fn new(durable: Timestamp, cache_bytes: usize) -> State {
        State {
            durable,
            failed: false,
            next: 0,
            entries: Numbered::default(),
            by_key: HashMap::new(),
            sessions: Numbered::default(),
            index: IntervalIndex::new(),
            answers: BinaryHeap::new(),
            pins: Pins::new(),
            running: Pins::new(),
            recent: VecDeque::new(),
            unused: BTreeMap::new(),
            unused_bytes: 0,
            cache_bytes,
        }
    }

    pub(super) fn durable(&self) -> Timestamp {
        self.durable
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Distinct queries: all that are kept, those that somebody holds, bytes of those that nobody holds, sessions.
    pub(super) fn counts(&self) -> (usize, usize, usize, usize) {
        (self.entries.len(), self.entries.len() - self.unused.len(), self.unused_bytes, self.sessions.len())
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A group of commits has become durable.
    pub(super) fn group(
        &mut self,
        commits: &[Arc<CommitKeys>],
        durable: Timestamp,
        now: f64,
        effects: &mut Effects,
    ) {
        if self.failed {
            return;
        }
        self.durable = self.durable.max(durable);
        let mut touched: Vec<(EntryId, Timestamp)> = Vec::new();
        for commit in commits {
            self.index.stab(commit, |id| touched.push((*id, commit.ts)));
        }
        if !self.running.is_empty() {
            self.recent.extend(commits.iter().cloned());
        }
        for (id, ts) in touched {
            let Some(entry) = self.entries.get(&id) else { continue };
            if entry.current().is_none_or(|held| ts <= held.from) {
                continue;
            }
            self.invalidate(id, ts);
            self.rerun(id, now, effects);
        }
        while let Some(Reverse((ts, session))) = self.answers.peek().copied() {
            if ts > self.durable {
                break;
            }
            self.answers.pop();
            self.due(session, effects);
        }
    }

    /// The log has failed: nothing is answered and nothing is pushed any more.
    pub(super) fn fail(&mut self, effects: &mut Effects) {
        self.failed = true;
        for entry in self.entries.values_mut() {
            entry.waiters.clear();
        }
        effects.wakes.extend(self.sessions.values().map(|session| session.notify.clone()));
    }

    /// A run that was started has ended; one that was given up before is ignored.
    pub(super) fn finish(
        &mut self,
        id: EntryId,
        run: u64,
        outcome: QueryOutcome,
        now: f64,
        effects: &mut Effects,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some((_, at)) = entry.running.take_if(|(running, _)| *running == run) else { return };
        let until = self.first_touch(&outcome.reads, outcome.ts);
        unpin(&mut self.running, at);
        unpin(&mut self.pins, at);
        self.forget_commits();
        if outcome.observed.identity {
            self.bind(id, now, effects);
        }
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let mut held = Held {
            from: outcome.ts,
            until,
            result: outcome.result,
            reads: outcome.reads,
            observed: outcome.observed,
            ran_at: now,
        };
        match &entry.indexed {
            _ if until.is_some() => {}
            Some(same) if same.intervals() == held.reads.intervals() => held.reads = same.clone(),
            _ => {
                self.index.insert(&held.reads, id);
                if let Some(old) = entry.indexed.replace(held.reads.clone()) {
                    self.index.remove(&old, &id);
                }
            }
        }
        entry.push(held, &self.pins);
        self.serve_waiters(id);
        let Some(entry) = self.entries.get(&id) else { return };
        let holders = entry.holders.clone();
        let result = entry.results.back().map(|held| held.result.clone());
        let current = until.is_none();
        for (session, query) in holders {
            self.deliver(session, query, result.as_ref(), current, effects);
        }
        let id = if current { id } else { self.follow_journal(id, now, effects) };
        match self.entries.get(&id) {
            Some(entry) if entry.current().is_some() => self.release(id),
            Some(entry) if entry.is_wanted() => {
                let at = self.meeting(entry).unwrap_or(self.durable);
                self.start_at(id, at, effects);
            }
            _ => self.release_touched(id),
        }
    }

    /// Tells a holder of a new result.
    pub(super) fn deliver(
        &mut self,
        id: SessionId,
        query: u32,
        result: Option<&Arc<QueryResult>>,
        current: bool,
        effects: &mut Effects,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if current {
            session.stale -= 1;
        }
        if !session.pending
            && let Some(subscription) = session.subscriptions.get(&query)
            && !same(subscription.sent.as_ref(), result)
        {
            session.pending = true;
        }
        if !session.pending {
            return;
        }
        if session.stale == 0 {
            effects.wakes.push(session.notify.clone());
            return;
        }
        // Another of its queries is still running: there may be an older timestamp to move to.
        let Some(session) = self.sessions.get(&id) else { return };
        if session.pin.is_some() {
            return;
        }
        if let Some(ts) = self.common(session)
            && ts >= session.ts
            && (session.answer > session.ts && ts > session.ts
                || session
                    .subscriptions
                    .values()
                    .any(|s| !same(s.sent.as_ref(), self.result_at(s.entry, ts))))
        {
            pin(&mut self.pins, ts);
            if let Some(session) = self.sessions.get_mut(&id) {
                session.pin = Some(ts);
                effects.wakes.push(session.notify.clone());
            }
        }
    }
}

pub(super) fn pin(pins: &mut Pins, ts: Timestamp) {
    *pins.entry(ts).or_insert(0) += 1;
}

pub(super) fn unpin(pins: &mut Pins, ts: Timestamp) {
    if let Some(count) = pins.get_mut(&ts) {
        *count -= 1;
        if *count == 0 {
            pins.remove(&ts);
        }
    }
}
