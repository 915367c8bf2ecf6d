//! How the rest of the server reaches a connection's task: two flags and a wake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Reaches one connection.
pub(crate) struct Mailbox {
    notify: Arc<Notify>,
    stop: AtomicBool,
    superseded: AtomicBool,
}

impl Mailbox {
    /// Nothing has happened; `notify` wakes the connection's task.
    pub(crate) fn new(notify: Arc<Notify>) -> Arc<Mailbox> {
        Arc::new(Mailbox { notify, stop: AtomicBool::new(false), superseded: AtomicBool::new(false) })
    }

    /// What wakes the connection's task.
    pub(crate) fn notify(&self) -> &Arc<Notify> {
        &self.notify
    }

    /// The connection is to answer what runs and to end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// Whether the connection is to end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// A newer connection of the same session has come.
    pub(crate) fn supersede(&self) {
        self.superseded.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// Whether a newer connection of the same session has come.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }
}
