//! The promise: whatever a client sends, it gets a clear error, others notice nothing, and memory stays bounded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tests::server::Server;
use tests::wire::{Received, Wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

const FRAMES: usize = 10_000;

/// Another client's subscription that must go on whatever happens.
struct Bystander {
    reader: Wire,
    writer: Wire,
    query: u32,
    count: f64,
}

impl Bystander {
    async fn on(server: &Server) -> Bystander {
        let mut reader = Wire::open(server).await.unwrap();
        let query = reader.subscribe("counters:get", json!({ "name": "bystander" })).await.unwrap();
        reader.result(query).await.unwrap();
        Bystander { reader, writer: Wire::open(server).await.unwrap(), query, count: 0.0 }
    }

    async fn is_undisturbed(&mut self) {
        self.count += 1.0;
        self.writer.call("counters:add", json!({ "name": "bystander", "by": 1 })).await;
        let change = self.reader.result(self.query).await.expect("the bystander lost its connection");
        assert_eq!(change["value"].as_f64(), Some(self.count));
    }
}

/// Whether the connection ended with words, after at most a message that says what was wrong.
async fn ends_with_words(wire: &mut Wire, sent: &str) {
    let mut said = String::new();
    loop {
        match wire.receive().await {
            Received::Message(message) => {
                if matches!(message["type"].as_str(), Some("FatalError" | "AuthError")) {
                    said = message["error"].as_str().unwrap_or_default().to_owned();
                }
            }
            Received::Closed(reason) => {
                assert!(!said.is_empty() || !reason.is_empty(), "closed without a word after {sent}");
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_protocol_ends_that_connection_with_words() {
    let server = Server::start();
    let mut bystander = Bystander::on(&server).await;
    let deep = "[".repeat(100_000);
    let nested = format!(
        "{{\"type\":\"Event\",\"eventType\":\"x\",\"event\":{}{}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let bad: Vec<Message> = vec![
        Message::text("{"),
        Message::text(""),
        Message::text("null"),
        Message::text("[]"),
        Message::text("\u{0}"),
        Message::text("{\"type\":\"Nothing\"}"),
        Message::text("{\"type\":7}"),
        Message::text("{\"type\":\"Mutation\"}"),
        Message::text("{\"type\":\"Mutation\",\"requestId\":-1,\"udfPath\":\"a:b\",\"args\":[{}]}"),
        Message::text("{\"type\":\"Mutation\",\"requestId\":1.5,\"udfPath\":\"a:b\",\"args\":[{}]}"),
        Message::text("{\"type\":\"Mutation\",\"requestId\":4294967296,\"udfPath\":\"a:b\",\"args\":[{}]}"),
        Message::text("{\"type\":\"ModifyQuerySet\",\"baseVersion\":0,\"newVersion\":1,\"modifications\":7}"),
        Message::text(
            "{\"type\":\"ModifyQuerySet\",\"baseVersion\":3,\"newVersion\":4,\"modifications\":[]}",
        ),
        Message::text("{\"type\":\"Authenticate\",\"baseVersion\":0,\"tokenType\":\"Strange\"}"),
        Message::text(
            "{\"type\":\"Authenticate\",\"baseVersion\":0,\"tokenType\":\"Admin\",\"value\":\"no|such\"}",
        ),
        Message::text(deep),
        Message::text(nested),
        Message::binary(vec![1, 2, 3]),
        Message::binary(b"{\"type\":\"Ping\"}".to_vec()),
    ];
    for message in bad {
        let shown = message.to_string().chars().take(120).collect::<String>();
        let mut wire = Wire::open(&server).await.unwrap();
        let _ = wire.send_raw(message).await;
        ends_with_words(&mut wire, &shown).await;
        bystander.is_undisturbed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_request_fails_alone() {
    let server = Server::start();
    let mut wire = Wire::open(&server).await.unwrap();
    let mut nested = json!(1);
    for _ in 0..100 {
        nested = json!([nested]);
    }
    let many: Vec<Value> = vec![json!(1); 9000];
    let bad = [
        ("no:such", json!({})),
        ("counters:add", json!({})),
        ("counters:add", json!({ "name": 1, "by": 1 })),
        ("counters:add", json!({ "name": "x", "by": "1" })),
        ("counters:add", json!({ "name": "x", "by": 1, "more": 1 })),
        ("counters:add", json!({ "name": "x", "by": { "$float": "AAAAAAAA8D8=" } })),
        ("values:store", json!({ "key": "x", "value": { "$unknown": 1 } })),
        ("values:store", json!({ "key": "x", "value": { "$integer": "AQ==" } })),
        ("values:store", json!({ "key": "x", "value": { "\u{e9}": 1 } })),
        ("values:store", json!({ "key": "x", "value": nested })),
        ("values:store", json!({ "key": "x", "value": many })),
        ("values:store", json!({ "key": "x", "value": "x".repeat(1_100_000) })),
        ("messages:remove", json!({ "id": "not an id" })),
        ("messages:remove", json!({ "id": "j57000820c20a1g7104gm2rc1m70ynr8" })),
        ("counters:add", json!(7)),
        ("counters:add", json!(null)),
        ("", json!({})),
        ("a:b:c", json!({})),
        ("../x:y", json!({})),
        ("_system/x:y", json!({})),
        ("counters:resetAll", json!({})),
    ];
    for (path, args) in bad {
        let shown = format!("{path} {}", args.to_string().chars().take(100).collect::<String>());
        let request = wire.mutate(path, args).await.unwrap();
        let answer = wire
            .answer(request)
            .await
            .unwrap_or_else(|reason| panic!("{shown} closed the connection: {reason}"));
        assert_eq!(answer["success"], false, "{shown}");
        let message = answer["result"].as_str().unwrap();
        assert!(message.len() > 10 && !message.contains("panicked"), "{shown}: {message}");
        assert!(message.len() < 5_000, "{shown}: the message has {} bytes", message.len());
    }
    wire.call("counters:add", json!({ "name": "x", "by": 1 })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_random_frames_disturb_nobody() {
    let server = Server::start();
    let mut bystander = Bystander::on(&server).await;
    bystander.is_undisturbed().await;
    let before = server.resident_mib();
    let mut random = StdRng::seed_from_u64(7);
    let mut wire = Wire::silent(&server).await.unwrap();
    for sent in 0..FRAMES {
        if wire.send_raw(random_frame(&mut random)).await.is_err() {
            wire = Wire::silent(&server).await.unwrap();
        }
        if random.random_ratio(1, 20) {
            wire = Wire::open(&server).await.unwrap();
        }
        if sent % 500 == 0 {
            bystander.is_undisturbed().await;
        }
    }
    bystander.is_undisturbed().await;
    let after = server.resident_mib();
    assert!(after < before + 200, "memory went from {before} to {after} MiB");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_websocket_disturb_nobody() {
    let server = Server::start();
    let mut bystander = Bystander::on(&server).await;
    let mut random = StdRng::seed_from_u64(8);
    for round in 0..300 {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        if round % 2 == 0 {
            let upgrade = "GET /api/sync HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
            stream.write_all(upgrade.as_bytes()).await.unwrap();
            let mut head = [0; 64];
            let _ = stream.read(&mut head).await;
        }
        let length = random.random_range(1..2_000);
        let noise: Vec<u8> = (0..length).map(|_| random.random()).collect();
        let _ = stream.write_all(&noise).await;
    }
    bystander.is_undisturbed().await;
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_messages_are_refused_and_not_kept() {
    let server = Server::start();
    let mut bystander = Bystander::on(&server).await;
    bystander.is_undisturbed().await;
    let before = server.resident_mib();
    for _ in 0..5 {
        let mut wire = Wire::open(&server).await.unwrap();
        let text = format!(r#"{{"type":"Event","eventType":"x","event":"{}"}}"#, "x".repeat(70 << 20));
        if wire.send_raw(Message::text(text)).await.is_ok() {
            ends_with_words(&mut wire, "70 MiB").await;
        }
        bystander.is_undisturbed().await;
    }
    let body = format!(r#"{{"path":"values:echo","args":{{"value":"{}"}}}}"#, "x".repeat(20 << 20));
    let answer = server.post("/api/query", &body);
    assert!(answer.is_none_or(|answer| answer.starts_with("HTTP/1.1 4")));
    bystander.is_undisturbed().await;
    let after = server.resident_mib();
    assert!(after < before + 400, "memory went from {before} to {after} MiB");
}

/// Anything from noise to a message that is nearly right.
fn random_frame(random: &mut StdRng) -> Message {
    let seeds = [
        r#"{"type":"Connect","sessionId":"2f1c2b6e-0000-4000-8000-000000000001","connectionCount":0,"lastCloseReason":null,"clientTs":0}"#,
        r#"{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":[{"type":"Add","queryId":0,"udfPath":"counters:get","args":[{"name":"a"}]}]}"#,
        r#"{"type":"Mutation","requestId":0,"udfPath":"counters:add","args":[{"name":"random","by":1}]}"#,
        r#"{"type":"Authenticate","baseVersion":0,"tokenType":"None"}"#,
        r#"{"type":"Action","requestId":1,"udfPath":"a:b","args":[{}]}"#,
        r#"{"type":"Event","eventType":"x","event":{"a":[1,2,{"b":null}]}}"#,
    ];
    match random.random_range(0..10) {
        0 => Message::binary(
            (0..random.random_range(0..300)).map(|_| random.random::<u8>()).collect::<Vec<_>>(),
        ),
        1 => {
            let alphabet: Vec<char> = "{}[]\":,0123456789.eE+-truefalsnl$ \\u\u{1F600}".chars().collect();
            let text: String =
                (0..random.random_range(0..300)).filter_map(|_| alphabet.choose(random)).collect();
            Message::text(text)
        }
        2 => Message::Ping(
            (0..random.random_range(0..120)).map(|_| random.random::<u8>()).collect::<Vec<_>>().into(),
        ),
        _ => {
            let mut bytes = seeds.choose(random).unwrap().as_bytes().to_vec();
            for _ in 0..random.random_range(0..4) {
                let at = random.random_range(0..bytes.len());
                match random.random_range(0..4) {
                    0 => bytes[at] = random.random_range(32..127),
                    1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, random.random_range(32..127)),
                    _ => bytes.truncate(at + 1),
                }
            }
            Message::text(String::from_utf8_lossy(&bytes).into_owned())
        }
    }
}
