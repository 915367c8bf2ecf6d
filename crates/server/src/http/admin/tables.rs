//! Which tables there are, and the schema.
//!
//! ```text
//! {"tables": [{name, number, documents, indexes: [{name, fields}], searchIndexes: [{name, searchField, filterFields}]}]}
//! ```
//! An index that cannot be read until it is filled has `backfilling: true`, too.

use axum::Json;
use hull_engine::{BY_ID, Limits, Order, ReadAt, Transaction};
use hull_model::{KeyRange, Schema};
use hull_value::FieldPath;
use serde_json::{Value, json};

use super::{Admin, beside};
use crate::backend::Backend;
use crate::http::error::ApiError;

/// `GET /api/hull/schema`: the schema in Convex's JSON form, or `null`.
pub(super) async fn schema(admin: Admin) -> Result<Json<Value>, ApiError> {
    match admin.backend.engine().schema_json() {
        Some(json) => Ok(Json(serde_json::from_str(&json).map_err(|e| ApiError::internal(e.to_string()))?)),
        None => Ok(Json(Value::Null)),
    }
}

/// `GET /api/hull/tables`: in the order of their names; documents are counted at one timestamp.
pub(super) async fn tables(admin: Admin) -> Result<Json<Value>, ApiError> {
    let backend = admin.backend;
    beside(move || {
        let schema = stored_schema(&backend);
        let unfilled = backend.engine().unfilled();
        let mut transaction = begin(&backend)?;
        let mut tables = Vec::new();
        for name in backend.engine().tables() {
            let Some(number) = transaction.table_mapping().number_of(&name) else { continue };
            let mut scan = transaction.scan(&name, BY_ID, &KeyRange::all(), Order::Asc)?;
            let mut documents = 0u64;
            while transaction.next(&mut scan)?.is_some() {
                documents += 1;
            }
            let state = |mut index: Value, of: &str| {
                if unfilled.iter().any(|(table, index)| *table == name && index == of) {
                    index["backfilling"] = true.into();
                }
                index
            };
            let texts = |fields: &[FieldPath]| fields.iter().map(FieldPath::to_string).collect::<Vec<_>>();
            let declared = schema.get(&name);
            let indexes = declared.iter().flat_map(|table| &table.indexes);
            let indexes = indexes
                .map(|i| state(json!({ "name": i.name, "fields": texts(&i.fields) }), &i.name))
                .collect::<Vec<_>>();
            let searches = declared.iter().flat_map(|table| &table.search_indexes).map(|i| {
                let (field, filters) = (i.search_field.to_string(), texts(&i.filter_fields));
                state(json!({ "name": i.name, "searchField": field, "filterFields": filters }), &i.name)
            });
            let searches = searches.collect::<Vec<_>>();
            tables.push(json!({
                "name": name, "number": number.0, "documents": documents, "indexes": indexes, "searchIndexes": searches,
            }));
        }
        Ok(Json(json!({ "tables": tables })))
    })
    .await
}

/// A transaction that reads what is durable, as much as it likes.
pub(super) fn begin(backend: &Backend) -> Result<Transaction, ApiError> {
    let begun = backend.engine().begin_read(ReadAt::Durable);
    let mut transaction = begun.map_err(|error| ApiError::unavailable(error.code(), error.to_string()))?;
    transaction.set_limits(Limits::none());
    Ok(transaction)
}

/// The schema that the data is kept under; empty when none was ever applied.
pub(super) fn stored_schema(backend: &Backend) -> Schema {
    let stored = backend.engine().schema_json().and_then(|json| serde_json::from_str(&json).ok());
    stored.and_then(|json: Value| Schema::from_json(&json).ok()).unwrap_or_default()
}

/// That there is a table of this name.
pub(super) fn check_table(backend: &Backend, name: &str) -> Result<(), ApiError> {
    let tables = backend.engine().tables();
    if tables.iter().any(|table| table == name) {
        return Ok(());
    }
    Err(ApiError::new(
        axum::http::StatusCode::NOT_FOUND,
        "TableNotFound",
        format!("There is no table `{name}`; there are: {}.", tables.join(", ")),
    ))
}
