//! What `#[query]`, `#[mutation]` and `functions![…]` expand to; nothing here is for people.
//!
//! An attribute makes an argument struct of the function's name, which implements `Function`, and a private function
//! that returns its [`FunctionDef`], which `functions!` calls:
//!
//! ```text
//! fn run<'a>(ctx: &'a QueryCtx, call: Call<'a>) -> CallFuture<'a> {
//!     Box::pin(async move {
//!         let args: list = call.args()?;
//!         call.finish(list(ctx, args.user_id, args.limit).await)
//!     })
//! }
//! FunctionDef::query::<list>(run).result(Says::<Vec<Doc<Entry>>>::VALIDATOR)
//! ```

use std::any::TypeId;
use std::fmt::Display;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use hull_model::{Function, FunctionKind, Validated, Validator, Visibility};
use hull_value::{Decode, Encode, Packed, PackedEncoder};

use crate::context::{MutationCtx, QueryCtx};
use crate::error::{Error, Result};

/// The room that a result begins with: a list mostly fits, and it is given back at once.
const EXPECTED_BYTES: usize = 2048;

/// The future of one call.
pub type CallFuture<'a> = Pin<Box<dyn Future<Output = Result<Output>> + Send + 'a>>;
/// Runs a query.
pub(crate) type QueryHandler = for<'a> fn(&'a QueryCtx, Call<'a>) -> CallFuture<'a>;
/// Runs a mutation.
pub(crate) type MutationHandler = for<'a> fn(&'a MutationCtx, Call<'a>) -> CallFuture<'a>;

/// A function as its macro describes it.
pub struct FunctionDef {
    pub(crate) name: &'static str,
    pub(crate) visibility: Visibility,
    pub(crate) handler: Handler,
    pub(crate) marker: TypeId,
    pub(crate) args: fn() -> Validator,
    pub(crate) returns: Option<fn() -> Validator>,
    pub(crate) result: Option<fn() -> Validator>,
    pub(crate) doc: &'static str,
}

#[derive(Clone)]
pub(crate) enum Handler {
    Query(QueryHandler),
    Mutation(MutationHandler),
    /// A query of the system whose answer, in wire JSON, stays the same while the process runs.
    Fixed(Arc<str>),
}

impl Handler {
    pub(crate) fn kind(&self) -> FunctionKind {
        match self {
            Handler::Query(_) | Handler::Fixed(_) => FunctionKind::Query,
            Handler::Mutation(_) => FunctionKind::Mutation,
        }
    }
}

impl FunctionDef {
    /// A query whose argument struct is `F`.
    pub fn query<F: Function>(handler: for<'a> fn(&'a QueryCtx, Call<'a>) -> CallFuture<'a>) -> FunctionDef {
        FunctionDef::new::<F>(Handler::Query(handler))
    }

    /// A mutation whose argument struct is `F`.
    pub fn mutation<F: Function>(
        handler: for<'a> fn(&'a MutationCtx, Call<'a>) -> CallFuture<'a>,
    ) -> FunctionDef {
        FunctionDef::new::<F>(Handler::Mutation(handler))
    }

    fn new<F: Function>(handler: Handler) -> FunctionDef {
        FunctionDef {
            name: F::NAME,
            visibility: F::VISIBILITY,
            handler,
            marker: TypeId::of::<F>(),
            args: <F as Validated>::validator,
            returns: None,
            result: None,
            doc: F::DOC,
        }
    }

    /// Checks what the function returns.
    #[must_use]
    pub fn returns(mut self, validator: fn() -> Validator) -> FunctionDef {
        self.returns = Some(validator);
        self
    }

    /// Says what the function returns, for clients; nothing is checked against it.
    #[must_use]
    pub fn result(mut self, validator: Option<fn() -> Validator>) -> FunctionDef {
        self.result = validator;
        self
    }
}

/// What a Rust type says that its values are: `Says::<T>::VALIDATOR` is a validator where `T` stands for one. For any
/// other type the constant of [`SaysNothing`] is found, since an inherent one whose bound does not hold is passed over.
pub struct Says<T>(PhantomData<T>);

impl<T: Validated> Says<T> {
    /// The validator of a result of this type.
    pub const VALIDATOR: Option<fn() -> Validator> = Some(Validator::of::<T>);
}

/// What is left for types that stand for no validator.
pub trait SaysNothing {
    /// Nothing is known.
    const VALIDATOR: Option<fn() -> Validator> = None;
}

impl<T> SaysNothing for Says<T> {}

/// In which form the result of a call is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For a client, who is told it once.
    Json,
    /// To be kept, for another function, or to be checked first.
    Packed,
}

/// The encoded result of a call.
pub struct Output(pub(crate) Encoded);

pub(crate) enum Encoded {
    Json(String),
    Packed(Packed),
}

impl Encoded {
    pub(crate) fn into_packed(self) -> Result<Packed> {
        match self {
            Encoded::Packed(value) => Ok(value),
            Encoded::Json(json) => Packed::from_json(&json).map_err(invalid_result),
        }
    }

    pub(crate) fn into_json(self) -> String {
        match self {
            Encoded::Packed(value) => value.to_json(),
            Encoded::Json(json) => json,
        }
    }
}

fn invalid_result(error: impl Display) -> Error {
    Error::system("InvalidReturnValue", format!("ReturnsValidationError: {error}"))
}

/// One call: its arguments, already checked, and the form of its result.
pub struct Call<'a> {
    pub(crate) args: &'a Packed,
    pub(crate) form: Form,
}

impl Call<'_> {
    /// The arguments as the function's argument struct.
    pub fn args<A: Decode>(&self) -> Result<A> {
        A::decode(self.args.as_ref())
            .map_err(|error| Error::system("InvalidArguments", format!("ArgumentValidationError: {error}")))
    }

    /// Encodes what the function returned, once.
    pub fn finish<T: Encode, E: Into<Error>>(&self, result: Result<T, E>) -> Result<Output> {
        let value = result.map_err(Into::into)?;
        let encoded = match self.form {
            Form::Json => hull_value::to_json(&value).map(Encoded::Json),
            Form::Packed => {
                let mut encoder = PackedEncoder::with_capacity(EXPECTED_BYTES);
                value.encode(&mut encoder);
                encoder.finish().map(Encoded::Packed)
            }
        };
        encoded.map(Output).map_err(invalid_result)
    }
}
