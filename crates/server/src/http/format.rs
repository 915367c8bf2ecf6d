//! The three ways to write a value in a response: as the websocket has it, as plain JSON, as an export has it.

use std::borrow::Cow;
use std::fmt::Display;

use axum::http::StatusCode;
use hull_value::Packed;

use super::error::ApiError;
use crate::backend::Answer;

/// How the values of a response are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `convex_encoded_json`: integers and bytes as `{"$integer": …}` and `{"$bytes": …}`.
    Encoded,
    /// `json`: integers as decimal strings, bytes as base64.
    Clean,
    /// `export_json`: what an export contains.
    Export,
}

impl Format {
    /// Reads a request's `format`; `json` when it has none.
    pub(crate) fn parse(name: Option<&str>) -> Result<Format, ApiError> {
        match name {
            None | Some("json" | "convex_clean_json") => Ok(Format::Clean),
            Some("convex_encoded_json" | "convex_json") => Ok(Format::Encoded),
            Some("export_json" | "convex_export_json") => Ok(Format::Export),
            Some(other) => Err(ApiError::bad_request(
                "BadFormat",
                format!("`{other}` is not a format: use `convex_encoded_json`, `json` or `export_json`."),
            )),
        }
    }

    /// What a function returned, written in this format.
    pub(crate) fn of_answer<'a>(&self, answer: &'a Answer) -> Result<Cow<'a, str>, ApiError> {
        let broken = |error: &dyn Display| {
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", error.to_string())
        };
        match answer {
            Answer::Shared(result) => {
                let value = result.value().ok_or_else(|| broken(&"the query has no value"))?;
                Ok(match self {
                    Format::Encoded => Cow::Borrowed(value.json(None)),
                    _ => Cow::Owned(self.of_packed(value.value())),
                })
            }
            Answer::Json(wire) if *self == Format::Encoded => Ok(Cow::Borrowed(wire)),
            Answer::Json(wire) => {
                let value = Packed::from_json(wire).map_err(|error| broken(&error))?;
                Ok(Cow::Owned(self.of_packed(&value)))
            }
        }
    }

    /// A value written in this format.
    pub(crate) fn of_packed(&self, value: &Packed) -> String {
        match self {
            Format::Encoded => value.to_json(),
            Format::Clean => value.to_clean_json(),
            Format::Export => value.to_export_json(),
        }
    }
}
