//! The bookkeeping of live queries, with no IO and no clock: events in, [`Effects`] out.
//!
//! - A distinct query runs once for all who hold it, and again only when a durable commit touches what it read.
//! - A session moves to the newest durable timestamp at which every one of its results holds.
//! - A session is woken only when there is something to send to it: a result that differs from what it was sent, an
//!   answer whose group is durable, or a change of its own subscriptions.
//! - A query that is still running delays only the sessions that hold it. The timestamp it runs at is pinned, so that
//!   the other results of those sessions at that timestamp are still there when it ends; and of two slow queries in a
//!   session the second runs at the timestamp of the first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use hull_engine::{CommitKeys, IntervalIndex, ReadSet};
use hull_value::Timestamp;
use tokio::sync::Notify;

use super::entry::{Entry, EntryId, Held, Pins, QueryKey, SessionId, Waiter};
use crate::identity::Identity;
use crate::outcome::{QueryOutcome, QueryResult};

/// How long a result that depends on the time may be given to newcomers, in milliseconds.
const TIME_RULE_MS: f64 = 17_000.0;

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

/// Where a session stands and what changed since it last looked.
#[derive(Clone, Debug)]
pub struct Step {
    /// Every result of the session, listed here or sent before, is that of this timestamp.
    pub ts: Timestamp,
    /// The results that differ from what was sent before, by query.
    pub updates: Vec<(u32, Arc<QueryResult>)>,
}

struct Session {
    identity: Identity,
    subscriptions: BTreeMap<u32, Subscription>,
    /// How many of its queries hold no result at the durable timestamp.
    stale: usize,
    ts: Timestamp,
    /// Keeps the results of this timestamp until the session has fetched them.
    pin: Option<Timestamp>,
    /// Whether there is something to send.
    pending: bool,
    /// The newest answer that waits.
    answer: Timestamp,
    notify: Arc<Notify>,
}

struct Subscription {
    entry: EntryId,
    sent: Option<Arc<QueryResult>>,
}

/// All live queries and all sessions.
pub(super) struct State {
    durable: Timestamp,
    failed: bool,
    next: u64,
    entries: HashMap<EntryId, Entry>,
    by_key: HashMap<Arc<QueryKey>, Vec<EntryId>>,
    sessions: HashMap<SessionId, Session>,
    index: IntervalIndex<EntryId>,
    answers: BinaryHeap<Reverse<(Timestamp, SessionId)>>,
    pins: Pins,
    /// Timestamps of the runs that have not ended.
    running: Pins,
    /// Commits newer than the oldest run that has not ended.
    recent: VecDeque<Arc<CommitKeys>>,
    unused: BTreeMap<u64, EntryId>,
    unused_bytes: usize,
    cache_bytes: usize,
}

impl State {
    pub(super) fn new(durable: Timestamp, cache_bytes: usize) -> State {
        State {
            durable,
            failed: false,
            next: 0,
            entries: HashMap::new(),
            by_key: HashMap::new(),
            sessions: HashMap::new(),
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

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn open(&mut self, identity: Identity, notify: Arc<Notify>) -> SessionId {
        let id = self.number();
        let session = Session {
            identity,
            subscriptions: BTreeMap::new(),
            stale: 0,
            ts: Timestamp(0),
            pin: None,
            pending: false,
            answer: Timestamp(0),
            notify,
        };
        self.sessions.insert(id, session);
        id
    }

    pub(super) fn close(&mut self, session: SessionId) {
        let Some(closed) = self.sessions.get(&session) else { return };
        for query in closed.subscriptions.keys().copied().collect::<Vec<_>>() {
            self.unsubscribe(session, query);
        }
        if let Some(pin) = self.sessions.remove(&session).and_then(|session| session.pin) {
            unpin(&mut self.pins, pin);
        }
    }

    /// Subscribes; `false` if the session holds a query of this number already.
    pub(super) fn subscribe(
        &mut self,
        session: SessionId,
        query: u32,
        key: QueryKey,
        now: f64,
        effects: &mut Effects,
    ) -> bool {
        match self.sessions.get(&session) {
            Some(known) if !known.subscriptions.contains_key(&query) => {}
            _ => return false,
        }
        self.attach(session, query, key, None, now, effects);
        true
    }

    /// Unsubscribes; `false` if the session holds no query of this number.
    pub(super) fn unsubscribe(&mut self, session: SessionId, query: u32) -> bool {
        let detached = self.detach(session, query).is_some();
        if let Some(session) = self.sessions.get_mut(&session) {
            session.pending = true;
        }
        detached
    }

    /// Changes on whose behalf a session asks. `rekey` gives the key that each of its queries now has.
    pub(super) fn set_identity(
        &mut self,
        session: SessionId,
        identity: Identity,
        rekey: impl Fn(&QueryKey, &Identity) -> QueryKey,
        now: f64,
        effects: &mut Effects,
    ) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.pending = true;
        if known.identity == identity {
            return;
        }
        known.identity = identity.clone();
        let held: Vec<(u32, EntryId)> =
            known.subscriptions.iter().map(|(query, s)| (*query, s.entry)).collect();
        for (query, entry) in held {
            let Some(entry) = self.entries.get(&entry) else { continue };
            let key = rekey(&entry.key, &identity);
            if (!entry.bound || entry.identity == identity) && key == *entry.key {
                continue;
            }
            let sent = self.detach(session, query).flatten();
            self.attach(session, query, key, sent, now, effects);
        }
    }

    fn attach(
        &mut self,
        session: SessionId,
        query: u32,
        key: QueryKey,
        sent: Option<Arc<QueryResult>>,
        now: f64,
        effects: &mut Effects,
    ) {
        let Some(known) = self.sessions.get(&session) else { return };
        let identity = known.identity.clone();
        let id = self.find(key, identity, now);
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.holders.push((session, query));
        let stale = entry.current().is_none();
        if let Some(known) = self.sessions.get_mut(&session) {
            known.subscriptions.insert(query, Subscription { entry: id, sent });
            known.pending = true;
            known.stale += usize::from(stale);
        }
        if stale {
            self.start(id, effects);
        }
    }

    fn detach(&mut self, session: SessionId, query: u32) -> Option<Option<Arc<QueryResult>>> {
        let known = self.sessions.get_mut(&session)?;
        let subscription = known.subscriptions.remove(&query)?;
        if let Some(entry) = self.entries.get_mut(&subscription.entry) {
            entry.holders.retain(|holder| *holder != (session, query));
            if entry.current().is_none() {
                known.stale -= 1;
            }
            self.release(subscription.entry);
        }
        Some(subscription.sent)
    }

    /// The entry for a key and an identity, made if there is none; in use from now on.
    fn find(&mut self, key: QueryKey, identity: Identity, now: f64) -> EntryId {
        let same = self.by_key.get(&key).map_or(&[][..], Vec::as_slice);
        let found = same
            .iter()
            .filter_map(|id| self.entries.get(id).map(|entry| (*id, entry)))
            .filter(|(_, entry)| !entry.bound || entry.identity == identity)
            .max_by_key(|(_, entry)| entry.bound)
            .map(|(id, _)| id);
        if let Some(id) = found {
            self.expire(id, now);
            if let Some(entry) = self.entries.get_mut(&id) {
                if let Some((tick, weight)) = entry.unused.take() {
                    self.unused.remove(&tick);
                    self.unused_bytes -= weight;
                }
                return id;
            }
        }
        let id = self.number();
        let key = Arc::new(key);
        self.entries.insert(id, Entry::new(key.clone(), identity));
        self.by_key.entry(key).or_default().push(id);
        id
    }

    /// The time rule: a result that looked at the clock is not given to newcomers for long.
    fn expire(&mut self, id: EntryId, now: f64) {
        let Some(held) = self.entries.get(&id).and_then(Entry::current) else { return };
        if held.observed.time && now - held.ran_at > TIME_RULE_MS {
            self.invalidate(id, self.durable);
        }
    }

    /// Ends the current result at `until`.
    fn invalidate(&mut self, id: EntryId, until: Timestamp) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(held) = entry.results.back_mut().filter(|held| held.until.is_none()) else { return };
        held.until = Some(until);
        self.index.remove(&held.reads, &id);
        for (session, _) in &entry.holders {
            if let Some(session) = self.sessions.get_mut(session) {
                session.stale += 1;
            }
        }
    }

    fn start(&mut self, id: EntryId, effects: &mut Effects) {
        self.start_at(id, self.durable, effects);
    }

    fn start_at(&mut self, id: EntryId, at: Timestamp, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.running.is_some() || self.failed {
            return;
        }
        self.next += 1;
        let run = self.next;
        entry.running = Some((run, at));
        pin(&mut self.running, at);
        pin(&mut self.pins, at);
        effects.starts.push(Start {
            entry: id,
            run,
            key: entry.key.clone(),
            identity: entry.identity.clone(),
            at,
        });
    }

    /// Keeps an entry that nobody wants any more as a cached result, or drops it.
    fn release(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.is_wanted() || entry.running.is_some() || entry.unused.is_some() {
            return;
        }
        if entry.current().is_some_and(|held| held.result.value.is_ok()) {
            let weight = entry.weight();
            self.next += 1;
            entry.unused = Some((self.next, weight));
            self.unused.insert(self.next, id);
            self.unused_bytes += weight;
            while self.unused_bytes > self.cache_bytes
                && let Some((_, oldest)) = self.unused.first_key_value()
            {
                self.drop_entry(*oldest);
            }
        } else {
            self.drop_entry(id);
        }
    }

    fn drop_entry(&mut self, id: EntryId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        if let Some((tick, weight)) = entry.unused {
            self.unused.remove(&tick);
            self.unused_bytes -= weight;
        }
        if let Some(held) = entry.current() {
            self.index.remove(&held.reads, &id);
        }
        if let Some(same) = self.by_key.get_mut(&entry.key) {
            same.retain(|other| *other != id);
            if same.is_empty() {
                self.by_key.remove(&entry.key);
            }
        }
    }

    /// The result at the durable timestamp, if there is one; otherwise the waiter is sent it.
    pub(super) fn ask(
        &mut self,
        key: QueryKey,
        identity: Identity,
        now: f64,
        sender: tokio::sync::oneshot::Sender<(Timestamp, Arc<QueryResult>)>,
        effects: &mut Effects,
    ) {
        let id = self.find(key, identity.clone(), now);
        let durable = self.durable;
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Some(held) = entry.current() {
            // Whoever asked may have gone away; that is no concern of ours.
            let _ = sender.send((durable, held.result.clone()));
            self.release(id);
        } else {
            entry.waiters.push(Waiter { identity, at_least: durable, sender });
            self.start(id, effects);
        }
    }

    /// The result of a query at a timestamp, if it is at hand.
    pub(super) fn peek(
        &self,
        key: &QueryKey,
        identity: &Identity,
        ts: Timestamp,
    ) -> Option<Arc<QueryResult>> {
        self.by_key
            .get(key)?
            .iter()
            .filter_map(|id| self.entries.get(id))
            .filter(|entry| !entry.bound || entry.identity == *identity)
            .filter(|entry| entry.bound || entry.running.is_none() || !entry.results.is_empty())
            .find_map(|entry| entry.at(ts))
            .filter(|held| !held.observed.time)
            .map(|held| held.result.clone())
    }

    /// A group of commits has become durable.
    pub(super) fn group(&mut self, commits: &[Arc<CommitKeys>], durable: Timestamp, effects: &mut Effects) {
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
            let wanted = entry.is_wanted();
            self.invalidate(id, ts);
            if wanted {
                self.start(id, effects);
            } else {
                self.release_touched(id);
            }
        }
        while let Some(Reverse((ts, session))) = self.answers.peek().copied() {
            if ts > self.durable {
                break;
            }
            self.answers.pop();
            self.due(session, effects);
        }
    }

    fn release_touched(&mut self, id: EntryId) {
        if self.entries.get(&id).is_some_and(|entry| entry.running.is_none()) {
            self.drop_entry(id);
        }
    }

    fn due(&mut self, session: SessionId, effects: &mut Effects) {
        let Some(session) = self.sessions.get_mut(&session) else { return };
        session.pending = true;
        if session.stale == 0 {
            effects.wakes.push(session.notify.clone());
        }
    }

    /// The log has failed: nothing is answered and nothing is pushed any more.
    pub(super) fn fail(&mut self, effects: &mut Effects) {
        self.failed = true;
        effects.wakes.extend(self.sessions.values().map(|session| session.notify.clone()));
    }

    /// The session has an answer that may be sent once `ts` is durable; it is woken then.
    pub(super) fn answer(&mut self, session: SessionId, ts: Timestamp, effects: &mut Effects) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.answer = known.answer.max(ts);
        if ts <= self.durable {
            self.due(session, effects);
        } else {
            self.answers.push(Reverse((ts, session)));
        }
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
        let held = Held {
            from: outcome.ts,
            until,
            result: outcome.result,
            reads: outcome.reads,
            observed: outcome.observed,
            ran_at: now,
        };
        if until.is_none() {
            self.index.insert(&held.reads, id);
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
        match self.entries.get(&id) {
            Some(entry) if !current && entry.is_wanted() => {
                let at = self.meeting(entry).unwrap_or(self.durable);
                self.start_at(id, at, effects);
            }
            _ if current => self.release(id),
            _ => self.release_touched(id),
        }
    }

    /// The timestamp at which a query that is touched while it runs should run again, so that it meets another slow
    /// query of a session that holds both: they would miss each other for ever if each took the newest.
    fn meeting(&self, entry: &Entry) -> Option<Timestamp> {
        let last = entry.results.back()?;
        let first = last.until?.max(Timestamp(last.from.0 + 1));
        self.running.range(first..).next()?;
        entry
            .holders
            .iter()
            .filter_map(|(session, _)| self.sessions.get(session))
            .flat_map(|session| session.subscriptions.values())
            .filter_map(|subscription| self.entries.get(&subscription.entry)?.running)
            .map(|(_, at)| at)
            .filter(|at| *at >= first)
            .max()
    }

    /// Tells a holder of a new result.
    fn deliver(
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

    fn result_at(&self, entry: EntryId, ts: Timestamp) -> Option<&Arc<QueryResult>> {
        self.entries.get(&entry).and_then(|entry| entry.at(ts)).map(|held| &held.result)
    }

    /// The newest timestamp at which all results of a session hold.
    fn common(&self, session: &Session) -> Option<Timestamp> {
        let mut ts = self.durable;
        loop {
            let before = ts;
            for subscription in session.subscriptions.values() {
                ts = self.entries.get(&subscription.entry)?.newest(ts)?;
            }
            if ts == before {
                return Some(ts);
            }
        }
    }

    /// Where the session can move to. `None`: it can't yet, and is woken when it can.
    pub(super) fn poll(&mut self, id: SessionId) -> Option<Step> {
        let session = self.sessions.get(&id).filter(|_| !self.failed)?;
        let ts = match session.stale {
            0 => self.durable,
            _ => self.common(session)?,
        };
        if ts < session.ts {
            return None;
        }
        let mut updates = Vec::new();
        for (query, subscription) in &session.subscriptions {
            let result = self.result_at(subscription.entry, ts)?;
            if !same(subscription.sent.as_ref(), Some(result)) {
                updates.push((*query, result.clone()));
            }
        }
        let stale = session.stale > 0;
        if stale && ts == session.ts && updates.is_empty() {
            return None;
        }
        let session = self.sessions.get_mut(&id)?;
        for (query, result) in &updates {
            if let Some(subscription) = session.subscriptions.get_mut(query) {
                subscription.sent = Some(result.clone());
            }
        }
        session.ts = ts;
        session.pending = stale && session.answer > ts;
        if let Some(pin) = session.pin.take() {
            unpin(&mut self.pins, pin);
        }
        Some(Step { ts, updates })
    }

    /// The results of this entry turned out to depend on the identity: those who are somebody else go elsewhere.
    fn bind(&mut self, id: EntryId, now: f64, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if std::mem::replace(&mut entry.bound, true) {
            return;
        }
        let identity = entry.identity.clone();
        let key = entry.key.clone();
        let strangers: Vec<(SessionId, u32)> = entry
            .holders
            .iter()
            .copied()
            .filter(|(session, _)| self.sessions.get(session).is_some_and(|s| s.identity != identity))
            .collect();
        let waiters = std::mem::take(&mut entry.waiters);
        let (own, others) = waiters.into_iter().partition(|waiter| waiter.identity == identity);
        entry.waiters = own;
        // Held on to while its holders leave.
        entry.running = Some((0, self.durable));
        for (session, query) in strangers {
            let sent = self.detach(session, query).flatten();
            self.attach(session, query, (*key).clone(), sent, now, effects);
        }
        for waiter in others {
            self.ask((*key).clone(), waiter.identity, now, waiter.sender, effects);
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.running = None;
        }
    }

    fn serve_waiters(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(held) = entry.results.back() else { return };
        let newest = held.until.map_or(self.durable, |until| Timestamp(until.0 - 1));
        let result = held.result.clone();
        for waiter in std::mem::take(&mut entry.waiters) {
            if waiter.at_least <= newest {
                // Whoever asked may have gone away; that is no concern of ours.
                let _ = waiter.sender.send((newest, result.clone()));
            } else {
                entry.waiters.push(waiter);
            }
        }
    }

    fn first_touch(&self, reads: &ReadSet, after: Timestamp) -> Option<Timestamp> {
        self.recent
            .iter()
            .filter(|commit| commit.ts > after)
            .find(|commit| reads.touches(commit))
            .map(|commit| commit.ts)
    }

    fn forget_commits(&mut self) {
        match self.running.first_key_value() {
            Some((oldest, _)) => {
                while self.recent.front().is_some_and(|commit| commit.ts <= *oldest) {
                    self.recent.pop_front();
                }
            }
            None => self.recent.clear(),
        }
    }
}

fn same(sent: Option<&Arc<QueryResult>>, now: Option<&Arc<QueryResult>>) -> bool {
    match (sent, now) {
        (Some(sent), Some(now)) => Arc::ptr_eq(sent, now) || sent.same(now),
        (None, None) => true,
        _ => false,
    }
}

fn pin(pins: &mut Pins, ts: Timestamp) {
    *pins.entry(ts).or_insert(0) += 1;
}

fn unpin(pins: &mut Pins, ts: Timestamp) {
    if let Some(count) = pins.get_mut(&ts) {
        *count -= 1;
        if *count == 0 {
            pins.remove(&ts);
        }
    }
}
