//! The rows of a table in a file, and what can be wrong with them.

use hull_value::{RowError, RowForm};

/// A row that can't be a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// The stable code.
    pub(crate) code: &'static str,
    /// What is wrong.
    pub(crate) message: String,
}

impl BadRow {
    /// A row that is wrong in this way.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> BadRow {
        BadRow { code, message: message.into() }
    }
}

impl From<RowError> for BadRow {
    fn from(error: RowError) -> BadRow {
        BadRow { code: error.code(), message: error.to_string() }
    }
}

/// A file that can't be read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadFile {
    /// The stable code.
    pub(crate) code: &'static str,
    /// What is wrong.
    pub(crate) message: String,
}

impl BadFile {
    /// A file that is wrong in this way.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> BadFile {
        BadFile { code, message: message.into() }
    }
}

/// The name of a form in a request.
pub(crate) fn form_name(form: RowForm) -> &'static str {
    match form {
        RowForm::Export => "export",
        RowForm::Wire => "wire",
    }
}

/// Whether there is nothing on a line.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}
