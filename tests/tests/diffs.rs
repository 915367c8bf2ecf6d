//! A client that asks for it is told what changed in a result; what is told is found once for all who listen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

use hull::client::Client;
use hull_sync::diff::{ValueHash, apply};
use hull_value::Packed;
use serde_json::{Value, json};
use tests::app::{app, messages};
use tests::server::Server;
use tests::wire::Wire;

fn counter(server: &Server, name: &str) -> u64 {
    let metrics = server.get("/metrics").unwrap_or_default();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{metrics}")).parse().unwrap()
}

fn packed(value: &Value) -> Packed {
    Packed::from_json(&value.to_string()).unwrap()
}

#[tokio::test]
async fn subscribers_are_told_what_changed_and_share_the_work() {
    let server = Server::start();
    let mut writer = Wire::open(&server).await.unwrap();
    let say = |body: String| json!({ "channel": "general", "body": body });
    for n in 0..30 {
        writer.call("messages:send", say(format!("message number {n}, about as long as messages are"))).await;
    }
    let mut plain = Wire::open(&server).await.unwrap();
    let mut with_diffs = Vec::new();
    for path in ["/api/1.48.0/sync?diffs=1", "/api/sync?other=2&diffs=1"] {
        with_diffs.push(Wire::open_at(&server, path).await.unwrap());
    }
    let channel = json!({ "channel": "general" });
    plain.subscribe("messages:list", channel.clone()).await.unwrap();
    let full = plain.result(0).await.unwrap();
    assert_eq!((&full["type"], full.get("result")), (&json!("QueryUpdated"), None));
    let mut told = Vec::new();
    for wire in &mut with_diffs {
        wire.subscribe("messages:list", channel.clone()).await.unwrap();
        let numbered = wire.result(0).await.unwrap();
        assert_eq!(numbered["value"], full["value"]);
        told.push(numbered["result"].as_u64().unwrap());
    }
    assert_eq!(told[0], told[1], "it is one result");

    writer.call("messages:send", say("one more".into())).await;
    let after = plain.result(0).await.unwrap();
    let mut diffs = Vec::new();
    for wire in &mut with_diffs {
        diffs.push(wire.result(0).await.unwrap());
    }
    assert_eq!(diffs[0], diffs[1]);
    let diff = &diffs[0];
    assert_eq!((&diff["type"], &diff["base"]), (&json!("QueryDiff"), &json!(told[0])));
    assert_eq!(diff["diff"], json!({ "list": [[after["value"][0]], 30] }));
    let value = apply(&packed(&full["value"]), &packed(&diff["diff"])).unwrap();
    assert_eq!(value, packed(&after["value"]));
    assert_eq!(diff["hash"], ValueHash::of(value.as_ref()).to_string());
    assert_eq!(counter(&server, "hull_diffs_made_total"), 1);
    assert_eq!(counter(&server, "hull_diff_pushes_total"), 2);

    // A client that has lost the value gets it, and the next diff is from there.
    with_diffs[0].send(&json!({ "type": "QueryResync", "queryId": 0 })).await.unwrap();
    let again = with_diffs[0].result(0).await.unwrap();
    assert_eq!((&again["value"], &again["result"]), (&after["value"], &diff["result"]));
    let id = after["value"][3]["_id"].clone();
    writer.call("messages:remove", json!({ "id": id })).await;
    for wire in &mut with_diffs {
        let diff = wire.result(0).await.unwrap();
        assert_eq!((&diff["base"], &diff["diff"]), (&again["result"], &json!({ "list": [3, -1, 27] })));
    }
    assert_eq!(counter(&server, "hull_diffs_made_total"), 2);
}

#[tokio::test]
async fn the_rust_client_shows_what_diffs_say() {
    let server = Server::start();
    let client = Client::connect(&server.url()).unwrap().with_functions(app().paths());
    let mut live = client.subscribe(messages::list { channel: "general".into() });
    let mut said = Vec::new();
    for n in 0..20 {
        let body = format!("message number {n}, about as long as messages are");
        client.mutation(messages::send { channel: "general".into(), body: body.clone() }).await.unwrap();
        said.insert(0, body);
        // A mutation is done when its effects are shown.
        let shown = loop {
            let rows = live.next().await.unwrap().unwrap();
            if rows.len() == said.len() {
                break rows;
            }
        };
        assert!(shown.iter().map(|row| &row.body).eq(&said));
    }
    let told = counter(&server, "hull_diff_pushes_total");
    assert!(told >= 15, "{told} of 20 changes were told by diffs");
}
