//! What a client that asks for too much, or never reads, can make a session hold.

use serde_json::json;

use crate::harness::*;

#[test]
fn queries_and_their_bytes_are_bounded() {
    let mut peer = Peer::connected();
    let many: Vec<u32> = (0..16_385).collect();
    peer.modify(0, &many, &[]);
    assert_eq!(peer.closed().1.code, 1013);

    let mut peer = Peer::connected();
    let large = "x".repeat(15 << 20);
    for id in 0..5 {
        let add = json!({"type": "Add", "queryId": id, "udfPath": "m:q", "args": [{"a": large}]});
        peer.say(json!({"type": "ModifyQuerySet", "baseVersion": id, "newVersion": id + 1, "modifications": [add]}));
    }
    assert_eq!(peer.closed().1.code, 1013);
}

#[test]
fn no_message_is_longer_than_the_client_takes() {
    // Text that takes six times as many bytes in JSON.
    let long = |mib: usize| format!("\"{}\"", "\\u0001".repeat((mib << 20) / 6));
    let mut peer = Peer::new("rust-0.10.4");
    peer.connect();
    peer.modify(0, &[0, 1, 2, 3], &[]);
    let queries = peer.subscribed();
    let results = [long(30), long(70), long(30), long(30)];
    let step: Vec<_> = queries.iter().copied().zip(results.iter().map(String::as_str)).collect();
    peer.step(20, &step);
    let told = |transition: &serde_json::Value| {
        assert!(transition.to_string().len() <= 64 << 20);
        let changes = transition["modifications"].as_array().unwrap().clone();
        changes
            .iter()
            .map(|one| (one["queryId"].as_u64().unwrap(), one["type"] == "QueryUpdated"))
            .collect::<Vec<_>>()
    };
    let first = peer.hear_transition();
    assert_eq!(told(&first), [(0, true), (2, true)]);
    let second = peer.hear_transition();
    assert_eq!(told(&second), [(1, false), (3, true)]);
    let error = second["modifications"][0]["errorMessage"].as_str().unwrap();
    assert!(error.contains("refuses messages of more than 67108864"), "{error}");
    assert!(peer.hear().is_empty());
    assert_eq!(first["endVersion"], second["startVersion"]);
    assert_eq!(second["startVersion"], second["endVersion"]);

    peer.mutate(0);
    assert_eq!(peer.running(), Some(0));
    peer.session.mutation_finished(0, hull_value::Timestamp(20), Ok(&long(70)), &[]);
    let answer = peer.hear().remove(0);
    assert_eq!(answer["success"], false);
    assert!(answer["result"].as_str().unwrap().starts_with("The mutation is done, but its answer"));

    let mut peer = Peer::connected();
    peer.modify(0, &[0], &[]);
    let queries = peer.subscribed();
    peer.step(20, &[(queries[0], &long(70))]);
    assert_eq!(peer.hear().len(), 15, "chunks have no such limit");
}

#[test]
fn changes_of_one_message_are_bounded() {
    let message = |changes: usize| {
        let mut peer = Peer::connected();
        let change = r#"{"type":"Remove","queryId":1}"#;
        let list = vec![change; changes].join(",");
        peer.say_text(&format!(
            r#"{{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":[{list}]}}"#
        ));
        peer.closed()
    };
    assert_eq!(message(65_536).1.code, 1011, "read, and refused for what it removes");
    let (messages, _) = message(65_537);
    assert!(messages[0]["error"].as_str().unwrap().contains("more than 65,536 changes"), "{messages:?}");
}

#[test]
fn changes_that_nobody_hears_are_bounded() {
    let mut peer = Peer::connected();
    let mut base = 0;
    while !peer.session.is_ending() {
        peer.modify(base, &[1], &[]);
        peer.modify(base + 1, &[], &[1]);
        peer.effects();
        base += 2;
        assert!(base < 40_000);
    }
    assert_eq!(peer.closed().1.code, 1013);
}

#[test]
fn actions_whose_answers_nobody_reads_are_bounded() {
    let mut peer = Peer::connected();
    for request in 0..1_001 {
        peer.say(json!({"type": "Action", "requestId": request, "udfPath": "m:f", "args": [{}]}));
        for effect in peer.effects() {
            if let hull_sync::Effect::RunAction { request, .. } = effect {
                peer.session.action_finished(request, Ok("null"), &[]);
            }
        }
    }
    assert_eq!(peer.closed().1.code, 1013);
}

#[test]
fn a_result_that_comes_and_goes_unheard_leaves_no_trace() {
    let mut peer = Peer::connected();
    peer.modify(0, &[1], &[]);
    let id = peer.subscribed()[0];
    peer.step(11, &[(id, "1")]);
    peer.hear();
    for round in 0..100 {
        peer.step(12 + 2 * round, &[(id, "2")]);
        peer.step(13 + 2 * round, &[(id, "1")]);
    }
    assert!(peer.hear().is_empty());
    peer.step(300, &[(id, "2")]);
    assert_eq!(news(&peer.hear_transition()), [updated(1, "2")]);
}
