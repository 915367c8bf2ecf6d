//! What a function is handed: the database, and everything else it may ask for.

use std::any::TypeId;
use std::fmt::Display;
use std::ops::Deref;
use std::sync::Arc;

use hull_engine::Transaction;
use hull_model::{Function, FunctionKind};
use hull_value::{Decode, Encode, Packed, Value};
use rand::distr::{Distribution, StandardUniform};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::answer::refuse_pending;
use crate::db::{DatabaseReader, DatabaseWriter};
use crate::error::{Error, Result};
use crate::identity::UserIdentity;
use crate::log_lines::Level;
use crate::private::{Call, Encoded, Form, Handler};
use crate::registry::Function as Registered;
use crate::run::Run;

/// How deep functions may call each other.
const MAX_DEPTH: u8 = 8;

/// The context of a query. It can't write.
pub struct QueryCtx {
    /// The database.
    pub db: DatabaseReader,
    depth: u8,
}

/// The context of a mutation. Everything that a [`QueryCtx`] offers, it offers too.
pub struct MutationCtx {
    /// The database.
    pub db: DatabaseWriter,
    query: QueryCtx,
}

impl Deref for MutationCtx {
    type Target = QueryCtx;

    fn deref(&self) -> &QueryCtx {
        &self.query
    }
}

impl QueryCtx {
    pub(crate) fn new(run: Arc<Run>, frame: u32, depth: u8) -> QueryCtx {
        QueryCtx { db: DatabaseReader { run, frame }, depth }
    }

    fn run(&self) -> &Arc<Run> {
        &self.db.run
    }

    /// The time, in milliseconds since the epoch. It stands still while the function runs.
    ///
    /// A query that asks for the time does not run again because time passes.
    pub fn now(&self) -> f64 {
        self.run().now()
    }

    /// A random value. The same run always draws the same values.
    pub fn random<T>(&self) -> T
    where
        StandardUniform: Distribution<T>,
    {
        self.run().random(|rng| rng.random())
    }

    /// A source of random values, itself drawn from [`QueryCtx::random`].
    pub fn rng(&self) -> StdRng {
        StdRng::seed_from_u64(self.random())
    }

    /// The user on whose behalf the function runs, if one is signed in.
    pub fn auth(&self) -> Option<&UserIdentity> {
        self.run().identity().user().map(|user| &**user)
    }

    /// Writes a line to the log of this call.
    pub fn log(&self, text: impl Display) {
        self.run().log(Level::Log, &text);
    }

    /// Writes an informative line to the log of this call.
    pub fn info(&self, text: impl Display) {
        self.run().log(Level::Info, &text);
    }

    /// Writes a warning to the log of this call.
    pub fn warn(&self, text: impl Display) {
        self.run().log(Level::Warn, &text);
    }

    /// Writes an error to the log of this call.
    pub fn error(&self, text: impl Display) {
        self.run().log(Level::Error, &text);
    }

    /// Writes a line for developers to the log of this call.
    pub fn debug(&self, text: impl Display) {
        self.run().log(Level::Debug, &text);
    }

    /// Calls another query, in the same snapshot: `ctx.run_query(users::get { id }).await?`.
    pub async fn run_query<F: Function>(&self, args: F) -> Result<F::Output>
    where
        F::Output: Decode,
    {
        let function = self.run().registry.by_type(TypeId::of::<F>(), F::NAME)?.clone();
        typed(self.nested_query(&function, &packed(&args)?).await?)
    }

    /// Calls another query by its path, in the same snapshot.
    pub async fn run_query_at(&self, path: &str, args: impl Encode) -> Result<Value> {
        let function = self.run().registry.resolve(path, FunctionKind::Query, true)?.clone();
        typed(self.nested_query(&function, &packed(&args)?).await?)
    }

    async fn nested_query(&self, function: &Registered, args: &Packed) -> Result<Packed> {
        let ctx = QueryCtx::new(self.run().clone(), self.db.frame, deeper(self.depth)?);
        nested(&ctx, function, args).await
    }

    async fn check(&self, function: &Registered, args: &Packed) -> Result<()> {
        let check = |tx: &mut Transaction| {
            let checked = function.check_args(args, tx.table_mapping());
            // An id may be of a table that is still to come.
            checked.inspect_err(|_| tx.depend_on_tables())
        };
        self.run().call(self.db.frame, check).await
    }

    async fn result(&self, function: &Registered, output: Encoded) -> Result<Packed> {
        let result = output.into_packed()?;
        self.run().call(self.db.frame, |tx| function.check_result(&result, tx.table_mapping())).await?;
        Ok(result)
    }
}

impl MutationCtx {
    pub(crate) fn new(run: Arc<Run>, frame: u32, depth: u8) -> MutationCtx {
        let query = QueryCtx::new(run.clone(), frame, depth);
        MutationCtx { db: DatabaseWriter::new(DatabaseReader { run, frame }), query }
    }

    pub(crate) fn depth(&self) -> u8 {
        self.query.depth
    }

    /// Calls another mutation as a part of this transaction. If it fails, what it wrote is taken back, and this
    /// mutation may go on.
    pub async fn run_mutation<F: Function>(&self, args: F) -> Result<F::Output>
    where
        F::Output: Decode,
    {
        let function = self.run().registry.by_type(TypeId::of::<F>(), F::NAME)?.clone();
        typed(self.nested_mutation(&function, &packed(&args)?).await?)
    }

    /// Calls another mutation by its path, as a part of this transaction.
    pub async fn run_mutation_at(&self, path: &str, args: impl Encode) -> Result<Value> {
        let function = self.run().registry.resolve(path, FunctionKind::Mutation, true)?.clone();
        typed(self.nested_mutation(&function, &packed(&args)?).await?)
    }

    async fn nested_mutation(&self, function: &Registered, args: &Packed) -> Result<Packed> {
        let Handler::Mutation(handler) = function.handler else {
            function.expect_kind(FunctionKind::Mutation)?;
            return Err(Error::message("not a mutation"));
        };
        let depth = deeper(self.depth)?;
        self.check(function, args).await?;
        let nested = self.run().enter(self.query.db.frame).await?;
        let ctx = MutationCtx::new(self.run().clone(), nested.frame, depth);
        let output = handler(&ctx, Call { args, form: Form::Packed }).await?;
        let result = ctx.result(function, output.0).await?;
        nested.keep();
        Ok(result)
    }
}

/// Calls a query in a context of its own.
pub(crate) async fn nested(ctx: &QueryCtx, function: &Registered, args: &Packed) -> Result<Packed> {
    let handler = match &function.handler {
        Handler::Query(handler) => handler,
        Handler::Fixed(json) => {
            return Packed::from_json(json).map_err(|error| Error::message(error.to_string()));
        }
        Handler::Mutation(_) => {
            function.expect_kind(FunctionKind::Query)?;
            return Err(Error::message("not a query"));
        }
    };
    ctx.check(function, args).await?;
    let output = handler(ctx, Call { args, form: Form::Packed }).await?;
    let result = ctx.result(function, output.0).await?;
    ctx.run().call(ctx.db.frame, |tx| refuse_pending(function, &result, tx.table_mapping())).await?;
    Ok(result)
}

pub(crate) fn deeper(depth: u8) -> Result<u8> {
    if depth >= MAX_DEPTH {
        let message = format!("Functions call each other too deeply (maximum depth: {MAX_DEPTH})");
        return Err(Error::system("MaximumCallDepthExceeded", message));
    }
    Ok(depth + 1)
}

pub(crate) fn packed(args: &impl Encode) -> Result<Packed> {
    Packed::encode(args)
        .map_err(|error| Error::system("InvalidArguments", format!("ArgumentValidationError: {error}")))
}

pub(crate) fn typed<T: Decode>(result: Packed) -> Result<T> {
    T::decode(result.as_ref())
        .map_err(|error| Error::system("InvalidReturnValue", format!("ReturnsValidationError: {error}")))
}
