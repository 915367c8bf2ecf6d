//! Who the client says it is, and what happens when the server does not believe it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hull_client::{CallError, Client, ConnectionState};
use serde_json::json;
use tokio::sync::Semaphore;

use super::fake::{pair, updated};
use super::functions::{add, count};

/// A provider whose tokens count up, with `r` for those that were asked to be fresh.
fn counting(client: &Client) -> Arc<AtomicU32> {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = asked.clone();
    client.set_auth(move |refresh| {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        async move { Some(format!("{}{number}", if refresh { "r" } else { "t" })) }
    });
    asked
}

#[tokio::test(start_paused = true)]
async fn the_token_comes_before_anything_is_asked() {
    let (mut fake, client) = pair();
    let asked = counting(&client);
    let mut live = client.subscribe(count { user_id: "u".into() });
    let (mut peer, first) = fake.greet().await;
    assert_eq!(
        first[1],
        json!({ "type": "Authenticate", "baseVersion": 0, "tokenType": "User", "value": "t0" })
    );
    peer.transition(1, 1, 10, vec![updated(&json!(0), json!(1.0))]).await;
    assert_eq!(live.next().await.unwrap(), Ok(1.0));
    drop(peer);
    let (_peer, again) = fake.greet().await;
    assert_eq!(again[1], first[1], "a token that was taken is shown again");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_called_after_set_auth_waits_for_the_token() {
    let (mut fake, client) = pair();
    let (mut peer, _) = fake.greet().await;
    let before = client.mutation(add { by: 1.0 });
    peer.hear_a("Mutation").await;
    let gate = Arc::new(Semaphore::new(0));
    let wait = gate.clone();
    client.set_auth(move |_| {
        let wait = wait.clone();
        async move { wait.acquire().await.ok().map(|_| "token".to_owned()) }
    });
    let after = client.mutation(add { by: 2.0 });
    let live = client.subscribe(count { user_id: "u".into() });
    // What is on its way is answered meanwhile.
    peer.answer(&json!({ "requestId": 0 }), json!(1.0), 5).await;
    peer.transition(1, 0, 5, vec![]).await;
    assert_eq!(before.await, Ok(1.0));
    gate.add_permits(1);
    peer.hear_a("Authenticate").await;
    assert_eq!(peer.hear_a("Mutation").await["args"], json!([{ "by": 2 }]));
    peer.hear_a("ModifyQuerySet").await;
    client.clear_auth();
    let nobody = peer.hear_a("Authenticate").await;
    assert_eq!((&nobody["tokenType"], &nobody["baseVersion"]), (&json!("None"), &json!(1)));
    drop((after, live));
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_refreshed_and_everything_goes_on() {
    let (mut fake, client) = pair();
    let asked = counting(&client);
    let call = client.mutation(add { by: 1.0 });
    let (mut peer, _) = fake.greet().await;
    peer.refuse(0).await;
    let (mut peer, first) = fake.greet().await;
    assert_eq!(first[1]["value"], "r1");
    let request = peer.hear_a("Mutation").await;
    peer.answer(&request, json!(1.0), 5).await;
    peer.transition(1, 1, 5, vec![]).await;
    assert_eq!(call.await, Ok(1.0));
    // It expires later: there is another one.
    peer.refuse(1).await;
    let (_peer, first) = fake.greet().await;
    assert_eq!(first[1]["value"], "r2");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn when_a_fresh_token_is_refused_too_everybody_is_told_until_there_is_another() {
    let (mut fake, client) = pair();
    let asked = counting(&client);
    let mut live = client.subscribe(count { user_id: "u".into() });
    let call = client.mutation(add { by: 1.0 });
    for _ in 0..2 {
        let (mut peer, _) = fake.greet().await;
        peer.refuse(0).await;
    }
    let refused = CallError::Refused("bad token".into());
    assert_eq!(call.await, Err(refused.clone()));
    assert_eq!(live.next().await.unwrap(), Err(refused.clone()));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert!(fake.is_left_alone().await);
    assert_eq!(*client.connection().borrow(), ConnectionState::Stopped(refused.clone()));
    assert_eq!(client.query(count { user_id: "u".into() }).await, Err(refused.clone()));
    let mut late = client.subscribe(count { user_id: "v".into() });
    assert_eq!(late.next().await.unwrap(), Err(refused));

    client.clear_auth();
    let call = client.mutation(add { by: 2.0 });
    let (mut peer, first) = fake.greet().await;
    assert_eq!(first.len(), 2, "nobody in particular: {first:?}");
    assert_eq!(first[1]["modifications"].as_array().unwrap().len(), 2);
    let request = peer.hear_a("Mutation").await;
    assert_eq!(request["args"], json!([{ "by": 2 }]), "what was reported as refused is not done");
    peer.answer(&request, json!(2.0), 5).await;
    peer.transition(1, 0, 5, vec![updated(&json!(0), json!(1.0))]).await;
    assert_eq!((call.await, live.next().await.unwrap()), (Ok(2.0), Ok(1.0)));
}

#[tokio::test(start_paused = true)]
async fn an_admin_key_is_not_tried_twice() {
    let (mut fake, client) = pair();
    client.set_admin("name|wrong");
    let call = client.mutation(add { by: 1.0 });
    let (mut peer, first) = fake.greet().await;
    assert_eq!((&first[1]["tokenType"], &first[1]["value"]), (&json!("Admin"), &json!("name|wrong")));
    peer.refuse(0).await;
    assert_eq!(call.await.unwrap_err().code(), "Unauthenticated");
    assert!(fake.is_left_alone().await);
    client.set_admin("name|right");
    assert_eq!(fake.greet().await.1[1]["value"], "name|right");
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_not_signed_in_is_nobody() {
    let (mut fake, client) = pair();
    client.set_auth(|_| async { None });
    let (_peer, first) = fake.greet().await;
    assert_eq!(first.len(), 2, "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn the_refusal_of_an_older_token_does_not_end_a_newer_one() {
    let (mut fake, client) = pair();
    client.set_admin("old");
    let (mut peer, _) = fake.greet().await;
    client.set_admin("new");
    assert_eq!(peer.hear_a("Authenticate").await["value"], "new");
    peer.refuse(0).await;
    drop(peer);
    assert_eq!(fake.greet().await.1[1]["value"], "new");
}
