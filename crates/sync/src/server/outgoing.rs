//! What a session writes, and in which order: answers that are durable, then one Transition, then pings; or a
//! last message and the close.

use hull_value::Timestamp;

use crate::chunk;
use crate::close::Close;
use crate::message::StateVersion;
use crate::sink::MessageSink;
use crate::write;

use super::{Instant, Phase, Session};

const APP_PING_MS: u64 = 15_000;
const WS_PING_MS: u64 = 5_000;
const SILENCE_MS: u64 = 120_000;

impl<I: Clone> Session<I> {
    /// The timestamp that a step should reach, when the session owes its client a Transition and cannot tell
    /// by itself what its queries' results are then. To be looked at after each flush.
    pub fn wants_step(&self) -> Option<Timestamp> {
        if !matches!(self.phase, Phase::Open) || !self.queries.has_live() {
            return None;
        }
        let owed = self.owed.map_or(self.version.ts, |(_, newest)| newest.max(self.version.ts));
        let waits =
            self.owed.is_some() || self.queries.has_news() || self.version.identity != self.identity_version;
        (waits && self.step < owed).then_some(owed)
    }

    /// Whether nothing came from the client for two minutes, not even a pong. A flush ends such a connection; a
    /// worker whose socket takes no bytes should look here, and drop it.
    pub fn is_silent(&self, now: Instant) -> bool {
        now.monotonic_ms.saturating_sub(self.heard_ms) >= SILENCE_MS
    }

    /// In how many milliseconds a flush will have something to say even if nothing happens: counted from a flush at
    /// `now`, so never 0.
    pub fn next_flush_in(&self, now: Instant) -> u64 {
        let left = |since: u64, every: u64| {
            let gone = now.monotonic_ms.saturating_sub(since);
            if gone < every { every - gone } else { every }
        };
        left(self.said_ms, APP_PING_MS).min(left(self.pinged_ms, WS_PING_MS))
    }

    /// Writes what the client may hear now. To be called only when the socket has taken all earlier bytes, so
    /// that a slow client gets the newest state and not a backlog, and when [`Session::next_flush_in`] says.
    pub fn flush(&mut self, now: Instant, sink: &mut impl MessageSink) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        let mut said = self.flush_answers(sink);
        if matches!(self.phase, Phase::Ending(..)) {
            return self.flush_end(sink);
        }
        said |= self.flush_transition(now, sink);
        if said {
            self.said_ms = now.monotonic_ms;
        } else if now.monotonic_ms.saturating_sub(self.said_ms) >= APP_PING_MS {
            write::ping(sink.begin(16));
            sink.end();
            self.said_ms = now.monotonic_ms;
        }
        let quiet = now.monotonic_ms.saturating_sub(self.pinged_ms) >= WS_PING_MS;
        if quiet || self.requests.needs_ping() {
            sink.ping(self.requests.ping().to_be_bytes());
            self.pinged_ms = now.monotonic_ms;
        }
        if self.is_silent(now) {
            self.close(Close::new(Close::NORMAL, "ClientSilent"));
            self.flush_end(sink);
        }
    }

    fn flush_answers(&mut self, sink: &mut impl MessageSink) -> bool {
        let mut said = false;
        while let Some(answer) = self.answers.write_next(self.durable, sink) {
            said = true;
            let Some(request) = answer.request else {
                self.actions = self.actions.saturating_sub(1);
                continue;
            };
            let oldest = self.owed.map_or(answer.ts, |(oldest, _)| oldest);
            self.owed = Some((oldest, answer.ts));
            self.requests.answered(request, answer.ts);
        }
        said
    }

    fn flush_transition(&mut self, now: Instant, sink: &mut impl MessageSink) -> bool {
        if !matches!(self.phase, Phase::Open) {
            return false;
        }
        let ts = match (self.queries.has_live(), self.requests.is_running()) {
            (true, running) if !running || self.step <= self.floor => self.step,
            (true, _) => return false,
            (false, true) => self.durable.min(self.floor),
            (false, false) => self.durable,
        };
        let Some(query_set) = self.queries.reachable(self.version.query_set) else { return false };
        let end = StateVersion { query_set, identity: self.identity_version, ts };
        let owed = self.owed.is_some_and(|(oldest, _)| oldest <= ts);
        let moved = query_set != self.version.query_set || end.identity != self.version.identity;
        if ts < self.version.ts || !(owed || moved || self.queries.has_results_until(query_set)) {
            return false;
        }
        self.requests.reached(ts);
        let clocks = self.skew.map(|skew| (skew, now.unix_ns));
        let start = std::mem::replace(&mut self.version, end);
        self.owed =
            self.owed.filter(|(_, newest)| *newest > ts).map(|(_, newest)| (Timestamp(ts.0 + 1), newest));
        let expected = 320 + self.queries.size();
        if expected > chunk::CHUNK_BYTES && self.client.takes_chunks() {
            let mut transition = Vec::with_capacity(expected);
            self.queries.write_transition(start, end, clocks, usize::MAX, &mut transition);
            chunk::write(&transition, sink);
        } else {
            let longest = self.client.longest_message();
            let out = sink.begin(expected.min(longest));
            self.queries.write_transition(start, end, clocks, longest, out);
            sink.end();
        }
        true
    }

    fn flush_end(&mut self, sink: &mut impl MessageSink) {
        if let Phase::Ending(message, close) = std::mem::replace(&mut self.phase, Phase::Closed) {
            if let Some(message) = message {
                sink.begin(message.len()).extend_from_slice(&message);
                sink.end();
            }
            sink.close(close);
        }
    }
}
