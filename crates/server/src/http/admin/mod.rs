//! What operators ask of a server: its tables and their documents, admin keys, a consistent snapshot of everything.
//!
//! Guarantee: every route here wants an admin key, except over the control socket, which the file system guards. A
//! stream of lines ends with a line that says so (`["end", …]` or `["error", code, message]`): one that ends without
//! it was cut off.

mod backup;
mod data;
mod export;
mod functions;
mod keys;
mod lines;
mod tables;
mod verify;

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::error::ApiError;
use super::functions::{Parameters, caller};
use crate::backend::Backend;
use crate::state::Shared;

/// The routes, below `/api/hull`.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/hull/server", get(server))
        .route("/api/hull/schema", get(tables::schema))
        .route("/api/hull/functions", get(functions::list))
        .route("/api/hull/codegen", get(functions::generated))
        .route("/api/hull/function-spec", get(functions::spec))
        .route("/api/hull/tables", get(tables::tables))
        .route("/api/hull/tables/{table}/documents", get(data::page))
        .route("/api/hull/documents/{id}", get(data::document))
        .route("/api/hull/export", get(export::export))
        .route("/api/hull/verify", get(verify::verify))
        .route("/api/hull/indexes/{table}/{index}/rebuild", post(verify::rebuild))
        .route("/api/hull/backup", post(backup::begin))
        .route("/api/hull/backup/{id}", get(backup::fetch).delete(backup::cancel))
        .route("/api/hull/backup/{id}/finish", post(backup::finish))
        .route("/api/hull/keys", get(keys::list).post(keys::create))
        .route("/api/hull/keys/{name}", axum::routing::delete(keys::revoke))
}

/// Marks the requests that came over the control socket: they need no key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trusted;

/// A request by an admin, and what answers it.
pub(super) struct Admin {
    pub(super) shared: Arc<Shared>,
    pub(super) backend: Arc<Backend>,
}

impl FromRequestParts<Arc<Shared>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Admin, ApiError> {
        let parameters = Parameters::from_request_parts(parts, shared).await?;
        let identity = caller(shared, &parts.headers, &parameters)?;
        if !identity.is_admin() {
            return Err(ApiError::admin_key_required());
        }
        Ok(Admin { shared: Arc::clone(shared), backend: shared.ready()? })
    }
}

/// `GET /api/hull/server`: the version; over the control socket also where websockets are served, and a key for them
/// that lives as long as the process. `null` when this process only opened the data and runs no functions.
async fn server(State(shared): State<Arc<Shared>>, parameters: Parameters, admin: Admin) -> Json<Value> {
    let trusted = parameters.is_trusted();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "runsFunctions": shared.url().is_some(),
        "url": shared.url().filter(|_| trusted),
        "key": trusted.then(|| admin.backend.keys().of_this_process()),
    }))
}

/// Runs what reads a lot beside the tasks that serve.
pub(super) async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(error.to_string()))?
}
