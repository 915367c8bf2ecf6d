//! A server's life: starting, sample data, the control socket, refusals, restarts.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use common::{Running, app, settings};
use hull_server::{Caller, Server, Settings, serve};
use hull_value::Value;
use serde_json::json;
use tokio::sync::oneshot;

async fn load(caller: Caller, release: Option<oneshot::Receiver<()>>) -> hull_functions::Result<()> {
    if let Some(release) = release {
        release.await?;
    }
    let args = Value::Object(BTreeMap::from([
        ("topic".to_owned(), Value::String("sample".to_owned())),
        ("text".to_owned(), Value::String("x".to_owned())),
    ]));
    caller.mutation("notes:add", &args).await.map(|_| ())
}

async fn notes(server: &Running, topic: &str) -> usize {
    let query = json!({"path": "notes:list", "args": {"topic": topic}});
    server.post("/api/query", query).await.json()["value"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_that_it_starts_and_loads_its_sample_once() {
    let directory = tempfile::tempdir().unwrap();
    let (release, released) = oneshot::channel();
    let server = serve(app()).sample(|caller| load(caller, Some(released)));
    let server = server.start(settings(&directory)).await.unwrap();
    let mut server = Running { server, directory };
    let health = server.get("/health").await;
    assert_eq!((health.status, health.body.as_str()), (503, "starting"));
    let reply = server.post("/api/query", json!({"path": "notes:int", "args": {}})).await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "Starting"));
    assert_eq!(server.get("/").await.status, 200);
    release.send(()).unwrap();
    server.server.ready().await.unwrap();
    assert_eq!(server.get("/health").await.body, "ok");
    assert_eq!(notes(&server, "sample").await, 1);

    let Running { server, directory } = server;
    server.stop().await.unwrap();
    let server = serve(app()).sample(|caller| load(caller, None)).start(settings(&directory)).await.unwrap();
    let mut server = Running { server, directory };
    server.server.ready().await.unwrap();
    assert_eq!(notes(&server, "sample").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_can_be_left_empty_for_good() {
    let directory = tempfile::tempdir().unwrap();
    for no_sample in [true, false] {
        let settings = Settings { no_sample, ..settings(&directory) };
        let mut server = serve(app()).sample(|caller| load(caller, None)).start(settings).await.unwrap();
        server.ready().await.unwrap();
        server.stop().await.unwrap();
    }
    let mut server = Server::start(app(), settings(&directory)).await.unwrap();
    server.ready().await.unwrap();
    assert_eq!(notes(&Running { server, directory }, "sample").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_no_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    let settings = Settings { data_dir: file.clone(), ..settings(&directory) };
    let mut server = Server::start(app(), settings).await.unwrap();
    let error = server.ready().await.unwrap_err().to_string();
    assert!(error.contains(&file.display().to_string()) && error.contains("--data-dir"), "{error}");
}

/// Asks over the socket in the data directory, without a key.
fn ask(directory: &Path, request: &str, body: &str) -> serde_json::Value {
    let mut stream = UnixStream::connect(directory.join("control.sock")).unwrap();
    let head = "Host: hull\r\nConnection: close\r\nContent-Type: application/json";
    write!(stream, "{request} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap_or_else(|_| panic!("{reply}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_made_listed_and_revoked_while_the_server_runs() {
    let server = Running::start().await;
    let path = server.directory.path().to_owned();
    let mode = std::fs::metadata(path.join("control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let asked = |request: &'static str, body: &'static str| {
        let path = path.clone();
        async move { tokio::task::spawn_blocking(move || ask(&path, request, body)).await.unwrap() }
    };
    let made = asked("POST /api/hull/keys", r#"{"name":"ops"}"#).await;
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("ops|"), "{key}");
    for wrong in [r#"{"name":"ops"}"#, r#"{"name":"no good"}"#, "nonsense"] {
        let refused = asked("POST /api/hull/keys", wrong).await;
        assert!(refused["code"].is_string() && refused["message"].is_string(), "{wrong}: {refused}");
    }
    let hidden = json!({"path": "notes:hidden", "args": {}});
    let authorization = format!("Convex {key}");
    assert_eq!(server.post_as(&authorization, "/api/query", hidden.clone()).await.status, 200);
    assert_eq!(asked("GET /api/hull/keys", "").await["keys"][0]["name"], "ops");
    assert_eq!(asked("DELETE /api/hull/keys/ops", "").await["revoked"], "ops");
    assert_eq!(server.post_as(&authorization, "/api/query", hidden).await.code(), "BadAdminKey");
    assert_eq!(asked("GET /api/hull/keys", "").await, json!({"keys": []}));
    assert_eq!(
        server.post("/api/hull/keys", json!({})).await.code(),
        "AdminKeyRequired",
        "by TCP only with a key"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_and_a_directory_have_one_server() {
    let mut server = Running::start().await;
    let key = server.admin_key().await;
    let taken = Settings { port: server.server.address().port(), ..settings(&server.directory) };
    let Err(error) = Server::start(app(), taken).await else { panic!("two servers on one port") };
    assert_eq!(error.code(), "CannotListen");
    assert!(error.to_string().contains("--port"), "{error}");
    let mut second = Server::start(app(), settings(&server.directory)).await.unwrap();
    let error = second.ready().await.unwrap_err();
    assert_eq!(error.code(), "DirectoryInUse");
    second.stop().await.unwrap();

    let add = json!({"path": "notes:add", "args": {"topic": "kept", "text": "x"}});
    assert_eq!(server.post("/api/mutation", add).await.json()["status"], "success");
    let Running { server, directory } = server;
    server.stop().await.unwrap();
    assert!(!directory.path().join("control.sock").exists());
    let mut server = Server::start(app(), settings(&directory)).await.unwrap();
    server.ready().await.unwrap();
    let server = Running { server, directory };
    assert_eq!(notes(&server, "kept").await, 1);
    let hidden = json!({"path": "notes:hidden", "args": {}});
    let reply = server.post_as(&format!("Convex {key}"), "/api/query", hidden).await;
    assert_eq!(reply.json()["value"], "for admins");
}
