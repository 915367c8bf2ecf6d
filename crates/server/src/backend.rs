//! What a server needs of the engine and the functions, in the server's own terms.
//!
//! Guarantee: nothing that this gives to a client is newer than what is durable: queries read at the durable
//! timestamp, HTTP mutations come back when they are durable, and websocket mutations come back with the timestamp
//! that their answer must wait for.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant as Moment;

use hull_engine::{BeginError, Engine, Progress};
use hull_functions::{
    App, CACHE_BYTES, FunctionError, Identity, LiveQueries, MutationRequest, OnStuck, QueryRequest, Registry,
    RequestId, RunError, Runner, UserIdentity,
};
use hull_model::{FunctionKind, Schema};
use hull_sync::{Close, Credential, Failure, FunctionPath, Instant, NO_AUTH_PROVIDER, SessionId};
use hull_value::{Packed, Timestamp, ValueRef};
use tokio::sync::mpsc;

use crate::admin::{AdminError, KeyStore};
use crate::backups::Backups;
use crate::codegen;
use crate::connection::instant;
use crate::data::{self, Opener};
use crate::http::{ApiError, Credentials, without_type};
use crate::imports::Imports;
use crate::live::{Live, sendable};
use crate::metrics::Metrics;
use crate::sample::SampleError;
use crate::settings::Settings;
use crate::terminal::say;

/// Why a server could not start, or did not stop in good order.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data can't be opened.
    #[error(transparent)]
    Open(#[from] hull_engine::OpenError),
    /// The application's tables do not fit the data.
    #[error(transparent)]
    Schema(Box<hull_engine::SchemaChangeError>),
    /// The application's functions contradict each other.
    #[error(transparent)]
    App(#[from] hull_functions::AppError),
    /// The sample data could not be loaded.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// An admin key could not be made.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The log has failed: what was acknowledged is on disk, nothing more can be.
    #[error("the commit log has failed, and nothing more can be acknowledged; restart the server: {0}")]
    LogFailed(String),
    /// The server has stopped already.
    #[error("the server has stopped")]
    Stopped,
}

impl StartError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            StartError::Open(error) => error.code(),
            StartError::Schema(error) => error.code(),
            StartError::App(error) => error.code(),
            StartError::Sample(_) => "SampleDataFailed",
            StartError::Admin(error) => error.code(),
            StartError::LogFailed(_) => "LogFailed",
            StartError::Stopped => "Stopped",
        }
    }
}

impl From<hull_engine::SchemaChangeError> for StartError {
    fn from(error: hull_engine::SchemaChangeError) -> StartError {
        StartError::Schema(Box::new(error))
    }
}

/// When a query reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    /// At the newest durable timestamp.
    Durable,
    /// At this one.
    Exactly(Timestamp),
}

/// What a function that was asked for over HTTP returned.
pub(crate) enum Answer {
    /// A query's, which others may be told too.
    Shared(Arc<hull_sync::QueryResult>),
    /// A mutation's, in wire JSON.
    Json(String),
}

/// How a function that was asked for over HTTP ended.
pub(crate) struct Outcome {
    pub(crate) result: Result<Answer, FunctionError>,
    pub(crate) log_lines: Vec<String>,
}

/// How a mutation that was asked for over a websocket ended.
pub(crate) enum Ran {
    /// Answered, once `ts` is durable.
    Done { ts: Timestamp, result: Result<String, Failure>, log_lines: Vec<String> },
    /// Not run at all: the client should come back.
    NotNow(Close),
}

/// A mutation that runs.
pub(crate) type MutationRun = Pin<Box<dyn Future<Output = Ran> + Send>>;

/// The engine and the functions of a running server.
pub(crate) struct Backend {
    engine: Engine,
    runner: Runner,
    live: LiveQueries,
    keys: KeyStore,
    backups: Arc<Backups>,
    imports: Arc<Imports>,
    directory: PathBuf,
    started: Moment,
}

impl Backend {
    /// Opens the data, applies the application's tables and builds what indexes need; blocks until that is done.
    pub(crate) fn open(
        app: App,
        opener: Opener,
        settings: &Settings,
        runtime: tokio::runtime::Handle,
        url: &str,
    ) -> Result<Arc<Backend>, StartError> {
        let engine = opener(settings)?;
        let schema = app.tables().clone();
        let mut registry = Registry::new(app)?;
        codegen::answer_spec(&mut registry, url);
        let mut tell = |progress| say(&data::describe(&progress));
        Backend::with_engine(engine, registry, Some(&schema), settings, runtime, &mut tell)
    }

    /// The same on an engine that is open; without a schema, tables stay as they are.
    pub(crate) fn with_engine(
        engine: Engine,
        registry: Registry,
        schema: Option<&Schema>,
        settings: &Settings,
        runtime: tokio::runtime::Handle,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Arc<Backend>, StartError> {
        if let Some(schema) = schema {
            engine.apply_schema(schema, tell)?;
        }
        let runner = Runner::new(engine.clone(), Arc::new(registry), RandomState::new().hash_one(0));
        runner.start_watchdog();
        let live = {
            let _guard = runtime.enter();
            LiveQueries::start(runner.clone(), CACHE_BYTES)
        };
        Ok(Arc::new(Backend {
            keys: KeyStore::new(engine.clone())?,
            imports: Arc::default(),
            backups: Arc::default(),
            engine,
            runner,
            live,
            directory: settings.data_dir.clone(),
            started: Moment::now(),
        }))
    }

    /// Ends when the log has failed.
    pub(crate) async fn failed(&self) {
        self.live.failed().await;
    }

    /// The newest timestamp whose results have reached the live queries.
    pub(crate) fn durable(&self) -> Timestamp {
        self.live.durable()
    }

    pub(crate) fn runner(&self) -> &Runner {
        &self.runner
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The backups that clients are fetching.
    pub(crate) fn backups(&self) -> &Arc<Backups> {
        &self.backups
    }

    pub(crate) fn keys(&self) -> &KeyStore {
        &self.keys
    }

    /// The imports under way.
    pub(crate) fn imports(&self) -> &Arc<Imports> {
        &self.imports
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The clocks, for a session.
    pub(crate) fn instant(&self) -> Instant {
        instant(self.started)
    }

    /// What kind of function a path names.
    pub(crate) fn kind(&self, path: &str) -> Option<FunctionKind> {
        self.runner.registry().get(path).map(|function| function.kind())
    }

    /// Runs a query.
    pub(crate) async fn query(
        &self,
        path: &str,
        args: Packed,
        identity: Identity,
        at: At,
    ) -> Result<Outcome, RunError> {
        let request = QueryRequest { path, args: &args, journal: None, identity: &identity };
        let result = match at {
            At::Durable => self.live.query(request).await?.1,
            At::Exactly(ts) => self.live.query_at(request, ts).await?,
        };
        let answer = match (&result.value, sendable(&result)) {
            (Err(error), _) => Err(error.clone()),
            (Ok(_), Some(shared)) => Ok(Answer::Shared(shared)),
            (Ok(value), None) => Ok(Answer::Json(value.to_json())),
        };
        Ok(Outcome { result: answer, log_lines: result.log_lines.to_vec() })
    }

    /// Runs a mutation and waits until it is durable. It runs in a task of its own, so one that keeps its thread is
    /// answered for.
    pub(crate) async fn mutation(
        &self,
        path: &str,
        args: Packed,
        identity: Identity,
    ) -> Result<Outcome, RunError> {
        let (told, mut stuck) = mpsc::channel(1);
        let tell = move |_, error| {
            // Nobody listens any more when the mutation came to its end after all.
            let _ = told.try_send(error);
        };
        let on_stuck = OnStuck { token: 0, tell: Arc::new(tell) };
        let (runner, path) = (self.runner.clone(), path.to_owned());
        let run = tokio::spawn(async move {
            let (args, identity, on_stuck) = (&args, &identity, Some(on_stuck));
            let path = path.as_str();
            runner.run_mutation(MutationRequest { path, args, identity, request: None, on_stuck }).await
        });
        let failed = |error| Ok(Outcome { result: Err(error), log_lines: Vec::new() });
        let outcome = tokio::select! {
            biased;
            outcome = run => match outcome {
                Ok(outcome) => outcome?,
                Err(error) => return failed(FunctionError { message: error.to_string(), data: None, code: None }),
            },
            Some(error) = stuck.recv() => return failed(error),
        };
        self.wait_durable(outcome.ts).await?;
        Ok(Outcome { result: outcome.result.map(Answer::Json), log_lines: outcome.log_lines })
    }

    /// Waits until everything up to `ts` is durable.
    pub(crate) async fn wait_durable(&self, ts: Timestamp) -> Result<(), RunError> {
        match self.live.wait_durable(ts).await {
            true => Ok(()),
            false => Err(RunError::Begin(BeginError::LogFailed)),
        }
    }

    /// Runs a mutation for a websocket.
    pub(crate) fn mutate(
        &self,
        path: FunctionPath,
        args: Packed,
        identity: Identity,
        request: Option<(SessionId, u32)>,
        on_stuck: OnStuck,
    ) -> MutationRun {
        let runner = self.runner.clone();
        let request =
            request.map(|(session, request)| RequestId { session: u128::from_be_bytes(session.0), request });
        Box::pin(async move {
            let mutation = MutationRequest {
                path: path.as_str(),
                args: &args,
                identity: &identity,
                request,
                on_stuck: Some(on_stuck),
            };
            match runner.run_mutation(mutation).await {
                Ok(outcome) => Ran::Done {
                    ts: outcome.ts,
                    result: outcome.result.map_err(|error| failure(&error)),
                    log_lines: outcome.log_lines,
                },
                Err(error) => not_now(&error),
            }
        })
    }

    /// The live queries of one websocket.
    pub(crate) fn live(&self) -> Live {
        Live::new(self.live.session(Identity::Anonymous))
    }

    /// Who an HTTP request comes from.
    pub(crate) fn identity(&self, credentials: &Credentials) -> Result<Identity, ApiError> {
        match credentials {
            Credentials::None => Ok(Identity::Anonymous),
            Credentials::User(_) => Err(ApiError::unauthenticated("NoAuthProvider", NO_AUTH_PROVIDER)),
            Credentials::Admin { key, acting_as } => self.admin(key, acting_as.as_deref()),
        }
    }

    /// Who a websocket says it is.
    pub(crate) fn authenticate(&self, credential: &Credential) -> Result<Identity, String> {
        match credential {
            Credential::None => Ok(Identity::Anonymous),
            Credential::User { .. } => Err(NO_AUTH_PROVIDER.to_owned()),
            Credential::Admin { key, acting_as } => self
                .admin(without_type(key), acting_as.as_deref())
                .map_err(|error| error.message().to_owned()),
        }
    }

    fn admin(&self, key: &str, acting_as: Option<&str>) -> Result<Identity, ApiError> {
        match self.keys.is_valid(key) {
            Ok(true) => Ok(Identity::Admin(acting_as.map(user_identity).transpose()?.map(Arc::new))),
            Ok(false) => Err(ApiError::unauthenticated("BadAdminKey", "The admin key is not valid.")),
            Err(error) => Err(ApiError::unavailable("InternalServerError", error.to_string())),
        }
    }

    /// There are no actions yet.
    pub(crate) fn no_action(&self, path: &str) -> Outcome {
        Outcome {
            result: Err(FunctionError { message: self.no_action_text(path), data: None, code: None }),
            log_lines: Vec::new(),
        }
    }

    /// The same for a websocket.
    pub(crate) fn no_action_failure(&self, path: &str) -> Failure {
        Failure::new(self.no_action_text(path))
    }

    fn no_action_text(&self, path: &str) -> String {
        let path = hull_functions::display_path(path);
        format!("Could not find public function for '{path}'. This server has no actions yet.")
    }

    /// Copies what the engine and the live queries count into the metrics.
    pub(crate) fn report(&self, metrics: &Metrics) {
        let engine = self.engine.metrics();
        for (name, value) in [
            ("hull_ordered_timestamp", engine.ordered.0),
            ("hull_durable_timestamp", engine.durable.0),
            ("hull_checkpoint_timestamp", engine.checkpoint.0),
            ("hull_history_start_timestamp", engine.history_start.0),
            ("hull_overlay_bytes", engine.overlay_bytes),
            ("hull_dirty_bytes", engine.dirty_bytes),
            ("hull_history_bytes", engine.history_bytes),
            ("hull_resident_tables", engine.resident_tables),
            ("hull_tables", engine.tables),
            ("hull_storage_bytes", engine.storage_bytes),
            ("hull_live_bytes", engine.live_bytes),
            ("hull_log_bytes", engine.log_bytes),
            ("hull_snapshots", engine.snapshots),
        ] {
            metrics.set(name, value);
        }
        let (runs, retries) = self.runner.counts();
        let live = self.live.metrics();
        for (name, value) in [
            ("hull_commits_total", engine.commits),
            ("hull_conflicts_total", engine.conflicts),
            ("hull_checkpoints_total", engine.checkpoints),
            ("hull_storage_failures_total", engine.storage_failures),
            ("hull_function_runs_total", runs),
            ("hull_mutation_retries_total", retries),
            ("hull_query_reruns_total", live.runs),
            ("hull_query_cache_hits_total", live.hits),
            ("hull_session_wakes_total", live.wakes),
        ] {
            metrics.count(name, value);
        }
        metrics.set("hull_live_queries", live.held as u64);
        metrics.set("hull_cached_queries", live.queries.saturating_sub(live.held) as u64);
        metrics.set("hull_cached_query_bytes", live.cached_bytes as u64);
        metrics.set("hull_live_sessions", live.sessions as u64);
    }

    /// Makes everything durable and lets go of the directory; blocks.
    pub(crate) fn shutdown(&self) {
        self.backups.clear();
        self.engine.shutdown();
    }
}

pub(crate) fn failure(error: &FunctionError) -> Failure {
    match &error.data {
        Some(data) => Failure::with_data(error.message.clone(), data.to_json()),
        None => Failure::new(error.message.clone()),
    }
}

fn not_now(error: &RunError) -> Ran {
    Ran::NotNow(Close::new(Close::AGAIN, format!("{}: {error}", error.code())))
}

/// Reads the identity that an admin acts as.
fn user_identity(json: &str) -> Result<UserIdentity, ApiError> {
    let bad = |why: &str| ApiError::bad_request("BadActingAsIdentity", why);
    let attributes = Packed::from_json(json).map_err(|error| bad(&error.to_string()))?;
    let ValueRef::Object(fields) = attributes.as_ref() else {
        return Err(bad("The identity to act as is not an object."));
    };
    let text = |name: &str| match fields.get(name) {
        Some(ValueRef::String(text)) => Some(text.to_owned()),
        _ => None,
    };
    let (issuer, subject) = (text("issuer"), text("subject"));
    let token_identifier = match (text("tokenIdentifier"), &issuer, &subject) {
        (Some(token_identifier), _, _) => token_identifier,
        (None, Some(issuer), Some(subject)) => format!("{issuer}|{subject}"),
        _ => return Err(bad("The identity to act as needs `tokenIdentifier`, or `issuer` and `subject`.")),
    };
    let (issuer, subject) = (issuer.unwrap_or_default(), subject.unwrap_or_default());
    Ok(UserIdentity { token_identifier, issuer, subject, attributes })
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> ApiError {
        ApiError::unavailable(error.code(), error.to_string())
    }
}
