//! Sees to it that a function which never asks the database for anything is answered for in time.
//!
//! The budget is otherwise checked at every call on the database. A function that waits for something else is dropped;
//! one that keeps its thread can't be: its caller is told through its [`OnStuck`], nothing of it is committed, and the
//! thread is its own until it comes to an end.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::{Error, FunctionError};
use crate::run::{Run, over_budget};

/// How often running functions are looked at.
const PERIOD: Duration = Duration::from_millis(100);

/// Whom to tell that a function keeps its thread beyond its budget. It is called at most once for a call, from another
/// thread; what the function returns afterwards is a failure, too, and may be ignored.
#[derive(Clone)]
pub struct OnStuck {
    /// Handed to `tell`, to know one call from another.
    pub token: u64,
    /// Is told the token and the error.
    pub tell: Arc<dyn Fn(u64, FunctionError) + Send + Sync>,
}

/// The functions that are running.
#[derive(Default)]
pub(crate) struct Watchdog {
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    slots: Vec<Option<Watched>>,
    free: Vec<usize>,
}

struct Watched {
    path: Arc<str>,
    run: Arc<Run>,
    on_stuck: Option<OnStuck>,
}

/// How a run hears that it is beyond its budget.
#[derive(Default)]
pub(crate) struct Alarm {
    expired: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Watchdog {
    /// Starts the thread that looks, for as long as the watchdog lives.
    pub(crate) fn spawn(self: &Arc<Watchdog>) {
        let watchdog: Weak<Watchdog> = Arc::downgrade(self);
        let thread = std::thread::Builder::new().name("hull-watchdog".to_owned()).spawn(move || {
            while let Some(watchdog) = watchdog.upgrade() {
                watchdog.look();
                drop(watchdog);
                std::thread::sleep(PERIOD);
            }
        });
        if let Err(error) = thread {
            tracing::error!(%error, "the watchdog did not start: a function that never ends will not be reported");
        }
    }

    /// Reports every call that is over its budget.
    pub(crate) fn look(&self) {
        let mut stuck = Vec::new();
        for watched in self.calls.lock().slots.iter_mut().flatten() {
            if watched.run.is_late() && !watched.run.alarm.expired.swap(true, Ordering::AcqRel) {
                stuck.push((watched.path.clone(), watched.run.clone(), watched.on_stuck.take()));
            }
        }
        for (path, run, on_stuck) in stuck {
            if let Some(waker) = run.alarm.waker.lock().take() {
                waker.wake();
                continue;
            }
            tracing::error!(function = %path, "a function keeps its thread beyond its budget");
            if let Some(on_stuck) = on_stuck {
                (on_stuck.tell)(on_stuck.token, FunctionError::from(&over_budget()));
            }
        }
    }

    /// Runs a function's future under watch.
    pub(crate) fn watch<F>(
        self: &Arc<Watchdog>,
        path: &Arc<str>,
        run: &Arc<Run>,
        on_stuck: Option<OnStuck>,
        future: F,
    ) -> Guarded<F> {
        let watched = Watched { path: path.clone(), run: run.clone(), on_stuck };
        let mut calls = self.calls.lock();
        let slot = match calls.free.pop() {
            Some(slot) => slot,
            None => {
                calls.slots.push(None);
                calls.slots.len() - 1
            }
        };
        calls.slots[slot] = Some(watched);
        drop(calls);
        Guarded { watchdog: self.clone(), slot, run: run.clone(), future }
    }
}

/// A future under watch.
pub(crate) struct Guarded<F> {
    watchdog: Arc<Watchdog>,
    slot: usize,
    run: Arc<Run>,
    future: F,
}

impl<T, F: Future<Output = Result<T, Error>> + Unpin> Future for Guarded<F> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.run.alarm.expired.load(Ordering::Acquire) {
            return Poll::Ready(Err(over_budget()));
        }
        if let Poll::Ready(result) = Pin::new(&mut self.future).poll(context) {
            return Poll::Ready(result);
        }
        *self.run.alarm.waker.lock() = Some(context.waker().clone());
        if self.run.alarm.expired.load(Ordering::Acquire) {
            return Poll::Ready(Err(over_budget()));
        }
        Poll::Pending
    }
}

impl<F> Drop for Guarded<F> {
    fn drop(&mut self) {
        let mut calls = self.watchdog.calls.lock();
        let watched = calls.slots[self.slot].take();
        calls.free.push(self.slot);
        drop(calls);
        drop(watched);
    }
}
