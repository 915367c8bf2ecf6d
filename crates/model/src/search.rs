//! What to search for, in a form that the compiler checks.
//!
//! `search` is said first and once: the field is that of the index. Then `eq` takes filter fields of the index, in any order.

use std::marker::PhantomData;

use hull_value::{Encode, Packed, ValueError};

use crate::range::NoField;
use crate::{FieldName, FieldOf, FieldValue};

/// A search of an index that has no text yet; `I` is the index's name as a type.
#[must_use = "say what to search for: `q.search(text)`"]
pub struct SearchText<T, I>(PhantomData<fn() -> (T, I)>);

/// A search of an index for a text, within what its filter fields must equal.
#[must_use]
pub struct SearchTerms<T, I> {
    text: String,
    filters: Result<SearchFilters, ValueError>,
    types: PhantomData<fn() -> (T, I)>,
}

/// Filter fields by their wire names or dotted paths, with what each must equal; `None` is absence.
pub type SearchFilters = Vec<(&'static str, Option<Packed>)>;

/// The field is a filter field of the search index `I`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a filter field of this search index",
    label = "not a filter field of the search index",
    note = "add it to the index, `#[search({I}(…), filter({Self}))]`, or look at what was found with `.filter(|row| …)`"
)]
pub trait FilterField<I> {}

// As with the fields of an index: the compiler must not conclude the field from there being only one.
#[diagnostic::do_not_recommend]
impl<I> FilterField<I> for NoField {}
#[diagnostic::do_not_recommend]
impl<I> FilterField<I> for () {}

impl<T, I> SearchText<T, I> {
    pub(crate) fn new() -> Self {
        SearchText(PhantomData)
    }

    /// Searches the index's field for the tokens of `text`; the last one also for what begins with it.
    pub fn search(self, text: impl Into<String>) -> SearchTerms<T, I> {
        SearchTerms { text: text.into(), filters: Ok(Vec::new()), types: PhantomData }
    }
}

impl<T, I> SearchTerms<T, I> {
    /// The field equals the value; `None` means that it is absent.
    pub fn eq<F: FieldOf<T>>(self, _field: F, value: impl FieldValue<F::Value>) -> SearchTerms<T, I>
    where
        F::Name: FilterField<I> + FieldName,
    {
        let value = value.into_field();
        let value = if value.is_missing() { Ok(None) } else { Packed::encode(&value).map(Some) };
        let filters = self.filters.and_then(|mut filters| {
            filters.push((F::Name::PATH, value?));
            Ok(filters)
        });
        SearchTerms { filters, ..self }
    }

    /// The text, and the filters; these fail when a value given to them is no legal value (too deep, too large).
    pub fn into_parts(self) -> (String, Result<SearchFilters, ValueError>) {
        (self.text, self.filters)
    }
}
