//! Mutations of one connection: one at a time, in the order they came, within the window of idempotence.
//!
//! The record that makes a mutation idempotent lies in slot `request mod 1,024` of its session. A slot may be
//! written again only when the client is done with the request in it, or a replay could find the record gone.
//! It is done when it has the answer and, since it asks again until then, a Transition that reached the answer.
//! A websocket pong tells that: it confirms every answer *settled*, that is answer and Transition written, before
//! its ping. So a ping follows every 256 settled answers, and a mutation whose slot is not confirmed yet waits.

use std::collections::VecDeque;

use hull_value::{Packed, Timestamp, ValueRef};

use crate::close::Close;
use crate::path::{FunctionPath, PathError};
use crate::result::Failure;

/// How many mutations may wait.
const QUEUED: usize = 1_000;
/// How many bytes of arguments may wait.
const QUEUED_BYTES: usize = 64 << 20;
/// How many idempotence records a session has.
const SLOTS: u32 = 1_024;
/// How many settled answers there may be without a ping.
const PING_ANSWERS: u64 = 256;

pub(super) type Call = Result<(FunctionPath, Packed), Failure>;

/// Reads path and arguments of a request; what is wrong with them fails this request alone.
pub(super) fn read_call(path: &str, args: &str, component: &str) -> Call {
    if !component.is_empty() {
        return Err(Failure::new(PathError::Component(component.chars().take(100).collect()).to_string()));
    }
    let path = FunctionPath::parse(path).map_err(|error| Failure::new(error.to_string()))?;
    // On the wire the arguments are a list of one object.
    let object = args.strip_prefix('[').and_then(|args| args.strip_suffix(']')).unwrap_or(args).trim_ascii();
    if object.is_empty() {
        return Ok((path, Packed::empty_object()));
    }
    match Packed::from_json(object) {
        Ok(args) if matches!(args.as_ref(), ValueRef::Object(_)) => Ok((path, args)),
        Ok(_) => Err(Failure::new("the arguments of a function must be one object")),
        Err(error) => Err(Failure::new(format!("the arguments of {path} are not valid: {error}"))),
    }
}

/// A mutation that waits for its turn.
#[derive(Debug)]
pub(super) struct Pending<I> {
    pub(super) request: u32,
    pub(super) call: Call,
    pub(super) identity: I,
    bytes: usize,
}

impl<I> Pending<I> {
    pub(super) fn new(request: u32, call: Call, identity: I, bytes: usize) -> Self {
        Self { request, call, identity, bytes }
    }
}

#[derive(Debug)]
pub(super) struct Requests<I> {
    queue: VecDeque<Pending<I>>,
    queue_bytes: usize,
    running: Option<u32>,
    /// One bit for each slot that holds an answer the client may not be done with.
    taken: [u64; (SLOTS / 64) as usize],
    /// Written answers that are not confirmed, in the order of their timestamps.
    unconfirmed: VecDeque<(Timestamp, u32)>,
    /// Of all answers in the order they were written, how many are confirmed, ...
    confirmed: u64,
    /// ... asked about by a ping, ...
    pinged: u64,
    /// ... and reached by a Transition.
    settled: u64,
}

impl<I> Default for Requests<I> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            queue_bytes: 0,
            running: None,
            taken: [0; (SLOTS / 64) as usize],
            unconfirmed: VecDeque::new(),
            confirmed: 0,
            pinged: 0,
            settled: 0,
        }
    }
}

fn slot(request: u32) -> (usize, u64) {
    let slot = request % SLOTS;
    ((slot / 64) as usize, 1 << (slot % 64))
}

impl<I> Requests<I> {
    pub(super) fn push(&mut self, pending: Pending<I>) -> Result<(), Close> {
        self.queue_bytes += pending.bytes;
        self.queue.push_back(pending);
        if self.queue.len() > QUEUED || self.queue_bytes > QUEUED_BYTES {
            return Err(Close::too_many_requests("too many mutations of one connection wait"));
        }
        Ok(())
    }

    /// Starts the next mutation, if none runs and its slot is free.
    pub(super) fn start(&mut self) -> Option<Pending<I>> {
        if self.running.is_some() || self.is_blocked() {
            return None;
        }
        let pending = self.queue.pop_front()?;
        self.queue_bytes -= pending.bytes;
        let (word, bit) = slot(pending.request);
        self.taken[word] |= bit;
        self.running = Some(pending.request);
        Some(pending)
    }

    /// Whether it was this one that ran.
    pub(super) fn finish(&mut self, request: u32) -> bool {
        let runs = self.running == Some(request);
        if runs {
            self.running = None;
        }
        runs
    }

    /// An answer was written; it says that the mutation committed at or before `ts`.
    pub(super) fn answered(&mut self, request: u32, ts: Timestamp) {
        self.unconfirmed.push_back((ts, request));
    }

    /// A Transition to `ts` was written after the answers so far.
    pub(super) fn reached(&mut self, ts: Timestamp) {
        let reached = self.unconfirmed.partition_point(|(answer, _)| *answer <= ts);
        self.settled = self.confirmed + reached as u64;
    }

    /// Whether there is enough to confirm for a ping of its own, or the next mutation waits for it.
    pub(super) fn needs_ping(&self) -> bool {
        let news = self.settled.saturating_sub(self.pinged);
        news >= PING_ANSWERS || (news > 0 && self.is_blocked())
    }

    /// A ping is sent: what it carries.
    pub(super) fn ping(&mut self) -> u64 {
        self.pinged = self.settled;
        self.settled
    }

    /// The client is done with this many answers.
    pub(super) fn confirm(&mut self, count: u64) {
        if count > self.pinged {
            return;
        }
        while self.confirmed < count {
            let Some((_, request)) = self.unconfirmed.pop_front() else { return };
            self.confirmed += 1;
            let (word, bit) = slot(request);
            self.taken[word] &= !bit;
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn clear_queue(&mut self) {
        self.queue.clear();
        self.queue_bytes = 0;
    }

    fn is_blocked(&self) -> bool {
        self.queue.front().is_some_and(|next| {
            let (word, bit) = slot(next.request);
            self.taken[word] & bit != 0
        })
    }
}
