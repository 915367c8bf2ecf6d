//! What tools and operators ask: health, metrics, versions; and clear answers for what is not there.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use crate::state::Shared;

/// 200 `ok`, or 503 `starting` while indexes are built, `stopping` on the way down, `failed` when the log has failed.
pub(super) async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let (status, text) = match shared.ready() {
        Ok(_) if shared.has_failed() => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
        Ok(_) => (StatusCode::OK, "ok"),
        Err(_) if shared.is_stopping() => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
    };
    (status, text).into_response()
}

/// The text format of Prometheus.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.render_metrics()).into_response()
}

/// The server's version.
pub(super) async fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The deployment's name.
pub(super) async fn instance_name() -> &'static str {
    "hull"
}

/// Clients may report what they noticed; nobody reads it here.
pub(super) async fn debug_event() -> StatusCode {
    StatusCode::OK
}

/// File storage comes later.
pub(super) async fn storage() -> ApiError {
    ApiError::not_found("This server does not store files yet.")
}

/// No such address.
pub(super) async fn no_route(method: Method, uri: Uri) -> ApiError {
    ApiError::not_found(format!("There is nothing at {method} {}.", uri.path()))
}

/// The address is there, for another method.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        format!("{} can't be asked with {method}.", uri.path()),
    )
}
