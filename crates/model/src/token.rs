//! Tokens that name the fields and indexes of a table, typed so that the compiler checks their use.
//!
//! `#[derive(Table)]` makes them: `JournalEntry::user_id`, `JournalEntry::by_user_id`. They hold no data.

use std::marker::PhantomData;

use hull_value::Encode;

use crate::{IndexRange, SearchText};

/// The name of a field, as a type. The derive makes one for each field, named as the field.
pub trait FieldName {
    /// The wire name, or the dotted path.
    const PATH: &'static str;
}

/// A field of table `T`, with its name and its type.
pub struct Field<T, N, V>(PhantomData<Named<T, N, V>>);

/// A field's types, without asking anything of them.
type Named<T, N, V> = fn() -> (T, N, V);

/// A token for a field of table `T`.
#[diagnostic::on_unimplemented(
    message = "this is not a field of `{T}`",
    label = "expected a field of `{T}`",
    note = "write `{T}::field_name`"
)]
pub trait FieldOf<T> {
    /// The field's name, as a type.
    type Name;
    /// The field's type.
    type Value: Encode;
}

impl<T, N, V: Encode> FieldOf<T> for Field<T, N, V> {
    type Name = N;
    type Value = V;
}

impl<T, N: FieldName, V> Field<T, N, V> {
    /// Made by the derive.
    #[doc(hidden)]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Field(PhantomData)
    }

    /// The wire name, or the dotted path.
    pub const fn path(&self) -> &'static str {
        N::PATH
    }
}

impl<T, N, V> Clone for Field<T, N, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, N, V> Copy for Field<T, N, V> {}

/// An index of table `T`; `Fields` lists its fields in order, the appended `_creationTime` included.
pub struct Index<T, Fields> {
    name: &'static str,
    types: PhantomData<fn() -> (T, Fields)>,
}

impl<T, Fields> Index<T, Fields> {
    /// Made by the derive.
    #[doc(hidden)]
    pub const fn new(name: &'static str) -> Self {
        Index { name, types: PhantomData }
    }

    /// The wire name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The whole index, to be narrowed.
    pub fn range(&self) -> IndexRange<T, Fields> {
        IndexRange::new()
    }
}

impl<T, Fields> Clone for Index<T, Fields> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, Fields> Copy for Index<T, Fields> {}

/// A search index of table `T`; `I` is its name as a type, which says what its filter fields are.
pub struct SearchIndex<T, I> {
    name: &'static str,
    types: PhantomData<fn() -> (T, I)>,
}

impl<T, I> SearchIndex<T, I> {
    /// Made by the derive.
    #[doc(hidden)]
    pub const fn new(name: &'static str) -> Self {
        SearchIndex { name, types: PhantomData }
    }

    /// The wire name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A search of the index, to be given its text.
    pub fn request(&self) -> SearchText<T, I> {
        SearchText::new()
    }
}

impl<T, I> Clone for SearchIndex<T, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, I> Copy for SearchIndex<T, I> {}

/// The fields that are left of an index: first `N`, then those of `Rest`.
pub struct Then<N, Rest>(PhantomData<fn() -> (N, Rest)>);

/// No field is left of the index.
pub struct End;

/// The names of the system fields.
pub mod system {
    use super::FieldName;
    use crate::{CREATION_TIME_FIELD, ID_FIELD};

    /// `_id`.
    #[allow(non_camel_case_types)]
    pub struct _id;

    impl FieldName for _id {
        const PATH: &'static str = ID_FIELD;
    }

    /// `_creationTime`, which ends every index.
    #[allow(non_camel_case_types)]
    pub struct _creation_time;

    impl FieldName for _creation_time {
        const PATH: &'static str = CREATION_TIME_FIELD;
    }
}
