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
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::settings::WatchCommand;

/// The first pause before another try, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// The server says something at least every 15 s; a longer silence is a lost connection.
const SILENCE: Duration = Duration::from_secs(45);

/// Why a query can't be watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    #[error("the arguments are not a JSON object: {0}")]
    Arguments(String),
    #[error("`{0}` is not the URL of a server; write http://host:port (this command does not speak TLS)")]
    Url(String),
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[from] rand::rngs::SysError),
    #[error("the server refused the credential: {0}")]
    Refused(String),
    #[error("the server ended the conversation: {0}")]
    Fatal(String),
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Prints answers until Ctrl-C, or until there were as many as wanted.
pub(crate) async fn run(command: WatchCommand) -> Result<(), WatchError> {
    let args: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&command.args).map_err(|error| WatchError::Arguments(error.to_string()))?;
    let args = serde_json::Value::Object(args).to_string();
    let url = socket_url(&command.url)?;
    let mut id = [0; 16];
    SysRng.try_fill_bytes(&mut id)?;
    let mut watched =
        Watched { session: ClientSession::new(SessionId(uuid(id))), query: 0, left: command.count };
    if let Some(key) = command.admin_key {
        watched.session.authenticate(Credential::Admin { key, acting_as: None });
    }
    watched.query = watched.session.subscribe(&command.path, &args);
    tokio::select! {
        watched = watched.keep(&url) => watched,
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
    async fn keep(&mut self, url: &str) -> Result<(), WatchError> {
        let mut pause = PAUSES.0;
        loop {
            let reason = match tokio_tungstenite::connect_async(url).await {
                Ok((socket, _)) => {
                    self.session.connected(crate::time::now_ms());
                    pause = PAUSES.0;
                    match self.converse(socket).await? {
                        Some(reason) => reason,
                        None => return Ok(()),
                    }
                }
                Err(error) => error.to_string(),
            };
            self.session.disconnected(&reason);
            eprintln!("No connection to {url}: {reason}. Trying again in {:.1} s.", pause.as_secs_f32());
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
            Some(QueryState::Value(json)) => {
                let pretty = serde_json::from_str::<serde_json::Value>(json)
                    .and_then(|value| serde_json::to_string_pretty(&value))
                    .unwrap_or_else(|_| json.to_string());
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

fn socket_url(url: &str) -> Result<String, WatchError> {
    let bad = || WatchError::Url(url.to_owned());
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("ws://")).ok_or_else(bad)?;
    let host = host.split('/').next().filter(|host| !host.is_empty()).ok_or_else(bad)?;
    Ok(format!("ws://{host}/api/sync"))
}

/// Marks 16 random bytes as a UUID of version 4.
fn uuid(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_addresses_of_the_socket() {
        assert_eq!(socket_url("http://127.0.0.1:3210").unwrap(), "ws://127.0.0.1:3210/api/sync");
        assert_eq!(socket_url("http://h/x").unwrap(), "ws://h/api/sync");
        for bad in ["", "h:1", "https://h", "http://", "http:///x"] {
            assert!(socket_url(bad).is_err(), "{bad}");
        }
    }
}
