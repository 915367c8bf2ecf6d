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
//! A worker owns the session and a socket. It passes frames to [`Session::receive`] and its siblings, does
//! what [`Session::next_effect`] tells until there is nothing more, and reports what came of it. When the
//! socket has taken all earlier bytes it calls [`Session::flush`], and when [`Session::wants_step`] names a
//! timestamp it asks the live queries for a [`Session::step`] that reaches it. After as long as
//! [`Session::next_flush_in`] says it calls `flush` even when nothing happened; when the socket takes nothing, [`Session::is_silent`] tells when
//! to give up. A step says: *at this timestamp these subscriptions have these results, and every other
//! subscription that has a result still has it.*
//!
//! ```
//! use hull_sync::{ClientVersion, Effect, Instant, Outgoing, OutgoingFrames, Session};
//! use hull_value::Timestamp;
//!
//! let now = Instant { monotonic_ms: 0, unix_ns: 0 };
//! let mut session = Session::new(ClientVersion::unknown(), "nobody", Timestamp(10), now);
//! let id = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
//! session.receive(&format!(r#"{{"type":"Connect","sessionId":"{id}","connectionCount":0}}"#), now);
//! session.receive(r#"{"type":"Mutation","requestId":0,"udfPath":"m:f","args":[{}]}"#, now);
//! while let Some(effect) = session.next_effect() {
//!     if let Effect::RunMutation { request, .. } = effect {
//!         session.mutation_finished(request, Timestamp(20), Ok("null"), &[]);
//!     }
//! }
//! session.durable(Timestamp(20));
//! let mut out = OutgoingFrames::new();
//! session.flush(now, &mut out);
//! let sent: Vec<Outgoing<'_>> = out.iter().collect();
//! assert!(matches!(sent[0], Outgoing::Text(text) if text.starts_with(r#"{"type":"MutationResponse""#)));
//! assert!(matches!(sent[1], Outgoing::Text(text) if text.starts_with(r#"{"type":"Transition""#)));
//! ```

mod answers;
mod effect;
mod incoming;
mod outgoing;
mod queries;
mod requests;

use std::collections::VecDeque;
use std::sync::Arc;

use hull_value::Timestamp;

use crate::client_message::ClientMessage;
use crate::close::Close;
use crate::message::StateVersion;
use crate::result::{Failure, QueryResult};
use crate::version::ClientVersion;
use crate::write;

use answers::Answers;
use queries::{Queries, too_long};
use requests::{Pending, Requests};

pub use effect::{Effect, Instant, SubscriptionId};

/// The text for a client that shows a user's token while the server knows no identity provider.
pub const NO_AUTH_PROVIDER: &str = "No auth provider found matching the given token: none is configured.";

/// What a session holds back of one client, in messages and in bytes.
const HELD_MESSAGES: usize = 1_000;
const HELD_BYTES: usize = 64 << 20;

/// Diffs of one session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffCounts {
    /// Pairs of results that this session was the first to compare.
    pub made: u64,
    /// Results that its client was told by a diff.
    pub told: u64,
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
    /// Actions without a written answer.
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
}

impl<I: Clone> Session<I> {
    /// A session of a socket that was just opened. `anonymous` is who a client is until it says otherwise,
    /// `durable` the newest durable timestamp.
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
        }
    }

    /// Tells the client results by what has changed in them, where that is shorter (DIFF.md). To be called before the first
    /// message, for a client that asks for it.
    pub fn tell_diffs(&mut self) {
        self.queries.diffs = true;
    }

    /// How many diffs there were since the last call.
    pub fn take_diff_counts(&mut self) -> DiffCounts {
        std::mem::take(&mut self.queries.counts)
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

    /// A pong came: the client is done with all answers that its ping asked about.
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

    /// A mutation is ordered at `ts`, or it failed on a snapshot of `ts`. Its answer waits until `ts` is
    /// durable.
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
        let longest = self.client.longest_message();
        let out = self.answers.begin();
        let begun = out.len();
        write::mutation_response(out, request, ts, result, log_lines);
        let bytes = out.len() - begun;
        if bytes > longest {
            out.truncate(begun);
            let failure = too_long("mutation is done, but its answer", bytes, longest);
            write::mutation_response(out, request, ts, Err(&failure), &[]);
        }
        self.answers.end(self.floor, Some(request));
    }

    /// An action has come to its end.
    pub fn action_finished(&mut self, request: u32, result: Result<&str, &Failure>, log_lines: &[String]) {
        if !self.is_open() {
            return;
        }
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

    /// At `ts`, which is durable, these subscriptions have these results and all others that have one still
    /// have it. Steps come in order; those that no Transition told yet coalesce.
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

    /// Whether a mutation runs, or an answer waits to be durable or to be written.
    pub fn has_unanswered(&self) -> bool {
        self.requests.is_running() || !self.answers.is_empty() || self.actions > 0
    }

    /// Ends the connection with the next flush: what is queued is dropped, and the client will ask again.
    pub fn close(&mut self, close: Close) {
        self.end(None, close);
    }

    /// Whether the end has come: at most it is still to be written.
    pub fn is_ending(&self) -> bool {
        !self.is_open()
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
}
