//! The overlay of one search index: the postings that storage lacks, as version chains of documents.
//!
//! Guarantees: a document that is here has a chain of versions, and is listed under every term of every one of them and
//! under every term that storage may still have for it. So, of a document that is listed under a term, the newest version
//! at or below T decides what a reader at T sees, whatever storage says; a chain that begins later than T decides
//! nothing, and neither does a document that is not listed. The overlay of a search index is never complete.
//!
//! A document leaves once a checkpoint has stored its newest version. Lists are swept after that, so an entry may name a
//! place that is empty, or another document's by then; it is ignored.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hull_value::Timestamp;
use parking_lot::RwLock;
use smallvec::{SmallVec, smallvec};

use super::change::SearchChange;
pub(crate) use super::cursor::Terms as TermRange;
use super::posting::{Columns, DocKey, Posting, SearchDoc, SearchSpec};
use super::statistics::{CHANGE_BYTES, History, Statistics, Stored};
use crate::overlay::Applied;

/// The overlay of one search index.
#[derive(Debug)]
pub(crate) struct SearchStore {
    pub(crate) spec: SearchSpec,
    state: RwLock<State>,
    bytes: AtomicI64,
}

#[derive(Debug, Default)]
struct State {
    documents: Documents,
    /// For each term the documents that are listed under it, ascending by id, and their places.
    inverted: BTreeMap<Box<str>, Vec<(DocKey, u32)>>,
    history: History,
    /// What storage holds as of the last complete checkpoint.
    stored: Stored,
    /// Bytes that no checkpoint has taken over.
    unstored: u64,
}

/// The version chains, each in a place with a number.
#[derive(Debug, Default)]
struct Documents {
    places: Vec<Option<Chain>>,
    free: Vec<u32>,
    numbers: HashMap<DocKey, u32>,
}

/// The versions of one document, oldest first, never none. A version is what the document is to the index from then on;
/// `None` when that is nothing.
#[derive(Debug)]
struct Chain {
    id: DocKey,
    versions: SmallVec<[(Timestamp, Option<Arc<SearchDoc>>); 1]>,
}

/// What a chain takes beside its versions, with its place in the map.
const CHAIN_BYTES: usize = size_of::<Option<Chain>>() + 40;
/// What a document takes in the list of a term.
const ENTRY_BYTES: usize = size_of::<(DocKey, u32)>() + 8;
/// What a term takes beside its list and its bytes, in nodes that are 50 to 70 % full.
const TERM_BYTES: usize = 80;

fn version_bytes(version: Option<&Arc<SearchDoc>>) -> usize {
    version.map_or(0, |doc| {
        let terms: usize = doc.terms.iter().map(|(term, _)| 40 + term.len()).sum();
        size_of::<SearchDoc>() + 16 + terms + 8 * doc.filters.len()
    })
}

impl Chain {
    /// The version that is seen at `ts`, and since when it is; `None` when storage decides.
    fn at(&self, ts: Timestamp) -> Option<(Timestamp, Option<&Arc<SearchDoc>>)> {
        let seen = self.versions.iter().rev().find(|(since, _)| *since <= ts)?;
        Some((seen.0, seen.1.as_ref()))
    }

    fn newest_ts(&self) -> Timestamp {
        self.versions.last().map_or(Timestamp(0), |(ts, _)| *ts)
    }

    /// Drops the versions that nothing at or above `floor` can see; returns their bytes.
    fn trim(&mut self, floor: Timestamp) -> usize {
        let seen = self.versions.partition_point(|(since, _)| *since <= floor);
        self.versions.drain(..seen.saturating_sub(1)).map(|(_, doc)| version_bytes(doc.as_ref())).sum()
    }

    fn bytes(&self) -> usize {
        self.versions.iter().map(|(_, doc)| version_bytes(doc.as_ref())).sum()
    }
}

impl Documents {
    fn get(&self, at: u32, id: &DocKey) -> Option<&Chain> {
        self.places.get(at as usize)?.as_ref().filter(|chain| chain.id == *id)
    }

    /// Gives a document its first version, and a place.
    fn insert(&mut self, id: DocKey, ts: Timestamp, version: Option<Arc<SearchDoc>>) -> u32 {
        let chain = Chain { id, versions: smallvec![(ts, version)] };
        let at = self.free.pop().unwrap_or(self.places.len() as u32);
        match self.places.get_mut(at as usize) {
            Some(place) => *place = Some(chain),
            None => self.places.push(Some(chain)),
        }
        self.numbers.insert(id, at);
        at
    }

    fn remove(&mut self, at: usize) -> Option<Chain> {
        let chain = self.places.get_mut(at)?.take()?;
        self.numbers.remove(&chain.id);
        self.free.push(at as u32);
        if self.numbers.is_empty() {
            *self = Self::default();
        }
        Some(chain)
    }
}

/// What the overlay decides of one term.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    pub(crate) term: String,
    /// The documents that storage must not be asked about, ascending.
    pub(crate) hidden: Vec<DocKey>,
    /// How many of these have the term.
    pub(crate) frequency: u64,
    /// The postings of those that pass the filters; without the hashes of their filters.
    pub(crate) columns: Columns,
}

/// A step of walking the postings for a checkpoint: the term, the document, and what storage is to hold from now on.
pub(crate) type FoldStep<'a> = (&'a str, DocKey, Option<Posting<'a>>);

/// So many entries of lists are looked at while the index is locked.
const AT_ONCE: usize = 4096;

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

    fn grow(&self, bytes: isize) {
        self.bytes.fetch_add(bytes as i64, Ordering::Relaxed);
    }

    /// Applies a commit's change of a document at `ts`, keeping what snapshots at `floor` or above may see.
    pub(crate) fn apply(&self, id: DocKey, change: SearchChange, ts: Timestamp, floor: Timestamp) -> Applied {
        let mut guard = self.state.write();
        let State { documents, inverted, history, unstored, .. } = &mut *guard;
        let history_before = history.bytes();
        let new_length = change.new.as_ref().map(|doc| doc.length);
        history.push(ts, history.newest().replaced(change.old_length, new_length), floor);
        let mut applied = Applied { superseded: CHANGE_BYTES, dirtied: 0 };
        let mut added = version_bytes(change.new.as_ref());
        let mut freed = 0;
        let new = change.new.clone();
        let at = match documents.numbers.get(&id) {
            Some(at) => *at,
            None => {
                added += CHAIN_BYTES;
                documents.insert(id, ts, new.clone())
            }
        };
        if let Some(chain) = documents.places.get_mut(at as usize).and_then(Option::as_mut)
            && chain.newest_ts() < ts
        {
            applied.superseded += version_bytes(chain.versions.last().and_then(|(_, doc)| doc.as_ref()));
            chain.versions.push((ts, new));
            freed += chain.trim(floor);
        }
        let kept = change.new.iter().flat_map(|doc| doc.terms.iter().map(|(term, _)| term));
        for term in kept.chain(&change.lost) {
            let list = match inverted.get_mut(term) {
                Some(list) => list,
                None => {
                    added += TERM_BYTES + term.len();
                    inverted.entry(term.clone()).or_default()
                }
            };
            // Ids grow with time, mostly.
            let place = match list.last() {
                Some((last, _)) if *last < id => Err(list.len()),
                _ => list.binary_search_by_key(&id, |(listed, _)| *listed),
            };
            match place {
                Ok(place) => list[place].1 = at,
                Err(place) => {
                    list.insert(place, (id, at));
                    added += ENTRY_BYTES;
                }
            }
        }
        *unstored += added as u64;
        let history_grown = history.bytes() as isize - history_before as isize;
        drop(guard);
        applied.dirtied = added;
        self.grow(added as isize - freed as isize + history_grown);
        applied
    }

    /// What is decided at `ts` of the terms of `range` behind `after`: of so many terms as have some thousand documents
    /// together, one at least. `None` within is the end of the range; else the last term that was looked at.
    pub(crate) fn decided(
        &self,
        range: TermRange<'_>,
        after: Option<&str>,
        filters: &[(usize, u64)],
        ts: Timestamp,
    ) -> (Vec<Decided>, Option<String>) {
        let mut all = Vec::new();
        let state = self.state.read();
        let mut looked_at = 0;
        let start = match (after, range) {
            (Some(after), _) | (None, TermRange::Longer(after)) => Bound::Excluded(after),
            (None, TermRange::Exact(term) | TermRange::Prefix(term)) => Bound::Included(term),
        };
        let terms = state.inverted.range::<str, _>((start, Bound::Unbounded));
        for (term, list) in terms.take_while(|(term, _)| range.compare(term.as_bytes()).is_eq()) {
            let mut decided = Decided::default();
            for (id, at) in list {
                let Some(chain) = state.documents.get(*at, id) else { continue };
                let Some((_, seen)) = chain.at(ts) else { continue };
                decided.hidden.push(*id);
                let Some(posting) = seen.and_then(|doc| doc.posting(term)) else { continue };
                decided.frequency += 1;
                if passes(posting, filters) {
                    decided.columns.push(*id, Posting { filters: &[], ..posting });
                }
            }
            looked_at += list.len();
            if !decided.hidden.is_empty() {
                decided.term = (**term).into();
                all.push(decided);
            }
            if looked_at >= AT_ONCE {
                return (all, Some((**term).into()));
            }
        }
        (all, None)
    }

    /// The statistics at `ts`, which must be a registered snapshot's.
    pub(crate) fn statistics(&self, ts: Timestamp) -> Statistics {
        self.state.read().history.at(ts)
    }

    /// Whether storage lacks anything; from here on its bytes are counted as taken over. Returns how many there are.
    pub(crate) fn take_unstored(&self) -> Option<u64> {
        let mut state = self.state.write();
        let bytes = std::mem::take(&mut state.unstored);
        (!state.documents.numbers.is_empty()).then_some(bytes)
    }

    /// Hands to `each`, in order, what storage must hold at `ts` of the postings behind `after`, where that may have
    /// changed since the checkpoint at `reached`: some thousand at most. Returns where to go on; `None` at the end.
    pub(crate) fn to_fold(
        &self,
        after: Option<&(Box<str>, DocKey)>,
        reached: Timestamp,
        ts: Timestamp,
        each: &mut dyn FnMut(FoldStep<'_>),
    ) -> Option<(Box<str>, DocKey)> {
        let state = self.state.read();
        let start = after.map_or(Bound::Unbounded, |(term, _)| Bound::Included(&**term));
        let mut looked_at = 0;
        for (term, list) in state.inverted.range::<str, _>((start, Bound::Unbounded)) {
            let first = match after {
                Some((last, id)) if *last == *term => list.partition_point(|(listed, _)| listed <= id),
                _ => 0,
            };
            for (id, at) in list.get(first..).unwrap_or_default() {
                looked_at += 1;
                let seen = state.documents.get(*at, id).and_then(|chain| chain.at(ts));
                if let Some((_, doc)) = seen.filter(|(since, _)| *since > reached) {
                    each((term, *id, doc.and_then(|doc| doc.posting(term))));
                }
                if looked_at >= AT_ONCE {
                    return Some((term.clone(), *id));
                }
            }
        }
        None
    }

    /// What the checkpoint to `ts` says of the statistics, and what the one before said.
    pub(crate) fn statistics_to_store(&self, ts: Timestamp) -> (Stored, Stored) {
        let state = self.state.read();
        (Stored { ts, statistics: state.history.at(ts) }, state.stored)
    }

    /// Notes that storage holds the state at `ts`, which chains have kept so far, and lets go of what is of no more use.
    pub(crate) fn settle(&self, ts: Timestamp) {
        let mut from = 0;
        loop {
            let mut freed = 0;
            let mut state = self.state.write();
            let until = state.documents.places.len().min(from + AT_ONCE);
            for at in from..until {
                let Some(Some(chain)) = state.documents.places.get_mut(at) else { continue };
                freed += chain.trim(ts);
                if chain.newest_ts() <= ts {
                    let gone = state.documents.remove(at);
                    freed += gone.map_or(0, |chain| CHAIN_BYTES + chain.bytes());
                }
            }
            let more = until < state.documents.places.len();
            if !more {
                let before = state.history.bytes();
                state.history.trim(ts);
                freed += before - state.history.bytes();
                state.stored = Stored { ts, statistics: state.history.at(ts) };
            }
            drop(state);
            self.grow(-(freed as isize));
            if !more {
                break;
            }
            from = until;
        }
        let mut after: Option<Box<str>> = None;
        loop {
            let mut state = self.state.write();
            let (next, freed) = state.sweep(after.as_deref(), ts);
            drop(state);
            self.grow(-(freed as isize));
            match next {
                Some(next) => after = Some(next),
                None => return,
            }
        }
    }
}

impl State {
    /// Sweeps some lists behind the term `after`: an entry stays when its document is here and a version has the term, or
    /// when nothing was known of the document at `ts`, the state of storage. Returns where to go on, and the bytes freed.
    fn sweep(&mut self, after: Option<&str>, ts: Timestamp) -> (Option<Box<str>>, usize) {
        let Self { documents, inverted, .. } = self;
        let (mut freed, mut looked_at) = (0, 0);
        let mut empty = Vec::new();
        let mut next = None;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        for (term, list) in inverted.range_mut::<str, _>((start, Bound::Unbounded)) {
            let before = list.len();
            looked_at += before;
            list.retain(|(id, at)| {
                documents.get(*at, id).is_some_and(|chain| {
                    let has = |doc: &Arc<SearchDoc>| doc.posting(term).is_some();
                    chain.at(ts).is_none()
                        || chain.versions.iter().any(|(_, doc)| doc.as_ref().is_some_and(has))
                })
            });
            freed += (before - list.len()) * ENTRY_BYTES;
            if list.is_empty() {
                freed += TERM_BYTES + term.len();
                empty.push(term.clone());
            } else if list.capacity() > 2 * list.len() + 8 {
                list.shrink_to_fit();
            }
            if looked_at >= AT_ONCE {
                next = Some(term.clone());
                break;
            }
        }
        empty.iter().for_each(|term| drop(inverted.remove(term)));
        (next, freed)
    }
}

/// Whether a posting has all of these filter values.
pub(crate) fn passes(posting: Posting<'_>, filters: &[(usize, u64)]) -> bool {
    filters.iter().all(|(at, hash)| posting.filters.get(*at) == Some(hash))
}
