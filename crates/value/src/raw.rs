//! The packed byte format.
//!
//! | tag | value | what follows |
//! |---|---|---|
//! | 0 | null | nothing |
//! | 1 | int64 | 8 bytes, little endian |
//! | 2 | float64 | the 8 bytes of its bits, little endian |
//! | 3, 4 | false, true | nothing |
//! | 5, 6 | string, bytes | length as varint (LEB128, shortest form), then the bytes |
//! | 7 | array | u32 little endian: how many bytes its elements take; then the elements |
//! | 8 | object | u32 little endian: how many bytes its fields take; then the fields, keys ascending and distinct: key length as varint, key, value |
//!
//! Every value has exactly one packed form. Readers here answer `None` where bytes break the format.

use crate::view::{ArrayRef, ObjectRef, ValueRef};

pub(crate) const NULL: u8 = 0;
pub(crate) const INT64: u8 = 1;
pub(crate) const FLOAT64: u8 = 2;
pub(crate) const FALSE: u8 = 3;
pub(crate) const TRUE: u8 = 4;
pub(crate) const STRING: u8 = 5;
pub(crate) const BYTES: u8 = 6;
pub(crate) const ARRAY: u8 = 7;
pub(crate) const OBJECT: u8 = 8;

#[inline]
pub(crate) fn write_varint(out: &mut Vec<u8>, mut n: usize) {
    while n >= 0x80 {
        out.push((n as u8) | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A shortest-form varint of at most 32 bits.
#[inline]
pub(crate) fn read_varint(input: &mut &[u8]) -> Option<usize> {
    let (&first, rest) = input.split_first()?;
    *input = rest;
    if first < 0x80 {
        return Some(first as usize);
    }
    let mut n = u64::from(first & 0x7f);
    for shift in [7, 14, 21, 28] {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return (byte != 0 && n <= u64::from(u32::MAX)).then_some(n as usize);
        }
    }
    None
}

#[inline]
pub(crate) fn take<'a>(input: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, rest) = input.split_at_checked(n)?;
    *input = rest;
    Some(head)
}

#[inline]
pub(crate) fn take_array<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

/// The bytes of a string, a byte string or a key.
#[inline]
pub(crate) fn read_bytes<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = read_varint(input)?;
    take(input, len)
}

/// The elements or fields of an array or object.
#[inline]
pub(crate) fn read_body<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = u32::from_le_bytes(take_array(input)?);
    take(input, len as usize)
}

#[inline]
pub(crate) fn read_value<'a>(input: &mut &'a [u8]) -> Option<ValueRef<'a>> {
    let (&tag, rest) = input.split_first()?;
    *input = rest;
    Some(match tag {
        NULL => ValueRef::Null,
        INT64 => ValueRef::Int64(i64::from_le_bytes(take_array(input)?)),
        FLOAT64 => ValueRef::Float64(f64::from_bits(u64::from_le_bytes(take_array(input)?))),
        FALSE => ValueRef::Boolean(false),
        TRUE => ValueRef::Boolean(true),
        STRING => ValueRef::String(std::str::from_utf8(read_bytes(input)?).ok()?),
        BYTES => ValueRef::Bytes(read_bytes(input)?),
        ARRAY => ValueRef::Array(ArrayRef(read_body(input)?)),
        OBJECT => ValueRef::Object(ObjectRef(read_body(input)?)),
        _ => return None,
    })
}

#[inline]
pub(crate) fn skip_value(input: &mut &[u8]) -> Option<()> {
    let (&tag, rest) = input.split_first()?;
    *input = rest;
    match tag {
        NULL | FALSE | TRUE => {}
        INT64 | FLOAT64 => {
            take(input, 8)?;
        }
        STRING | BYTES => {
            read_bytes(input)?;
        }
        ARRAY | OBJECT => {
            read_body(input)?;
        }
        _ => return None,
    }
    Some(())
}

/// Reads a field of an object, and gives its key.
#[inline]
pub(crate) fn read_field<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let key = read_bytes(input)?;
    skip_value(input)?;
    Some(key)
}

/// Size by Convex's formula, and nesting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measure {
    pub(crate) size: usize,
    pub(crate) nesting: usize,
}

pub(crate) fn measure_array(mut body: &[u8]) -> Measure {
    let mut all = Measure { size: 2, nesting: 1 };
    while let Some(element) = measure_value(&mut body) {
        all.size += element.size;
        all.nesting = all.nesting.max(element.nesting + 1);
    }
    all
}

pub(crate) fn measure_object(mut body: &[u8]) -> Measure {
    let mut all = Measure { size: 2, nesting: 1 };
    while let Some(key) = read_bytes(&mut body) {
        let Some(value) = measure_value(&mut body) else { break };
        all.size += key.len() + 1 + value.size;
        all.nesting = all.nesting.max(value.nesting + 1);
    }
    all
}

#[inline]
pub(crate) fn measure_value(input: &mut &[u8]) -> Option<Measure> {
    let (&tag, rest) = input.split_first()?;
    *input = rest;
    let size = match tag {
        NULL | FALSE | TRUE => 1,
        INT64 | FLOAT64 => take(input, 8)?.len() + 1,
        STRING | BYTES => read_bytes(input)?.len() + 2,
        ARRAY => return Some(measure_array(read_body(input)?)),
        OBJECT => return Some(measure_object(read_body(input)?)),
        _ => return None,
    };
    Some(Measure { size, nesting: 0 })
}
