//! A server with a small application on a temporary directory, and plain clients for it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::{SinkExt, StreamExt};
use hull_functions::{
    App, ConvexError, Module, MutationCtx, Order, QueryCtx, Result, functions, internal_query, mutation,
    query,
};
use hull_model::{Doc, Schema, Table};
use hull_server::{Server, Settings};
use hull_value::Id;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

#[derive(Table)]
#[table("notes")]
#[index(by_topic(topic))]
pub struct Note {
    pub topic: String,
    pub text: String,
    pub count: Option<i64>,
}

/// A topic's notes, newest first.
#[query]
async fn list(ctx: &QueryCtx, topic: String) -> Result<Vec<Doc<Note>>> {
    ctx.db
        .query::<Note>()
        .with_index(Note::by_topic, |q| q.eq(Note::topic, topic))
        .order(Order::Desc)
        .collect()
        .await
}

#[query]
async fn int(_ctx: &QueryCtx) -> Result<i64> {
    Ok(7)
}

#[internal_query]
async fn hidden(_ctx: &QueryCtx) -> Result<String> {
    Ok("for admins".to_owned())
}

#[mutation]
async fn add(ctx: &MutationCtx, topic: String, text: String) -> Result<Id<Note>> {
    ctx.log(format!("adds to {topic}"));
    ctx.db.insert(Note { topic, text, count: Some(1) }).await
}

#[mutation]
async fn refuse(_ctx: &MutationCtx, why: String) -> Result<()> {
    Err(ConvexError::new(why).into())
}

#[mutation]
async fn trip(_ctx: &MutationCtx) -> Result<()> {
    Err(hull_functions::Error::message("tripped"))
}

/// Keeps its thread well beyond the second that a function has.
#[mutation]
async fn spin(_ctx: &MutationCtx) -> Result<()> {
    let start = std::time::Instant::now();
    while start.elapsed() < std::time::Duration::from_millis(2500) {
        std::hint::spin_loop();
    }
    Ok(())
}

pub fn app() -> App {
    App::new()
        .schema(Schema::new().table(Note::table()))
        .module(Module::new("notes").with(functions![list, int, hidden, add, refuse, trip, spin]))
}

/// A running server and its directory.
pub struct Running {
    pub server: Server,
    pub directory: TempDir,
}

impl Running {
    pub async fn start() -> Running {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(&directory);
        let mut server = Server::start(app(), settings).await.unwrap();
        server.ready().await.unwrap();
        Running { server, directory }
    }

    pub async fn admin_key(&mut self) -> String {
        self.server.create_admin_key(None).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.request("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes()).await
    }

    pub async fn post_as(&self, authorization: &str, path: &str, body: Value) -> Reply {
        let headers = [("content-type", "application/json"), ("authorization", authorization)];
        self.request("POST", path, &headers, body.to_string().as_bytes()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], b"").await
    }

    /// One request on a connection of its own.
    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server may refuse a long body before it has read all of it.
        let _ = stream.write_all(body).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        Reply::parse(&String::from_utf8(bytes).unwrap())
    }

    pub async fn socket(&self) -> Socket {
        self.socket_at("/api/sync").await
    }

    pub async fn socket_at(&self, path: &str) -> Socket {
        let request = format!("ws://{}{path}", self.server.address()).into_client_request().unwrap();
        let (stream, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Socket { stream }
    }
}

pub fn settings(directory: &TempDir) -> Settings {
    Settings {
        port: 0,
        data_dir: directory.path().to_owned(),
        memory_budget: "64MiB".parse().unwrap(),
        ..Settings::default()
    }
}

/// An HTTP response.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Reply {
    fn parse(text: &str) -> Reply {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let status =
            lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|s| s.parse().ok()).unwrap_or(0);
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(k, v)| (k.to_lowercase(), v.to_owned()))
            .collect();
        Reply { status, headers, body: body.to_owned() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn code(&self) -> String {
        let body = self.json();
        assert!(body["message"].is_string(), "{self:?}");
        body["code"].as_str().unwrap().to_owned()
    }
}

/// A session of one client.
pub const SESSION: &str = "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0";

/// A websocket client that speaks the protocol by hand.
pub struct Socket {
    pub stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    pub async fn send(&mut self, message: Value) {
        self.stream.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next text message, `Ping` messages apart.
    pub async fn next(&mut self) -> Value {
        loop {
            match self.stream.next().await.unwrap().unwrap() {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["type"] != "Ping" {
                        return message;
                    }
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// The next message of this type; others are passed over.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Everything up to the close frame: its code and its reason.
    pub async fn close_frame(&mut self) -> (u16, String) {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                other => panic!("no close frame: {other:?}"),
            }
        }
    }

    /// Connects as a session of its own.
    pub async fn connect(&mut self) {
        static SESSIONS: AtomicU32 = AtomicU32::new(0);
        let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
        self.connect_as(&format!("00000000-0000-4000-8000-{number:012x}")).await;
    }

    pub async fn connect_as(&mut self, session: &str) {
        self.send(json!({
            "type": "Connect", "sessionId": session, "connectionCount": 0, "lastCloseReason": "InitialConnect", "clientTs": 1,
        }))
        .await;
    }

    pub async fn subscribe(&mut self, base: u32, query: u32, path: &str, args: Value) {
        self.send(json!({
            "type": "ModifyQuerySet", "baseVersion": base, "newVersion": base + 1,
            "modifications": [{"type": "Add", "queryId": query, "udfPath": path, "args": [args]}],
        }))
        .await;
    }

    pub async fn mutate(&mut self, request: u32, path: &str, args: Value) {
        self.send(json!({"type": "Mutation", "requestId": request, "udfPath": path, "args": [args]})).await;
    }
}
