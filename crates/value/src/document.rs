//! The rules of a stored document, which are stricter than those of a value.

use crate::names::{IdentifierError, check_identifier};
use crate::{ObjectRef, ValueRef};

/// The largest document by Convex's size formula, system fields included.
pub const MAX_DOCUMENT_SIZE: usize = 1 << 20;
/// The deepest nesting of a document; the document itself is one level.
pub const MAX_DOCUMENT_NESTING: usize = 16;

/// Why an object cannot be a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not an object.
    #[error("a document must be an object, found {0}")]
    NotAnObject(&'static str),
    /// More than 1 MiB.
    #[error("document is too large: {0} bytes, the maximum is {MAX_DOCUMENT_SIZE}")]
    TooLarge(usize),
    /// More than 16 levels.
    #[error("document is nested too deeply: {0} levels, the maximum is {MAX_DOCUMENT_NESTING}")]
    TooNested(usize),
    /// A top-level field is no identifier.
    #[error("invalid top-level field: {0}")]
    FieldName(#[from] IdentifierError),
    /// A top-level field starts with an underscore and is none of the system's.
    #[error("field '{0}' starts with '_', which is reserved for system fields")]
    ReservedField(String),
}

impl DocumentError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            DocumentError::NotAnObject(_) => "NotAnObject",
            DocumentError::TooLarge(_) => "ValueTooLargeError",
            DocumentError::TooNested(_) => "TooNestedError",
            DocumentError::FieldName(_) => "InvalidFieldName",
            DocumentError::ReservedField(_) => "ReservedField",
        }
    }
}

/// Checks a whole document, `_id` and `_creationTime` included: an object whose top-level fields are identifiers, only
/// those two starting with an underscore, and the limits of [`check_document_limits`].
pub fn check_document(value: ValueRef<'_>) -> Result<(), DocumentError> {
    let ValueRef::Object(object) = value else { return Err(DocumentError::NotAnObject(value.kind())) };
    for (name, _) in object.iter() {
        check_identifier(name)?;
        if name.starts_with('_') && name != "_id" && name != "_creationTime" {
            return Err(DocumentError::ReservedField(name.to_owned()));
        }
    }
    check_document_limits(object)
}

/// Checks size (1 MiB) and nesting (16) of a whole document.
pub fn check_document_limits(object: ObjectRef<'_>) -> Result<(), DocumentError> {
    let measure = ValueRef::Object(object).measure();
    if measure.size > MAX_DOCUMENT_SIZE {
        return Err(DocumentError::TooLarge(measure.size));
    }
    if measure.nesting > MAX_DOCUMENT_NESTING {
        return Err(DocumentError::TooNested(measure.nesting));
    }
    Ok(())
}
