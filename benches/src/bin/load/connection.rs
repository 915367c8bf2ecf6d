//! A websocket client connection that costs little more than its system calls.
//!
//! Frames are made by hand (RFC 6455): text, final, masked with the zero key, which is legal and leaves the server's
//! unmasking work as it is. Incoming frames are read through one buffer shared by all connections of the thread, so
//! ten thousand idle connections hold no buffers.

use crate::Failure;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

thread_local! {
    static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
}

/// One open websocket.
pub(crate) struct Connection {
    stream: TcpStream,
    outgoing: Vec<u8>,
    /// Bytes of a frame whose end has not arrived.
    leftover: Vec<u8>,
    /// Text of a message whose last frame has not arrived.
    fragments: Vec<u8>,
}

impl Connection {
    /// Connects and upgrades.
    pub(crate) async fn open(address: &str, path: &str) -> Result<Self, Failure> {
        let mut stream = TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await?);
        }
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.lines().next().unwrap_or_default();
        if !status.contains(" 101 ") {
            return Err(format!("{address}{path} does not upgrade: {status}").into());
        }
        Ok(Self { stream, outgoing: Vec::new(), leftover: Vec::new(), fragments: Vec::new() })
    }

    /// Queues a text message; [`Connection::flush`] sends it.
    pub(crate) fn queue(&mut self, text: &[u8]) {
        frame(&mut self.outgoing, TEXT, text);
    }

    /// Sends what is queued.
    pub(crate) async fn flush(&mut self) -> Result<(), Failure> {
        if !self.outgoing.is_empty() {
            self.stream.write_all(&self.outgoing).await?;
            self.outgoing.clear();
            if self.outgoing.capacity() > 64 * 1024 {
                self.outgoing = Vec::new();
            }
        }
        Ok(())
    }

    /// Waits for bytes and hands each whole text message to `take`. An answer to a ping is queued, not flushed.
    pub(crate) async fn receive(&mut self, mut take: impl FnMut(&[u8])) -> Result<(), Failure> {
        let Self { stream, outgoing, leftover, fragments } = self;
        poll_fn(|context| {
            SHARED.with_borrow_mut(|shared| {
                let mut buffer = ReadBuf::new(shared);
                ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
                let bytes = buffer.filled();
                if bytes.is_empty() {
                    return Poll::Ready(Err(Failure::from("the server closed the connection")));
                }
                if leftover.is_empty() {
                    let used = frames(bytes, outgoing, fragments, &mut take)?;
                    leftover.extend_from_slice(&bytes[used..]);
                } else {
                    leftover.extend_from_slice(bytes);
                    let used = frames(leftover, outgoing, fragments, &mut take)?;
                    leftover.drain(..used);
                    if leftover.is_empty() {
                        *leftover = Vec::new();
                    }
                }
                Poll::Ready(Ok(()))
            })
        })
        .await
    }
}

fn frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        short @ 0..=125 => out.push(0x80 | short as u8),
        medium @ 126..=65535 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// Takes whole frames off the front of `bytes` and returns how many bytes they were.
fn frames(
    bytes: &[u8],
    outgoing: &mut Vec<u8>,
    fragments: &mut Vec<u8>,
    take: &mut impl FnMut(&[u8]),
) -> Result<usize, Failure> {
    let mut at = 0;
    while let Some((first, payload, used)) = next_frame(&bytes[at..]) {
        let (last, opcode) = (first & 0x80 != 0, first & 0x0F);
        match opcode {
            PING => frame(outgoing, PONG, payload),
            PONG => {}
            CLOSE => {
                let reason = payload.get(2..).map(String::from_utf8_lossy).unwrap_or_default();
                return Err(format!("the server closed the connection: {reason}").into());
            }
            _ if last && fragments.is_empty() => take(payload),
            _ => {
                fragments.extend_from_slice(payload);
                if last {
                    take(fragments);
                    fragments.clear();
                }
            }
        }
        at += used;
    }
    Ok(at)
}

fn next_frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, header) = match second & 0x7F {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    Some((first, bytes.get(header..header + length)?, header + length))
}
