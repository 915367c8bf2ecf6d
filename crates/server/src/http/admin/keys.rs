//! Admin keys over HTTP: `{"keys": [{name, made}]}`, `{"key": "name|secret"}`, `{"revoked": name}`.

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Admin;
use crate::admin::AdminError;
use crate::http::body::Body;
use crate::http::error::ApiError;

#[derive(Deserialize)]
pub(super) struct NewKey {
    name: Option<String>,
}

/// `GET /api/hull/keys`: names, and when they were made in milliseconds since the epoch.
pub(super) async fn list(admin: Admin) -> Result<Json<Value>, ApiError> {
    let keys = admin.backend.keys().list()?;
    let keys: Vec<Value> =
        keys.into_iter().map(|(name, made)| json!({ "name": name, "made": made })).collect();
    Ok(Json(json!({ "keys": keys })))
}

/// `POST /api/hull/keys` with `{"name"?}`: a new key, which can't be shown again.
pub(super) async fn create(admin: Admin, body: Body) -> Result<Json<Value>, ApiError> {
    let new: NewKey = body.json()?;
    let (key, ts) = admin.backend.keys().create(new.name.as_deref())?;
    admin.backend.wait_durable(ts).await?;
    Ok(Json(json!({ "key": key })))
}

/// `DELETE /api/hull/keys/{name}`
pub(super) async fn revoke(admin: Admin, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let ts = admin.backend.keys().revoke(&name)?;
    admin.backend.wait_durable(ts).await?;
    Ok(Json(json!({ "revoked": name })))
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> ApiError {
        let status = match &error {
            AdminError::Key(_) => StatusCode::BAD_REQUEST,
            AdminError::Taken(_) => StatusCode::CONFLICT,
            AdminError::Unknown(_) => StatusCode::NOT_FOUND,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        ApiError::new(status, error.code(), error.to_string())
    }
}
