//! The HTTP API: the routes that Convex's HTTP clients use, health and metrics, and the page.
//!
//! Guarantee: every answer is either the one the route promises or `{"code": …, "message": …}` with a status that is
//! not 2xx, for unknown addresses, wrong methods and oversized bodies too. Browsers of any origin may call.

mod admin;
mod body;
mod credentials;
mod error;
mod format;
mod functions;
mod import;
mod ops;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

pub(crate) use admin::Trusted;
pub(crate) use credentials::{Credentials, without_type};
pub(crate) use error::ApiError;

use crate::state::Shared;
use crate::upgrade;

/// The longest body: the 16 MiB of arguments that a function takes, and room for what is around them.
const MAX_BODY: usize = (16 << 20) + 2_000;
/// How long a browser may keep what a preflight request said.
const PREFLIGHT_AGE: Duration = Duration::from_secs(86_400);

/// What clients, browsers and tools use.
pub(crate) fn router(shared: Arc<Shared>, page: Router<Arc<Shared>>) -> Router {
    let sync = Router::new()
        .route("/api/sync", get(upgrade::unversioned))
        .route("/api/{version}/sync", get(upgrade::versioned));
    finish(routes().merge(sync).merge(page), shared)
}

/// What the control socket offers: all but websockets and the page.
pub(crate) fn control_router(shared: Arc<Shared>) -> Router {
    finish(routes(), shared)
}

fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/query", post(functions::query).get(functions::query_of_url))
        .route("/api/mutation", post(functions::mutation))
        .route("/api/action", post(functions::action))
        .route("/api/query_ts", post(functions::query_ts))
        .route("/api/query_at_ts", post(functions::query_at_ts))
        .route("/api/query_batch", post(functions::query_batch))
        .route("/api/function", post(functions::any_function))
        .route("/api/run/", post(functions::run))
        .route("/api/run/{*path}", post(functions::run))
        .route("/api/hull/import", post(import::begin))
        .route("/api/hull/import/{id}", delete(import::cancel))
        .route("/api/hull/import/{id}/rows", post(import::rows))
        .route("/api/hull/import/{id}/finish", post(import::finish))
        .route("/api/debug_event", post(ops::debug_event))
        .route("/api/storage/{*path}", any(ops::storage))
        .route("/version", get(ops::version))
        .route("/instance_version", get(ops::version))
        .route("/instance_name", get(ops::instance_name))
        .route("/health", get(ops::health))
        .route("/metrics", get(ops::metrics))
        .merge(admin::routes())
}

fn finish(routes: Router<Arc<Shared>>, shared: Arc<Shared>) -> Router {
    routes
        .fallback(ops::no_route)
        .method_not_allowed_fallback(ops::wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&shared), count))
        .layer(cors())
        .with_state(shared)
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::OPTIONS,
            Method::PATCH,
            Method::DELETE,
            Method::PUT,
        ])
        .allow_credentials(true)
        .max_age(PREFLIGHT_AGE)
}

async fn count(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    shared.metrics.http_requests.increment(1);
    next.run(request).await
}

/// JSON text that is already written, as a response.
struct JsonText(String);

impl IntoResponse for JsonText {
    fn into_response(self) -> Response {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        const CONTENT_TYPE: HeaderName = axum::http::header::CONTENT_TYPE;
        (StatusCode::OK, [(CONTENT_TYPE, JSON)], self.0).into_response()
    }
}
