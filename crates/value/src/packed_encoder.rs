//! [`PackedEncoder`]: writes one value in packed form, canonical whatever order its keys arrive in, within all limits.

use std::cmp::Ordering;

use crate::guard::{Frame, Guard, MAX_NESTING, ValueError};
use crate::{Encoder, FieldKey, Packed, ValueRef, raw};

/// Writes packed bytes. Errors are kept and come out of [`finish`](PackedEncoder::finish).
#[derive(Default)]
pub struct PackedEncoder {
    out: Vec<u8>,
    guard: Guard,
    last_wins: bool,
}

impl PackedEncoder {
    /// An encoder that refuses a key that comes twice.
    pub fn new() -> Self {
        PackedEncoder::with_capacity(128)
    }

    /// The same with room for a value of so many packed bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        PackedEncoder { out: Vec::with_capacity(bytes), ..PackedEncoder::default() }
    }

    /// An encoder where the last of equal keys wins, as in `JSON.parse`; all of them count as fields, so that no text
    /// can take much more room here than it has itself.
    pub(crate) fn last_wins() -> Self {
        PackedEncoder { last_wins: true, ..PackedEncoder::new() }
    }

    /// The value, if exactly one was written and it keeps the rules.
    pub fn finish(mut self) -> Result<Packed, ValueError> {
        self.guard.finish()?;
        Ok(Packed::from_trusted(self.out))
    }

    /// The first error so far.
    pub fn error(&self) -> Option<&ValueError> {
        self.guard.error.as_ref()
    }

    fn begin(&mut self, tag: u8) {
        if self.guard.begin(tag == raw::OBJECT, self.out.len() + 5) {
            self.out.extend_from_slice(&[tag, 0, 0, 0, 0]);
        }
    }

    fn close(&mut self, start: usize) {
        let len = (self.out.len() - start) as u32;
        if let Some(slot) = start.checked_sub(4).and_then(|at| self.out.get_mut(at..start)) {
            slot.copy_from_slice(&len.to_le_bytes());
        }
    }

    fn splice(&mut self, tag: u8, body: &[u8], measure: raw::Measure) {
        if self.guard.frames.len() + measure.nesting > MAX_NESTING {
            self.guard.fail(ValueError::TooNested);
        }
        if self.guard.value(measure.size) {
            self.out.push(tag);
            self.out.extend_from_slice(&(body.len() as u32).to_le_bytes());
            self.out.extend_from_slice(body);
        }
    }

    /// Brings the fields of a finished object into order.
    fn sort(&mut self, frame: &Frame) {
        struct Field<'a> {
            key: &'a [u8],
            value: &'a [u8],
            all: &'a [u8],
        }
        let Some(mut rest) = self.out.get(frame.start..) else { return };
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let field = rest;
            let Some(key) = raw::read_bytes(&mut rest) else { return };
            let value = rest;
            if raw::skip_value(&mut rest).is_none() {
                return;
            }
            let all = &field[..field.len() - rest.len()];
            fields.push(Field { key, value: &value[..value.len() - rest.len()], all });
        }
        fields.sort_by(|a, b| a.key.cmp(b.key));
        let mut body = Vec::with_capacity(self.out.len() - frame.start);
        let mut dropped = 0;
        let mut duplicate = None;
        for (i, field) in fields.iter().enumerate() {
            if fields.get(i + 1).is_some_and(|next| next.key == field.key) {
                let mut value = field.value;
                dropped += field.key.len() + 1 + raw::measure_value(&mut value).map_or(0, |m| m.size);
                duplicate = Some(field.key);
                continue;
            }
            body.extend_from_slice(field.all);
        }
        let duplicate = duplicate.map(|key| String::from_utf8_lossy(key).into_owned());
        self.out.truncate(frame.start);
        self.out.extend_from_slice(&body);
        self.guard.size -= dropped;
        if let Some(key) = duplicate.filter(|_| !self.last_wins) {
            self.guard.fail(ValueError::DuplicateField(key));
        }
    }
}

impl Encoder for PackedEncoder {
    fn null(&mut self) {
        if self.guard.value(1) {
            self.out.push(raw::NULL);
        }
    }

    fn boolean(&mut self, value: bool) {
        if self.guard.value(1) {
            self.out.push(if value { raw::TRUE } else { raw::FALSE });
        }
    }

    fn int64(&mut self, value: i64) {
        if self.guard.value(9) {
            self.out.push(raw::INT64);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn float64(&mut self, value: f64) {
        if self.guard.value(9) {
            self.out.push(raw::FLOAT64);
            self.out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
    }

    fn string(&mut self, value: &str) {
        if self.guard.value(value.len() + 2) {
            self.out.push(raw::STRING);
            raw::write_varint(&mut self.out, value.len());
            self.out.extend_from_slice(value.as_bytes());
        }
    }

    fn bytes(&mut self, value: &[u8]) {
        if self.guard.value(value.len() + 2) {
            self.out.push(raw::BYTES);
            raw::write_varint(&mut self.out, value.len());
            self.out.extend_from_slice(value);
        }
    }

    fn begin_array(&mut self) {
        self.begin(raw::ARRAY);
    }

    fn end_array(&mut self) {
        if let Some(frame) = self.guard.end(false) {
            self.close(frame.start);
        }
    }

    fn begin_object(&mut self) {
        self.begin(raw::OBJECT);
    }

    fn key(&mut self, key: &str) {
        if !self.guard.key(key) {
            return;
        }
        raw::write_varint(&mut self.out, key.len());
        let start = self.out.len();
        self.out.extend_from_slice(key.as_bytes());
        let Some(frame) = self.guard.frames.last_mut() else { return };
        if let Some(last) = frame.last_key.and_then(|(from, to)| self.out.get(from..to)) {
            match last.cmp(key.as_bytes()) {
                Ordering::Less => {}
                Ordering::Equal if !self.last_wins => {
                    self.guard.fail(ValueError::DuplicateField(key.to_owned()));
                    return;
                }
                _ => frame.unsorted = true,
            }
        }
        frame.last_key = Some((start, self.out.len()));
        frame.checked = true;
    }

    #[inline]
    fn field(&mut self, key: FieldKey) {
        let name = key.name();
        if self.guard.frames.last().is_some_and(|frame| frame.checked) {
            return self.key(name);
        }
        if !self.guard.field(name.len()) {
            return;
        }
        raw::write_varint(&mut self.out, name.len());
        let start = self.out.len();
        self.out.extend_from_slice(name.as_bytes());
        let Some(frame) = self.guard.frames.last_mut() else { return };
        let last = frame.last_key.replace((start, self.out.len()));
        debug_assert!(
            last.and_then(|(from, to)| self.out.get(from..to)).is_none_or(|last| last < name.as_bytes()),
            "the field `{name}` is not greater than the one before it"
        );
    }

    fn end_object(&mut self) {
        if let Some(frame) = self.guard.end(true) {
            if frame.unsorted {
                self.sort(&frame);
            }
            self.close(frame.start);
        }
    }

    fn value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Array(array) => self.splice(raw::ARRAY, array.0, value.measure()),
            ValueRef::Object(object) => self.splice(raw::OBJECT, object.0, value.measure()),
            plain => plain.write_plain(self),
        }
    }
}
