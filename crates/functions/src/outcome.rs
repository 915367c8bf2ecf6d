//! What a call ends with.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use hull_engine::ReadSet;
use hull_value::{Compared, Packed, Timestamp};

use crate::error::FunctionError;
use crate::log_lines::LogLines;

/// Room for one thing that whoever sends results makes of each, once for all who receive it.
#[derive(Clone, Debug, Default)]
pub struct Attachment(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Attachment {
    /// What is attached; made by the first who asks. `None` if something of another type is attached.
    pub fn get_or_make<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Option<Arc<T>> {
        self.0.get_or_init(|| Arc::new(make())).clone().downcast().ok()
    }
}

/// The answer of a query, shared by all who receive it.
#[derive(Clone, Debug)]
pub struct QueryResult {
    /// The value, or why there is none.
    pub value: Result<Packed, FunctionError>,
    /// What the function logged.
    pub log_lines: LogLines,
    /// What the function wants to be handed when it runs again.
    pub journal: Option<Arc<str>>,
    /// What its sender makes of it.
    pub attachment: Attachment,
    compared: Compared,
}

impl QueryResult {
    /// A result.
    pub fn new(
        value: Result<Packed, FunctionError>,
        log_lines: LogLines,
        journal: Option<Arc<str>>,
    ) -> QueryResult {
        let (attachment, compared) = (Attachment::default(), Compared::default());
        QueryResult { value, log_lines, journal, attachment, compared }
    }

    /// Whether a client that has one need not be sent the other.
    pub fn same(&self, other: &QueryResult) -> bool {
        self.compared.same(&other.compared, || self.value == other.value && self.log_lines == other.log_lines)
    }
}

/// What a function looked at beside the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// On whose behalf it runs.
    pub identity: bool,
    /// The time.
    pub time: bool,
    /// Randomness.
    pub random: bool,
}

/// A query's run: its answer and what that depends on.
#[derive(Clone, Debug)]
pub struct QueryOutcome {
    /// The answer.
    pub result: Arc<QueryResult>,
    /// The snapshot it was read from.
    pub ts: Timestamp,
    /// What was read.
    pub reads: Arc<ReadSet>,
    /// What else was looked at.
    pub observed: Observed,
}

/// The answer of a mutation. It may leave once everything up to `ts` is durable.
#[derive(Clone, Debug)]
pub struct MutationOutcome {
    /// When it was committed; of one that wrote nothing or failed, its snapshot.
    pub ts: Timestamp,
    /// The value in wire JSON, or why there is none.
    pub result: Result<String, FunctionError>,
    /// What the function logged.
    pub log_lines: Vec<String>,
}
