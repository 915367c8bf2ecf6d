//! What a session asks of its worker, as a closed list, and the moments the worker tells it.

use std::sync::Arc;

use hull_value::Packed;

use crate::client_message::Credential;
use crate::message::SessionId;
use crate::path::FunctionPath;

/// A moment, told by the worker: the session has no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    /// Milliseconds of a clock that never goes back.
    pub monotonic_ms: u64,
    /// Nanoseconds since 1970.
    pub unix_ns: u64,
}

/// One run of one query of a client, under one identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId {
    /// The client's number for the query.
    pub query: u32,
    /// Tells apart what the session subscribed under the same number.
    pub generation: u32,
}

/// What a worker is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect<I> {
    /// The client has said which session it is: an older connection of it should be ended.
    Connected {
        /// The session; with the request's number it makes mutations idempotent.
        session: SessionId,
        /// How many connections the session had before.
        connection_count: u32,
        /// Why the last one ended, as the client says.
        last_close_reason: Option<String>,
    },
    /// Run this query and keep it live; results come back by [`Session::step`](super::Session::step).
    Subscribe {
        /// The name to report results under.
        subscription: SubscriptionId,
        /// The function.
        path: FunctionPath,
        /// Its arguments, an object.
        args: Packed,
        /// The journal of its last result.
        journal: Option<Arc<str>>,
        /// Who asks.
        identity: I,
    },
    /// Stop this query; results that still come are ignored.
    Unsubscribe {
        /// The name it was subscribed under.
        subscription: SubscriptionId,
    },
    /// Run this mutation, then call [`Session::mutation_finished`](super::Session::mutation_finished).
    RunMutation {
        /// The request's number in the session.
        request: u32,
        /// The function.
        path: FunctionPath,
        /// Its arguments, an object.
        args: Packed,
        /// Who asks.
        identity: I,
    },
    /// Run this action, then call [`Session::action_finished`](super::Session::action_finished).
    RunAction {
        /// The request's number in the session.
        request: u32,
        /// The function.
        path: FunctionPath,
        /// Its arguments, an object.
        args: Packed,
        /// Who asks.
        identity: I,
    },
    /// Check this credential, then call [`Session::authenticated`](super::Session::authenticated) or
    /// [`Session::authentication_failed`](super::Session::authentication_failed); until then the client's
    /// next messages wait.
    Authenticate {
        /// What the client shows; never [`Credential::None`], which needs no check.
        credential: Credential,
    },
}
