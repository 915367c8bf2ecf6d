//! Sort keys: bytes whose order is the order of values, and which decode back.
//!
//! | tag | value | what follows |
//! |---|---|---|
//! | 01 | undefined (a missing field) | |
//! | 03 | null | |
//! | 04, 05, 06, 07 | negative int64 | its 8, 4, 2 or 1 bytes, big endian, the fewest that hold it |
//! | 08 | int64 zero | |
//! | 09, 0A, 0B, 0C | positive int64 | its 1, 2, 4 or 8 bytes, big endian, the fewest that hold it (signed) |
//! | 0D | float64 | its bits, big endian; negative: all flipped, else the sign flipped |
//! | 0E, 0F | false, true | |
//! | 10, 11 | string, bytes | its bytes with 00 written 00 FF; then 00 |
//! | 12 | array | its elements; then 00 |
//! | 15 | object | for each field the key as a string without its tag, and the value; then 00. The empty key is written 00 FF 00 |
//!
//! Keys of several values can follow each other. A key that ends in 00 is the beginning of those that go on with FF
//! there (`"a"` of `"a\0"`, `{}` of `{"": 1}`), and of no others.

use std::collections::BTreeMap;

use crate::guard::MAX_NESTING;
use crate::{Value, ValueRef, raw};

const UNDEFINED: u8 = 0x01;
const NULL: u8 = 0x03;
const NEGATIVE_8: u8 = 0x04;
const NEGATIVE_4: u8 = 0x05;
const NEGATIVE_2: u8 = 0x06;
const NEGATIVE_1: u8 = 0x07;
const ZERO: u8 = 0x08;
const POSITIVE_1: u8 = 0x09;
const POSITIVE_2: u8 = 0x0a;
const POSITIVE_4: u8 = 0x0b;
const POSITIVE_8: u8 = 0x0c;
const FLOAT64: u8 = 0x0d;
const FALSE: u8 = 0x0e;
const TRUE: u8 = 0x0f;
const STRING: u8 = 0x10;
const BYTES: u8 = 0x11;
const ARRAY: u8 = 0x12;
const OBJECT: u8 = 0x15;
const END: u8 = 0x00;
const ESCAPE: u8 = 0xff;

/// Why bytes are not a sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// They end early or break the format.
    #[error("not a sort key: malformed bytes")]
    Malformed,
    /// More than 64 levels.
    #[error("not a sort key: nested too deeply")]
    TooNested,
}

impl KeyError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            KeyError::Malformed => "MalformedKey",
            KeyError::TooNested => "TooNestedError",
        }
    }
}

/// The sort key of a value, or of a missing field.
pub fn sort_key(value: Option<ValueRef<'_>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    write_sort_key(value, &mut out);
    out
}

/// Appends the sort key of a value, or of a missing field.
pub fn write_sort_key(value: Option<ValueRef<'_>>, out: &mut Vec<u8>) {
    match value {
        None => out.push(UNDEFINED),
        Some(value) => write(value, out),
    }
}

fn write(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => out.push(NULL),
        ValueRef::Int64(n) => write_int64(n, out),
        ValueRef::Float64(n) => {
            let bits = n.to_bits();
            let ordered = if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) };
            out.push(FLOAT64);
            out.extend_from_slice(&ordered.to_be_bytes());
        }
        ValueRef::Boolean(b) => out.push(if b { TRUE } else { FALSE }),
        ValueRef::String(s) => {
            out.push(STRING);
            write_escaped(s.as_bytes(), out);
        }
        ValueRef::Bytes(b) => {
            out.push(BYTES);
            write_escaped(b, out);
        }
        ValueRef::Array(array) => {
            out.push(ARRAY);
            for element in array.iter() {
                write(element, out);
            }
            out.push(END);
        }
        ValueRef::Object(object) => {
            out.push(OBJECT);
            for (key, value) in object.iter() {
                if key.is_empty() {
                    out.extend_from_slice(&[END, ESCAPE, END]);
                } else {
                    write_escaped(key.as_bytes(), out);
                }
                write(value, out);
            }
            out.push(END);
        }
    }
}

fn write_int64(n: i64, out: &mut Vec<u8>) {
    if n == 0 {
        out.push(ZERO);
    } else if let Ok(n1) = i8::try_from(n) {
        out.push(if n < 0 { NEGATIVE_1 } else { POSITIVE_1 });
        out.extend_from_slice(&n1.to_be_bytes());
    } else if let Ok(n2) = i16::try_from(n) {
        out.push(if n < 0 { NEGATIVE_2 } else { POSITIVE_2 });
        out.extend_from_slice(&n2.to_be_bytes());
    } else if let Ok(n4) = i32::try_from(n) {
        out.push(if n < 0 { NEGATIVE_4 } else { POSITIVE_4 });
        out.extend_from_slice(&n4.to_be_bytes());
    } else {
        out.push(if n < 0 { NEGATIVE_8 } else { POSITIVE_8 });
        out.extend_from_slice(&n.to_be_bytes());
    }
}

fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.contains(&END) {
        out.extend_from_slice(bytes);
    } else {
        for byte in bytes {
            out.push(*byte);
            if *byte == END {
                out.push(ESCAPE);
            }
        }
    }
    out.push(END);
}

/// Reads one sort key off the front of `input`; `None` is a missing field.
pub fn read_sort_key(input: &mut &[u8]) -> Result<Option<Value>, KeyError> {
    if input.first() == Some(&UNDEFINED) {
        *input = &input[1..];
        return Ok(None);
    }
    read(input, 0).map(Some)
}

fn read(input: &mut &[u8], depth: usize) -> Result<Value, KeyError> {
    let tag = byte(input)?;
    if (tag == ARRAY || tag == OBJECT) && depth >= MAX_NESTING {
        return Err(KeyError::TooNested);
    }
    let value = match tag {
        NULL => Value::Null,
        NEGATIVE_8 | POSITIVE_8 => Value::Int64(i64::from_be_bytes(array(input)?)),
        NEGATIVE_4 | POSITIVE_4 => Value::Int64(i32::from_be_bytes(array(input)?).into()),
        NEGATIVE_2 | POSITIVE_2 => Value::Int64(i16::from_be_bytes(array(input)?).into()),
        NEGATIVE_1 | POSITIVE_1 => Value::Int64(i8::from_be_bytes(array(input)?).into()),
        ZERO => Value::Int64(0),
        FLOAT64 => {
            let ordered = u64::from_be_bytes(array(input)?);
            Value::Float64(f64::from_bits(if ordered >> 63 == 1 { ordered ^ (1 << 63) } else { !ordered }))
        }
        FALSE => Value::Boolean(false),
        TRUE => Value::Boolean(true),
        STRING => Value::String(string(input)?),
        BYTES => Value::Bytes(escaped(input)?),
        ARRAY => {
            let mut items = Vec::new();
            while input.first() != Some(&END) {
                items.push(read(input, depth + 1)?);
            }
            byte(input)?;
            Value::Array(items)
        }
        OBJECT => Value::Object(fields(input, depth)?),
        _ => return Err(KeyError::Malformed),
    };
    if let Value::Int64(n) = value {
        // Only the shortest form, so that equal values have equal keys.
        let mut shortest = Vec::with_capacity(9);
        write_int64(n, &mut shortest);
        if shortest.first() != Some(&tag) {
            return Err(KeyError::Malformed);
        }
    }
    Ok(value)
}

fn fields(input: &mut &[u8], depth: usize) -> Result<BTreeMap<String, Value>, KeyError> {
    let mut fields = BTreeMap::new();
    loop {
        let key = if let Some(rest) = input.strip_prefix(&[END, ESCAPE, END]) {
            *input = rest;
            String::new()
        } else if input.first() == Some(&END) {
            byte(input)?;
            return Ok(fields);
        } else {
            string(input)?
        };
        if fields.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(KeyError::Malformed);
        }
        fields.insert(key, read(input, depth + 1)?);
    }
}

fn byte(input: &mut &[u8]) -> Result<u8, KeyError> {
    array::<1>(input).map(|[byte]| byte)
}

fn array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], KeyError> {
    raw::take_array(input).ok_or(KeyError::Malformed)
}

fn string(input: &mut &[u8]) -> Result<String, KeyError> {
    String::from_utf8(escaped(input)?).map_err(|_| KeyError::Malformed)
}

fn escaped(input: &mut &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut bytes = Vec::new();
    loop {
        let end = input.iter().position(|byte| *byte == END).ok_or(KeyError::Malformed)?;
        bytes.extend_from_slice(&input[..end]);
        let rest = &input[end + 1..];
        match rest.first() {
            Some(&ESCAPE) => {
                bytes.push(END);
                *input = &rest[1..];
            }
            _ => {
                *input = rest;
                return Ok(bytes);
            }
        }
    }
}
