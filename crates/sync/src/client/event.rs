//! What a client's session tells its worker.

use hull_value::{Packed, Timestamp};

use crate::chunk::ChunkError;
use crate::message::MessageError;
use crate::server_message::Answer;

/// Why a connection cannot go on; the client should connect again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The server's message cannot be read.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The chunks of a Transition do not fit together.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A Transition does not begin where the last one ended.
    #[error("a transition starts at another version than the last one ended at")]
    StartVersionMismatch,
    /// A Transition goes back.
    #[error("a transition ends before its start")]
    Backwards,
    /// An answer is for no request, or for one of another kind.
    #[error("an answer to request {0}, which was not asked or is of another kind")]
    UnknownRequest(u32),
}

impl ClientError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Message(error) => error.code(),
            Self::Chunk(error) => error.code(),
            Self::StartVersionMismatch => "StartVersionMismatch",
            Self::Backwards => "TransitionBackwards",
            Self::UnknownRequest(_) => "UnknownRequest",
        }
    }
}

/// The newest result of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryState {
    /// A value.
    Value(Packed),
    /// An error.
    Error {
        /// The text for people.
        message: String,
        /// The data of an application's error, as JSON text.
        data: Option<String>,
    },
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestOutcome {
    /// With a value, as JSON text.
    Value(String),
    /// With an error.
    Error {
        /// The text for people.
        message: String,
        /// The data of an application's error, as JSON text.
        data: Option<String>,
    },
    /// The connection was lost while an action was under way: nobody knows.
    Lost,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// All results are now as of `ts`; these queries' results differ.
    Updated {
        /// The timestamp.
        ts: Timestamp,
        /// The queries with a new result.
        queries: Vec<u32>,
    },
    /// A request has come to its end.
    Finished {
        /// The request.
        request: u32,
        /// How.
        outcome: RequestOutcome,
        /// What the function logged.
        log_lines: Vec<String>,
    },
    /// The server does not take the credential; without another one the next connection will fail the same
    /// way.
    Refused {
        /// Why.
        error: String,
    },
    /// The server does not want this client back.
    Fatal {
        /// Why.
        error: String,
    },
}

impl From<Answer<'_>> for RequestOutcome {
    fn from(answer: Answer<'_>) -> Self {
        match answer {
            Answer::Value(value) => Self::Value(value.to_owned()),
            Answer::Error { message, data } => {
                Self::Error { message: message.into_owned(), data: data.map(str::to_owned) }
            }
        }
    }
}
