//! What a server says, as a client reads it: borrowed from the message, values left as JSON text.

use std::borrow::Cow;

use hull_value::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use serde_json::value::RawValue;

use crate::diff::ValueHash;
use crate::message::{MessageError, StateVersion, Text};

/// A message from server to client.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerMessage<'a> {
    /// Takes the client from one version to a later one.
    Transition {
        /// Where the client must be.
        start: StateVersion,
        /// Where it is then.
        end: StateVersion,
        /// What changed between them.
        updates: Vec<QueryUpdate<'a>>,
        /// The client's clock less the server's, in milliseconds.
        clock_skew: Option<i64>,
        /// When the server sent this, in nanoseconds since 1970.
        server_ts: Option<i64>,
    },
    /// A piece of a Transition that is too large for one message.
    TransitionChunk {
        /// The piece.
        chunk: Cow<'a, str>,
        /// Its number, from zero.
        part: u32,
        /// How many there are.
        parts: u32,
        /// Which Transition it belongs to.
        id: Cow<'a, str>,
    },
    /// The answer to a mutation.
    MutationResponse {
        /// The request.
        request: u32,
        /// The value or the error.
        answer: Answer<'a>,
        /// When it committed; only with a value.
        ts: Option<Timestamp>,
        /// What the function logged.
        log_lines: Vec<Cow<'a, str>>,
    },
    /// The answer to an action.
    ActionResponse {
        /// The request.
        request: u32,
        /// The value or the error.
        answer: Answer<'a>,
        /// What the function logged.
        log_lines: Vec<Cow<'a, str>>,
    },
    /// The client is not who it says, or no longer.
    AuthError {
        /// Why.
        error: Cow<'a, str>,
        /// The identity version that the client was last told.
        base: u32,
        /// Whether it was an Authenticate that failed.
        attempted: bool,
    },
    /// The client should not come back.
    FatalError {
        /// Why.
        error: Cow<'a, str>,
    },
    /// The connection lives.
    Ping,
}

/// The value of a function, or its error.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<'a> {
    /// A value, as JSON text.
    Value(&'a str),
    /// An error.
    Error {
        /// The text for people.
        message: Cow<'a, str>,
        /// The data of an application's error, as JSON text.
        data: Option<&'a str>,
    },
}

/// One modification of a Transition.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryUpdate<'a> {
    /// A query has a result that differs from the one before.
    Changed {
        /// The client's number for it.
        query: u32,
        /// The value or the error.
        answer: Answer<'a>,
        /// What the function logged.
        log_lines: Vec<Cow<'a, str>>,
        /// What to hand in when the query is added again: `None` keeps the old one, `Some(None)` forgets it.
        journal: Option<Option<Cow<'a, str>>>,
        /// The number of the result, from a server that will tell diffs from it.
        result: Option<u64>,
    },
    /// A query has a value that differs from the one before as a patch says (DIFF.md).
    Diff {
        /// The client's number for it.
        query: u32,
        /// The number of the result that the patch is made for.
        base: u64,
        /// The number of the new result.
        result: u64,
        /// The hash of the new value.
        hash: ValueHash,
        /// The patch, as JSON text.
        patch: &'a str,
        /// What the function logged.
        log_lines: Vec<Cow<'a, str>>,
        /// What to hand in when the query is added again: `None` keeps the old one, `Some(None)` forgets it.
        journal: Option<Option<Cow<'a, str>>>,
    },
    /// The query is no longer in the set.
    Removed {
        /// The client's number for it.
        query: u32,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    start_version: Option<WireVersion>,
    end_version: Option<WireVersion>,
    #[serde(borrow)]
    modifications: Option<Vec<WireUpdate<'a>>>,
    client_clock_skew: Option<i64>,
    server_ts: Option<i64>,
    #[serde(borrow)]
    chunk: Option<Text<'a>>,
    part_number: Option<u32>,
    total_parts: Option<u32>,
    #[serde(borrow)]
    transition_id: Option<Text<'a>>,
    request_id: Option<u32>,
    success: Option<bool>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    ts: Option<WireTimestamp>,
    #[serde(borrow)]
    log_lines: Option<Vec<Text<'a>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    error_data: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<Text<'a>>,
    base_version: Option<u32>,
    auth_update_attempted: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireVersion {
    query_set: u32,
    identity: u32,
    ts: WireTimestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireUpdate<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    query_id: u32,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    error_message: Option<Text<'a>>,
    #[serde(borrow)]
    log_lines: Option<Vec<Text<'a>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    journal: Option<Option<Text<'a>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    error_data: Option<&'a RawValue>,
    base: Option<u64>,
    result: Option<u64>,
    #[serde(borrow)]
    hash: Option<Text<'a>>,
    #[serde(borrow)]
    diff: Option<&'a RawValue>,
}

/// Tells a null from a field that is not there.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

struct WireTimestamp(Timestamp);

impl<'de> Deserialize<'de> for WireTimestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        Timestamp::from_wire(&text.0).map(Self).map_err(serde::de::Error::custom)
    }
}

impl From<WireVersion> for StateVersion {
    fn from(wire: WireVersion) -> Self {
        Self { query_set: wire.query_set, identity: wire.identity, ts: wire.ts.0 }
    }
}

fn lines<'a>(lines: Option<Vec<Text<'a>>>) -> Vec<Cow<'a, str>> {
    lines.unwrap_or_default().into_iter().map(|line| line.0).collect()
}

impl<'a> ServerMessage<'a> {
    /// Reads a message.
    pub fn parse(json: &'a str) -> Result<Self, MessageError> {
        let wire: Wire<'a> = serde_json::from_str(json)?;
        match &*wire.kind.0 {
            "Transition" => {
                let need = |field| MessageError::Missing { message: "Transition", field };
                let updates = wire.modifications.ok_or_else(|| need("modifications"))?;
                Ok(Self::Transition {
                    start: wire.start_version.ok_or_else(|| need("startVersion"))?.into(),
                    end: wire.end_version.ok_or_else(|| need("endVersion"))?.into(),
                    updates: updates.into_iter().map(QueryUpdate::from_wire).collect::<Result<_, _>>()?,
                    clock_skew: wire.client_clock_skew,
                    server_ts: wire.server_ts,
                })
            }
            "TransitionChunk" => {
                let need = |field| MessageError::Missing { message: "TransitionChunk", field };
                Ok(Self::TransitionChunk {
                    chunk: wire.chunk.ok_or_else(|| need("chunk"))?.0,
                    part: wire.part_number.ok_or_else(|| need("partNumber"))?,
                    parts: wire.total_parts.ok_or_else(|| need("totalParts"))?,
                    id: wire.transition_id.ok_or_else(|| need("transitionId"))?.0,
                })
            }
            "MutationResponse" => {
                let (request, answer) = wire.answer("MutationResponse")?;
                let ts = wire.ts.map(|ts| ts.0);
                if ts.is_none() && matches!(answer, Answer::Value(_)) {
                    return Err(MessageError::Missing { message: "MutationResponse", field: "ts" });
                }
                Ok(Self::MutationResponse { request, answer, ts, log_lines: lines(wire.log_lines) })
            }
            "ActionResponse" => {
                let (request, answer) = wire.answer("ActionResponse")?;
                Ok(Self::ActionResponse { request, answer, log_lines: lines(wire.log_lines) })
            }
            "AuthError" => Ok(Self::AuthError {
                error: wire.error.unwrap_or_default().0,
                base: wire.base_version.unwrap_or(0),
                attempted: wire.auth_update_attempted.unwrap_or(true),
            }),
            "FatalError" => Ok(Self::FatalError { error: wire.error.unwrap_or_default().0 }),
            "Ping" => Ok(Self::Ping),
            other => Err(MessageError::UnknownType(other.chars().take(100).collect())),
        }
    }
}

impl<'a> Wire<'a> {
    fn answer(&self, message: &'static str) -> Result<(u32, Answer<'a>), MessageError> {
        let need = |field| MessageError::Missing { message, field };
        let request = self.request_id.ok_or_else(|| need("requestId"))?;
        let success = self.success.ok_or_else(|| need("success"))?;
        // A null result is an absent one to serde's eye.
        let result = self.result.map_or("null", RawValue::get);
        let answer = if success {
            Answer::Value(result)
        } else {
            let text: Text<'a> = serde_json::from_str(result)?;
            Answer::Error { message: text.0, data: self.error_data.map(RawValue::get) }
        };
        Ok((request, answer))
    }
}

impl<'a> QueryUpdate<'a> {
    fn from_wire(wire: WireUpdate<'a>) -> Result<Self, MessageError> {
        let need = |field| MessageError::Missing { message: "Transition", field };
        let bad = |field| MessageError::Bad { message: "Transition", field };
        let answer = match &*wire.kind.0 {
            "QueryUpdated" => Answer::Value(wire.value.ok_or_else(|| need("value"))?.get()),
            "QueryFailed" => Answer::Error {
                message: wire.error_message.ok_or_else(|| need("errorMessage"))?.0,
                data: wire.error_data.map(RawValue::get),
            },
            "QueryDiff" => {
                return Ok(Self::Diff {
                    query: wire.query_id,
                    base: wire.base.ok_or_else(|| need("base"))?,
                    result: wire.result.ok_or_else(|| need("result"))?,
                    hash: wire.hash.ok_or_else(|| need("hash"))?.0.parse().map_err(|_| bad("hash"))?,
                    patch: wire.diff.ok_or_else(|| need("diff"))?.get(),
                    log_lines: lines(wire.log_lines),
                    journal: wire.journal.map(|journal| journal.map(|text| text.0)),
                });
            }
            "QueryRemoved" => return Ok(Self::Removed { query: wire.query_id }),
            _ => return Err(bad("modifications.type")),
        };
        Ok(Self::Changed {
            query: wire.query_id,
            answer,
            log_lines: lines(wire.log_lines),
            journal: wire.journal.map(|journal| journal.map(|text| text.0)),
            result: wire.result,
        })
    }
}

/// Whether a text is JSON at all.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}
