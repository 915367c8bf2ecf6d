//! One distinct query: its recent results, each with the timestamps it holds for, and who wants it.
//!
//! A result holds from the timestamp it ran at until the first commit that touches it. The newest result is kept; an
//! older one only while a pinned timestamp lies in its interval.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hull_engine::ReadSet;
use hull_value::{Packed, Timestamp};
use tokio::sync::oneshot;

use crate::identity::Identity;
use crate::outcome::{Observed, QueryResult};

/// Names one entry; never used twice.
pub(super) type EntryId = u64;
/// Names one session; never used twice.
pub(super) type SessionId = u64;
/// Timestamps at which results must be kept, each with how many want it.
pub(super) type Pins = BTreeMap<Timestamp, usize>;

/// What makes two subscriptions the same query, the identity apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueryKey {
    /// The function, in canonical spelling.
    pub path: Arc<str>,
    /// The arguments.
    pub args: Packed,
    /// The journal of an earlier run. Of those who asked without one, it is that of their first run from when its result
    /// no longer holds.
    pub journal: Option<Arc<str>>,
    /// Whether this reaches an internal function, by the right of an admin.
    pub internal: bool,
}

/// A result and the timestamps it holds for.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) from: Timestamp,
    /// The first commit that touched it.
    pub(super) until: Option<Timestamp>,
    pub(super) result: Arc<QueryResult>,
    pub(super) reads: Arc<ReadSet>,
    pub(super) observed: Observed,
    /// The wall clock of the run, in milliseconds.
    pub(super) ran_at: f64,
}

/// Somebody who wants one answer, not to be kept informed.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) identity: Identity,
    pub(super) at_least: Timestamp,
    pub(super) sender: oneshot::Sender<(Timestamp, Arc<QueryResult>)>,
}

/// One distinct query.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Arc<QueryKey>,
    /// Whom it runs as.
    pub(super) identity: Identity,
    /// Whether its results are for that identity only.
    pub(super) bound: bool,
    pub(super) holders: Vec<(SessionId, u32)>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) results: VecDeque<Held>,
    /// What the index knows it by: the reads of the newest result that was current when it came. While a run replaces
    /// that result they stay, since the next one has mostly read the same.
    pub(super) indexed: Option<Arc<ReadSet>>,
    /// The number and the timestamp of the run that has not ended.
    pub(super) running: Option<(u64, Timestamp)>,
    /// Where it stands among the unused entries, and what it weighs there.
    pub(super) unused: Option<(u64, usize)>,
}

impl Entry {
    pub(super) fn new(key: Arc<QueryKey>, identity: Identity) -> Entry {
        Entry {
            key,
            identity,
            bound: false,
            holders: Vec::new(),
            waiters: Vec::new(),
            results: VecDeque::new(),
            indexed: None,
            running: None,
            unused: None,
        }
    }

    /// The result that holds now.
    pub(super) fn current(&self) -> Option<&Held> {
        self.results.back().filter(|held| held.until.is_none())
    }

    /// The result that holds at `ts`.
    pub(super) fn at(&self, ts: Timestamp) -> Option<&Held> {
        self.results
            .iter()
            .rev()
            .find(|held| held.from <= ts)
            .filter(|held| held.until.is_none_or(|until| ts < until))
    }

    /// The newest timestamp at or below `ts` at which a result holds.
    pub(super) fn newest(&self, ts: Timestamp) -> Option<Timestamp> {
        self.results
            .iter()
            .rev()
            .filter(|held| held.from <= ts && held.until != Some(held.from))
            .map(|held| held.until.map_or(ts, |until| ts.min(Timestamp(until.0 - 1))))
            .next()
    }

    /// Adds a newer result and drops older ones that no pin needs. An equal one keeps its allocation.
    pub(super) fn push(&mut self, mut held: Held, pins: &Pins) {
        if let Some(last) = self.results.back()
            && last.result.same(&held.result)
            && last.result.journal == held.result.journal
        {
            held.result = last.result.clone();
        }
        self.results.retain(|old| {
            let until = old.until.unwrap_or(held.from);
            old.from < until && pins.range(old.from..until).next().is_some()
        });
        self.results.push_back(held);
    }

    /// Whether its newest run handed out the journal that it was handed.
    pub(super) fn keeps_journal(&self) -> bool {
        self.results.back().is_none_or(|held| held.result.journal == self.key.journal)
    }

    pub(super) fn is_wanted(&self) -> bool {
        !self.holders.is_empty() || !self.waiters.is_empty()
    }

    pub(super) fn weight(&self) -> usize {
        let results: usize = self
            .results
            .iter()
            .map(|held| {
                // Its text, which is about as long, is likely to be made.
                let value = held.result.value.as_ref().map_or(0, |value| 2 * value.bytes().len());
                let lines: usize = held.result.log_lines.iter().map(String::len).sum();
                value + lines + held.reads.memory() + 64
            })
            .sum();
        results + self.key.args.bytes().len() + self.key.path.len() + 256
    }
}
