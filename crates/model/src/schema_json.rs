//! Schemas to and from Convex's JSON form.
//!
//! `{"tables": [{"tableName", "indexes": [{"indexDescriptor", "fields"}], "searchIndexes": [{"indexDescriptor",
//! "searchField", "filterFields"}], …, "documentType": Validator}], "schemaValidation": bool}`. Staged and vector
//! indexes are written as empty lists, and refused by name when they are read.
//!
//! An index that counts has a member more than Convex's: `"aggregate": {"sum": field, "ranked": true}`, where `sum` is there
//! if it adds up a field, and `ranked` if its groups are.

use hull_value::FieldPath;
use serde_json::{Value as Json, json};

use crate::{IndexDef, Schema, TableDef, Validator, ValidatorJsonError, define_table, v};

/// Why JSON is no schema.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SchemaJsonError {
    /// A member is missing or has another type.
    #[error("schema: at `{path}`: expected {expected}")]
    Expected {
        /// Where, as dotted members of the JSON.
        path: String,
        /// What must stand there.
        expected: &'static str,
    },
    /// A table's document type is no validator.
    #[error("schema: table `{table}`: {error}")]
    Validator {
        /// The table.
        table: String,
        /// What is wrong.
        error: ValidatorJsonError,
    },
    /// Something that Convex has and Hull does not have yet.
    #[error("schema: table `{table}`: {what} are not supported yet")]
    NotSupported {
        /// The table.
        table: String,
        /// What it asks for.
        what: &'static str,
    },
}

impl SchemaJsonError {
    /// The stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            SchemaJsonError::Expected { .. } => "InvalidSchemaJson",
            SchemaJsonError::Validator { error, .. } => error.code(),
            SchemaJsonError::NotSupported { .. } => "NotSupported",
        }
    }
}

impl Schema {
    /// The schema in Convex's JSON form.
    pub fn to_json(&self) -> Json {
        let tables: Vec<Json> = self.tables.iter().map(TableDef::to_json).collect();
        json!({"tables": tables, "schemaValidation": self.validate})
    }

    /// Reads Convex's JSON form. The schema's own rules are the business of [`Schema::check`].
    pub fn from_json(json: &Json) -> Result<Schema, SchemaJsonError> {
        let tables = json.get("tables").and_then(Json::as_array);
        let tables = tables.ok_or_else(|| expected("tables", "an array"))?.iter();
        let tables = tables
            .enumerate()
            .map(|(i, table)| TableDef::from_json(table, &format!("tables[{i}]")))
            .collect::<Result<_, _>>()?;
        let validate = match json.get("schemaValidation") {
            None => true,
            Some(Json::Bool(validate)) => *validate,
            Some(_) => return Err(expected("schemaValidation", "true or false")),
        };
        Ok(Schema { tables, validate })
    }
}

impl TableDef {
    /// The table in Convex's JSON form.
    pub fn to_json(&self) -> Json {
        let indexes: Vec<Json> = self.indexes.iter().map(index_json).collect();
        let search_indexes: Vec<Json> = self
            .search_indexes
            .iter()
            .map(|index| {
                json!({
                    "indexDescriptor": index.name,
                    "searchField": index.search_field.to_string(),
                    "filterFields": texts(&index.filter_fields),
                })
            })
            .collect();
        json!({
            "tableName": self.name,
            "indexes": indexes,
            "stagedDbIndexes": [],
            "searchIndexes": search_indexes,
            "stagedSearchIndexes": [],
            "vectorIndexes": [],
            "stagedVectorIndexes": [],
            "documentType": self.document.to_json(),
        })
    }

    fn from_json(json: &Json, path: &str) -> Result<TableDef, SchemaJsonError> {
        let name = text(json, "tableName", path)?;
        let unsupported = [
            ("stagedDbIndexes", "staged indexes"),
            ("stagedSearchIndexes", "staged indexes"),
            ("vectorIndexes", "vector indexes"),
            ("stagedVectorIndexes", "vector indexes"),
        ];
        for (member, what) in unsupported {
            if !list(json, member, path)?.is_empty() {
                return Err(SchemaJsonError::NotSupported { table: name, what });
            }
        }
        let document = match json.get("documentType") {
            None | Some(Json::Null) => v::any(),
            Some(validator) => match Validator::from_json(validator) {
                Ok(validator) => validator,
                Err(error) => return Err(SchemaJsonError::Validator { table: name, error }),
            },
        };
        let mut table = define_table(name).document(document);
        for (i, index) in list(json, "indexes", path)?.iter().enumerate() {
            let path = format!("{path}.indexes[{i}]");
            let name = text(index, "indexDescriptor", &path)?;
            let fields = strings(index, "fields", &path)?;
            table = match index.get("aggregate") {
                None => table.index(name, fields),
                Some(aggregate) => {
                    let (sum, ranked) = aggregate_of(aggregate, &format!("{path}.aggregate"))?;
                    table.aggregate_index(name, fields, sum, ranked)
                }
            };
        }
        for (i, index) in list(json, "searchIndexes", path)?.iter().enumerate() {
            let path = format!("{path}.searchIndexes[{i}]");
            let name = text(index, "indexDescriptor", &path)?;
            let search_field = text(index, "searchField", &path)?;
            table = table.search_index(name, &search_field, strings(index, "filterFields", &path)?);
        }
        Ok(table)
    }
}

fn index_json(index: &IndexDef) -> Json {
    let mut json = json!({"indexDescriptor": index.name, "fields": texts(&index.fields)});
    if let Some(aggregate) = &index.aggregate {
        let mut members = serde_json::Map::new();
        if let Some(sum) = &aggregate.sum {
            members.insert("sum".to_owned(), sum.to_string().into());
        }
        if aggregate.ranked {
            members.insert("ranked".to_owned(), true.into());
        }
        json["aggregate"] = members.into();
    }
    json
}

/// The field that is added up, and whether groups are ranked.
fn aggregate_of<'a>(json: &'a Json, path: &str) -> Result<(Option<&'a str>, bool), SchemaJsonError> {
    let members = json.as_object().ok_or_else(|| expected(path, "an object"))?;
    let sum = match members.get("sum") {
        None => None,
        Some(sum) => Some(sum.as_str().ok_or_else(|| expected(format!("{path}.sum"), "a string"))?),
    };
    let ranked = match members.get("ranked") {
        None => false,
        Some(ranked) => {
            ranked.as_bool().ok_or_else(|| expected(format!("{path}.ranked"), "true or false"))?
        }
    };
    Ok((sum, ranked))
}

fn expected(path: impl Into<String>, expected: &'static str) -> SchemaJsonError {
    SchemaJsonError::Expected { path: path.into(), expected }
}

fn texts(fields: &[FieldPath]) -> Vec<String> {
    fields.iter().map(FieldPath::to_string).collect()
}

fn list<'a>(json: &'a Json, member: &str, path: &str) -> Result<&'a [Json], SchemaJsonError> {
    match json.get(member) {
        None => Ok(&[]),
        Some(Json::Array(items)) => Ok(items),
        Some(_) => Err(expected(format!("{path}.{member}").trim_start_matches('.'), "an array")),
    }
}

fn text(json: &Json, member: &str, path: &str) -> Result<String, SchemaJsonError> {
    let text = json.get(member).and_then(Json::as_str);
    text.map(str::to_owned).ok_or_else(|| expected(format!("{path}.{member}"), "a string"))
}

fn strings<'a>(json: &'a Json, member: &str, path: &str) -> Result<Vec<&'a str>, SchemaJsonError> {
    list(json, member, path)?
        .iter()
        .map(|item| item.as_str().ok_or_else(|| expected(format!("{path}.{member}"), "an array of strings")))
        .collect()
}
