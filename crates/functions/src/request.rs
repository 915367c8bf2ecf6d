//! Idempotence: a mutation that a session sends again is answered, not run again.
//!
//! The record is written in the mutation's own transaction, in the engine's keyspace of sessions. Its key is the
//! session (16 bytes) and the request modulo 1,024 (2 bytes, big endian), so that a busy session overwrites its own
//! records. Its value is an object: `lines` (strings), `request` (int64), `result` (wire JSON). Only a mutation that
//! succeeded leaves one.

use hull_engine::{Keyspace, Transaction};
use hull_value::{Encode, Encoder, Packed, Timestamp, ValueRef};

use crate::error::{Error, Result};
use crate::run::transaction_error;

/// How many records a session has at most.
const SLOTS: u32 = 1024;

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
    pub(crate) fn find(&self, transaction: &mut Transaction) -> Result<Option<Recorded>> {
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
        Ok(Some(Recorded { ts, result: result.to_owned(), log_lines }))
    }

    /// Leaves the answer for a later replay.
    pub(crate) fn record(
        &self,
        transaction: &mut Transaction,
        result: &str,
        log_lines: &[String],
    ) -> Result<()> {
        let record = Packed::encode(&Record { request: self.request, result, log_lines })
            .map_err(|error| Error::abort("InvalidReturnValue", error.to_string()))?;
        transaction.put_system(Keyspace::SESSIONS, &self.key(), Some(&record)).map_err(transaction_error)
    }
}

struct Record<'a> {
    request: u32,
    result: &'a str,
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
        e.key("request");
        e.int64(i64::from(self.request));
        e.key("result");
        e.string(self.result);
        e.end_object();
    }
}

fn damaged() -> Error {
    Error::abort("StorageDamaged", "A record of a session's request can't be read")
}
