//! One websocket: reads while it writes, so that neither side waits for the other for ever.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Sink, SinkExt, Stream};
use hull_sync::ClientSession;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::connector::{Connector, Io};

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may take to read the last bytes.
const FAREWELL: Duration = Duration::from_secs(1);
/// Who speaks, as `<client>-<semver>`.
const VERSION: &str = concat!("hull-", env!("CARGO_PKG_VERSION"));

/// Why a connection ended.
pub(crate) struct Lost {
    pub(crate) reason: String,
    /// Whether the server asked to come again later.
    pub(crate) busy: bool,
}

impl Lost {
    pub(crate) fn new(reason: impl ToString) -> Lost {
        Lost { reason: reason.to_string(), busy: false }
    }

    fn closed(frame: Option<CloseFrame>) -> Lost {
        match frame {
            None => Lost::new("the server closed the connection"),
            Some(frame) => Lost { reason: frame.reason.to_string(), busy: frame.code == CloseCode::Again },
        }
    }
}

/// What a server says that does not open a websocket.
fn refusal(answer: &Response<Option<Vec<u8>>>) -> String {
    let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let body: String = body.chars().take(200).collect();
    format!("the server answered {}: {body}", answer.status())
}

/// What came.
pub(crate) enum Received {
    Text(Utf8Bytes),
    /// A sign of life.
    Control,
}

pub(crate) struct Socket {
    stream: WebSocketStream<Box<dyn Io>>,
    /// Why nothing can be written any more, while there may still be something to read.
    broken: Option<Error>,
}

impl Socket {
    /// Opens a websocket. `base` is authority and path of the server.
    pub(crate) async fn open(connector: Connector, base: String) -> Result<Socket, Lost> {
        let opened = async {
            let stream = connector().await.map_err(Lost::new)?;
            let url = format!("ws://{base}/api/sync?diffs=1");
            let mut request = url.into_client_request().map_err(Lost::new)?;
            request.headers_mut().insert("convex-client", HeaderValue::from_static(VERSION));
            let (stream, _) = client_async(request, stream).await.map_err(|error| match error {
                Error::Http(answer) => Lost::new(refusal(&answer)),
                error => Lost::new(error),
            })?;
            Ok(Socket { stream, broken: None })
        };
        let timeout = tokio::time::timeout(CONNECT_TIMEOUT, opened).await;
        timeout.unwrap_or_else(|_| Err(Lost::new("the server does not answer")))
    }

    /// Sends what the session has to say until something comes.
    pub(crate) async fn turn(&mut self, session: &mut ClientSession) -> Result<Received, Lost> {
        poll_fn(|cx| self.poll_turn(cx, session)).await
    }

    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut ClientSession,
    ) -> Poll<Result<Received, Lost>> {
        if self.broken.is_none()
            && let Poll::Ready(Err(error)) = self.poll_write(cx, session)
        {
            self.broken = Some(error);
        }
        match Pin::new(&mut self.stream).poll_next(cx) {
            Poll::Ready(Some(Ok(Message::Text(text)))) => Poll::Ready(Ok(Received::Text(text))),
            Poll::Ready(Some(Ok(Message::Close(frame)))) => Poll::Ready(Err(Lost::closed(frame))),
            Poll::Ready(Some(Ok(Message::Binary(_)))) => {
                Poll::Ready(Err(Lost::new("the server sent what is no text")))
            }
            Poll::Ready(Some(Ok(_))) => Poll::Ready(Ok(Received::Control)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(Lost::new(error))),
            Poll::Ready(None) => Poll::Ready(Err(Lost::closed(None))),
            Poll::Pending => match self.broken.take() {
                Some(error) => Poll::Ready(Err(Lost::new(error))),
                None => Poll::Pending,
            },
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, session: &mut ClientSession) -> Poll<Result<(), Error>> {
        let mut stream = Pin::new(&mut self.stream);
        while stream.as_mut().poll_ready(cx)?.is_ready() {
            let Some(message) = session.next_message() else { break };
            stream.as_mut().start_send(Message::text(message))?;
        }
        stream.poll_flush(cx)
    }

    /// Sends what is left, and goodbye.
    pub(crate) async fn close(mut self, session: &mut ClientSession) {
        let farewell = async {
            while let Some(message) = session.next_message() {
                self.stream.feed(Message::text(message)).await?;
            }
            self.stream.close(None).await
        };
        // Nobody waits for it: a server that does not take it finds the connection closed.
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}
