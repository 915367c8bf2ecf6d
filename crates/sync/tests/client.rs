//! The client's half alone: how many requests it has under way, when one is done, and whose refusal counts.

// A test says that something is wrong by failing.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

use data_encoding::BASE64;
use hull_sync::{ClientError, ClientEvent, ClientSession, Credential, RequestOutcome, SessionId};
use serde_json::{Value, json};

fn client() -> ClientSession {
    let mut client = ClientSession::new(SessionId([7; 16]));
    client.connected(1);
    client
}

/// What the client sends, and the numbers of the requests in it.
fn sent(client: &mut ClientSession) -> (Vec<Value>, Vec<u64>) {
    let messages: Vec<Value> = std::iter::from_fn(|| client.next_message())
        .map(|text| serde_json::from_str(&text).unwrap())
        .collect();
    let requests = messages.iter().filter_map(|message| message["requestId"].as_u64()).collect();
    (messages, requests)
}

fn events(client: &mut ClientSession) -> Vec<ClientEvent> {
    std::iter::from_fn(|| client.next_event()).collect()
}

fn ts(ts: u64) -> String {
    BASE64.encode(&ts.to_le_bytes())
}

fn transition(client: &mut ClientSession, to: u64) {
    let start = client.version();
    let message = json!({
        "type": "Transition", "modifications": [],
        "startVersion": { "querySet": start.query_set, "identity": start.identity, "ts": ts(start.ts.0) },
        "endVersion": { "querySet": 1, "identity": start.identity, "ts": ts(to) },
    });
    client.receive(&message.to_string()).unwrap();
}

fn respond(client: &mut ClientSession, request: u32, at: u64) -> Result<(), ClientError> {
    let message = json!({
        "type": "MutationResponse", "requestId": request, "success": true, "result": request, "ts": ts(at),
        "logLines": [],
    });
    client.receive(&message.to_string())
}

fn finished(events: &[ClientEvent]) -> Vec<u32> {
    let request = |event: &ClientEvent| match event {
        ClientEvent::Finished { request, outcome: RequestOutcome::Value(_), .. } => Some(*request),
        _ => None,
    };
    events.iter().filter_map(request).collect()
}

#[test]
fn a_mutation_is_done_when_its_answer_and_a_transition_have_come_in_either_order() {
    let mut client = client();
    client.mutate("m:f", "{}");
    client.mutate("m:f", "{}");
    respond(&mut client, 0, 20).unwrap();
    transition(&mut client, 19);
    assert_eq!(finished(&events(&mut client)), [0; 0], "19 does not show what was written at 20");
    transition(&mut client, 20);
    assert_eq!(finished(&events(&mut client)), [0]);
    respond(&mut client, 1, 15).unwrap();
    assert_eq!(finished(&events(&mut client)), [1], "what was written at 15 is shown since 20");
}

#[test]
fn a_burst_is_sent_as_answers_come_also_after_a_reconnect() {
    let mut client = client();
    for _ in 0..1_000 {
        client.mutate("m:f", "{}");
    }
    let (_, first) = sent(&mut client);
    assert_eq!(first, (0..256).collect::<Vec<_>>());
    for request in 0..10 {
        respond(&mut client, request, 10).unwrap();
    }
    assert_eq!(sent(&mut client).1, (256..266).collect::<Vec<_>>());
    assert!(matches!(respond(&mut client, 5, 10), Err(ClientError::UnknownRequest(5))), "answered twice");
    assert!(matches!(respond(&mut client, 900, 10), Err(ClientError::UnknownRequest(900))), "not sent yet");
    transition(&mut client, 10);
    assert_eq!(finished(&events(&mut client)).len(), 10);

    client.disconnected("cut");
    client.connected(2);
    assert_eq!(sent(&mut client).1, (10..266).collect::<Vec<_>>());
    let mut done = 10;
    while client.has_unfinished() {
        respond(&mut client, done, 20).unwrap();
        transition(&mut client, 20);
        assert_eq!(finished(&events(&mut client)), [done]);
        done += 1;
    }
    assert_eq!(done, 1_000);
}

#[test]
fn large_arguments_are_sent_one_by_one() {
    let mut client = client();
    let args = json!({ "text": "x".repeat(12 << 20) }).to_string();
    for _ in 0..3 {
        client.mutate("m:f", &args);
    }
    assert_eq!(sent(&mut client).1, [0, 1], "the second goes while less than 16 MiB wait");
    respond(&mut client, 0, 10).unwrap();
    assert_eq!(sent(&mut client).1, [2]);
}

#[test]
fn the_refusal_of_a_credential_that_was_replaced_is_no_refusal() {
    let refusal = |base: u32| {
        json!({ "type": "AuthError", "error": "no", "baseVersion": base, "authUpdateAttempted": true })
            .to_string()
    };
    let mut client = client();
    client.authenticate(Credential::User { token: "old".into() });
    client.authenticate(Credential::User { token: "new".into() });
    client.receive(&refusal(0)).unwrap();
    assert_eq!(events(&mut client), []);
    client.receive(&refusal(1)).unwrap();
    assert_eq!(events(&mut client), [ClientEvent::Refused { error: "no".into() }]);
    // As when a token that was taken has expired.
    client.receive(&refusal(2)).unwrap();
    assert_eq!(events(&mut client).len(), 1);
}

#[test]
fn forgotten_requests_are_not_sent_again() {
    let mut client = client();
    client.mutate("m:f", "{}");
    client.disconnected("refused");
    client.forget_requests();
    client.connected(2);
    client.mutate("m:f", "{}");
    assert_eq!(sent(&mut client).1, [1]);
}
