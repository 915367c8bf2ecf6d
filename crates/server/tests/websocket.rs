//! The websocket over real sockets: live queries, mutations, credentials, bad input, slow clients.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Running, SESSION};
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test(flavor = "multi_thread")]
async fn a_live_query_follows_a_mutation() {
    let server = Running::start().await;
    for path in ["/api/sync", "/api/1.48.0/sync"] {
        let topic = json!({"topic": path});
        let mut watcher = server.socket_at(path).await;
        watcher.connect().await;
        watcher.subscribe(0, 0, "notes:list", topic.clone()).await;
        let first = watcher.next_of("Transition").await;
        assert_eq!(first["startVersion"], json!({"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="}));
        assert_eq!(first["endVersion"]["querySet"], 1);
        assert_eq!(first["modifications"][0]["value"], json!([]));

        let mut writer = server.socket().await;
        writer.connect().await;
        writer.mutate(0, "notes:add", json!({"topic": path, "text": "hello"})).await;
        let answer = writer.next().await;
        assert_eq!(answer["type"], "MutationResponse");
        assert_eq!(answer["success"], true, "{answer}");
        assert!(answer["logLines"][0].as_str().unwrap().starts_with("[LOG] "));
        let after = writer.next().await;
        assert_eq!(after["type"], "Transition");
        assert_eq!(after["modifications"], json!([]));

        let second = watcher.next_of("Transition").await;
        assert_eq!(second["startVersion"], first["endVersion"]);
        assert_eq!(second["modifications"][0]["value"][0]["text"], "hello");
        assert!(second["serverTs"].is_u64());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_its_own_write_in_the_transition_behind_the_answer() {
    let server = Running::start().await;
    let mut socket = server.socket().await;
    socket.connect().await;
    socket.subscribe(0, 0, "notes:list", json!({"topic": "own"})).await;
    socket.next_of("Transition").await;
    for request in 0..300 {
        socket.mutate(request, "notes:add", json!({"topic": "own", "text": request.to_string()})).await;
    }
    let (mut answered, mut seen) = (0usize, 0usize);
    while seen < 300 {
        let message = socket.next().await;
        match message["type"].as_str().unwrap() {
            "MutationResponse" => {
                assert_eq!(message["requestId"], answered, "in order");
                assert_eq!(message["success"], true);
                answered += 1;
            }
            "Transition" => {
                for change in message["modifications"].as_array().unwrap() {
                    seen = change["value"].as_array().unwrap().len();
                    assert!(seen <= answered, "a Transition shows nothing that was not answered before it");
                }
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_answers_and_are_followed_by_a_transition() {
    let server = Running::start().await;
    let mut socket = server.socket().await;
    socket.connect().await;
    for (request, path, args) in [
        (0, "notes:refuse", json!({"why": "no"})),
        (1, "notes:trip", json!({})),
        (2, "notes:nothing", json!({})),
        (3, "not a path", json!({})),
        (4, "notes:add", json!({"topic": 1})),
        (5, "notes:hidden", json!({})),
    ] {
        socket.mutate(request, path, args).await;
        let answer = socket.next_of("MutationResponse").await;
        assert_eq!((&answer["requestId"], &answer["success"]), (&json!(request), &json!(false)), "{path}");
        assert!(answer["result"].is_string());
        assert_eq!(answer.get("errorData"), (request == 0).then(|| json!("no")).as_ref());
        assert_eq!(socket.next().await["type"], "Transition", "{path}");
    }
    socket.send(json!({"type": "Action", "requestId": 6, "udfPath": "notes:act", "args": [{}]})).await;
    let answer = socket.next_of("ActionResponse").await;
    assert!(answer["result"].as_str().unwrap().contains("Could not find public function for 'notes:act'"));
    socket.subscribe(0, 0, "notes:nothing", json!({})).await;
    let failed = socket.next_of("Transition").await;
    assert_eq!(failed["modifications"][0]["type"], "QueryFailed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_mutation_is_applied_once() {
    let server = Running::start().await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        let mut socket = server.socket().await;
        socket.connect_as(SESSION).await;
        socket.mutate(0, "notes:add", json!({"topic": "once", "text": "x"})).await;
        answers.push(socket.next_of("MutationResponse").await);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    let listed =
        server.post("/api/query", json!({"path": "notes:list", "args": {"topic": "once"}})).await.json();
    assert_eq!(listed["value"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_key_opens_internal_queries_and_other_credentials_are_refused() {
    let mut server = Running::start().await;
    let key = server.admin_key().await;
    let mut socket = server.socket().await;
    socket.connect().await;
    socket.subscribe(0, 0, "notes:hidden", json!({})).await;
    assert_eq!(socket.next_of("Transition").await["modifications"][0]["type"], "QueryFailed");
    socket.send(json!({"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": key})).await;
    let transition = socket.next_of("Transition").await;
    assert_eq!(transition["endVersion"]["identity"], 1);
    assert_eq!(transition["modifications"][0]["value"], "for admins");
    socket.send(json!({"type": "Authenticate", "baseVersion": 1, "tokenType": "None"})).await;
    let transition = socket.next_of("Transition").await;
    assert_eq!(transition["endVersion"]["identity"], 2);
    assert_eq!(transition["modifications"][0]["type"], "QueryFailed");

    for (kind, value) in [("Admin", "a|b"), ("User", "a.b.c")] {
        let mut socket = server.socket().await;
        socket.connect().await;
        socket
            .send(json!({"type": "Authenticate", "baseVersion": 0, "tokenType": kind, "value": value}))
            .await;
        let error = socket.next_of("AuthError").await;
        assert_eq!((&error["baseVersion"], &error["authUpdateAttempted"]), (&json!(0), &json!(true)));
        socket.close_frame().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_ends_only_its_own_connection() {
    let server = Running::start().await;
    let mut bystander = server.socket().await;
    bystander.connect().await;
    bystander.subscribe(0, 0, "notes:list", json!({"topic": "calm"})).await;
    bystander.next_of("Transition").await;
    for text in ["", "{", "[]", "null", r#"{"type":"Nonsense"}"#, &"[".repeat(1 << 20)] {
        let mut socket = server.socket().await;
        socket.stream.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await["type"], "FatalError", "{text:.40}");
        socket.close_frame().await;
    }
    let mut socket = server.socket().await;
    socket.stream.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(socket.close_frame().await.0, 1003);
    let mut socket = server.socket().await;
    socket.connect().await;
    // The server stops reading in the middle, so sending may fail; the reason arrives all the same.
    let _ = socket.stream.send(Message::text("x".repeat(17 << 20))).await;
    assert_eq!(socket.close_frame().await.0, 1009);
    let mut socket = server.socket().await;
    socket.connect().await;
    socket.subscribe(5, 0, "notes:list", json!({})).await;
    let (code, reason) = socket.close_frame().await;
    assert_eq!(code, 1011);
    assert!(reason.starts_with("InternalServerError"), "{reason}");

    server
        .post("/api/mutation", json!({"path": "notes:add", "args": {"topic": "calm", "text": "still here"}}))
        .await;
    let transition = bystander.next_of("Transition").await;
    assert_eq!(transition["modifications"][0]["value"][0]["text"], "still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_handshakes_are_checked() {
    let server = Running::start().await;
    let upgrade = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let reply = server.request("GET", "/api/nonsense/sync", &upgrade, b"").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "InvalidClientVersion"));
    let reply = server.request("GET", "/api/0.10.0/sync", &upgrade, b"").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "ClientVersionUnsupported"));
    assert_eq!(reply.headers["x-convex-deprecation-state"], "Unsupported");
    let reply = server.get("/api/sync").await;
    assert_eq!((reply.status, reply.code().as_str()), (426, "WebsocketExpected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_gets_the_newest_state_and_no_backlog() {
    let server = Running::start().await;
    let mut slow = server.socket().await;
    slow.connect().await;
    slow.subscribe(0, 0, "notes:list", json!({"topic": "big"})).await;
    slow.next_of("Transition").await;
    // Far more than socket buffers hold: 40 answers of up to 4 MB would be 80 MB together.
    let text = "x".repeat(100_000);
    for _ in 0..40 {
        let add = json!({"path": "notes:add", "args": {"topic": "big", "text": text}});
        assert_eq!(server.post("/api/mutation", add).await.json()["status"], "success");
    }
    let (mut transitions, mut length) = (0, 0);
    while length < 40 {
        let transition = slow.next_of("Transition").await;
        transitions += 1;
        if let Some(change) = transition["modifications"].get(0) {
            length = change["value"].as_array().unwrap().len();
        }
    }
    assert!(transitions < 35, "{transitions} transitions");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_of_a_session_ends_the_older() {
    let server = Running::start().await;
    let mut older = server.socket().await;
    older.connect_as(SESSION).await;
    older.subscribe(0, 0, "notes:int", json!({})).await;
    older.next_of("Transition").await;
    let mut newer = server.socket().await;
    newer.connect_as(SESSION).await;
    assert_eq!(older.close_frame().await, (1000, "SupersededBySession".to_owned()));
    newer.subscribe(0, 0, "notes:int", json!({})).await;
    assert_eq!(
        newer.next_of("Transition").await["modifications"][0]["value"],
        json!({"$integer": "BwAAAAAAAAA="})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_answers_what_runs_and_says_goodbye() {
    let server = Running::start().await;
    let mut socket = server.socket().await;
    socket.connect().await;
    socket.mutate(0, "notes:add", json!({"topic": "last", "text": "x"})).await;
    assert_eq!(socket.next_of("MutationResponse").await["success"], true);
    let Running { server, directory } = server;
    let address = server.address();
    let (stopped, close) = tokio::join!(server.stop(), socket.close_frame());
    stopped.unwrap();
    assert_eq!(close.0, 1001);
    assert!(socket.stream.next().await.is_none_or(|end| end.is_err()));
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    drop(directory);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mutation_that_keeps_its_thread_is_answered_for() {
    let server = Running::start().await;
    let mut socket = server.socket().await;
    socket.connect().await;
    socket.mutate(0, "notes:spin", json!({})).await;
    let over_http = server.post("/api/mutation", json!({"path": "notes:spin", "args": {}}));
    let (answer, reply) = tokio::join!(socket.next_of("MutationResponse"), over_http);
    assert_eq!(answer["success"], false);
    assert!(answer["result"].as_str().unwrap().contains("timed out"), "{answer}");
    assert_eq!(socket.close_frame().await.0, 1011);
    assert!(reply.json()["errorMessage"].as_str().unwrap().contains("timed out"), "{reply:?}");
}
