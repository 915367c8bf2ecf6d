//! [`ValueHash`]: 64 bits that tell whether two sides have the same value, defined over its wire JSON (DIFF.md).
//!
//! Two lanes of 32 bits, so that JavaScript computes them as fast; the hash of a list is made of the hashes of its
//! elements, and that of an object of the hashes of its fields in any order. It guards against mistakes, not against malice.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use hull_value::ValueRef;

/// The hash of a value; shown as 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValueHash {
    a: u32,
    b: u32,
}

/// A text that is not a hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value's hash is 16 lower-case hex digits")]
pub struct HashError;

const NULL: u32 = 0;
const FALSE: u32 = 1;
const TRUE: u32 = 2;
const NUMBER: u32 = 3;
const STRING: u32 = 4;
const ARRAY: u32 = 5;
const OBJECT: u32 = 6;
const FIELD: u32 = 7;

/// The two lanes while words come in.
struct Lanes(ValueHash);

impl Lanes {
    const fn new(kind: u32) -> Self {
        Lanes(ValueHash { a: 0x243F_6A88 + kind, b: 0x85A3_08D3 + kind })
    }

    const fn absorb(&mut self, word: u32) {
        self.0.a = (self.0.a ^ word).wrapping_mul(0x9E37_79B1).rotate_left(15);
        self.0.b = (self.0.b ^ word).wrapping_mul(0x85EB_CA77).rotate_left(13);
    }

    const fn absorb_hash(&mut self, hash: ValueHash) {
        self.absorb(hash.a);
        self.absorb(hash.b);
    }

    const fn finish(self) -> ValueHash {
        const fn mix(mut x: u32) -> u32 {
            x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
            x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
            x ^ (x >> 16)
        }
        ValueHash { a: mix(self.0.a), b: mix(self.0.b) }
    }
}

impl ValueHash {
    /// The hash of a value.
    pub fn of(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Lanes::new(NULL).finish(),
            ValueRef::Boolean(value) => Lanes::new(if value { TRUE } else { FALSE }).finish(),
            ValueRef::Int64(number) => special(INTEGER_KEY, &word_text(number.to_le_bytes())),
            ValueRef::Float64(number) if has_literal(number) => {
                let bits = number.to_bits();
                let mut lanes = Lanes::new(NUMBER);
                lanes.absorb(bits as u32);
                lanes.absorb((bits >> 32) as u32);
                lanes.finish()
            }
            ValueRef::Float64(number) => special(FLOAT_KEY, &word_text(number.to_le_bytes())),
            ValueRef::String(text) => string(text.as_bytes()),
            ValueRef::Bytes(bytes) => special(BYTES_KEY, BASE64.encode(bytes).as_bytes()),
            ValueRef::Array(items) => Self::of_list(items.iter().map(Self::of)),
            ValueRef::Object(fields) => Self::of_object(fields.iter().map(|(key, v)| (key, Self::of(v)))),
        }
    }

    /// The hash of a list whose elements have these hashes.
    pub(super) fn of_list(elements: impl Iterator<Item = Self>) -> Self {
        let mut lanes = Lanes::new(ARRAY);
        let mut count = 0;
        for hash in elements {
            lanes.absorb_hash(hash);
            count += 1;
        }
        lanes.absorb(count);
        lanes.finish()
    }

    /// The hash of an object whose fields have these names and hashes.
    pub(super) fn of_object<'a>(fields: impl Iterator<Item = (&'a str, Self)>) -> Self {
        object(fields.map(|(key, value)| (string(key.as_bytes()), value)))
    }
}

fn object(fields: impl Iterator<Item = (ValueHash, ValueHash)>) -> ValueHash {
    let (mut a, mut b, mut count) = (0u32, 0u32, 0);
    for (key, value) in fields {
        let mut lanes = Lanes::new(FIELD);
        lanes.absorb_hash(key);
        lanes.absorb_hash(value);
        let field = lanes.finish();
        a = a.wrapping_add(field.a);
        b = b.wrapping_add(field.b);
        count += 1;
    }
    let mut lanes = Lanes::new(OBJECT);
    lanes.absorb(a);
    lanes.absorb(b);
    lanes.absorb(count);
    lanes.finish()
}

const fn string(mut text: &[u8]) -> ValueHash {
    let mut lanes = Lanes::new(STRING);
    lanes.absorb(text.len() as u32);
    while let Some((word, rest)) = text.split_first_chunk::<4>() {
        lanes.absorb(u32::from_le_bytes(*word));
        text = rest;
    }
    match *text {
        [x] => lanes.absorb(u32::from_le_bytes([x, 0, 0, 0])),
        [x, y] => lanes.absorb(u32::from_le_bytes([x, y, 0, 0])),
        [x, y, z] => lanes.absorb(u32::from_le_bytes([x, y, z, 0])),
        _ => {}
    }
    lanes.finish()
}

const INTEGER_KEY: ValueHash = string(b"$integer");
const FLOAT_KEY: ValueHash = string(b"$float");
const BYTES_KEY: ValueHash = string(b"$bytes");

/// The hash of an object like `{"$integer":"…"}`.
fn special(key: ValueHash, text: &[u8]) -> ValueHash {
    object(std::iter::once((key, string(text))))
}

/// Base64 of 8 bytes.
fn word_text(word: [u8; 8]) -> [u8; 12] {
    let mut text = [0; 12];
    BASE64.encode_mut(&word, &mut text);
    text
}

/// Whether wire JSON writes the number as one.
pub(super) fn has_literal(number: f64) -> bool {
    number.is_finite() && !(number == 0.0 && number.is_sign_negative())
}

impl fmt::Display for ValueHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}{:08x}", self.a, self.b)
    }
}

impl fmt::Debug for ValueHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ValueHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 16 || !text.bytes().all(is_digit) {
            return Err(HashError);
        }
        let bits = u64::from_str_radix(text, 16).map_err(|_| HashError)?;
        Ok(ValueHash { a: (bits >> 32) as u32, b: bits as u32 })
    }
}
