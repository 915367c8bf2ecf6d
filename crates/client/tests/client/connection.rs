//! Connecting, reconnecting, and the end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use hull_client::{CallError, Client, ConnectError, ConnectionState};
use serde_json::json;

use super::fake::{failed, pair, ts, updated};
use super::functions::{add, count, send_mail};

#[tokio::test(start_paused = true)]
async fn the_first_words_name_the_client_and_a_random_session() {
    let (mut fake, _client) = pair();
    let (peer, first) = fake.greet().await;
    let version = concat!("hull-", env!("CARGO_PKG_VERSION"));
    let asked = ("/api/sync?diffs=1".to_owned(), Some("hull.test".to_owned()), Some(version.to_owned()));
    assert_eq!(peer.asked, asked);
    assert_eq!(first.len(), 2, "{first:?}");
    assert_eq!((&first[0]["type"], &first[0]["connectionCount"]), (&json!("Connect"), &json!(0)));
    assert_eq!(first[0]["maxObservedTimestamp"], json!(null));
    assert_eq!(first[1]["modifications"], json!([]));
    let session = first[0]["sessionId"].as_str().unwrap();
    assert_eq!((session.len(), &session[14..15]), (36, "4"), "{session}");

    let (mut other, _client) = pair();
    assert_ne!(other.greet().await.1[0]["sessionId"], session);
}

#[tokio::test(start_paused = true)]
async fn everything_is_asked_for_again_under_the_same_numbers() {
    let (mut fake, client) = pair();
    let mut one = client.subscribe(count { user_id: "one".into() });
    let dropped = client.subscribe(count { user_id: "two".into() });
    let mut three = client.subscribe(count { user_id: "three".into() });
    let first = client.mutation(add { by: 1.0 });
    let second = client.mutation(add { by: 2.0 });
    let (mut peer, before) = fake.greet().await;
    assert_eq!(before[1]["modifications"].as_array().unwrap().len(), 3);
    let requests = [peer.hear_a("Mutation").await, peer.hear_a("Mutation").await];
    let mut changes =
        vec![updated(&json!(0), json!(1.0)), updated(&json!(1), json!(2.0)), failed(&json!(2), "not there")];
    changes[0]["journal"] = json!("the first's");
    peer.transition(1, 0, 40, changes).await;
    peer.answer(&requests[0], json!(1.0), 50).await;
    assert_eq!(one.next().await.unwrap(), Ok(1.0));
    assert_eq!(three.next().await.unwrap().unwrap_err().to_string(), "not there");
    drop(dropped);
    peer.hear_a("ModifyQuerySet").await;
    drop(peer);

    // Answered at 50, but nothing has shown 50 yet: it is asked for again.
    let (mut peer, again) = fake.greet().await;
    assert_eq!(again[0]["sessionId"], before[0]["sessionId"]);
    assert_eq!(again[0]["connectionCount"], 1);
    assert_eq!(again[0]["maxObservedTimestamp"], ts(40));
    let mut expected = before[1].clone();
    expected["modifications"].as_array_mut().unwrap().remove(1);
    expected["modifications"][0]["journal"] = json!("the first's");
    assert_eq!(again[1], expected);
    for request in &requests {
        assert_eq!(peer.hear().await, *request);
        peer.answer(request, json!(request["requestId"].as_f64()), 50).await;
    }
    peer.transition(1, 0, 60, vec![updated(&json!(0), json!(1.0)), updated(&json!(2), json!(3.0))]).await;
    assert_eq!((first.await, second.await), (Ok(0.0), Ok(1.0)));
    assert_eq!(three.next().await.unwrap(), Ok(3.0));
    assert!(one.next().now_or_never().is_none(), "1 is no news");
}

#[tokio::test(start_paused = true)]
async fn an_action_under_way_is_lost_and_one_that_was_not_sent_is_not() {
    let (mut fake, client) = pair();
    let lost = client.action(send_mail { to: "a".into() });
    let (mut peer, _) = fake.greet().await;
    peer.hear_a("Action").await;
    fake.away.store(true, Ordering::Relaxed);
    peer.close(1011, "InternalServerError: try again").await;
    let error = lost.await.unwrap_err();
    assert_eq!(error, CallError::Lost("InternalServerError: try again".into()));
    assert_eq!(error.code(), "ConnectionLost");

    let waiting = client.action(send_mail { to: "b".into() });
    fake.away.store(false, Ordering::Relaxed);
    let (mut peer, first) = fake.greet().await;
    assert_eq!(first[0]["lastCloseReason"], "InternalServerError: try again");
    let request = peer.hear_a("Action").await;
    assert_eq!((&request["requestId"], &request["args"]), (&json!(1), &json!([{ "to": "b" }])));
    let answer =
        json!({ "type": "ActionResponse", "requestId": 1, "success": true, "result": null, "logLines": [] });
    peer.say(answer).await;
    assert_eq!(waiting.await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_state_tells_of_a_server_that_is_away() {
    let (mut fake, client) = pair();
    fake.away.store(true, Ordering::Relaxed);
    let mut state = client.connection();
    let mut pauses = Vec::new();
    while pauses.len() < 12 {
        state.changed().await.unwrap();
        if let ConnectionState::Waiting { error, pause } = state.borrow_and_update().clone() {
            assert!(error.contains("refused"), "{error}");
            pauses.push(pause.as_secs_f64());
        }
    }
    assert!((0.05..=0.15).contains(&pauses[0]), "{pauses:?}");
    assert!(pauses[8..].iter().all(|pause| (7.5..=22.5).contains(pause)), "{pauses:?}");
    fake.away.store(false, Ordering::Relaxed);
    let _peer = fake.greet().await;
    state.wait_for(|state| *state == ConnectionState::Connected).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn pauses_begin_anew_only_when_the_server_has_answered() {
    let (mut fake, client) = pair();
    let mut state = client.connection();
    let mut pause = async |fake: &mut super::fake::Fake, answers: bool| {
        let (mut peer, _) = fake.greet().await;
        peer.transition(u32::from(answers), 0, 1, vec![]).await;
        peer.close(1013, "TooManyConcurrentRequests").await;
        let waiting = |state: &ConnectionState| matches!(state, ConnectionState::Waiting { .. });
        let state = state.wait_for(waiting).await.unwrap().clone();
        match state {
            ConnectionState::Waiting { pause, .. } => pause.as_secs_f64(),
            other => panic!("{other:?}"),
        }
    };
    for range in [0.5..=1.5, 1.0..=3.0, 2.0..=6.0, 4.0..=12.0] {
        let pause = pause(&mut fake, false).await;
        assert!(range.contains(&pause), "{pause} is not in {range:?}");
    }
    let pause = pause(&mut fake, true).await;
    assert!(pause <= 1.5, "{pause}");
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_lost_connection_and_a_ping_is_none() {
    let (mut fake, _client) = pair();
    let (mut peer, _) = fake.greet().await;
    for round in 0..10 {
        tokio::time::advance(Duration::from_secs(25)).await;
        if round % 2 == 0 {
            peer.ping().await
        } else {
            peer.say(json!({ "type": "Ping" })).await
        }
        tokio::task::yield_now().await;
    }
    let before = tokio::time::Instant::now();
    let (_peer, first) = fake.greet().await;
    assert_eq!(first[0]["connectionCount"], 1);
    assert_eq!(first[0]["lastCloseReason"], "the server is silent");
    assert!(before.elapsed() >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_breaks_the_rules_is_asked_again() {
    let (mut fake, client) = pair();
    let mut live = client.subscribe(count { user_id: "u".into() });
    for nonsense in [
        json!("text"),
        json!({ "type": "Unheard" }),
        json!({ "type": "MutationResponse", "requestId": 7, "success": true, "result": 1, "ts": ts(1), "logLines": [] }),
    ] {
        let (mut peer, _) = fake.greet().await;
        peer.say(nonsense).await;
        assert!(peer.frame().await.is_none());
    }
    let (mut peer, _) = fake.greet().await;
    peer.version = (5, 5, 5);
    peer.transition(6, 5, 6, vec![updated(&json!(0), json!(666.0))]).await;
    let (mut peer, _) = fake.greet().await;
    peer.transition(1, 0, 9, vec![updated(&json!(0), json!(1.0))]).await;
    assert_eq!(live.next().await.unwrap(), Ok(1.0));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_ends_the_connection_after_what_was_asked() {
    let (mut fake, client) = pair();
    let (mut peer, _) = fake.greet().await;
    let subscription = client.clone().subscribe(count { user_id: "u".into() });
    let call = client.mutation(add { by: 1.0 });
    drop(client);
    let query = peer.hear_a("ModifyQuerySet").await;
    let request = peer.hear_a("Mutation").await;
    drop(subscription);
    let gone = peer.hear_a("ModifyQuerySet").await;
    assert_eq!(gone["modifications"][0]["queryId"], query["modifications"][0]["queryId"]);
    // The call alone keeps the client alive.
    peer.answer(&request, json!(1.0), 5).await;
    peer.transition(3, 0, 5, vec![]).await;
    assert_eq!(call.await, Ok(1.0));
    assert!(peer.frame().await.is_none());
    assert!(fake.is_left_alone().await);

    let (mut fake, client) = pair();
    let (mut peer, _) = fake.greet().await;
    drop(client.mutation(add { by: 2.0 }));
    drop(client);
    assert_eq!(peer.hear_a("Mutation").await["args"], json!([{ "by": 2 }]));
    assert!(peer.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn after_a_fatal_error_nothing_is_tried_again() {
    let (mut fake, client) = pair();
    let mut live = client.subscribe(count { user_id: "u".into() });
    let call = client.mutation(add { by: 1.0 });
    let query = client.query(count { user_id: "v".into() });
    let (mut peer, _) = fake.greet().await;
    peer.say(json!({ "type": "FatalError", "error": "too old" })).await;
    let fatal = CallError::Fatal("too old".into());
    assert_eq!(call.await.unwrap_err(), fatal);
    assert_eq!(query.await.unwrap_err(), fatal);
    assert_eq!(live.next().await.unwrap().unwrap_err(), fatal);
    assert!(live.next().await.is_none());
    let mut state = client.connection();
    state.wait_for(|state| *state == ConnectionState::Stopped(fatal.clone())).await.unwrap();
    client.set_admin("name|secret");
    client.set_auth(|_| async { Some("token".to_owned()) });
    assert_eq!(client.mutation(add { by: 1.0 }).await.unwrap_err(), fatal);
    assert_eq!(client.subscribe(count { user_id: "u".into() }).next().await.unwrap().unwrap_err(), fatal);
    assert!(fake.is_left_alone().await);
}

#[test]
fn a_client_needs_a_url_and_a_runtime_and_ends_with_it() {
    assert!(matches!(Client::connect("127.0.0.1:3210"), Err(ConnectError::Url(_))));
    assert!(matches!(Client::connect("http://127.0.0.1:3210"), Err(ConnectError::NoRuntime)));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (fake, client) = runtime.block_on(async { pair() });
    let mut before = client.subscribe(count { user_id: "u".into() });
    let call = client.mutation(add { by: 1.0 });
    drop((runtime, fake));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        assert_eq!(call.await, Err(CallError::Ended));
        assert_eq!(before.next().await.unwrap(), Err(CallError::Ended));
        assert!(before.next().await.is_none());
        assert_eq!(client.mutation(add { by: 1.0 }).await, Err(CallError::Ended));
        let mut after = client.subscribe(count { user_id: "u".into() });
        assert_eq!(after.next().await.unwrap(), Err(CallError::Ended));
    });
}

#[tokio::test(start_paused = true)]
async fn what_a_server_says_instead_of_a_handshake_is_the_reason() {
    use tokio::io::AsyncWriteExt;
    let (mut fake, client) = pair();
    let mut stream = fake.stream().await;
    let body = r#"{"code":"Starting","message":"The server builds its indexes."}"#;
    let head = format!("HTTP/1.1 503 Service Unavailable\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes()).await.unwrap();
    let mut state = client.connection();
    let waiting = |state: &ConnectionState| matches!(state, ConnectionState::Waiting { .. });
    let reason = format!("{:?}", *state.wait_for(waiting).await.unwrap());
    assert!(reason.contains("503") && reason.contains("builds its indexes"), "{reason}");
    drop(stream);
    fake.greet().await;
}
