//! One run of a top-level function: its transaction and everything else that it and what it calls share.
//!
//! - The time is frozen, randomness comes from the run's seed.
//! - The budget is checked at every call on the database, and once more before the commit.
//! - An error that [aborts](crate::Error::aborts) is kept: every later call gives it again, and so does the run.
//! - While a nested mutation runs, its caller's own calls on the database wait: a rollback takes back nothing but what
//!   the nested mutation did.

use std::fmt;
use std::sync::Arc;

use hull_engine::{Clock, Savepoint, Transaction, TxError};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::log_lines::{Level, LogBuffer};
use crate::outcome::Observed;
use crate::pages::{Cursors, Journal};
use crate::registry::Registry;
use crate::watchdog::Alarm;

/// How long a function may run.
pub(crate) const BUDGET_NS: u64 = 1_000_000_000;
/// How long a function may keep a thread before it lets others go first.
const SLICE_NS: u64 = 1_000_000;

/// What a function and everything it calls share.
pub(crate) struct Run {
    pub(crate) registry: Arc<Registry>,
    pub(crate) identity: Identity,
    pub(crate) cursors: Arc<Cursors>,
    pub(crate) journal: Journal,
    clock: Arc<dyn Clock>,
    started: u64,
    state: Mutex<RunState>,
    turn: Notify,
    /// For the watchdog.
    pub(crate) alarm: Alarm,
}

struct RunState {
    transaction: Option<Transaction>,
    failed: Option<Error>,
    /// The mutations that are running, each called by the one before.
    frames: Vec<u32>,
    next_frame: u32,
    log: LogBuffer,
    seed: u64,
    /// Apart, since it is large and few functions draw.
    rng: Option<Box<StdRng>>,
    observed: Observed,
    slice: u64,
}

/// What is left of a run.
pub(crate) struct Finished {
    pub(crate) transaction: Option<Transaction>,
    pub(crate) failed: Option<Error>,
    pub(crate) log_lines: Vec<String>,
    pub(crate) observed: Observed,
}

impl Finished {
    /// Of a run that never began.
    pub(crate) fn unused(transaction: Transaction) -> Finished {
        Finished {
            transaction: Some(transaction),
            failed: None,
            log_lines: Vec::new(),
            observed: Observed::default(),
        }
    }
}

enum Gate<'a> {
    Yield,
    Wait(Notified<'a>),
}

impl Run {
    pub(crate) fn new(
        registry: Arc<Registry>,
        clock: Arc<dyn Clock>,
        identity: Identity,
        (cursors, journal): (Arc<Cursors>, Option<Arc<str>>),
        seed: u64,
        transaction: Transaction,
    ) -> Run {
        let started = clock.now().0;
        Run {
            registry,
            identity,
            cursors,
            journal: Journal::new(journal),
            clock,
            started,
            state: Mutex::new(RunState {
                transaction: Some(transaction),
                failed: None,
                frames: Vec::new(),
                next_frame: 0,
                log: LogBuffer::default(),
                seed,
                rng: None,
                observed: Observed::default(),
                slice: started,
            }),
            turn: Notify::new(),
            alarm: Alarm::default(),
        }
    }

    /// A run beside this one: at the same time and with the same budget, on a transaction of its own.
    pub(crate) fn beside(self: &Arc<Run>, transaction: Transaction) -> Arc<Run> {
        let seed = self.random(|rng| rng.random());
        let of = (self.cursors.clone(), None);
        let mut run =
            Run::new(self.registry.clone(), self.clock.clone(), self.identity.clone(), of, seed, transaction);
        run.started = self.started;
        Arc::new(run)
    }

    /// Takes everything out; later calls fail.
    pub(crate) fn finish(&self) -> Finished {
        let late = self.is_late();
        let mut state = self.state.lock();
        if late && state.failed.is_none() {
            state.failed = Some(over_budget());
        }
        Finished {
            transaction: state.transaction.take(),
            failed: state.failed.take(),
            log_lines: state.log.take(),
            observed: state.observed,
        }
    }

    pub(crate) fn is_late(&self) -> bool {
        self.clock.now().0.saturating_sub(self.started) > BUDGET_NS
    }

    /// Works on the transaction, when it is this mutation's turn.
    pub(crate) async fn call<R>(
        &self,
        frame: u32,
        work: impl FnOnce(&mut Transaction) -> std::result::Result<R, Error>,
    ) -> Result<R> {
        let mut work = Some(work);
        loop {
            let gate = {
                let mut state = self.state.lock();
                let state = &mut *state;
                if let Some(error) = &state.failed {
                    return Err(error.duplicate());
                }
                let now = self.clock.now().0;
                if now.saturating_sub(self.started) > BUDGET_NS {
                    return Err(state.fail(over_budget()));
                }
                if state.frames.last().copied().unwrap_or(0) != frame {
                    // Made under the lock, so that no change of frames is missed.
                    Gate::Wait(self.turn.notified())
                } else if now.saturating_sub(state.slice) > SLICE_NS {
                    state.slice = now;
                    Gate::Yield
                } else {
                    let (Some(transaction), Some(work)) = (state.transaction.as_mut(), work.take()) else {
                        return Err(Error::abort("TransactionEnded", "The function's transaction has ended"));
                    };
                    return match work(transaction) {
                        Err(error) if error.aborts() => Err(state.fail(error)),
                        result => result,
                    };
                }
            };
            match gate {
                Gate::Yield => {
                    tokio::task::yield_now().await;
                    self.state.lock().slice = self.clock.now().0;
                }
                Gate::Wait(turn) => turn.await,
            }
        }
    }

    /// Begins a nested mutation, whose effects can be taken back.
    pub(crate) async fn enter(self: &Arc<Run>, frame: u32) -> Result<Nested> {
        let savepoint = self.call(frame, |transaction| Ok(transaction.savepoint())).await?;
        let mut state = self.state.lock();
        state.next_frame += 1;
        let frame = state.next_frame;
        state.frames.push(frame);
        Ok(Nested { run: self.clone(), frame, savepoint: Some(savepoint) })
    }

    pub(crate) fn now(&self) -> f64 {
        self.state.lock().observed.time = true;
        (self.started / 1_000_000) as f64
    }

    pub(crate) fn identity(&self) -> &Identity {
        self.state.lock().observed.identity = true;
        &self.identity
    }

    pub(crate) fn random<R>(&self, draw: impl FnOnce(&mut StdRng) -> R) -> R {
        let mut state = self.state.lock();
        state.observed.random = true;
        let seed = state.seed;
        draw(state.rng.get_or_insert_with(|| Box::new(StdRng::seed_from_u64(seed))))
    }

    /// Takes over what a run beside this one has logged.
    pub(crate) fn append_log(&self, lines: Vec<String>) {
        self.state.lock().log.append(lines);
    }

    pub(crate) fn log(&self, level: Level, text: &dyn fmt::Display) {
        self.state.lock().log.push(level, text);
    }
}

impl RunState {
    fn fail(&mut self, error: Error) -> Error {
        self.failed.get_or_insert(error).duplicate()
    }
}

pub(crate) fn over_budget() -> Error {
    Error::abort("FunctionTimeout", "Function execution timed out (maximum duration: 1s)")
}

/// A nested mutation that is running. Dropped without [`Nested::keep`], everything it wrote is taken back.
pub(crate) struct Nested {
    run: Arc<Run>,
    pub(crate) frame: u32,
    savepoint: Option<Savepoint>,
}

impl Nested {
    /// Keeps what the nested mutation wrote.
    pub(crate) fn keep(mut self) {
        self.savepoint = None;
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        let mut state = self.run.state.lock();
        if let Some(at) = state.frames.iter().position(|frame| *frame == self.frame) {
            state.frames.truncate(at);
        }
        if let (Some(savepoint), Some(transaction)) = (self.savepoint.take(), state.transaction.as_mut()) {
            transaction.rollback_to(savepoint);
        }
        drop(state);
        self.run.turn.notify_waiters();
    }
}

/// What a failed call on the transaction means to the function.
pub(crate) fn transaction_error(error: TxError) -> Error {
    if error.is_limit() || !error.is_user() {
        Error::abort(error.code(), error.to_string())
    } else {
        Error::system(error.code(), error.to_string())
    }
}
