//! Which functions the server runs.

use axum::Json;
use hull_model::Visibility;
use serde_json::{Value, json};

use super::Admin;

/// `GET /api/hull/functions`: `{"functions": [{path, kind, visibility, doc}]}` by path; `kind` is `query` or `mutation`,
/// `visibility` `public` or `internal`, `doc` empty where there is none.
pub(super) async fn list(admin: Admin) -> Json<Value> {
    let functions = admin.backend.runner().registry().functions();
    let functions = functions.into_iter().map(|function| {
        json!({
            "path": function.path().as_ref(),
            "kind": function.kind().to_string().to_lowercase(),
            "visibility": match function.visibility() {
                Visibility::Public => "public",
                Visibility::Internal => "internal",
            },
            "doc": function.doc().trim(),
        })
    });
    Json(json!({ "functions": functions.collect::<Vec<_>>() }))
}
