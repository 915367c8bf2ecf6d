//! What a typed query reads of each document: all of it, or some fields.

use std::fmt::Display;
use std::marker::PhantomData;

use hull_engine::Document;
use hull_model::{Doc, Selected, Selection, Table};
use hull_value::{Id, ObjectRef, ValueRef};

use crate::error::{Error, Result};

/// What a query reads of each document of table `T`, and the rows it makes of it.
pub trait Shape<T> {
    /// What a document becomes.
    type Row;

    /// The fields that rows are made of; `None` is all of the document.
    #[doc(hidden)]
    fn fields() -> Option<&'static [&'static str]>;

    /// The row of a document, made of nothing but these fields. `exact`: the document is known to be just what `T` says.
    #[doc(hidden)]
    fn row(document: &Document, exact: bool) -> Result<Self::Row>;
}

/// Whole documents: rows are `Doc<T>`.
pub struct Whole;

impl<T: Table> Shape<T> for Whole {
    type Row = Doc<T>;

    fn fields() -> Option<&'static [&'static str]> {
        None
    }

    /// The system fields are at hand and need not be parsed.
    fn row(document: &Document, exact: bool) -> Result<Doc<T>> {
        let value = T::decode(document.value.as_ref()).map_err(|error| misfit::<T>(document, &error))?;
        let row = Doc::new(Id::from(document.id), document.creation_time, value);
        Ok(if exact { row.stored_as(document.value.clone()) } else { row })
    }
}

/// The fields that `S` selects: rows are [`Selected`].
pub struct Fields<S>(PhantomData<fn() -> S>);

impl<T: Table, S: Selection<T>> Shape<T> for Fields<S> {
    type Row = Selected<T, S::Values>;

    fn fields() -> Option<&'static [&'static str]> {
        Some(S::NAMES)
    }

    fn row(document: &Document, _: bool) -> Result<Self::Row> {
        Selected::read::<S>(Id::from(document.id), document.creation_time, object(document)?)
            .map_err(|error| misfit::<T>(document, &error))
    }
}

fn misfit<T: Table>(document: &Document, error: &dyn Display) -> Error {
    let message =
        format!("Document {} of table {} does not fit its Rust type: {error}", document.id, T::NAME);
    Error::system("DocumentMismatch", message)
}

/// A document's fields.
pub(super) fn object(document: &Document) -> Result<ObjectRef<'_>> {
    match document.value.as_ref() {
        ValueRef::Object(object) => Ok(object),
        _ => Err(Error::abort("StorageDamaged", format!("Document {} is not an object", document.id))),
    }
}
