//! What clients and operators see when the disk is full, when the log fails, and when the data does not fit the schema.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;

use common::{Note, Running, app, settings};
use hull_engine::log::MemoryLog;
use hull_engine::storage::MemoryStorage;
use hull_engine::{Engine, Options};
use hull_functions::{App, Module, QueryCtx, Result, functions, query};
use hull_model::{Schema, Table, define_table, v};
use hull_server::{ServeError, Server, serve};
use serde_json::json;

/// A server whose log a test can fail.
async fn on_memory() -> (Running, Arc<MemoryLog>) {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new());
    let below = Arc::clone(&log);
    let open = move |_: &_| Engine::open(Options::new(Arc::new(MemoryStorage::new()), below));
    let mut server = serve(app()).opened_by(open).start(settings(&directory)).await.unwrap();
    server.ready().await.unwrap();
    (Running { server, directory }, log)
}

fn add(topic: &str) -> serde_json::Value {
    json!({"path": "notes:add", "args": {"topic": topic, "text": "x"}})
}

fn list(topic: &str) -> serde_json::Value {
    json!({"path": "notes:list", "args": {"topic": topic}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_by_name_and_goes_on_when_there_is_space() {
    let (server, log) = on_memory().await;
    assert_eq!(server.post("/api/mutation", add("a")).await.json()["status"], "success");
    let mut socket = server.socket().await;
    socket.connect().await;
    socket.subscribe(0, 0, "notes:list", json!({"topic": "a"})).await;
    socket.next_of("Transition").await;

    log.set_disk_full(true);
    let refused = server.post("/api/mutation", add("a")).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "DiskFull"));
    assert!(refused.json()["message"].as_str().unwrap().contains("the disk is full"), "{refused:?}");
    let read = server.post("/api/query", list("a")).await.json();
    assert_eq!(read["value"].as_array().unwrap().len(), 1, "reads go on");
    let new = server.post("/api/query", list("b")).await.json();
    assert_eq!(new["value"], json!([]), "also those that nobody asked before");
    assert_eq!(server.get("/health").await.body, "ok");
    // A websocket's mutation is not failed: its client comes back and sends it again.
    socket.mutate(0, "notes:add", json!({"topic": "a", "text": "y"})).await;
    let (code, reason) = socket.close_frame().await;
    assert_eq!(code, 1013);
    assert!(reason.contains("disk is full"), "{reason}");

    log.set_disk_full(false);
    assert_eq!(server.post("/api/mutation", add("a")).await.json()["status"], "success");
    let mut socket = server.socket().await;
    socket.connect().await;
    socket.mutate(0, "notes:add", json!({"topic": "a", "text": "y"})).await;
    assert_eq!(socket.next_of("MutationResponse").await["success"], true);
    let read = server.post("/api/query", list("a")).await.json();
    assert_eq!(read["value"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_log_ends_connections_and_the_server_and_nothing_more_is_acknowledged() {
    let (server, log) = on_memory().await;
    let mut idle = server.socket().await;
    idle.connect().await;
    idle.subscribe(0, 0, "notes:list", json!({"topic": "a"})).await;
    idle.next_of("Transition").await;
    let mut writer = server.socket().await;
    writer.connect().await;
    let failed = server.server.failed();

    log.fail();
    writer.mutate(0, "notes:add", json!({"topic": "a", "text": "x"})).await;
    for socket in [&mut writer, &mut idle] {
        let (code, reason) = socket.close_frame().await;
        assert_eq!(code, 1011, "{reason}");
        assert!(reason.starts_with("InternalServerError"), "{reason}");
    }
    let error = failed.await;
    assert_eq!(error.code(), "LogFailed");
    assert!(error.to_string().contains("restart the server"), "{error}");
    let health = server.get("/health").await;
    assert_eq!((health.status, health.body.as_str()), (503, "failed"));
    for (route, body) in [("/api/mutation", add("a")), ("/api/query", list("a"))] {
        let reply = server.post(route, body).await;
        assert_eq!(reply.code(), "LogFailed", "{route}: {reply:?}");
    }
}

/// The same table, with a field that the documents lack and an index that they don't have.
fn stricter() -> App {
    let notes = define_table("notes")
        .field("topic", v::string())
        .field("text", v::literal("only this"))
        .field("count", v::optional(v::int64()))
        .index("by_topic", ["topic"]);
    App::new().schema(Schema::new().table(notes))
}

#[query]
async fn texts(ctx: &QueryCtx) -> Result<Vec<String>> {
    let notes = ctx.db.table("notes").query().with_index("by_text", |q| q).collect().await?;
    let text = |note: &hull_engine::Document| match note.value.as_ref() {
        hull_value::ValueRef::Object(fields) => match fields.get("text") {
            Some(hull_value::ValueRef::String(text)) => text.to_owned(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    Ok(notes.iter().map(text).collect())
}

fn indexed() -> App {
    let notes = Note::table().index("by_text", ["text"]);
    App::new().schema(Schema::new().table(notes)).module(Module::new("notes").with(functions![texts]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_the_documents_violate_is_refused_and_changes_nothing() {
    let server = Running::start().await;
    let id = server.post("/api/mutation", add("a")).await.json()["value"].as_str().unwrap().to_owned();
    let Running { server, directory } = server;
    server.stop().await.unwrap();

    let mut refused = Server::start(stricter(), settings(&directory)).await.unwrap();
    let error = refused.ready().await.unwrap_err();
    assert!(matches!(&error, ServeError::Start(_)));
    for word in ["notes", id.as_str(), "text"] {
        assert!(error.to_string().contains(word), "no {word} in {error}");
    }
    refused.stop().await.unwrap();

    let mut server = Server::start(app(), settings(&directory)).await.unwrap();
    server.ready().await.unwrap();
    let server = Running { server, directory };
    assert_eq!(server.post("/api/query", list("a")).await.json()["value"][0]["_id"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_new_index_waits_until_it_is_filled() {
    let server = Running::start().await;
    for topic in ["a", "b", "c"] {
        server.post("/api/mutation", add(topic)).await;
    }
    let Running { server, directory } = server;
    server.stop().await.unwrap();

    // The data opens when the test has seen that the server starts; the index comes after that.
    let (open, opened) = std::sync::mpsc::channel();
    let path = directory.path().to_owned();
    let opener = move |_: &_| {
        opened.recv().unwrap();
        Engine::open_dir(path, hull_engine::DirOptions::default())
    };
    let server = serve(indexed()).opened_by(opener).start(settings(&directory)).await.unwrap();
    let mut server = Running { server, directory };
    let health = server.get("/health").await;
    assert_eq!((health.status, health.body.as_str()), (503, "starting"));
    let texts = json!({"path": "notes:texts", "args": {}});
    assert_eq!(server.post("/api/query", texts.clone()).await.code(), "Starting");
    open.send(()).unwrap();
    server.server.ready().await.unwrap();
    assert_eq!(server.get("/health").await.body, "ok");
    let found = server.post("/api/query", texts).await.json();
    assert_eq!(found["value"], json!(["x", "x", "x"]), "{found}");
}
