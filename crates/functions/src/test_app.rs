//! An application in memory, for tests: no server, no files, a clock that only the test moves, and a seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hull_engine::log::MemoryLog;
use hull_engine::storage::MemoryStorage;
use hull_engine::{Engine, ManualClock, OpenError, Options, SchemaChangeError};
use hull_model::Function;
use hull_value::{Decode, Encode, Packed, Timestamp, Value};
use thiserror::Error as ThisError;

use crate::app::App;
use crate::calls::{decode, decode_json, packed, path_of, system};
use crate::error::FunctionError;
use crate::identity::Identity;
use crate::live::{CACHE_BYTES, LiveQueries, LiveSession, Step};
use crate::outcome::{MutationOutcome, QueryResult};
use crate::registry::{AppError, Registry};
use crate::runner::{MutationRequest, QueryRequest, Runner};

/// Where the clock of a test stands at first: 2026-01-01 in nanoseconds.
const START: Timestamp = Timestamp(1_767_225_600_000_000_000);

/// An application in memory.
///
/// ```text
/// let app = TestApp::new(App::new().schema(schema()).module(users::module()))?;
/// let id = app.mutation(users::create { name: "Ada".into() }).await?;
/// assert_eq!(app.query(users::get { id }).await?.name, "Ada");
/// ```
pub struct TestApp {
    runner: Runner,
    live: LiveQueries,
    clock: Arc<ManualClock>,
    log: Arc<MemoryLog>,
    identity: Identity,
}

/// Why an application can't be tested.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum TestAppError {
    /// Its functions contradict each other.
    #[error(transparent)]
    App(#[from] AppError),
    /// The database did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The schema is refused.
    #[error("{0}")]
    Schema(Box<SchemaChangeError>),
}

impl TestAppError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            TestAppError::App(error) => error.code(),
            TestAppError::Open(error) => error.code(),
            TestAppError::Schema(error) => error.code(),
        }
    }
}

impl TestApp {
    /// An application with an empty database. Must be called inside a tokio runtime.
    pub fn new(app: App) -> Result<TestApp, TestAppError> {
        TestApp::with_seed(app, 0)
    }

    /// An application whose ids and random values follow from `seed`.
    pub fn with_seed(app: App, seed: u64) -> Result<TestApp, TestAppError> {
        let clock = Arc::new(ManualClock::new(START));
        let log = Arc::new(MemoryLog::new());
        let mut options = Options::new(Arc::new(MemoryStorage::new()), log.clone());
        options.clock = clock.clone();
        options.seed = Some(seed);
        options.background = false;
        let engine = Engine::open(options)?;
        engine
            .apply_schema(app.tables(), &mut |_| {})
            .map_err(|error| TestAppError::Schema(Box::new(error)))?;
        let registry = Arc::new(Registry::new(app)?);
        let runner = Runner::new(engine, registry, seed);
        let live = LiveQueries::start(runner.clone(), CACHE_BYTES);
        Ok(TestApp { runner, live, clock, log, identity: Identity::Anonymous })
    }

    /// The same application, called on behalf of somebody else.
    pub fn with_identity(&self, identity: Identity) -> TestApp {
        TestApp {
            runner: self.runner.clone(),
            live: self.live.clone(),
            clock: self.clock.clone(),
            log: self.log.clone(),
            identity,
        }
    }

    /// What runs the functions.
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// What keeps queries live.
    pub fn live(&self) -> &LiveQueries {
        &self.live
    }

    /// The commit log, whose syncs a test may hold back.
    pub fn log(&self) -> &Arc<MemoryLog> {
        &self.log
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<ManualClock> {
        &self.clock
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Calls a query.
    pub async fn query<F: Function>(&self, args: F) -> Result<F::Output, FunctionError>
    where
        F::Output: Decode,
    {
        decode(&self.query_outcome(&self.path::<F>()?, &packed(&args)?).await?.value?)
    }

    /// Calls a query by path.
    pub async fn query_at(&self, path: &str, args: impl Encode) -> Result<Value, FunctionError> {
        decode(&self.query_outcome(path, &packed(&args)?).await?.value?)
    }

    /// Calls a query by path; the answer with all that belongs to it.
    pub async fn query_outcome(&self, path: &str, args: &Packed) -> Result<QueryResult, FunctionError> {
        self.live.settled().await;
        let request = QueryRequest { path, args, journal: None, identity: &self.identity };
        let (_, result) = self.live.query(request).await.map_err(|error| system(error.code(), &error))?;
        Ok((*result).clone())
    }

    /// Calls a mutation.
    pub async fn mutation<F: Function>(&self, args: F) -> Result<F::Output, FunctionError>
    where
        F::Output: Decode,
    {
        decode_json(&self.mutation_outcome(&self.path::<F>()?, &packed(&args)?).await?.result?)
    }

    /// Calls a mutation by path.
    pub async fn mutation_at(&self, path: &str, args: impl Encode) -> Result<Value, FunctionError> {
        decode_json(&self.mutation_outcome(path, &packed(&args)?).await?.result?)
    }

    /// Calls a mutation by path; the answer with all that belongs to it.
    pub async fn mutation_outcome(
        &self,
        path: &str,
        args: &Packed,
    ) -> Result<MutationOutcome, FunctionError> {
        let request = MutationRequest { path, args, identity: &self.identity, request: None, on_stuck: None };
        self.runner.run_mutation(request).await.map_err(|error| system(error.code(), &error))
    }

    /// Opens a session that subscribes.
    pub fn session(&self) -> TestSession {
        let session = self.live.session(self.identity.clone());
        TestSession {
            app: self.with_identity(self.identity.clone()),
            session,
            next: 0,
            state: BTreeMap::new(),
        }
    }

    /// Ends when everything is durable and every query that it touches has run again.
    pub async fn settled(&self) {
        self.live.settled().await;
    }

    /// The queries that ran since the last call, as `users:get {"id":"…"}`, sorted. The first call begins the list.
    pub fn take_reruns(&self) -> Vec<String> {
        let reruns = self.live.take_reruns().into_iter();
        let mut names: Vec<String> =
            reruns.map(|rerun| format!("{} {}", rerun.key.path, rerun.key.args.to_clean_json())).collect();
        names.sort();
        names
    }

    fn path<F: Function>(&self) -> Result<String, FunctionError> {
        path_of::<F>(self.runner.registry())
    }
}

/// A session of a test: what a client would see.
pub struct TestSession {
    app: TestApp,
    session: LiveSession,
    next: u32,
    state: BTreeMap<u32, Arc<QueryResult>>,
}

impl TestSession {
    /// Subscribes to a query; the number it has from now on.
    pub fn subscribe<F: Function>(&mut self, args: F) -> Result<u32, FunctionError> {
        let path = self.app.path::<F>()?;
        self.subscribe_at(&path, args)
    }

    /// Subscribes to a query by path.
    pub fn subscribe_at(&mut self, path: &str, args: impl Encode) -> Result<u32, FunctionError> {
        let number = self.next;
        self.next += 1;
        self.session.subscribe(number, path, &packed(&args)?, None);
        Ok(number)
    }

    /// Ends a subscription.
    pub fn unsubscribe(&mut self, query: u32) {
        self.session.unsubscribe(query);
        self.state.remove(&query);
    }

    /// The session itself.
    pub fn live(&mut self) -> &mut LiveSession {
        &mut self.session
    }

    /// Waits until everything has been dealt with, then moves the session; what changed.
    pub async fn step(&mut self) -> Option<Step> {
        self.app.settled().await;
        let step = self.session.poll()?;
        for (query, result) in &step.updates {
            self.state.insert(*query, result.clone());
        }
        Some(step)
    }

    /// Like [`TestSession::step`]; only the numbers of the queries that changed.
    pub async fn changed(&mut self) -> Vec<u32> {
        self.step().await.map_or(Vec::new(), |step| step.updates.iter().map(|(query, _)| *query).collect())
    }

    /// The result of a query as of the last step, in wire JSON.
    pub fn json(&self, query: u32) -> Option<String> {
        self.state.get(&query)?.value.as_ref().ok().map(Packed::to_json)
    }

    /// The result of a query as of the last step.
    pub fn value<T: Decode>(&self, query: u32) -> Result<T, FunctionError> {
        match self.state.get(&query) {
            Some(result) => decode(result.value.as_ref().map_err(Clone::clone)?),
            None => Err(FunctionError::message("There is no result yet")),
        }
    }
}
