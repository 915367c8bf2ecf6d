//! [`Value`]: a Convex value as a tree, with Convex's total order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::{Bytes, DocumentId, Id, Nullable};

/// A Convex value. Its order is Convex's: null, int64, float64, boolean, string, bytes, array, object;
/// numbers of the two types never compare by number, floats by IEEE 754 total order, strings by UTF-8 bytes,
/// objects as their fields in key order. Equality is that order's, so a NaN equals itself and -0.0 is not 0.0.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// A 64-bit integer (`bigint` in JavaScript).
    Int64(i64),
    /// A number.
    Float64(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Unicode text.
    String(String),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A list of values.
    Array(Vec<Value>),
    /// Fields by name.
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// The size in bytes by Convex's formula.
    pub fn size(&self) -> usize {
        match self {
            Value::Null | Value::Boolean(_) => 1,
            Value::Int64(_) | Value::Float64(_) => 9,
            Value::String(s) => s.len() + 2,
            Value::Bytes(b) => b.len() + 2,
            Value::Array(a) => 2 + a.iter().map(Value::size).sum::<usize>(),
            Value::Object(o) => 2 + o.iter().map(|(k, v)| k.len() + 1 + v.size()).sum::<usize>(),
        }
    }

    /// How deep arrays and objects are nested: 0 for a plain value, 1 for `[]`.
    pub fn nesting(&self) -> usize {
        match self {
            Value::Array(a) => 1 + a.iter().map(Value::nesting).max().unwrap_or(0),
            Value::Object(o) => 1 + o.values().map(Value::nesting).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// The type's name, as error messages say it.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Int64(_) => "int64",
            Value::Float64(_) => "float64",
            Value::Boolean(_) => "boolean",
            Value::String(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }
    }

    /// An object of these fields.
    pub fn object<K: Into<String>, V: Into<Value>>(fields: impl IntoIterator<Item = (K, V)>) -> Value {
        Value::Object(fields.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Int64(_) => 1,
            Value::Float64(_) => 2,
            Value::Boolean(_) => 3,
            Value::String(_) => 4,
            Value::Bytes(_) => 5,
            Value::Array(_) => 6,
            Value::Object(_) => 7,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Int64(a), Value::Int64(b)) => a.cmp(b),
            (Value::Float64(a), Value::Float64(b)) => a.total_cmp(b),
            (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::Array(a), Value::Array(b)) => a.cmp(b),
            (Value::Object(a), Value::Object(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

macro_rules! from {
    ($($t:ty => |$x:ident| $value:expr),* $(,)?) => {$(
        impl From<$t> for Value {
            fn from($x: $t) -> Value { $value }
        }
    )*};
}

from! {
    i64 => |x| Value::Int64(x),
    f64 => |x| Value::Float64(x),
    i32 => |x| Value::Float64(x.into()),
    u32 => |x| Value::Float64(x.into()),
    u16 => |x| Value::Float64(x.into()),
    u8 => |x| Value::Float64(x.into()),
    bool => |x| Value::Boolean(x),
    String => |x| Value::String(x),
    &str => |x| Value::String(x.to_owned()),
    Bytes => |x| Value::Bytes(x.0),
    DocumentId => |x| Value::String(x.to_string()),
}

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::Null
    }
}

impl<T: ?Sized> From<Id<T>> for Value {
    fn from(id: Id<T>) -> Value {
        id.document_id().into()
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        Value::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<BTreeMap<String, T>> for Value {
    fn from(fields: BTreeMap<String, T>) -> Value {
        Value::object(fields)
    }
}

impl<T: Into<Value>> From<Nullable<T>> for Value {
    fn from(value: Nullable<T>) -> Value {
        value.into_option().map_or(Value::Null, Into::into)
    }
}
