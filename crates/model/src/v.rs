//! Validators by hand, named as Convex names them: `v::array(v::string())`.

use hull_value::Value;

use crate::{FieldValidator, Validator};

/// Every value.
pub fn any() -> Validator {
    Validator::Any
}

/// Null.
pub fn null() -> Validator {
    Validator::Null
}

/// A 64-bit float.
pub fn number() -> Validator {
    Validator::Number
}

/// A 64-bit integer.
pub fn int64() -> Validator {
    Validator::Int64
}

/// The timestamp of a commit.
pub fn commit_ts() -> Validator {
    Validator::CommitTs
}

/// True or false.
pub fn boolean() -> Validator {
    Validator::Boolean
}

/// A string.
pub fn string() -> Validator {
    Validator::String
}

/// Bytes.
pub fn bytes() -> Validator {
    Validator::Bytes
}

/// Exactly this string, float, integer or boolean.
pub fn literal(value: impl Into<Value>) -> Validator {
    Validator::Literal(value.into())
}

/// The id of a document of this table.
pub fn id(table: impl Into<String>) -> Validator {
    Validator::Id(table.into())
}

/// An array whose elements all match.
pub fn array(element: Validator) -> Validator {
    Validator::Array(Box::new(element))
}

/// An object with these fields and no others; [`Validator::field`] adds one at a time.
pub fn object<K, F>(fields: impl IntoIterator<Item = (K, F)>) -> Validator
where
    K: Into<String>,
    F: Into<FieldValidator>,
{
    Validator::Object(fields.into_iter().map(|(name, field)| (name.into(), field.into())).collect())
}

/// A field that may be absent. Null is not absence.
pub fn optional(validator: Validator) -> FieldValidator {
    FieldValidator { optional: true, ..validator.into() }
}

/// An object whose keys match the first and whose values match the second.
pub fn record(keys: Validator, values: Validator) -> Validator {
    Validator::Record(Box::new(keys), Box::new(values))
}

/// A value that at least one member accepts; without members, none.
pub fn union(members: impl IntoIterator<Item = Validator>) -> Validator {
    Validator::Union(members.into_iter().collect())
}

/// The value or null.
pub fn nullable(validator: Validator) -> Validator {
    union([validator, null()])
}
