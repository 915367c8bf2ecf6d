//! Results told by what has changed in them, to a client that asks for it.

use std::sync::Arc;

use hull_sync::diff::{ValueHash, apply};
use hull_sync::{
    ClientSession, Credential, DiffCounts, Failure, QueryResult, QueryState, SessionId, SubscriptionId,
};
use hull_value::{Packed, Timestamp};
use serde_json::{Value, json};

use crate::harness::*;

fn peer() -> Peer {
    let mut peer = Peer::new("npm-1.48.0");
    peer.session.tell_diffs();
    peer.connect();
    peer
}

/// A peer with one query that was told this value; what it was told.
fn told(value: &str) -> (Peer, SubscriptionId, Value) {
    let mut peer = peer();
    peer.modify(0, &[1], &[]);
    let id = peer.subscribed()[0];
    peer.step(11, &[(id, value)]);
    let full = modification(&mut peer);
    assert_eq!(full["type"], "QueryUpdated");
    (peer, id, full)
}

fn modification(peer: &mut Peer) -> Value {
    let transition = peer.hear_transition();
    let [modification] = transition["modifications"].as_array().unwrap().as_slice() else {
        panic!("{transition}")
    };
    modification.clone()
}

/// A list of rows, of which one has this text.
fn rows(text: &str) -> String {
    let row = |n: u32| json!({ "_id": format!("k{n:031}"), "body": "as long as a row is", "n": n });
    let mut rows: Vec<Value> = (0..20).map(row).collect();
    rows[7]["body"] = json!(text);
    Value::from(rows).to_string()
}

/// Checks that a modification is a diff from `base` of this value to that one; its number.
fn check_diff(diff: &Value, base: &Value, old: &str, new: &str) -> Value {
    assert_eq!((&diff["type"], &diff["base"]), (&json!("QueryDiff"), base), "{diff}");
    let packed = |json: &str| Packed::from_json(json).unwrap();
    let value = apply(&packed(old), &packed(&diff["diff"].to_string())).unwrap();
    assert_eq!(value, packed(new));
    assert_eq!(diff["hash"], ValueHash::of(value.as_ref()).to_string());
    assert_eq!((&diff["logLines"], &diff["journal"]), (&json!([]), &Value::Null));
    assert!(diff.to_string().len() < new.len());
    diff["result"].clone()
}

#[test]
fn a_result_is_told_by_its_diff_from_the_one_before() {
    let (mut peer, id, full) = told(&rows("a"));
    assert!(full["result"].as_u64().unwrap() > 0);
    peer.step(12, &[(id, &rows("b"))]);
    let diff = modification(&mut peer);
    assert_eq!(diff["diff"], json!({ "list": [7, { "set": { "body": "b" } }, 12] }));
    let base = check_diff(&diff, &full["result"], &rows("a"), &rows("b"));
    // One that does not read meanwhile gets one diff from what it has.
    peer.step(13, &[(id, &rows("c"))]);
    peer.step(14, &[(id, &rows("d"))]);
    check_diff(&modification(&mut peer), &base, &rows("b"), &rows("d"));
    assert_eq!(peer.session.take_diff_counts(), DiffCounts { made: 2, told: 2 });
    assert_eq!(peer.session.take_diff_counts(), DiffCounts::default());
}

#[test]
fn what_is_shorter_in_full_is_told_in_full() {
    let (mut peer, id, _) = told("1");
    peer.step(12, &[(id, "2")]);
    assert_eq!(modification(&mut peer)["value"], 2);
    peer.step(13, &[(id, &rows("a"))]);
    assert_eq!(modification(&mut peer)["type"], "QueryUpdated");
    peer.step(14, &[(id, "[]")]);
    assert_eq!(modification(&mut peer)["value"], json!([]));
}

#[test]
fn the_base_is_what_the_client_was_told_also_when_an_equal_result_has_come() {
    let (mut peer, id, full) = told(&rows("a"));
    peer.step(12, &[(id, &rows("a"))]);
    assert!(peer.hear().is_empty());
    peer.step(13, &[(id, &rows("b"))]);
    let base = check_diff(&modification(&mut peer), &full["result"], &rows("a"), &rows("b"));
    // Back and forth unheard, then on.
    peer.step(14, &[(id, &rows("c"))]);
    peer.step(15, &[(id, &rows("b"))]);
    assert!(peer.hear().is_empty());
    peer.step(16, &[(id, &rows("d"))]);
    check_diff(&modification(&mut peer), &base, &rows("b"), &rows("d"));
}

#[test]
fn after_an_error_and_for_a_query_that_is_added_again_there_is_no_base() {
    let (mut peer, id, _) = told(&rows("a"));
    let failed = || Arc::new(QueryResult::failed(&Failure::new("no"), &[], None));
    peer.session.step(Timestamp(12), [(id, failed())]);
    let error = modification(&mut peer);
    assert_eq!((&error["type"], error.get("result")), (&json!("QueryFailed"), None));
    peer.step(13, &[(id, &rows("b"))]);
    assert_eq!(modification(&mut peer)["type"], "QueryUpdated");
    peer.modify(1, &[], &[1]);
    peer.modify(2, &[1], &[]);
    let id = peer.subscribed()[0];
    peer.step(14, &[(id, &rows("c"))]);
    let transition = peer.hear_transition();
    assert_eq!(news(&transition)[0], removed(1));
    assert_eq!(transition["modifications"][1]["type"], "QueryUpdated");
}

#[test]
fn a_new_identity_keeps_what_the_client_was_told() {
    let (mut peer, id, full) = told(&rows("a"));
    peer.say(json!({ "type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": "n|s" }));
    assert!(matches!(
        &peer.effects()[..],
        [hull_sync::Effect::Authenticate { credential: Credential::Admin { .. } }]
    ));
    peer.session.authenticated("admin", instant(0));
    let again = peer.subscribed()[0];
    assert_ne!(again, id);
    peer.step(12, &[(again, &rows("b"))]);
    check_diff(&modification(&mut peer), &full["result"], &rows("a"), &rows("b"));
}

#[test]
fn a_query_that_the_client_has_lost_is_told_in_full() {
    let resync = |peer: &mut Peer, query: u32| peer.say(json!({ "type": "QueryResync", "queryId": query }));
    let (mut peer, id, _) = told(&rows("a"));
    resync(&mut peer, 1);
    let transition = peer.hear_transition();
    assert_eq!(start(&transition), end(&transition), "though nothing is new");
    assert_eq!(news(&transition), [updated(1, &rows("a"))]);
    assert!(peer.hear().is_empty());

    // With a new result, and with one that equals the last.
    resync(&mut peer, 1);
    peer.step(12, &[(id, &rows("b"))]);
    assert_eq!(news(&peer.hear_transition()), [updated(1, &rows("b"))]);
    peer.step(13, &[(id, &rows("c"))]);
    resync(&mut peer, 1);
    peer.step(14, &[(id, &rows("b"))]);
    let full = modification(&mut peer);
    assert_eq!(full["value"].to_string(), rows("b"));
    peer.step(15, &[(id, &rows("c"))]);
    check_diff(&modification(&mut peer), &full["result"], &rows("b"), &rows("c"));

    // While the query runs again for another identity.
    peer.say(json!({ "type": "Authenticate", "baseVersion": 0, "tokenType": "None" }));
    resync(&mut peer, 1);
    assert!(peer.hear().is_empty());
    let id = peer.subscribed()[0];
    peer.step(16, &[(id, &rows("c"))]);
    assert_eq!(news(&peer.hear_transition()), [updated(1, &rows("c"))]);

    // One that is not in the set, and one that has no result yet.
    resync(&mut peer, 9);
    peer.modify(1, &[2], &[]);
    resync(&mut peer, 2);
    assert!(peer.hear().is_empty() && !peer.session.is_ending());
}

#[test]
fn a_diff_is_found_once_and_shared() {
    let (mut first, one, _) = told(&rows("a"));
    let (mut second, two, _) = told(&rows("a"));
    let shared: Vec<_> = ["b", "c", "d"].iter().map(|text| value_of(&rows(text))).collect();
    let mut heard = |step: usize, both: bool| {
        let ts = Timestamp(12 + step as u64);
        first.session.step(ts, [(one, Arc::clone(&shared[step]))]);
        second.session.step(ts, [(two, Arc::clone(&shared[step]))]);
        let heard = (modification(&mut first), both.then(|| modification(&mut second)));
        (heard, first.session.take_diff_counts(), second.session.take_diff_counts())
    };
    // They have equal results, but not the same one.
    let (_, one, two) = heard(0, true);
    assert_eq!((one.made, one.told, two.made, two.told), (1, 1, 1, 1));
    let ((a, b), one, two) = heard(1, false);
    assert_eq!((one.made, one.told, two.made, b), (1, 1, 0, None));
    // The second one has missed a step.
    let ((c, d), one, two) = heard(2, true);
    assert_eq!((one.made, one.told, two.made, two.told), (1, 1, 1, 1));
    let d = d.unwrap();
    assert_eq!((&c["base"], &d["base"]), (&a["result"], &a["base"]));
    assert_eq!((&c["result"], &c["hash"]), (&d["result"], &d["hash"]));

    // From here on they have the same.
    let last = value_of(&rows("e"));
    for peer in [&mut first, &mut second] {
        let id = SubscriptionId { query: 1, generation: 1 };
        peer.session.step(Timestamp(20), [(id, Arc::clone(&last))]);
    }
    assert_eq!(modification(&mut first), modification(&mut second));
    assert_eq!(first.session.take_diff_counts(), DiffCounts { made: 1, told: 1 });
    assert_eq!(second.session.take_diff_counts(), DiffCounts { made: 0, told: 1 });
}

#[test]
fn log_lines_alone_are_told_without_the_value() {
    let (mut peer, id, full) = told(&rows("a"));
    let value = Packed::from_json(&rows("a")).unwrap();
    let result = QueryResult::updated(value, &["[LOG] hello".into()], Some("j".into()));
    peer.session.step(Timestamp(12), [(id, Arc::new(result))]);
    let diff = modification(&mut peer);
    assert_eq!((&diff["base"], &diff["diff"]), (&full["result"], &json!({})));
    assert_eq!((&diff["logLines"], &diff["journal"]), (&json!(["[LOG] hello"]), &json!("j")));
}

#[test]
fn large_diffs_come_in_chunks() {
    let text = |letter: &str| letter.repeat(3_000_000);
    let value = |letter: &str| json!([text("a"), text(letter)]).to_string();
    let mut peer = peer();
    peer.modify(0, &[0, 1], &[]);
    let ids = peer.subscribed();
    let mut client = ClientSession::new(SessionId([1; 16]));
    let queries = [client.subscribe("m:q", "{}"), client.subscribe("m:q", "{}")];
    client.connected(0);
    for (ts, letter) in [(11, "b"), (12, "c")] {
        peer.step(ts, &[(ids[0], &value(letter)), (ids[1], &value(letter))]);
        let messages = peer.hear();
        assert_eq!(kinds(&messages), vec!["TransitionChunk"; if ts == 11 { 3 } else { 2 }]);
        messages.iter().for_each(|message| client.receive(&message.to_string()).unwrap());
        let shown = QueryState::Value(Packed::from_json(&value(letter)).unwrap());
        assert!(queries.iter().all(|query| client.result(*query) == Some(&shown)));
    }
    assert_eq!(peer.session.take_diff_counts().told, 2);
}
