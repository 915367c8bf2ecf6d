//! What messages of both directions share: session ids, state versions, and how reading fails.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use hull_value::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A client's session: a UUID that it keeps over all its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub [u8; 16]);

/// A text that is no UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session id is a UUID of 32 hexadecimal digits with hyphens")]
pub struct SessionIdError;

impl FromStr for SessionId {
    type Err = SessionIdError;

    fn from_str(text: &str) -> Result<Self, SessionIdError> {
        let text = text.as_bytes();
        if text.len() != 36 || [8, 13, 18, 23].iter().any(|at| text[*at] != b'-') {
            return Err(SessionIdError);
        }
        let mut id = [0; 16];
        let mut digits = text.iter().enumerate().filter(|(at, _)| ![8, 13, 18, 23].contains(at));
        for byte in &mut id {
            for _ in 0..2 {
                let digit = digits.next().and_then(|(_, b)| char::from(*b).to_digit(16));
                *byte =
                    (*byte << 4) | u8::try_from(digit.ok_or(SessionIdError)?).map_err(|_| SessionIdError)?;
            }
        }
        Ok(Self(id))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&at) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// What a client has seen: three counters that never go back on one socket and begin at zero on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateVersion {
    /// The newest set of queries that is reflected in full.
    pub query_set: u32,
    /// How many Authenticate messages took effect.
    pub identity: u32,
    /// The timestamp that every query of the set is as of.
    pub ts: Timestamp,
}

impl StateVersion {
    /// The version of every new socket.
    pub const ZERO: Self = Self { query_set: 0, identity: 0, ts: Timestamp(0) };
}

/// A text that is no message of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The text is not JSON, or a field has the wrong type.
    #[error("not a message of the sync protocol: {0}")]
    Malformed(String),
    /// There is no message of this type.
    #[error("not a message of the sync protocol: unknown type '{0}'")]
    UnknownType(String),
    /// A field that this type of message needs is not there.
    #[error("not a message of the sync protocol: {message} has no '{field}'")]
    Missing {
        /// The message's type.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A field's text is not what it should be.
    #[error("not a message of the sync protocol: {message} has a bad '{field}'")]
    Bad {
        /// The message's type.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
}

impl MessageError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "BadSyncMessage"
    }
}

/// How much of a reader's error is told to the client.
const ERROR_BYTES: usize = 300;

impl From<serde_json::Error> for MessageError {
    fn from(error: serde_json::Error) -> Self {
        // It may quote a whole string of the message.
        let mut text = error.to_string();
        text.truncate(text.floor_char_boundary(ERROR_BYTES));
        Self::Malformed(text)
    }
}

/// A string that borrows from the message where it has no escapes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_round_trip() {
        let text = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
        assert_eq!(text.parse::<SessionId>().unwrap().to_string(), text);
        let upper = text.to_uppercase();
        assert_eq!(upper.parse::<SessionId>().unwrap().to_string(), text);
        for bad in ["", "0", &text[1..], &text.replace('-', "0"), &text.replace('f', "g"), &"é".repeat(18)] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad}");
        }
    }
}
