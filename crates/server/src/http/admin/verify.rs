//! Verifying what is stored, and making an index anew.
//!
//! ```text
//! GET  /api/hull/verify                     ["progress", table, index or null, count] …
//!                                           ["report", {"clean", "tables", "findings", "strayKeys"}]
//!                                           ["end", {}]
//! POST /api/hull/indexes/{table}/{index}/rebuild     {}
//! ```

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use hull_engine::{Finding, VerifiedIndex, VerifiedTable, VerifyProgress, VerifyReport};
use serde_json::{Value, json};

use super::lines::respond;
use super::{Admin, beside};
use crate::http::error::ApiError;

/// Reads everything that is stored, with its checksums, and compares every index with its documents.
pub(super) async fn verify(admin: Admin) -> Response {
    respond(move |lines| {
        let engine = admin.backend.engine();
        let hold = engine.hold()?;
        // Whether the client is still there is seen with every line; what it missed does not matter to a report.
        let report = engine.verify(&hold, &mut |progress| {
            let (table, index, count) = match progress {
                VerifyProgress::Documents { table, documents } => (table, None, documents),
                VerifyProgress::Index { table, index, entries } => (table, Some(index), entries),
            };
            let line = json!(["progress", table, index, count]).to_string();
            let _ = lines.line(|text| text.push_str(&line)).and_then(|()| lines.flush());
        })?;
        lines.line(|text| text.push_str(&json!(["report", in_json(&report)]).to_string()))?;
        Ok(json!({}))
    })
}

/// Makes an index anew from its documents.
pub(super) async fn rebuild(
    admin: Admin,
    Path((table, index)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    beside(move || {
        let done = admin.backend.engine().rebuild_index(&table, &index, &mut |_| {});
        done.map_err(|error| ApiError::new(StatusCode::CONFLICT, error.code(), error.to_string()))
    })
    .await?;
    Ok(Json(json!({})))
}

fn in_json(report: &VerifyReport) -> Value {
    let index = |index: &VerifiedIndex| {
        json!({
            "name": index.name, "entries": index.entries, "missing": index.missing, "orphaned": index.orphaned,
        })
    };
    let table = |table: &VerifiedTable| {
        json!({
            "name": table.name, "documents": table.documents, "damaged": table.damaged, "invalid": table.invalid,
            "indexes": table.indexes.iter().map(index).collect::<Vec<_>>(),
        })
    };
    let finding = |finding: &Finding| {
        json!({
            "table": finding.table, "index": finding.index, "id": finding.id.map(|id| id.to_string()),
            "detail": finding.detail,
        })
    };
    json!({
        "clean": report.is_clean(),
        "tables": report.tables.iter().map(table).collect::<Vec<_>>(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "strayKeys": report.stray_keys,
    })
}
