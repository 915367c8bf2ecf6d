//! The other side: accepts connections, hears messages, and says what it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use data_encoding::BASE64;
use futures::{SinkExt, StreamExt};
use hull_client::{Client, Connector, Io};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

pub struct Fake {
    streams: mpsc::UnboundedReceiver<DuplexStream>,
    pub away: Arc<AtomicBool>,
}

/// A server, and a client of it that knows its functions.
pub fn pair() -> (Fake, Client) {
    let (sender, streams) = mpsc::unbounded_channel();
    let away = Arc::new(AtomicBool::new(false));
    let fake = Fake { streams, away: away.clone() };
    let connector: Connector = Arc::new(move || {
        let (sender, away) = (sender.clone(), away.clone());
        Box::pin(async move {
            let (client, server) = tokio::io::duplex(64 << 10);
            if away.load(Ordering::Relaxed) || sender.send(server).is_err() {
                return Err(std::io::ErrorKind::ConnectionRefused.into());
            }
            Ok(Box::new(client) as Box<dyn Io>)
        })
    });
    (fake, Client::over(connector, "hull.test").unwrap().with_functions(super::functions::paths()))
}

impl Fake {
    /// The next connection.
    pub async fn accept(&mut self) -> Peer {
        loop {
            // A client that is told who it is may leave before it has said a word.
            if let Some(peer) = self.try_accept().await {
                return peer;
            }
        }
    }

    /// The next stream, on which nothing was said yet.
    pub async fn stream(&mut self) -> DuplexStream {
        self.streams.recv().await.unwrap()
    }

    async fn try_accept(&mut self) -> Option<Peer> {
        let stream = self.stream().await;
        let mut asked = None;
        #[allow(clippy::result_large_err, reason = "the handshake's own type")]
        let note = |request: &Request, response: Response| {
            let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            asked = Some((request.uri().to_string(), header("host"), header("convex-client")));
            Ok(response)
        };
        let socket = accept_hdr_async(stream, note).await.ok()?;
        Some(Peer { socket, asked: asked?, version: (0, 0, 0) })
    }

    /// The next connection and what is said at its beginning: `Connect`, and all up to the set of queries.
    pub async fn greet(&mut self) -> (Peer, Vec<Value>) {
        let mut peer = self.accept().await;
        let mut messages = vec![peer.hear().await];
        while messages.last().unwrap()["type"] != "ModifyQuerySet" {
            messages.push(peer.hear().await);
        }
        (peer, messages)
    }

    /// Whether nobody tries to connect until everybody else has nothing to do for a minute.
    pub async fn is_left_alone(&mut self) -> bool {
        let minute = std::time::Duration::from_secs(60);
        tokio::time::timeout(minute, self.streams.recv()).await.ok().flatten().is_none()
    }
}

/// One connection.
pub struct Peer {
    socket: WebSocketStream<DuplexStream>,
    /// URI, host and client of the handshake.
    pub asked: (String, Option<String>, Option<String>),
    /// What the last Transition ended at: query set, identity, timestamp.
    pub version: (u32, u32, u64),
}

impl Peer {
    /// The next frame that is no pong; none when the client has left.
    pub async fn frame(&mut self) -> Option<Message> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(frame)) => return Some(frame),
            }
        }
    }

    /// Waits for the answer to a ping.
    pub async fn pong(&mut self) {
        let frame = self.socket.next().await.unwrap().unwrap();
        assert!(frame.is_pong(), "{frame}");
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        let frame = self.frame().await.expect("the client has left");
        serde_json::from_str(frame.to_text().unwrap()).unwrap()
    }

    /// The next message, which must be of this type.
    pub async fn hear_a(&mut self, kind: &str) -> Value {
        let message = self.hear().await;
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    pub async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    pub async fn ping(&mut self) {
        self.socket.send(Message::Ping(Bytes::new())).await.unwrap();
    }

    /// A Transition to a version, with these modifications.
    pub async fn transition(&mut self, query_set: u32, identity: u32, ts: u64, changes: Vec<Value>) {
        let message = self.transition_message(query_set, identity, ts, changes);
        self.say(message).await;
    }

    pub fn transition_message(
        &mut self,
        query_set: u32,
        identity: u32,
        ts: u64,
        changes: Vec<Value>,
    ) -> Value {
        let start = version(std::mem::replace(&mut self.version, (query_set, identity, ts)));
        let end = version(self.version);
        json!({ "type": "Transition", "startVersion": start, "endVersion": end, "modifications": changes })
    }

    /// A Transition with nothing but these modifications, a timestamp later.
    pub async fn update(&mut self, changes: Vec<Value>) {
        let (query_set, identity, ts) = self.version;
        self.transition(query_set, identity, ts + 1, changes).await;
    }

    pub async fn answer(&mut self, request: &Value, result: Value, at: u64) {
        self.say(json!({
            "type": "MutationResponse", "requestId": request["requestId"], "success": true, "result": result,
            "ts": ts(at), "logLines": [],
        }))
        .await;
    }

    pub async fn refuse(&mut self, base: u32) {
        self.say(json!({
            "type": "AuthError", "error": "bad token", "baseVersion": base, "authUpdateAttempted": true
        }))
        .await;
    }

    pub async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        self.socket.close(Some(frame)).await.unwrap();
        while self.socket.next().await.is_some_and(|frame| frame.is_ok()) {}
    }
}

pub fn ts(ts: u64) -> String {
    BASE64.encode(&ts.to_le_bytes())
}

fn version((query_set, identity, at): (u32, u32, u64)) -> Value {
    json!({ "querySet": query_set, "identity": identity, "ts": ts(at) })
}

pub fn updated(query: &Value, value: Value) -> Value {
    json!({ "type": "QueryUpdated", "queryId": query, "value": value, "logLines": [], "journal": null })
}

pub fn failed(query: &Value, message: &str) -> Value {
    json!({ "type": "QueryFailed", "queryId": query, "errorMessage": message, "logLines": [], "journal": null })
}
