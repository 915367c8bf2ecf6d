//! What can go wrong: [`ConnectError`] before there is a client, [`CallError`] with each call and subscription.

use hull_value::{DecodeError, Packed, ValueError};

/// Why there is no client. A server that is not there is no reason: it may come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// What was given as the server's URL is none.
    #[error("`{0}` is not the URL of a server; write http://host:port or https://host")]
    Url(String),
    /// There is no number for a session.
    #[error("no randomness from the operating system: {0}")]
    Randomness(String),
    /// The client's task needs a runtime to live on.
    #[error("there is no tokio runtime here; make the client inside of one")]
    NoRuntime,
}

impl ConnectError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            ConnectError::Url(_) => "InvalidUrl",
            ConnectError::Randomness(_) => "NoRandomness",
            ConnectError::NoRuntime => "NoRuntime",
        }
    }
}

/// What a function failed with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FunctionError {
    /// The text for people.
    pub message: String,
    /// The data of an application's error (`ConvexError`).
    pub data: Option<Packed>,
}

/// Why a call has no result, or a subscription none at the moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The function failed, or the server knows no such function. A mutation changed nothing.
    #[error(transparent)]
    Function(#[from] FunctionError),
    /// The arguments are not a value; nothing was asked for.
    #[error("the arguments are not a value: {0}")]
    Arguments(#[from] ValueError),
    /// The result is not what the Rust type needs. A mutation is done all the same.
    #[error("the result is not what was expected: {0}")]
    Result(#[from] DecodeError),
    /// The client was not told where this function is; nothing was asked for.
    #[error("the client does not know the path of `{0}`: give it the application's with `with_functions`")]
    UnknownPath(&'static str),
    /// The connection was lost while the action was under way: it may have been done or not.
    #[error("the connection was lost while the action was under way: {0}")]
    Lost(String),
    /// The server takes no credential that this client has. What was sent on an earlier connection may have been done.
    #[error("the server refused the credential: {0}")]
    Refused(String),
    /// The server and this client do not understand each other, and the client does not try again.
    #[error("the server ended the conversation: {0}")]
    Fatal(String),
    /// The runtime that the client's task lived on is gone.
    #[error("the client has ended")]
    Ended,
}

impl CallError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            CallError::Function(_) => "FunctionFailed",
            CallError::Arguments(error) => error.code(),
            CallError::Result(error) => error.code(),
            CallError::UnknownPath(_) => "FunctionNotRegistered",
            CallError::Lost(_) => "ConnectionLost",
            CallError::Refused(_) => "Unauthenticated",
            CallError::Fatal(_) => "FatalError",
            CallError::Ended => "ClientEnded",
        }
    }

    /// The data of an application's error (`ConvexError`).
    pub fn data(&self) -> Option<&Packed> {
        match self {
            CallError::Function(error) => error.data.as_ref(),
            _ => None,
        }
    }
}
