//! Queries that read pages: a first run decides where they end, later runs keep to it.
//!
//! While the result of a first run holds, it is given to everybody who asks without a journal. When it no longer holds,
//! those who have it go on with its journal, so that their pages keep their ends; and whoever asks without one begins
//! afresh.

use std::sync::Arc;

use super::entry::{EntryId, QueryKey};
use super::state::{Effects, State};

impl State {
    /// Runs again what no longer holds, if somebody wants it.
    pub(super) fn rerun(&mut self, id: EntryId, now: f64, effects: &mut Effects) {
        let id = self.follow_journal(id, now, effects);
        let Some(entry) = self.entries.get(&id) else { return };
        if entry.current().is_some() {
            return;
        }
        if entry.is_wanted() {
            self.start(id, effects);
        } else {
            self.release_touched(id);
        }
    }

    /// The newest result no longer holds, and no run is under way: from now on the query is known by the journal of that
    /// result. Which entry it is now: another, if there is one of this key.
    pub(super) fn follow_journal(&mut self, id: EntryId, now: f64, effects: &mut Effects) -> EntryId {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.keeps_journal()) else { return id };
        let journal = entry.results.back().and_then(|held| held.result.journal.clone());
        let key = Arc::new(QueryKey { journal, ..(*entry.key).clone() });
        let old = std::mem::replace(&mut entry.key, key.clone());
        let waiters = std::mem::take(&mut entry.waiters);
        let (bound, identity) = (entry.bound, entry.identity.clone());
        self.unlist(&old, id);
        let same = self.by_key.get(&key).map_or(&[][..], Vec::as_slice);
        let twin = same.iter().copied().find(|id| {
            let twin = self.entries.get(id).filter(|twin| twin.bound == bound);
            twin.is_some_and(|twin| !bound || twin.identity == identity)
        });
        let now_known_as = match twin {
            Some(twin) => {
                self.merge(id, twin, effects);
                twin
            }
            None => {
                self.by_key.entry(key).or_default().push(id);
                id
            }
        };
        for waiter in waiters {
            self.ask((*old).clone(), waiter.identity, now, waiter.sender, effects);
        }
        now_known_as
    }

    /// Hands the holders of an entry whose result no longer holds to another, and drops it.
    fn merge(&mut self, id: EntryId, into: EntryId, effects: &mut Effects) {
        let holders = self.entries.get_mut(&id).map(|entry| std::mem::take(&mut entry.holders));
        let holders = holders.unwrap_or_default();
        self.drop_entry(id);
        let Some(entry) = self.entries.get_mut(&into) else { return };
        if !holders.is_empty()
            && let Some((tick, weight)) = entry.unused.take()
        {
            self.unused.remove(&tick);
            self.unused_bytes -= weight;
        }
        entry.holders.extend(&holders);
        let result = entry.current().map(|held| held.result.clone());
        for (session, query) in holders {
            let subscription =
                self.sessions.get_mut(&session).and_then(|session| session.subscriptions.get_mut(&query));
            if let Some(subscription) = subscription {
                subscription.entry = into;
            }
            if result.is_some() {
                self.deliver(session, query, result.as_ref(), true, effects);
            }
        }
    }
}
