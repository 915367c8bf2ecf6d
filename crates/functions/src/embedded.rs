//! An application inside another program: its functions on a data directory, without a server.
//!
//! Guarantees: a mutation's answer is durable before the caller has it; a query reads what is durable; a subscription
//! yields its query's answer and then each later one that differs, never an older one.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use hull_engine::{BeginError, DirOptions, Engine, OpenError, SchemaChangeError};
use hull_model::Function;
use hull_value::{Decode, Encode, Packed, Value};
use rand::Rng;
use thiserror::Error as ThisError;

use crate::app::App;
use crate::blocking::blocking_storage;
use crate::calls::{decode, decode_json, packed, path_of, system};
use crate::error::FunctionError;
use crate::identity::Identity;
use crate::live::{CACHE_BYTES, LiveQueries, LiveSession};
use crate::registry::{AppError, Registry};
use crate::release::released;
use crate::runner::{MutationRequest, QueryRequest, Runner};

/// An open database with an application's functions. Cloning is cheap; all clones are the same database.
///
/// ```text
/// let notes = Embedded::open(app(), "notes-data").await?;
/// notes.mutation(add { text: "milk".into() }).await?;
/// let mut list = notes.subscribe(all {})?;
/// while let Some(answer) = list.next().await { println!("{:?}", answer?); }
/// ```
#[derive(Clone)]
pub struct Embedded {
    runner: Runner,
    live: LiveQueries,
}

/// Why an application can't be opened on a directory, or closed.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// Its functions contradict each other.
    #[error(transparent)]
    App(#[from] AppError),
    /// The directory could not be opened: damaged, of a newer format, or in use by another process.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Documents violate the schema, or it contradicts itself.
    #[error("{0}")]
    Schema(Box<SchemaChangeError>),
    /// The thread that opened or closed it did not end.
    #[error("opening or closing the directory was interrupted: {0}")]
    Interrupted(String),
    /// It can't be closed.
    #[error("the database is still in use: drop its subscriptions and clones before closing it")]
    InUse,
}

impl EmbeddedError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            EmbeddedError::App(error) => error.code(),
            EmbeddedError::Open(error) => error.code(),
            EmbeddedError::Schema(error) => error.code(),
            EmbeddedError::Interrupted(_) => "Interrupted",
            EmbeddedError::InUse => "InUse",
        }
    }
}

impl Embedded {
    /// Opens a data directory, which is made when it is missing, and prepares its tables and indexes. Must be called
    /// inside a tokio runtime, which live queries then run in.
    pub async fn open(app: App, directory: impl AsRef<Path>) -> Result<Embedded, EmbeddedError> {
        Embedded::open_with(app, directory, DirOptions::default()).await
    }

    /// The same with a memory budget and a durability of one's own.
    pub async fn open_with(
        app: App,
        directory: impl AsRef<Path>,
        options: DirOptions,
    ) -> Result<Embedded, EmbeddedError> {
        let directory = directory.as_ref().to_owned();
        let options = DirOptions { wrap_storage: options.wrap_storage.or(Some(blocking_storage)), ..options };
        let opening = tokio::task::spawn_blocking(move || {
            let engine = Engine::open_dir(directory, options)?;
            engine
                .apply_schema(app.tables(), &mut |_| {})
                .map_err(|error| EmbeddedError::Schema(Box::new(error)))?;
            Ok::<_, EmbeddedError>((engine, Registry::new(app)?))
        });
        let (engine, registry) =
            opening.await.map_err(|error| EmbeddedError::Interrupted(error.to_string()))??;
        let runner = Runner::new(engine, Arc::new(registry), rand::rng().next_u64());
        runner.start_watchdog();
        let live = LiveQueries::start(runner.clone(), CACHE_BYTES);
        Ok(Embedded { runner, live })
    }

    /// Calls a query at the newest durable timestamp.
    pub async fn query<F: Function>(&self, args: F) -> Result<F::Output, FunctionError>
    where
        F::Output: Decode,
    {
        decode(&self.ask(&path_of::<F>(self.runner.registry())?, &packed(&args)?).await?)
    }

    /// Calls a query by path, `module:function`; internal ones too.
    pub async fn query_at(&self, path: &str, args: impl Encode) -> Result<Value, FunctionError> {
        decode(&self.ask(path, &packed(&args)?).await?)
    }

    /// Calls a mutation; returns once it is durable.
    pub async fn mutation<F: Function>(&self, args: F) -> Result<F::Output, FunctionError>
    where
        F::Output: Decode,
    {
        decode_json(&self.change(&path_of::<F>(self.runner.registry())?, &packed(&args)?).await?)
    }

    /// Calls a mutation by path, `module:function`; internal ones too.
    pub async fn mutation_at(&self, path: &str, args: impl Encode) -> Result<Value, FunctionError> {
        decode_json(&self.change(path, &packed(&args)?).await?)
    }

    /// Subscribes to a query: its answer, and each later one that differs.
    pub fn subscribe<F: Function>(&self, args: F) -> Result<Subscription<F::Output>, FunctionError>
    where
        F::Output: Decode,
    {
        self.subscribe_at(&path_of::<F>(self.runner.registry())?, args)
    }

    /// Subscribes to a query by path.
    pub fn subscribe_at<T: Decode>(
        &self,
        path: &str,
        args: impl Encode,
    ) -> Result<Subscription<T>, FunctionError> {
        let session = self.live.session(Identity::System);
        session.subscribe(0, path, &packed(&args)?, None);
        Ok(Subscription { session, live: self.live.clone(), answer: PhantomData })
    }

    /// Stops: later mutations are refused, everything is on disk and the directory can be opened again when this
    /// returns. Drop subscriptions and other clones first: while there are some the directory stays in use, which is an
    /// error after five seconds.
    pub async fn close(self) -> Result<(), EmbeddedError> {
        let engine = self.runner.engine().clone();
        let watch = engine.watch();
        drop(self);
        let closing = tokio::task::spawn_blocking(move || engine.shutdown());
        closing.await.map_err(|error| EmbeddedError::Interrupted(error.to_string()))?;
        if released(&watch).await { Ok(()) } else { Err(EmbeddedError::InUse) }
    }

    async fn ask(&self, path: &str, args: &Packed) -> Result<Packed, FunctionError> {
        let request = QueryRequest { path, args, journal: None, identity: &Identity::System };
        let (_, result) = self.live.query(request).await.map_err(|error| system(error.code(), &error))?;
        result.value.clone()
    }

    async fn change(&self, path: &str, args: &Packed) -> Result<String, FunctionError> {
        let identity = &Identity::System;
        let request = MutationRequest { path, args, identity, request: None, on_stuck: None };
        let outcome =
            self.runner.run_mutation(request).await.map_err(|error| system(error.code(), &error))?;
        if !self.live.wait_durable(outcome.ts).await {
            return Err(system(BeginError::LogFailed.code(), &BeginError::LogFailed));
        }
        outcome.result
    }
}

/// The answers of a query, for as long as this lives.
pub struct Subscription<T> {
    session: LiveSession,
    live: LiveQueries,
    answer: PhantomData<fn() -> T>,
}

impl<T: Decode> Subscription<T> {
    /// Waits for the next answer: the first one at once, then each that differs. Of several changes that nobody waited
    /// for, only the newest is given. `None` once the database's log has failed.
    pub async fn next(&mut self) -> Option<Result<T, FunctionError>> {
        loop {
            if let Some((_, result)) = self.session.poll().and_then(|step| step.updates.into_iter().next()) {
                return Some(result.value.as_ref().map_err(Clone::clone).and_then(decode));
            }
            tokio::select! {
                () = self.session.ready() => {}
                () = self.live.failed() => return None,
            }
        }
    }
}
