//! What searches answer with where a page shows it: documents, best first, with the parts to mark.

use hull::functions::highlight;
use hull::prelude::*;

/// A document that a search found.
#[derive(Object, Clone, Debug, PartialEq)]
pub struct Found<T> {
    /// The document.
    pub document: T,
    /// What matched in the field that was searched, in order: `text.slice(start, end)`.
    pub marks: Vec<Mark>,
}

/// A part of a text, in UTF-16 code units as JavaScript counts.
#[derive(Object, Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where it begins.
    pub start: f64,
    /// Where it ends, not included.
    pub end: f64,
}

/// Marks what a page of a search has found: `text` is the field that was searched, `term` what for.
pub(super) fn marked<T>(
    found: PaginationResult<T>,
    term: &str,
    text: impl Fn(&T) -> &str,
) -> PaginationResult<Found<T>> {
    found.map(|document| {
        let marks = highlight(text(&document), term)
            .into_iter()
            .map(|part| Mark { start: part.start as f64, end: part.end as f64 })
            .collect();
        Found { document, marks }
    })
}
