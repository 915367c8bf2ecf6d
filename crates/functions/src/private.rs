//! What `#[query]`, `#[mutation]` and `functions![…]` expand to; nothing here is for people.
//!
//! An attribute makes an argument struct of the function's name, which implements `Function`, and a private function
//! that returns its [`FunctionDef`], by way of [`query`] or [`mutation`].

use std::any::TypeId;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hull_model::{Function, FunctionKind, Validated, Validator, Visibility};
use hull_value::{Decode, Encode, Packed};

use crate::context::{MutationCtx, QueryCtx};
use crate::error::Result;

pub use crate::error::Error;

/// A future that a function's call is.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// The future of one call, whatever its types.
pub(crate) type CallFuture<'a> = BoxFuture<'a, Result<Output>>;

type QueryHandler = dyn for<'a> Fn(&'a QueryCtx, Call<'a>) -> CallFuture<'a> + Send + Sync;
type MutationHandler = dyn for<'a> Fn(&'a MutationCtx, Call<'a>) -> CallFuture<'a> + Send + Sync;

/// A query whose argument struct is `F`. What it returns is checked if `returns` says against what.
pub fn query<F: Function>(
    returns: Option<fn() -> Validator>,
    call: for<'a> fn(&'a QueryCtx, F) -> BoxFuture<'a, Result<F::Output>>,
) -> FunctionDef
where
    F::Output: Encode,
{
    let handler: Arc<QueryHandler> = Arc::new(move |ctx, args| {
        Box::pin(async move {
            let decoded = args.args()?;
            args.finish(call(ctx, decoded).await)
        })
    });
    FunctionDef::new::<F>(Handler::Query(handler), returns)
}

/// A mutation whose argument struct is `F`. What it returns is checked if `returns` says against what.
pub fn mutation<F: Function>(
    returns: Option<fn() -> Validator>,
    call: for<'a> fn(&'a MutationCtx, F) -> BoxFuture<'a, Result<F::Output>>,
) -> FunctionDef
where
    F::Output: Encode,
{
    let handler: Arc<MutationHandler> = Arc::new(move |ctx, args| {
        Box::pin(async move {
            let decoded = args.args()?;
            args.finish(call(ctx, decoded).await)
        })
    });
    FunctionDef::new::<F>(Handler::Mutation(handler), returns)
}

/// A function as its macro describes it.
pub struct FunctionDef {
    pub(crate) name: &'static str,
    pub(crate) visibility: Visibility,
    pub(crate) handler: Handler,
    pub(crate) marker: TypeId,
    pub(crate) args: fn() -> Validator,
    pub(crate) returns: Option<fn() -> Validator>,
    pub(crate) doc: &'static str,
}

#[derive(Clone)]
pub(crate) enum Handler {
    Query(Arc<QueryHandler>),
    Mutation(Arc<MutationHandler>),
}

impl Handler {
    pub(crate) fn kind(&self) -> FunctionKind {
        match self {
            Handler::Query(_) => FunctionKind::Query,
            Handler::Mutation(_) => FunctionKind::Mutation,
        }
    }
}

impl FunctionDef {
    fn new<F: Function>(handler: Handler, returns: Option<fn() -> Validator>) -> FunctionDef {
        FunctionDef {
            name: F::NAME,
            visibility: F::VISIBILITY,
            handler,
            marker: TypeId::of::<F>(),
            args: <F as Validated>::validator,
            returns,
            doc: F::DOC,
        }
    }
}

/// In which form the result of a call is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For a client.
    Json,
    /// For another function, or to be checked first.
    Packed,
}

/// The encoded result of a call.
pub(crate) struct Output(pub(crate) Encoded);

pub(crate) enum Encoded {
    Json(String),
    Packed(Packed),
}

/// One call: its arguments, already checked, and the form of its result.
pub(crate) struct Call<'a> {
    pub(crate) args: &'a Packed,
    pub(crate) form: Form,
}

impl Call<'_> {
    /// The arguments as the function's argument struct.
    fn args<A: Decode>(&self) -> Result<A> {
        A::decode(self.args.as_ref())
            .map_err(|error| Error::system("InvalidArguments", format!("ArgumentValidationError: {error}")))
    }

    /// Encodes what the function returned, once.
    fn finish<T: Encode>(&self, result: Result<T>) -> Result<Output> {
        let value = result?;
        let encoded = match self.form {
            Form::Json => hull_value::to_json(&value).map(Encoded::Json),
            Form::Packed => Packed::encode(&value).map(Encoded::Packed),
        };
        encoded
            .map(Output)
            .map_err(|error| Error::system("InvalidReturnValue", format!("ReturnsValidationError: {error}")))
    }
}
