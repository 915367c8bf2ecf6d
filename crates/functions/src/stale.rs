//! Queries that a mutation runs beside its transaction: at the same snapshot, and without depending on what they read.

use std::any::TypeId;

use hull_model::{Function, FunctionKind};
use hull_value::{Decode, Encode, Packed, Value};

use crate::context::{MutationCtx, QueryCtx, deeper, nested, packed, typed};
use crate::error::Result;
use crate::registry::Function as Registered;
use crate::run::transaction_error;

/// Runs queries for a mutation as of the moment at which the mutation began.
///
/// They don't see what the mutation has written, and what they read is no part of what it depends on: another mutation may
/// change it before this one commits, which then conflicts with nobody for it. It is for what need not be exact: a
/// setting, a bound, a rough count.
pub struct StaleSnapshot<'a> {
    ctx: &'a MutationCtx,
}

impl MutationCtx {
    /// For queries whose answer may be outdated when this mutation commits:
    /// `ctx.use_stale_snapshot().run_query(settings::get {}).await?`. Queries have no such method.
    pub fn use_stale_snapshot(&self) -> StaleSnapshot<'_> {
        StaleSnapshot { ctx: self }
    }
}

impl StaleSnapshot<'_> {
    /// Calls a query.
    pub async fn run_query<F: Function>(&self, args: F) -> Result<F::Output>
    where
        F::Output: Decode,
    {
        let function = self.ctx.db.run.registry.by_type(TypeId::of::<F>(), F::NAME)?.clone();
        typed(self.call(&function, &packed(&args)?).await?)
    }

    /// Calls a query by its path.
    pub async fn run_query_at(&self, path: &str, args: impl Encode) -> Result<Value> {
        let function = self.ctx.db.run.registry.resolve(path, FunctionKind::Query, true)?.clone();
        typed(self.call(&function, &packed(&args)?).await?)
    }

    async fn call(&self, function: &Registered, args: &Packed) -> Result<Packed> {
        let (run, frame) = (&self.ctx.db.run, self.ctx.db.frame);
        let depth = deeper(self.ctx.depth())?;
        let transaction = run.call(frame, |tx| tx.stale().map_err(transaction_error)).await?;
        let before = transaction.usage();
        let beside = run.beside(transaction);
        let ctx = QueryCtx::new(beside.clone(), 0, depth);
        let result = nested(&ctx, function, args).await;
        let finished = beside.finish();
        run.append_log(finished.log_lines);
        run.call(frame, |tx| {
            if let Some(transaction) = &finished.transaction {
                tx.use_up(&before, &transaction.usage()).map_err(transaction_error)?;
            }
            match finished.failed {
                // It would have ended the mutation, had it happened there.
                Some(error) => Err(error),
                None => result,
            }
        })
        .await
    }
}
