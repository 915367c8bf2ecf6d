//! Views: [`ValueRef`], [`ArrayRef`] and [`ObjectRef`] read a packed value in place, without allocating.
//!
//! A view of a [`Packed`](crate::Packed) is a view of well-formed bytes. Over damaged bytes (see
//! [`Packed::from_trusted`](crate::Packed::from_trusted)) views end early; they never panic.

use std::cmp::Ordering;
use std::fmt;

use crate::raw;
use crate::{FieldPath, Value};

/// One value, borrowed. Ordered and equal as [`Value`] is.
#[derive(Clone, Copy, Default)]
pub enum ValueRef<'a> {
    /// `null`
    #[default]
    Null,
    /// A 64-bit integer.
    Int64(i64),
    /// A number.
    Float64(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Unicode text.
    String(&'a str),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A list of values.
    Array(ArrayRef<'a>),
    /// Fields by name.
    Object(ObjectRef<'a>),
}

/// The elements of an array, packed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ArrayRef<'a>(pub(crate) &'a [u8]);

/// The fields of an object, packed, keys ascending.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ObjectRef<'a>(pub(crate) &'a [u8]);

impl<'a> ValueRef<'a> {
    /// The same value as a tree.
    pub fn to_value(&self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Int64(n) => Value::Int64(*n),
            ValueRef::Float64(n) => Value::Float64(*n),
            ValueRef::Boolean(b) => Value::Boolean(*b),
            ValueRef::String(s) => Value::String((*s).to_owned()),
            ValueRef::Bytes(b) => Value::Bytes(b.to_vec()),
            ValueRef::Array(a) => Value::Array(a.iter().map(|v| v.to_value()).collect()),
            ValueRef::Object(o) => {
                Value::Object(o.iter().map(|(k, v)| (k.to_owned(), v.to_value())).collect())
            }
        }
    }

    /// The size in bytes by Convex's formula.
    pub fn size(&self) -> usize {
        self.measure().size
    }

    /// How deep arrays and objects are nested: 0 for a plain value, 1 for `[]`.
    pub fn nesting(&self) -> usize {
        self.measure().nesting
    }

    /// How many bytes its packed form takes; known without looking inside of it.
    pub fn packed_len(&self) -> usize {
        let with_length = |len: usize| 1 + (len.max(1).ilog2() as usize / 7 + 1) + len;
        match self {
            ValueRef::Null | ValueRef::Boolean(_) => 1,
            ValueRef::Int64(_) | ValueRef::Float64(_) => 9,
            ValueRef::String(s) => with_length(s.len()),
            ValueRef::Bytes(b) => with_length(b.len()),
            ValueRef::Array(a) => 5 + a.0.len(),
            ValueRef::Object(o) => 5 + o.0.len(),
        }
    }

    pub(crate) fn measure(&self) -> raw::Measure {
        let size = match self {
            ValueRef::Null | ValueRef::Boolean(_) => 1,
            ValueRef::Int64(_) | ValueRef::Float64(_) => 9,
            ValueRef::String(s) => s.len() + 2,
            ValueRef::Bytes(b) => b.len() + 2,
            ValueRef::Array(a) => return raw::measure_array(a.0),
            ValueRef::Object(o) => return raw::measure_object(o.0),
        };
        raw::Measure { size, nesting: 0 }
    }

    /// The type's name, as error messages say it.
    pub fn kind(&self) -> &'static str {
        match self {
            ValueRef::Null => "null",
            ValueRef::Int64(_) => "int64",
            ValueRef::Float64(_) => "float64",
            ValueRef::Boolean(_) => "boolean",
            ValueRef::String(_) => "string",
            ValueRef::Bytes(_) => "bytes",
            ValueRef::Array(_) => "array",
            ValueRef::Object(_) => "object",
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, ValueRef::Null)
    }

    /// The integer, if it is one.
    pub fn as_int64(&self) -> Option<i64> {
        if let ValueRef::Int64(n) = self { Some(*n) } else { None }
    }

    /// The number, if it is a float64.
    pub fn as_float64(&self) -> Option<f64> {
        if let ValueRef::Float64(n) = self { Some(*n) } else { None }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let ValueRef::Boolean(b) = self { Some(*b) } else { None }
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&'a str> {
        if let ValueRef::String(s) = self { Some(s) } else { None }
    }

    /// The bytes, if it is a byte string.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        if let ValueRef::Bytes(b) = self { Some(b) } else { None }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<ArrayRef<'a>> {
        if let ValueRef::Array(a) = self { Some(*a) } else { None }
    }

    /// The fields, if it is an object.
    pub fn as_object(&self) -> Option<ObjectRef<'a>> {
        if let ValueRef::Object(o) = self { Some(*o) } else { None }
    }

    fn rank(&self) -> u8 {
        match self {
            ValueRef::Null => 0,
            ValueRef::Int64(_) => 1,
            ValueRef::Float64(_) => 2,
            ValueRef::Boolean(_) => 3,
            ValueRef::String(_) => 4,
            ValueRef::Bytes(_) => 5,
            ValueRef::Array(_) => 6,
            ValueRef::Object(_) => 7,
        }
    }
}

impl Ord for ValueRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (ValueRef::Int64(a), ValueRef::Int64(b)) => a.cmp(b),
            (ValueRef::Float64(a), ValueRef::Float64(b)) => a.total_cmp(b),
            (ValueRef::Boolean(a), ValueRef::Boolean(b)) => a.cmp(b),
            (ValueRef::String(a), ValueRef::String(b)) => a.cmp(b),
            (ValueRef::Bytes(a), ValueRef::Bytes(b)) => a.cmp(b),
            (ValueRef::Array(a), ValueRef::Array(b)) => a.iter().cmp(b.iter()),
            (ValueRef::Object(a), ValueRef::Object(b)) => a.iter().cmp(b.iter()),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for ValueRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // The packed form is canonical.
            (ValueRef::Array(a), ValueRef::Array(b)) => a == b,
            (ValueRef::Object(a), ValueRef::Object(b)) => a == b,
            _ => self.cmp(other) == Ordering::Equal,
        }
    }
}

impl Eq for ValueRef<'_> {}

impl fmt::Debug for ValueRef<'_> {
    /// The wire JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        crate::write_json(*self, crate::JsonForm::Wire, &mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for ArrayRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ValueRef::Array(*self).fmt(f)
    }
}

impl fmt::Debug for ObjectRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ValueRef::Object(*self).fmt(f)
    }
}

impl<'a> ArrayRef<'a> {
    /// The elements in order.
    pub fn iter(&self) -> ArrayIter<'a> {
        ArrayIter(self.0)
    }

    /// How many elements; this walks over them.
    pub fn len(&self) -> usize {
        let mut rest = self.0;
        std::iter::from_fn(|| raw::skip_value(&mut rest)).count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> ObjectRef<'a> {
    /// The value of a field.
    pub fn get(&self, key: &str) -> Option<ValueRef<'a>> {
        self.fields().find(key)
    }

    /// The value at a path, looking into objects only.
    pub fn get_path(&self, path: &FieldPath) -> Option<ValueRef<'a>> {
        let (last, parents) = path.fields().split_last()?;
        let mut object = *self;
        for field in parents {
            object = object.get(field)?.as_object()?;
        }
        object.get(last)
    }

    /// The fields in ascending order of their keys.
    pub fn iter(&self) -> ObjectIter<'a> {
        ObjectIter(self.0)
    }

    /// The fields in ascending order of their keys, each value as its packed bytes: equal values have equal bytes.
    fn packed_fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let key = raw::read_bytes(&mut rest)?;
            let value = rest;
            raw::skip_value(&mut rest)?;
            Some((key, &value[..value.len() - rest.len()]))
        })
    }

    /// Calls `each` with the names of the fields that `other` has not, has otherwise, or has alone, in ascending order.
    pub fn differences(&self, other: ObjectRef<'a>, mut each: impl FnMut(&'a [u8])) {
        // As long as fields lie at the same places they are compared as bytes.
        let (mut ours, mut theirs) = (self.0, other.0);
        while !ours.is_empty() {
            let (mut rest, mut their_rest) = (ours, theirs);
            let Some(key) = raw::read_field(&mut rest) else { break };
            let length = ours.len() - rest.len();
            if theirs.get(..length) == ours.get(..length) {
                their_rest = &theirs[length..];
            } else if raw::read_field(&mut their_rest) == Some(key)
                && theirs.len() - their_rest.len() == length
            {
                each(key);
            } else {
                break;
            }
            (ours, theirs) = (rest, their_rest);
        }
        let mut ours = ObjectRef(ours).packed_fields().peekable();
        for (name, value) in ObjectRef(theirs).packed_fields() {
            while let Some((gone, _)) = ours.next_if(|(n, _)| *n < name) {
                each(gone);
            }
            match ours.next_if(|(n, _)| *n == name) {
                Some((_, same)) if same == value => {}
                _ => each(name),
            }
        }
        ours.for_each(|(gone, _)| each(gone));
    }

    /// A cursor that finds fields asked for in ascending order, in one pass over the object.
    pub fn fields(&self) -> Fields<'a> {
        Fields(self.0)
    }

    /// How many fields; this walks over them.
    pub fn len(&self) -> usize {
        let mut rest = self.0;
        std::iter::from_fn(|| {
            raw::read_bytes(&mut rest)?;
            raw::skip_value(&mut rest)
        })
        .count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for ArrayRef<'a> {
    type Item = ValueRef<'a>;
    type IntoIter = ArrayIter<'a>;

    fn into_iter(self) -> ArrayIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for ObjectRef<'a> {
    type Item = (&'a str, ValueRef<'a>);
    type IntoIter = ObjectIter<'a>;

    fn into_iter(self) -> ObjectIter<'a> {
        self.iter()
    }
}

/// The elements of an array.
#[derive(Clone)]
pub struct ArrayIter<'a>(&'a [u8]);

impl<'a> Iterator for ArrayIter<'a> {
    type Item = ValueRef<'a>;

    fn next(&mut self) -> Option<ValueRef<'a>> {
        raw::read_value(&mut self.0)
    }
}

/// The fields of an object, in ascending order of their keys.
#[derive(Clone)]
pub struct ObjectIter<'a>(&'a [u8]);

impl<'a> Iterator for ObjectIter<'a> {
    type Item = (&'a str, ValueRef<'a>);

    fn next(&mut self) -> Option<(&'a str, ValueRef<'a>)> {
        let key = std::str::from_utf8(raw::read_bytes(&mut self.0)?).ok()?;
        Some((key, raw::read_value(&mut self.0)?))
    }
}

/// A cursor over the fields of an object; see [`ObjectRef::fields`].
#[derive(Clone)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The value of `key`. Fields before it are passed for good; when it is missing the cursor stays at the
    /// first field after its place.
    pub fn find(&mut self, key: &str) -> Option<ValueRef<'a>> {
        let key = key.as_bytes();
        loop {
            let mut rest = self.0;
            let found = raw::read_bytes(&mut rest)?;
            // The first byte tells most keys apart.
            let order = found.first().cmp(&key.first());
            match order.then_with(|| found.cmp(key)) {
                Ordering::Less => {
                    raw::skip_value(&mut rest)?;
                    self.0 = rest;
                }
                Ordering::Equal => {
                    let value = raw::read_value(&mut rest)?;
                    self.0 = rest;
                    return Some(value);
                }
                Ordering::Greater => return None,
            }
        }
    }
}
