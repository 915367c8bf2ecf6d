//! Answers on their way out: encoded when a request finishes, written in that order, each not before its
//! timestamp is durable. All of them lie in one buffer, so an answer costs no allocation of its own.

use std::collections::VecDeque;

use hull_value::Timestamp;

use crate::sink::MessageSink;

/// When this much waits to be written, the next mutation waits too.
const FULL_BYTES: usize = 16 << 20;
/// What the buffer may keep when it is empty, and what it may carry of bytes already written.
const KEPT_BYTES: usize = 64 << 10;

#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) ts: Timestamp,
    /// A mutation's request; none for an action.
    pub(super) request: Option<u32>,
    len: usize,
}

#[derive(Debug, Default)]
pub(super) struct Answers {
    bytes: Vec<u8>,
    written: usize,
    begun: usize,
    waiting: VecDeque<Answer>,
}

impl Answers {
    /// The buffer to append the next answer to, up to [`Answers::end`].
    pub(super) fn begin(&mut self) -> &mut Vec<u8> {
        self.begun = self.bytes.len();
        &mut self.bytes
    }

    pub(super) fn end(&mut self, ts: Timestamp, request: Option<u32>) {
        self.waiting.push_back(Answer { ts, request, len: self.bytes.len() - self.begun });
    }

    /// Writes the oldest answer, if it is durable.
    pub(super) fn write_next(&mut self, durable: Timestamp, sink: &mut impl MessageSink) -> Option<Answer> {
        let answer = *self.waiting.front().filter(|answer| answer.ts <= durable)?;
        self.waiting.pop_front();
        let end = self.written + answer.len;
        sink.begin(answer.len).extend_from_slice(&self.bytes[self.written..end]);
        sink.end();
        self.written = end;
        if self.waiting.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
            self.written = 0;
        } else if self.written > KEPT_BYTES && self.written > self.bytes.len() / 2 {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        Some(answer)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() - self.written > FULL_BYTES
    }
}
