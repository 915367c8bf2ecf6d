//! Our bytes through the parser of `convex_sync_types` and its bytes through ours, over random messages.

// A test says that something is wrong by failing.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

use std::borrow::Cow;

use convex_sync_types as theirs;
use hull_sync::{
    Answer, ClientMessage, ClientVersion, Credential, Failure, FunctionPath, Instant, Outgoing,
    OutgoingFrames, QueryChange, QueryResult, ServerMessage, Session, SessionId,
};
use hull_value::{Packed, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The value type of their messages.
#[derive(Debug, Clone, PartialEq)]
struct Json(Value);

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        json.0
    }
}

impl TryFrom<Value> for Json {
    type Error = anyhow::Error;

    fn try_from(value: Value) -> anyhow::Result<Self> {
        Ok(Self(value))
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("([ -#%-~][ -~]*)?", inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn paths() -> impl Strategy<Value = String> {
    ("[a-z][a-zA-Z0-9_]{0,8}(/[a-z][a-zA-Z0-9_]{0,8}){0,2}", "[a-z][a-zA-Z0-9_]{0,8}")
        .prop_map(|(module, function)| format!("{module}:{function}"))
}

fn texts() -> impl Strategy<Value = String> {
    "\\PC*|[\\x00-\\x1f\"\\\\é😀]*"
}

fn timestamps() -> impl Strategy<Value = u64> {
    0..=u64::try_from(i64::MAX).unwrap()
}

/// A client's message as JSON text, made by our writer from random pieces.
fn client_messages() -> impl Strategy<Value = String> {
    let args = || values().prop_map(|value| json!([value]).to_string());
    let ids = || any::<u32>();
    let changes = prop::collection::vec(
        prop_oneof![
            ids().prop_map(|query| (query, None)),
            (ids(), paths(), args(), prop::option::of(texts()))
                .prop_map(|(query, path, args, journal)| { (query, Some((path, args, journal))) }),
        ],
        0..4,
    );
    prop_oneof![
        (any::<[u8; 16]>(), ids(), texts(), prop::option::of(timestamps()), prop::option::of(0..=i64::MAX))
            .prop_map(|(session, connection_count, reason, max, client_ts)| {
                ClientMessage::Connect {
                    session: SessionId(session),
                    connection_count,
                    last_close_reason: Some(Cow::Owned(reason)),
                    max_observed: max.map(Timestamp),
                    client_ts,
                }
                .to_json()
            }),
        (ids(), ids(), changes).prop_map(|(base, new, changes)| {
            let changes = changes.iter().map(|(query, add)| match add {
                None => QueryChange::Remove { query: *query },
                Some((path, args, journal)) => QueryChange::Add {
                    query: *query,
                    path: Cow::Borrowed(path),
                    args,
                    journal: journal.as_deref().map(Cow::Borrowed),
                    component: Cow::Borrowed(""),
                },
            });
            ClientMessage::ModifyQuerySet { base, new, changes: changes.collect() }.to_json()
        }),
        (ids(), paths(), args(), any::<bool>(), "|[a-z]{1,5}").prop_map(
            |(request, path, args, action, component)| {
                let (path, args, component) = (Cow::Owned(path), args.as_str(), Cow::Owned(component));
                if action {
                    ClientMessage::Action { request, path, args, component }.to_json()
                } else {
                    ClientMessage::Mutation { request, path, args, component }.to_json()
                }
            }
        ),
        (ids(), texts(), 0..4).prop_map(|(base, text, kind)| {
            let credential = match kind {
                0 => Credential::None,
                1 => Credential::User { token: text },
                2 => Credential::Admin { key: text, acting_as: None },
                _ => Credential::Admin { key: text, acting_as: Some(r#"{"tokenIdentifier":"a|b"}"#.into()) },
            };
            ClientMessage::Authenticate { base, credential }.to_json()
        }),
        (texts(), values()).prop_map(|(event_type, event)| {
            ClientMessage::Event { event_type: Cow::Owned(event_type), event: &event.to_string() }.to_json()
        }),
    ]
}

/// Spellings that mean the same, made one.
fn plain(message: &mut Value) {
    match message {
        Value::Object(fields) => {
            if let Some(path) = fields.get_mut("udfPath") {
                *path = json!(FunctionPath::parse(path.as_str().unwrap()).unwrap().as_str());
            }
            if let Some(user) = fields.remove("acting_as") {
                fields.insert("impersonating".into(), user);
            }
            for key in ["ts", "clientClockSkew", "serverTs"] {
                if fields.get(key) == Some(&Value::Null) {
                    fields.remove(key);
                }
            }
            if let Some(Value::Array(changes)) = fields.get_mut("modifications") {
                changes.iter_mut().for_each(plain);
            }
        }
        _ => unreachable!("messages are objects"),
    }
}

fn plained(mut message: Value) -> Value {
    plain(&mut message);
    message
}

/// Through their parser and back.
fn through_theirs(text: &str) -> Value {
    let message =
        theirs::ServerMessage::<Json>::try_from(serde_json::from_str::<Value>(text).unwrap()).unwrap();
    plained(Value::from(message))
}

proptest! {
    #[test]
    fn what_clients_say_is_read_alike(text in client_messages()) {
        let ours: Value = serde_json::from_str(&text).unwrap();
        let message = theirs::ClientMessage::try_from(ours.clone()).unwrap();
        let theirs = Value::try_from(message).unwrap();
        // Our bytes, their parser.
        prop_assert_eq!(plained(ours.clone()), plained(theirs.clone()));
        // Their bytes, our parser.
        let their_text = theirs.to_string();
        let again = ClientMessage::parse(&their_text).unwrap().to_json();
        prop_assert_eq!(plained(serde_json::from_str(&again).unwrap()), plained(ours));
        // Our bytes, our parser.
        prop_assert_eq!(ClientMessage::parse(&text).unwrap().to_json(), text.clone());
    }

    #[test]
    fn answers_are_read_alike(
        request: u32, ts in timestamps(), value in values(), failure in prop::option::of((texts(), prop::option::of(values()))),
        logs in prop::collection::vec(texts(), 0..3), action: bool,
    ) {
        let value = value.to_string();
        let failure = failure.map(|(message, data)| Failure { message, data: data.map(|data| data.to_string().into()) });
        let result = failure.as_ref().map_or(Ok(&*value), Err);
        let mut out = Vec::new();
        if action {
            hull_sync::action_response(&mut out, request, result, &logs);
        } else {
            hull_sync::mutation_response(&mut out, request, Timestamp(ts), result, &logs);
        }
        let text = String::from_utf8(out).unwrap();
        let ours: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(through_theirs(&text), ours.clone());
        prop_assert_eq!(ours.get("errorData").is_some(), failure.as_ref().is_some_and(|failure| failure.data.is_some()));
        let (read_request, answer, read_logs) = match ServerMessage::parse(&text).unwrap() {
            ServerMessage::MutationResponse { request, answer, ts: read, log_lines } => {
                prop_assert_eq!(read, failure.is_none().then_some(Timestamp(ts)));
                (request, answer, log_lines)
            }
            ServerMessage::ActionResponse { request, answer, log_lines } => (request, answer, log_lines),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(read_request, request);
        prop_assert_eq!(read_logs, logs);
        match &failure {
            None => prop_assert_eq!(answer, Answer::Value(&value)),
            Some(Failure { message, data }) => {
                prop_assert_eq!(answer, Answer::Error { message: Cow::Borrowed(message), data: data.as_deref() });
            }
        }
    }

    #[test]
    fn transitions_are_read_alike(
        results in prop::collection::vec((values(), any::<bool>(), prop::option::of(texts()), prop::collection::vec(texts(), 0..2)), 0..4),
        ts in 11..1_000_000_u64, client_ts: i64, server in 0..i64::MAX,
    ) {
        let client = ClientVersion::from_header("rust-0.10.4").unwrap();
        let now = Instant { monotonic_ms: 0, unix_ns: u64::try_from(server).unwrap() };
        let mut session = Session::new(client, (), Timestamp(10), now);
        let connect = ClientMessage::Connect {
            session: SessionId([7; 16]), connection_count: 0, last_close_reason: None, max_observed: None, client_ts: Some(client_ts),
        };
        session.receive(&connect.to_json(), now);
        let changes = (0..).zip(&results).map(|(query, _)| QueryChange::Add {
            query, path: Cow::Borrowed("m:q"), args: "[{}]", journal: None, component: Cow::Borrowed(""),
        });
        session.receive(&ClientMessage::ModifyQuerySet { base: 0, new: 1, changes: changes.collect() }.to_json(), now);
        let mut subscriptions = Vec::new();
        while let Some(effect) = session.next_effect() {
            if let hull_sync::Effect::Subscribe { subscription, .. } = effect {
                subscriptions.push(subscription);
            }
        }
        let step = subscriptions.into_iter().zip(&results).map(|(subscription, (value, failed, journal, logs))| {
            let journal = journal.as_deref().map(Into::into);
            let result = if *failed {
                QueryResult::failed(&Failure::with_data(value.to_string(), value.to_string()), logs, journal)
            } else {
                QueryResult::updated(Packed::from_json(&value.to_string()).unwrap(), logs, journal)
            };
            (subscription, result.into())
        });
        session.step(Timestamp(ts), step);
        let mut out = OutgoingFrames::new();
        session.flush(now, &mut out);
        let Some(Outgoing::Text(text)) = out.iter().next() else { panic!("no transition") };
        let ours: Value = serde_json::from_str(text).unwrap();
        prop_assert_eq!(ours["modifications"].as_array().unwrap().len(), results.len());
        prop_assert_eq!(through_theirs(text), ours.clone());
        let ServerMessage::Transition { updates, .. } = ServerMessage::parse(text).unwrap() else { panic!() };
        for (update, (value, failed, journal, logs)) in updates.iter().zip(&results) {
            let hull_sync::QueryUpdate::Changed { answer, log_lines, journal: read, .. } = update else { panic!() };
            let value = value.to_string();
            let expected = if *failed {
                Answer::Error { message: Cow::Borrowed(&*value), data: Some(&value) }
            } else {
                Answer::Value(&value)
            };
            prop_assert_eq!(answer, &expected);
            prop_assert_eq!(log_lines, logs);
            let read = read.clone().map(|read| read.map(Cow::into_owned));
            prop_assert_eq!(read, Some(journal.clone()));
        }
    }
}

#[test]
fn messages_without_values_are_read_alike() {
    let mut out = Vec::new();
    let mut both = |write: &dyn Fn(&mut Vec<u8>)| {
        out.clear();
        write(&mut out);
        let text = String::from_utf8(out.clone()).unwrap();
        assert_eq!(through_theirs(&text), serde_json::from_str::<Value>(&text).unwrap());
        ServerMessage::parse(&text).unwrap();
    };
    both(&hull_sync::ping);
    both(&|out| hull_sync::fatal_error(out, "a \"b\"\n"));
    both(&|out| hull_sync::auth_error(out, "no", 7, true));
    both(&|out| hull_sync::auth_error(out, "no", 7, false));
}

/// What the official JavaScript client says, word for word.
#[test]
fn the_javascript_clients_spelling_is_read() {
    let connect = r#"{"connectionCount":0,"lastCloseReason":"InitialConnect","clientTs":1763712000000,"sessionId":"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0","type":"Connect"}"#;
    assert!(matches!(
        ClientMessage::parse(connect).unwrap(),
        ClientMessage::Connect { client_ts: Some(1_763_712_000_000), max_observed: None, .. }
    ));
    let add = r#"{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":[{"type":"Add","queryId":0,"udfPath":"m:q","args":[{"a":1}],"journal":null}]}"#;
    let ClientMessage::ModifyQuerySet { changes, .. } = ClientMessage::parse(add).unwrap() else { panic!() };
    assert!(matches!(&changes[0], QueryChange::Add { journal: None, args: r#"[{"a":1}]"#, .. }));
    for name in ["impersonating", "acting_as", "actingAs"] {
        let text = format!(
            r#"{{"{name}":{{"x":[1]}},"type":"Authenticate","tokenType":"Admin","value":"k","baseVersion":2}}"#
        );
        let ClientMessage::Authenticate { base: 2, credential } = ClientMessage::parse(&text).unwrap() else {
            panic!()
        };
        assert_eq!(credential, Credential::Admin { key: "k".into(), acting_as: Some(r#"{"x":[1]}"#.into()) });
    }
    let mutation = r#"{"\u0074ype":"Muta\u0074ion","future":{"type":"x"},"requestId":1,"udfPath":"a\u002fb:f","args":[{}]}"#;
    let ClientMessage::Mutation { path, .. } = ClientMessage::parse(mutation).unwrap() else { panic!() };
    assert_eq!(path, "a/b:f");
}
