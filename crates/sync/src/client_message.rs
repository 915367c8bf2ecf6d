//! What a client says: read from one flat borrowed struct in a single pass, written by hand.
//!
//! The type of a message may stand anywhere in it, and fields that are not known are passed over. Arguments
//! stay JSON text: `args` is on the wire an array that holds one object. A path that names no function is not
//! an error of the message, since the request that it belongs to can be answered.

use std::borrow::Cow;
use std::fmt;

use hull_value::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::message::{MessageError, SessionId, Text};
use crate::write::{push_number, push_string, push_timestamp};

/// A message from client to server.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientMessage<'a> {
    /// The first message on every socket.
    Connect {
        /// The client's session.
        session: SessionId,
        /// How many connections this session had before.
        connection_count: u32,
        /// Why the last one ended.
        last_close_reason: Option<Cow<'a, str>>,
        /// The newest timestamp that the client has seen.
        max_observed: Option<Timestamp>,
        /// The client's clock in milliseconds, where it says one.
        client_ts: Option<i64>,
    },
    /// Changes the set of queries that the client wants to hear of.
    ModifyQuerySet {
        /// The version of the set that this changes.
        base: u32,
        /// The version that it makes.
        new: u32,
        /// The changes, maybe none.
        changes: Vec<QueryChange<'a>>,
    },
    /// Asks for a query's value in full: a diff did not fit what the client has.
    QueryResync {
        /// The client's number for it.
        query: u32,
    },
    /// Asks for a mutation.
    Mutation {
        /// Counts up over the whole session, together with actions.
        request: u32,
        /// The function's path as the client spells it.
        path: Cow<'a, str>,
        /// The arguments as JSON text.
        args: &'a str,
        /// The component, empty for none.
        component: Cow<'a, str>,
    },
    /// Asks for an action.
    Action {
        /// Counts up over the whole session, together with mutations.
        request: u32,
        /// The function's path as the client spells it.
        path: Cow<'a, str>,
        /// The arguments as JSON text.
        args: &'a str,
        /// The component, empty for none.
        component: Cow<'a, str>,
    },
    /// Says who the client is.
    Authenticate {
        /// The identity version that this changes.
        base: u32,
        /// Who it says it is.
        credential: Credential,
    },
    /// Telemetry, which the server passes over.
    Event {
        /// What happened.
        event_type: Cow<'a, str>,
        /// More about it, as JSON text.
        event: &'a str,
    },
}

/// One change of a query set.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryChange<'a> {
    /// The client wants to hear of this query.
    Add {
        /// The client's number for it.
        query: u32,
        /// The function's path as the client spells it.
        path: Cow<'a, str>,
        /// The arguments as JSON text.
        args: &'a str,
        /// The journal of the result that the client has.
        journal: Option<Cow<'a, str>>,
        /// The component, empty for none.
        component: Cow<'a, str>,
    },
    /// The client no longer wants to hear of it.
    Remove {
        /// The client's number for it.
        query: u32,
    },
}

/// Who a client says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user, shown by a token of an identity provider.
    User {
        /// The token.
        token: String,
    },
    /// An administrator of the server.
    Admin {
        /// The key, `name|secret`.
        key: String,
        /// The user's attributes to act as, as JSON text.
        acting_as: Option<String>,
    },
    /// Nobody in particular.
    None,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    session_id: Option<Text<'a>>,
    connection_count: Option<u32>,
    #[serde(borrow)]
    last_close_reason: Option<Text<'a>>,
    #[serde(borrow)]
    max_observed_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    client_ts: Option<&'a RawValue>,
    base_version: Option<u32>,
    new_version: Option<u32>,
    #[serde(borrow)]
    modifications: Option<WireChanges<'a>>,
    request_id: Option<u32>,
    query_id: Option<u32>,
    #[serde(borrow)]
    udf_path: Option<Text<'a>>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    #[serde(borrow)]
    component_path: Option<Text<'a>>,
    #[serde(borrow)]
    token_type: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<Text<'a>>,
    #[serde(borrow, alias = "acting_as", alias = "actingAs")]
    impersonating: Option<&'a RawValue>,
    #[serde(borrow)]
    event_type: Option<Text<'a>>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireChange<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    query_id: u32,
    #[serde(borrow)]
    udf_path: Option<Text<'a>>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    #[serde(borrow)]
    journal: Option<Text<'a>>,
    #[serde(borrow)]
    component_path: Option<Text<'a>>,
}

/// The most changes of one ModifyQuerySet: read, a change takes several times the room of its text.
const MAX_CHANGES: usize = 65_536;

struct WireChanges<'a>(Vec<WireChange<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for WireChanges<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChangesVisitor;
        impl<'de> Visitor<'de> for ChangesVisitor {
            type Value = WireChanges<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of changes")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut changes = Vec::new();
                while let Some(change) = seq.next_element()? {
                    if changes.len() == MAX_CHANGES {
                        return Err(A::Error::custom("more than 65,536 changes of the query set at once"));
                    }
                    changes.push(change);
                }
                Ok(WireChanges(changes))
            }
        }
        deserializer.deserialize_seq(ChangesVisitor)
    }
}

fn need<T>(value: Option<T>, message: &'static str, field: &'static str) -> Result<T, MessageError> {
    value.ok_or(MessageError::Missing { message, field })
}

fn text<'a>(value: Option<Text<'a>>) -> Cow<'a, str> {
    value.map(|text| text.0).unwrap_or_default()
}

fn raw(value: Option<&RawValue>) -> &str {
    value.map_or("null", RawValue::get)
}

impl<'a> ClientMessage<'a> {
    /// Reads a message.
    pub fn parse(json: &'a str) -> Result<Self, MessageError> {
        let wire: Wire<'a> = serde_json::from_str(json)?;
        match &*wire.kind.0 {
            "Mutation" => Ok(Self::Mutation {
                request: need(wire.request_id, "Mutation", "requestId")?,
                path: need(wire.udf_path, "Mutation", "udfPath")?.0,
                args: raw(wire.args),
                component: text(wire.component_path),
            }),
            "Action" => Ok(Self::Action {
                request: need(wire.request_id, "Action", "requestId")?,
                path: need(wire.udf_path, "Action", "udfPath")?.0,
                args: raw(wire.args),
                component: text(wire.component_path),
            }),
            "ModifyQuerySet" => Ok(Self::ModifyQuerySet {
                base: need(wire.base_version, "ModifyQuerySet", "baseVersion")?,
                new: need(wire.new_version, "ModifyQuerySet", "newVersion")?,
                changes: need(wire.modifications, "ModifyQuerySet", "modifications")?
                    .0
                    .into_iter()
                    .map(QueryChange::from_wire)
                    .collect::<Result<_, _>>()?,
            }),
            "QueryResync" => Ok(Self::QueryResync { query: need(wire.query_id, "QueryResync", "queryId")? }),
            "Authenticate" => wire.authenticate(),
            "Connect" => wire.connect(),
            "Event" => Ok(Self::Event { event_type: text(wire.event_type), event: raw(wire.event) }),
            other => Err(MessageError::UnknownType(other.chars().take(100).collect())),
        }
    }

    /// Appends the message as JSON text.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Connect { session, connection_count, last_close_reason, max_observed, client_ts } => {
                out.extend_from_slice(br#"{"type":"Connect","sessionId":"#);
                push_string(out, &session.to_string());
                out.extend_from_slice(br#","connectionCount":"#);
                push_number(out, *connection_count);
                out.extend_from_slice(br#","lastCloseReason":"#);
                push_optional(out, last_close_reason.as_deref());
                if let Some(ts) = max_observed {
                    out.extend_from_slice(br#","maxObservedTimestamp":"#);
                    push_timestamp(out, *ts);
                }
                if let Some(ts) = client_ts {
                    out.extend_from_slice(br#","clientTs":"#);
                    push_number(out, *ts);
                }
            }
            Self::ModifyQuerySet { base, new, changes } => {
                out.extend_from_slice(br#"{"type":"ModifyQuerySet","baseVersion":"#);
                push_number(out, *base);
                out.extend_from_slice(br#","newVersion":"#);
                push_number(out, *new);
                out.extend_from_slice(br#","modifications":["#);
                for (at, change) in changes.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    change.write(out);
                }
                out.push(b']');
            }
            Self::QueryResync { query } => {
                out.extend_from_slice(br#"{"type":"QueryResync","queryId":"#);
                push_number(out, *query);
            }
            Self::Mutation { request, path, args, component } => {
                out.extend_from_slice(br#"{"type":"Mutation","requestId":"#);
                push_number(out, *request);
                push_call(out, path, args, component);
            }
            Self::Action { request, path, args, component } => {
                out.extend_from_slice(br#"{"type":"Action","requestId":"#);
                push_number(out, *request);
                push_call(out, path, args, component);
            }
            Self::Authenticate { base, credential } => {
                out.extend_from_slice(br#"{"type":"Authenticate","baseVersion":"#);
                push_number(out, *base);
                credential.write(out);
            }
            Self::Event { event_type, event } => {
                out.extend_from_slice(br#"{"type":"Event","eventType":"#);
                push_string(out, event_type);
                out.extend_from_slice(br#","event":"#);
                out.extend_from_slice(event.as_bytes());
            }
        }
        out.push(b'}');
    }

    /// The message as JSON text.
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

impl<'a> Wire<'a> {
    fn authenticate(self) -> Result<ClientMessage<'a>, MessageError> {
        let value = |value| need(value, "Authenticate", "value").map(|text: Text<'_>| text.0.into_owned());
        let credential = match &*need(self.token_type, "Authenticate", "tokenType")?.0 {
            "None" => Credential::None,
            "User" => Credential::User { token: value(self.value)? },
            "Admin" => Credential::Admin {
                key: value(self.value)?,
                acting_as: self.impersonating.map(|user| user.get().to_owned()),
            },
            _ => return Err(MessageError::Bad { message: "Authenticate", field: "tokenType" }),
        };
        let base = need(self.base_version, "Authenticate", "baseVersion")?;
        Ok(ClientMessage::Authenticate { base, credential })
    }

    fn connect(self) -> Result<ClientMessage<'a>, MessageError> {
        let bad = |field| MessageError::Bad { message: "Connect", field };
        Ok(ClientMessage::Connect {
            session: need(self.session_id, "Connect", "sessionId")?
                .0
                .parse()
                .map_err(|_| bad("sessionId"))?,
            connection_count: need(self.connection_count, "Connect", "connectionCount")?,
            last_close_reason: self.last_close_reason.map(|reason| reason.0),
            max_observed: match self.max_observed_timestamp {
                None => None,
                Some(ts) => Some(Timestamp::from_wire(&ts.0).map_err(|_| bad("maxObservedTimestamp"))?),
            },
            client_ts: self.client_ts.and_then(|ts| ts.get().parse().ok()),
        })
    }
}

impl<'a> QueryChange<'a> {
    fn from_wire(wire: WireChange<'a>) -> Result<Self, MessageError> {
        match &*wire.kind.0 {
            "Add" => Ok(Self::Add {
                query: wire.query_id,
                path: need(wire.udf_path, "Add", "udfPath")?.0,
                args: raw(wire.args),
                journal: wire.journal.map(|journal| journal.0),
                component: text(wire.component_path),
            }),
            "Remove" => Ok(Self::Remove { query: wire.query_id }),
            _ => Err(MessageError::Bad { message: "ModifyQuerySet", field: "modifications.type" }),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Add { query, path, args, journal, component } => {
                out.extend_from_slice(br#"{"type":"Add","queryId":"#);
                push_number(out, *query);
                push_call(out, path, args, component);
                if let Some(journal) = journal {
                    out.extend_from_slice(br#","journal":"#);
                    push_string(out, journal);
                }
            }
            Self::Remove { query } => {
                out.extend_from_slice(br#"{"type":"Remove","queryId":"#);
                push_number(out, *query);
            }
        }
        out.push(b'}');
    }
}

impl Credential {
    fn write(&self, out: &mut Vec<u8>) {
        let (kind, value): (&[u8], _) = match self {
            Self::None => return out.extend_from_slice(br#","tokenType":"None""#),
            Self::User { token } => (br#","tokenType":"User","value":"#, token),
            Self::Admin { key, .. } => (br#","tokenType":"Admin","value":"#, key),
        };
        out.extend_from_slice(kind);
        push_string(out, value);
        if let Self::Admin { acting_as: Some(user), .. } = self {
            out.extend_from_slice(br#","impersonating":"#);
            out.extend_from_slice(user.as_bytes());
        }
    }
}

fn push_optional(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => push_string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

fn push_call(out: &mut Vec<u8>, path: &str, args: &str, component: &str) {
    out.extend_from_slice(br#","udfPath":"#);
    push_string(out, path);
    out.extend_from_slice(br#","args":"#);
    out.extend_from_slice(args.as_bytes());
    if !component.is_empty() {
        out.extend_from_slice(br#","componentPath":"#);
        push_string(out, component);
    }
}
