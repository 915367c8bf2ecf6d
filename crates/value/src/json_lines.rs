//! Rows of JSON Lines, as exports hold them and imports take them: one object a line.
//!
//! Guarantee: a line is one object within every limit of values, or an error that says what is wrong with it; a line
//! longer than [`MAX_ROW_BYTES`] is refused before it is read.

use crate::{JsonError, Packed};

/// The longest line: a document of 1 MiB, written with every escape that JSON has, is shorter.
pub const MAX_ROW_BYTES: usize = 8 << 20;

/// How the values of a row are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowForm {
    /// As an export: `123` is an int64, `123.0` a float64.
    #[default]
    Export,
    /// As on the wire and in plain JSON: every number is a float64, and `{"$integer": …}` an int64.
    Wire,
}

/// Why a line is not a row. The codes are Convex's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Not JSON, or not UTF-8.
    #[error("{0}")]
    Syntax(String),
    /// JSON, but not of a value.
    #[error("{0}")]
    Value(JsonError),
    /// A value that is no object.
    #[error("the row is {0}, not an object")]
    NotAnObject(&'static str),
    /// The line is too long to be a document.
    #[error("the line has {0} bytes; a row has at most {MAX_ROW_BYTES}")]
    TooLong(usize),
}

impl RowError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            RowError::Syntax(_) => "JsonInvalidRow",
            RowError::Value(_) => "InvalidConvexValue",
            RowError::NotAnObject(_) => "NotAnObject",
            RowError::TooLong(_) => "RowTooLong",
        }
    }
}

/// Reads one line, without its line feed.
pub fn parse_row(line: &[u8], form: RowForm) -> Result<Packed, RowError> {
    if line.len() > MAX_ROW_BYTES {
        return Err(RowError::TooLong(line.len()));
    }
    let text = std::str::from_utf8(line)
        .map_err(|error| RowError::Syntax(format!("not UTF-8 behind byte {}", error.valid_up_to())))?;
    let value = match form {
        RowForm::Export => Packed::from_export_json(text),
        RowForm::Wire => Packed::from_json(text),
    };
    let value = value.map_err(|error| match error {
        JsonError::Syntax(why) => RowError::Syntax(why),
        other => RowError::Value(other),
    })?;
    match value.as_object() {
        Some(_) => Ok(value),
        None => Err(RowError::NotAnObject(value.as_ref().kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ValueRef;

    fn code(line: &[u8]) -> &'static str {
        parse_row(line, RowForm::Export).unwrap_err().code()
    }

    #[test]
    fn the_form_decides_what_a_number_is() {
        let line =
            br#"{"a": 1, "b": 1.0, "c": {"$integer": "AQAAAAAAAAA="}, "d": {"$float": "AAAAAAAA+H8="}}"#;
        for (form, a) in [(RowForm::Export, ValueRef::Int64(1)), (RowForm::Wire, ValueRef::Float64(1.0))] {
            let row = parse_row(line, form).unwrap();
            let row = row.as_object().unwrap();
            assert_eq!(row.get("a"), Some(a));
            assert_eq!(row.get("b"), Some(ValueRef::Float64(1.0)));
            assert_eq!(row.get("c"), Some(ValueRef::Int64(1)));
            assert!(matches!(row.get("d"), Some(ValueRef::Float64(x)) if x.is_nan()));
        }
    }

    #[test]
    fn a_line_that_is_no_row_has_its_code() {
        assert_eq!(code(b"{"), "JsonInvalidRow");
        assert_eq!(code(b"{} {}"), "JsonInvalidRow");
        assert_eq!(code(b"{\"a\": \"\xff\"}"), "JsonInvalidRow");
        assert_eq!(code(br#"{"$bytes": "AA==", "a": 1}"#), "InvalidConvexValue");
        assert_eq!(code(br#"{"a": 9223372036854775808}"#), "InvalidConvexValue");
        assert_eq!(code(br#"{"a": {"$undefined": null}}"#), "InvalidConvexValue");
        assert_eq!(code(b"[]"), "NotAnObject");
        assert_eq!(code(br#""uniform""#), "NotAnObject");
        assert_eq!(code(&vec![b' '; MAX_ROW_BYTES + 1]), "RowTooLong");
    }
}
