//! A validator: the set of values that a field, an argument or a document may have.
//!
//! Printed, it reads as Convex writes it: `v.object({name: v.string(), age: v.optional(v.number())})`.

use std::collections::BTreeMap;
use std::fmt;

use hull_value::{TableNumber, Value};

use crate::{CREATION_TIME_FIELD, ID_FIELD, Validated, v};

/// The set of values that a field, an argument or a document may have.
#[derive(Clone, Debug, PartialEq)]
pub enum Validator {
    /// Every value.
    Any,
    /// Null.
    Null,
    /// A 64-bit float.
    Number,
    /// A 64-bit integer.
    Int64,
    /// The timestamp of a commit, kept as a 64-bit integer.
    CommitTs,
    /// True or false.
    Boolean,
    /// A string.
    String,
    /// Bytes.
    Bytes,
    /// Exactly this string, float, integer or boolean.
    Literal(Value),
    /// The id of a document of this table; the document need not exist.
    Id(String),
    /// An array whose elements all match.
    Array(Box<Validator>),
    /// An object with these fields and no others.
    Object(BTreeMap<String, FieldValidator>),
    /// An object whose keys match the first and whose values match the second.
    Record(Box<Validator>, Box<Validator>),
    /// A value that at least one member accepts.
    Union(Vec<Validator>),
}

/// The validator of an object's field, which may be optional. Two that accept the same are equal, whatever they say the
/// field is for.
#[derive(Clone, Debug)]
pub struct FieldValidator {
    /// What the field's value must match when it is there.
    pub validator: Validator,
    /// Whether the field may be absent. Null is not absence.
    pub optional: bool,
    /// What the field is for; empty when nothing was said.
    pub doc: &'static str,
}

impl PartialEq for FieldValidator {
    fn eq(&self, other: &FieldValidator) -> bool {
        self.optional == other.optional && self.validator == other.validator
    }
}

impl FieldValidator {
    /// The validator of a field of this Rust type: `Option<T>` may be absent.
    pub fn of<T: Validated>() -> FieldValidator {
        FieldValidator { optional: T::OPTIONAL, ..T::validator().into() }
    }

    /// Says what the field is for.
    #[must_use]
    pub fn doc(mut self, text: &'static str) -> FieldValidator {
        self.doc = text;
        self
    }
}

impl From<Validator> for FieldValidator {
    fn from(validator: Validator) -> FieldValidator {
        FieldValidator { validator, optional: false, doc: "" }
    }
}

/// Which table a table number inside an id stands for, as the transaction at hand sees it.
pub trait TableMapping {
    /// The name of the table with this number.
    fn table_of(&self, number: TableNumber) -> Option<&str>;
    /// The number of the table with this name.
    fn number_of(&self, table: &str) -> Option<TableNumber>;
}

/// No table at all: every `v.id` fails.
impl TableMapping for () {
    fn table_of(&self, _: TableNumber) -> Option<&str> {
        None
    }

    fn number_of(&self, _: &str) -> Option<TableNumber> {
        None
    }
}

impl Validator {
    /// The validator of a value of this Rust type where something must stand: `Option<T>` is `T` or null there.
    pub fn of<T: Validated>() -> Validator {
        if T::OPTIONAL { v::nullable(T::validator()) } else { T::validator() }
    }

    /// This object with one more field. Any other validator stays as it is.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, field: impl Into<FieldValidator>) -> Validator {
        if let Validator::Object(fields) = &mut self {
            fields.insert(name.into(), field.into());
        }
        self
    }

    /// The validator of stored documents of a table, given the one that the table declares.
    #[must_use]
    pub fn with_system_fields(self, table: &str) -> Validator {
        match self {
            Validator::Union(members) => {
                Validator::Union(members.into_iter().map(|m| m.with_system_fields(table)).collect())
            }
            other => other.field(ID_FIELD, v::id(table)).field(CREATION_TIME_FIELD, v::number()),
        }
    }

    /// The same objects with any of their fields left out.
    pub(crate) fn with_optional_fields(self) -> Validator {
        match self {
            Validator::Union(members) => {
                Validator::Union(members.into_iter().map(Validator::with_optional_fields).collect())
            }
            Validator::Object(fields) => {
                let optional = |(name, field)| (name, FieldValidator { optional: true, ..field });
                Validator::Object(fields.into_iter().map(optional).collect())
            }
            other => other,
        }
    }

    /// What a document of a table with this validator has at a path: whether any document can have something there.
    pub(crate) fn can_contain(&self, path: &[String]) -> bool {
        let Some((head, rest)) = path.split_first() else { return true };
        match self {
            Validator::Any => true,
            Validator::Object(fields) => fields.get(head).is_some_and(|f| f.validator.can_contain(rest)),
            Validator::Record(_, values) => values.can_contain(rest),
            Validator::Union(members) => members.iter().any(|m| m.can_contain(path)),
            _ => false,
        }
    }
}

impl fmt::Display for FieldValidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.optional { write!(f, "v.optional({})", self.validator) } else { self.validator.fmt(f) }
    }
}

impl fmt::Display for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Validator::Any => f.write_str("v.any()"),
            Validator::Null => f.write_str("v.null()"),
            Validator::Number => f.write_str("v.float64()"),
            Validator::Int64 => f.write_str("v.int64()"),
            Validator::CommitTs => f.write_str("v.commitTs()"),
            Validator::Boolean => f.write_str("v.boolean()"),
            Validator::String => f.write_str("v.string()"),
            Validator::Bytes => f.write_str("v.bytes()"),
            Validator::Literal(value) => match crate::check::scalar(value) {
                Some(value) => write!(f, "v.literal({})", crate::check::Shown(value)),
                None => f.write_str("v.literal(?)"),
            },
            Validator::Id(table) => write!(f, "v.id(\"{table}\")"),
            Validator::Array(element) => write!(f, "v.array({element})"),
            Validator::Object(fields) => {
                f.write_str("v.object({")?;
                for (i, (name, field)) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{name}: {field}")?;
                }
                f.write_str("})")
            }
            Validator::Record(keys, values) => write!(f, "v.record({keys}, {values})"),
            Validator::Union(members) => {
                f.write_str("v.union(")?;
                for (i, member) in members.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{member}")?;
                }
                f.write_str(")")
            }
        }
    }
}
