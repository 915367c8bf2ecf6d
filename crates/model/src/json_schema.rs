//! Validators and tables as JSON Schema (draft 2020-12) of the wire form.
//!
//! Int64 and bytes, and floats that JSON has no number for, are the one-key objects `{"$integer"}`, `{"$bytes"}` and
//! `{"$float"}`. An id is a string; its table stands in `x-table`.

use serde_json::{Map, Value as Json, json};

use crate::{Schema, TableDef, Validator};

impl Validator {
    /// The JSON Schema of the values that this validator accepts, in wire form.
    pub fn to_json_schema(&self) -> Json {
        match self {
            Validator::Any => json!({}),
            Validator::Null => json!({"type": "null"}),
            Validator::Number => json!({"anyOf": [{"type": "number"}, special("$float")]}),
            Validator::Int64 | Validator::CommitTs => special("$integer"),
            Validator::Boolean => json!({"type": "boolean"}),
            Validator::String => json!({"type": "string"}),
            Validator::Bytes => special("$bytes"),
            Validator::Literal(value) => json!({"const": serde_json::to_value(value).unwrap_or_default()}),
            Validator::Id(table) => json!({"type": "string", "x-table": table}),
            Validator::Array(element) => json!({"type": "array", "items": element.to_json_schema()}),
            Validator::Object(fields) => {
                let properties: Map<String, Json> = fields
                    .iter()
                    .map(|(name, field)| (name.clone(), field.validator.to_json_schema()))
                    .collect();
                let required: Vec<&String> =
                    fields.iter().filter(|(_, field)| !field.optional).map(|(name, _)| name).collect();
                json!({
                    "type": "object",
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                })
            }
            Validator::Record(keys, values) => json!({
                "type": "object",
                "propertyNames": keys.to_json_schema(),
                "additionalProperties": values.to_json_schema(),
            }),
            Validator::Union(members) if members.is_empty() => json!({"not": {}}),
            Validator::Union(members) => {
                json!({"anyOf": members.iter().map(Validator::to_json_schema).collect::<Vec<_>>()})
            }
        }
    }
}

impl TableDef {
    /// The JSON Schema of a stored document, its system fields included, with the comments as descriptions.
    pub fn to_json_schema(&self) -> Json {
        let mut schema = self.document.clone().with_system_fields(&self.name).to_json_schema();
        self.describe(&mut schema);
        if let Some(members) = schema.get_mut("anyOf").and_then(Json::as_array_mut) {
            members.iter_mut().for_each(|member| self.describe(member));
        }
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("title".to_owned(), json!(self.name));
            if !self.doc.is_empty() {
                schema.insert("description".to_owned(), json!(self.doc));
            }
        }
        schema
    }

    fn describe(&self, schema: &mut Json) {
        let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) else { return };
        for (name, property) in properties {
            if let (Some(doc), Some(property)) = (self.field_docs.get(name), property.as_object_mut()) {
                property.insert("description".to_owned(), json!(doc));
            }
        }
    }
}

impl Schema {
    /// The JSON Schema of every table's stored documents, by table under `$defs`.
    pub fn to_json_schema(&self) -> Json {
        let tables: Map<String, Json> =
            self.tables.iter().map(|table| (table.name.clone(), table.to_json_schema())).collect();
        json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": tables})
    }
}

fn special(key: &str) -> Json {
    json!({
        "type": "object",
        "properties": {key: {"type": "string", "contentEncoding": "base64"}},
        "required": [key],
        "additionalProperties": false,
    })
}
