//! A session with a hand-moved clock, and its output as JSON.

use std::sync::Arc;

use hull_sync::{
    ClientVersion, Close, Effect, Failure, Instant, Outgoing, OutgoingFrames, QueryResult, Session,
    SubscriptionId,
};
use hull_value::{Packed, Timestamp};
use serde_json::{Value, json};

pub const SESSION: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

pub struct Peer {
    pub session: Session<&'static str>,
    pub ms: u64,
    pub pings: Vec<[u8; 8]>,
    pub close: Option<Close>,
}

impl Peer {
    /// A fresh socket; the durable timestamp is 10.
    pub fn new(client: &str) -> Self {
        let client = ClientVersion::from_header(client).unwrap();
        let session = Session::new(client, "anonymous", Timestamp(10), instant(0));
        Self { session, ms: 0, pings: Vec::new(), close: None }
    }

    /// A socket that is past its Connect.
    pub fn connected() -> Self {
        let mut peer = Self::new("npm-1.48.0");
        peer.connect();
        peer
    }

    pub fn connect(&mut self) {
        self.say(json!({"connectionCount": 0, "sessionId": SESSION, "lastCloseReason": null, "clientTs": 0, "type": "Connect"}));
        assert!(matches!(self.session.next_effect(), Some(Effect::Connected { .. })));
    }

    pub fn say(&mut self, message: Value) {
        self.say_text(&message.to_string());
    }

    pub fn say_text(&mut self, text: &str) {
        self.session.receive(text, instant(self.ms));
    }

    /// One ModifyQuerySet: what to add, what to remove.
    pub fn modify(&mut self, base: u32, add: &[u32], remove: &[u32]) {
        let adds = add.iter().map(|id| json!({"type": "Add", "queryId": id, "udfPath": "m:q", "args": [{}]}));
        let removes = remove.iter().map(|id| json!({"type": "Remove", "queryId": id}));
        let modifications: Vec<Value> = adds.chain(removes).collect();
        self.say(json!({"type": "ModifyQuerySet", "baseVersion": base, "newVersion": base + 1, "modifications": modifications}));
    }

    pub fn mutate(&mut self, request: u32) {
        self.say(json!({"type": "Mutation", "requestId": request, "udfPath": "m:f", "args": [{}]}));
    }

    pub fn effects(&mut self) -> Vec<Effect<&'static str>> {
        std::iter::from_fn(|| self.session.next_effect()).collect()
    }

    /// The subscriptions that were asked for.
    pub fn subscribed(&mut self) -> Vec<SubscriptionId> {
        let subscription = |effect| match effect {
            Effect::Subscribe { subscription, .. } => Some(subscription),
            _ => None,
        };
        self.effects().into_iter().filter_map(subscription).collect()
    }

    /// The mutation that is to run.
    pub fn running(&mut self) -> Option<u32> {
        self.effects().into_iter().find_map(|effect| match effect {
            Effect::RunMutation { request, .. } => Some(request),
            _ => None,
        })
    }

    pub fn step(&mut self, ts: u64, results: &[(SubscriptionId, &str)]) {
        let results = results.iter().map(|(id, value)| (*id, value_of(value)));
        self.session.step(Timestamp(ts), results);
    }

    pub fn finish(&mut self, request: u32, ts: u64) {
        self.session.mutation_finished(request, Timestamp(ts), Ok("null"), &[]);
    }

    pub fn fail(&mut self, request: u32, ts: u64) {
        self.session.mutation_finished(request, Timestamp(ts), Err(&Failure::new("no")), &[]);
    }

    pub fn durable(&mut self, ts: u64) {
        self.session.durable(Timestamp(ts));
    }

    /// What the client hears now; the official types read each message.
    pub fn hear(&mut self) -> Vec<Value> {
        let mut out = OutgoingFrames::new();
        self.session.flush(instant(self.ms), &mut out);
        let mut messages = Vec::new();
        for frame in out.iter() {
            assert_eq!(self.close, None, "nothing follows a close");
            match frame {
                Outgoing::Text(text) => {
                    let message: Value = serde_json::from_str(text).unwrap();
                    if !text.contains("QueryDiff") {
                        convex_sync_types::ServerMessage::<Json>::try_from(message.clone()).unwrap();
                    }
                    messages.push(message);
                }
                Outgoing::Ping(payload) => self.pings.push(payload),
                Outgoing::Close(close) => self.close = Some(close.clone()),
            }
        }
        messages
    }

    /// What the client hears now: one Transition.
    pub fn hear_transition(&mut self) -> Value {
        let messages = self.hear();
        assert_eq!(kinds(&messages), ["Transition"]);
        messages.into_iter().next().unwrap()
    }

    pub fn pong(&mut self) {
        let payload = self.pings.pop().unwrap();
        self.session.receive_pong(&payload, instant(self.ms));
    }

    /// The close that the client hears now, after whatever else it hears.
    pub fn closed(&mut self) -> (Vec<Value>, Close) {
        let messages = self.hear();
        assert!(self.session.is_closed());
        assert!(self.hear().is_empty());
        (messages, self.close.clone().unwrap())
    }
}

/// The value type of the official messages.
#[derive(Debug)]
struct Json;

impl TryFrom<Value> for Json {
    type Error = anyhow::Error;

    fn try_from(_: Value) -> anyhow::Result<Self> {
        Ok(Self)
    }
}

pub fn instant(ms: u64) -> Instant {
    Instant { monotonic_ms: ms, unix_ns: 1_700_000_000_000_000_000 + ms * 1_000_000 }
}

pub fn value_of(value: &str) -> Arc<QueryResult> {
    Arc::new(QueryResult::updated(Packed::from_json(value).unwrap(), &[], None))
}

pub fn kinds(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["type"].as_str().unwrap()).collect()
}

/// A version as (query set, identity, timestamp).
pub fn version(version: &Value) -> (u64, u64, u64) {
    let bytes = data_encoding::BASE64.decode(version["ts"].as_str().unwrap().as_bytes()).unwrap();
    let ts = u64::from_le_bytes(bytes.try_into().unwrap());
    (version["querySet"].as_u64().unwrap(), version["identity"].as_u64().unwrap(), ts)
}

pub fn start(transition: &Value) -> (u64, u64, u64) {
    version(&transition["startVersion"])
}

pub fn end(transition: &Value) -> (u64, u64, u64) {
    version(&transition["endVersion"])
}

/// Modifications as (type, query id, value or error).
pub fn news(transition: &Value) -> Vec<(String, u64, String)> {
    let list = transition["modifications"].as_array().unwrap();
    list.iter()
        .map(|change| {
            let body =
                change.get("value").or(change.get("errorMessage")).map_or(String::new(), Value::to_string);
            (change["type"].as_str().unwrap().to_owned(), change["queryId"].as_u64().unwrap(), body)
        })
        .collect()
}

pub fn updated(query: u64, value: &str) -> (String, u64, String) {
    ("QueryUpdated".into(), query, value.into())
}

pub fn removed(query: u64) -> (String, u64, String) {
    ("QueryRemoved".into(), query, String::new())
}
