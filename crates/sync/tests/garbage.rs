//! Frames that mean nothing: no panic, and a clear end for the one who sent them.

// A test says that something is wrong by failing.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

use hull_sync::{
    ClientMessage, ClientSession, ClientVersion, Instant, Outgoing, OutgoingFrames, ServerMessage, Session,
    SessionId,
};
use hull_value::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const NOW: Instant = Instant { monotonic_ms: 0, unix_ns: 0 };
const CONNECT: &str = r#"{"type":"Connect","sessionId":"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0","connectionCount":0,"lastCloseReason":null,"clientTs":1}"#;

const FROM_CLIENTS: [&str; 8] = [
    CONNECT,
    r#"{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":[{"type":"Add","queryId":1,"udfPath":"a:b","args":[{"x":1}],"journal":"j"},{"type":"Remove","queryId":1}]}"#,
    r#"{"type":"Mutation","requestId":1,"udfPath":"a/b.js:c","args":[{"$integer":"AQAAAAAAAAA="}]}"#,
    r#"{"type":"Action","requestId":2,"udfPath":"a:c","args":[{}],"componentPath":"x/y"}"#,
    r#"{"type":"Authenticate","baseVersion":0,"tokenType":"Admin","value":"a|b","acting_as":{"tokenIdentifier":"x"}}"#,
    r#"{"type":"Authenticate","baseVersion":0,"tokenType":"None"}"#,
    r#"{"type":"Authenticate","baseVersion":0,"tokenType":"User","value":"a.b.c"}"#,
    r#"{"type":"Event","eventType":"ClientConnect","event":[1,{"a":null}]}"#,
];

const FROM_SERVERS: [&str; 6] = [
    r#"{"type":"Transition","startVersion":{"querySet":0,"identity":0,"ts":"AAAAAAAAAAA="},"endVersion":{"querySet":1,"identity":0,"ts":"AQAAAAAAAAA="},"modifications":[{"type":"QueryUpdated","queryId":0,"value":[1],"logLines":[],"journal":null},{"type":"QueryFailed","queryId":0,"errorMessage":"x","logLines":[],"journal":"j","errorData":{}},{"type":"QueryRemoved","queryId":0}]}"#,
    r#"{"type":"TransitionChunk","chunk":"{\"type\":","partNumber":0,"totalParts":2,"transitionId":"9"}"#,
    r#"{"type":"MutationResponse","requestId":0,"success":true,"result":null,"ts":"AQAAAAAAAAA=","logLines":["[LOG] x"]}"#,
    r#"{"type":"ActionResponse","requestId":1,"success":false,"result":"no","logLines":[],"errorData":null}"#,
    r#"{"type":"AuthError","error":"no","baseVersion":0,"authUpdateAttempted":true}"#,
    r#"{"type":"Ping"}"#,
];

/// A message with some bytes changed, cut out or put in.
fn broken(messages: &'static [&'static str]) -> impl Strategy<Value = String> {
    let edits = vec((any::<prop::sample::Index>(), 0..4, "[\\x00-\\x7fé{}\\[\\]\",:0-9]"), 0..4);
    (prop::sample::select(messages), edits).prop_map(|(message, edits)| {
        let mut chars: Vec<char> = message.chars().collect();
        for (at, kind, with) in edits {
            if chars.is_empty() {
                break;
            }
            let at = at.index(chars.len());
            let with = with.chars().next().unwrap_or('x');
            match kind {
                0 => chars[at] = with,
                1 => drop(chars.remove(at)),
                2 => chars.insert(at, with),
                _ => chars.truncate(at),
            }
        }
        chars.into_iter().collect()
    })
}

fn frames(messages: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![
        4 => broken(messages),
        1 => "\\PC{0,60}",
        1 => "[\\[\\]{}\":,0-9a-z\\\\ ]{0,200}",
        1 => (1..300_usize).prop_map(|deep| "[".repeat(deep)),
        1 => (1..300_usize).prop_map(|deep| {
            let args = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
            format!(r#"{{"type":"Mutation","requestId":1,"udfPath":"a:b","args":[{{"x":{args}}}]}}"#)
        }),
    ]
}

fn run<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value)) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    runner
        .run(&strategy, |value| {
            test(value);
            Ok(())
        })
        .unwrap();
}

#[test]
fn servers_end_what_they_do_not_understand_with_a_clear_text() {
    // 2,500 connections of 4 frames each.
    run(2_500, vec(frames(&FROM_CLIENTS), 4), |frames| {
        let client = ClientVersion::from_header("npm-1.48.0").unwrap();
        let mut session = Session::new(client, (), Timestamp(10), NOW);
        session.receive(CONNECT, NOW);
        for frame in frames {
            let readable = ClientMessage::parse(&frame).is_ok();
            session.receive(&frame, NOW);
            while let Some(effect) = session.next_effect() {
                match effect {
                    hull_sync::Effect::RunMutation { request, .. } => {
                        session.mutation_finished(request, Timestamp(10), Ok("null"), &[]);
                    }
                    hull_sync::Effect::Authenticate { .. } => session.authenticated((), NOW),
                    _ => {}
                }
            }
            let mut out = OutgoingFrames::new();
            session.flush(NOW, &mut out);
            for sent in out.iter() {
                match sent {
                    Outgoing::Text(text) => drop(ServerMessage::parse(text).unwrap()),
                    Outgoing::Close(close) => assert!(!close.reason.is_empty() && close.reason.len() <= 123),
                    Outgoing::Ping(_) => {}
                }
            }
            assert!(readable || session.is_closed(), "{frame}");
            if session.is_closed() {
                break;
            }
        }
    });
}

#[test]
fn clients_name_what_they_do_not_understand() {
    run(5_000, vec(frames(&FROM_SERVERS), 3), |frames| {
        let mut client = ClientSession::new(SessionId([1; 16]));
        client.subscribe("a:b", "{}");
        client.mutate("a:c", "{}");
        client.act("a:d", "{not json");
        client.connected(0);
        while client.next_message().is_some() {}
        for frame in frames {
            if let Err(error) = client.receive(&frame) {
                assert!(!error.to_string().is_empty() && !error.code().is_empty());
                client.disconnected(&error.to_string());
                client.connected(1);
            }
            while client.next_event().is_some() {}
        }
    });
}
