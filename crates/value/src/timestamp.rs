//! [`Timestamp`]: a moment of the database, and its form on the wire: standard padded base64 of 8 bytes little endian.

use std::fmt;

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds since the epoch; zero is before everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// Why a string is no timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a timestamp is the base64 form of 8 bytes")]
pub struct TimestampError;

impl TimestampError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "InvalidTimestamp"
    }
}

impl Timestamp {
    /// The wire form.
    pub fn to_wire(self) -> String {
        let mut text = String::with_capacity(12);
        self.write_wire(&mut text);
        text
    }

    /// Appends the wire form.
    pub fn write_wire(self, out: &mut String) {
        BASE64.encode_append(&self.0.to_le_bytes(), out);
    }

    /// Reads the wire form.
    pub fn from_wire(text: &str) -> Result<Self, TimestampError> {
        let mut bytes = [0; 9];
        if text.len() != 12 {
            return Err(TimestampError);
        }
        match BASE64.decode_mut(text.as_bytes(), &mut bytes) {
            Ok(8) => {
                let [a, b, c, d, e, f, g, h, _] = bytes;
                Ok(Timestamp(u64::from_le_bytes([a, b, c, d, e, f, g, h])))
            }
            _ => Err(TimestampError),
        }
    }

    /// The moment right after this one.
    pub fn next(self) -> Timestamp {
        Timestamp(self.0.saturating_add(1))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_wire())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Timestamp::from_wire(&text).map_err(serde::de::Error::custom)
    }
}
