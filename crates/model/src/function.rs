//! A function that can be called by its type.
//!
//! `#[query]` and its siblings make an argument struct of the function's own name, which implements [`Function`], so
//! that a typed call reads `ctx.run_query(list { user_id })` on the server and in clients alike.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;

use hull_value::{Decode, Encode};

use crate::Validated;

/// What a function may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// Reads; can be subscribed to.
    Query,
    /// Reads and writes in one transaction.
    Mutation,
    /// Talks to the outside; has no transaction of its own.
    Action,
}

impl fmt::Display for FunctionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FunctionKind::Query => "Query",
            FunctionKind::Mutation => "Mutation",
            FunctionKind::Action => "Action",
        })
    }
}

/// Who may call a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Every client.
    Public,
    /// Other functions, and whoever holds an admin key.
    Internal,
}

/// The arguments of a function, which stand for the function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function of this application",
    note = "call it as `module::function {{ argument, … }}`, where `function` has `#[query]` or `#[mutation]`"
)]
pub trait Function: Encode + Decode + Validated + Send + Sync + 'static {
    /// What the function returns when it succeeds.
    type Output;

    /// The wire name, without the module's.
    const NAME: &'static str;
    /// What the function may do.
    const KIND: FunctionKind;
    /// Who may call it.
    const VISIBILITY: Visibility;
    /// What it is for; empty when nothing was said.
    const DOC: &'static str;
}

/// Where functions are: a path, `module:function`, for each argument struct. A function does not know its module, since that
/// is named where it is registered.
#[derive(Clone, Debug, Default)]
pub struct FunctionPaths(HashMap<TypeId, String>);

impl FunctionPaths {
    /// Notes that a function is in this module.
    #[must_use]
    pub fn with<F: Function>(mut self, module: &str) -> FunctionPaths {
        self.insert(TypeId::of::<F>(), format!("{module}:{}", F::NAME));
        self
    }

    /// Notes the path of the function with this argument struct.
    pub fn insert(&mut self, function: TypeId, path: String) {
        self.0.insert(function, path);
    }

    /// The path of a function.
    pub fn get<F: Function>(&self) -> Option<&str> {
        self.0.get(&TypeId::of::<F>()).map(String::as_str)
    }
}
