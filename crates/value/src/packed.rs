//! [`Packed`]: a whole value in packed form (the format is described in `raw.rs`). Equal values have equal bytes.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::guard::{MAX_ARRAY_LEN, MAX_NESTING, MAX_OBJECT_FIELDS, MAX_VALUE_SIZE};
use crate::names::{FieldNameError, check_field_name};
use crate::{Decode, DecodeError, Encode, Encoder, JsonError, JsonForm, ObjectRef, PackedEncoder};
use crate::{ValueError, ValueRef, json_in, raw, write_json};

/// A value in packed form; cheap to clone. Ordered as [`Value`](crate::Value) is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Packed(Arc<[u8]>);

/// Why bytes are not a packed value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackedError {
    /// They end early, go on after the value, or break the format.
    #[error("not a packed value: malformed bytes")]
    Malformed,
    /// Keys do not ascend.
    #[error("not a packed value: keys are not in ascending order")]
    KeyOrder,
    /// A limit or a name rule is broken.
    #[error("not a packed value: {0}")]
    Value(#[from] ValueError),
}

impl PackedError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            PackedError::Malformed => "MalformedPacked",
            PackedError::KeyOrder => "PackedKeyOrder",
            PackedError::Value(error) => error.code(),
        }
    }
}

impl From<FieldNameError> for PackedError {
    fn from(error: FieldNameError) -> Self {
        PackedError::Value(error.into())
    }
}

impl Packed {
    /// The value `null`.
    pub fn null() -> Self {
        static NULL: LazyLock<Packed> = LazyLock::new(|| Packed::from_trusted(vec![raw::NULL]));
        NULL.clone()
    }

    /// The value `{}`.
    pub fn empty_object() -> Self {
        static EMPTY: LazyLock<Packed> =
            LazyLock::new(|| Packed::from_trusted(vec![raw::OBJECT, 0, 0, 0, 0]));
        EMPTY.clone()
    }

    /// Packs a value.
    pub fn encode<T: Encode + ?Sized>(value: &T) -> Result<Self, ValueError> {
        let mut encoder = PackedEncoder::new();
        value.encode(&mut encoder);
        encoder.finish()
    }

    /// Reads a Rust value out of it.
    pub fn decode<T: Decode>(&self) -> Result<T, DecodeError> {
        T::decode(self.as_ref())
    }

    /// Checks every rule of the format and of values.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PackedError> {
        let mut rest = bytes;
        if validate(&mut rest, 0)? > MAX_VALUE_SIZE {
            return Err(ValueError::TooLarge.into());
        }
        if !rest.is_empty() {
            return Err(PackedError::Malformed);
        }
        Ok(Packed(bytes.into()))
    }

    /// Takes bytes that came out of [`bytes`](Packed::bytes) and are known to be unchanged (checksummed storage).
    /// Nothing is checked; over other bytes, views end early and equality means nothing.
    pub fn from_trusted(bytes: impl Into<Arc<[u8]>>) -> Self {
        Packed(bytes.into())
    }

    /// The value. (Not the trait of this name: a view borrows, it is no reference.)
    #[allow(clippy::should_implement_trait)]
    pub fn as_ref(&self) -> ValueRef<'_> {
        raw::read_value(&mut &*self.0).unwrap_or_default()
    }

    /// The fields, if the value is an object.
    pub fn as_object(&self) -> Option<ObjectRef<'_>> {
        self.as_ref().as_object()
    }

    /// The packed bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The packed bytes, shared.
    pub fn into_bytes(self) -> Arc<[u8]> {
        self.0
    }

    /// The size in bytes by Convex's formula.
    pub fn size(&self) -> usize {
        self.as_ref().size()
    }

    /// How deep arrays and objects are nested.
    pub fn nesting(&self) -> usize {
        self.as_ref().nesting()
    }

    /// Reads wire JSON.
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        json_in::read(text, json_in::Numbers::Float64)
    }

    /// Reads export JSON, where `123` is an int64 and `123.0` a float64.
    pub fn from_export_json(text: &str) -> Result<Self, JsonError> {
        json_in::read(text, json_in::Numbers::ByLiteral)
    }

    /// Wire JSON.
    pub fn to_json(&self) -> String {
        self.json(JsonForm::Wire)
    }

    /// Clean JSON: int64 as a decimal string, bytes as base64, NaN and infinities as strings.
    pub fn to_clean_json(&self) -> String {
        self.json(JsonForm::Clean)
    }

    /// Export JSON.
    pub fn to_export_json(&self) -> String {
        self.json(JsonForm::Export)
    }

    fn json(&self, form: JsonForm) -> String {
        let mut text = String::with_capacity(self.0.len() + self.0.len() / 4);
        write_json(self.as_ref(), form, &mut text);
        text
    }

    /// The object with these fields set (`Some`) or removed (`None`); other fields stay. The field names of `changes`
    /// must be distinct; their order does not matter.
    pub fn merge(&self, changes: &[(&str, Option<ValueRef<'_>>)]) -> Result<Packed, ValueError> {
        self.merge_and_measure(changes).map(|(merged, _)| merged)
    }

    /// As [`merge`](Packed::merge); also by how many bytes the [`size`](Packed::size) grows.
    pub fn merge_and_measure(
        &self,
        changes: &[(&str, Option<ValueRef<'_>>)],
    ) -> Result<(Packed, isize), ValueError> {
        let ValueRef::Object(object) = self.as_ref() else {
            return Err(ValueError::NotAnObject(self.as_ref().kind()));
        };
        let mut sorted = Vec::new();
        let mut order = changes;
        if changes.len() > 1 {
            sorted.extend_from_slice(changes);
            sorted.sort_by_key(|(key, _)| *key);
            order = &sorted;
        }
        if let Some(twice) = order.windows(2).find(|pair| pair.iter().all(|(key, _)| *key == pair[0].0)) {
            return Err(ValueError::DuplicateField(twice[0].0.to_owned()));
        }
        // What does not change is copied as it is: it has obeyed every rule already.
        let mut order = order.iter().peekable();
        let mut out = Vec::with_capacity(self.0.len() + 64);
        out.extend_from_slice(&[raw::OBJECT, 0, 0, 0, 0]);
        let (mut fields, mut growth) = (0, 0);
        let mut put = |name: &str, change: Option<ValueRef<'_>>, out: &mut Vec<u8>| {
            let Some(value) = change else { return Ok(0) };
            growth += (name.len() + 1 + put_field(name, value, out)?) as isize;
            Ok::<usize, ValueError>(1)
        };
        let mut shrunk = 0;
        let mut rest = object.0;
        // From here on nothing of the old fields is copied yet.
        let mut same = object.0;
        while !rest.is_empty() {
            let field = rest;
            let Some(key) = raw::read_bytes(&mut rest) else { break };
            let mut value = rest;
            if raw::skip_value(&mut rest).is_none() {
                break;
            }
            fields += 1;
            if order.peek().is_none_or(|(change, _)| change.as_bytes() > key) {
                continue;
            }
            out.extend_from_slice(&same[..same.len() - field.len()]);
            same = field;
            while let Some((before, change)) = order.next_if(|(change, _)| change.as_bytes() < key) {
                fields += put(before, *change, &mut out)?;
            }
            if let Some((name, change)) = order.next_if(|(change, _)| change.as_bytes() == key) {
                shrunk += key.len() + 1 + raw::measure_value(&mut value).map_or(0, |measure| measure.size);
                fields = fields - 1 + put(name, *change, &mut out)?;
                same = rest;
            }
        }
        out.extend_from_slice(same);
        for (after, change) in order {
            fields += put(after, *change, &mut out)?;
        }
        if fields > MAX_OBJECT_FIELDS {
            return Err(ValueError::TooManyFields);
        }
        let body = u32::try_from(out.len() - 5).map_err(|_| ValueError::TooLarge)?;
        out[1..5].copy_from_slice(&body.to_le_bytes());
        let packed = Packed(out.into());
        // A packed value has at least as many bytes as its size by the formula.
        if packed.0.len() > MAX_VALUE_SIZE && packed.size() > MAX_VALUE_SIZE {
            return Err(ValueError::TooLarge);
        }
        Ok((packed, growth - shrunk as isize))
    }
}

/// Writes a field that a merge sets; returns the size of its value.
fn put_field(key: &str, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<usize, ValueError> {
    check_field_name(key)?;
    raw::write_varint(out, key.len());
    out.extend_from_slice(key.as_bytes());
    match value {
        ValueRef::Float64(x) => {
            out.push(raw::FLOAT64);
            out.extend_from_slice(&x.to_bits().to_le_bytes());
        }
        ValueRef::String(text) => {
            out.push(raw::STRING);
            raw::write_varint(out, text.len());
            out.extend_from_slice(text.as_bytes());
        }
        other => {
            if other.nesting() >= MAX_NESTING {
                return Err(ValueError::TooNested);
            }
            let mut encoder = PackedEncoder::new();
            encoder.value(other);
            out.extend_from_slice(encoder.finish()?.bytes());
        }
    }
    Ok(value.size())
}

/// Checks one value inside of `depth` others and returns its size.
fn validate(input: &mut &[u8], depth: usize) -> Result<usize, PackedError> {
    use PackedError::Malformed;
    let is_object = match input.first() {
        Some(&raw::ARRAY | &raw::OBJECT) if depth >= MAX_NESTING => return Err(ValueError::TooNested.into()),
        Some(&raw::ARRAY) => false,
        Some(&raw::OBJECT) => true,
        _ => return raw::read_value(input).map(|value| value.size()).ok_or(Malformed),
    };
    raw::take(input, 1).ok_or(Malformed)?;
    let mut body = raw::read_body(input).ok_or(Malformed)?;
    let mut size = 2;
    let mut count = 0;
    let mut last: Option<&[u8]> = None;
    while !body.is_empty() {
        count += 1;
        if is_object {
            let key = raw::read_bytes(&mut body).ok_or(Malformed)?;
            check_field_name(std::str::from_utf8(key).map_err(|_| Malformed)?)?;
            if last.is_some_and(|last| last >= key) {
                return Err(PackedError::KeyOrder);
            }
            if count > MAX_OBJECT_FIELDS {
                return Err(ValueError::TooManyFields.into());
            }
            last = Some(key);
            size += key.len() + 1;
        } else if count > MAX_ARRAY_LEN {
            return Err(ValueError::ArrayTooLong.into());
        }
        size += validate(&mut body, depth + 1)?;
    }
    Ok(size)
}

impl Default for Packed {
    /// Null.
    fn default() -> Self {
        Packed::null()
    }
}

impl Ord for Packed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_ref().cmp(&other.as_ref())
    }
}

impl PartialOrd for Packed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Packed {
    /// The wire JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}
