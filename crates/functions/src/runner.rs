//! Runs functions: queries at a timestamp, mutations until they are committed.
//!
//! - A mutation runs in its caller's task. On a conflict it runs again; after the second it waits in the line of what
//!   it conflicted on, and after three more it reserves what it read. A conflict is never reported.
//! - No answer may leave before everything up to its timestamp is durable; whoever calls sees to that.
//! - A panic is an error of that call alone.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::FutureExt;
use hull_engine::{BeginError, CommitError, ConflictKey, Engine, Place, ReadAt, Transaction};
use hull_model::FunctionKind;
use hull_value::{Packed, Timestamp};
use thiserror::Error as ThisError;
use tokio::runtime::Handle;

use crate::answer::Answer;
use crate::context::{MutationCtx, QueryCtx};
use crate::error::{Error, FunctionError, Result};
use crate::identity::Identity;
use crate::outcome::{MutationOutcome, QueryOutcome, QueryResult};
use crate::pages::Cursors;
use crate::private::{Call, CallFuture, Encoded, Handler, Output};
use crate::registry::{Function, MAX_VALUE_BYTES, Registry};
use crate::request::{RequestId, Requests};
use crate::run::{Finished, Run};
use crate::sweep::SessionSweep;
use crate::watchdog::{OnStuck, Watchdog};

/// After so many conflicts a mutation waits in line.
const CONFLICTS_BEFORE_LINE: u32 = 2;
/// After so many more it reserves what it reads.
const CONFLICTS_BEFORE_RESERVATION: u32 = 3;

/// Runs the functions of an application on a database. Cloning is cheap.
#[derive(Clone)]
pub struct Runner {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    registry: Arc<Registry>,
    watchdog: Arc<Watchdog>,
    requests: Requests,
    cursors: Arc<Cursors>,
    seed: u64,
    runs: AtomicU64,
    retries: AtomicU64,
    /// Whether a task is about to have the log synced.
    syncing: AtomicBool,
}

/// A query that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct QueryRequest<'a> {
    /// The function.
    pub path: &'a str,
    /// Its arguments.
    pub args: &'a Packed,
    /// The journal of an earlier run.
    pub journal: Option<&'a Arc<str>>,
    /// On whose behalf.
    pub identity: &'a Identity,
}

/// A mutation that is asked for.
#[derive(Clone)]
pub struct MutationRequest<'a> {
    /// The function.
    pub path: &'a str,
    /// Its arguments.
    pub args: &'a Packed,
    /// On whose behalf.
    pub identity: &'a Identity,
    /// Which request it is, so that it is not run twice.
    pub request: Option<RequestId>,
    /// Whom to tell when the function keeps its thread.
    pub on_stuck: Option<OnStuck>,
}

/// Why there is no answer at all. Nothing was done; the caller may try again.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum RunError {
    /// No transaction could be begun.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// The transaction could not be committed.
    #[error(transparent)]
    Commit(CommitError),
}

impl RunError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            RunError::Begin(error) => error.code(),
            RunError::Commit(error) => error.code(),
        }
    }
}

impl Runner {
    /// Runs the functions of `registry` on `engine`. Randomness comes from `seed`.
    pub fn new(engine: Engine, registry: Arc<Registry>, seed: u64) -> Runner {
        Runner {
            inner: Arc::new(Inner {
                cursors: Arc::new(Cursors::new(engine.clone())),
                engine,
                registry,
                watchdog: Arc::default(),
                requests: Requests::default(),
                seed,
                runs: AtomicU64::new(0),
                retries: AtomicU64::new(0),
                syncing: AtomicBool::new(false),
            }),
        }
    }

    /// Starts the thread that reports functions which keep their thread beyond the budget.
    pub fn start_watchdog(&self) {
        self.inner.watchdog.spawn();
    }

    /// Looks once for functions that are beyond their budget, as the watchdog's thread does ten times a second.
    pub fn look_for_stuck(&self) {
        self.inner.watchdog.look();
    }

    /// Removes what the next `sessions` sessions left for replays, where they have been idle for [`crate::IDLE`];
    /// `false` when the sweep has seen them all. Blocks while it reads and writes.
    pub fn sweep_sessions(&self, sweep: &mut SessionSweep, sessions: usize) -> Result<bool> {
        for _ in 0..sessions {
            if !sweep.step(&self.inner.engine)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The database.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// The functions.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.inner.registry
    }

    /// How often functions were run, and how often mutations were run again after a conflict.
    pub fn counts(&self) -> (u64, u64) {
        (self.inner.runs.load(Ordering::Relaxed), self.inner.retries.load(Ordering::Relaxed))
    }

    pub(crate) fn now(&self) -> f64 {
        (self.inner.engine.clock().now().0 / 1_000_000) as f64
    }

    /// Runs a query.
    pub async fn run_query(
        &self,
        query: QueryRequest<'_>,
        at: ReadAt,
        on_stuck: Option<OnStuck>,
    ) -> std::result::Result<QueryOutcome, RunError> {
        let mut transaction = self.inner.engine.begin_read(at)?;
        let ts = transaction.snapshot();
        let (result, finished, journal) =
            match self.find(query.path, FunctionKind::Query, query.identity, query.args, &mut transaction) {
                Ok(function) => {
                    let run = self.run(transaction, query.identity, query.journal.cloned());
                    let result = self.call(function, &run, query.args, on_stuck).await;
                    (result, run.finish(), run.journal.make(self.inner.cursors.at_hand()))
                }
                Err(error) => (Err(error), Finished::unused(transaction), Ok(None)),
            };
        let result = match finished.failed {
            Some(error) => Err(error),
            None => result,
        };
        let value = result.and_then(Encoded::into_packed).map_err(|error| FunctionError::from(&error));
        // A run that fails has no end of its own: the pages keep theirs.
        let journal = journal.ok().filter(|_| value.is_ok()).unwrap_or_else(|| query.journal.cloned());
        let result = QueryResult::new(value, finished.log_lines.into(), journal);
        let reads = finished.transaction.map(Transaction::into_read_set).unwrap_or_default();
        Ok(QueryOutcome { result: Arc::new(result), ts, reads: Arc::new(reads), observed: finished.observed })
    }

    /// Runs a mutation and commits it.
    pub async fn run_mutation(
        &self,
        mutation: MutationRequest<'_>,
    ) -> std::result::Result<MutationOutcome, RunError> {
        let mut retry = Retry::default();
        let back_pressure = self.inner.engine.back_pressure();
        if !back_pressure.is_zero() {
            tokio::time::sleep(back_pressure).await;
        }
        loop {
            retry.wait().await;
            let mut transaction = self.inner.engine.begin();
            if retry.without_folds {
                transaction.without_folds();
            }
            let ts = transaction.snapshot();
            if let Some(request) = mutation.request {
                match request.find(&self.inner.requests, &mut transaction) {
                    Ok(None) => {}
                    Ok(Some(recorded)) => {
                        let result = Ok(recorded.result);
                        return Ok(MutationOutcome {
                            ts: recorded.ts,
                            result,
                            log_lines: recorded.log_lines,
                        });
                    }
                    Err(error) => return Ok(failure(ts, &error, Vec::new())),
                }
            }
            let function = self.find(
                mutation.path,
                FunctionKind::Mutation,
                mutation.identity,
                mutation.args,
                &mut transaction,
            );
            let function = match function {
                Ok(function) => function,
                Err(error) => return Ok(failure(ts, &error, Vec::new())),
            };
            let run = self.run(transaction, mutation.identity, None);
            let result = self.call(function, &run, mutation.args, mutation.on_stuck.clone()).await;
            let finished = run.finish();
            let encoded = match (finished.failed, result) {
                (Some(error), _) | (None, Err(error)) => return Ok(failure(ts, &error, finished.log_lines)),
                (None, Ok(result)) => result,
            };
            let Some(mut transaction) = finished.transaction else {
                let error = Error::abort("TransactionEnded", "The function's transaction has ended");
                return Ok(failure(ts, &error, finished.log_lines));
            };
            let answer = Answer::new(function, encoded, transaction.table_mapping());
            if let Some(request) = mutation.request
                && let Err(error) = request.record(&mut transaction, &answer, &finished.log_lines)
            {
                return Ok(failure(ts, &error, finished.log_lines));
            }
            match retry.commit(&self.inner.engine, transaction).await {
                Ok(ts) => {
                    self.sync_soon();
                    let result = answer.fill(ts);
                    return Ok(MutationOutcome { ts, result: Ok(result), log_lines: finished.log_lines });
                }
                Err(CommitError::Conflict(key)) => retry.conflict(&self.inner.engine, Some(&key)),
                Err(CommitError::OutOfRetention) => retry.conflict(&self.inner.engine, None),
                Err(CommitError::Fold) => retry.without_folds = true,
                Err(error) => return Err(RunError::Commit(error)),
            }
            self.inner.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has the log synced when the tasks that are ready now have had their turn: what they commit is one group.
    fn sync_soon(&self) {
        if self.inner.syncing.swap(true, Ordering::AcqRel) {
            return;
        }
        let sync = SyncWhenDropped(self.inner.clone());
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                tokio::task::yield_now().await;
                drop(sync);
            });
        }
    }

    fn run(&self, transaction: Transaction, identity: &Identity, journal: Option<Arc<str>>) -> Arc<Run> {
        let number = self.inner.runs.fetch_add(1, Ordering::Relaxed);
        Arc::new(Run::new(
            self.inner.registry.clone(),
            self.inner.engine.clock().clone(),
            identity.clone(),
            (self.inner.cursors.clone(), journal),
            mix(self.inner.seed ^ mix(number)),
            transaction,
        ))
    }

    fn find(
        &self,
        path: &str,
        kind: FunctionKind,
        identity: &Identity,
        args: &Packed,
        transaction: &mut Transaction,
    ) -> Result<&Arc<Function>> {
        let function = self.inner.registry.resolve(path, kind, identity.is_admin())?;
        let checked = function.check_args(args, transaction.table_mapping());
        // An id may be of a table that is still to come.
        checked.inspect_err(|_| transaction.depend_on_tables())?;
        Ok(function)
    }

    /// Calls a function; its result in the form that [`Function::form`] says.
    async fn call(
        &self,
        function: &Arc<Function>,
        run: &Arc<Run>,
        args: &Packed,
        on_stuck: Option<OnStuck>,
    ) -> Result<Encoded> {
        let call = Call { args, form: function.form() };
        let output = match &function.handler {
            Handler::Fixed(json) => {
                return Encoded::Json(json.to_string()).into_packed().map(Encoded::Packed);
            }
            Handler::Query(handler) => {
                let ctx = QueryCtx::new(run.clone(), 0, 0);
                self.guard(function, run, on_stuck, handler(&ctx, call)).await?
            }
            Handler::Mutation(handler) => {
                let ctx = MutationCtx::new(run.clone(), 0, 0);
                self.guard(function, run, on_stuck, handler(&ctx, call)).await?
            }
        };
        match &output.0 {
            Encoded::Json(json) => {
                // A value takes at most 9 bytes for every 2 of its JSON.
                if json.len() > MAX_VALUE_BYTES / 5 {
                    let size = Packed::from_json(json).map_or(usize::MAX, |value| value.size());
                    function.check_result_size(size)?;
                }
            }
            Encoded::Packed(result) => {
                run.call(0, |transaction| function.check_result(result, transaction.table_mapping())).await?;
            }
        }
        Ok(output.0)
    }

    async fn guard(
        &self,
        function: &Arc<Function>,
        run: &Arc<Run>,
        on_stuck: Option<OnStuck>,
        future: CallFuture<'_>,
    ) -> Result<Output> {
        let guarded = self.inner.watchdog.watch(function.path(), run, on_stuck, future);
        match AssertUnwindSafe(guarded).catch_unwind().await {
            Ok(result) => result,
            Err(panic) => {
                let text = panic_text(&*panic);
                tracing::error!(function = %function.path(), panic = text, "a function panicked");
                Err(Error::abort("FunctionPanicked", format!("The function panicked: {text}")))
            }
        }
    }
}

/// Also when its task is dropped with its runtime.
struct SyncWhenDropped(Arc<Inner>);

impl Drop for SyncWhenDropped {
    fn drop(&mut self) {
        // Before the log is woken: whoever commits later asks anew.
        self.0.syncing.store(false, Ordering::Release);
        self.0.engine.sync_soon();
    }
}

/// What a mutation has gone through so far.
#[derive(Default)]
struct Retry {
    conflicts: u32,
    at_head: u32,
    place: Option<Place>,
    /// An increment has failed in the commit: it is to fail in the function, which may handle it.
    without_folds: bool,
}

impl Retry {
    async fn wait(&self) {
        if let Some(place) = &self.place {
            place.await;
        }
    }

    async fn commit(
        &mut self,
        engine: &Engine,
        transaction: Transaction,
    ) -> std::result::Result<Timestamp, CommitError> {
        while let Some(clearance) = engine.clearance(&transaction, self.place.as_ref()) {
            clearance.await;
        }
        if self.at_head + 1 >= CONFLICTS_BEFORE_RESERVATION
            && let Some(place) = &self.place
        {
            // Whether or not the reservation is granted: the commit may succeed without it.
            let reads = transaction.read_set().clone();
            return engine.order(transaction).map(|committed| committed.ts).inspect_err(|error| {
                if matches!(error, CommitError::Conflict(_) | CommitError::OutOfRetention) {
                    place.reserve(&reads);
                }
            });
        }
        engine.order(transaction).map(|committed| committed.ts)
    }

    fn conflict(&mut self, engine: &Engine, key: Option<&ConflictKey>) {
        self.conflicts += 1;
        if self.place.is_some() {
            self.at_head += 1;
        } else if self.conflicts >= CONFLICTS_BEFORE_LINE {
            self.place = key.map(|key| engine.line(key));
        }
    }
}

fn failure(ts: Timestamp, error: &Error, log_lines: Vec<String>) -> MutationOutcome {
    MutationOutcome { ts, result: Err(error.into()), log_lines }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// Spreads a number over all bits (splitmix64).
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
