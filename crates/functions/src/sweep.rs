//! Sweeping: what sessions left for replays goes when they have been idle for [`IDLE`].
//!
//! Guarantee: a session whose newest record is younger keeps all of them, and one that writes meanwhile does too. Each
//! session is one transaction, so a sweep can stop anywhere and holds up nobody.

use std::time::Duration;

use hull_engine::{CommitError, Engine, KeyRange, Keyspace, Order};

use crate::error::{Error, Result};
use crate::run::transaction_error;

/// A session is idle when it has recorded nothing for so long.
pub const IDLE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Bytes of a record's key that are the session.
const SESSION_BYTES: usize = 16;

/// How far a sweep has come.
#[derive(Debug, Default)]
pub struct SessionSweep {
    /// The last session that was looked at.
    after: Option<u128>,
    /// How many records were removed.
    removed: u64,
}

impl SessionSweep {
    /// How many records were removed so far.
    pub fn removed(&self) -> u64 {
        self.removed
    }

    /// Looks at the next session; `false` when there is none.
    pub(crate) fn step(&mut self, engine: &Engine) -> Result<bool> {
        let start = match self.after.map(|session| session.checked_add(1)) {
            None => 0,
            Some(Some(next)) => next,
            Some(None) => return Ok(false),
        };
        let mut transaction = engine.begin();
        let range = KeyRange { start: start.to_be_bytes().to_vec(), end: None };
        let mut scan =
            transaction.scan_system(Keyspace::SESSIONS, &range, Order::Asc).map_err(transaction_error)?;
        let mut session = None;
        let mut idle = Vec::new();
        while let Some((key, _)) = transaction.next_system(&mut scan).map_err(transaction_error)? {
            let bytes = key.first_chunk::<SESSION_BYTES>().copied();
            let of = u128::from_be_bytes(bytes.ok_or_else(|| {
                Error::abort("StorageDamaged", "A record of a session's request has no session")
            })?);
            if *session.get_or_insert(of) != of {
                break;
            }
            let found = transaction.get_system(Keyspace::SESSIONS, &key).map_err(transaction_error)?;
            let age = found.map_or(0, |(ts, _)| engine.clock().now().0.saturating_sub(ts.0));
            if u128::from(age) < IDLE.as_nanos() {
                idle.clear();
                break;
            }
            idle.push(key);
        }
        self.after = session;
        if idle.is_empty() {
            return Ok(session.is_some());
        }
        for key in &idle {
            transaction.put_system(Keyspace::SESSIONS, key, None).map_err(transaction_error)?;
        }
        match engine.commit(transaction) {
            Ok(_) => self.removed += idle.len() as u64,
            // It is not idle after all.
            Err(CommitError::Conflict(_) | CommitError::OutOfRetention) => {}
            Err(error) => return Err(Error::abort(error.code(), error.to_string())),
        }
        Ok(true)
    }
}
