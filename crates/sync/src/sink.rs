//! Where a session's bytes go: one stream of text messages, websocket pings and at last a close.
//!
//! A session writes each message straight into the buffer of its sink, so a worker that frames by hand can
//! put the frame's header into the same buffer and pass everything to the socket in one write. The order of
//! calls is the order on the wire.

use crate::close::Close;

/// Takes what a session sends, in order.
pub trait MessageSink {
    /// A text message of about `expected` bytes begins; it is what the session appends to the buffer that is
    /// returned, up to [`MessageSink::end`]. The session never touches what stood in the buffer before.
    fn begin(&mut self, expected: usize) -> &mut Vec<u8>;
    /// The message that began last is complete.
    fn end(&mut self);
    /// A websocket ping with this payload; its pong confirms all messages before it.
    fn ping(&mut self, payload: [u8; 8]);
    /// The connection ends after what was written before.
    fn close(&mut self, close: Close);
}

/// One frame of [`OutgoingFrames`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing<'a> {
    /// A text message.
    Text(&'a str),
    /// A websocket ping.
    Ping([u8; 8]),
    /// The end of the connection.
    Close(&'a Close),
}

#[derive(Debug)]
enum Frame {
    Text(usize),
    Ping([u8; 8]),
    Close(Close),
}

/// The plainest sink: all messages in one buffer, with their boundaries.
#[derive(Debug, Default)]
pub struct OutgoingFrames {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
}

impl OutgoingFrames {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// The frames in order.
    pub fn iter(&self) -> impl Iterator<Item = Outgoing<'_>> {
        let mut start = 0;
        self.frames.iter().map(move |frame| match frame {
            Frame::Text(end) => {
                let text = std::str::from_utf8(&self.bytes[start..*end]).unwrap_or_default();
                start = *end;
                Outgoing::Text(text)
            }
            Frame::Ping(payload) => Outgoing::Ping(*payload),
            Frame::Close(close) => Outgoing::Close(close),
        })
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }
}

impl MessageSink for OutgoingFrames {
    fn begin(&mut self, expected: usize) -> &mut Vec<u8> {
        self.bytes.reserve(expected);
        &mut self.bytes
    }

    fn end(&mut self) {
        self.frames.push(Frame::Text(self.bytes.len()));
    }

    fn ping(&mut self, payload: [u8; 8]) {
        self.frames.push(Frame::Ping(payload));
    }

    fn close(&mut self, close: Close) {
        self.frames.push(Frame::Close(close));
    }
}
