//! [`Encode`] and [`Encoder`]: writing Rust values as Convex values, in any form, with no tree in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Bytes, DocumentId, FieldKey, Id, Nullable, Packed, Value, ValueRef};

/// Takes one value, piece by piece. Errors (limits, names, calls in no order) are kept by the encoder and come out
/// at its end, so that implementations of [`Encode`] are plain calls.
pub trait Encoder {
    /// Writes null.
    fn null(&mut self);
    /// Writes a boolean.
    fn boolean(&mut self, value: bool);
    /// Writes an int64.
    fn int64(&mut self, value: i64);
    /// Writes a float64.
    fn float64(&mut self, value: f64);
    /// Writes a string.
    fn string(&mut self, value: &str);
    /// Writes a byte string.
    fn bytes(&mut self, value: &[u8]);
    /// Begins an array; its elements follow.
    fn begin_array(&mut self);
    /// Ends the innermost array.
    fn end_array(&mut self);
    /// Begins an object; keys and values follow in turn. Ascending keys are the fast case.
    fn begin_object(&mut self);
    /// Writes the key of the next value.
    fn key(&mut self, key: &str);
    /// The same with a name that was checked when the program was compiled. The caller answers for its being greater than
    /// all keys of the object so far: it is not looked at again.
    fn field(&mut self, key: FieldKey) {
        self.key(key.name());
    }
    /// Ends the innermost object.
    fn end_object(&mut self);

    /// Writes a whole packed value.
    fn value(&mut self, value: ValueRef<'_>)
    where
        Self: Sized,
    {
        value.write(self);
    }
}

impl ValueRef<'_> {
    /// Writes every piece of the value.
    pub(crate) fn write<E: Encoder>(&self, e: &mut E) {
        match self {
            ValueRef::Array(array) => {
                e.begin_array();
                for element in array.iter() {
                    element.write(e);
                }
                e.end_array();
            }
            ValueRef::Object(object) => {
                e.begin_object();
                for (key, value) in object.iter() {
                    e.key(key);
                    value.write(e);
                }
                e.end_object();
            }
            plain => plain.write_plain(e),
        }
    }

    /// Writes a value that is neither array nor object.
    pub(crate) fn write_plain<E: Encoder>(&self, e: &mut E) {
        match self {
            ValueRef::Int64(n) => e.int64(*n),
            ValueRef::Float64(n) => e.float64(*n),
            ValueRef::Boolean(b) => e.boolean(*b),
            ValueRef::String(s) => e.string(s),
            ValueRef::Bytes(b) => e.bytes(b),
            ValueRef::Null | ValueRef::Array(_) | ValueRef::Object(_) => e.null(),
        }
    }
}

/// Has a Convex value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be written as a Convex value",
    label = "not a Convex value",
    note = "allowed are String, f64, bool, i64, i32, u32, u16, u8, Bytes, Id<T>, Value, Vec<T>, BTreeMap<String, T>, \
            Option<T>, Nullable<T>, and types with `#[derive(Object)]` or `#[derive(Table)]`"
)]
pub trait Encode {
    /// Writes exactly one value.
    fn encode<E: Encoder>(&self, e: &mut E);

    /// Whether a field that holds this is left out of its object; true for `None`.
    fn is_missing(&self) -> bool {
        false
    }
}

macro_rules! encode {
    ($($t:ty => |$self:ident, $e:ident| $body:expr),* $(,)?) => {$(
        impl Encode for $t {
            fn encode<E: Encoder>(&$self, $e: &mut E) { $body }
        }
    )*};
}

encode! {
    () => |self, e| e.null(),
    bool => |self, e| e.boolean(*self),
    i64 => |self, e| e.int64(*self),
    f64 => |self, e| e.float64(*self),
    i32 => |self, e| e.float64((*self).into()),
    u32 => |self, e| e.float64((*self).into()),
    u16 => |self, e| e.float64((*self).into()),
    u8 => |self, e| e.float64((*self).into()),
    str => |self, e| e.string(self),
    String => |self, e| e.string(self),
    Bytes => |self, e| e.bytes(&self.0),
    ValueRef<'_> => |self, e| e.value(*self),
    Packed => |self, e| e.value(self.as_ref()),
    DocumentId => |self, e| e.string(self.text().as_str()),
}

impl<T: ?Sized> Encode for Id<T> {
    fn encode<E: Encoder>(&self, e: &mut E) {
        self.document_id().encode(e);
    }
}

impl<T: Encode> Encode for [T] {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.begin_array();
        for item in self {
            item.encode(e);
        }
        e.end_array();
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode<E: Encoder>(&self, e: &mut E) {
        self.as_slice().encode(e);
    }
}

impl<T: Encode, const N: usize> Encode for [T; N] {
    fn encode<E: Encoder>(&self, e: &mut E) {
        self.as_slice().encode(e);
    }
}

impl<T: Encode> Encode for BTreeMap<String, T> {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.begin_object();
        for (key, value) in self {
            if !value.is_missing() {
                e.key(key);
                value.encode(e);
            }
        }
        e.end_object();
    }
}

/// `None` is a missing field; where there is no field to leave out (an element, a result) it is null.
impl<T: Encode> Encode for Option<T> {
    fn encode<E: Encoder>(&self, e: &mut E) {
        match self {
            None => e.null(),
            Some(value) => value.encode(e),
        }
    }

    fn is_missing(&self) -> bool {
        self.as_ref().is_none_or(Encode::is_missing)
    }
}

impl<T: Encode> Encode for Nullable<T> {
    fn encode<E: Encoder>(&self, e: &mut E) {
        match self {
            Nullable::Null => e.null(),
            Nullable::Some(value) => value.encode(e),
        }
    }
}

impl Encode for Value {
    fn encode<E: Encoder>(&self, e: &mut E) {
        match self {
            Value::Null => e.null(),
            Value::Int64(n) => e.int64(*n),
            Value::Float64(n) => e.float64(*n),
            Value::Boolean(b) => e.boolean(*b),
            Value::String(s) => e.string(s),
            Value::Bytes(b) => e.bytes(b),
            Value::Array(items) => items.encode(e),
            Value::Object(fields) => fields.encode(e),
        }
    }
}

macro_rules! encode_through {
    ($($t:ty),*) => {$(
        impl<T: Encode + ?Sized> Encode for $t {
            fn encode<E: Encoder>(&self, e: &mut E) { (**self).encode(e) }
            fn is_missing(&self) -> bool { (**self).is_missing() }
        }
    )*};
}

encode_through!(&T, Box<T>, Arc<T>);
