//! How another process of the same user talks to a running server: a unix socket in its data directory.
//!
//! The socket has mode 0600 from the moment it can be found under its name. A conversation is one line of JSON each
//! way: `{"do":"create_key","name":null}` is answered by `{"ok":…}` or `{"error":"…"}`.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// The socket's name in the data directory.
const NAME: &str = "control.sock";
/// A request is at most this long.
const MAX_LINE: u64 = 4096;
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Make an admin key.
    CreateKey {
        /// Its name.
        name: Option<String>,
    },
    /// Name the admin keys.
    ListKeys,
    /// Make an admin key invalid.
    RevokeKey {
        /// Its name.
        name: String,
    },
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// It was done: lines for the terminal.
    Ok(Vec<String>),
    /// It was not, and why.
    Error(String),
}

/// The listening socket; its file goes away with it.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Listens in a data directory that this process holds the lock of, so a socket found there is a dead one.
    pub(crate) fn bind(directory: &Path) -> std::io::Result<ControlSocket> {
        let path = directory.join(NAME);
        let hidden = directory.join(format!(".{NAME}.{}", std::process::id()));
        remove(&hidden)?;
        let listener = UnixListener::bind(&hidden)?;
        std::fs::set_permissions(&hidden, PermissionsExt::from_mode(0o600))?;
        std::fs::rename(&hidden, &path)?;
        Ok(ControlSocket { listener, path })
    }

    /// Answers requests, one connection after the other, until dropped.
    pub(crate) async fn serve<F: Future<Output = Reply>>(self, answer: impl Fn(Request) -> F) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, converse(stream, &answer)).await {
                        tracing::debug!(%error, "a control connection was lost");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket could not accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::debug!(%error, "the control socket could not be removed");
        }
    }
}

async fn converse<F: Future<Output = Reply>>(
    mut stream: UnixStream,
    answer: impl Fn(Request) -> F,
) -> std::io::Result<()> {
    let mut line = String::new();
    tokio::io::BufReader::new((&mut stream).take(MAX_LINE)).read_line(&mut line).await?;
    let reply = match serde_json::from_str(&line) {
        Ok(request) => answer(request).await,
        Err(error) => Reply::Error(format!("not a control request: {error}")),
    };
    let mut line = serde_json::to_string(&reply)?;
    line.push('\n');
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await
}

/// Asks the server that runs on this directory; `None` when none does.
pub(crate) fn ask(directory: &Path, request: &Request) -> std::io::Result<Option<Reply>> {
    let stream = match BlockingStream::connect(directory.join(NAME)) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    (&stream).write_all(line.as_bytes())?;
    let mut reply = String::new();
    BufReader::new(&stream).read_line(&mut reply)?;
    Ok(Some(serde_json::from_str(&reply)?))
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_request_is_answered_and_nonsense_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(ask(directory.path(), &Request::ListKeys).unwrap().is_none());
        let socket = ControlSocket::bind(directory.path()).unwrap();
        let mode = std::fs::metadata(directory.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let served = tokio::spawn(socket.serve(async |request| Reply::Ok(vec![format!("{request:?}")])));
        let path = directory.path().to_owned();
        tokio::task::spawn_blocking(move || {
            let Some(Reply::Ok(lines)) = ask(&path, &Request::RevokeKey { name: "a".to_owned() }).unwrap()
            else {
                panic!("no answer")
            };
            assert_eq!(lines, ["RevokeKey { name: \"a\" }"]);
            let mut stream = BlockingStream::connect(path.join(NAME)).unwrap();
            stream.write_all(b"nonsense\n").unwrap();
            let mut reply = String::new();
            BufReader::new(&stream).read_line(&mut reply).unwrap();
            assert!(reply.starts_with("{\"error\""), "{reply}");
        })
        .await
        .unwrap();
        served.abort();
        let _ = served.await;
        assert!(!directory.path().join(NAME).exists());
    }
}
