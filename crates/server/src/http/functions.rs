//! Running functions over HTTP.
//!
//! Guarantee: a function that fails is an answer (status 200, `"status":"error"`); no answer leaves before its
//! snapshot is durable. Mutations over HTTP are not idempotent: a caller that asks twice has it done twice.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use hull_functions::Identity;
use hull_model::FunctionKind;
use hull_value::Timestamp;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::JsonText;
use super::admin::Trusted;
use super::body::{BatchBody, Body, Call, FunctionBody, RunBody, call};
use super::credentials::Credentials;
use super::error::ApiError;
use super::format::Format;
use crate::backend::{At, Outcome};
use crate::state::Shared;

type Response = Result<JsonText, ApiError>;

/// What a query string may hold.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    admin_key: Option<String>,
    path: Option<String>,
    args: Option<String>,
    format: Option<String>,
    /// It came over the control socket.
    #[serde(skip)]
    trusted: bool,
}

impl Parameters {
    pub(super) fn is_trusted(&self) -> bool {
        self.trusted
    }
}

impl FromRequestParts<Arc<Shared>> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Parameters, ApiError> {
        let trusted = parts.extensions.get::<Trusted>().is_some();
        match Query::<Parameters>::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Parameters { trusted, ..parameters }),
            Err(error) => Err(ApiError::bad_request("BadQueryString", format!("{}.", error.body_text()))),
        }
    }
}

/// Who a request comes from.
pub(super) fn caller(
    shared: &Shared,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Identity, ApiError> {
    let credentials = Credentials::read(headers, parameters.admin_key.as_deref())?;
    match credentials {
        Credentials::None if parameters.trusted => Ok(Identity::Admin(None)),
        credentials => shared.ready()?.identity(&credentials),
    }
}

/// `POST /api/query`
pub(super) async fn query(
    State(shared): State<Arc<Shared>>,
    parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let identity = caller(&shared, &headers, &parameters)?;
    run_query(&shared, body.json::<FunctionBody>()?.call()?, identity, At::Durable).await
}

/// `GET /api/query?path=&args=&format=`
pub(super) async fn query_of_url(
    State(shared): State<Arc<Shared>>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Response {
    let identity = caller(&shared, &headers, &parameters)?;
    let Parameters { path, args, format, .. } = parameters;
    let path = path.ok_or_else(|| ApiError::bad_request("MissingPath", "The query string has no `path`."))?;
    run_query(&shared, call(path, args.as_deref(), format.as_deref())?, identity, At::Durable).await
}

/// `POST /api/mutation`
pub(super) async fn mutation(
    State(shared): State<Arc<Shared>>,
    parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let identity = caller(&shared, &headers, &parameters)?;
    run_mutation(&shared, body.json::<FunctionBody>()?.call()?, identity).await
}

/// `POST /api/action`: there are none yet, so none is found.
pub(super) async fn action(
    State(shared): State<Arc<Shared>>,
    parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Response {
    caller(&shared, &headers, &parameters)?;
    let call = body.json::<FunctionBody>()?.call()?;
    answer(call.format, &shared.ready()?.no_action(&call.path))
}

/// `POST /api/query_ts`: the newest timestamp that can be read.
pub(super) async fn query_ts(State(shared): State<Arc<Shared>>) -> Response {
    Ok(JsonText(format!("{{\"ts\":\"{}\"}}", shared.ready()?.durable().to_wire())))
}

/// `POST /api/query_at_ts`
pub(super) async fn query_at_ts(
    State(shared): State<Arc<Shared>>,
    parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let identity = caller(&shared, &headers, &parameters)?;
    let mut request = body.json::<FunctionBody>()?;
    let ts = request.ts.take().and_then(|ts| Timestamp::from_wire(&ts).ok()).ok_or_else(|| {
        ApiError::bad_request("BadTimestamp", "`ts` is not a timestamp as `/api/query_ts` gives it.")
    })?;
    run_query(&shared, request.call()?, identity, At::Exactly(ts)).await
}

/// `POST /api/query_batch`: all at one timestamp.
pub(super) async fn query_batch(
    State(shared): State<Arc<Shared>>,
    parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let identity = caller(&shared, &headers, &parameters)?;
    let calls: Result<Vec<_>, _> =
        body.json::<BatchBody>()?.queries.into_iter().map(FunctionBody::call).collect();
    let at = At::Exactly(shared.ready()?.durable());
    let mut text = String::from("{\"results\":[");
    for (index, call) in calls?.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&run_query(&shared, call, identity.clone(), at).await?.0);
    }
    text.push_str("]}");
    Ok(JsonText(text))
}

/// `POST /api/function`: a function of any type, for admins.
pub(super) async fn any_function(
    State(shared): State<Arc<Shared>>,
    parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let identity = caller(&shared, &headers, &parameters)?;
    if !identity.is_admin() {
        return Err(ApiError::admin_key_required());
    }
    run_any(&shared, body.json::<FunctionBody>()?.call()?, identity).await
}

/// `POST /api/run/dir/module/function`
pub(super) async fn run(
    State(shared): State<Arc<Shared>>,
    parameters: Parameters,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let identity = caller(&shared, &headers, &parameters)?;
    let path = path_of_segments(uri.path().strip_prefix("/api/run/").unwrap_or_default())?;
    run_any(&shared, body.json::<RunBody>()?.call(path)?, identity).await
}

fn path_of_segments(segments: &str) -> Result<String, ApiError> {
    let segments: Result<Vec<_>, _> =
        segments.split('/').map(|segment| percent_decode_str(segment).decode_utf8()).collect();
    let segments = segments
        .map_err(|_| ApiError::bad_request("BadConvexFunctionIdentifier", "The path is not UTF-8."))?;
    match segments.split_last() {
        Some((function, module)) if !module.is_empty() => Ok(format!("{}:{function}", module.join("/"))),
        _ => Err(ApiError::bad_request("MissingIdentifier", "Write `/api/run/module/function`.")),
    }
}

async fn run_any(shared: &Shared, call: Call, identity: Identity) -> Response {
    match shared.ready()?.kind(&call.path) {
        Some(FunctionKind::Mutation) => run_mutation(shared, call, identity).await,
        // A path that names no function gives the same error either way.
        _ => run_query(shared, call, identity, At::Durable).await,
    }
}

async fn run_query(shared: &Shared, call: Call, identity: Identity, at: At) -> Response {
    shared.metrics.http_queries.increment(1);
    let outcome = shared.ready()?.query(&call.path, call.args, identity, at).await?;
    answer(call.format, &outcome)
}

async fn run_mutation(shared: &Shared, call: Call, identity: Identity) -> Response {
    shared.metrics.http_mutations.increment(1);
    let outcome = shared.ready()?.mutation(&call.path, call.args, identity).await?;
    answer(call.format, &outcome)
}

fn answer(format: Format, outcome: &Outcome) -> Response {
    let mut text = String::new();
    match &outcome.result {
        Ok(value) => {
            text.push_str("{\"status\":\"success\",\"value\":");
            text.push_str(&format.of_answer(value)?);
        }
        Err(error) => {
            text.push_str("{\"status\":\"error\",\"errorMessage\":");
            text.push_str(&json(&error.message)?);
            if let Some(data) = &error.data {
                text.push_str(",\"errorData\":");
                text.push_str(&format.of_packed(data));
            }
        }
    }
    if !outcome.log_lines.is_empty() || outcome.result.is_err() {
        // Writing into a String can't fail.
        let _ = write!(text, ",\"logLines\":{}", json(&outcome.log_lines)?);
    }
    text.push('}');
    Ok(JsonText(text))
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(|error| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_segment_is_the_function() {
        assert_eq!(path_of_segments("users/get").unwrap(), "users:get");
        assert_eq!(path_of_segments("admin/users/get").unwrap(), "admin/users:get");
        assert_eq!(path_of_segments("a%5Fb/get").unwrap(), "a_b:get");
        for bad in ["", "users", "%ff/get"] {
            assert!(path_of_segments(bad).is_err(), "{bad}");
        }
    }
}
