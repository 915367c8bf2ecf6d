//! Queries and mutations written in Rust, run with retry and kept live.
//!
//! A function is handed a context ([`QueryCtx`], [`MutationCtx`]) and returns a [`Result`]. An [`App`] registers
//! functions by module. A [`Runner`] runs them on an engine; [`LiveQueries`] keeps the results of queries up to date.
//! This crate knows no sockets and no protocol.

mod answer;
mod app;
mod blocking;
mod calls;
mod context;
mod db;
mod embedded;
mod error;
mod identity;
mod live;
mod log_lines;
mod outcome;
mod pages;
mod path;
mod private;
mod registry;
mod release;
mod request;
mod run;
mod runner;
mod stale;
mod sweep;
mod test_app;
mod watchdog;

pub use app::{App, Module};
pub use blocking::blocking_storage;
pub use context::{MutationCtx, QueryCtx};
pub use db::{
    Conditions, DatabaseReader, DatabaseWriter, Documents, EvalError, Expression, Fields, InOrder, Order,
    Query, Ranked, Ranking, SearchConditions, SearchQuery, Shape, TableDocuments, TableQuery, TableReader,
    TableSearchQuery, TableWriter, Vars, Whole, field, literal, undefined,
};
pub use embedded::{Embedded, EmbeddedError, Subscription};
pub use error::{ConvexError, Error, FunctionError, Result};
pub use hull_engine::highlight;
pub use identity::{Identity, UserIdentity};
pub use live::{CACHE_BYTES, LiveMetrics, LiveQueries, LiveSession, QueryKey, Rerun, Step};
pub use log_lines::LogLines;
pub use outcome::{Attachment, MutationOutcome, Observed, QueryOutcome, QueryResult};
pub use pages::{PageStatus, PaginationOptions, PaginationResult};
pub use path::{canonical_path, display_path};
pub use registry::{AppError, Function, Registry};
pub use release::released;
pub use request::RequestId;
pub use runner::{MutationRequest, QueryRequest, RunError, Runner};
pub use stale::StaleSnapshot;
pub use sweep::{IDLE, SessionSweep};
pub use test_app::{TestApp, TestAppError, TestSession};
pub use watchdog::OnStuck;

/// What the macros expand to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::private::{Call, CallFuture, FunctionDef, Output, Says, SaysNothing};
    pub use {hull_model, hull_value};
}

pub use hull_macros::{functions, internal_mutation, internal_query, mutation, query};
pub use hull_model as model;
pub use hull_value as value;
