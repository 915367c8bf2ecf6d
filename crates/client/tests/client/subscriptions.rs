//! Live queries: what a reader gets, and what several of them show together.

use futures::FutureExt;
use hull_client::Change;
use hull_sync::diff::{ValueHash, make};
use hull_value::Packed;
use serde_json::{Value, json};

use super::fake::{failed, pair, updated};
use super::functions::{add, count, names};

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_the_newest_result() {
    let (mut fake, client) = pair();
    let mut live = client.subscribe(count { user_id: "u".into() });
    let (mut peer, first) = fake.greet().await;
    let add = &first[1]["modifications"][0];
    assert_eq!((&add["udfPath"], &add["args"]), (&json!("m:count"), &json!([{ "userId": "u" }])));
    assert!(live.next().now_or_never().is_none());
    assert_eq!(live.newest(), None);
    peer.transition(1, 0, 1, vec![updated(&json!(0), json!(0.0))]).await;
    assert_eq!(live.next().await.unwrap(), Ok(0.0));
    for value in 1..=100 {
        peer.update(vec![updated(&json!(0), json!(value))]).await;
    }
    settle(&client, &mut peer).await;
    assert_eq!(live.next().await.unwrap(), Ok(100.0));
    assert!(live.next().now_or_never().is_none());
    peer.update(vec![updated(&json!(0), json!(100.0))]).await;
    settle(&client, &mut peer).await;
    assert!(live.next().now_or_never().is_none(), "an equal result is no news");
    assert_eq!(live.newest(), Some(Ok(100.0)));
}

/// Has the client process everything that was said.
async fn settle(client: &hull_client::Client, peer: &mut super::fake::Peer) {
    let call = client.mutation(add { by: 0.0 });
    let request = peer.hear_a("Mutation").await;
    let at = peer.version.2 + 1;
    peer.answer(&request, json!(0.0), at).await;
    peer.update(vec![]).await;
    call.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn errors_are_results_and_pass() {
    let (mut fake, client) = pair();
    let mut live = client.subscribe(count { user_id: "u".into() });
    let (mut peer, _) = fake.greet().await;
    peer.transition(1, 0, 1, vec![failed(&json!(0), "odd")]).await;
    assert_eq!(live.next().await.unwrap().unwrap_err().to_string(), "odd");
    peer.update(vec![updated(&json!(0), json!("two"))]).await;
    assert_eq!(live.next().await.unwrap().unwrap_err().code(), "DecodeError");
    peer.update(vec![updated(&json!(0), json!(2.0))]).await;
    assert_eq!(live.next().await.unwrap(), Ok(2.0));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_subscription_is_taken_back() {
    let (mut fake, client) = pair();
    let (mut peer, _) = fake.greet().await;
    let live = client.subscribe(names {});
    peer.hear_a("ModifyQuerySet").await;
    drop(live);
    assert_eq!(
        peer.hear_a("ModifyQuerySet").await["modifications"],
        json!([{ "type": "Remove", "queryId": 0 }])
    );
    // A result that was on its way is nobody's.
    peer.transition(2, 0, 1, vec![updated(&json!(0), json!(["late"]))]).await;
    settle(&client, &mut peer).await;
}

#[tokio::test(start_paused = true)]
async fn chunks_are_put_together() {
    let (mut fake, client) = pair();
    let mut live = client.subscribe(names {});
    let (mut peer, _) = fake.greet().await;
    let whole =
        peer.transition_message(1, 0, 9, vec![updated(&json!(0), json!(["é".repeat(50)]))]).to_string();
    let chars: Vec<char> = whole.chars().collect();
    let parts: Vec<String> = chars.chunks(40).map(|part| part.iter().collect()).collect();
    for (number, part) in parts.iter().enumerate() {
        peer.say(json!({
            "type": "TransitionChunk", "chunk": part, "partNumber": number, "totalParts": parts.len(), "transitionId": "t"
        }))
        .await;
        peer.say(json!({ "type": "Ping" })).await;
    }
    assert_eq!(live.next().await.unwrap(), Ok(vec!["é".repeat(50)]));
}

#[tokio::test]
async fn what_is_read_at_once_is_of_one_transition() {
    let (mut fake, client) = pair();
    let subscriptions: Vec<_> =
        (0..3).map(|at| client.subscribe(count { user_id: at.to_string() })).collect();
    let (mut peer, _) = fake.greet().await;
    let all = |value: u32| -> Vec<Value> { (0..3).map(|id| updated(&json!(id), json!(value))).collect() };
    peer.transition(1, 0, 1, all(0)).await;
    settle(&client, &mut peer).await;
    let reader = {
        let client = client.clone();
        std::thread::spawn(move || {
            let mut last = 0.0;
            while last < 2_000.0 {
                let read = client.at_once(|reading| {
                    subscriptions.iter().map(|one| reading.of(one).unwrap().unwrap()).collect::<Vec<f64>>()
                });
                assert!(
                    read.iter().all(|value| *value == read[0] && *value >= last),
                    "{read:?} after {last}"
                );
                last = read[0];
            }
        })
    };
    for value in 1..=2_000 {
        peer.update(all(value)).await;
    }
    settle(&client, &mut peer).await;
    reader.join().unwrap();
}

#[tokio::test(start_paused = true)]
async fn changes_are_from_what_was_shown_to_the_newest() {
    let (mut fake, client) = pair();
    let mut live = client.subscribe(names {}).changes();
    let (mut peer, _) = fake.greet().await;
    peer.transition(1, 0, 1, vec![updated(&json!(0), json!(["a", "b", "c"]))]).await;
    let first = live.next().await.unwrap().unwrap();
    assert_eq!((first.changes.as_slice(), first.value().unwrap().len()), (&[Change::Replaced][..], 3));
    peer.update(vec![updated(&json!(0), json!(["b", "c"]))]).await;
    peer.update(vec![updated(&json!(0), json!(["b", "x", "c"]))]).await;
    peer.update(vec![updated(&json!(0), json!(["b", "x", "c", "d"]))]).await;
    settle(&client, &mut peer).await;
    // The reader has seen none of the steps: what it is told takes it from the first list to the last.
    let update = live.next().await.unwrap().unwrap();
    let mut shown: Vec<String> = vec!["a".into(), "b".into(), "c".into()];
    for change in &update.changes {
        match *change {
            Change::Removed { index } => drop(shown.remove(index)),
            Change::Inserted { index } => shown.insert(index, update.element(index).unwrap().unwrap()),
            Change::Moved { from, to } => {
                let element = shown.remove(from);
                shown.insert(to, element);
            }
            Change::Updated { index } => shown[index] = update.element(index).unwrap().unwrap(),
            Change::Replaced => panic!("a list that stays is not replaced"),
        }
    }
    assert_eq!(shown, ["b", "x", "c", "d"]);
    assert!(update.element::<String>(4).is_none());

    peer.update(vec![failed(&json!(0), "odd")]).await;
    assert_eq!(live.next().await.unwrap().err().unwrap().to_string(), "odd");
    peer.update(vec![updated(&json!(0), json!(["b"]))]).await;
    assert_eq!(live.next().await.unwrap().unwrap().changes, [Change::Replaced]);
}

/// The diff of a query's results, with the hash of what comes out.
fn diff(query: u32, (base, old): (u64, &Value), (result, new): (u64, &Value)) -> Value {
    let packed = |value: &Value| Packed::from_json(&value.to_string()).unwrap();
    let made = make(&packed(old), &packed(new)).unwrap();
    let patch: Value = serde_json::from_str(&made.patch).unwrap();
    json!({
        "type": "QueryDiff", "queryId": query, "base": base, "result": result,
        "hash": ValueHash::of(packed(new).as_ref()).to_string(), "diff": patch, "logLines": [], "journal": null,
    })
}

#[tokio::test(start_paused = true)]
async fn a_diff_that_does_not_fit_is_never_shown_and_holds_back_what_follows() {
    let (mut fake, client) = pair();
    let mut live = client.subscribe(names {});
    let mut other = client.subscribe(count { user_id: "u".into() });
    let (mut peer, _) = fake.greet().await;
    let lists: Vec<Value> = (0..4).map(|at| json!(vec!["a name that is long enough"; 10 + at])).collect();
    let full = |at: usize| {
        let mut update = updated(&json!(0), lists[at].clone());
        update["result"] = json!(10 + at);
        update
    };
    peer.transition(1, 0, 1, vec![full(0), updated(&json!(1), json!(0.0))]).await;
    assert_eq!((live.next().await.unwrap().unwrap().len(), other.next().await.unwrap()), (10, Ok(0.0)));
    peer.update(vec![diff(0, (10, &lists[0]), (11, &lists[1]))]).await;
    assert_eq!(live.next().await.unwrap().unwrap().len(), 11);

    let mut call = client.mutation(add { by: 1.0 });
    let request = peer.hear_a("Mutation").await;
    peer.answer(&request, json!(1.0), peer.version.2 + 1).await;
    peer.update(vec![diff(0, (99, &lists[1]), (12, &lists[2])), updated(&json!(1), json!(1.0))]).await;
    assert_eq!(peer.hear_a("QueryResync").await["queryId"], 0);
    peer.update(vec![updated(&json!(1), json!(2.0))]).await;
    settle_connection(&mut peer).await;
    assert_eq!((live.newest().unwrap().unwrap().len(), other.newest()), (11, Some(Ok(0.0))));
    assert!((&mut call).now_or_never().is_none(), "what it wrote is not shown yet");
    peer.update(vec![full(3)]).await;
    assert_eq!(call.await, Ok(1.0));
    assert_eq!((live.newest().unwrap().unwrap().len(), other.newest()), (13, Some(Ok(2.0))));
}

/// Has the client hear everything that was said: it answers a ping behind it.
async fn settle_connection(peer: &mut super::fake::Peer) {
    peer.ping().await;
    peer.pong().await;
}
