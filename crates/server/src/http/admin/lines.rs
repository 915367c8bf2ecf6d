//! A response of many lines that is made as fast as the client reads it.
//!
//! Guarantee: a few chunks of memory, however slow the client is. The last line is `["end", …]`, or
//! `["error", code, message]` when it could not be finished.

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::json;
use tokio::sync::mpsc;

use crate::http::error::ApiError;

/// How much is sent at once.
const CHUNK: usize = 64 << 10;
/// How many chunks wait for the client.
const WAITING: usize = 4;

/// Why lines end early.
pub(in crate::http) enum Stop {
    /// The client is gone.
    Gone,
    /// Something failed.
    Failed(ApiError),
}

impl<E: Into<ApiError>> From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop::Failed(error.into())
    }
}

/// Where lines are written to; blocks while the client is slow.
pub(in crate::http) struct Lines {
    sender: mpsc::Sender<Bytes>,
    text: String,
}

impl Lines {
    /// Appends a line, written by `write` without its end.
    pub(in crate::http) fn line(&mut self, write: impl FnOnce(&mut String)) -> Result<(), Stop> {
        write(&mut self.text);
        self.text.push('\n');
        if self.text.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    /// Sends what is there.
    pub(in crate::http) fn flush(&mut self) -> Result<(), Stop> {
        let text = std::mem::replace(&mut self.text, String::with_capacity(CHUNK + CHUNK / 4));
        self.sender.blocking_send(Bytes::from(text)).map_err(|_| Stop::Gone)
    }
}

/// A response whose lines `write` makes on a thread of its own; what it returns is said in the last line.
pub(in crate::http) fn respond(
    write: impl FnOnce(&mut Lines) -> Result<serde_json::Value, Stop> + Send + 'static,
) -> Response {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut lines = Lines { sender, text: String::new() };
        let last = match write(&mut lines) {
            Ok(summary) => json!(["end", summary]),
            Err(Stop::Failed(error)) => json!(["error", error.code(), error.message()]),
            Err(Stop::Gone) => return,
        };
        // Whether anybody still reads it is the client's business.
        let _ = lines.line(|text| text.push_str(&last.to_string()));
        let _ = lines.flush();
    });
    let chunks =
        stream::poll_fn(move |cx| receiver.poll_recv(cx).map(|chunk| chunk.map(Ok::<_, std::io::Error>)));
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(chunks)).into_response()
}
