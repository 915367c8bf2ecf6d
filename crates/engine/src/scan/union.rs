//! Several ranges of an index, merged in order and read as one.
//!
//! Every key of a range begins with the same bytes, its *prefix*, and what the ranges are merged by is the rest of the
//! key. The read set covers of each range what lies up to the row that was handed out last, whichever range that was of,
//! and the whole of all ranges once they are exhausted.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use hull_model::KeyRange;

use super::{Order, Scan};
use crate::document::Document;
use crate::error::TxError;
use crate::fields::Projection;
use crate::key::{Key, key, successor};
use crate::read_set::End;
use crate::transaction::Transaction;

/// One range of several: keys that all begin with `prefix`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// What every key in the range begins with.
    pub prefix: Vec<u8>,
    /// The keys.
    pub range: KeyRange,
}

/// Several ranges under way. It belongs to the transaction that made it.
#[derive(Debug)]
pub struct Union {
    parts: Vec<Part>,
    /// The next row of each part that has one.
    heads: BinaryHeap<Head>,
    reverse: bool,
    begun: bool,
    epoch: u64,
    /// The rest of the key of the row that was handed out last.
    reached: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Part {
    prefix: Vec<u8>,
    scan: Scan,
}

/// The next row of a part, which is greatest where it comes first.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    key: Key,
    prefix: usize,
    part: usize,
    reverse: bool,
}

impl Head {
    fn rest(&self) -> &[u8] {
        self.key.get(self.prefix..).unwrap_or_default()
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.rest().cmp(other.rest());
        // A tie can't be between documents: the rest of a key ends with the id.
        (if self.reverse { order } else { order.reverse() }).then(other.part.cmp(&self.part))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Transaction {
    /// Begins to read ranges of an index as one, of which no two hold the same key. A table that is not there is empty.
    /// Each range counts as a read.
    pub fn union(
        &mut self,
        table: &str,
        index: &str,
        stretches: &[Stretch],
        order: Order,
    ) -> Result<Union, TxError> {
        let parts: Result<Vec<Part>, TxError> = stretches
            .iter()
            .map(|Stretch { prefix, range }| {
                Ok(Part { prefix: prefix.clone(), scan: self.scan(table, index, range, order)? })
            })
            .collect();
        let reverse = order == Order::Desc;
        let heads = BinaryHeap::new();
        Ok(Union { parts: parts?, heads, reverse, begun: false, epoch: 0, reached: None })
    }
}

impl Union {
    /// The same for a caller who looks at no more of the documents than this; to be said before it is begun.
    #[must_use]
    pub fn select(self, projection: Projection<'_>) -> Self {
        self.each(|_, scan| scan.select(projection))
    }

    /// The same of nothing but what lies behind the rest of a key `after`, in its order, up to and including `until`; to
    /// be said before it is begun.
    #[must_use]
    pub fn between(self, after: Option<&[u8]>, until: Option<&[u8]>) -> Self {
        self.each(|prefix, scan| {
            let whole = |rest: Option<&[u8]>| rest.map(|rest| [prefix, rest].concat());
            scan.between(whole(after).as_deref(), whole(until).as_deref())
        })
    }

    fn each(mut self, change: impl Fn(&[u8], Scan) -> Scan) -> Self {
        let parts = self.parts.into_iter();
        self.parts = parts
            .map(|Part { prefix, scan }| {
                let scan = change(&prefix, scan);
                Part { prefix, scan }
            })
            .collect();
        self
    }

    /// The key of a document in the index.
    pub fn key_of(&self, document: &Document) -> Option<Vec<u8>> {
        self.parts.first()?.scan.key_of(document)
    }

    /// Hands the next `limit` documents to `each`, as long as it returns true; returns whether it did and there may be
    /// more.
    pub fn for_each(
        &mut self,
        transaction: &mut Transaction,
        limit: usize,
        mut each: impl FnMut(&Document) -> bool,
    ) -> Result<bool, TxError> {
        if !self.begun || self.epoch != transaction.writes.epoch {
            self.begin(transaction)?;
        }
        for _ in 0..limit {
            let Some(head) = self.heads.pop() else {
                self.parts.iter_mut().for_each(|part| transaction.cover_all(&mut part.scan));
                return Ok(false);
            };
            let outcome = self.hand_out(transaction, &head, &mut each);
            self.reached = Some(head.rest().to_vec());
            if !matches!(outcome, Ok(true)) {
                self.cover(transaction);
                // The part's next row is looked for when there is a next time.
                self.begun = false;
                return outcome;
            }
            self.advance(transaction, head.part)?;
        }
        self.cover(transaction);
        Ok(true)
    }

    /// Finds the next row of every part.
    fn begin(&mut self, transaction: &mut Transaction) -> Result<(), TxError> {
        if self.epoch != transaction.writes.epoch
            && let Some(reached) = &self.reached
        {
            // What was written since may lie in a part before the place that was reached.
            for Part { prefix, scan } in &mut self.parts {
                scan.drop_chunk();
                scan.last = Some(key(&[&prefix[..], reached].concat()));
            }
        }
        (self.begun, self.epoch) = (true, transaction.writes.epoch);
        self.heads.clear();
        (0..self.parts.len()).try_for_each(|part| self.advance(transaction, part))
    }

    /// Finds the next row of a part.
    fn advance(&mut self, transaction: &mut Transaction, at: usize) -> Result<(), TxError> {
        let Some(Part { prefix, scan }) = self.parts.get_mut(at) else { return Ok(()) };
        while transaction.fetch(scan, 1)? {
            if let Some(Some(read)) = scan.rows.reads.get(scan.next)
                && scan.wants(read)
                && let Some(source) = &scan.source
                && let Some(key) = scan.rows.key(scan.next, &source.table, source.keyspace)
            {
                let head = Head { key, prefix: prefix.len(), part: at, reverse: self.reverse };
                self.heads.push(head);
                return Ok(());
            }
            scan.next += 1;
        }
        Ok(())
    }

    fn hand_out(
        &mut self,
        transaction: &mut Transaction,
        head: &Head,
        each: &mut impl FnMut(&Document) -> bool,
    ) -> Result<bool, TxError> {
        let Some(scan) = self.parts.get_mut(head.part).map(|part| &mut part.scan) else { return Ok(true) };
        let at = scan.next;
        scan.next += 1;
        scan.last_row = Some(at);
        let Some(Some(read)) = scan.rows.reads.get(at) else { return Ok(true) };
        transaction.count_document(&read.document)?;
        transaction.remember(read.clone());
        Ok(each(&read.document))
    }

    /// Puts what was read of each part into the read set.
    fn cover(&mut self, transaction: &mut Transaction) {
        let Some(reached) = &self.reached else { return };
        for Part { prefix, scan } in &mut self.parts {
            let Some(source) = &scan.source else { continue };
            let (start, end) = &scan.whole;
            let k = key(&[&prefix[..], reached].concat());
            let (start, end) = match self.reverse {
                true => (start.max(&k).clone(), end.clone()),
                false => {
                    let behind = successor(&k);
                    (start.clone(), Some(end.clone().map_or(behind.clone(), |end| end.min(behind))))
                }
            };
            if end.as_ref().is_none_or(|end| start < *end) {
                let (what, end) = ((source.keyspace, scan.mask), end.map_or(End::Unbounded, End::Before));
                scan.growing = Some(transaction.reads.grow(scan.growing, what, &start, end));
            }
        }
    }
}
