//! Writing JSON. Three forms differ in what JSON has no literal for:
//!
//! | | wire | clean | export |
//! |---|---|---|---|
//! | int64 | `{"$integer": base64 of 8 bytes LE}` | decimal string | `123` |
//! | float64 | number; whole ones without a point | the same | with a point or exponent: `123.0` |
//! | -0.0 | `{"$float": base64 of 8 bytes LE}` | `-0.0` | `-0.0` |
//! | NaN, infinities | `{"$float": …}` | `"NaN"`, `"Infinity"`, `"-Infinity"` | `{"$float": …}` |
//! | bytes | `{"$bytes": base64}` | base64 string | `{"$bytes": base64}` |
//!
//! Keys come out ascending, so equal values have equal JSON.

use data_encoding::BASE64;

use crate::guard::Guard;
use crate::names::all_of;
use crate::{Encode, Encoder, Packed, ValueError, ValueRef};

/// A form of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonForm {
    /// What clients speak ("convex encoded JSON").
    Wire,
    /// Plain JSON for programs that know nothing of Convex; not readable back.
    Clean,
    /// What documents are exported and imported in.
    Export,
}

/// The room that text begins with: enough for most values, little beside what handling one takes.
const FIRST_CAPACITY: usize = 1024;

/// Wire JSON of a value, in one pass.
pub fn to_json<T: Encode + ?Sized>(value: &T) -> Result<String, ValueError> {
    let mut out = String::with_capacity(FIRST_CAPACITY);
    let mut encoder = JsonEncoder::new(&mut out, JsonForm::Wire);
    value.encode(&mut encoder);
    if encoder.finish()? {
        return Ok(out);
    }
    // Keys did not ascend: sort them on the way through the packed form.
    Ok(Packed::encode(value)?.to_json())
}

/// Appends the JSON of a packed value.
pub fn write_json(value: ValueRef<'_>, form: JsonForm, out: &mut String) {
    value.write(&mut Writer { out, form, comma: false });
}

/// Writes JSON text, with all the rules of values held.
pub struct JsonEncoder<'a> {
    writer: Writer<'a>,
    guard: Guard,
    sorted: bool,
}

impl<'a> JsonEncoder<'a> {
    /// An encoder that appends to `out`.
    pub fn new(out: &'a mut String, form: JsonForm) -> Self {
        JsonEncoder { writer: Writer { out, form, comma: false }, guard: Guard::default(), sorted: true }
    }

    /// Whether keys came ascending and distinct, so that the text is canonical. When false, the value must go through
    /// [`Packed::encode`]. An error when no text should have been written at all.
    pub fn finish(mut self) -> Result<bool, ValueError> {
        self.guard.finish()?;
        Ok(self.sorted)
    }
}

impl Encoder for JsonEncoder<'_> {
    fn null(&mut self) {
        if self.guard.value(1) {
            self.writer.null();
        }
    }

    fn boolean(&mut self, value: bool) {
        if self.guard.value(1) {
            self.writer.boolean(value);
        }
    }

    fn int64(&mut self, value: i64) {
        if self.guard.value(9) {
            self.writer.int64(value);
        }
    }

    fn float64(&mut self, value: f64) {
        if self.guard.value(9) {
            self.writer.float64(value);
        }
    }

    fn string(&mut self, value: &str) {
        if self.guard.value(value.len() + 2) {
            self.writer.string(value);
        }
    }

    fn bytes(&mut self, value: &[u8]) {
        if self.guard.value(value.len() + 2) {
            self.writer.bytes(value);
        }
    }

    fn begin_array(&mut self) {
        if self.guard.begin(false, 0) {
            self.writer.begin_array();
        }
    }

    fn end_array(&mut self) {
        if self.guard.end(false).is_some() {
            self.writer.end_array();
        }
    }

    fn begin_object(&mut self) {
        if self.guard.begin(true, 0) {
            self.writer.begin_object();
        }
    }

    fn key(&mut self, key: &str) {
        if !self.guard.key(key) {
            return;
        }
        self.writer.before();
        let plain = self.writer.quoted(key);
        let end = self.writer.out.len() - 1;
        self.writer.out.push(':');
        self.writer.comma = false;
        let Some(frame) = self.guard.frames.last_mut() else { return };
        // A key with escapes is longer in the text than it is; it does not pass for ascending.
        let start = end.saturating_sub(key.len());
        let text = self.writer.out.as_bytes();
        let last = frame.last_key.and_then(|(from, to)| text.get(from..to));
        if !plain || last.is_some_and(|last| last >= key.as_bytes()) {
            self.sorted = false;
        }
        frame.last_key = Some((start, end));
    }

    fn end_object(&mut self) {
        if self.guard.end(true).is_some() {
            self.writer.end_object();
        }
    }
}

/// Writes JSON text and trusts its caller.
struct Writer<'a> {
    out: &'a mut String,
    form: JsonForm,
    /// Whether the next element or key needs a comma before it.
    comma: bool,
}

impl Writer<'_> {
    fn before(&mut self) {
        if std::mem::replace(&mut self.comma, true) {
            self.out.push(',');
        }
    }

    /// Writes a string with its quotes; returns whether it needed no escapes.
    #[inline]
    fn quoted(&mut self, text: &str) -> bool {
        self.out.reserve(text.len() + 2);
        self.out.push('"');
        let plain = is_plain(text.as_bytes());
        if plain {
            self.out.push_str(text);
        } else {
            escape(text, self.out);
        }
        self.out.push('"');
        plain
    }

    fn special(&mut self, key: &str, bytes: &[u8]) {
        self.out.push_str("{\"");
        self.out.push_str(key);
        self.out.push_str("\":\"");
        BASE64.encode_append(bytes, self.out);
        self.out.push_str("\"}");
    }
}

impl Encoder for Writer<'_> {
    fn null(&mut self) {
        self.before();
        self.out.push_str("null");
    }

    fn boolean(&mut self, value: bool) {
        self.before();
        self.out.push_str(if value { "true" } else { "false" });
    }

    fn int64(&mut self, value: i64) {
        self.before();
        match self.form {
            JsonForm::Wire => self.special("$integer", &value.to_le_bytes()),
            JsonForm::Export => self.out.push_str(itoa::Buffer::new().format(value)),
            JsonForm::Clean => {
                self.out.push('"');
                self.out.push_str(itoa::Buffer::new().format(value));
                self.out.push('"');
            }
        }
    }

    fn float64(&mut self, value: f64) {
        self.before();
        if !value.is_finite() {
            if self.form != JsonForm::Clean {
                return self.special("$float", &value.to_le_bytes());
            }
            return self.out.push_str(if value.is_nan() {
                "\"NaN\""
            } else if value > 0.0 {
                "\"Infinity\""
            } else {
                "\"-Infinity\""
            });
        }
        if value == 0.0 && value.is_sign_negative() {
            return match self.form {
                JsonForm::Wire => self.special("$float", &value.to_le_bytes()),
                JsonForm::Clean | JsonForm::Export => self.out.push_str("-0.0"),
            };
        }
        const WHOLE: f64 = 9_007_199_254_740_992.0;
        if self.form != JsonForm::Export && value.abs() <= WHOLE && value as i64 as f64 == value {
            return self.out.push_str(itoa::Buffer::new().format(value as i64));
        }
        self.out.push_str(zmij::Buffer::new().format_finite(value));
    }

    fn string(&mut self, value: &str) {
        self.before();
        self.quoted(value);
    }

    fn bytes(&mut self, value: &[u8]) {
        self.before();
        if self.form == JsonForm::Clean {
            self.out.push('"');
            BASE64.encode_append(value, self.out);
            self.out.push('"');
        } else {
            self.special("$bytes", value);
        }
    }

    fn begin_array(&mut self) {
        self.before();
        self.out.push('[');
        self.comma = false;
    }

    fn end_array(&mut self) {
        self.out.push(']');
        self.comma = true;
    }

    fn begin_object(&mut self) {
        self.before();
        self.out.push('{');
        self.comma = false;
    }

    fn key(&mut self, key: &str) {
        self.before();
        self.quoted(key);
        self.out.push(':');
        self.comma = false;
    }

    fn end_object(&mut self) {
        self.out.push('}');
        self.comma = true;
    }
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Whether a string is its own JSON text.
fn is_plain(text: &[u8]) -> bool {
    all_of(text, |byte| !needs_escape(byte))
}

#[cold]
fn escape(text: &str, out: &mut String) {
    let mut done = 0;
    for (i, byte) in text.bytes().enumerate() {
        if !needs_escape(byte) {
            continue;
        }
        // A byte below 0x80 is a character of its own, so both sides are whole characters.
        out.push_str(text.get(done..i).unwrap_or_default());
        done = i + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => {
                out.push_str("\\u00");
                for digit in [byte >> 4, byte & 15] {
                    out.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
                }
            }
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
}
