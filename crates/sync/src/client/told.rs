//! What the server told of a connection's queries: diffs become values here, and nothing that was not a result is shown.
//!
//! A query is *lost* when a diff of it does not fit: another base, malformed, or another hash afterwards. Until the
//! server has told it in full, all news are held back and become one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use hull_value::Packed;

use crate::diff::{RowHashes, RowOrigins, ValueHash, apply};
use crate::server_message::{Answer, QueryUpdate};

use super::QueryState;

/// A new result of a query.
#[derive(Debug)]
pub(super) struct News {
    pub(super) state: QueryState,
    /// What to hand in when the query is added again, if that is another one now.
    pub(super) journal: Option<Option<String>>,
}

/// A value that the server may name as the base of a diff.
#[derive(Debug)]
struct Known {
    number: u64,
    value: Packed,
    /// There from the first diff on.
    hashes: Option<RowHashes>,
}

#[derive(Debug, Default)]
pub(super) struct Told {
    known: BTreeMap<u32, Known>,
    lost: BTreeSet<u32>,
    news: BTreeMap<u32, News>,
}

impl Told {
    /// Takes the updates of one Transition in, as far as the client wants these queries; gives those to ask for in full.
    pub(super) fn take(&mut self, updates: Vec<QueryUpdate<'_>>, wants: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut resync = Vec::new();
        for update in updates {
            match update {
                QueryUpdate::Removed { query } => {
                    self.forget(query);
                    self.news.remove(&query);
                }
                QueryUpdate::Changed { query, answer, journal, result, .. } => {
                    self.forget(query);
                    if !wants(query) {
                        continue;
                    }
                    let state = match answer {
                        Answer::Value(json) => self.learn(query, json, result),
                        Answer::Error { message, data } => {
                            QueryState::Error { message: message.into_owned(), data: data.map(str::to_owned) }
                        }
                    };
                    self.tell(query, state, journal);
                }
                QueryUpdate::Diff { query, base, result, hash, patch, journal, .. } => {
                    if self.lost.contains(&query) || !wants(query) {
                        continue;
                    }
                    match self.known.remove(&query).and_then(|known| known.patched(base, patch, hash, result))
                    {
                        Some(known) => {
                            self.tell(query, QueryState::Value(known.value.clone()), journal);
                            self.known.insert(query, known);
                        }
                        None => {
                            self.lost.insert(query);
                            resync.push(query);
                        }
                    }
                }
            }
        }
        resync
    }

    /// All news since the last time, unless they are held back.
    pub(super) fn release(&mut self) -> Option<BTreeMap<u32, News>> {
        self.lost.is_empty().then(|| std::mem::take(&mut self.news))
    }

    fn forget(&mut self, query: u32) {
        self.known.remove(&query);
        self.lost.remove(&query);
    }

    fn learn(&mut self, query: u32, json: &str, number: Option<u64>) -> QueryState {
        match Packed::from_json(json) {
            Ok(value) => {
                if let Some(number) = number {
                    self.known.insert(query, Known { number, value: value.clone(), hashes: None });
                }
                QueryState::Value(value)
            }
            Err(error) => {
                let message = format!("The server's result is not a value of this client's: {error}");
                QueryState::Error { message, data: None }
            }
        }
    }

    fn tell(&mut self, query: u32, state: QueryState, journal: Option<Option<Cow<'_, str>>>) {
        let journal = journal.map(|journal| journal.map(Cow::into_owned));
        let before = self.news.remove(&query).and_then(|before| before.journal);
        self.news.insert(query, News { state, journal: journal.or(before) });
    }
}

impl Known {
    /// The next value, if the patch is one of this value and what comes out has this hash.
    fn patched(self, base: u64, patch: &str, hash: ValueHash, number: u64) -> Option<Known> {
        if base != self.number {
            return None;
        }
        let patch = Packed::from_json(patch).ok()?;
        let value = apply(&self.value, &patch).ok()?;
        let origins = RowOrigins::of_patch(&self.value, &patch, &value).ok()?;
        let hashes = self.hashes.unwrap_or_else(|| RowHashes::of(&self.value)).carry(&value, &origins);
        (hashes.whole() == hash).then_some(Known { number, value, hashes: Some(hashes) })
    }
}
