//! [`Decode`]: reading Rust values out of packed ones; an error names where, what was expected and what was found.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Bytes, DocumentId, Id, Nullable, Packed, Value, ValueRef};

/// Can be read from a Convex value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be read from a Convex value",
    label = "not a Convex value",
    note = "allowed are String, f64, bool, i64, i32, u32, u16, u8, Bytes, Id<T>, Value, Vec<T>, BTreeMap<String, T>, \
            Option<T>, Nullable<T>, and types with `#[derive(Object)]` or `#[derive(Table)]`"
)]
pub trait Decode: Sized {
    /// Reads one value.
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError>;

    /// What a missing field gives, if it may be missing; `Some(None)` for an `Option`.
    fn missing() -> Option<Self> {
        None
    }

    /// Reads a field of an object: `value` is `None` when it is missing. Errors name the field.
    fn decode_field(name: &str, value: Option<ValueRef<'_>>) -> Result<Self, DecodeError> {
        match value {
            Some(value) => Self::decode(value).map_err(|error| error.in_field(name)),
            None => Self::missing().ok_or_else(|| DecodeError::missing_field(name)),
        }
    }
}

/// A value is not what a Rust type needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}expected {expected}, found {found}", self.place())]
pub struct DecodeError {
    /// Where, from the decoded value: `.tags[3]`; empty for the value itself.
    pub path: String,
    /// What was needed.
    pub expected: Cow<'static, str>,
    /// What was there.
    pub found: Cow<'static, str>,
}

impl DecodeError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "DecodeError"
    }

    /// An error at the value itself.
    pub fn new(expected: impl Into<Cow<'static, str>>, found: ValueRef<'_>) -> Self {
        DecodeError { path: String::new(), expected: expected.into(), found: found.kind().into() }
    }

    /// A field that must be there is missing.
    pub fn missing_field(name: &str) -> Self {
        DecodeError { path: format!(".{name}"), expected: "a value".into(), found: "a missing field".into() }
    }

    /// The same error, seen from the object that has the field.
    #[must_use]
    pub fn in_field(mut self, name: &str) -> Self {
        self.path = format!(".{name}{}", self.path);
        self
    }

    /// The same error, seen from the array that has the element.
    #[must_use]
    pub fn in_element(mut self, index: usize) -> Self {
        self.path = format!("[{index}]{}", self.path);
        self
    }

    fn place(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!("at {}: ", self.path) }
    }
}

macro_rules! decode {
    ($($t:ty, $expected:literal, $pattern:pat => $value:expr);* $(;)?) => {$(
        impl Decode for $t {
            fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
                match value {
                    $pattern => Ok($value),
                    other => Err(DecodeError::new($expected, other)),
                }
            }
        }
    )*};
}

decode! {
    (), "null", ValueRef::Null => ();
    bool, "boolean", ValueRef::Boolean(b) => b;
    i64, "int64", ValueRef::Int64(n) => n;
    f64, "float64", ValueRef::Float64(n) => n;
    String, "string", ValueRef::String(s) => s.to_owned();
    Bytes, "bytes", ValueRef::Bytes(b) => Bytes(b.to_vec());
}

macro_rules! decode_whole {
    ($($t:ty),*) => {$(
        impl Decode for $t {
            fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
                let expected = concat!("a whole number that fits ", stringify!($t));
                match value {
                    ValueRef::Float64(n) => {
                        let whole = n as $t;
                        if f64::from(whole) == n {
                            Ok(whole)
                        } else {
                            Err(DecodeError { found: n.to_string().into(), ..DecodeError::new(expected, value) })
                        }
                    }
                    other => Err(DecodeError::new(expected, other)),
                }
            }
        }
    )*};
}

decode_whole!(i32, u32, u16, u8);

impl Decode for Value {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        Ok(value.to_value())
    }
}

impl Decode for Packed {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        Packed::encode(&value).map_err(|error| DecodeError {
            path: String::new(),
            expected: "a value within the limits".into(),
            found: error.to_string().into(),
        })
    }
}

impl Decode for DocumentId {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match value {
            ValueRef::String(text) => text.parse().map_err(|error: crate::IdError| DecodeError {
                path: String::new(),
                expected: "a document id".into(),
                found: format!("{text:?} ({error})").into(),
            }),
            other => Err(DecodeError::new("a document id", other)),
        }
    }
}

impl<T: ?Sized> Decode for Id<T> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        DocumentId::decode(value).map(Id::from)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let ValueRef::Array(array) = value else { return Err(DecodeError::new("array", value)) };
        let mut items = Vec::new();
        for element in array.iter() {
            items.push(T::decode(element).map_err(|error| error.in_element(items.len()))?);
        }
        Ok(items)
    }
}

impl<T: Decode> Decode for BTreeMap<String, T> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let ValueRef::Object(object) = value else { return Err(DecodeError::new("object", value)) };
        object
            .iter()
            .map(|(key, value)| match T::decode(value) {
                Ok(value) => Ok((key.to_owned(), value)),
                Err(error) => Err(error.in_field(key)),
            })
            .collect()
    }
}

/// Null reads as `None` where `T` itself cannot be null, since that is how `None` is written outside of an object.
impl<T: Decode> Decode for Option<T> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        match T::decode(value) {
            Err(_) if value.is_null() => Ok(None),
            decoded => decoded.map(Some),
        }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl<T: Decode> Decode for Nullable<T> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        if value.is_null() { Ok(Nullable::Null) } else { T::decode(value).map(Nullable::Some) }
    }
}

macro_rules! decode_through {
    ($($t:ty => $new:path),*) => {$(
        impl<T: Decode> Decode for $t {
            fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> { T::decode(value).map($new) }
            fn missing() -> Option<Self> { T::missing().map($new) }
        }
    )*};
}

decode_through!(Box<T> => Box::new, Arc<T> => Arc::new);
