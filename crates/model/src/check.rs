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

    fn new(kind: ValidationErrorKind) -> Box<ValidationError> {
        Box::new(ValidationError { path: String::new(), kind })
    }

    fn under(mut self: Box<Self>, step: fmt::Arguments<'_>) -> Box<ValidationError> {
        self.path = format!("{step}{}", self.path);
        self
    }
}

impl Validator {
    /// Checks a value; `tables` tells which table an id belongs to.
    pub fn check(&self, value: ValueRef<'_>, tables: &dyn TableMapping) -> Result<(), ValidationError> {
        self.check_value(value, tables, false).map_err(|e| *e)
    }

    /// Checks a whole document; its `_id` and `_creationTime` are not the validator's business.
    pub fn check_document(
        &self,
        document: ValueRef<'_>,
        tables: &dyn TableMapping,
    ) -> Result<(), ValidationError> {
        self.check_value(document, tables, true).map_err(|e| *e)
    }

    fn check_value(
        &self,
        value: ValueRef<'_>,
        tables: &dyn TableMapping,
        document: bool,
    ) -> Result<(), Box<ValidationError>> {
        let matches = match (self, value) {
            (Validator::Any, _)
            | (Validator::Null, ValueRef::Null)
            | (Validator::Number, ValueRef::Float64(_))
            | (Validator::Int64 | Validator::CommitTs, ValueRef::Int64(_))
            | (Validator::Boolean, ValueRef::Boolean(_))
            | (Validator::String, ValueRef::String(_))
            | (Validator::Bytes, ValueRef::Bytes(_)) => true,
            (Validator::Literal(literal), value) => {
                return if Some(value) == scalar(literal) {
                    Ok(())
                } else {
                    Err(ValidationError::new(ValidationErrorKind::LiteralValuesDoNotMatch {
                        value: shown(value),
                        validator: clipped(self),
                    }))
                };
            }
            (Validator::Id(table), ValueRef::String(text)) => match text.parse::<DocumentId>() {
                Ok(id) => match tables.table_of(id.table) {
                    Some(found) if found == table => true,
                    Some(found) if found.starts_with('_') && !table.starts_with('_') => {
                        return Err(ValidationError::new(ValidationErrorKind::SystemTableReference {
                            id: text.to_owned(),
                            expected: table.clone(),
                        }));
                    }
                    Some(found) => {
                        return Err(ValidationError::new(ValidationErrorKind::TableNamesDoNotMatch {
                            id: text.to_owned(),
                            found: found.to_owned(),
                            expected: table.clone(),
                        }));
                    }
                    None => false,
                },
                Err(_) => false,
            },
            (Validator::Array(element), ValueRef::Array(array)) => {
                for (i, item) in array.iter().enumerate() {
                    element.check_value(item, tables, false).map_err(|e| e.under(format_args!("[{i}]")))?;
                }
                true
            }
            (Validator::Object(fields), ValueRef::Object(object)) => {
                // Both sides are in ascending order, so one pass finds the fields; a second one is for the others.
                let mut cursor = object.fields();
                let mut known = 0;
                for (name, field) in fields {
                    match cursor.find(name) {
                        Some(item) => {
                            known += 1;
                            field
                                .validator
                                .check_value(item, tables, false)
                                .map_err(|e| e.under(format_args!(".{name}")))?;
                        }
                        None if field.optional => {}
                        None => {
                            return Err(ValidationError::new(ValidationErrorKind::MissingRequiredField {
                                field: name.clone(),
                                object: shown(value),
                                validator: clipped(self),
                            }));
                        }
                    }
                }
                let others = if object.len() > known { Some(object.iter()) } else { None };
                for (name, _) in others.into_iter().flatten() {
                    let system = document && (name == ID_FIELD || name == CREATION_TIME_FIELD);
                    if !system && !fields.contains_key(name) {
                        return Err(ValidationError::new(ValidationErrorKind::ExtraField {
                            field: name.to_owned(),
                            object: shown(value),
                            validator: clipped(self),
                        }));
                    }
                }
                true
            }
            (Validator::Record(keys, values), ValueRef::Object(object)) => {
                for (name, item) in object.iter() {
                    keys.check_value(ValueRef::String(name), tables, false)
                        .map_err(|e| e.under(format_args!(".keys()")))?;
                    values
                        .check_value(item, tables, false)
                        .map_err(|e| e.under(format_args!(".values()")))?;
                }
                true
            }
            (Validator::Union(members), value) => {
                if let [member] = members.as_slice() {
                    return member.check_value(value, tables, document);
                }
                members.iter().any(|m| m.check_value(value, tables, document).is_ok())
            }
            _ => false,
        };
        if matches {
            return Ok(());
        }
        Err(ValidationError::new(ValidationErrorKind::NoMatch {
            value: shown(value),
            validator: clipped(self),
        }))
    }
}

fn shown(value: ValueRef<'_>) -> String {
    clipped(&Shown(value))
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
