//! What a function fails with, and what its caller is told.
//!
//! An [`Error`] is one of three kinds. An *application* error carries data that the caller receives ([`ConvexError`]).
//! A *message* error is any other failure of the function itself: its text is what the caller receives. A *system*
//! error has a stable [code](Error::code) and is about the transaction, not about the function's logic; the ones that
//! [abort](Error::aborts) end the function even when it swallows them.

use std::any::Any;
use std::fmt;

use hull_value::{Encode, Packed};

/// The result of a function and of every call on its context.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An application error: its data reaches the caller as it is.
///
/// ```text
/// return Err(ConvexError::new("The account is closed").into());
/// account.ok_or_else(|| ConvexError::new(Shortage { missing: 5.0 }))?;
/// ```
#[derive(Clone, Debug)]
pub struct ConvexError {
    message: String,
    data: Packed,
}

impl ConvexError {
    /// An error that carries `data`. Text is its own message; anything else is shown as JSON.
    pub fn new<T: Encode>(data: T) -> ConvexError {
        match Packed::encode(&data) {
            Ok(data) => {
                let message = match data.as_ref() {
                    hull_value::ValueRef::String(text) => text.to_owned(),
                    _ => data.to_clean_json(),
                };
                ConvexError { message, data }
            }
            Err(error) => ConvexError {
                message: format!("The data of a ConvexError is not a value: {error}"),
                data: Packed::null(),
            },
        }
    }

    /// An error that carries `data`, with another text.
    pub(crate) fn with_message<T: Encode>(data: T, message: String) -> ConvexError {
        ConvexError { message, ..ConvexError::new(data) }
    }

    /// The data given to [`ConvexError::new`].
    pub fn data(&self) -> &Packed {
        &self.data
    }
}

impl fmt::Display for ConvexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConvexError {}

/// Why a function failed. Any `std` error becomes one through `?`.
pub struct Error(Box<Kind>);

#[derive(Clone, Debug)]
enum Kind {
    Application(ConvexError),
    Message(String),
    System { code: &'static str, message: String, aborts: bool },
}

impl Error {
    /// An error of the function itself, with the text its caller is told.
    pub fn message(text: impl Into<String>) -> Error {
        Error(Box::new(Kind::Message(text.into())))
    }

    /// An error of the system that the function may handle.
    pub fn system(code: &'static str, message: impl Into<String>) -> Error {
        Error(Box::new(Kind::System { code, message: message.into(), aborts: false }))
    }

    /// An error of the system that ends the function, whatever it does with it.
    pub fn abort(code: &'static str, message: impl Into<String>) -> Error {
        Error(Box::new(Kind::System { code, message: message.into(), aborts: true }))
    }

    /// The stable code of a system error.
    pub fn code(&self) -> Option<&'static str> {
        match &*self.0 {
            Kind::System { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The data of an application error.
    pub fn data(&self) -> Option<&Packed> {
        match &*self.0 {
            Kind::Application(error) => Some(&error.data),
            _ => None,
        }
    }

    /// Whether the function ends with this error even when it swallows it.
    pub fn aborts(&self) -> bool {
        matches!(&*self.0, Kind::System { aborts: true, .. })
    }

    pub(crate) fn duplicate(&self) -> Error {
        Error(self.0.clone())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Application(error) => error.fmt(f),
            Kind::Message(message) | Kind::System { message, .. } => f.write_str(message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Error {
        match (&error as &dyn Any).downcast_ref::<ConvexError>() {
            Some(error) => Error(Box::new(Kind::Application(error.clone()))),
            None => Error::message(error.to_string()),
        }
    }
}

/// What the caller of a failed function is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// The text.
    pub message: String,
    /// The data of an application error.
    pub data: Option<Packed>,
    /// The code of a system error.
    pub code: Option<&'static str>,
}

impl FunctionError {
    pub(crate) fn message(text: impl Into<String>) -> FunctionError {
        FunctionError { message: text.into(), data: None, code: None }
    }
}

impl From<&Error> for FunctionError {
    fn from(error: &Error) -> FunctionError {
        FunctionError { message: error.to_string(), data: error.data().cloned(), code: error.code() }
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FunctionError {}
