//! Live queries: kept up to date, shared by all who ask for the same, and the cache that one-off queries go through.
//!
//! Commits arrive in durable groups. For each step (all groups that have arrived) the queries that are touched run
//! again, once each, at the newest durable timestamp; then the sessions concerned are woken, each once.

mod entry;
mod journals;
mod results;
mod session;
mod state;
mod subscriptions;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hull_engine::{BeginError, Group, ReadAt, ReadSet};
use hull_model::Visibility;
use hull_value::Timestamp;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};

use crate::error::FunctionError;
use crate::identity::Identity;
use crate::outcome::{Observed, QueryOutcome, QueryResult};
use crate::registry::Registry;
use crate::runner::{QueryRequest, RunError, Runner};
use crate::watchdog::OnStuck;

pub use entry::QueryKey;
pub use session::LiveSession;
pub use subscriptions::Step;

use state::{Effects, Start, State};

/// How many bytes of results are kept for queries that nobody subscribes to, unless said otherwise.
pub const CACHE_BYTES: usize = 100 * 1024 * 1024;

/// All live queries of a server. Cloning is cheap.
#[derive(Clone)]
pub struct LiveQueries {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    runner: Runner,
    runtime: Handle,
    state: Mutex<State>,
    arrived: Mutex<Vec<Group>>,
    arrival: Arc<Notify>,
    durable: watch::Sender<Option<Timestamp>>,
    /// What the state says is durable, to be read without its lock.
    dealt_with: AtomicU64,
    changed: Notify,
    runs: AtomicU64,
    hits: AtomicU64,
    wakes: AtomicU64,
    /// The runs, if somebody wants to know them.
    trace: Mutex<Option<Vec<Rerun>>>,
}

/// A run of a live query.
#[derive(Clone, Debug, PartialEq)]
pub struct Rerun {
    /// The query.
    pub key: Arc<QueryKey>,
    /// On whose behalf.
    pub identity: Identity,
    /// The timestamp it ran at.
    pub ts: Timestamp,
}

/// Figures about live queries.
#[derive(Clone, Copy, Debug, Default)]
pub struct LiveMetrics {
    /// Distinct queries whose results are kept.
    pub queries: usize,
    /// Distinct queries that somebody subscribes to or waits for.
    pub held: usize,
    /// Bytes of results that nobody subscribes to.
    pub cached_bytes: usize,
    /// Sessions.
    pub sessions: usize,
    /// Runs so far.
    pub runs: u64,
    /// One-off queries and subscriptions so far that needed no run.
    pub hits: u64,
    /// How often a session was woken so far.
    pub wakes: u64,
}

impl LiveQueries {
    /// Starts keeping queries live. Must be called inside a tokio runtime, which the queries then run in.
    pub fn start(runner: Runner, cache_bytes: usize) -> LiveQueries {
        let engine = runner.engine().clone();
        let durable = engine.durable();
        let inner = Arc::new(Inner {
            runner,
            runtime: Handle::current(),
            state: Mutex::new(State::new(durable, cache_bytes)),
            arrived: Mutex::new(Vec::new()),
            arrival: Arc::new(Notify::new()),
            durable: watch::Sender::new(Some(durable)),
            dealt_with: AtomicU64::new(durable.0),
            changed: Notify::new(),
            runs: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
            trace: Mutex::new(None),
        });
        let (weak, arrival) = (Arc::downgrade(&inner), inner.arrival.clone());
        engine.on_group(Box::new(move |group| {
            if let Some(inner) = weak.upgrade() {
                inner.arrived.lock().push(group.clone());
                inner.arrival.notify_one();
            }
        }));
        // What became durable between the two.
        inner.arrived.lock().push(Group::Durable { commits: Vec::new(), durable_to: engine.durable() });
        inner.arrival.notify_one();
        let weak = Arc::downgrade(&inner);
        inner.runtime.spawn(async move {
            loop {
                arrival.notified().await;
                let Some(inner) = weak.upgrade() else { return };
                inner.step();
            }
        });
        LiveQueries { inner }
    }

    /// Opens a session, which asks on behalf of `identity`.
    pub fn session(&self, identity: Identity) -> LiveSession {
        LiveSession::open(self.inner.clone(), identity)
    }

    /// Answers a query once, at the newest durable timestamp: from what is at hand, else by a run that all who ask the
    /// same share.
    pub async fn query(&self, query: QueryRequest<'_>) -> Result<(Timestamp, Arc<QueryResult>), RunError> {
        let (sender, receiver) = oneshot::channel();
        let mut effects = Effects::default();
        let key = key(self.inner.runner.registry(), &query);
        self.inner.state.lock().ask(
            key,
            query.identity.clone(),
            self.inner.runner.now(),
            sender,
            &mut effects,
        );
        if effects.starts.is_empty() {
            self.inner.hits.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.apply(effects);
        receiver.await.map_err(|_| RunError::Begin(BeginError::LogFailed))
    }

    /// Answers a query once, at this timestamp.
    pub async fn query_at(
        &self,
        query: QueryRequest<'_>,
        ts: Timestamp,
    ) -> Result<Arc<QueryResult>, RunError> {
        let key = key(self.inner.runner.registry(), &query);
        let at_hand = {
            let state = self.inner.state.lock();
            // A result that still holds says nothing of a time that has not come.
            if ts <= state.durable() { state.peek(&key, query.identity, ts) } else { None }
        };
        match at_hand {
            Some(result) => Ok(result),
            None => Ok(self.inner.runner.run_query(query, ReadAt::Exactly(ts), None).await?.result),
        }
    }

    /// The newest timestamp whose commits are durable and have been dealt with here.
    pub fn durable(&self) -> Timestamp {
        Timestamp(self.inner.dealt_with.load(Ordering::Acquire))
    }

    /// Ends when everything up to `ts` is durable; `false` if the log has failed and it never will be.
    pub async fn wait_durable(&self, ts: Timestamp) -> bool {
        let mut durable = self.inner.durable.subscribe();
        durable.wait_for(|now| now.is_none_or(|now| now >= ts)).await.is_ok_and(|now| now.is_some())
    }

    /// Ends when the log has failed.
    pub async fn failed(&self) {
        let mut durable = self.inner.durable.subscribe();
        // The sender lives as long as this.
        let _ = durable.wait_for(Option::is_none).await;
    }

    /// Ends when every commit so far has been dealt with and no query is running.
    pub async fn settled(&self) {
        loop {
            let changed = self.inner.changed.notified();
            let target = self.inner.runner.engine().ordered();
            {
                let state = self.inner.state.lock();
                if state.is_idle() && state.durable() >= target {
                    return;
                }
            }
            changed.await;
        }
    }

    /// Figures.
    pub fn metrics(&self) -> LiveMetrics {
        let (queries, held, cached_bytes, sessions) = self.inner.state.lock().counts();
        LiveMetrics {
            queries,
            held,
            cached_bytes,
            sessions,
            runs: self.inner.runs.load(Ordering::Relaxed),
            hits: self.inner.hits.load(Ordering::Relaxed),
            wakes: self.inner.wakes.load(Ordering::Relaxed),
        }
    }

    /// Gives the runs since the last call, and begins to keep them with the first.
    pub fn take_reruns(&self) -> Vec<Rerun> {
        self.inner.trace.lock().replace(Vec::new()).unwrap_or_default()
    }
}

impl Inner {
    /// Deals with all groups that have arrived.
    fn step(self: &Arc<Inner>) {
        let groups = std::mem::take(&mut *self.arrived.lock());
        if groups.is_empty() {
            return;
        }
        let mut effects = Effects::default();
        let mut durable = None;
        let mut commits = Vec::new();
        let mut to = Timestamp(self.dealt_with.load(Ordering::Acquire));
        let mut failed = false;
        for group in groups {
            match group {
                Group::Durable { commits: some, durable_to } if !failed => {
                    commits.extend(some);
                    to = to.max(durable_to);
                }
                Group::Durable { .. } => {}
                Group::Failed(_) => failed = true,
            }
        }
        {
            let mut state = self.state.lock();
            state.group(&commits, to, self.runner.now(), &mut effects);
            if failed {
                state.fail(&mut effects);
            } else {
                durable = Some(to);
            }
            self.dealt_with.store(state.durable().0, Ordering::Release);
        }
        self.durable.send_replace(durable);
        self.apply(effects);
    }

    fn apply(self: &Arc<Inner>, effects: Effects) {
        self.wakes.fetch_add(effects.wakes.len() as u64, Ordering::Relaxed);
        for start in effects.starts {
            self.runtime.spawn(self.clone().run(start));
        }
        for wake in effects.wakes {
            wake.notify_one();
        }
        self.changed.notify_waiters();
    }

    async fn run(self: Arc<Inner>, start: Start) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        if let Some(trace) = self.trace.lock().as_mut() {
            trace.push(Rerun { key: start.key.clone(), identity: start.identity.clone(), ts: start.at });
        }
        let query = QueryRequest {
            path: &start.key.path,
            args: &start.key.args,
            journal: start.key.journal.as_ref(),
            identity: &start.identity,
        };
        let mut at = ReadAt::Exactly(start.at);
        let outcome = loop {
            match self.runner.run_query(query, at, Some(self.on_stuck(&start))).await {
                Ok(outcome) => break outcome,
                Err(RunError::Begin(BeginError::LogFailed)) => {
                    let mut effects = Effects::default();
                    self.state.lock().fail(&mut effects);
                    self.durable.send_replace(None);
                    return self.apply(effects);
                }
                // So much time has gone by that the timestamp is out of retention.
                Err(_) => at = ReadAt::Durable,
            }
        };
        self.finish(&start, outcome);
    }

    fn on_stuck(self: &Arc<Inner>, start: &Start) -> OnStuck {
        let inner = Arc::downgrade(self);
        let (entry, at, journal) = (start.entry, start.at, start.key.journal.clone());
        let tell = move |run, error: FunctionError| {
            if let Some(inner) = inner.upgrade() {
                let result = QueryResult::new(Err(error), Arc::new([]), journal.clone());
                let outcome = QueryOutcome {
                    result: Arc::new(result),
                    ts: at,
                    reads: Arc::new(ReadSet::default()),
                    observed: Observed::default(),
                };
                inner.finished(entry, run, outcome);
            }
        };
        OnStuck { token: start.run, tell: Arc::new(tell) }
    }

    fn finish(self: &Arc<Inner>, start: &Start, outcome: QueryOutcome) {
        self.finished(start.entry, start.run, outcome);
    }

    fn finished(self: &Arc<Inner>, entry: u64, run: u64, outcome: QueryOutcome) {
        let mut effects = Effects::default();
        self.state.lock().finish(entry, run, outcome, self.runner.now(), &mut effects);
        self.apply(effects);
    }
}

/// What makes this the same query as others.
fn key(registry: &Registry, query: &QueryRequest<'_>) -> QueryKey {
    let function = registry.get(query.path);
    QueryKey {
        path: function.map_or_else(|| query.path.into(), |function| function.path().clone()),
        args: query.args.clone(),
        journal: query.journal.cloned(),
        internal: function.is_some_and(|function| function.visibility() == Visibility::Internal)
            && query.identity.is_admin(),
    }
}
