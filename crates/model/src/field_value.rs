//! What may be given where a field of type `V` is compared or set.

use hull_value::{Encode, Id, Nullable};

/// A value that a field of type `V` takes: `V` itself, `T` for `Option<T>` and `Nullable<T>`, `&str` for `String`.
#[diagnostic::on_unimplemented(
    message = "this field holds `{V}`, which can't be made from `{Self}`",
    label = "expected `{V}`"
)]
pub trait FieldValue<V> {
    /// The value as the field holds it.
    fn into_field(self) -> V;
}

impl<V: Encode> FieldValue<V> for V {
    fn into_field(self) -> V {
        self
    }
}

impl<V: Encode> FieldValue<Option<V>> for V {
    fn into_field(self) -> Option<V> {
        Some(self)
    }
}

impl<V: Encode> FieldValue<Nullable<V>> for V {
    fn into_field(self) -> Nullable<V> {
        Nullable::Some(self)
    }
}

impl FieldValue<String> for &str {
    fn into_field(self) -> String {
        self.to_owned()
    }
}

impl FieldValue<Option<String>> for &str {
    fn into_field(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl FieldValue<String> for &String {
    fn into_field(self) -> String {
        self.clone()
    }
}

impl FieldValue<Option<String>> for &String {
    fn into_field(self) -> Option<String> {
        Some(self.clone())
    }
}

impl<T> FieldValue<Id<T>> for &Id<T> {
    fn into_field(self) -> Id<T> {
        *self
    }
}

impl<T> FieldValue<Option<Id<T>>> for &Id<T> {
    fn into_field(self) -> Option<Id<T>> {
        Some(*self)
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(impl FieldValue<f64> for $type {
            fn into_field(self) -> f64 {
                f64::from(self)
            }
        }

        impl FieldValue<Option<f64>> for $type {
            fn into_field(self) -> Option<f64> {
                Some(f64::from(self))
            }
        })*
    };
}

numbers!(i32, u32, u16, u8);
