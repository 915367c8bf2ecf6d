//! A server's life: starting, sample data, the control socket, refusals, restarts.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use common::{Running, app, settings};
use hull_model::TableMapping;
use hull_server::{Sample, SampleSize, Server, Settings, serve};
use hull_value::{DocumentId, InternalId, Packed, Value};
use serde_json::json;

/// Notes, after the first of which it waits for a word, if there is one to come.
fn sample(size: SampleSize, tables: &dyn TableMapping, release: Option<Receiver<()>>) -> Sample {
    let about = match size {
        SampleSize::Small => 1_200,
        SampleSize::Medium | SampleSize::Large => 1_700,
    };
    let table = tables.number_of("notes").unwrap();
    let rows = (0..about).map(move |n| {
        if let (1, Some(release)) = (n, &release) {
            release.recv().unwrap();
        }
        let id = DocumentId { table, internal: InternalId::new(n, 7) };
        let note = Value::Object(BTreeMap::from([
            ("_id".to_owned(), Value::String(id.to_string())),
            ("_creationTime".to_owned(), Value::Float64(n as f64)),
            ("topic".to_owned(), Value::String("sample".to_owned())),
            ("text".to_owned(), Value::String(format!("note {n}"))),
        ]));
        ("notes", Packed::encode(&note).unwrap())
    });
    Sample { about, rows: Box::new(rows) }
}

async fn notes(server: &Running, topic: &str) -> usize {
    let query = json!({"path": "notes:list", "args": {"topic": topic}});
    server.post("/api/query", query).await.json()["value"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_that_it_starts_and_loads_its_sample_once() {
    let directory = tempfile::tempdir().unwrap();
    let (release, released) = channel();
    let server = serve(app()).sample(|size, tables| sample(size, tables, Some(released)));
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
    assert_eq!(notes(&server, "sample").await, 1_200);

    // Another size changes nothing in a directory that has its data.
    let Running { server, directory } = server;
    server.stop().await.unwrap();
    let again = Settings { sample: Some(SampleSize::Large), ..settings(&directory) };
    let server = serve(app()).sample(|size, tables| sample(size, tables, None)).start(again).await.unwrap();
    let mut server = Running { server, directory };
    server.server.ready().await.unwrap();
    assert_eq!(notes(&server, "sample").await, 1_200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loading_that_was_interrupted_begins_again() {
    let directory = tempfile::tempdir().unwrap();
    let (release, released) = channel();
    let server = serve(app()).sample(|size, tables| sample(size, tables, Some(released)));
    let server = server.start(settings(&directory)).await.unwrap();
    // It is told to stop before the rows come.
    let (stopped, ()) = tokio::join!(server.stop(), async { release.send(()).unwrap() });
    stopped.unwrap();

    let bad = |_: SampleSize, _: &dyn TableMapping| {
        let bad = Packed::encode(&Value::Object(BTreeMap::from([("text".to_owned(), Value::Null)]))).unwrap();
        Sample { about: 1, rows: Box::new(std::iter::once(("notes", bad))) }
    };
    let mut server = serve(app()).sample(bad).start(settings(&directory)).await.unwrap();
    let error = server.ready().await.unwrap_err();
    assert_eq!(error.code(), "SampleDataFailed");
    assert!(error.to_string().contains("--no-sample"), "{error}");
    drop(error);
    server.stop().await.unwrap();

    let medium = Settings { sample: Some(SampleSize::Medium), ..settings(&directory) };
    let server = serve(app()).sample(|size, tables| sample(size, tables, None)).start(medium).await.unwrap();
    let mut server = Running { server, directory };
    server.server.ready().await.unwrap();
    assert_eq!(notes(&server, "sample").await, 1_700);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_with_documents_gets_no_sample() {
    let server = Running::start().await;
    let add = json!({"path": "notes:add", "args": {"topic": "own", "text": "x"}});
    assert_eq!(server.post("/api/mutation", add).await.json()["status"], "success");
    let Running { server, directory } = server;
    server.stop().await.unwrap();
    let server = serve(app()).sample(|size, tables| sample(size, tables, None));
    let mut server = server.start(settings(&directory)).await.unwrap();
    server.ready().await.unwrap();
    let server = Running { server, directory };
    assert_eq!((notes(&server, "own").await, notes(&server, "sample").await), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_learns_which_functions_there_are() {
    let mut server = Running::start().await;
    assert_eq!(server.get("/api/hull/functions").await.code(), "AdminKeyRequired");
    let key = server.admin_key().await;
    let reply = server
        .request("GET", "/api/hull/functions", &[("authorization", &format!("Convex {key}"))], b"")
        .await
        .json();
    let found = |path: &str| {
        let all = reply["functions"].as_array().unwrap();
        let one = all.iter().find(|function| function["path"] == path).unwrap();
        (one["kind"].as_str().unwrap().to_owned(), one["visibility"].as_str().unwrap().to_owned())
    };
    assert_eq!(found("notes:list"), ("query".to_owned(), "public".to_owned()));
    assert_eq!(found("notes:add"), ("mutation".to_owned(), "public".to_owned()));
    assert_eq!(found("notes:hidden"), ("query".to_owned(), "internal".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_can_be_left_empty_for_good() {
    let directory = tempfile::tempdir().unwrap();
    for no_sample in [true, false] {
        let settings = Settings { no_sample, ..settings(&directory) };
        let mut server =
            serve(app()).sample(|size, tables| sample(size, tables, None)).start(settings).await.unwrap();
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
