//! The bytes that a connection is to write: websocket frames of a server, laid out by hand.
//!
//! Frame (RFC 6455, unmasked): `0x81` (text, final), `0x89` (ping) or `0x88` (close), the length (7, 16 or 64 bit, big
//! endian), the payload. A message longer than [`MAX_FRAME`] is cut into a text frame and continuation frames. A
//! message is written where it will be sent from, so its payload is copied once; the buffer of a large one is given back.

use hull_sync::{Close, MessageSink};

/// The longest frame that goes out; clients built on tungstenite refuse more than 16 MiB.
pub(crate) const MAX_FRAME: usize = 8 << 20;
/// A buffer larger than this is given back once it is written.
pub(crate) const KEEP_CAPACITY: usize = 64 << 10;
/// Room before a message for its header: that of a 16-bit length, which nearly every message has; others are moved.
const ROOM: usize = 4;

/// What waits to be written.
#[derive(Default)]
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
    /// Where the message that is being written begins.
    start: usize,
}

impl Outgoing {
    /// What is not written yet.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// So many bytes more are written.
    pub(crate) fn advance(&mut self, count: usize) {
        self.written += count;
        if self.written >= self.bytes.len() {
            self.written = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEEP_CAPACITY {
                self.bytes = Vec::new();
            }
        }
    }

    /// Whether nothing of what waits is written yet.
    pub(crate) fn is_unbegun(&self) -> bool {
        self.written == 0
    }

    /// Appends whole frames.
    pub(crate) fn extend(&mut self, frames: &[u8]) {
        self.bytes.extend_from_slice(frames);
    }

    /// Forgets the message that began last.
    pub(crate) fn forget(&mut self) {
        self.bytes.truncate(self.start);
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

impl MessageSink for Outgoing {
    fn begin(&mut self, expected: usize) -> &mut Vec<u8> {
        self.start = self.bytes.len();
        self.bytes.reserve(expected + ROOM);
        self.bytes.extend_from_slice(&[0; ROOM]);
        &mut self.bytes
    }

    fn end(&mut self) {
        let Outgoing { bytes: out, start, .. } = self;
        let start = *start;
        let length = out.len() - start - ROOM;
        if (126..=usize::from(u16::MAX)).contains(&length) {
            out[start..start + ROOM].copy_from_slice(header(true, true, length).as_slice());
        } else if length <= MAX_FRAME {
            out.splice(start..start + ROOM, header(true, true, length).as_slice().iter().copied());
        } else {
            let message = out.split_off(start + ROOM);
            out.truncate(start);
            let mut parts = message.chunks(MAX_FRAME).enumerate().peekable();
            while let Some((index, part)) = parts.next() {
                out.extend_from_slice(header(index == 0, parts.peek().is_none(), part.len()).as_slice());
                out.extend_from_slice(part);
            }
        }
    }

    fn ping(&mut self, payload: [u8; 8]) {
        self.bytes.extend_from_slice(&[0x89, payload.len() as u8]);
        self.bytes.extend_from_slice(&payload);
    }

    fn close(&mut self, close: Close) {
        // A reason has at most 123 bytes.
        self.bytes.extend_from_slice(&[0x88, (close.reason.len() + 2) as u8]);
        self.bytes.extend_from_slice(&close.code.to_be_bytes());
        self.bytes.extend_from_slice(close.reason.as_bytes());
    }
}

/// A frame header on the stack.
struct Header {
    bytes: [u8; 10],
    length: usize,
}

impl Header {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn header(first: bool, last: bool, length: usize) -> Header {
    let mut bytes = [0; 10];
    bytes[0] = u8::from(first) | if last { 0x80 } else { 0 };
    let header_length = if length < 126 {
        bytes[1] = length as u8;
        2
    } else if let Ok(short) = u16::try_from(length) {
        bytes[1] = 126;
        bytes[2..4].copy_from_slice(&short.to_be_bytes());
        4
    } else {
        bytes[1] = 127;
        bytes[2..10].copy_from_slice(&(length as u64).to_be_bytes());
        10
    };
    Header { bytes, length: header_length }
}
