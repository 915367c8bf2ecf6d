//! Connect, pings, silence, and messages that are none.

use hull_sync::{Effect, SessionId};
use serde_json::json;

use crate::harness::*;

#[test]
fn connect_says_who_it_is_and_may_come_late() {
    let mut peer = Peer::new("npm-1.48.0");
    for _ in 0..50 {
        peer.ms += 4_000;
        peer.session.receive_other(instant(peer.ms));
        assert!(peer.hear().iter().all(|message| message["type"] == "Ping"));
        assert_eq!(peer.close, None);
    }
    peer.say(json!({"type": "Connect", "sessionId": SESSION, "connectionCount": 3, "lastCloseReason": "x",
        "maxObservedTimestamp": "CgAAAAAAAAA=", "unknown": {"a": [1]}}));
    let session: SessionId = SESSION.parse().unwrap();
    let connected = Effect::Connected { session, connection_count: 3, last_close_reason: Some("x".into()) };
    assert_eq!(peer.effects(), [connected]);
}

#[test]
fn a_client_that_has_seen_the_future_is_sent_away() {
    let mut peer = Peer::new("npm-1.48.0");
    peer.say(json!({"type": "Connect", "sessionId": SESSION, "connectionCount": 0, "maxObservedTimestamp": "CwAAAAAAAAA="}));
    let (messages, close) = peer.closed();
    assert!(messages.is_empty());
    assert_eq!(close.code, 1011);
    assert!(close.reason.starts_with("InternalServerError"));
}

#[test]
fn an_app_ping_after_15_seconds_without_a_message() {
    let mut peer = Peer::connected();
    peer.ms = 14_999;
    assert!(peer.hear().is_empty());
    peer.ms = 15_000;
    assert_eq!(kinds(&peer.hear()), ["Ping"]);
    peer.ms = 29_000;
    peer.modify(0, &[], &[]);
    assert_eq!(kinds(&peer.hear()), ["Transition"]);
    peer.ms = 30_000;
    assert!(peer.hear().is_empty());
    peer.ms = 44_000;
    assert_eq!(kinds(&peer.hear()), ["Ping"]);
}

#[test]
fn a_worker_that_sleeps_as_long_as_it_is_told_pings_in_time() {
    let mut peer = Peer::connected();
    let (mut app, mut socket) = (Vec::new(), Vec::new());
    // It wakes up at 5,000; a message goes out at 6,200, in between.
    let mut wake = 5_000;
    while wake <= 50_000 {
        if peer.ms < 6_200 && 6_200 < wake {
            peer.ms = 6_200;
            peer.modify(0, &[], &[]);
            assert_eq!(kinds(&peer.hear()), ["Transition"]);
        }
        peer.ms = wake;
        wake += peer.session.next_flush_in(instant(peer.ms));
        let pings = peer.pings.len();
        if !peer.hear().is_empty() {
            app.push(peer.ms);
        }
        if peer.pings.len() > pings {
            socket.push(peer.ms);
        }
    }
    assert_eq!(app, [21_200, 36_200]);
    assert_eq!(socket, [5_000, 10_000, 15_000, 20_000, 25_000, 30_000, 35_000, 40_000, 45_000, 50_000]);
}

#[test]
fn a_socket_ping_every_5_seconds_and_the_end_after_120_of_silence() {
    let mut peer = Peer::connected();
    while peer.close.is_none() {
        peer.ms += 1_000;
        peer.hear();
    }
    assert_eq!((peer.ms, peer.pings.len()), (120_000, 24));
    assert!(peer.session.is_closed());

    let mut peer = Peer::connected();
    peer.session.receive_pong(&[], instant(1_000));
    assert!(!peer.session.is_silent(instant(120_999)));
    assert!(peer.session.is_silent(instant(121_000)), "also when nobody can flush");

    let mut peer = Peer::connected();
    for _ in 0..100 {
        peer.ms += 5_000;
        peer.hear();
        peer.pong();
    }
    assert_eq!(peer.close, None);
}

#[test]
fn messages_that_are_none_are_fatal_with_a_clear_text() {
    for text in [
        "",
        "{",
        "[]",
        "null",
        "5",
        "\"Connect\"",
        "{}",
        "{\"type\":5}",
        "{\"type\":\"Nope\"}",
        "{\"type\":\"Mutation\"}",
        "{\"type\":\"Mutation\",\"requestId\":-1,\"udfPath\":\"a\",\"args\":[]}",
        "{\"type\":\"Mutation\",\"requestId\":4294967296,\"udfPath\":\"a\",\"args\":[]}",
        "{\"type\":\"ModifyQuerySet\",\"baseVersion\":0,\"newVersion\":1}",
        "{\"type\":\"ModifyQuerySet\",\"baseVersion\":0,\"newVersion\":1,\"modifications\":[{\"type\":\"X\",\"queryId\":1}]}",
        "{\"type\":\"Authenticate\",\"baseVersion\":0,\"tokenType\":\"X\"}",
        "{\"type\":\"Authenticate\",\"baseVersion\":0,\"tokenType\":\"User\"}",
        "{\"type\":\"Connect\",\"connectionCount\":0,\"sessionId\":\"x\"}",
    ] {
        let mut peer = Peer::connected();
        peer.say_text(text);
        let (messages, close) = peer.closed();
        assert_eq!(kinds(&messages), ["FatalError"], "{text}");
        assert!(
            messages[0]["error"].as_str().unwrap().starts_with("not a message of the sync protocol"),
            "{text}"
        );
        assert_eq!(close.code, 1000);
    }
    let mut peer = Peer::connected();
    peer.say(json!({"type": "Mutation", "requestId": "é".repeat(1 << 20), "udfPath": "m:f", "args": [{}]}));
    let error = peer.closed().0[0]["error"].as_str().unwrap().to_owned();
    assert!(
        error.starts_with("not a message of the sync protocol: invalid type: string") && error.len() < 500
    );
}

#[test]
fn connect_comes_first_and_once() {
    let mut peer = Peer::new("npm-1.48.0");
    peer.say(json!({"type": "Event", "eventType": "ClientConnect", "event": [1]}));
    peer.modify(0, &[], &[]);
    assert_eq!(kinds(&peer.closed().0), ["FatalError"]);
    let mut peer = Peer::connected();
    peer.say(json!({"type": "Event", "eventType": "ClientReceivedTransition", "event": null}));
    assert!(peer.hear().is_empty());
    peer.say(json!({"type": "Connect", "connectionCount": 0, "sessionId": SESSION}));
    assert_eq!(kinds(&peer.closed().0), ["FatalError"]);
}

#[test]
fn binary_frames_end_the_connection() {
    let mut peer = Peer::connected();
    peer.session.receive_binary(instant(0));
    assert_eq!(peer.closed().1.code, 1003);
}

#[test]
fn what_waits_for_authentication_is_bounded() {
    let mut peer = Peer::connected();
    peer.say(json!({"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": "k"}));
    for _ in 0..1_000 {
        peer.say(json!({"type": "Event", "eventType": "x", "event": null}));
    }
    assert!(peer.hear().is_empty());
    peer.say(json!({"type": "Event", "eventType": "x", "event": null}));
    assert_eq!(peer.closed().1.code, 1013);
}
