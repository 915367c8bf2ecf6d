//! What all parts of a running server share.
//!
//! Guarantee: requests reach the functions only between the moment when every index is built and the moment when the
//! server stops; before and after they are told so.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use hull_sync::SessionId;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};

use crate::backend::Backend;
use crate::http::ApiError;
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;

/// Shared by the listener, every connection and every request.
pub(crate) struct Shared {
    /// The counters.
    pub(crate) metrics: Metrics,
    backend: RwLock<Option<Arc<Backend>>>,
    /// Where websockets are served; never set by a process that runs no functions.
    url: OnceLock<String>,
    stop: watch::Sender<bool>,
    failed: watch::Sender<Option<String>>,
    connections: Mutex<HashMap<u64, Weak<Mailbox>>>,
    sessions: Mutex<HashMap<SessionId, Weak<Mailbox>>>,
    next_connection: AtomicU64,
    /// Somebody waits for this while the server stops.
    closed: Notify,
}

impl Shared {
    /// Nothing is ready yet.
    pub(crate) fn new() -> Arc<Shared> {
        Arc::new(Shared {
            metrics: Metrics::new(),
            backend: RwLock::new(None),
            url: OnceLock::new(),
            stop: watch::Sender::new(false),
            failed: watch::Sender::new(None),
            connections: Mutex::new(HashMap::new()),
            sessions: Mutex::new(HashMap::new()),
            next_connection: AtomicU64::new(0),
            closed: Notify::new(),
        })
    }

    /// From now on requests are served.
    pub(crate) fn set_ready(&self, backend: Arc<Backend>) {
        *self.backend.write() = Some(backend);
    }

    /// Functions are run, and websockets served at this URL.
    pub(crate) fn set_url(&self, url: String) {
        // A server has one address.
        let _ = self.url.set(url);
    }

    /// Where websockets are served, if functions are run here.
    pub(crate) fn url(&self) -> Option<&str> {
        self.url.get().map(String::as_str)
    }

    /// Lets go of what runs functions.
    pub(crate) fn let_go(&self) {
        *self.backend.write() = None;
    }

    /// What runs functions, or why nothing does.
    pub(crate) fn ready(&self) -> Result<Arc<Backend>, ApiError> {
        if self.is_stopping() {
            return Err(ApiError::stopping());
        }
        self.backend.read().clone().ok_or_else(ApiError::starting)
    }

    /// Whether the server is on its way down.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// No new work from now on: open websockets are told.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
        for mailbox in self.open() {
            mailbox.stop();
        }
    }

    fn open(&self) -> Vec<Arc<Mailbox>> {
        self.connections.lock().values().filter_map(Weak::upgrade).collect()
    }

    /// Hears when the server is to stop.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// The log has failed: nothing can be answered any more.
    pub(crate) fn fail(&self, why: String) {
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            failed.get_or_insert(why);
            first
        });
        for mailbox in self.open() {
            mailbox.notify().notify_one();
        }
    }

    /// Whether the log has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.borrow().is_some()
    }

    /// Hears when the log fails, and why.
    pub(crate) fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }

    /// Counts a websocket in; it is told to stop with the others until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Shared>, mailbox: &Arc<Mailbox>) -> Entered {
        let number = self.next_connection.fetch_add(1, Ordering::Relaxed);
        self.connections.lock().insert(number, Arc::downgrade(mailbox));
        if self.is_stopping() {
            mailbox.stop();
        }
        self.metrics.connections.increment(1.0);
        self.metrics.connections_total.increment(1);
        Entered { shared: Arc::clone(self), number }
    }

    /// A client says which session it is; an older connection of that session ends.
    pub(crate) fn supersede(&self, session: SessionId, mailbox: &Arc<Mailbox>) {
        let older = self.sessions.lock().insert(session, Arc::downgrade(mailbox));
        if let Some(older) = older.and_then(|older| older.upgrade()) {
            older.supersede();
        }
    }

    /// A connection ends; if it is still its session's newest, the session has none.
    pub(crate) fn leave(&self, session: SessionId, mailbox: &Arc<Mailbox>) {
        let mut sessions = self.sessions.lock();
        if sessions.get(&session).is_some_and(|newest| std::ptr::eq(newest.as_ptr(), Arc::as_ptr(mailbox))) {
            sessions.remove(&session);
        }
    }

    /// Ends when no websocket is open.
    pub(crate) async fn all_closed(&self) {
        loop {
            let closed = self.closed.notified();
            if self.open_connections() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// How many websockets are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.connections.lock().len()
    }

    /// The text of `/metrics`.
    pub(crate) fn render_metrics(&self) -> String {
        if let Some(backend) = &*self.backend.read() {
            backend.report(&self.metrics);
        }
        self.metrics.render()
    }
}

/// A websocket that is counted.
pub(crate) struct Entered {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.shared.connections.lock().remove(&self.number);
        self.shared.closed.notify_waiters();
        self.shared.metrics.connections.decrement(1.0);
    }
}
