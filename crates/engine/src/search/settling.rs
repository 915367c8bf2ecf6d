//! The overlay of a search index beside storage: what a checkpoint takes from it, and what need not stay.
//!
//! Guarantee: a document leaves only when storage holds its newest version, and an entry of a list only when storage has
//! no posting for it either. Writers wait for a few hundred documents at a time.

use std::ops::Bound;

use hull_value::Timestamp;

use super::chains::CHAIN_BYTES;
use super::list::LISTED_BYTES;
use super::posting::{DocKey, Posting};
use super::statistics::Stored;
use super::store::{AT_ONCE, Position, SearchStore, State, TERM_BYTES};

/// So many documents are let go of while the index is locked; few in tests.
const DOCUMENTS_AT_ONCE: usize = if cfg!(test) { 20 } else { 512 };

/// A change of storage: the term, the document, and its posting from now on, if any.
pub(super) type FoldStep<'a> = (&'a str, DocKey, Option<Posting<'a>>);

impl SearchStore {
    /// Whether storage lacks anything; from here on its bytes are counted as taken over. Returns how many there are.
    pub(super) fn take_unstored(&self) -> Option<u64> {
        let mut state = self.state.write();
        let bytes = std::mem::take(&mut state.unstored);
        (!state.chains.is_empty()).then_some(bytes)
    }

    /// Hands to `each`, in order, what storage must hold at `ts` of the postings behind `after`, where that may have
    /// changed since the checkpoint at `reached`: some thousand at most. Returns where to go on; `None` at the end.
    pub(super) fn to_fold(
        &self,
        after: Option<&Position>,
        reached: Timestamp,
        ts: Timestamp,
        each: &mut dyn FnMut(FoldStep<'_>),
    ) -> Option<Position> {
        let state = self.state.read();
        let (mut left, mut last) = (AT_ONCE, None);
        for (term, list) in state.lists(Bound::Unbounded, after) {
            for listed in list {
                if left == 0 {
                    return last.map(Position::new);
                }
                (left, last) = (left - 1, Some((term, listed.id)));
                let decided = listed.chain(&state.chains).and_then(|chain| listed.decide(chain, term, ts));
                if let Some((_, posting)) = decided.filter(|(since, _)| *since > reached) {
                    each((term, listed.id, posting));
                }
            }
        }
        None
    }

    /// What the checkpoint to `ts` says of the statistics, and what the one before said.
    pub(super) fn statistics_to_store(&self, ts: Timestamp) -> (Stored, Stored) {
        let state = self.state.read();
        (Stored { ts, statistics: state.history.at(ts) }, state.stored)
    }

    /// Notes that storage holds the state at `ts`, which chains have kept so far, and lets go of what is of no more use.
    pub(super) fn settle(&self, ts: Timestamp) {
        let mut from = 0;
        while let Some(next) = self.settle_some(from, ts) {
            from = next;
        }
        let mut after = None;
        loop {
            let mut state = self.state.write();
            let (next, freed) = state.sweep(after.as_deref(), ts);
            drop(state);
            self.grow(-(freed as isize));
            if next.is_none() {
                return;
            }
            after = next;
        }
    }

    /// Lets go of some documents from a place on; returns where to go on.
    fn settle_some(&self, from: usize, ts: Timestamp) -> Option<usize> {
        let mut freed = 0;
        let mut gone = Vec::new();
        let mut state = self.state.write();
        let until = state.chains.places().min(from + DOCUMENTS_AT_ONCE);
        for at in from..until {
            let Some(chain) = state.chains.place(at) else { continue };
            freed += chain.trim(ts);
            if chain.newest_ts() <= ts {
                freed += CHAIN_BYTES + chain.bytes();
                gone.extend(state.chains.remove(at));
            }
        }
        let more = until < state.chains.places();
        if !more {
            let before = state.history.bytes();
            state.history.trim(ts);
            freed += before - state.history.bytes();
            state.stored = Stored { ts, statistics: state.history.at(ts) };
        }
        drop(state);
        // Nobody waits until all of it is freed.
        drop(gone);
        self.grow(-(freed as isize));
        more.then_some(until)
    }
}

impl State {
    /// Sweeps some lists behind a term: an entry stays when its document is here and a version has the term, or when
    /// nothing was known of the document at `ts`, the state of storage. Returns where to go on, and the bytes freed.
    fn sweep(&mut self, after: Option<&str>, ts: Timestamp) -> (Option<Box<str>>, usize) {
        let Self { chains, inverted, .. } = self;
        let (mut freed, mut looked_at) = (0, 0);
        let mut empty = Vec::new();
        let mut next = None;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        for (term, list) in inverted.range_mut::<str, _>((start, Bound::Unbounded)) {
            let before = list.len();
            looked_at += before;
            list.retain(|listed| {
                let chain = listed.chain(chains);
                chain.is_some_and(|chain| chain.at(ts).is_none() || listed.is_of_use(chain, term))
            });
            freed += (before - list.len()) * LISTED_BYTES;
            if list.is_empty() {
                freed += TERM_BYTES + term.len();
                empty.push(term.clone());
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
