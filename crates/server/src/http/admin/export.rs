//! Everything as of one timestamp, streamed.
//!
//! ```text
//! ["tables", [["users", 10001], …]]
//! ["table", "users", 10001]        then its documents by creation time, then id, one object a line
//! ["end", {"documents": 12}]
//! ```

use axum::extract::RawQuery;
use axum::response::Response;
use hull_engine::{BY_CREATION_TIME, Order};
use hull_model::KeyRange;
use hull_value::{JsonForm, write_json};
use serde_json::json;

use super::Admin;
use super::lines::{Lines, Stop, respond};
use super::tables::{begin, check_table};
use crate::backend::Backend;
use crate::http::error::ApiError;
use crate::state::Shared;

/// How many documents go by between two looks at whether the server stops.
const LOOK_EVERY: u64 = 1024;

/// `GET /api/hull/export?table=…&table=…&form=export|wire`: all tables unless some are named.
pub(super) async fn export(admin: Admin, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let (mut tables, mut form) = (Vec::new(), JsonForm::Export);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (name, value) {
            ("table", table) => {
                check_table(&admin.backend, table)?;
                tables.push(table.to_owned());
            }
            ("form", "export") => form = JsonForm::Export,
            ("form", "wire") => form = JsonForm::Wire,
            ("form", other) => {
                let why = format!("`{other}` is no form: use `export` or `wire`.");
                return Err(ApiError::bad_request("BadFormat", why));
            }
            _ => {}
        }
    }
    if tables.is_empty() {
        tables = admin.backend.engine().tables();
    }
    let Admin { backend, shared } = admin;
    Ok(respond(move |lines| write(&shared, &backend, &tables, form, lines)))
}

fn write(
    shared: &Shared,
    backend: &Backend,
    tables: &[String],
    form: JsonForm,
    lines: &mut Lines,
) -> Result<serde_json::Value, Stop> {
    let mut transaction = begin(backend)?;
    let mut documents = 0u64;
    let mapping = transaction.table_mapping();
    let numbers: Vec<_> = tables.iter().filter_map(|name| Some((name, mapping.number_of(name)?.0))).collect();
    lines.line(|text| text.push_str(&json!(["tables", numbers]).to_string()))?;
    for table in tables {
        // A table that came after the snapshot is not in it.
        let Some(number) = transaction.table_mapping().number_of(table) else { continue };
        lines.line(|text| text.push_str(&json!(["table", table, number.0]).to_string()))?;
        let mut scan = transaction.scan(table, BY_CREATION_TIME, &KeyRange::all(), Order::Asc)?;
        while let Some(document) = transaction.next(&mut scan)? {
            lines.line(|text| write_json(document.value.as_ref(), form, text))?;
            documents += 1;
            if documents.is_multiple_of(LOOK_EVERY) && shared.is_stopping() {
                return Err(ApiError::stopping().into());
            }
        }
    }
    Ok(json!({ "documents": documents }))
}
