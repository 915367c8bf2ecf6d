//! Versions, query sets, identities: every Transition is a consistent snapshot.

use hull_sync::{Credential, Effect, NO_AUTH_PROVIDER, QueryResult};
use hull_value::{Packed, Timestamp};
use serde_json::json;
use std::sync::Arc;

use crate::harness::*;

#[test]
fn the_empty_query_set_of_every_new_socket_is_answered_from_zero() {
    let mut peer = Peer::connected();
    assert!(peer.hear().is_empty());
    peer.modify(0, &[], &[]);
    let transition = peer.hear_transition();
    assert_eq!((start(&transition), end(&transition)), ((0, 0, 0), (1, 0, 10)));
    assert_eq!(news(&transition), []);
    assert!(peer.hear().is_empty());
}

#[test]
fn transitions_are_a_chain() {
    let mut peer = Peer::connected();
    peer.modify(0, &[1], &[]);
    let id = peer.subscribed()[0];
    peer.step(11, &[(id, "1")]);
    let mut last = end(&peer.hear_transition());
    for ts in 12..20 {
        peer.step(ts, &[(id, &ts.to_string())]);
        let transition = peer.hear_transition();
        assert_eq!(start(&transition), last);
        last = end(&transition);
        assert_eq!(last, (1, 0, ts));
    }
}

#[test]
fn a_query_set_is_reached_when_all_its_queries_have_results() {
    let mut peer = Peer::connected();
    peer.modify(0, &[1], &[]);
    peer.modify(1, &[2, 3], &[]);
    let ids = peer.subscribed();
    assert!(peer.hear().is_empty());
    peer.step(11, &[(ids[1], "2")]);
    assert!(peer.hear().is_empty(), "the first query has no result yet");
    peer.step(12, &[(ids[0], "1")]);
    let first = peer.hear_transition();
    assert_eq!((end(&first), news(&first)), ((1, 0, 12), vec![updated(1, "1")]));
    peer.step(13, &[(ids[2], "3")]);
    let second = peer.hear_transition();
    assert_eq!((end(&second), news(&second)), ((2, 0, 13), vec![updated(2, "2"), updated(3, "3")]));
}

#[test]
fn known_queries_move_on_while_a_new_one_is_slow() {
    let mut peer = Peer::connected();
    peer.modify(0, &[1], &[]);
    let fast = peer.subscribed()[0];
    peer.step(11, &[(fast, "1")]);
    peer.hear();
    peer.modify(1, &[2], &[]);
    let slow = peer.subscribed()[0];
    peer.step(12, &[(fast, "2")]);
    let transition = peer.hear_transition();
    assert_eq!((end(&transition), news(&transition)), ((1, 0, 12), vec![updated(1, "2")]));
    peer.step(13, &[(slow, "9")]);
    assert_eq!(end(&peer.hear_transition()), (2, 0, 13));
}

#[test]
fn only_what_changed_is_sent_and_steps_coalesce() {
    let mut peer = Peer::connected();
    peer.modify(0, &[1, 2], &[]);
    let ids = peer.subscribed();
    peer.step(11, &[(ids[0], "1"), (ids[1], "2")]);
    assert_eq!(news(&peer.hear_transition()), [updated(1, "1"), updated(2, "2")]);
    peer.step(12, &[(ids[0], "1")]);
    assert!(peer.hear().is_empty(), "an equal result is no news");
    peer.step(13, &[(ids[0], "5")]);
    peer.step(14, &[(ids[0], "6")]);
    peer.step(15, &[(ids[1], "7")]);
    let transition = peer.hear_transition();
    assert_eq!((end(&transition), news(&transition)), ((1, 0, 15), vec![updated(1, "6"), updated(2, "7")]));
    peer.step(16, &[(ids[0], "8")]);
    peer.step(17, &[(ids[0], "6")]);
    assert!(peer.hear().is_empty(), "there and back is no news");
}

#[test]
fn removed_queries_are_named_and_what_comes_late_is_ignored() {
    let mut peer = Peer::connected();
    peer.modify(0, &[1], &[]);
    let id = peer.subscribed()[0];
    peer.step(11, &[(id, "1")]);
    peer.hear();
    peer.modify(1, &[], &[1]);
    assert_eq!(peer.effects(), [Effect::Unsubscribe { subscription: id }]);
    peer.step(12, &[(id, "2")]);
    let transition = peer.hear_transition();
    assert_eq!((end(&transition), news(&transition)), ((2, 0, 12), vec![removed(1)]));
    // Added and removed before any Transition: only removed.
    peer.modify(2, &[7], &[]);
    peer.modify(3, &[], &[7]);
    let transition = peer.hear_transition();
    assert_eq!((end(&transition), news(&transition)), ((4, 0, 12), vec![removed(7)]));
}

#[test]
fn a_result_older_than_the_clients_version_waits_for_a_step() {
    let mut peer = Peer::connected();
    peer.modify(0, &[], &[]);
    peer.hear();
    peer.modify(1, &[1], &[]);
    let id = peer.subscribed()[0];
    peer.step(8, &[(id, "1")]);
    assert!(peer.hear().is_empty(), "timestamps never go back");
    assert_eq!(peer.session.wants_step(), Some(Timestamp(10)));
    peer.step(10, &[]);
    assert_eq!(end(&peer.hear_transition()), (2, 0, 10));
    assert_eq!(peer.session.wants_step(), None);
}

#[test]
fn misuse_of_versions_and_ids_ends_the_connection_so_that_the_client_starts_again() {
    let cases: [&dyn Fn(&mut Peer); 5] = [
        &|peer| peer.modify(1, &[], &[]),
        &|peer| peer.modify(0, &[1, 1], &[]),
        &|peer| peer.modify(0, &[], &[1]),
        &|peer| {
            peer.say(
                json!({"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 0, "modifications": []}),
            );
        },
        &|peer| peer.say(json!({"type": "Authenticate", "baseVersion": 1, "tokenType": "None"})),
    ];
    for case in cases {
        let mut peer = Peer::connected();
        case(&mut peer);
        let (messages, close) = peer.closed();
        assert!(messages.is_empty(), "no FatalError: the client must come back");
        assert_eq!(close.code, 1011);
        assert!(close.reason.starts_with("InternalServerError"));
    }
}

#[test]
fn authenticate_is_confirmed_by_a_transition_that_reruns_every_query() {
    let mut peer = Peer::connected();
    peer.modify(0, &[1], &[]);
    let first = peer.subscribed()[0];
    peer.step(11, &[(first, "1")]);
    peer.hear();
    peer.say(json!({"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": "n|s", "acting_as": {"a": 1}}));
    let credential = Credential::Admin { key: "n|s".into(), acting_as: Some("{\"a\":1}".into()) };
    assert_eq!(peer.effects(), [Effect::Authenticate { credential }]);
    peer.mutate(0);
    assert!(peer.effects().is_empty(), "what follows waits for the check");
    peer.session.authenticated("admin", instant(0));
    let effects = peer.effects();
    assert_eq!(effects[0], Effect::Unsubscribe { subscription: first });
    let Effect::Subscribe { subscription, identity: "admin", .. } = effects[1] else { panic!("{effects:?}") };
    assert!(matches!(effects[2], Effect::RunMutation { identity: "admin", .. }));
    peer.step(12, &[(first, "0")]);
    assert!(peer.hear().is_empty(), "no Transition while a query is not yet run as the new identity");
    peer.finish(0, 13);
    peer.step(13, &[(subscription, "1")]);
    let messages = peer.hear();
    assert_eq!(kinds(&messages), ["MutationResponse", "Transition"]);
    assert_eq!((end(&messages[1]), news(&messages[1])), ((1, 1, 13), vec![]));
}

#[test]
fn authenticate_none_also_raises_the_identity() {
    let mut peer = Peer::connected();
    peer.say(json!({"type": "Authenticate", "baseVersion": 0, "tokenType": "None"}));
    assert_eq!(end(&peer.hear_transition()), (0, 1, 10));
    peer.say(json!({"type": "Authenticate", "baseVersion": 1, "tokenType": "None"}));
    assert_eq!(end(&peer.hear_transition()), (0, 2, 10));
}

#[test]
fn a_refused_credential_is_an_auth_error_with_the_version_the_client_was_told() {
    let mut peer = Peer::connected();
    peer.say(json!({"type": "Authenticate", "baseVersion": 0, "tokenType": "None"}));
    peer.hear();
    peer.say(json!({"type": "Authenticate", "baseVersion": 1, "tokenType": "User", "value": "jwt"}));
    let credential = Credential::User { token: "jwt".into() };
    assert_eq!(peer.effects(), [Effect::Authenticate { credential }]);
    peer.session.authentication_failed(NO_AUTH_PROVIDER);
    let (messages, close) = peer.closed();
    assert_eq!(
        messages,
        [
            json!({"type": "AuthError", "error": NO_AUTH_PROVIDER, "baseVersion": 1, "authUpdateAttempted": true})
        ]
    );
    assert_eq!(close.code, 1000);
}

#[test]
fn an_expired_credential_is_told_as_not_attempted() {
    let mut peer = Peer::connected();
    peer.session.credential_expired("expired");
    let (messages, _) = peer.closed();
    assert_eq!(messages[0]["authUpdateAttempted"], json!(false));
}

#[test]
fn journals_come_in_go_out_and_survive_a_change_of_identity() {
    let mut peer = Peer::connected();
    let add = |id: u32, journal: serde_json::Value| json!({"type": "Add", "queryId": id, "udfPath": "m:q", "args": [{}], "journal": journal});
    peer.say(json!({"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1,
        "modifications": [add(1, json!("j1")), add(2, json!(null))]}));
    let effects = peer.effects();
    let Effect::Subscribe { subscription: one, journal: Some(journal), .. } = &effects[0] else { panic!() };
    assert_eq!(&**journal, "j1");
    let Effect::Subscribe { subscription: two, journal: None, .. } = &effects[1] else { panic!() };
    let result = |journal: Option<&str>| {
        Arc::new(QueryResult::updated(Packed::from_json("1").unwrap(), &[], journal.map(Into::into)))
    };
    peer.session.step(Timestamp(11), [(*one, result(Some("j2"))), (*two, result(None))]);
    let transition = peer.hear_transition();
    assert_eq!(transition["modifications"][0]["journal"], json!("j2"));
    assert!(transition["modifications"][1]["journal"].is_null());
    peer.session.step(Timestamp(12), [(*one, result(Some("j3")))]);
    assert!(peer.hear().is_empty(), "a journal alone is no news");
    peer.say(json!({"type": "Authenticate", "baseVersion": 0, "tokenType": "None"}));
    let journals = peer.effects().into_iter().filter_map(|effect| match effect {
        Effect::Subscribe { journal, .. } => Some(journal.map(|journal| journal.to_string())),
        _ => None,
    });
    assert_eq!(journals.collect::<Vec<_>>(), [Some("j3".to_owned()), None]);
}

#[test]
fn a_query_that_cannot_run_fails_alone() {
    let mut peer = Peer::connected();
    let add = |id: u32, path: &str, args: serde_json::Value| json!({"type": "Add", "queryId": id, "udfPath": path, "args": args});
    peer.say(json!({"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": [
        add(1, "my-mod:f", json!([{}])), add(2, "m:f", json!([5])), add(3, "m:f", json!([{"$x": 1}])), add(4, "m:f", json!([{}, {}])),
        add(5, "m.js", json!([])), {"type": "Add", "queryId": 6, "udfPath": "m:f", "args": [{}], "componentPath": "c"}]}));
    let effects = peer.effects();
    let [Effect::Subscribe { subscription, path, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(path.as_str(), "m:default");
    peer.step(11, &[(*subscription, "1")]);
    let transition = peer.hear_transition();
    let told: Vec<_> = news(&transition).into_iter().map(|(kind, id, _)| (kind, id)).collect();
    let failed = |id| ("QueryFailed".to_owned(), id);
    assert_eq!(told, [failed(1), failed(2), failed(3), failed(4), ("QueryUpdated".to_owned(), 5), failed(6)]);
    assert!(transition["modifications"][0].get("errorData").is_none());
    // A subscribed query keeps nothing of the failed ones waiting, and they can be removed.
    peer.modify(1, &[], &[1, 2]);
    peer.step(12, &[]);
    assert_eq!(news(&peer.hear_transition()), [removed(1), removed(2)]);
}

#[test]
fn clocks_are_told_both_or_not_at_all() {
    for (client_ts, skew) in [
        (json!(1_700_000_000_500_i64), Some(500)),
        (json!(1_699_999_999_000_i64), Some(-1000)),
        (json!(0), None),
        (json!(null), None),
    ] {
        let mut peer = Peer::new("npm-1.48.0");
        peer.say(
            json!({"type": "Connect", "connectionCount": 0, "sessionId": SESSION, "clientTs": client_ts}),
        );
        peer.modify(0, &[], &[]);
        peer.ms = 7;
        let transition = peer.hear_transition();
        match skew {
            Some(skew) => {
                assert_eq!(transition["clientClockSkew"], json!(skew));
                assert_eq!(transition["serverTs"], json!(1_700_000_000_007_000_000_u64));
            }
            None => {
                assert!(transition.get("clientClockSkew").is_none() && transition.get("serverTs").is_none());
            }
        }
    }
}

#[test]
fn a_large_transition_is_cut_for_those_who_can_put_it_together() {
    let large = format!("\"{}\"", "é".repeat(6_000_000));
    for (client, parts) in [("npm-1.28.0", 3), ("npm-1.27.0", 1), ("rust-0.10.4", 1)] {
        let mut peer = Peer::new(client);
        peer.connect();
        peer.modify(0, &[1, 2], &[]);
        let ids = peer.subscribed();
        peer.step(11, &[(ids[0], &large), (ids[1], "1")]);
        let messages = peer.hear();
        assert_eq!(messages.len(), parts, "{client}");
        let whole = if parts == 1 {
            messages[0].clone()
        } else {
            assert!(messages.iter().enumerate().all(|(at, chunk)| chunk["type"] == "TransitionChunk"
                && chunk["partNumber"] == at
                && chunk["totalParts"] == parts
                && chunk["transitionId"] == messages[0]["transitionId"]
                && chunk["chunk"].as_str().unwrap().len() <= 5_000_000));
            let text: String = messages.iter().map(|chunk| chunk["chunk"].as_str().unwrap()).collect();
            serde_json::from_str(&text).unwrap()
        };
        assert_eq!(news(&whole), [updated(1, &large), updated(2, "1")]);
    }
}
