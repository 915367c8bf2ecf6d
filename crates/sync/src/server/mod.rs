//! The server's half of a connection, as a state machine.
//!
//! # Guarantees
//!
//! - A Transition starts at the version where the last one ended, and none says anything that is not as of
//!   exactly its end timestamp.
//! - Mutations start one at a time in the order they came, each under the identity of the Authenticates before
//!   it. The next one starts when the last one is *finished* (ordered); answers wait until they are *durable*.
//! - The answer of timestamp T is written before every Transition that reaches T, and one that reaches
//!   T always follows.
//! - Every ModifyQuerySet and every Authenticate is answered by a Transition that reflects it.
//! - A session holds a bounded amount of a client's requests, and closes when there are more.
//!
//! # The worker
//!
//! A worker owns the session and a socket. It passes frames to [`Session::receive`] and its siblings, does what
//! [`Session::next_effect`] tells until there is nothing more, and reports what came of it. When the socket has
//! taken all earlier bytes it calls [`Session::flush`], and when [`Session::wants_step`] names a timestamp it asks
//! the live queries for a [`Session::step`] that reaches it. At least every five seconds it calls `flush` even
//! when nothing happened. A step says: *at this timestamp these subscriptions have these results, and every other
//! subscription that has a result still has it.*

mod answers;
mod queries;
mod requests;

use std::collections::VecDeque;
use std::sync::Arc;

use hull_value::{Packed, Timestamp};

use crate::chunk;
use crate::client_message::{ClientMessage, Credential};
use crate::close::Close;
use crate::message::{SessionId, StateVersion};
use crate::path::FunctionPath;
use crate::result::{Failure, QueryResult};
use crate::sink::MessageSink;
use crate::version::ClientVersion;
use crate::write;

use answers::Answers;
use queries::Queries;
use requests::{Pending, Requests, read_call};

/// The text for a client that shows a user's token while the server knows no identity provider.
pub const NO_AUTH_PROVIDER: &str = "No auth provider found matching the given token: none is configured.";

const APP_PING_MS: u64 = 15_000;
const WS_PING_MS: u64 = 5_000;
const SILENCE_MS: u64 = 120_000;
/// What a session holds back of one client, in messages and in bytes.
const HELD_MESSAGES: usize = 1_000;
const HELD_BYTES: usize = 64 << 20;
const RUNNING_ACTIONS: usize = 1_000;

/// A moment, told by the worker: the session has no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    /// Milliseconds of a clock that never goes back.
    pub monotonic_ms: u64,
    /// Nanoseconds since 1970.
    pub unix_ns: u64,
}

/// One run of one query of a client, under one identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId {
    /// The client's number for the query.
    pub query: u32,
    /// Tells apart what the session subscribed under the same number.
    pub generation: u32,
}

/// What a worker is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect<I> {
    /// The client has said which session it is: an older connection of it should be ended.
    Connected {
        /// The session; with the request's number it makes mutations idempotent.
        session: SessionId,
        /// How many connections the session had before.
        connection_count: u32,
        /// Why the last one ended, as the client says.
        last_close_reason: Option<String>,
    },
    /// Run this query and keep it live; results come back by [`Session::step`].
    Subscribe {
        /// The name to report results under.
        subscription: SubscriptionId,
        /// The function.
        path: FunctionPath,
        /// Its arguments, an object.
        args: Packed,
        /// The journal of its last result.
        journal: Option<Arc<str>>,
        /// Who asks.
        identity: I,
    },
    /// Stop this query; results that still come are ignored.
    Unsubscribe {
        /// The name it was subscribed under.
        subscription: SubscriptionId,
    },
    /// Run this mutation, then call [`Session::mutation_finished`].
    RunMutation {
        /// The request's number in the session.
        request: u32,
        /// The function.
        path: FunctionPath,
        /// Its arguments, an object.
        args: Packed,
        /// Who asks.
        identity: I,
    },
    /// Run this action, then call [`Session::action_finished`].
    RunAction {
        /// The request's number in the session.
        request: u32,
        /// The function.
        path: FunctionPath,
        /// Its arguments, an object.
        args: Packed,
        /// Who asks.
        identity: I,
    },
    /// Check this credential, then call [`Session::authenticated`] or [`Session::authentication_failed`]; until then
    /// the client's next messages wait.
    Authenticate {
        /// What the client shows; never [`Credential::None`], which needs no check.
        credential: Credential,
    },
}

#[derive(Debug)]
enum Phase {
    /// Nothing but Connect may come.
    New,
    Open,
    /// A last message, maybe, and the close are to be written.
    Ending(Option<Vec<u8>>, Close),
    Closed,
}

/// The server's half of one connection. `I` is an identity, cheap to clone.
#[derive(Debug)]
pub struct Session<I> {
    client: ClientVersion,
    phase: Phase,
    version: StateVersion,
    anonymous: I,
    identity: I,
    identity_version: u32,
    authenticating: bool,
    held: VecDeque<String>,
    held_bytes: usize,
    queries: Queries,
    requests: Requests<I>,
    answers: Answers,
    effects: VecDeque<Effect<I>>,
    actions: usize,
    durable: Timestamp,
    step: Timestamp,
    /// No mutation that runs will commit at or below this.
    floor: Timestamp,
    /// The oldest and the newest answer that no Transition has reached.
    owed: Option<(Timestamp, Timestamp)>,
    skew: Option<i64>,
    heard_ms: u64,
    said_ms: u64,
    pinged_ms: u64,
    scratch: Vec<u8>,
}

impl<I: Clone> Session<I> {
    /// A session of a socket that was just opened. `anonymous` is who a client is until it says otherwise, `durable`
    /// the newest durable timestamp.
    pub fn new(client: ClientVersion, anonymous: I, durable: Timestamp, now: Instant) -> Self {
        Self {
            client,
            phase: Phase::New,
            version: StateVersion::ZERO,
            identity: anonymous.clone(),
            anonymous,
            identity_version: 0,
            authenticating: false,
            held: VecDeque::new(),
            held_bytes: 0,
            queries: Queries::default(),
            requests: Requests::default(),
            answers: Answers::default(),
            effects: VecDeque::new(),
            actions: 0,
            durable,
            step: Timestamp(0),
            floor: durable,
            owed: None,
            skew: None,
            heard_ms: now.monotonic_ms,
            said_ms: now.monotonic_ms,
            pinged_ms: now.monotonic_ms,
            scratch: Vec::new(),
        }
    }

    /// A text frame came. A Connect is measured against [`Session::durable`], which should be told before.
    pub fn receive(&mut self, text: &str, now: Instant) {
        self.heard_ms = now.monotonic_ms;
        if !self.is_open() {
            return;
        }
        if self.authenticating {
            self.held_bytes += text.len();
            if self.held.len() >= HELD_MESSAGES || self.held_bytes > HELD_BYTES {
                return self.close(Close::too_many_requests("too many messages wait for authentication"));
            }
            return self.held.push_back(text.to_owned());
        }
        match ClientMessage::parse(text) {
            Ok(message) => self.accept(message, now),
            Err(error) => self.fatal(&error.to_string()),
        }
    }

    /// A binary frame came, which the protocol does not have.
    pub fn receive_binary(&mut self, now: Instant) {
        self.heard_ms = now.monotonic_ms;
        self.close(Close::new(Close::UNSUPPORTED, "BinaryFrame: the sync protocol has text frames only"));
    }

    /// A pong came: all answers before its ping have reached the client.
    pub fn receive_pong(&mut self, payload: &[u8], now: Instant) {
        self.heard_ms = now.monotonic_ms;
        if let Ok(count) = <[u8; 8]>::try_from(payload) {
            self.requests.confirm(u64::from_be_bytes(count));
        }
    }

    /// Another frame came: the client lives.
    pub fn receive_other(&mut self, now: Instant) {
        self.heard_ms = now.monotonic_ms;
    }

    /// The next thing to do, if there is one now.
    pub fn next_effect(&mut self) -> Option<Effect<I>> {
        if let Some(effect) = self.effects.pop_front() {
            return Some(effect);
        }
        if !self.is_open() || self.answers.is_full() {
            return None;
        }
        while let Some(pending) = self.requests.start() {
            let Pending { request, call, identity, .. } = pending;
            match call {
                Ok((path, args)) => {
                    self.floor = self.floor.max(self.durable).max(self.step);
                    return Some(Effect::RunMutation { request, path, args, identity });
                }
                Err(failure) => self.mutation_finished(request, self.floor, Err(&failure), &[]),
            }
        }
        None
    }

    /// A mutation is ordered at `ts`, or it failed on a snapshot of `ts`. Its answer waits until `ts` is durable.
    pub fn mutation_finished(
        &mut self,
        request: u32,
        ts: Timestamp,
        result: Result<&str, &Failure>,
        log_lines: &[String],
    ) {
        if !self.requests.finish(request) || !self.is_open() {
            return;
        }
        self.floor = self.floor.max(ts);
        let out = self.answers.begin();
        write::mutation_response(out, request, ts, result, log_lines);
        self.answers.end(self.floor, Some(request));
    }

    /// An action has come to its end.
    pub fn action_finished(&mut self, request: u32, result: Result<&str, &Failure>, log_lines: &[String]) {
        if !self.is_open() {
            return;
        }
        self.actions = self.actions.saturating_sub(1);
        let out = self.answers.begin();
        write::action_response(out, request, result, log_lines);
        self.answers.end(self.durable, None);
    }

    /// The credential is good: the client is this from now on.
    pub fn authenticated(&mut self, identity: I, now: Instant) {
        if self.is_open() && std::mem::take(&mut self.authenticating) {
            self.set_identity(identity);
            self.release(now);
        }
    }

    /// The credential is not good: the client is told, and the connection ends.
    pub fn authentication_failed(&mut self, error: &str) {
        if self.is_open() && std::mem::take(&mut self.authenticating) {
            self.refuse_identity(error, true);
        }
    }

    /// The credential that was good has ended: the client is told, and the connection ends.
    pub fn credential_expired(&mut self, error: &str) {
        if self.is_open() {
            self.refuse_identity(error, false);
        }
    }

    /// At `ts`, which is durable, these subscriptions have these results and all others that have one still have it.
    /// Steps come in order; those that no Transition told yet coalesce.
    pub fn step(
        &mut self,
        ts: Timestamp,
        results: impl IntoIterator<Item = (SubscriptionId, Arc<QueryResult>)>,
    ) {
        for (subscription, result) in results {
            self.queries.update(subscription, result);
        }
        self.step = self.step.max(ts);
        self.durable(ts);
    }

    /// Everything up to `ts` is durable.
    pub fn durable(&mut self, ts: Timestamp) {
        self.durable = self.durable.max(ts);
    }

    /// The timestamp that a step should reach, when the session owes its client a Transition and cannot tell by
    /// itself what its queries' results are then. To be looked at after each flush.
    pub fn wants_step(&self) -> Option<Timestamp> {
        if !matches!(self.phase, Phase::Open) || !self.queries.has_live() {
            return None;
        }
        let owed = self.owed.map_or(self.version.ts, |(_, newest)| newest.max(self.version.ts));
        let waits =
            self.owed.is_some() || self.queries.has_news() || self.version.identity != self.identity_version;
        (waits && self.step < owed).then_some(owed)
    }

    /// Whether a mutation runs, or an answer waits to be durable or to be written.
    pub fn has_unanswered(&self) -> bool {
        self.requests.is_running() || !self.answers.is_empty() || self.actions > 0
    }

    /// Writes what the client may hear now. To be called only when the socket has taken all earlier bytes, so that
    /// a slow client gets the newest state and not a backlog, and at least every five seconds.
    pub fn flush(&mut self, now: Instant, sink: &mut impl MessageSink) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        let mut said = self.flush_answers(now, sink);
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
            self.send_ping(now, sink);
        }
        if now.monotonic_ms.saturating_sub(self.heard_ms) >= SILENCE_MS {
            self.close(Close::new(Close::NORMAL, "ClientSilent"));
            self.flush_end(sink);
        }
    }

    /// Ends the connection with the next flush: what is queued is dropped, and the client will ask again.
    pub fn close(&mut self, close: Close) {
        self.end(None, close);
    }

    /// Whether nothing will be written any more.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::New | Phase::Open)
    }

    fn end(&mut self, message: Option<Vec<u8>>, close: Close) {
        if self.is_open() {
            self.phase = Phase::Ending(message, close);
            self.effects.clear();
            self.held.clear();
            self.requests.clear_queue();
        }
    }

    fn fatal(&mut self, error: &str) {
        let mut message = Vec::new();
        write::fatal_error(&mut message, error);
        self.end(Some(message), Close::new(Close::NORMAL, "BadSyncMessage"));
    }

    fn refuse_identity(&mut self, error: &str, attempted: bool) {
        let mut message = Vec::new();
        write::auth_error(&mut message, error, self.version.identity, attempted);
        self.end(Some(message), Close::new(Close::NORMAL, "Unauthenticated"));
    }

    fn accept(&mut self, message: ClientMessage<'_>, now: Instant) {
        match (&self.phase, message) {
            (_, ClientMessage::Event { .. }) => {}
            (
                Phase::New,
                ClientMessage::Connect {
                    session,
                    connection_count,
                    last_close_reason,
                    max_observed,
                    client_ts,
                },
            ) => {
                if max_observed.is_some_and(|seen| seen > self.durable) {
                    return self
                        .close(Close::internal("the client has seen a newer timestamp than this server"));
                }
                self.phase = Phase::Open;
                let now_ms = i64::try_from(now.unix_ns / 1_000_000).unwrap_or(i64::MAX);
                self.skew = client_ts.filter(|ts| *ts != 0).map(|ts| ts.saturating_sub(now_ms));
                let last_close_reason = last_close_reason.map(|reason| reason.into_owned());
                self.effects.push_back(Effect::Connected { session, connection_count, last_close_reason });
            }
            (Phase::New, _) => self.fatal("the first message of a connection must be Connect"),
            (_, ClientMessage::Connect { .. }) => self.fatal("a connection can have only one Connect"),
            (_, ClientMessage::ModifyQuerySet { base, new, changes }) => {
                let identity = self.identity.clone();
                if let Err(error) = self.queries.modify(base, new, changes, &identity, &mut self.effects) {
                    self.close(error);
                }
            }
            (_, ClientMessage::Mutation { request, path, args, component }) => {
                let pending = Pending::new(
                    request,
                    read_call(&path, args, &component),
                    self.identity.clone(),
                    args.len(),
                );
                if let Err(error) = self.requests.push(pending) {
                    self.close(error);
                }
            }
            (_, ClientMessage::Action { request, path, args, component }) => {
                self.actions += 1;
                if self.actions > RUNNING_ACTIONS {
                    return self.close(Close::too_many_requests("too many actions of one connection"));
                }
                match read_call(&path, args, &component) {
                    Ok((path, args)) => {
                        let identity = self.identity.clone();
                        self.effects.push_back(Effect::RunAction { request, path, args, identity });
                    }
                    Err(failure) => self.action_finished(request, Err(&failure), &[]),
                }
            }
            (_, ClientMessage::Authenticate { base, credential }) => {
                if base != self.identity_version {
                    return self.close(Close::internal("Authenticate is based on another identity version"));
                }
                if credential == Credential::None {
                    self.set_identity(self.anonymous.clone());
                } else {
                    self.authenticating = true;
                    self.effects.push_back(Effect::Authenticate { credential });
                }
            }
        }
    }

    fn set_identity(&mut self, identity: I) {
        self.identity = identity;
        self.identity_version += 1;
        self.queries.resubscribe(&self.identity, &mut self.effects);
    }

    fn release(&mut self, now: Instant) {
        let mut held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        while let Some(text) = held.pop_front() {
            // One of these may authenticate again: then it holds what follows it.
            let heard_ms = self.heard_ms;
            self.receive(&text, now);
            self.heard_ms = heard_ms;
        }
    }

    fn flush_answers(&mut self, now: Instant, sink: &mut impl MessageSink) -> bool {
        let mut said = false;
        while let Some(answer) = self.answers.write_next(self.durable, sink) {
            said = true;
            if let Some(request) = answer.request {
                let oldest = self.owed.map_or(answer.ts, |(oldest, _)| oldest);
                self.owed = Some((oldest, answer.ts));
                if self.requests.answered(request) {
                    self.send_ping(now, sink);
                }
            }
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
        let clocks = self.skew.map(|skew| (skew, now.unix_ns));
        let start = std::mem::replace(&mut self.version, end);
        self.owed =
            self.owed.filter(|(_, newest)| *newest > ts).map(|(_, newest)| (Timestamp(ts.0 + 1), newest));
        let expected = 320 + self.queries.size();
        if expected > chunk::CHUNK_BYTES && self.client.takes_chunks() {
            self.scratch.clear();
            self.queries.write_transition(start, end, clocks, &mut self.scratch);
            chunk::write(&self.scratch, sink);
            self.scratch = Vec::new();
        } else {
            self.queries.write_transition(start, end, clocks, sink.begin(expected));
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

    fn send_ping(&mut self, now: Instant, sink: &mut impl MessageSink) {
        sink.ping(self.requests.ping().to_be_bytes());
        self.pinged_ms = now.monotonic_ms;
    }
}
