//! Everything as of one timestamp, streamed.
//!
//! ```text
//! ["tables", [["users", 10001], …]]
//! ["table", "users", 10001]        then its documents by creation time, then id, one object a line
//! ["end", {"documents": 12}]
//! ```

use axum::extract::RawQuery;
use axum::response::Response;
use hull_engine::HoldError;
use hull_value::{JsonForm, write_json};
use serde_json::json;

use super::Admin;
use super::lines::{Lines, Stop, respond};
use super::tables::check_table;
use crate::backend::Backend;
use crate::http::error::ApiError;
use crate::state::Shared;

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
    let hold = backend.engine().hold()?;
    let mut documents = 0u64;
    let mut held = hold.tables();
    held.retain(|table| tables.contains(&table.name));
    let numbers: Vec<_> = held.iter().map(|table| (&table.name, table.number.0)).collect();
    lines.line(|text| text.push_str(&json!(["tables", numbers]).to_string()))?;
    for table in &held {
        lines.line(|text| text.push_str(&json!(["table", table.name, table.number.0]).to_string()))?;
        let mut chunks = hold.documents(&table.name)?;
        loop {
            let chunk = chunks.next_chunk()?;
            if chunk.is_empty() {
                break;
            }
            if shared.is_stopping() {
                return Err(ApiError::stopping().into());
            }
            for document in chunk {
                lines.line(|text| write_json(document.value.as_ref(), form, text))?;
                documents += 1;
            }
        }
    }
    Ok(json!({ "documents": documents }))
}

impl From<HoldError> for ApiError {
    fn from(error: HoldError) -> ApiError {
        ApiError::unavailable(error.code(), error.to_string())
    }
}
