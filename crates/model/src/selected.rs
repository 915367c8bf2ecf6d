//! Rows of a projection: some fields of a document, with its id and the time of its creation.

use std::fmt;
use std::ops::Deref;

use hull_value::{Decode, DecodeError, Encode, Encoder, Id, ObjectRef};

use crate::{CREATION_TIME_FIELD, Field, ID_FIELD, Settable, Table, Validated, Validator};

/// Fields of table `T` that a query reads: the token of one, or a tuple of up to eight.
#[diagnostic::on_unimplemented(
    message = "this does not select fields of `{T}`",
    label = "expected a field of `{T}`, or a tuple of up to eight of them",
    note = "write `({T}::one, {T}::another)`; `_id` and `_creation_time` are in every row"
)]
pub trait Selection<T> {
    /// The values of the fields, in this order: always a tuple.
    type Values: Columns;

    /// The wire names of the fields, in this order.
    const NAMES: &'static [&'static str];

    /// Reads these fields of a document, and no others.
    fn read(document: ObjectRef<'_>) -> Result<Self::Values, DecodeError>;
}

/// A tuple of values that are written as the fields of one object.
pub trait Columns {
    /// Whether the value at `at` is left out.
    #[doc(hidden)]
    fn is_missing(&self, at: usize) -> bool;

    /// Writes the value at `at`.
    #[doc(hidden)]
    fn encode<E: Encoder>(&self, at: usize, e: &mut E);
}

/// Fields that were selected of a document of table `T`, with its id and the time of its creation.
///
/// The values are reached by their place (`row.0`). On the wire it is one flat object with the names of the fields, as
/// the document is. Its type names the values and not the fields: a function whose callers are typed returns a struct of
/// its own (`#[derive(Object)]`), made from such rows.
pub struct Selected<T, V> {
    /// The id.
    pub _id: Id<T>,
    /// When it was created, in milliseconds since the epoch.
    pub _creation_time: f64,
    /// The values, in the order of the selection.
    pub values: V,
    names: &'static [&'static str],
}

impl<T, V> Selected<T, V> {
    /// The fields that `S` selects of the document with this id.
    pub fn read<S: Selection<T, Values = V>>(
        id: Id<T>,
        creation_time: f64,
        document: ObjectRef<'_>,
    ) -> Result<Self, DecodeError> {
        Ok(Selected { _id: id, _creation_time: creation_time, values: S::read(document)?, names: S::NAMES })
    }
}

impl<T, V> Deref for Selected<T, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.values
    }
}

impl<T, V: Clone> Clone for Selected<T, V> {
    fn clone(&self) -> Self {
        Selected { values: self.values.clone(), ..*self }
    }
}

impl<T, V: PartialEq> PartialEq for Selected<T, V> {
    fn eq(&self, other: &Self) -> bool {
        (self._id, self._creation_time, self.names) == (other._id, other._creation_time, other.names)
            && self.values == other.values
    }
}

impl<T, V: fmt::Debug> fmt::Debug for Selected<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selected")
            .field("_id", &self._id)
            .field("_creation_time", &self._creation_time)
            .field("values", &self.values)
            .finish()
    }
}

/// The most fields of a row, the system's included.
const MOST: usize = 10;

impl<T, V: Columns> Encode for Selected<T, V> {
    fn encode<E: Encoder>(&self, e: &mut E) {
        let system = [CREATION_TIME_FIELD, ID_FIELD];
        let mut keys = [("", 0); MOST];
        let mut count = 0;
        for (place, (at, name)) in keys.iter_mut().zip(self.names.iter().chain(&system).enumerate()) {
            *place = (*name, at);
            count += 1;
        }
        let keys = keys.get_mut(..count).unwrap_or_default();
        keys.sort_unstable();
        e.begin_object();
        for (name, at) in keys {
            match at.checked_sub(self.names.len()) {
                Some(0) => {
                    e.key(name);
                    e.float64(self._creation_time);
                }
                Some(_) => {
                    e.key(name);
                    self._id.encode(e);
                }
                None if self.values.is_missing(*at) => {}
                None => {
                    e.key(name);
                    self.values.encode(*at, e);
                }
            }
        }
        e.end_object();
    }
}

/// Which fields were selected is not in the type, so each of the table's may be absent.
impl<T: Table, V> Validated for Selected<T, V> {
    fn validator() -> Validator {
        T::validator().with_optional_fields().with_system_fields(T::NAME)
    }
}

impl<T, N: Settable, V: Encode + Decode> Selection<T> for Field<T, N, V> {
    type Values = (V,);

    const NAMES: &'static [&'static str] = &[N::PATH];

    fn read(document: ObjectRef<'_>) -> Result<(V,), DecodeError> {
        Ok((V::decode_field(N::PATH, document.get(N::PATH))?,))
    }
}

macro_rules! tuples {
    ($(($($name:ident $value:ident $at:tt),*))*) => {
        $(impl<T, $($name: Settable, $value: Encode + Decode),*> Selection<T> for ($(Field<T, $name, $value>,)*) {
            type Values = ($($value,)*);

            const NAMES: &'static [&'static str] = &[$($name::PATH),*];

            fn read(document: ObjectRef<'_>) -> Result<Self::Values, DecodeError> {
                Ok(($($value::decode_field($name::PATH, document.get($name::PATH))?,)*))
            }
        }

        impl<$($value: Encode),*> Columns for ($($value,)*) {
            fn is_missing(&self, at: usize) -> bool {
                match at {
                    $($at => self.$at.is_missing(),)*
                    _ => true,
                }
            }

            fn encode<E: Encoder>(&self, at: usize, e: &mut E) {
                match at {
                    $($at => self.$at.encode(e),)*
                    _ => e.null(),
                }
            }
        })*
    };
}

tuples! {
    (N0 V0 0)
    (N0 V0 0, N1 V1 1)
    (N0 V0 0, N1 V1 1, N2 V2 2)
    (N0 V0 0, N1 V1 1, N2 V2 2, N3 V3 3)
    (N0 V0 0, N1 V1 1, N2 V2 2, N3 V3 3, N4 V4 4)
    (N0 V0 0, N1 V1 1, N2 V2 2, N3 V3 3, N4 V4 4, N5 V5 5)
    (N0 V0 0, N1 V1 1, N2 V2 2, N3 V3 3, N4 V4 4, N5 V5 5, N6 V6 6)
    (N0 V0 0, N1 V1 1, N2 V2 2, N3 V3 3, N4 V4 4, N5 V5 5, N6 V6 6, N7 V7 7)
}
