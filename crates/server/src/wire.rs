//! One websocket on one TCP stream, driven by polling: no task, no channel and no lock of its own.
//!
//! Guarantee: everything queued since the last flush leaves in one write. Incoming frames are decoded by
//! tungstenite's sans-IO state machine straight from the socket; outgoing data frames are laid out in one buffer
//! ([`Outgoing`]). Both buffers start small, so an idle connection costs a few kilobytes.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hull_sync::{Close, MessageSink};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::outgoing::Outgoing;

/// The longest message a client may send: the 16 MiB of arguments that a function takes, and room around them.
pub(crate) const MAX_MESSAGE: usize = (16 << 20) + (64 << 10);
/// What a connection's buffers hold from the start.
const READ_BUFFER: usize = 4 << 10;

/// What came in.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message; the protocol has none.
    Binary,
    /// The answer to a ping, with the ping's payload.
    Pong(Vec<u8>),
    /// A ping; its pong is already queued.
    Ping,
    /// The client closed in good order; our half of the closing is queued.
    Closed,
}

/// Why nothing more can come in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The peer is gone.
    #[error("the connection was lost")]
    Lost,
    /// The peer sent a message over the limit.
    #[error("a message is longer than {MAX_MESSAGE} bytes")]
    TooLong,
    /// The peer sent text that is not UTF-8.
    #[error("a text message is not UTF-8")]
    NotUtf8,
    /// The peer does not speak RFC 6455.
    #[error("not the websocket protocol: {0}")]
    Protocol(ProtocolError),
}

impl WireError {
    /// The close code that tells the peer, when it can still be told.
    pub(crate) fn close_code(&self) -> Option<u16> {
        match self {
            WireError::Lost => None,
            WireError::TooLong => Some(1009),
            WireError::NotUtf8 => Some(1007),
            WireError::Protocol(_) => Some(1002),
        }
    }
}

/// One websocket.
pub(crate) struct Wire {
    stream: TcpStream,
    context: WebSocketContext,
    outgoing: Outgoing,
    /// Whether what has come holds no whole message.
    drained: bool,
}

impl Wire {
    /// A websocket on a stream whose handshake is done; `leftover` was read behind the handshake.
    pub(crate) fn new(stream: TcpStream, leftover: &[u8]) -> Wire {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let context = WebSocketContext::from_partially_read(leftover.to_vec(), Role::Server, Some(config));
        Wire { stream, context, outgoing: Outgoing::default(), drained: false }
    }

    /// The next message, or pending with the task's waker registered for more bytes.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, WireError>> {
        // The library clears its buffer before it asks for bytes, so it is asked only when there are some.
        if self.drained && self.stream.poll_read_ready(cx).is_pending() {
            return Poll::Pending;
        }
        self.drained = false;
        loop {
            let mut io = Io { stream: &mut self.stream, outgoing: &mut self.outgoing, cx };
            let incoming = match self.context.read(&mut io) {
                Ok(Message::Text(text)) => Incoming::Text(text),
                Ok(Message::Binary(_)) => Incoming::Binary,
                Ok(Message::Pong(payload)) => Incoming::Pong(payload.to_vec()),
                Ok(Message::Ping(_)) => Incoming::Ping,
                Ok(Message::Close(_)) => Incoming::Closed,
                Ok(Message::Frame(_)) => continue,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.drained = true;
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(wire_error(error))),
            };
            return Poll::Ready(Ok(incoming));
        }
    }

    /// Writes what is queued; ready when all of it is with the operating system.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.waiting().is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, self.outgoing.waiting()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(count);
        }
        Poll::Ready(Ok(()))
    }

    /// How many bytes wait to be written.
    pub(crate) fn backlog(&self) -> usize {
        self.outgoing.waiting().len()
    }

    /// Whether the peer has received whole frames only.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.outgoing.is_unbegun()
    }

    /// The stream, to reach it from elsewhere.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The stream, to end the connection.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

/// Appends to the outgoing buffer; what is queued after a close is dropped.
impl MessageSink for Wire {
    fn begin(&mut self, expected: usize) -> &mut Vec<u8> {
        self.outgoing.begin(expected)
    }

    fn end(&mut self) {
        if self.context.can_write() {
            self.outgoing.end();
        } else {
            self.outgoing.forget();
        }
    }

    fn ping(&mut self, payload: [u8; 8]) {
        if self.context.can_write() {
            self.outgoing.ping(payload);
        }
    }

    fn close(&mut self, close: Close) {
        let frame = CloseFrame { code: CloseCode::from(close.code), reason: Utf8Bytes::from(&*close.reason) };
        // It only goes into our buffer; what the state machine says about a peer that is gone is of no use here.
        let _ = self.context.close(&mut WriteOnly(&mut self.outgoing), Some(frame));
    }
}

fn wire_error(error: Error) -> WireError {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => WireError::TooLong,
        Error::Utf8(_) => WireError::NotUtf8,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => WireError::Lost,
        Error::Protocol(error) => WireError::Protocol(error),
        _ => WireError::Lost,
    }
}

/// What the state machine reads from and writes to: the socket, and our own buffer.
struct Io<'a, 'b> {
    stream: &'a mut TcpStream,
    outgoing: &'a mut Outgoing,
    cx: &'a mut Context<'b>,
}

impl Read for Io<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(into);
        match Pin::new(&mut *self.stream).poll_read(self.cx, &mut buffer) {
            Poll::Ready(Ok(())) => Ok(buffer.filled().len()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Io<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        WriteOnly(self.outgoing).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Our own buffer alone, for what the state machine queues by itself.
struct WriteOnly<'a>(&'a mut Outgoing);

impl Read for WriteOnly<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for WriteOnly<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::{KEEP_CAPACITY, MAX_FRAME};
    use futures::future::poll_fn;
    use tokio::net::TcpListener;

    async fn pair() -> (Wire, tokio_tungstenite::WebSocketStream<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let client = tokio_tungstenite::WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        (Wire::new(server, &[]), client)
    }

    fn text(wire: &mut Wire, message: &str) {
        wire.begin(message.len()).extend_from_slice(message.as_bytes());
        wire.end();
    }

    #[tokio::test]
    async fn messages_of_every_length_class_arrive_whole() {
        use futures::StreamExt;
        for length in [0, 1, 125, 126, 65_535, 65_536, MAX_FRAME, MAX_FRAME + 1, 3 * MAX_FRAME + 5] {
            let (mut wire, mut client) = pair().await;
            let sent = "x".repeat(length);
            text(&mut wire, &sent);
            text(&mut wire, "next");
            wire.ping([7; 8]);
            let write = poll_fn(|cx| wire.poll_flush(cx));
            let (written, received) = tokio::join!(write, client.next());
            written.unwrap();
            assert_eq!(received.unwrap().unwrap(), Message::text(sent));
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text("next"));
            assert!(client.next().await.unwrap().unwrap().is_ping());
            assert!(wire.outgoing.capacity() <= KEEP_CAPACITY);
        }
    }

    #[tokio::test]
    async fn a_close_carries_code_and_a_reason_cut_to_its_limit() {
        use futures::StreamExt;
        let (mut wire, mut client) = pair().await;
        wire.close(Close::new(1011, "é".repeat(100)));
        text(&mut wire, "too late");
        poll_fn(|cx| wire.poll_flush(cx)).await.unwrap();
        let Message::Close(Some(frame)) = client.next().await.unwrap().unwrap() else { panic!("no close") };
        assert_eq!(u16::from(frame.code), 1011);
        assert_eq!(frame.reason.as_str(), "é".repeat(61));
    }
}
