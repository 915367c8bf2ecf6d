//! The promise: the official Rust client (the crate `convex`) works unmodified.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use convex::{ConvexClient, FunctionResult, Value};
use futures::StreamExt;
use tests::server::Server;

type Args = BTreeMap<String, Value>;

fn args<const N: usize>(fields: [(&str, Value); N]) -> Args {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn named(name: &str) -> Args {
    args([("name", name.into())])
}

fn add(name: &str, by: f64) -> Args {
    args([("name", name.into()), ("by", by.into())])
}

/// Runs a test with a server of its own, which outlives the clients: one that is dropped while its server is away
/// never yields again, and a runtime that waited for it would never end.
fn drive(test: impl AsyncFnOnce(&mut Server)) {
    let mut server = Server::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(test(&mut server));
    runtime.shutdown_background();
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("nothing came within 30 s")
}

fn value(result: FunctionResult) -> Value {
    match result {
        FunctionResult::Value(value) => value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn subscriptions_follow_the_writes_of_another_client() {
    drive(async |server| {
        let mut reader = ConvexClient::new(&server.url()).await.unwrap();
        let mut writer = ConvexClient::new(&server.url()).await.unwrap();
        let mut counter = within(reader.subscribe("counters:get", named("rust"))).await.unwrap();
        assert_eq!(value(within(counter.next()).await.unwrap()), Value::Float64(0.0));
        for expected in 1..=50 {
            let answer = within(writer.mutation("counters:add", add("rust", 1.0))).await.unwrap();
            assert_eq!(value(answer), Value::Float64(f64::from(expected)));
            let mut seen = value(within(counter.next()).await.unwrap());
            while seen != Value::Float64(f64::from(expected)) {
                seen = value(within(counter.next()).await.unwrap());
            }
        }
        let asked = within(reader.query("counters:get", named("rust"))).await.unwrap();
        assert_eq!(value(asked), Value::Float64(50.0));
    });
}

#[test]
fn errors_settle_with_and_without_data() {
    drive(async |server| {
        let mut client = ConvexClient::new(&server.url()).await.unwrap();
        match within(client.mutation("errors:plain", Args::new())).await.unwrap() {
            FunctionResult::ErrorMessage(message) => assert!(message.contains("plain failure"), "{message}"),
            other => panic!("{other:?}"),
        }
        match within(client.mutation("errors:data", args([("data", "closed".into())]))).await.unwrap() {
            FunctionResult::ConvexError(error) => assert_eq!(error.data, Value::from("closed")),
            other => panic!("{other:?}"),
        }
        match within(client.query("no:such", Args::new())).await.unwrap() {
            FunctionResult::ErrorMessage(message) => assert!(message.contains("Could not find"), "{message}"),
            other => panic!("{other:?}"),
        }
        match within(client.action("counters:add", add("x", 1.0))).await.unwrap() {
            FunctionResult::ErrorMessage(_) => {}
            other => panic!("{other:?}"),
        }
        let answer = within(client.mutation("counters:add", add("after", 1.0))).await.unwrap();
        assert_eq!(value(answer), Value::Float64(1.0));
    });
}

#[test]
fn values_of_every_type_survive() {
    drive(async |server| {
        let mut client = ConvexClient::new(&server.url()).await.unwrap();
        let values = [
            Value::Null,
            Value::Int64(i64::MIN),
            Value::Float64(-0.5),
            Value::Float64(f64::INFINITY),
            Value::Boolean(true),
            Value::from("text \u{1F600}"),
            Value::Bytes(vec![0, 255]),
            Value::Array(vec![Value::Int64(1), Value::Null]),
            Value::Object(args([("a", Value::Object(Args::new()))])),
        ];
        for expected in values {
            let echoed =
                within(client.query("values:echo", args([("value", expected.clone())]))).await.unwrap();
            assert_eq!(value(echoed), expected);
        }
    });
}

#[test]
fn subscriptions_are_right_again_after_a_restart() {
    drive(async |server| {
        let mut client = ConvexClient::new(&server.url()).await.unwrap();
        let mut counter = within(client.subscribe("counters:get", named("restart"))).await.unwrap();
        within(counter.next()).await.unwrap();
        within(client.mutation("counters:add", add("restart", 2.0))).await.unwrap();
        server.kill();
        server.launch();
        let answer = within(client.mutation("counters:add", add("restart", 3.0))).await.unwrap();
        assert_eq!(value(answer), Value::Float64(5.0));
        while value(within(counter.next()).await.unwrap()) != Value::Float64(5.0) {}
    });
}
