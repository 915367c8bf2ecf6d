//! What the bodies of the HTTP API say: a function's path, its arguments, and the format of the answer.
//!
//! Arguments are an object, or, as the JavaScript client sends them, an array that holds one. They are read once, from
//! the text into their packed form.

use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use hull_value::Packed;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::ApiError;
use super::format::Format;
use crate::state::Shared;

/// The bytes of a request, or an [`ApiError`] that says what is wrong with them.
pub(super) struct Body(pub(super) Bytes);

impl FromRequest<std::sync::Arc<Shared>> for Body {
    type Rejection = ApiError;

    async fn from_request(
        request: axum::extract::Request,
        state: &std::sync::Arc<Shared>,
    ) -> Result<Body, ApiError> {
        Bytes::from_request(request, state).await.map(Body).map_err(|rejection: BytesRejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestTooLarge",
                    format!("The request's body is longer than {} bytes.", super::MAX_BODY),
                )
            } else {
                ApiError::bad_request("BadRequestBody", rejection.body_text())
            }
        })
    }
}

impl Body {
    /// Reads the body as JSON.
    pub(super) fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ApiError> {
        if self.0.is_empty() {
            return Err(ApiError::bad_request(
                "BadJsonBody",
                "The request has no body; this address wants JSON.",
            ));
        }
        serde_json::from_slice(&self.0)
            .map_err(|error| ApiError::bad_request("BadJsonBody", format!("The request's body: {error}.")))
    }
}

/// `{path, args, format?}`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FunctionBody {
    pub(super) path: String,
    args: Option<Box<RawValue>>,
    pub(super) format: Option<String>,
    component_path: Option<String>,
    pub(super) ts: Option<String>,
}

/// `{queries: [{path, args, format?}]}`
#[derive(Deserialize)]
pub(super) struct BatchBody {
    pub(super) queries: Vec<FunctionBody>,
}

/// `{args, format?}`
#[derive(Deserialize)]
pub(super) struct RunBody {
    args: Option<Box<RawValue>>,
    pub(super) format: Option<String>,
}

/// A function and its arguments.
pub(super) struct Call {
    pub(super) path: String,
    pub(super) args: Packed,
    pub(super) format: Format,
}

impl FunctionBody {
    pub(super) fn call(self) -> Result<Call, ApiError> {
        if self.component_path.is_some_and(|path| !path.is_empty()) {
            return Err(ApiError::bad_request("ComponentNotFound", "This server has no components."));
        }
        call(self.path, self.args.as_deref().map(RawValue::get), self.format.as_deref())
    }
}

impl RunBody {
    pub(super) fn call(self, path: String) -> Result<Call, ApiError> {
        call(path, self.args.as_deref().map(RawValue::get), self.format.as_deref())
    }
}

/// Checks the parts of a call.
pub(super) fn call(path: String, args: Option<&str>, format: Option<&str>) -> Result<Call, ApiError> {
    if hull_functions::canonical_path(&path).is_none() {
        return Err(ApiError::bad_request(
            "BadConvexFunctionIdentifier",
            format!("`{path}` is not the path of a function; write `module:function`."),
        ));
    }
    Ok(Call { path, args: arguments(args)?, format: Format::parse(format)? })
}

fn arguments(text: Option<&str>) -> Result<Packed, ApiError> {
    let bad = |why: String| ApiError::bad_request("BadArgs", why);
    let Some(text) = text.map(str::trim) else { return Ok(Packed::empty_object()) };
    let list: Vec<&RawValue>;
    let object = if text.starts_with('[') {
        list = serde_json::from_str(text).map_err(|error| bad(format!("The arguments: {error}.")))?;
        match list.as_slice() {
            [] => return Ok(Packed::empty_object()),
            [one] => one.get(),
            _ => return Err(bad("The arguments are one object, or an array that holds one.".to_owned())),
        }
    } else {
        text
    };
    if !object.trim_start().starts_with('{') {
        return Err(bad("The arguments are one object, or an array that holds one.".to_owned()));
    }
    Packed::from_json(object).map_err(|error| bad(format!("The arguments: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_or_an_array_that_holds_one() {
        let object = Packed::from_json(r#"{"a":1}"#).unwrap();
        assert_eq!(arguments(Some(r#"{"a":1}"#)), Ok(object.clone()));
        assert_eq!(arguments(Some(r#" [ {"a": 1} ]"#)), Ok(object));
        assert_eq!(arguments(Some("[]")), Ok(Packed::empty_object()));
        assert_eq!(arguments(None), Ok(Packed::empty_object()));
        for bad in ["1", "null", "[1]", "[{},{}]", r#"{"a":{"$integer":"x"}}"#, r#"{"$a":1,"b":2}"#] {
            assert!(arguments(Some(bad)).is_err(), "{bad}");
        }
    }
}
