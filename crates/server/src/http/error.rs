//! What a request that could not be served gets: a status of its own and `{"code": …, "message": …}`.
//!
//! An error *inside* a function is not one of these: it is an answer, with status 200.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An infrastructure error of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct ApiError {
    status: StatusCode,
    code: Cow<'static, str>,
    message: String,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> ApiError {
        ApiError { status, code: code.into(), message: message.into() }
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The text for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// 400: the request can't be read.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 401: the credentials are not valid here.
    pub(crate) fn unauthenticated(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// 403: only admins may do this.
    pub(crate) fn admin_key_required() -> ApiError {
        ApiError::forbidden("AdminKeyRequired", "This address needs an admin key (`keys create`).")
    }

    /// 403: the caller is known, or nobody, and may not do this.
    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 500: not the caller's fault.
    pub(crate) fn internal(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// 503: not now; the request was not executed.
    pub(crate) fn unavailable(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }

    /// 503 while indexes are built.
    pub(crate) fn starting() -> ApiError {
        ApiError::unavailable(
            "Starting",
            "The server is starting: it is still preparing its tables and indexes.",
        )
    }

    /// 503 on the way down.
    pub(crate) fn stopping() -> ApiError {
        ApiError::unavailable("Stopping", "The server is shutting down.")
    }
}

impl From<hull_engine::TxError> for ApiError {
    fn from(error: hull_engine::TxError) -> ApiError {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.code(), error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(Body { code: &self.code, message: &self.message })).into_response()
    }
}
