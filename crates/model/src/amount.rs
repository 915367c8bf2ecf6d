//! What a field can be incremented by.

use std::fmt;

/// A number to add to a field of its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// To a 64-bit float.
    Float64(f64),
    /// To a 64-bit integer.
    Int64(i64),
}

impl Amount {
    /// The kind of number, as messages name it.
    pub fn kind(self) -> &'static str {
        match self {
            Amount::Float64(_) => "float64",
            Amount::Int64(_) => "int64",
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Float64(amount) => write!(f, "{amount:?}"),
            Amount::Int64(amount) => write!(f, "{amount}"),
        }
    }
}

impl From<f64> for Amount {
    fn from(amount: f64) -> Amount {
        Amount::Float64(amount)
    }
}

impl From<i64> for Amount {
    fn from(amount: i64) -> Amount {
        Amount::Int64(amount)
    }
}

/// The type of a field that can be incremented: one whose values are all numbers of one kind.
#[diagnostic::on_unimplemented(
    message = "a field that holds `{Self}` can't be incremented",
    label = "not a number that a commit can add to",
    note = "fields of the types `f64` and `i64` can be, and optional ones of these; other fields are read and patched"
)]
pub trait Incrementable {
    /// What is added.
    type Amount: Into<Amount>;
}

impl Incrementable for f64 {
    type Amount = f64;
}

impl Incrementable for i64 {
    type Amount = i64;
}

impl<V: Incrementable> Incrementable for Option<V> {
    type Amount = V::Amount;
}
