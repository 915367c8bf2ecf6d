//! Which functions the server runs, and what clients generate from them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hull_model::Visibility;
use serde_json::{Value, json};

use super::Admin;
use crate::codegen::{self, Generated};
use crate::http::error::ApiError;
use crate::state::Shared;

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

/// `GET /api/hull/codegen`: the files of `convex/_generated`, by name.
pub(super) async fn generated(
    State(shared): State<Arc<Shared>>,
    admin: Admin,
) -> Result<Json<Generated>, ApiError> {
    url(&shared)?;
    Ok(Json(Generated::of(admin.backend.runner().registry())))
}

/// `GET /api/hull/function-spec`: Convex's function-spec, `{url, functions}`.
pub(super) async fn spec(State(shared): State<Arc<Shared>>, admin: Admin) -> Result<Json<Value>, ApiError> {
    Ok(Json(codegen::function_spec(admin.backend.runner().registry(), url(&shared)?)))
}

/// Where the functions are; a process that only opened the data has none, and must not say that there are none.
fn url(shared: &Shared) -> Result<&str, ApiError> {
    shared.url().ok_or_else(|| {
        let message = "No server runs on this data directory, and its functions are known to a server alone: start it, \
                       or use the application's own `codegen` (`cargo run --release -- codegen`).";
        ApiError::new(StatusCode::CONFLICT, "NoFunctions", message)
    })
}
