//! The distinct queries: found by key and identity, run, kept as long as they hold, and dropped.

use std::sync::Arc;

use hull_engine::ReadSet;
use hull_value::Timestamp;
use tokio::sync::oneshot;

use super::entry::{Entry, EntryId, QueryKey, SessionId, Waiter};
use super::state::{Effects, Start, State, pin};
use crate::identity::Identity;
use crate::outcome::QueryResult;

/// How long a result that depends on the time may be given to newcomers, in milliseconds.
const TIME_RULE_MS: f64 = 17_000.0;

impl State {
    /// The entry for a key and an identity, made if there is none; in use from now on.
    pub(super) fn find(
        &mut self,
        key: QueryKey,
        identity: Identity,
        now: f64,
        effects: &mut Effects,
    ) -> EntryId {
        let same = self.by_key.get(&key).map_or(&[][..], Vec::as_slice);
        let found = same
            .iter()
            .filter_map(|id| self.entries.get(id).map(|entry| (*id, entry)))
            .filter(|(_, entry)| !entry.bound || entry.identity == identity)
            .max_by_key(|(_, entry)| entry.bound)
            .map(|(id, _)| id);
        if let Some(id) = found {
            if self.expire(id, now) && self.entries.get(&id).is_some_and(|entry| !entry.keeps_journal()) {
                self.rerun(id, now, effects);
            }
            if let Some(entry) = self.entries.get_mut(&id).filter(|entry| *entry.key == key) {
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

    /// The time rule: a result that looked at the clock is not given to newcomers for long; whether it has ended now.
    fn expire(&mut self, id: EntryId, now: f64) -> bool {
        let Some(held) = self.entries.get(&id).and_then(Entry::current) else { return false };
        let expired = held.observed.time && now - held.ran_at > TIME_RULE_MS;
        if expired {
            self.invalidate(id, self.durable);
        }
        expired
    }

    /// Ends the current result at `until`.
    pub(super) fn invalidate(&mut self, id: EntryId, until: Timestamp) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(held) = entry.results.back_mut().filter(|held| held.until.is_none()) else { return };
        held.until = Some(until);
        for (session, _) in &entry.holders {
            if let Some(session) = self.sessions.get_mut(session) {
                session.stale += 1;
            }
        }
    }

    pub(super) fn start(&mut self, id: EntryId, effects: &mut Effects) {
        self.start_at(id, self.durable, effects);
    }

    pub(super) fn start_at(&mut self, id: EntryId, at: Timestamp, effects: &mut Effects) {
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
    pub(super) fn release(&mut self, id: EntryId) {
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

    pub(super) fn drop_entry(&mut self, id: EntryId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        if let Some((tick, weight)) = entry.unused {
            self.unused.remove(&tick);
            self.unused_bytes -= weight;
        }
        if let Some(reads) = &entry.indexed {
            self.index.remove(reads, &id);
        }
        self.unlist(&entry.key, id);
    }

    /// The entry is no longer found by this key.
    pub(super) fn unlist(&mut self, key: &QueryKey, id: EntryId) {
        if let Some(same) = self.by_key.get_mut(key) {
            same.retain(|other| *other != id);
            if same.is_empty() {
                self.by_key.remove(key);
            }
        }
    }

    /// The result at the durable timestamp, if there is one; otherwise the waiter is sent it later; nothing at all, if
    /// the log has failed.
    pub(super) fn ask(
        &mut self,
        key: QueryKey,
        identity: Identity,
        now: f64,
        sender: oneshot::Sender<(Timestamp, Arc<QueryResult>)>,
        effects: &mut Effects,
    ) {
        if self.failed {
            return;
        }
        let id = self.find(key, identity.clone(), now, effects);
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

    pub(super) fn release_touched(&mut self, id: EntryId) {
        if self.entries.get(&id).is_some_and(|entry| entry.running.is_none()) {
            self.drop_entry(id);
        }
    }

    /// The timestamp at which a query that is touched while it runs should run again, so that it meets another slow
    /// query of a session that holds both: they would miss each other for ever if each took the newest.
    pub(super) fn meeting(&self, entry: &Entry) -> Option<Timestamp> {
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

    /// The results of this entry turned out to depend on the identity: those who are somebody else go elsewhere.
    pub(super) fn bind(&mut self, id: EntryId, now: f64, effects: &mut Effects) {
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

    pub(super) fn serve_waiters(&mut self, id: EntryId) {
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

    pub(super) fn first_touch(&self, reads: &ReadSet, after: Timestamp) -> Option<Timestamp> {
        self.recent
            .iter()
            .filter(|commit| commit.ts > after)
            .find(|commit| reads.touches(commit))
            .map(|commit| commit.ts)
    }

    pub(super) fn forget_commits(&mut self) {
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
