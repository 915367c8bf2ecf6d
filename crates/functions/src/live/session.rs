//! A session's handle: its subscriptions, its answers that wait, and where it can move to.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hull_value::{Packed, Timestamp};
use tokio::sync::Notify;

use super::entry::SessionId;
use super::state::Effects;
use super::subscriptions::Step;
use super::{Inner, key};
use crate::identity::Identity;
use crate::runner::QueryRequest;

/// A session. Its queries are always moved together to one timestamp. Dropping it ends its subscriptions.
pub struct LiveSession {
    inner: Arc<Inner>,
    id: SessionId,
    identity: Identity,
    notify: Arc<Notify>,
}

impl LiveSession {
    pub(super) fn open(inner: Arc<Inner>, identity: Identity) -> LiveSession {
        let notify = Arc::new(Notify::new());
        let id = inner.state.lock().open(identity.clone(), notify.clone());
        LiveSession { inner, id, identity, notify }
    }

    /// On whose behalf the session asks.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Subscribes to a query under a number of the session's choice; `false` if the number is taken.
    pub fn subscribe(&self, query: u32, path: &str, args: &Packed, journal: Option<&Arc<str>>) -> bool {
        let request = QueryRequest { path, args, journal, identity: &self.identity };
        let key = key(self.inner.runner.registry(), &request);
        let mut effects = Effects::default();
        let now = self.inner.runner.now();
        let done = self.inner.state.lock().subscribe(self.id, query, key, now, &mut effects);
        if done && effects.starts.is_empty() {
            self.inner.hits.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.apply(effects);
        done
    }

    /// Ends a subscription; `false` if there is none of this number.
    pub fn unsubscribe(&self, query: u32) -> bool {
        self.inner.state.lock().unsubscribe(self.id, query)
    }

    /// Changes on whose behalf the session asks. Queries that don't look at the identity are not run again.
    pub fn set_identity(&mut self, identity: Identity) {
        self.identity = identity.clone();
        let mut effects = Effects::default();
        let registry = self.inner.runner.registry();
        let rekey = |old: &super::QueryKey, identity: &Identity| {
            let request =
                QueryRequest { path: &old.path, args: &old.args, journal: old.journal.as_ref(), identity };
            key(registry, &request)
        };
        let now = self.inner.runner.now();
        self.inner.state.lock().set_identity(self.id, identity, rekey, now, &mut effects);
        self.inner.apply(effects);
    }

    /// The session has an answer that may be sent once `ts` is durable. It is woken when that is so and its queries
    /// can be moved to `ts` or beyond.
    pub fn answer(&self, ts: Timestamp) {
        let mut effects = Effects::default();
        self.inner.state.lock().answer(self.id, ts, &mut effects);
        self.inner.apply(effects);
    }

    /// Where the session can move to. The results that differ from those of earlier steps are listed; answers up to
    /// the step's timestamp may be sent, before it.
    ///
    /// `None`: one of its queries is still running. The session is woken once there is a step that is worth something.
    pub fn poll(&self) -> Option<Step> {
        self.inner.state.lock().poll(self.id)
    }

    /// What is notified when there is something to fetch with [`LiveSession::poll`].
    pub fn notify(&self) -> &Arc<Notify> {
        &self.notify
    }

    /// Ends when there is something to fetch with [`LiveSession::poll`]. Wakes that come while nobody waits are kept,
    /// as one.
    pub async fn ready(&self) {
        self.notify.notified().await;
    }
}

impl Drop for LiveSession {
    fn drop(&mut self) {
        self.inner.state.lock().close(self.id);
    }
}
