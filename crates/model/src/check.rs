//! Checking a value against a validator, with Convex's error kinds and paths.
//!
//! Objects are strict: a field that the validator lacks is an error. A union accepts with its first member that
//! does; its failure is one [`ValidationErrorKind::NoMatch`] of the whole union, unless it has exactly one member.

use std::fmt;

use hull_value::{DocumentId, Value, ValueRef};

use crate::{CREATION_TIME_FIELD, ID_FIELD, TableMapping, Validator};

/// The longest rendering of a value or validator inside a message, in bytes.
const SHOWN_LIMIT: usize = 4096;

/// Why a value does not match a validator, and where inside it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.message())]
pub struct ValidationError {
    /// Where: `.a.b[3]`, with `.keys()` and `.values()` for records; empty for the value itself.
    pub path: String,
    /// What is wrong there.
    pub kind: ValidationErrorKind,
}

/// What is wrong with a value. Values and validators are given as they are printed.
#[derive(Clone, Debug, PartialEq)]
pub enum ValidationErrorKind {
    /// An id of another table than the validator's.
    TableNamesDoNotMatch {
        /// The id as it came.
        id: String,
        /// The table of the id.
        found: String,
        /// The table of the validator.
        expected: String,
    },
    /// An id of a system table where one of the application's tables is expected.
    SystemTableReference {
        /// The id as it came.
        id: String,
        /// The table of the validator.
        expected: String,
    },
    /// Another value than the literal.
    LiteralValuesDoNotMatch {
        /// The value.
        value: String,
        /// The validator.
        validator: String,
    },
    /// A field that the validator requires is absent.
    MissingRequiredField {
        /// The field's name.
        field: String,
        /// The object without it.
        object: String,
        /// The object's validator.
        validator: String,
    },
    /// A field that the validator does not know.
    ExtraField {
        /// The field's name.
        field: String,
        /// The object that has it.
        object: String,
        /// The object's validator.
        validator: String,
    },
    /// A value of another type, or one that no member of a union accepts.
    NoMatch {
        /// The value.
        value: String,
        /// The validator.
        validator: String,
    },
}

impl ValidationError {
    /// The stable name of the kind.
    pub fn code(&self) -> &'static str {
        match self.kind {
            ValidationErrorKind::TableNamesDoNotMatch { .. } => "TableNamesDoNotMatch",
            ValidationErrorKind::SystemTableReference { .. } => "SystemTableReference",
            ValidationErrorKind::LiteralValuesDoNotMatch { .. } => "LiteralValuesDoNotMatch",
            ValidationErrorKind::MissingRequiredField { .. } => "MissingRequiredField",
            ValidationErrorKind::ExtraField { .. } => "ExtraField",
            ValidationErrorKind::NoMatch { .. } => "NoMatch",
        }
    }

    fn message(&self) -> String {
        let at = if self.path.is_empty() { String::new() } else { format!("\nPath: {}", self.path) };
        match &self.kind {
            ValidationErrorKind::TableNamesDoNotMatch { id, found, expected } => format!(
                "Found ID \"{id}\" from table `{found}`, which does not match the table name in validator \
                 `v.id(\"{expected}\")`.{at}"
            ),
            ValidationErrorKind::SystemTableReference { id, expected } => format!(
                "Found ID \"{id}\" from a system table, which does not match the table name in validator \
                 `v.id(\"{expected}\")`.{at}"
            ),
            ValidationErrorKind::LiteralValuesDoNotMatch { value, validator } => {
                format!("`{value}` does not match literal validator `{validator}`.{at}")
            }
            ValidationErrorKind::MissingRequiredField { field, object, validator } => format!(
                "Object is missing the required field `{field}`. Consider wrapping the field validator in \
                 `v.optional(...)` if this is expected.\n{at}\nObject: {object}\nValidator: {validator}"
            ),
            ValidationErrorKind::ExtraField { field, object, validator } => format!(
                "Object contains extra field `{field}` that is not in the validator.\n{at}\nObject: \
                 {object}\nValidator: {validator}"
            ),
            ValidationErrorKind::NoMatch { value, validator } => {
                format!("Value does not match validator.{at}\nValue: {value}\nValidator: {validator}")
            }
        }
    }
}

/// What does not match, as it is found. Nothing is printed yet, since a union goes on with its next member.
struct Mismatch<'a> {
    /// The way to the value, from the inside out.
    path: Vec<Step<'a>>,
    value: ValueRef<'a>,
    validator: &'a Validator,
    reason: Reason<'a>,
}

enum Step<'a> {
    Field(&'a str),
    Element(usize),
    Keys,
    Values,
}

enum Reason<'a> {
    OtherTable { id: &'a str, found: &'a str, expected: &'a str },
    SystemTable { id: &'a str, expected: &'a str },
    OtherLiteral,
    Missing(&'a str),
    Extra(&'a str),
    OtherType,
}

impl<'a> Mismatch<'a> {
    fn under(mut self, step: Step<'a>) -> Mismatch<'a> {
        self.path.push(step);
        self
    }

    fn print(self) -> ValidationError {
        let mut path = String::new();
        for step in self.path.iter().rev() {
            match step {
                Step::Field(name) => path.extend([".", name]),
                Step::Element(at) => path.push_str(&format!("[{at}]")),
                Step::Keys => path.push_str(".keys()"),
                Step::Values => path.push_str(".values()"),
            }
        }
        let (value, validator) = (|| clipped(&Shown(self.value)), || clipped(self.validator));
        let kind = match self.reason {
            Reason::OtherTable { id, found, expected } => ValidationErrorKind::TableNamesDoNotMatch {
                id: id.to_owned(),
                found: found.to_owned(),
                expected: expected.to_owned(),
            },
            Reason::SystemTable { id, expected } => {
                ValidationErrorKind::SystemTableReference { id: id.to_owned(), expected: expected.to_owned() }
            }
            Reason::OtherLiteral => {
                ValidationErrorKind::LiteralValuesDoNotMatch { value: value(), validator: validator() }
            }
            Reason::Missing(field) => ValidationErrorKind::MissingRequiredField {
                field: field.to_owned(),
                object: value(),
                validator: validator(),
            },
            Reason::Extra(field) => ValidationErrorKind::ExtraField {
                field: field.to_owned(),
                object: value(),
                validator: validator(),
            },
            Reason::OtherType => ValidationErrorKind::NoMatch { value: value(), validator: validator() },
        };
        ValidationError { path, kind }
    }
}

impl Validator {
    /// Checks a value; `tables` tells which table an id belongs to.
    pub fn check(&self, value: ValueRef<'_>, tables: &dyn TableMapping) -> Result<(), ValidationError> {
        self.check_value(value, tables, false).map_err(Mismatch::print)
    }

    /// Checks a whole document; its `_id` and `_creationTime` are not the validator's business.
    pub fn check_document(
        &self,
        document: ValueRef<'_>,
        tables: &dyn TableMapping,
    ) -> Result<(), ValidationError> {
        self.check_value(document, tables, true).map_err(Mismatch::print)
    }

    /// Whether a document that matches still does when these top-level fields are set, or removed (`None`). `false` says
    /// nothing: then the whole document must be checked.
    pub fn keeps(&self, changes: &[(&str, Option<ValueRef<'_>>)], tables: &dyn TableMapping) -> bool {
        let Validator::Object(fields) = self else { return matches!(self, Validator::Any) };
        changes.iter().all(|(name, value)| match (fields.get(*name), value) {
            (Some(field), Some(value)) => field.validator.check_value(*value, tables, false).is_ok(),
            (Some(field), None) => field.optional,
            (None, _) => false,
        })
    }

    fn check_value<'a>(
        &'a self,
        value: ValueRef<'a>,
        tables: &'a dyn TableMapping,
        document: bool,
    ) -> Result<(), Mismatch<'a>> {
        let mismatch = |reason| Mismatch { path: Vec::new(), value, validator: self, reason };
        let reason = match (self, value) {
            (Validator::Any, _)
            | (Validator::Null, ValueRef::Null)
            | (Validator::Number, ValueRef::Float64(_))
            | (Validator::Int64 | Validator::CommitTs, ValueRef::Int64(_))
            | (Validator::Boolean, ValueRef::Boolean(_))
            | (Validator::String, ValueRef::String(_))
            | (Validator::Bytes, ValueRef::Bytes(_)) => return Ok(()),
            (Validator::Literal(literal), value) if Some(value) == scalar(literal) => return Ok(()),
            (Validator::Literal(_), _) => Reason::OtherLiteral,
            (Validator::Id(expected), ValueRef::String(id)) => {
                let number = id.parse::<DocumentId>().ok().map(|id| id.table);
                match number.and_then(|number| tables.table_of(number)) {
                    Some(found) if found == expected => return Ok(()),
                    Some(found) if found.starts_with('_') && !expected.starts_with('_') => {
                        Reason::SystemTable { id, expected }
                    }
                    Some(found) => Reason::OtherTable { id, found, expected },
                    None => Reason::OtherType,
                }
            }
            (Validator::Array(element), ValueRef::Array(array)) => {
                for (i, item) in array.iter().enumerate() {
                    element.check_value(item, tables, false).map_err(|m| m.under(Step::Element(i)))?;
                }
                return Ok(());
            }
            (Validator::Object(fields), ValueRef::Object(object)) => {
                // Both sides are in ascending order, so one pass finds the fields; a second one is for the others.
                let mut cursor = object.fields();
                let mut known = 0;
                for (name, field) in fields {
                    match cursor.find(name) {
                        Some(item) => {
                            known += 1;
                            let checked = field.validator.check_value(item, tables, false);
                            checked.map_err(|m| m.under(Step::Field(name)))?;
                        }
                        None if field.optional => {}
                        None => return Err(mismatch(Reason::Missing(name))),
                    }
                }
                let is_system = |name: &str| document && (name == ID_FIELD || name == CREATION_TIME_FIELD);
                let is_extra = |name: &str| !is_system(name) && !fields.contains_key(name);
                let apart = [ID_FIELD, CREATION_TIME_FIELD]
                    .into_iter()
                    .filter(|name| document && !fields.contains_key(*name) && object.get(name).is_some());
                known += apart.count();
                let others = if object.len() > known { Some(object.iter()) } else { None };
                match others.into_iter().flatten().map(|(name, _)| name).find(|name| is_extra(name)) {
                    Some(name) => return Err(mismatch(Reason::Extra(name))),
                    None => return Ok(()),
                }
            }
            (Validator::Record(keys, values), ValueRef::Object(object)) => {
                for (name, item) in object.iter() {
                    let key = keys.check_value(ValueRef::String(name), tables, false);
                    key.map_err(|m| m.under(Step::Keys))?;
                    values.check_value(item, tables, false).map_err(|m| m.under(Step::Values))?;
                }
                return Ok(());
            }
            (Validator::Union(members), value) => match members.as_slice() {
                [member] => return member.check_value(value, tables, document),
                members if members.iter().any(|m| m.check_value(value, tables, document).is_ok()) => {
                    return Ok(());
                }
                _ => Reason::OtherType,
            },
            _ => Reason::OtherType,
        };
        Err(mismatch(reason))
    }
}

/// The text, cut off when it is too long for a message.
fn clipped(text: &impl fmt::Display) -> String {
    struct Clipping(String);
    impl fmt::Write for Clipping {
        fn write_str(&mut self, s: &str) -> fmt::Result {
            let room = SHOWN_LIMIT.saturating_sub(self.0.len());
            if s.len() <= room {
                self.0.push_str(s);
                return Ok(());
            }
            let cut = s.char_indices().map(|(at, _)| at).take_while(|at| *at <= room).last();
            self.0.push_str(s.get(..cut.unwrap_or(0)).unwrap_or_default());
            Err(fmt::Error)
        }
    }
    let mut out = Clipping(String::new());
    if fmt::Write::write_fmt(&mut out, format_args!("{text}")).is_err() {
        out.0.push('…');
    }
    out.0
}

/// The values that a literal may be.
pub(crate) fn scalar(value: &Value) -> Option<ValueRef<'_>> {
    match value {
        Value::Int64(i) => Some(ValueRef::Int64(*i)),
        Value::Float64(x) => Some(ValueRef::Float64(*x)),
        Value::Boolean(b) => Some(ValueRef::Boolean(*b)),
        Value::String(s) => Some(ValueRef::String(s)),
        _ => None,
    }
}

/// A value as messages print it: `{name: "x", age: 1.0, big: 5n}`.
pub(crate) struct Shown<'a>(pub(crate) ValueRef<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ValueRef::Null => f.write_str("null"),
            ValueRef::Int64(i) => write!(f, "{i}n"),
            ValueRef::Float64(x) => write!(f, "{x:?}"),
            ValueRef::Boolean(b) => write!(f, "{b}"),
            ValueRef::String(s) => write!(f, "{s:?}"),
            ValueRef::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            ValueRef::Array(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if i == 0 { "" } else { ", " }, Shown(item))?;
                }
                f.write_str("]")
            }
            ValueRef::Object(fields) => {
                f.write_str("{")?;
                for (i, (name, item)) in fields.iter().enumerate() {
                    write!(f, "{}{name}: {}", if i == 0 { "" } else { ", " }, Shown(item))?;
                }
                f.write_str("}")
            }
        }
    }
}
