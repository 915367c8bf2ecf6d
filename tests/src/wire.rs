//! A websocket client that speaks the sync protocol message by message.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::server::Server;

/// One connection.
pub struct Wire {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    requests: u32,
    query_set: u32,
}

/// How a wait for a message ended.
#[derive(Debug)]
pub enum Received {
    /// A message came.
    Message(Value),
    /// The server closed the connection, with a reason or without.
    Closed(String),
}

impl Wire {
    /// Opens a connection without a word.
    pub async fn silent(server: &Server) -> Result<Wire, Error> {
        Wire::silent_at(server, "/api/1.48.0/sync").await
    }

    async fn silent_at(server: &Server, path: &str) -> Result<Wire, Error> {
        let address = format!("ws://127.0.0.1:{}{path}", server.port());
        let (socket, _) = tokio_tungstenite::connect_async(address).await?;
        Ok(Wire { socket, requests: 0, query_set: 0 })
    }

    /// Opens a connection and says who it is.
    pub async fn open(server: &Server) -> Result<Wire, Error> {
        Wire::open_at(server, "/api/1.48.0/sync").await
    }

    /// The same at another path, maybe with a query.
    pub async fn open_at(server: &Server, path: &str) -> Result<Wire, Error> {
        let mut wire = Wire::silent_at(server, path).await?;
        let session = format!("{:08x}-0000-4000-8000-{:012x}", rand::random::<u32>(), rand::random::<u32>());
        wire.send(&json!({
            "type": "Connect", "sessionId": session, "connectionCount": 0, "lastCloseReason": null, "clientTs": 0
        }))
        .await?;
        Ok(wire)
    }

    /// Sends one message.
    pub async fn send(&mut self, message: &Value) -> Result<(), Error> {
        self.send_raw(Message::text(message.to_string())).await
    }

    /// Sends one frame, whatever it holds.
    pub async fn send_raw(&mut self, message: Message) -> Result<(), Error> {
        self.socket.send(message).await
    }

    /// Subscribes to a query under the number that its change of the query set gets.
    pub async fn subscribe(&mut self, path: &str, args: Value) -> Result<u32, Error> {
        let query = self.query_set;
        self.query_set += 1;
        self.send(&json!({
            "type": "ModifyQuerySet", "baseVersion": query, "newVersion": query + 1,
            "modifications": [{ "type": "Add", "queryId": query, "udfPath": path, "args": [args] }]
        }))
        .await?;
        Ok(query)
    }

    /// Asks for a mutation and returns its request number.
    pub async fn mutate(&mut self, path: &str, args: Value) -> Result<u32, Error> {
        let request = self.requests;
        self.requests += 1;
        self.send(&json!({ "type": "Mutation", "requestId": request, "udfPath": path, "args": [args] }))
            .await?;
        Ok(request)
    }

    /// The next message, or how the connection ended.
    pub async fn receive(&mut self) -> Received {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(30), self.socket.next()).await;
            match next.expect("the server says nothing for 30 s") {
                Some(Ok(Message::Text(text))) => {
                    return Received::Message(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(frame))) => {
                    return Received::Closed(frame.map(|frame| frame.to_string()).unwrap_or_default());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Received::Closed(error.to_string()),
                None => return Received::Closed(String::new()),
            }
        }
    }

    /// The answer of a request, or how the connection ended.
    pub async fn answer(&mut self, request: u32) -> Result<Value, String> {
        loop {
            match self.receive().await {
                Received::Message(message)
                    if message["type"] == "MutationResponse" && message["requestId"] == request =>
                {
                    return Ok(message);
                }
                Received::Message(_) => {}
                Received::Closed(reason) => return Err(reason),
            }
        }
    }

    /// The next new result of a query.
    pub async fn result(&mut self, query: u32) -> Result<Value, String> {
        loop {
            match self.receive().await {
                Received::Message(message) => {
                    let changes = message["modifications"].as_array().cloned().unwrap_or_default();
                    if let Some(change) = changes.into_iter().find(|change| change["queryId"] == query) {
                        return Ok(change);
                    }
                }
                Received::Closed(reason) => return Err(reason),
            }
        }
    }

    /// Runs a mutation that must succeed, and returns its answer.
    pub async fn call(&mut self, path: &str, args: Value) -> Value {
        let request = self.mutate(path, args).await.unwrap();
        let answer = self.answer(request).await.unwrap();
        assert_eq!(answer["success"], true, "{answer}");
        answer
    }

    /// What a query answers now.
    pub async fn ask(&mut self, path: &str, args: Value) -> Value {
        let query = self.subscribe(path, args).await.unwrap();
        let change = self.result(query).await.unwrap();
        assert_eq!(change["type"], "QueryUpdated", "{change}");
        change["value"].clone()
    }
}

/// The number that a timestamp of the wire stands for.
pub fn timestamp(value: &Value) -> u64 {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = value.as_str().unwrap();
    let mut bits = 0u128;
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        bits = (bits << 6) | DIGITS.iter().position(|known| *known == digit).unwrap() as u128;
    }
    // Eleven digits are 66 bits: eight bytes and two bits of padding.
    u64::from_be_bytes(((bits >> 2) as u64).to_be_bytes()).swap_bytes()
}
