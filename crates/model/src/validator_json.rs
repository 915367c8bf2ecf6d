//! Validators to and from Convex's JSON form: `{"type": "array", "value": {"type": "string"}}`.
//!
//! | validator | JSON |
//! |---|---|
//! | any, null, number, int64, commitTs, boolean, string, bytes | `{"type": …}` with `bigint` for int64 |
//! | literal | `{"type": "literal", "value": x}`, x in wire form |
//! | id | `{"type": "id", "tableName": "t"}` |
//! | array | `{"type": "array", "value": V}` |
//! | object | `{"type": "object", "value": {f: {"fieldType": V, "optional": bool}}}` |
//! | record | `{"type": "record", "keys": K, "values": {"fieldType": V, "optional": false}}` |
//! | union | `{"type": "union", "value": [V, …]}` |

use serde_json::{Map, Value as Json, json};

use crate::{FieldValidator, Validator};

/// Why JSON is no validator.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ValidatorJsonError {
    /// A member is missing or has another type.
    #[error("at `{path}`: expected {expected}")]
    Expected {
        /// Where, as dotted members of the JSON.
        path: String,
        /// What must stand there.
        expected: &'static str,
    },
    /// The type's name is not one that exists.
    #[error("at `{path}`: there is no validator type `{name}`")]
    UnknownType {
        /// Where, as dotted members of the JSON.
        path: String,
        /// The name.
        name: String,
    },
    /// A record with optional values.
    #[error("at `{path}`: the values of a record can't be optional")]
    InvalidRecordType {
        /// Where, as dotted members of the JSON.
        path: String,
    },
}

impl ValidatorJsonError {
    /// The stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            ValidatorJsonError::Expected { .. } | ValidatorJsonError::UnknownType { .. } => {
                "InvalidValidator"
            }
            ValidatorJsonError::InvalidRecordType { .. } => "InvalidRecordType",
        }
    }

    pub(crate) fn expected(path: &str, expected: &'static str) -> ValidatorJsonError {
        ValidatorJsonError::Expected { path: path.to_owned(), expected }
    }
}

impl Validator {
    /// The validator in Convex's JSON form.
    pub fn to_json(&self) -> Json {
        match self {
            Validator::Any => json!({"type": "any"}),
            Validator::Null => json!({"type": "null"}),
            Validator::Number => json!({"type": "number"}),
            Validator::Int64 => json!({"type": "bigint"}),
            Validator::CommitTs => json!({"type": "commitTs"}),
            Validator::Boolean => json!({"type": "boolean"}),
            Validator::String => json!({"type": "string"}),
            Validator::Bytes => json!({"type": "bytes"}),
            Validator::Literal(value) => {
                json!({"type": "literal", "value": serde_json::to_value(value).unwrap_or_default()})
            }
            Validator::Id(table) => json!({"type": "id", "tableName": table}),
            Validator::Array(element) => json!({"type": "array", "value": element.to_json()}),
            Validator::Object(fields) => {
                let fields: Map<String, Json> =
                    fields.iter().map(|(name, field)| (name.clone(), field.to_json())).collect();
                json!({"type": "object", "value": fields})
            }
            Validator::Record(keys, values) => json!({
                "type": "record",
                "keys": keys.to_json(),
                "values": {"fieldType": values.to_json(), "optional": false},
            }),
            Validator::Union(members) => {
                json!({"type": "union", "value": members.iter().map(Validator::to_json).collect::<Vec<_>>()})
            }
        }
    }

    /// Reads Convex's JSON form, with the older names `float64`, `int64`, `map` and `set`.
    pub fn from_json(json: &Json) -> Result<Validator, ValidatorJsonError> {
        read(json, "")
    }
}

impl FieldValidator {
    fn to_json(&self) -> Json {
        json!({"fieldType": self.validator.to_json(), "optional": self.optional})
    }
}

fn read(json: &Json, path: &str) -> Result<Validator, ValidatorJsonError> {
    let member = |name: &str| json.get(name).unwrap_or(&Json::Null);
    let at = |name: &str| format!("{path}.{name}").trim_start_matches('.').to_owned();
    let Some(name) = member("type").as_str() else {
        return Err(ValidatorJsonError::expected(&at("type"), "the name of a validator type"));
    };
    Ok(match name {
        "any" | "map" | "set" => Validator::Any,
        "null" => Validator::Null,
        "number" | "float64" => Validator::Number,
        "bigint" | "int64" => Validator::Int64,
        "commitTs" => Validator::CommitTs,
        "boolean" => Validator::Boolean,
        "string" => Validator::String,
        "bytes" => Validator::Bytes,
        "literal" => {
            let value = serde_json::from_value(member("value").clone()).ok();
            match value.filter(|value| crate::check::scalar(value).is_some()) {
                Some(value) => Validator::Literal(value),
                None => {
                    return Err(ValidatorJsonError::expected(
                        &at("value"),
                        "a string, a number, an int64 or a boolean",
                    ));
                }
            }
        }
        "id" => match member("tableName").as_str() {
            Some(table) => Validator::Id(table.to_owned()),
            None => return Err(ValidatorJsonError::expected(&at("tableName"), "the name of a table")),
        },
        "array" => Validator::Array(Box::new(read(member("value"), &at("value"))?)),
        "object" => {
            let Some(fields) = member("value").as_object() else {
                return Err(ValidatorJsonError::expected(&at("value"), "an object of fields"));
            };
            let fields = fields
                .iter()
                .map(|(name, field)| Ok((name.clone(), read_field(field, &at(&format!("value.{name}")))?)))
                .collect::<Result<_, ValidatorJsonError>>()?;
            Validator::Object(fields)
        }
        "record" => {
            let keys = read(member("keys"), &at("keys"))?;
            let values = read_field(member("values"), &at("values"))?;
            if values.optional {
                return Err(ValidatorJsonError::InvalidRecordType { path: at("values") });
            }
            Validator::Record(Box::new(keys), Box::new(values.validator))
        }
        "union" => {
            let Some(members) = member("value").as_array() else {
                return Err(ValidatorJsonError::expected(&at("value"), "an array of validators"));
            };
            let members = members
                .iter()
                .enumerate()
                .map(|(i, member)| read(member, &at(&format!("value[{i}]"))))
                .collect::<Result<_, ValidatorJsonError>>()?;
            Validator::Union(members)
        }
        other => {
            return Err(ValidatorJsonError::UnknownType { path: at("type"), name: other.to_owned() });
        }
    })
}

fn read_field(json: &Json, path: &str) -> Result<FieldValidator, ValidatorJsonError> {
    let at = |name: &str| format!("{path}.{name}");
    let Some(field_type) = json.get("fieldType") else {
        return Err(ValidatorJsonError::expected(&at("fieldType"), "a validator"));
    };
    let optional = match json.get("optional") {
        None => false,
        Some(Json::Bool(optional)) => *optional,
        Some(_) => return Err(ValidatorJsonError::expected(&at("optional"), "true or false")),
    };
    Ok(FieldValidator { optional, ..read(field_type, &at("fieldType"))?.into() })
}
