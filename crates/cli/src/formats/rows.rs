//! The rows of a table in a file: what one is, and what is wrong with it.

use hull_value::{JsonError, Packed};

/// How numbers of a row are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowForm {
    /// As an export has them: `123` is an int64, `123.0` a float64.
    Export,
    /// As clients have them: every number is a float64, an int64 is `{"$integer": …}`.
    Wire,
}

impl RowForm {
    /// Its name in a request.
    pub(crate) fn name(self) -> &'static str {
        match self {
            RowForm::Export => "export",
            RowForm::Wire => "wire",
        }
    }
}

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

/// Reads a row that is a line of JSON.
pub(crate) fn parse(line: &[u8], form: RowForm) -> Result<Packed, BadRow> {
    let text =
        std::str::from_utf8(line).map_err(|_| BadRow::new("JsonInvalidRow", "the line is not UTF-8"))?;
    let read = match form {
        RowForm::Export => Packed::from_export_json(text),
        RowForm::Wire => Packed::from_json(text),
    };
    match read {
        Ok(value) if value.as_object().is_some() => Ok(value),
        Ok(value) => {
            Err(BadRow::new("NotAnObject", format!("a document is an object, not {}", value.as_ref().kind())))
        }
        Err(error @ JsonError::Syntax(_)) => Err(BadRow::new("JsonInvalidRow", error.to_string())),
        Err(error) => Err(BadRow::new("InvalidConvexValue", error.to_string())),
    }
}

/// Whether there is nothing on a line.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_objects_in_their_form() {
        let code = |line: &str, form| parse(line.as_bytes(), form).unwrap_err().code;
        let export = |line: &str| parse(line.as_bytes(), RowForm::Export).unwrap().to_export_json();
        let wire = |line: &str| parse(line.as_bytes(), RowForm::Wire).unwrap().to_export_json();
        assert_eq!(export(r#"{"a": 1, "b": 1.0}"#), r#"{"a":1,"b":1.0}"#);
        assert_eq!(wire(r#"{"a": 1, "b": {"$integer": "AQAAAAAAAAA="}}"#), r#"{"a":1.0,"b":1}"#);
        assert_eq!(code("{", RowForm::Wire), "JsonInvalidRow");
        assert_eq!(code("[]", RowForm::Wire), "NotAnObject");
        assert_eq!(code(r#"{"a":{"$integer":"x"}}"#, RowForm::Export), "InvalidConvexValue");
        assert_eq!(code(r#"{"$a":1}"#, RowForm::Export), "InvalidConvexValue");
        assert_eq!(parse(b"\"\xff\"", RowForm::Wire).unwrap_err().code, "JsonInvalidRow");
        assert!(is_blank(b" \t\r") && !is_blank(b"{}"));
    }
}
