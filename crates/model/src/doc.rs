//! A table's Rust type, and a stored document of it.

use std::fmt;
use std::ops::{Deref, DerefMut};

use hull_value::{Decode, DecodeError, Encode, Encoder, FieldKey, Fields, Id, ObjectRef, Packed, ValueRef};

use crate::{CREATION_TIME_FIELD, ID_FIELD, TableDef, Validated, Validator};

/// A Rust type whose values are the documents of a table, without their system fields.
///
/// `#[derive(Table)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a table",
    label = "not a table",
    note = "add `#[derive(Table)]` and `#[table(\"wireName\")]` to `{Self}`"
)]
pub trait Table: Encode + Decode + Validated + Send + Sync + 'static {
    /// The table's wire name.
    const NAME: &'static str;

    /// The table as data.
    fn table() -> TableDef;
}

/// A stored document: its value with its id and the time of its creation.
///
/// They are reached directly, and so are the fields of the value (`entry._id`, `entry.content`). On the wire it is one flat
/// object: as it is stored, for as long as nothing of it is changed.
#[derive(Clone)]
pub struct Doc<T> {
    parts: DocParts<T>,
    /// The whole object as it is stored, if it is exactly what `parts` say. Whoever may change them takes it away.
    stored: Option<Packed>,
}

/// What a [`Doc`] is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct DocParts<T> {
    /// The id.
    pub _id: Id<T>,
    /// When it was created, in milliseconds since the epoch.
    pub _creation_time: f64,
    /// The fields that the table declares.
    pub value: T,
}

impl<T> Doc<T> {
    /// A document of these parts; the time is in milliseconds since the epoch.
    pub fn new(id: Id<T>, creation_time: f64, value: T) -> Doc<T> {
        Doc { parts: DocParts { _id: id, _creation_time: creation_time, value }, stored: None }
    }

    /// A document of these parts that is stored as this object, which must say the same.
    #[must_use]
    pub fn stored_as(mut self, object: Packed) -> Doc<T> {
        self.stored = Some(object);
        self
    }

    /// The fields that the table declares: `Doc::into_value(entry)`.
    pub fn into_value(this: Doc<T>) -> T {
        this.parts.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Doc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.fmt(f)
    }
}

/// How it is stored makes no difference.
impl<T: PartialEq> PartialEq for Doc<T> {
    fn eq(&self, other: &Doc<T>) -> bool {
        self.parts == other.parts
    }
}

impl<T> Deref for Doc<T> {
    type Target = DocParts<T>;

    fn deref(&self) -> &DocParts<T> {
        &self.parts
    }
}

impl<T> DerefMut for Doc<T> {
    fn deref_mut(&mut self) -> &mut DocParts<T> {
        self.stored = None;
        &mut self.parts
    }
}

impl<T> Deref for DocParts<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for DocParts<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: Encode> Encode for Doc<T> {
    fn encode<E: Encoder>(&self, e: &mut E) {
        if let Some(stored) = &self.stored {
            return e.value(stored.as_ref());
        }
        let mut inner =
            WithSystemFields { e, depth: 0, id: Some(&self._id), creation_time: self._creation_time };
        self.value.encode(&mut inner);
    }
}

impl<T: Decode> Decode for Doc<T> {
    fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
        let mut fields = object_of(value)?.fields();
        let creation_time = decode_field(&mut fields, CREATION_TIME_FIELD)?;
        let id = decode_field(&mut fields, ID_FIELD)?;
        Ok(Doc::new(id, creation_time, T::decode(value)?))
    }
}

impl<T: Table> Validated for Doc<T> {
    fn validator() -> Validator {
        T::validator().with_system_fields(T::NAME)
    }
}

/// Passes an object on with the two system fields put in at their place in the ascending order of keys.
struct WithSystemFields<'a, E, T> {
    e: &'a mut E,
    depth: usize,
    /// Taken once the fields are written.
    id: Option<&'a Id<T>>,
    creation_time: f64,
}

impl<E: Encoder, T> WithSystemFields<'_, E, T> {
    fn write_system_fields(&mut self) {
        if let Some(id) = self.id.take() {
            self.e.field(const { FieldKey::new(CREATION_TIME_FIELD) });
            self.e.float64(self.creation_time);
            self.e.field(const { FieldKey::new(ID_FIELD) });
            id.encode(self.e);
        }
    }
}

impl<E: Encoder, T> Encoder for WithSystemFields<'_, E, T> {
    fn null(&mut self) {
        self.e.null();
    }

    fn boolean(&mut self, value: bool) {
        self.e.boolean(value);
    }

    fn int64(&mut self, value: i64) {
        self.e.int64(value);
    }

    fn float64(&mut self, value: f64) {
        self.e.float64(value);
    }

    fn string(&mut self, value: &str) {
        self.e.string(value);
    }

    fn bytes(&mut self, value: &[u8]) {
        self.e.bytes(value);
    }

    fn begin_array(&mut self) {
        self.depth += 1;
        self.e.begin_array();
    }

    fn end_array(&mut self) {
        self.depth -= 1;
        self.e.end_array();
    }

    fn begin_object(&mut self) {
        self.depth += 1;
        self.e.begin_object();
    }

    fn key(&mut self, key: &str) {
        if self.depth == 1 && key > ID_FIELD {
            self.write_system_fields();
        }
        self.e.key(key);
    }

    #[inline]
    fn field(&mut self, key: FieldKey) {
        if self.depth == 1 && key.name() > ID_FIELD {
            self.write_system_fields();
        }
        self.e.field(key);
    }

    fn end_object(&mut self) {
        if self.depth == 1 {
            self.write_system_fields();
        }
        self.depth -= 1;
        self.e.end_object();
    }
}

/// The object that a value must be.
#[doc(hidden)]
pub fn object_of(value: ValueRef<'_>) -> Result<ObjectRef<'_>, DecodeError> {
    value.as_object().ok_or_else(|| DecodeError::new("object", value))
}

/// The next field, in ascending order of keys, or what its type makes of absence.
#[doc(hidden)]
pub fn decode_field<T: Decode>(fields: &mut Fields<'_>, name: &'static str) -> Result<T, DecodeError> {
    T::decode_field(name, fields.find(name))
}

/// The tag that says which variant an object is.
#[doc(hidden)]
pub fn decode_tag<'a>(object: &ObjectRef<'a>, tag: &'static str) -> Result<&'a str, DecodeError> {
    match object.get(tag) {
        Some(ValueRef::String(text)) => Ok(text),
        Some(other) => Err(DecodeError::new("string", other).in_field(tag)),
        None => Err(DecodeError::missing_field(tag)),
    }
}

/// The error for a value that is none of an enum's variants.
#[doc(hidden)]
pub fn no_variant(expected: &'static str, found: ValueRef<'_>) -> DecodeError {
    let mut error = DecodeError::new(expected, found);
    if let ValueRef::String(text) = found {
        error.found = format!("{text:?}").into();
    }
    error
}
