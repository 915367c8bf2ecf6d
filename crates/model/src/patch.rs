//! Changes to some fields of a document.

use std::marker::PhantomData;

use hull_value::{Encode, Packed, ValueError};

use crate::{Field, FieldName, FieldValue};

/// A field that a patch may set and a query may select: one of the document's own top-level fields.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be patched or selected",
    label = "a system field, or a field inside another",
    note = "a patch replaces and a selection reads whole top-level fields, so name the outer field instead; system fields \
            never change, and are in every row"
)]
pub trait Settable: FieldName {}

/// A field type that may be absent.
#[diagnostic::on_unimplemented(
    message = "this field is required and can't be unset",
    label = "the field holds `{Self}`, which must be there",
    note = "declare the field as `Option<{Self}>`, or set it to another value"
)]
pub trait Unsettable {}

impl<V> Unsettable for Option<V> {}

/// Changes to some top-level fields of a document of table `T`. The others stay as they are.
#[must_use]
pub struct Patch<T> {
    changes: Result<Vec<(&'static str, Option<Packed>)>, ValueError>,
    table: PhantomData<fn() -> T>,
}

impl<T> Default for Patch<T> {
    fn default() -> Self {
        Patch::new()
    }
}

impl<T> Patch<T> {
    /// No change.
    pub fn new() -> Patch<T> {
        Patch { changes: Ok(Vec::new()), table: PhantomData }
    }

    /// Sets a field; `None` removes it.
    pub fn set<N: Settable, V: Encode>(self, _field: Field<T, N, V>, value: impl FieldValue<V>) -> Patch<T> {
        let value = value.into_field();
        let value = if value.is_missing() { Ok(None) } else { Packed::encode(&value).map(Some) };
        self.change(N::PATH, value)
    }

    /// Sets a field when there is a value for it, and leaves it as it is otherwise: for arguments that are optional.
    pub fn set_some<N: Settable, V: Encode>(
        self,
        field: Field<T, N, V>,
        value: Option<impl FieldValue<V>>,
    ) -> Patch<T> {
        match value {
            Some(value) => self.set(field, value),
            None => self,
        }
    }

    /// Removes a field.
    pub fn unset<N: Settable, V: Unsettable>(self, _field: Field<T, N, V>) -> Patch<T> {
        self.change(N::PATH, Ok(None))
    }

    /// The changes by wire name, `None` for a removal. Fails when a value is no legal value (too deep, too large).
    pub fn into_changes(self) -> Result<Vec<(&'static str, Option<Packed>)>, ValueError> {
        self.changes
    }

    fn change(mut self, name: &'static str, value: Result<Option<Packed>, ValueError>) -> Patch<T> {
        match (&mut self.changes, value) {
            (Ok(changes), Ok(value)) => {
                changes.retain(|(other, _)| *other != name);
                changes.push((name, value));
            }
            (Ok(_), Err(error)) => self.changes = Err(error),
            (Err(_), _) => {}
        }
        self
    }
}
