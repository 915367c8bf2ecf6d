//! Idempotence: a mutation that a session sends again is answered, not run again.
//!
//! The record is written in the mutation's own transaction, in the engine's keyspace of sessions. Its key is the
//! session (16 bytes) and the request modulo 1,024 (2 bytes, big endian), so that a busy session overwrites its own
//! records. Its value is an object: `lines` (strings), `places` (int64s; where the timestamp of the commit belongs in the
//! result, absent when nowhere), `request` (int64), `result` (wire JSON). Only a mutation that succeeded leaves one.
//!
//! Requests of a session grow. So one that is greater than all before it has no record, and nothing is looked up for it:
//! [`Requests`] remembers the greatest of each session.

use std::collections::HashMap;

use hull_engine::{KeyRange, Keyspace, Order, Transaction};
use hull_value::{Encode, Encoder, Packed, Timestamp, ValueRef};
use parking_lot::Mutex;

use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::run::transaction_error;

/// How many records a session has at most.
const SLOTS: u32 = 1024;
/// Of how many sessions the greatest request is remembered.
const REMEMBERED: usize = 1 << 16;

/// Which request of which session a mutation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    /// The session: its UUID.
    pub session: u128,
    /// The request's number within it.
    pub request: u32,
}

/// What an earlier run of the same request left.
pub(crate) struct Recorded {
    pub(crate) ts: Timestamp,
    pub(crate) result: String,
    pub(crate) log_lines: Vec<String>,
}

impl RequestId {
    fn key(&self) -> [u8; 18] {
        let mut key = [0; 18];
        key[..16].copy_from_slice(&self.session.to_be_bytes());
        key[16..].copy_from_slice(&((self.request % SLOTS) as u16).to_be_bytes());
        key
    }

    /// What this request left when it was run before. A slot that a later request has taken is an error.
    pub(crate) fn find(&self, known: &Requests, transaction: &mut Transaction) -> Result<Option<Recorded>> {
        if known.is_new(self, transaction)? {
            transaction.depend_on_system(Keyspace::SESSIONS, &self.key());
            return Ok(None);
        }
        let found = transaction.get_system(Keyspace::SESSIONS, &self.key()).map_err(transaction_error)?;
        let Some((ts, record)) = found else { return Ok(None) };
        let ValueRef::Object(fields) = record.as_ref() else { return Err(damaged()) };
        let (Some(ValueRef::Int64(request)), Some(ValueRef::String(result)), Some(ValueRef::Array(lines))) =
            (fields.get("request"), fields.get("result"), fields.get("lines"))
        else {
            return Err(damaged());
        };
        if request < i64::from(self.request) {
            return Ok(None);
        }
        if request > i64::from(self.request) {
            let message = format!(
                "Request {} is {} or more requests behind request {request} of its session: its answer is no longer kept",
                self.request, SLOTS
            );
            return Err(Error::abort("RequestSuperseded", message));
        }
        let log_lines = lines
            .iter()
            .map(|line| match line {
                ValueRef::String(line) => Ok(line.to_owned()),
                _ => Err(damaged()),
            })
            .collect::<Result<_>>()?;
        let places = match fields.get("places") {
            None => Vec::new(),
            Some(ValueRef::Array(places)) => places
                .iter()
                .map(|place| match place {
                    ValueRef::Int64(place) => usize::try_from(place).map_err(|_| damaged()),
                    _ => Err(damaged()),
                })
                .collect::<Result<_>>()?,
            Some(_) => return Err(damaged()),
        };
        let answer = Answer { json: result.to_owned(), places };
        Ok(Some(Recorded { ts, result: answer.fill(ts), log_lines }))
    }

    /// The greatest request of the session that has a record.
    fn greatest(&self, transaction: &mut Transaction) -> Result<i64> {
        let start = self.session.to_be_bytes().to_vec();
        let end = self.session.checked_add(1).map(|next| next.to_be_bytes().to_vec());
        let range = KeyRange { start, end };
        let mut scan =
            transaction.scan_system(Keyspace::SESSIONS, &range, Order::Asc).map_err(transaction_error)?;
        let mut greatest = -1;
        while let Some((_, record)) = transaction.next_system(&mut scan).map_err(transaction_error)? {
            let ValueRef::Object(fields) = record.as_ref() else { return Err(damaged()) };
            let Some(ValueRef::Int64(request)) = fields.get("request") else { return Err(damaged()) };
            greatest = greatest.max(request);
        }
        Ok(greatest)
    }

    /// Leaves the answer for a later replay.
    pub(crate) fn record(
        &self,
        transaction: &mut Transaction,
        answer: &Answer,
        log_lines: &[String],
    ) -> Result<()> {
        let record = Packed::encode(&Record { request: self.request, answer, log_lines })
            .map_err(|error| Error::abort("InvalidReturnValue", error.to_string()))?;
        transaction.put_system(Keyspace::SESSIONS, &self.key(), Some(&record)).map_err(transaction_error)
    }
}

/// The greatest request of each session.
#[derive(Default)]
pub(crate) struct Requests {
    state: Mutex<Greatest>,
}

#[derive(Default)]
struct Greatest {
    /// Grows when sessions are forgotten, so that what was read before is not remembered after.
    generation: u64,
    /// By session; -1 for one without requests.
    of: HashMap<u128, i64>,
}

impl Greatest {
    fn raise(&mut self, request: &RequestId) -> Option<bool> {
        let greatest = self.of.get_mut(&request.session)?;
        let new = i64::from(request.request) > *greatest;
        if new {
            *greatest = i64::from(request.request);
        }
        Some(new)
    }
}

impl Requests {
    /// Whether the request is greater than all of its session, and counts as one of them from now on: whoever asks
    /// again, before or after it is committed, has to look.
    fn is_new(&self, request: &RequestId, transaction: &mut Transaction) -> Result<bool> {
        let generation = {
            let mut state = self.state.lock();
            if let Some(new) = state.raise(request) {
                return Ok(new);
            }
            state.generation
        };
        let greatest = request.greatest(transaction)?;
        let mut state = self.state.lock();
        if state.generation != generation {
            return Ok(false);
        }
        if state.of.len() >= REMEMBERED {
            state.generation += 1;
            state.of.clear();
        }
        let known = state.of.entry(request.session).or_insert(greatest);
        *known = greatest.max(*known);
        Ok(state.raise(request).unwrap_or(false))
    }
}

struct Record<'a> {
    request: u32,
    answer: &'a Answer,
    log_lines: &'a [String],
}

impl Encode for Record<'_> {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.begin_object();
        e.key("lines");
        e.begin_array();
        for line in self.log_lines {
            e.string(line);
        }
        e.end_array();
        if !self.answer.places.is_empty() {
            e.key("places");
            e.begin_array();
            self.answer.places.iter().for_each(|place| e.int64(*place as i64));
            e.end_array();
        }
        e.key("request");
        e.int64(i64::from(self.request));
        e.key("result");
        e.string(&self.answer.json);
        e.end_object();
    }
}

fn damaged() -> Error {
    Error::abort("StorageDamaged", "A record of a session's request can't be read")
}
