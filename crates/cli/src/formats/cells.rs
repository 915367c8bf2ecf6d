//! One value as the text of a CSV cell, and back.
//!
//! A column is of one kind, named in its header. An empty cell is an absent value, whatever the kind.
//!
//! | kind | cell |
//! |---|---|
//! | `null` | `null` |
//! | `boolean` | `true`, `false` |
//! | `int64` | `-12` |
//! | `float64` | `1.5`, `-0.0`, `NaN`, `Infinity`, `-Infinity`; any other NaN as `NaN:` and its 16 hexadecimal digits |
//! | `string` | the text; one that is empty or begins with `"` as a JSON string |
//! | `bytes` | base64; none at all as `""` |
//! | `json` | the value in export form: arrays, and objects without fields |

use data_encoding::BASE64;
use hull_value::{JsonForm, Packed, Value, ValueRef, write_json};

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Int64,
    Float64,
    String,
    Bytes,
    Json,
}

const NAMES: [(Kind, &str); 7] = [
    (Kind::Null, "null"),
    (Kind::Boolean, "boolean"),
    (Kind::Int64, "int64"),
    (Kind::Float64, "float64"),
    (Kind::String, "string"),
    (Kind::Bytes, "bytes"),
    (Kind::Json, "json"),
];

impl Kind {
    /// The kind of the column that a value goes to.
    pub(crate) fn of(value: ValueRef<'_>) -> Kind {
        match value {
            ValueRef::Null => Kind::Null,
            ValueRef::Boolean(_) => Kind::Boolean,
            ValueRef::Int64(_) => Kind::Int64,
            ValueRef::Float64(_) => Kind::Float64,
            ValueRef::String(_) => Kind::String,
            ValueRef::Bytes(_) => Kind::Bytes,
            ValueRef::Array(_) | ValueRef::Object(_) => Kind::Json,
        }
    }

    /// Its name in a header.
    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(kind, _)| *kind == self).map_or("json", |(_, name)| name)
    }

    /// The kind of this name.
    pub(crate) fn named(name: &str) -> Option<Kind> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

/// Appends the text of a value to an empty cell.
pub(crate) fn write(value: ValueRef<'_>, out: &mut String) {
    match value {
        ValueRef::Float64(number) if number.is_nan() && number.to_bits() != f64::NAN.to_bits() => {
            out.push_str(&format!("NaN:{:016x}", number.to_bits()));
        }
        ValueRef::Float64(number) if number.is_nan() => out.push_str("NaN"),
        ValueRef::Float64(number) if number.is_infinite() => {
            out.push_str(if number > 0.0 { "Infinity" } else { "-Infinity" });
        }
        ValueRef::String(text) if !text.is_empty() && !text.starts_with('"') => out.push_str(text),
        ValueRef::Bytes([]) => out.push_str("\"\""),
        ValueRef::Bytes(bytes) => out.push_str(&BASE64.encode(bytes)),
        other => write_json(other, JsonForm::Export, out),
    }
}

/// Reads the text of a cell that is not empty; the error says what it should be.
pub(crate) fn read(kind: Kind, text: &str) -> Result<Value, String> {
    let bad = |what: &str| format!("`{text}` is not {what}");
    match kind {
        Kind::Null => (text == "null").then_some(Value::Null).ok_or_else(|| bad("`null`")),
        Kind::Boolean => text.parse().map(Value::Boolean).map_err(|_| bad("`true` or `false`")),
        Kind::Int64 => text.parse().map(Value::Int64).map_err(|_| bad("an int64")),
        Kind::Float64 => float(text).map(Value::Float64).ok_or_else(|| bad("a float64")),
        Kind::String if text.starts_with('"') => serde_json::from_str(text)
            .map(Value::String)
            .map_err(|_| bad("a JSON string, though it begins with \"")),
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bytes if text == "\"\"" => Ok(Value::Bytes(Vec::new())),
        Kind::Bytes => BASE64.decode(text.as_bytes()).map(Value::Bytes).map_err(|_| bad("base64")),
        Kind::Json => Packed::from_export_json(text)
            .map(|value| value.as_ref().to_value())
            .map_err(|error| format!("{}: {error}", bad("the JSON of a value"))),
    }
}

fn float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => match text.strip_prefix("NaN:") {
            Some(bits) => {
                let number = f64::from_bits(u64::from_str_radix(bits, 16).ok()?);
                number.is_nan().then_some(number)
            }
            None => plain_number(text),
        },
    }
}

/// A number as a spreadsheet writes it: digits, a point, an exponent. Words such as `inf` are none.
pub(crate) fn plain_number(text: &str) -> Option<f64> {
    let numeric = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if numeric { text.parse().ok() } else { None }
}
