//! Mutations: order, answers before and Transitions after, the queue, the window of idempotence.

use hull_sync::{Effect, Failure, FunctionPath};
use hull_value::Timestamp;
use serde_json::json;

use crate::harness::*;

#[test]
fn the_answer_comes_first_and_a_transition_that_reaches_it_follows() {
    let mut peer = Peer::connected();
    peer.mutate(0);
    assert_eq!(peer.running(), Some(0));
    peer.finish(0, 20);
    assert!(peer.hear().is_empty(), "not durable yet");
    peer.durable(19);
    assert!(peer.hear().is_empty());
    peer.durable(25);
    let messages = peer.hear();
    assert_eq!(kinds(&messages), ["MutationResponse", "Transition"]);
    assert_eq!(messages[0]["success"], json!(true));
    assert_eq!((start(&messages[1]), end(&messages[1])), ((0, 0, 0), (0, 0, 25)));
    assert!(peer.hear().is_empty());
}

#[test]
fn failed_and_read_only_mutations_are_followed_by_a_transition_too() {
    let mut peer = Peer::connected();
    peer.mutate(0);
    peer.running();
    peer.fail(0, 10);
    let messages = peer.hear();
    assert_eq!(kinds(&messages), ["MutationResponse", "Transition"]);
    assert!(messages[0].get("errorData").is_none() && messages[0].get("ts").is_none());
    assert_eq!(messages[0]["logLines"], json!([]));
    peer.mutate(1);
    peer.running();
    peer.finish(1, 10);
    let messages = peer.hear();
    assert_eq!(kinds(&messages), ["MutationResponse", "Transition"]);
    assert_eq!(
        (start(&messages[1]), end(&messages[1])),
        ((0, 0, 10), (0, 0, 10)),
        "the same version again is legal"
    );
    peer.mutate(2);
    peer.running();
    let failure = Failure::with_data("no", "null");
    peer.session.mutation_finished(2, Timestamp(10), Err(&failure), &["[LOG] 'x'".into()]);
    let messages = peer.hear();
    assert_eq!(kinds(&messages), ["MutationResponse", "Transition"]);
    assert!(messages[0].get("errorData").is_some_and(serde_json::Value::is_null), "null is data");
    assert_eq!(messages[0]["logLines"], json!(["[LOG] 'x'"]));
}

#[test]
fn with_subscriptions_the_transition_waits_for_a_step_that_reaches_the_answer() {
    let mut peer = Peer::connected();
    peer.modify(0, &[1], &[]);
    let id = peer.subscribed()[0];
    peer.step(11, &[(id, "1")]);
    peer.hear();
    peer.mutate(0);
    peer.running();
    assert_eq!(peer.session.wants_step(), None);
    peer.finish(0, 20);
    peer.durable(20);
    assert_eq!(kinds(&peer.hear()), ["MutationResponse"]);
    assert_eq!(peer.session.wants_step(), Some(Timestamp(20)));
    peer.step(19, &[]);
    assert!(peer.hear().is_empty());
    peer.step(20, &[(id, "2")]);
    let transition = peer.hear_transition();
    assert_eq!((end(&transition), news(&transition)), ((1, 0, 20), vec![updated(1, "2")]));
    assert_eq!(peer.session.wants_step(), None);
}

#[test]
fn an_answer_after_its_group_was_delivered_asks_for_a_transition_itself() {
    let mut peer = Peer::connected();
    peer.modify(0, &[1], &[]);
    let id = peer.subscribed()[0];
    peer.step(11, &[(id, "1")]);
    peer.hear();
    peer.mutate(0);
    peer.running();
    // The group's step arrives before the mutation is reported.
    peer.step(20, &[(id, "2")]);
    assert!(peer.hear().is_empty(), "the step may hold what the running mutation wrote");
    peer.finish(0, 20);
    let messages = peer.hear();
    assert_eq!(kinds(&messages), ["MutationResponse", "Transition"]);
    assert_eq!(end(&messages[1]), (1, 0, 20));
}

#[test]
fn a_stream_of_mutations_does_not_hold_transitions_back() {
    let mut peer = Peer::connected();
    peer.modify(0, &[1], &[]);
    let id = peer.subscribed()[0];
    peer.step(11, &[(id, "0")]);
    peer.hear();
    for request in 0..50 {
        peer.mutate(request);
    }
    let mut told = 0;
    for request in 0..50 {
        assert_eq!(peer.running(), Some(request), "the next starts when the last is ordered");
        let ts = 20 + u64::from(request) * 10;
        if request > 0 {
            peer.step(ts - 5, &[(id, &request.to_string())]);
        }
        told += peer.hear().iter().filter(|message| message["type"] == "Transition").count();
        peer.finish(request, ts);
        let messages = peer.hear();
        told += messages.iter().filter(|message| message["type"] == "Transition").count();
    }
    assert!(told >= 49, "{told}");
}

#[test]
fn one_transition_answers_for_all_that_were_written_with_it() {
    let mut peer = Peer::connected();
    for request in 0..5 {
        peer.mutate(request);
    }
    for request in 0..5 {
        assert_eq!(peer.running(), Some(request));
        peer.finish(request, 20 + u64::from(request));
    }
    peer.durable(22);
    let messages = peer.hear();
    assert_eq!(kinds(&messages), ["MutationResponse", "MutationResponse", "MutationResponse", "Transition"]);
    assert_eq!(end(&messages[3]), (0, 0, 22), "not at or past the answers that wait");
    peer.durable(30);
    let messages = peer.hear();
    assert_eq!(kinds(&messages), ["MutationResponse", "MutationResponse", "Transition"]);
}

#[test]
fn mutations_run_one_at_a_time_in_order() {
    let mut peer = Peer::connected();
    for request in [5, 3, 9] {
        peer.mutate(request);
    }
    for request in [5, 3, 9] {
        assert_eq!(peer.running(), Some(request));
        assert_eq!(peer.running(), None);
        peer.finish(request, 10);
    }
    // What was not running is not answered.
    peer.finish(9, 10);
    peer.finish(77, 10);
    assert_eq!(
        kinds(&peer.hear()),
        ["MutationResponse", "MutationResponse", "MutationResponse", "Transition"]
    );
}

#[test]
fn a_mutation_with_a_bad_path_or_bad_arguments_fails_alone_and_in_turn() {
    let mut peer = Peer::connected();
    peer.mutate(0);
    peer.say(json!({"type": "Mutation", "requestId": 1, "udfPath": "my-mod:f", "args": [{}]}));
    peer.say(json!({"type": "Mutation", "requestId": 2, "udfPath": "m:f", "args": "x"}));
    peer.say(json!({"type": "Mutation", "requestId": 3, "udfPath": "m:f"}));
    peer.say(
        json!({"type": "Mutation", "requestId": 4, "udfPath": "m:f", "args": [{}], "componentPath": "c"}),
    );
    peer.mutate(5);
    assert_eq!(peer.running(), Some(0));
    peer.finish(0, 20);
    assert_eq!(peer.running(), Some(5));
    peer.durable(20);
    let messages = peer.hear();
    let answered: Vec<_> =
        messages.iter().map(|message| (&message["requestId"], &message["success"])).collect();
    assert_eq!(messages.len(), 6);
    assert_eq!(answered[0], (&json!(0), &json!(true)));
    for (at, answer) in answered.iter().enumerate().take(5).skip(1) {
        assert_eq!(*answer, (&json!(at), &json!(false)));
    }
    assert_eq!(end(&messages[5]), (0, 0, 20));
}

#[test]
fn the_queue_is_bounded() {
    let mut peer = Peer::connected();
    for request in 0..1_001 {
        peer.mutate(request);
        if request == 0 {
            assert_eq!(peer.running(), Some(0));
        }
    }
    assert!(peer.hear().is_empty());
    peer.mutate(1_001);
    let (_, close) = peer.closed();
    assert_eq!(close.code, 1013);
    assert!(close.reason.starts_with("TooManyConcurrentRequests"));
    assert_eq!(peer.running(), None, "what was queued is dropped: the client asks again");
}

#[test]
fn a_ping_follows_at_least_every_256_answers_and_a_slot_waits_for_its_pong() {
    let mut peer = Peer::connected();
    peer.modify(0, &[], &[]);
    peer.hear();
    for request in 0..1_024 {
        peer.mutate(request);
        assert_eq!(peer.running(), Some(request));
        peer.finish(request, 10);
        if request % 100 == 0 {
            peer.hear();
        }
    }
    peer.hear();
    assert_eq!(peer.pings.len(), 3);
    peer.mutate(1_024);
    assert_eq!(peer.running(), None, "slot 0 holds an answer that is not confirmed");
    // The first ping confirms 301 answers: those written by the first flush that had 256.
    let first = peer.pings.remove(0);
    peer.session.receive_pong(b"keep-aliv", instant(0));
    peer.session.receive_pong(b"12345678", instant(0));
    assert_eq!(peer.running(), None, "a pong of no ping of ours confirms nothing");
    peer.session.receive_pong(&first, instant(0));
    assert_eq!(peer.running(), Some(1_024));
    peer.finish(1_024, 10);
    for request in 1_025..1_325 {
        peer.mutate(request);
        assert_eq!(peer.running(), Some(request));
        peer.finish(request, 10);
    }
    peer.mutate(1_325);
    assert_eq!(peer.running(), None);
    peer.pong();
    assert_eq!(peer.running(), Some(1_325));
}

/// A client asks again for a mutation whose answer it has, until a Transition has reached it.
#[test]
fn a_slot_is_kept_until_a_transition_has_reached_its_answer() {
    let mut peer = Peer::connected();
    peer.modify(0, &[1], &[]);
    let id = peer.subscribed()[0];
    peer.step(11, &[(id, "1")]);
    peer.hear();
    for request in 0..1_024 {
        peer.mutate(request);
        assert_eq!(peer.running(), Some(request));
        peer.finish(request, 20 + u64::from(request));
    }
    peer.mutate(1_024);
    peer.durable(2_000);
    let messages = peer.hear();
    assert!(messages.len() == 1_024 && messages.iter().all(|message| message["type"] == "MutationResponse"));
    peer.ms = 5_000;
    peer.hear();
    peer.pong();
    assert_eq!(peer.running(), None, "no Transition has reached any answer");
    peer.step(19 + 512, &[]);
    assert_eq!(end(&peer.hear_transition()), (1, 0, 531));
    assert_eq!(peer.pings.len(), 1);
    peer.pong();
    assert_eq!(peer.running(), Some(1_024));
    peer.finish(1_024, 1_500);
    for request in 1_025..1_024 + 512 {
        peer.mutate(request);
        assert_eq!(peer.running(), Some(request));
        peer.finish(request, 1_500);
    }
    peer.mutate(1_024 + 512);
    assert_eq!(peer.running(), None, "answer 512 was at 532");
}

#[test]
fn a_mutation_that_waits_for_its_slot_asks_for_the_pong() {
    let mut peer = Peer::connected();
    peer.mutate(7);
    peer.running();
    peer.finish(7, 10);
    peer.hear();
    assert!(peer.pings.is_empty());
    peer.mutate(7 + 1_024);
    assert_eq!(peer.running(), None);
    peer.hear();
    assert_eq!(peer.pings.len(), 1);
    peer.hear();
    assert_eq!(peer.pings.len(), 1, "once is enough");
    peer.pong();
    assert_eq!(peer.running(), Some(7 + 1_024));
}

#[test]
fn actions_are_answered_without_a_transition() {
    let mut peer = Peer::connected();
    peer.say(json!({"type": "Action", "requestId": 0, "udfPath": "dir/m.js:act", "args": [{}]}));
    let effects = peer.effects();
    let [Effect::RunAction { request: 0, path, .. }] = &effects[..] else { panic!("{effects:?}") };
    peer.session.action_finished(0, Err(&Failure::not_found(path)), &[]);
    let messages = peer.hear();
    assert_eq!(
        messages,
        [json!({"type": "ActionResponse", "requestId": 0, "success": false, "logLines": [],
            "result": "Could not find public function for 'dir/m:act'."})]
    );
    let default = FunctionPath::parse("m").unwrap();
    assert_eq!(Failure::not_found(&default).message, "Could not find public function for 'm'.");
}

#[test]
fn nothing_runs_and_nothing_is_said_after_the_end() {
    let mut peer = Peer::connected();
    peer.mutate(0);
    assert_eq!(peer.running(), Some(0));
    peer.mutate(1);
    peer.modify(0, &[1], &[]);
    peer.session.close(hull_sync::Close::going_away());
    assert!(peer.effects().is_empty());
    peer.finish(0, 10);
    peer.mutate(2);
    let (messages, close) = peer.closed();
    assert!(messages.is_empty());
    assert_eq!(close.code, 1001);
}

#[test]
fn many_answers_pass_through_one_buffer() {
    let mut peer = Peer::connected();
    let long = format!("\"{}\"", "x".repeat(10_000));
    let (mut answered, mut next) = (0, 0);
    for round in 0..200_u64 {
        for _ in 0..3 {
            peer.mutate(next);
            assert_eq!(peer.running(), Some(next));
            peer.session.mutation_finished(next, Timestamp(100 + round), Ok(&long), &[]);
            next += 1;
        }
        peer.durable(100 + round - 1);
        for message in peer.hear() {
            if message["type"] == "MutationResponse" {
                assert_eq!(message["requestId"], json!(answered));
                answered += 1;
            }
        }
        if !peer.pings.is_empty() {
            peer.pong();
        }
    }
    assert_eq!(answered, 597);
}
