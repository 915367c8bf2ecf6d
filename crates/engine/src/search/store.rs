//! The overlay of one search index: the postings that storage lacks, as version chains of documents.
//!
//! Guarantees: a document that is here has a chain of versions, and is listed under every term of every one of them and
//! under every term that storage may still have for it. So, of a document that is listed under a term, the newest version
//! at or below T decides what a reader at T sees, whatever storage says; a chain that begins later than T decides
//! nothing, and neither does a document that is not listed. The overlay of a search index is never complete.
//!
//! A document leaves once a checkpoint has stored its newest version. Lists are swept after that, so an entry may name a
//! place that is empty, or another document's by then; it is ignored.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicI64, Ordering};

use hull_value::Timestamp;
use parking_lot::RwLock;

use super::chains::{CHAIN_BYTES, Chain, Chains, version_bytes};
use super::change::SearchChange;
pub(crate) use super::cursor::Terms as TermRange;
use super::list::{LISTED_BYTES, List, Listed};
use super::posting::{Columns, DocKey, Posting, SearchSpec};
use super::statistics::{CHANGE_BYTES, History, Statistics, Stored};
use crate::overlay::Applied;

/// The overlay of one search index.
#[derive(Debug)]
pub(crate) struct SearchStore {
    pub(crate) spec: SearchSpec,
    pub(super) state: RwLock<State>,
    bytes: AtomicI64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) chains: Chains,
    /// For each term the documents that are listed under it, ascending by id.
    pub(super) inverted: BTreeMap<Box<str>, List>,
    pub(super) history: History,
    /// What storage holds as of the last complete checkpoint.
    pub(super) stored: Stored,
    /// Bytes that no checkpoint has taken over.
    pub(super) unstored: u64,
}

/// What a term takes beside its list and its bytes, in nodes that are 50 to 70 % full.
pub(super) const TERM_BYTES: usize = 80;
/// So many entries of lists are looked at while the index is locked; few in tests.
pub(super) const AT_ONCE: usize = if cfg!(test) { 50 } else { 4096 };

/// A place in the lists: behind this document of this term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) term: Box<str>,
    pub(super) id: DocKey,
}

impl Position {
    pub(super) fn new((term, id): (&str, DocKey)) -> Self {
        Self { term: term.into(), id }
    }
}

/// What the overlay decides of one term.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) term: Box<str>,
    /// The documents that storage must not be asked about, ascending.
    pub(super) hidden: Vec<DocKey>,
    /// How many of these have the term.
    pub(super) frequency: u64,
    /// The postings of those that pass the filters; without the hashes of their filters.
    pub(super) columns: Columns,
}

impl Listed {
    /// The document's chain, if it is still here.
    pub(super) fn chain(self, chains: &Chains) -> Option<&Chain> {
        chains.get(self.at, &self.id)
    }

    /// What is decided at `ts`: since when, and the posting, if the document has the term.
    #[inline]
    pub(super) fn decide<'a>(
        self,
        chain: &'a Chain,
        term: &str,
        ts: Timestamp,
    ) -> Option<(Timestamp, Option<Posting<'a>>)> {
        let (since, version, is_newest) = chain.at(ts)?;
        let posting = match (version, is_newest) {
            (None, _) => None,
            (Some(_), true) if self.frequency == 0 => None,
            (Some(doc), true) => Some(doc.posting_of(self.frequency)),
            (Some(doc), false) => doc.posting(term),
        };
        Some((since, posting))
    }

    /// Whether some version of the chain has the term.
    pub(super) fn is_of_use(self, chain: &Chain, term: &str) -> bool {
        let older = chain.versions.split_last().map(|(_, older)| older).unwrap_or_default();
        let has = |(_, version): &(Timestamp, super::chains::Version)| {
            version.as_ref().is_some_and(|doc| doc.posting(term).is_some())
        };
        self.frequency > 0 || older.iter().any(has)
    }
}

impl State {
    /// The terms from a position on, or from the beginning of a range, with what is left of their lists.
    pub(super) fn lists<'a>(
        &'a self,
        start: Bound<&str>,
        after: Option<&Position>,
    ) -> impl Iterator<Item = (&'a str, impl Iterator<Item = &'a Listed>)> {
        let start = after.map_or(start, |after| Bound::Included(&*after.term));
        let after = after.cloned();
        self.inverted.range::<str, _>((start, Bound::Unbounded)).map(move |(term, list)| {
            let behind = after.as_ref().filter(|after| after.term == *term);
            (&**term, list.behind(behind.map(|after| after.id)))
        })
    }
}

impl SearchStore {
    /// An empty overlay over what storage holds.
    pub(crate) fn new(spec: SearchSpec, stored: Stored) -> Self {
        let history = History::new(stored.statistics);
        let state = State { history, stored, ..State::default() };
        Self { spec, state: RwLock::new(state), bytes: AtomicI64::new(0) }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed).max(0) as u64
    }

    pub(super) fn grow(&self, bytes: isize) {
        self.bytes.fetch_add(bytes as i64, Ordering::Relaxed);
    }

    /// Applies a commit's change of a document at `ts`, keeping what snapshots at `floor` or above may see.
    pub(crate) fn apply(&self, id: DocKey, change: SearchChange, ts: Timestamp, floor: Timestamp) -> Applied {
        let SearchChange { old_length, lost, new, .. } = change;
        let mut added = version_bytes(&new);
        let mut applied = Applied { superseded: CHANGE_BYTES, dirtied: 0 };
        let mut freed = 0;
        let mut guard = self.state.write();
        let State { chains, inverted, history, unstored, .. } = &mut *guard;
        let history_before = history.bytes();
        let length = new.as_ref().map(|doc| doc.length);
        history.push(ts, history.newest().replaced(old_length, length), floor);
        let at = match chains.find(&id) {
            Some((at, chain)) => {
                applied.superseded += chain.push(ts, new.clone());
                freed += chain.trim(floor);
                at
            }
            None => {
                added += CHAIN_BYTES;
                chains.insert(id, ts, new.clone())
            }
        };
        let kept = new.iter().flat_map(|doc| doc.terms.iter().map(|(term, frequency)| (term, *frequency)));
        for (term, frequency) in kept.chain(lost.iter().map(|term| (term, 0))) {
            let list = match inverted.get_mut(term) {
                Some(list) => list,
                None => {
                    added += TERM_BYTES + term.len();
                    inverted.entry(term.clone()).or_default()
                }
            };
            if list.set(Listed { id, at, frequency }) {
                added += LISTED_BYTES;
            }
        }
        *unstored += added as u64;
        let history_grown = history.bytes() as isize - history_before as isize;
        drop(guard);
        applied.dirtied = added;
        self.grow(added as isize - freed as isize + history_grown);
        applied
    }

    /// Appends to `all` what is decided at `ts` of the terms of `range` behind `after`, as much as some thousand entries
    /// say; returns where to go on. What is said of a term goes on in the last of `all` when that is its.
    pub(super) fn decided(
        &self,
        range: TermRange<'_>,
        after: Option<&Position>,
        filters: &[(usize, u64)],
        ts: Timestamp,
        all: &mut VecDeque<Decided>,
    ) -> Option<Position> {
        let start = match range {
            TermRange::Longer(prefix) => Bound::Excluded(prefix),
            TermRange::Exact(text) | TermRange::Prefix(text) => Bound::Included(text),
        };
        let state = self.state.read();
        let (mut left, mut last) = (AT_ONCE, None);
        let lists = state.lists(start, after);
        for (term, list) in lists.take_while(|(term, _)| range.compare(term.as_bytes()).is_eq()) {
            for listed in list {
                if left == 0 {
                    return last.map(Position::new);
                }
                (left, last) = (left - 1, Some((term, listed.id)));
                if all.back().is_none_or(|last| *last.term != *term) {
                    all.push_back(Decided { term: term.into(), ..Decided::default() });
                }
                let decided = all.back_mut()?;
                let Some(chain) = listed.chain(&state.chains) else { continue };
                let Some((_, posting)) = listed.decide(chain, term, ts) else { continue };
                decided.hidden.push(listed.id);
                let Some(posting) = posting else { continue };
                decided.frequency += 1;
                if passes(posting, filters) {
                    decided.columns.push(listed.id, Posting { filters: &[], ..posting });
                }
            }
        }
        None
    }

    /// The statistics at `ts`, which must be a registered snapshot's.
    pub(crate) fn statistics(&self, ts: Timestamp) -> Statistics {
        self.state.read().history.at(ts)
    }
}

/// Whether a posting has all of these filter values.
fn passes(posting: Posting<'_>, filters: &[(usize, u64)]) -> bool {
    filters.iter().all(|(at, hash)| posting.filters.get(*at) == Some(hash))
}
