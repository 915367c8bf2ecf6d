//! `watch`: a live query in the terminal, over the client state machine of `hull-sync`.
//!
//! Each answer is one block on standard output; what happens to the connection goes to standard error. A lost
//! connection is made again, with growing pauses, until Ctrl-C.

use std::io::Write;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use hull_sync::{ClientEvent, ClientSession, Credential, QueryState, SessionId};
use rand::TryRng;
use rand::rngs::SysRng;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{AdminClient, Stream};

/// The first pause before another try, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// The server says something at least every 15 s; a longer silence is a lost connection.
const SILENCE: Duration = Duration::from_secs(45);

/// Why a query can't be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// What should be an object is none.
    #[error("the arguments are not a JSON object: {0}")]
    Arguments(String),
    /// There is no number for a session.
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[from] rand::rngs::SysError),
    /// The admin key is not valid.
    #[error("the server refused the credential: {0}")]
    Refused(String),
    /// The server and this client do not understand each other.
    #[error("the server ended the conversation: {0}")]
    Fatal(String),
}

type Socket = WebSocketStream<Box<dyn Stream>>;

/// Prints the answers of a query, `module:function`, until Ctrl-C, or until there were as many as wanted. `args` is a
/// JSON object.
pub async fn watch(
    client: &AdminClient,
    path: &str,
    args: &str,
    count: Option<u64>,
) -> Result<(), WatchError> {
    let args: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(args).map_err(|error| WatchError::Arguments(error.to_string()))?;
    let args = serde_json::Value::Object(args).to_string();
    let mut id = [0; 16];
    SysRng.try_fill_bytes(&mut id)?;
    let mut watched = Watched { session: ClientSession::new(SessionId(uuid(id))), query: 0, left: count };
    if let Some(key) = client.key() {
        watched.session.authenticate(Credential::Admin { key: key.to_owned(), acting_as: None });
    }
    watched.query = watched.session.subscribe(path, &args);
    tokio::select! {
        watched = watched.keep(client) => watched,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

struct Watched {
    session: ClientSession,
    query: u32,
    left: Option<u64>,
}

impl Watched {
    /// Connects again and again.
    async fn keep(&mut self, client: &AdminClient) -> Result<(), WatchError> {
        let mut pause = PAUSES.0;
        loop {
            let reason = match connect(client).await {
                Ok(socket) => {
                    self.session.connected(crate::time::now_ms());
                    pause = PAUSES.0;
                    match self.converse(socket).await? {
                        Some(reason) => reason,
                        None => return Ok(()),
                    }
                }
                Err(error) => error,
            };
            self.session.disconnected(&reason);
            eprintln!(
                "No connection to {}: {reason}. Trying again in {:.1} s.",
                client.name(),
                pause.as_secs_f32()
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// One connection: `None` when enough answers came, else why it ended.
    async fn converse(&mut self, mut socket: Socket) -> Result<Option<String>, WatchError> {
        loop {
            while let Some(message) = self.session.next_message() {
                if let Err(error) = socket.send(Message::text(message)).await {
                    return Ok(Some(error.to_string()));
                }
            }
            let message = match tokio::time::timeout(SILENCE, socket.next()).await {
                Err(_) => return Ok(Some("the server is silent".to_owned())),
                Ok(None) | Ok(Some(Err(Error::ConnectionClosed))) => {
                    return Ok(Some("the connection was closed".to_owned()));
                }
                Ok(Some(Err(error))) => return Ok(Some(error.to_string())),
                Ok(Some(Ok(message))) => message,
            };
            match message {
                Message::Text(text) => {
                    if let Err(error) = self.session.receive(&text) {
                        return Ok(Some(error.to_string()));
                    }
                }
                Message::Close(frame) => {
                    return Ok(Some(
                        frame.map_or_else(|| "closed".to_owned(), |frame| frame.reason.to_string()),
                    ));
                }
                _ => {}
            }
            while let Some(event) = self.session.next_event() {
                match event {
                    ClientEvent::Updated { queries, .. } if queries.contains(&self.query) => {
                        // Whoever read the answers is gone, for instance `head`.
                        if self.print().is_err() {
                            return Ok(None);
                        }
                        if let Some(left) = &mut self.left {
                            *left = left.saturating_sub(1);
                            if *left == 0 {
                                // The answer is printed; how the goodbye goes does not matter.
                                let _ = socket.close(None).await;
                                return Ok(None);
                            }
                        }
                    }
                    ClientEvent::Refused { error } => return Err(WatchError::Refused(error)),
                    ClientEvent::Fatal { error } => return Err(WatchError::Fatal(error)),
                    _ => {}
                }
            }
        }
    }

    fn print(&self) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match self.session.result(self.query) {
            Some(QueryState::Value(value)) => {
                let json = value.to_json();
                let pretty = serde_json::from_str::<serde_json::Value>(&json)
                    .and_then(|value| serde_json::to_string_pretty(&value))
                    .unwrap_or(json);
                writeln!(out, "{pretty}\n")?;
            }
            Some(QueryState::Error { message, data }) => {
                writeln!(
                    out,
                    "error: {message}{}\n",
                    data.as_ref().map(|data| format!(" {data}")).unwrap_or_default()
                )?;
            }
            None => {}
        }
        Ok(())
    }
}

async fn connect(client: &AdminClient) -> Result<Socket, String> {
    let stream = client.connect().await.map_err(|error| error.to_string())?;
    let url = format!("ws://{}/api/sync?diffs=1", client.host());
    let (socket, _) =
        tokio_tungstenite::client_async(url, stream).await.map_err(|error| error.to_string())?;
    Ok(socket)
}

/// Marks 16 random bytes as a UUID of version 4.
fn uuid(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}
