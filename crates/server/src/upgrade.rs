//! The handshake of `/api/sync` and `/api/{version}/sync`: from an HTTP request to a raw TCP stream.
//!
//! Any origin is accepted and nothing is authenticated here; both happen inside the conversation. Compression that a
//! client offers is declined. A client asks for diffs of results with the query parameter `diffs=1`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use hull_sync::{ClientVersion, VersionError};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use crate::connection;
use crate::http::ApiError;
use crate::state::Shared;
use crate::wire::Wire;

/// `/api/sync`: the client's version is in a header, or nowhere.
pub(crate) async fn unversioned(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    upgrade(shared, None, request)
}

/// `/api/{version}/sync`: the client's version is in the path, unless a header says more.
pub(crate) async fn versioned(
    State(shared): State<Arc<Shared>>,
    Path(version): Path<String>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    upgrade(shared, Some(version), request)
}

fn upgrade(
    shared: Arc<Shared>,
    path_version: Option<String>,
    mut request: Request,
) -> Result<Response<Body>, ApiError> {
    let header = request.headers().get("convex-client").and_then(|value| value.to_str().ok());
    let version = match ClientVersion::read(header, path_version.as_deref()) {
        Ok(version) => version,
        Err(error) => return Ok(refuse_version(&error)),
    };
    let response = create_response_with_body(&request, Body::empty).map_err(|error| {
        ApiError::new(
            StatusCode::UPGRADE_REQUIRED,
            "WebsocketExpected",
            format!("This is the address of the websocket, and the request is no handshake: {error}."),
        )
    })?;
    shared.ready()?;
    let diffs = request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "diffs=1"));
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = match upgrade.await {
            Ok(upgraded) => upgraded,
            Err(error) => return tracing::debug!(%error, "a websocket handshake was not completed"),
        };
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => {
                let wire = Wire::new(parts.io.into_inner(), &parts.read_buf);
                connection::run(shared, wire, version, diffs).await;
            }
            Err(_) => tracing::error!("a websocket came over something that is no TCP stream"),
        }
    });
    Ok(response)
}

fn refuse_version(error: &VersionError) -> Response<Body> {
    let mut headers = HeaderMap::new();
    if let VersionError::Unsupported(client) = error {
        if let Some(state) = client.deprecation() {
            headers.insert("x-convex-deprecation-state", HeaderValue::from_static(state.as_str()));
        }
        if let Ok(message) = HeaderValue::from_str(&error.to_string()) {
            headers.insert("x-convex-deprecation-message", message);
        }
    }
    (headers, ApiError::bad_request(error.code(), error.to_string())).into_response()
}
