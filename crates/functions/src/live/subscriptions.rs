//! The sessions: what each holds, and where it can move to.
//!
//! All results of a session are those of one timestamp. It moves to the newest at which each of its queries has one.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use hull_value::Timestamp;
use tokio::sync::Notify;

use super::entry::{EntryId, QueryKey, SessionId};
use super::state::{Effects, State, unpin};
use crate::identity::Identity;
use crate::outcome::QueryResult;

/// Where a session stands and what changed since it last looked.
#[derive(Clone, Debug)]
pub struct Step {
    /// Every result of the session, listed here or sent before, is that of this timestamp.
    pub ts: Timestamp,
    /// The results that differ from what was sent before, by query.
    pub updates: Vec<(u32, Arc<QueryResult>)>,
}

/// A session.
pub(super) struct Session {
    pub(super) identity: Identity,
    pub(super) subscriptions: BTreeMap<u32, Subscription>,
    /// How many of its queries hold no result at the durable timestamp.
    pub(super) stale: usize,
    pub(super) ts: Timestamp,
    /// Keeps the results of this timestamp until the session has fetched them.
    pub(super) pin: Option<Timestamp>,
    /// Whether there is something to send.
    pub(super) pending: bool,
    /// The newest answer that waits.
    pub(super) answer: Timestamp,
    pub(super) notify: Arc<Notify>,
}

/// A query that a session holds, and what it was last sent of it.
pub(super) struct Subscription {
    pub(super) entry: EntryId,
    pub(super) sent: Option<Arc<QueryResult>>,
}

impl State {
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
            let mut key = rekey(&entry.key, &identity);
            if (!entry.bound || entry.identity == identity) && key == *entry.key {
                continue;
            }
            let sent = self.detach(session, query).flatten();
            if let Some(sent) = &sent {
                key.journal = sent.journal.clone();
            }
            self.attach(session, query, key, sent, now, effects);
        }
    }

    pub(super) fn attach(
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
        let id = self.find(key, identity, now, effects);
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

    pub(super) fn detach(&mut self, session: SessionId, query: u32) -> Option<Option<Arc<QueryResult>>> {
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

    pub(super) fn due(&mut self, session: SessionId, effects: &mut Effects) {
        let Some(session) = self.sessions.get_mut(&session) else { return };
        session.pending = true;
        if session.stale == 0 {
            effects.wakes.push(session.notify.clone());
        }
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

    pub(super) fn result_at(&self, entry: EntryId, ts: Timestamp) -> Option<&Arc<QueryResult>> {
        self.entries.get(&entry).and_then(|entry| entry.at(ts)).map(|held| &held.result)
    }

    /// The newest timestamp at which all results of a session hold.
    pub(super) fn common(&self, session: &Session) -> Option<Timestamp> {
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
}

/// Whether a session that was sent the one need not be sent the other.
pub(super) fn same(sent: Option<&Arc<QueryResult>>, now: Option<&Arc<QueryResult>>) -> bool {
    match (sent, now) {
        (Some(sent), Some(now)) => Arc::ptr_eq(sent, now) || now.same(sent),
        (None, None) => true,
        _ => false,
    }
}
