//! Reading postings at a snapshot: what the overlay decides, and storage for the rest.
//!
//! The overlay is read before storage, so that a document on its way from one to the other is seen; and no batch with
//! blocks is applied meanwhile, so that a term's postings are seen whole while its blocks split and merge.

use std::cmp::Ordering;
use std::collections::VecDeque;

use hull_value::Timestamp;

use super::cursor::{Cursor, Terms};
use super::posting::{Columns, SearchSpec};
use super::statistics::Statistics;
use super::store::{Decided, Position, SearchStore};
use crate::catalog::TableInfo;
use crate::engine::Inner;
use crate::error::TxError;

/// What the overlay decides, term by term.
struct Walk<'a> {
    store: &'a SearchStore,
    range: Terms<'a>,
    filters: &'a [(usize, u64)],
    ts: Timestamp,
    at_hand: VecDeque<Decided>,
    /// Where to go on.
    next: Option<Position>,
}

impl<'a> Walk<'a> {
    fn new(store: &'a SearchStore, range: Terms<'a>, filters: &'a [(usize, u64)], ts: Timestamp) -> Self {
        let mut at_hand = VecDeque::new();
        let next = store.decided(range, None, filters, ts, &mut at_hand);
        Self { store, range, filters, ts, at_hand, next }
    }

    /// What is decided of the next term.
    fn peek(&mut self) -> Option<&Decided> {
        while let Some(next) = &self.next
            && self.at_hand.front().is_none_or(|first| first.term == next.term)
        {
            self.next = self.store.decided(self.range, Some(next), self.filters, self.ts, &mut self.at_hand);
        }
        self.at_hand.front()
    }
}

/// The postings of both, which have no document in common.
fn merge(a: &Columns, b: &Columns, into: &mut Columns) {
    into.clear();
    let (mut of_a, mut of_b) = (0, 0);
    while of_a < a.len() || of_b < b.len() {
        let run = of_a..a.below(of_a, b.ids.get(of_b));
        of_a = run.end;
        into.extend_run(a, run);
        let run = of_b..b.below(of_b, a.ids.get(of_a));
        of_b = run.end;
        into.extend_run(b, run);
    }
}

impl Inner {
    /// Hands each term of the range that a document has at `ts` to `each`, in ascending order of their bytes, as long as
    /// it returns true: the term, how many documents have it, whatever the filters, and the postings of those whose filter
    /// fields at these positions have these hashes, ascending by id; their filters are left out. `each` must not ask for
    /// postings itself, since checkpoints wait meanwhile.
    #[allow(clippy::too_many_arguments, reason = "an index, a range, filters and a snapshot")]
    pub(crate) fn postings(
        &self,
        table: &TableInfo,
        spec: &SearchSpec,
        range: Terms<'_>,
        filters: &[(usize, u64)],
        ts: Timestamp,
        each: &mut dyn FnMut(&str, u64, &Columns) -> bool,
    ) -> Result<(), TxError> {
        // A table that its own transaction makes has none yet.
        let Some(store) = table.store.search(spec.keyspace) else { return Ok(()) };
        let _blocks = self.blocks.read();
        let mut overlay = Walk::new(&store, range, filters, ts);
        let mut cursor = Cursor::new(&*self.storage, spec.keyspace, spec.filter_fields.len(), range);
        let mut stored = cursor.next_term()?.map(str::to_owned);
        let (mut columns, mut both) = (self.search_buffers.get(), self.search_buffers.get());
        loop {
            let order = match (overlay.peek(), &stored) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(ours), Some(stored)) => (*ours.term).cmp(stored),
            };
            let ours = if order.is_le() { overlay.at_hand.pop_front() } else { None };
            let ours = ours.unwrap_or_default();
            columns.clear();
            let mut frequency = ours.frequency;
            if order.is_ge() {
                frequency += cursor.read(&ours.hidden, filters, &mut columns)?;
            }
            let found = match (columns.is_empty(), ours.columns.is_empty()) {
                (_, true) => &*columns,
                (true, _) => &ours.columns,
                _ => {
                    merge(&columns, &ours.columns, &mut both);
                    &both
                }
            };
            let term = stored.as_deref().filter(|_| order.is_gt()).unwrap_or(&ours.term);
            if frequency > 0 && !each(term, frequency, found) {
                return Ok(());
            }
            if order.is_ge() {
                stored = cursor.next_term()?.map(str::to_owned);
            }
        }
    }

    /// How many documents have text at `ts`, and how much.
    pub(crate) fn search_statistics(
        &self,
        table: &TableInfo,
        spec: &SearchSpec,
        ts: Timestamp,
    ) -> Result<Statistics, TxError> {
        let store = table.store.search(spec.keyspace);
        Ok(store.map_or(Statistics::default(), |store| store.statistics(ts)))
    }
}
