//! Calls: when they end, and how.

use hull_client::CallError;
use hull_value::{Packed, Value};
use serde_json::json;

use super::fake::{pair, updated};
use super::functions::{add, count, elsewhere, names, send_mail};

#[tokio::test(start_paused = true)]
async fn a_mutation_ends_when_a_transition_shows_it() {
    let (mut fake, client) = pair();
    let live = client.subscribe(count { user_id: "u".into() });
    let (mut peer, _) = fake.greet().await;
    peer.transition(1, 0, 10, vec![updated(&json!(0), json!(0.0))]).await;
    let mut call = client.mutation(add { by: 1.0 });
    let request = peer.hear_a("Mutation").await;
    assert_eq!((&request["udfPath"], &request["args"]), (&json!("m:add"), &json!([{ "by": 1 }])));
    peer.answer(&request, json!(1.0), 20).await;
    peer.transition(1, 0, 19, vec![]).await;
    let mut probe = client.query(names {});
    let asked = peer.hear_a("ModifyQuerySet").await;
    let query = asked["modifications"][0]["queryId"].clone();
    peer.transition(2, 0, 19, vec![updated(&query, json!([]))]).await;
    assert_eq!((&mut probe).await, Ok(vec![]));
    assert!(futures::poll!(&mut call).is_pending(), "19 does not show what was written at 20");
    peer.hear_a("ModifyQuerySet").await;
    peer.transition(3, 0, 25, vec![updated(&json!(0), json!(1.0))]).await;
    assert_eq!(call.await, Ok(1.0));
    assert_eq!(live.newest(), Some(Ok(1.0)), "the caller sees what it wrote");

    // An answer after the Transition that shows it.
    let call = client.mutation(add { by: 1.0 });
    let request = peer.hear_a("Mutation").await;
    peer.transition(3, 0, 30, vec![updated(&json!(0), json!(2.0))]).await;
    peer.answer(&request, json!(2.0), 28).await;
    assert_eq!(call.await, Ok(2.0));
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_ends_at_once() {
    let (mut fake, client) = pair();
    let (mut peer, _) = fake.greet().await;
    let call = client.mutation(add { by: 1.0 });
    let request = peer.hear_a("Mutation").await;
    let mut answer = json!({
        "type": "MutationResponse", "requestId": request["requestId"], "success": false, "result": "closed",
        "errorData": { "code": { "$integer": "BwAAAAAAAAA=" } }, "logLines": ["[LOG] a line"],
    });
    peer.say(answer.clone()).await;
    let error = call.await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("FunctionFailed", "closed"));
    assert_eq!(error.data().unwrap().decode::<Value>().unwrap(), Value::object([("code", 7i64)]));

    let call = client.action(send_mail { to: "a".into() });
    answer["requestId"] = peer.hear_a("Action").await["requestId"].clone();
    answer["type"] = json!("ActionResponse");
    answer.as_object_mut().unwrap().remove("errorData");
    peer.say(answer).await;
    let error = call.await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.data()), ("closed", None));
}

#[tokio::test(start_paused = true)]
async fn a_query_is_asked_once_and_freshly() {
    let (mut fake, client) = pair();
    let (mut peer, _) = fake.greet().await;
    for (round, answer) in [json!(["a"]), json!(["a", "b"])].into_iter().enumerate() {
        let call = client.query(names {});
        let asked = peer.hear_a("ModifyQuerySet").await;
        assert_eq!(asked["modifications"][0]["udfPath"], "m:names");
        let query = asked["modifications"][0]["queryId"].clone();
        let set = 2 * round as u32 + 2;
        peer.transition(set, 0, 10, vec![updated(&query, answer.clone())]).await;
        assert_eq!(json!(call.await.unwrap()), answer);
        let over = peer.hear_a("ModifyQuerySet").await;
        assert_eq!(over["modifications"], json!([{ "type": "Remove", "queryId": query }]));
    }
    // One that fails, and one whose result is something else.
    let failing = client.query(count { user_id: "u".into() });
    let asked = peer.hear_a("ModifyQuerySet").await;
    let query = asked["modifications"][0]["queryId"].clone();
    peer.transition(6, 0, 11, vec![super::fake::failed(&query, "no such user")]).await;
    assert_eq!(failing.await.unwrap_err().to_string(), "no such user");
    peer.hear_a("ModifyQuerySet").await;
    let other = client.query(count { user_id: "u".into() });
    let asked = peer.hear_a("ModifyQuerySet").await;
    let query = asked["modifications"][0]["queryId"].clone();
    peer.transition(8, 0, 12, vec![updated(&query, json!("twelve"))]).await;
    let error = other.await.unwrap_err();
    assert_eq!(error.code(), "DecodeError");
    assert!(error.to_string().contains("expected float64, found string"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn calls_by_path_take_and_give_any_value() {
    let (mut fake, client) = pair();
    let (mut peer, _) = fake.greet().await;
    let args = Packed::from_json(r#"{"id":{"$integer":"AQAAAAAAAAA="},"x":-1.5}"#).unwrap();
    let call = client.mutation_at::<Packed>("a/b:c", args);
    let request = peer.hear_a("Mutation").await;
    assert_eq!(request["udfPath"], "a/b:c");
    assert_eq!(request["args"], json!([{ "id": { "$integer": "AQAAAAAAAAA=" }, "x": -1.5 }]));
    peer.answer(&request, json!({ "$bytes": "AAE=" }), 3).await;
    peer.transition(1, 0, 3, vec![]).await;
    assert_eq!(call.await.unwrap(), Packed::from_json(r#"{"$bytes":"AAE="}"#).unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_for_is_an_error_of_that_call_alone() {
    let (mut fake, client) = pair();
    let (mut peer, _) = fake.greet().await;
    assert_eq!(client.query(elsewhere {}).await, Err(CallError::UnknownPath("elsewhere")));
    let mut live = client.subscribe(elsewhere {});
    assert_eq!(live.next().await.unwrap().unwrap_err().code(), "FunctionNotRegistered");
    assert!(live.next().await.is_none());
    let nested = (0..80).fold(Value::Null, |value, _| Value::Array(vec![value]));
    let error = client.mutation_at::<()>("m:f", Value::object([("nested", nested)])).await.unwrap_err();
    assert!(matches!(error, CallError::Arguments(_)), "{error}");
    let call = client.mutation(add { by: 1.0 });
    assert_eq!(peer.hear_a("Mutation").await["requestId"], 0, "nothing was asked for before");
    drop(call);
}

#[tokio::test(start_paused = true)]
async fn both_sides_may_have_much_to_say_at_once() {
    let (mut fake, client) = pair();
    let mut live = client.subscribe(names {});
    let (mut peer, _) = fake.greet().await;
    let text = "x".repeat(4 << 20);
    let call = client.mutation_at::<()>("m:f", Value::object([("text", text.clone())]));
    // The server hears nothing before it has said all; each has more to say than the stream between them holds.
    peer.transition(1, 0, 5, vec![updated(&json!(0), json!([text]))]).await;
    let request = peer.hear_a("Mutation").await;
    assert_eq!(request["args"][0]["text"].as_str().unwrap().len(), text.len());
    peer.answer(&request, json!(null), 6).await;
    peer.update(vec![]).await;
    assert_eq!(call.await, Ok(()));
    assert_eq!(live.next().await.unwrap().unwrap()[0].len(), text.len());
}
