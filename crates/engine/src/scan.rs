//! Scans: the documents of a key range of an index, in its order, as a transaction sees them.
//!
//! The read set grows with every document that is yielded, up to its key, and covers the whole range once the scan is
//! exhausted. Rows come in chunks: the overlay's, then, where the table is not complete, storage's, in this order, so
//! that a document on its way from one to the other is seen; then the transaction's own.

mod distinct;
mod union;

use std::sync::Arc;

use hull_model::{IndexBounds, KeyRange};
use hull_value::{DocumentId, Packed, Timestamp, ValueRef, write_sort_key};

use crate::catalog::{BY_ID, TableInfo};
use crate::document::Document;
use crate::engine::Inner;
use crate::error::TxError;
use crate::fields::{FieldMask, Projection};
use crate::key::{Key, Keyspace, key, storage_end, storage_key, successor};
use crate::read_set::{End, Growing};
use crate::rows::{Rows, key_of};
use crate::transaction::{Read, Transaction};

pub use distinct::Distinct;
pub use union::{Stretch, Union};

/// The order of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the lowest key up.
    #[default]
    Asc,
    /// From the highest key down.
    Desc,
}

/// Small, since many scans want one row; each chunk is eight times the one before.
const FIRST_CHUNK: usize = 4;
const LARGEST_CHUNK: usize = 256;
const CHUNK_BYTES: usize = 1 << 20;

/// A scan under way. It belongs to the transaction that made it.
#[derive(Debug)]
pub struct Scan {
    source: Option<Source>,
    reverse: bool,
    /// What is left: keys from `start` up to, not including, `end`.
    start: Key,
    end: Option<Key>,
    whole: (Key, Option<Key>),
    /// The chunk at hand.
    rows: Rows,
    next: usize,
    chunk: usize,
    exhausted: bool,
    epoch: u64,
    growing: Option<Growing>,
    /// What was yielded last, of earlier chunks.
    last: Option<Key>,
    /// The place in `rows` of what was yielded last.
    last_row: Option<usize>,
    /// Of a scan of `by_id`: the range of the ids' sort keys.
    ids: Option<KeyRange>,
    /// What its caller looks at.
    mask: FieldMask,
}

#[derive(Debug)]
struct Source {
    table: Arc<TableInfo>,
    keyspace: Keyspace,
}

impl Transaction {
    /// Begins a scan of `range` of an index. A table that is not there is empty.
    pub fn scan(
        &mut self,
        table: &str,
        index: &str,
        range: &KeyRange,
        order: Order,
    ) -> Result<Scan, TxError> {
        self.note_read()?;
        let Some(table) = self.table_named(table) else { return Ok(Scan::new(None, range, order)) };
        if index == BY_ID {
            let keyspace = table.by_id;
            let mut scan = Scan::new(
                Some(Source { table, keyspace }),
                &KeyRange { start: Vec::new(), end: None },
                order,
            );
            scan.narrow_ids(range);
            return Ok(scan);
        }
        let keyspace = table.index(index)?.spec.keyspace;
        Ok(Scan::new(Some(Source { table, keyspace }), range, order))
    }

    /// Begins a scan of the documents of a table by their keys in `by_id`.
    pub(crate) fn scan_ids(&mut self, table: &Arc<TableInfo>, range: &KeyRange) -> Result<Scan, TxError> {
        self.note_read()?;
        let source = Source { table: table.clone(), keyspace: table.by_id };
        Ok(Scan::new(Some(source), range, Order::Asc))
    }

    /// Begins a scan of one of the engine's own keyspaces.
    pub fn scan_system(
        &mut self,
        keyspace: Keyspace,
        range: &KeyRange,
        order: Order,
    ) -> Result<SystemScan, TxError> {
        let table = self.engine.system(keyspace)?;
        Ok(SystemScan(Scan::new(Some(Source { table, keyspace }), range, order)))
    }

    /// The next row of a scan of one of the engine's own keyspaces.
    pub fn next_system(&mut self, scan: &mut SystemScan) -> Result<Option<(Vec<u8>, Packed)>, TxError> {
        let Some(read) = self.next_row(&mut scan.0)? else { return Ok(None) };
        let k = scan.0.last().unwrap_or_default().to_vec();
        Ok(Some((k, read.document.value)))
    }

    /// The next document of a scan.
    pub fn next(&mut self, scan: &mut Scan) -> Result<Option<Document>, TxError> {
        let mut found = None;
        self.for_each(scan, 1, |document| {
            found = Some(document.clone());
            true
        })?;
        Ok(found)
    }

    /// Hands the next `limit` documents of a scan to `each`, as long as it returns true; returns whether it did and
    /// there may be more. As with single steps, the read set covers what was handed out and nothing behind it.
    pub fn for_each(
        &mut self,
        scan: &mut Scan,
        limit: usize,
        mut each: impl FnMut(&Document) -> bool,
    ) -> Result<bool, TxError> {
        let mut left = limit;
        while left > 0 {
            if !self.has_rows(scan, left)? {
                return Ok(false);
            }
            let mut outcome = Ok(true);
            for at in scan.next..scan.rows.reads.len() {
                scan.next = at + 1;
                let Some(Some(read)) = scan.rows.reads.get(at) else { continue };
                scan.last_row = Some(at);
                if !scan.wants(read) {
                    continue;
                }
                outcome = self.count_document(&read.document).map(|()| {
                    if !self.read_only {
                        self.remember(read.clone());
                    }
                    each(&read.document)
                });
                left -= 1;
                if left == 0 || !matches!(outcome, Ok(true)) {
                    break;
                }
            }
            // Behind the last chunk the whole range is read, which the next look says.
            let at_end = scan.exhausted && left > 0 && scan.next == scan.rows.reads.len();
            if !(at_end && matches!(outcome, Ok(true))) {
                self.cover(scan);
            }
            if !outcome? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a scan that has not been begun finds anything. If so, this depends on the presence of what was found
    /// first; if not, on the presence of anything in the range.
    pub fn exists(&mut self, scan: Scan) -> Result<bool, TxError> {
        let mut scan = scan.select(Projection::PRESENCE);
        while self.has_rows(&mut scan, 1)? {
            let at = scan.next;
            scan.next += 1;
            let Some(Some(read)) = scan.rows.reads.get(at) else { continue };
            if !scan.wants(read) {
                continue;
            }
            if let Some(source) = &scan.source
                && let Some(k) = scan.rows.key(at, &source.table, source.keyspace)
            {
                self.reads.add_point_of(source.keyspace, scan.mask, &k);
            }
            self.count_document(&read.document)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Sees to it that rows are at hand; false once the range holds no more, which then is read as a whole.
    fn has_rows(&mut self, scan: &mut Scan, wanted: usize) -> Result<bool, TxError> {
        let more = self.fetch(scan, wanted)?;
        if !more {
            self.cover_all(scan);
        }
        Ok(more)
    }

    /// Sees to it that rows are at hand, and puts nothing into the read set; false once the range holds no more.
    fn fetch(&mut self, scan: &mut Scan, wanted: usize) -> Result<bool, TxError> {
        if scan.source.is_none() {
            return Ok(false);
        }
        if scan.epoch != self.writes.epoch {
            scan.epoch = self.writes.epoch;
            scan.drop_chunk();
            scan.exhausted = false;
            scan.restart();
        }
        while scan.next == scan.rows.reads.len() {
            if scan.exhausted {
                return Ok(false);
            }
            scan.chunk = scan.chunk.max(wanted).min(LARGEST_CHUNK);
            self.fill(scan)?;
        }
        Ok(true)
    }

    /// Puts the whole range of a scan into the read set.
    fn cover_all(&mut self, scan: &mut Scan) {
        let Some(source) = &scan.source else { return };
        let (start, end) = &scan.whole;
        let end = end.clone().map_or(End::Unbounded, End::Before);
        if end != End::Before(start.clone()) {
            let what = (source.keyspace, scan.mask);
            scan.growing = Some(self.reads.grow(scan.growing, what, start, end));
        }
    }

    /// Puts what a scan has yielded into the read set.
    fn cover(&mut self, scan: &mut Scan) {
        let Some(source) = &scan.source else { return };
        let Some(k) = scan.last() else { return };
        let (start, end) = &scan.whole;
        let what = (source.keyspace, scan.mask);
        scan.growing = Some(if scan.reverse {
            self.reads.grow_down(scan.growing, what, &k, end.as_deref())
        } else {
            self.reads.grow_up(scan.growing, what, start, &k)
        });
    }

    /// The next row; its key is [`Scan::last`].
    pub(crate) fn next_row(&mut self, scan: &mut Scan) -> Result<Option<Read>, TxError> {
        while self.has_rows(scan, 1)? {
            let at = scan.next;
            scan.next += 1;
            if let Some(read) = scan.rows.reads.get(at).cloned().flatten() {
                scan.last_row = Some(at);
                self.cover(scan);
                return Ok(Some(read));
            }
        }
        Ok(None)
    }

    fn fill(&mut self, scan: &mut Scan) -> Result<(), TxError> {
        scan.drop_chunk();
        let Some(source) = &scan.source else {
            scan.exhausted = true;
            return Ok(());
        };
        let (table, keyspace) = (&source.table, source.keyspace);
        let (left_start, left_end) = scan.left();
        if left_end.as_ref().is_some_and(|end| *end <= left_start) {
            scan.exhausted = true;
            return Ok(());
        }
        self.settle_all(table, keyspace, FieldMask(0));
        let limit = scan.chunk;
        scan.chunk = (scan.chunk * 8).min(LARGEST_CHUNK);
        let ts = self.snapshot.ts();
        let range = (&left_start[..], left_end.as_deref());
        let covered = self.engine.scan(table, keyspace, range, scan.reverse, limit, ts, &mut scan.rows)?;
        self.settle_found(table, scan.mask, &scan.rows.reads);
        scan.epoch = self.writes.epoch;
        scan.exhausted = covered.is_none();
        match (&covered, scan.reverse) {
            (None, _) => {}
            (Some(last), false) => scan.start = successor(last),
            (Some(last), true) => scan.end = Some(last.clone()),
        }
        if !self.writes.touches_table(table.by_id) {
            return Ok(());
        }
        let by_id = table.by_id;
        let mut rows = scan.rows.take(table, keyspace);
        rows.retain(|(k, _)| {
            let id = if keyspace == by_id { &k[..] } else { &k[k.len().saturating_sub(16)..] };
            self.writes.find(by_id, id).is_none()
        });
        // What the chunk covers: everything that is left, or up to its last key.
        let (covered_start, covered_end) = match (covered, scan.reverse) {
            (None, _) => (left_start, left_end),
            (Some(last), false) => (left_start, Some(successor(&last))),
            (Some(last), true) => (last, left_end),
        };
        for (k, at) in self.writes.range(keyspace, &covered_start, covered_end.as_deref()) {
            let pending = &self.writes.list[at];
            if let Some(document) = pending.new.clone() {
                let ts = pending.base.as_ref().map_or(Timestamp(0), |b| b.ts);
                rows.push((k, Some(Read { document, slot: pending.slot, ts })));
            }
        }
        let reverse = scan.reverse;
        rows.sort_by(|(a, _), (b, _)| if reverse { b.cmp(a) } else { a.cmp(b) });
        (scan.rows.keys, scan.rows.reads) = rows.into_iter().unzip();
        Ok(())
    }
}

/// A scan of one of the engine's own keyspaces.
#[derive(Debug)]
pub struct SystemScan(Scan);

impl Scan {
    fn new(source: Option<Source>, range: &KeyRange, order: Order) -> Self {
        let (start, end) = (key(&range.start), range.end.as_deref().map(key));
        let empty = end.as_ref().is_some_and(|end| *end <= start);
        let end = if empty { Some(start.clone()) } else { end };
        Self {
            source,
            reverse: order == Order::Desc,
            start: start.clone(),
            end: end.clone(),
            whole: (start, end),
            rows: Rows::default(),
            next: 0,
            chunk: FIRST_CHUNK,
            exhausted: empty,
            epoch: 0,
            growing: None,
            last: None,
            last_row: None,
            ids: None,
            mask: FieldMask::ALL,
        }
    }

    /// The same scan for a caller who looks at no more of the documents than this; to be said before it is begun.
    #[must_use]
    pub fn select(mut self, projection: Projection<'_>) -> Self {
        if let Some(source) = &self.source {
            self.mask = source.table.fields.read(projection);
        }
        self
    }

    /// The same scan of nothing but what lies behind the key `after`, in its order, up to and including the key `until`;
    /// to be said before it is begun. They are keys as [`Scan::key_of`] gives them.
    #[must_use]
    pub fn between(self, after: Option<&[u8]>, until: Option<&[u8]>) -> Self {
        let (from, to) = match self.reverse {
            false => (after.map(successor), until.map(successor)),
            true => (until.map(key), after.map(key)),
        };
        self.within(from, to)
    }

    /// The same scan of nothing but the keys from `from` up to, not including, `to`.
    fn within(mut self, from: Option<Key>, to: Option<Key>) -> Self {
        let (start, end) = self.whole;
        self.start = from.map_or(start.clone(), |from| from.max(start));
        self.end = match (to, end) {
            (Some(to), Some(end)) => Some(to.min(end)),
            (to, end) => to.or(end),
        };
        if self.end.as_ref().is_some_and(|end| *end <= self.start) {
            self.end = Some(self.start.clone());
            self.exhausted = true;
        }
        self.whole = (self.start.clone(), self.end.clone());
        self
    }

    /// The key of a document of this scan in its index, as the transaction sees it.
    pub fn key_of(&self, document: &Document) -> Option<Vec<u8>> {
        let source = self.source.as_ref()?;
        key_of(document, &source.table, source.keyspace).map(|k| k.to_vec())
    }

    /// Translates a range of the sort keys of ids: one id becomes its key, anything else a filter.
    fn narrow_ids(&mut self, range: &KeyRange) {
        if range.start.is_empty() && range.end.is_none() {
            return;
        }
        let mut rest = &range.start[..];
        if let Ok(Some(hull_value::Value::String(text))) = hull_value::read_sort_key(&mut rest)
            && let Ok(id) = text.parse::<DocumentId>()
            && *range == IndexBounds::all().eq(Some(ValueRef::String(&text))).to_key_range()
        {
            let k = key(&id.internal.0);
            (self.start, self.end) = (k.clone(), Some(successor(&k)));
            self.whole = (self.start.clone(), self.end.clone());
        }
        self.ids = Some(range.clone());
    }

    /// The key of the row that was yielded last.
    pub(crate) fn last(&self) -> Option<Key> {
        let row = self.last_row.zip(self.source.as_ref());
        let k = row.and_then(|(at, source)| self.rows.key(at, &source.table, source.keyspace));
        k.or_else(|| self.last.clone())
    }

    /// Lets go of the rows at hand.
    fn drop_chunk(&mut self) {
        if self.last_row.is_some() {
            self.last = self.last();
            self.last_row = None;
        }
        self.rows.clear();
        self.next = 0;
    }

    fn left(&self) -> (Key, Option<Key>) {
        (self.start.clone(), self.end.clone())
    }

    /// Goes on behind what was yielded last, or behind a key that was said to be.
    fn restart(&mut self) {
        (self.start, self.end) = self.whole.clone();
        match (&self.last, self.reverse) {
            (Some(last), true) if self.end.as_ref().is_none_or(|end| last < end) => {
                self.end = Some(last.clone());
            }
            (Some(last), false) if *last >= self.start => self.start = successor(last),
            _ => {}
        }
    }

    /// Whether the row at hand is one that is asked for.
    fn wants(&self, read: &Read) -> bool {
        self.ids.as_ref().is_none_or(|ids| has_id(ids, read.document.id))
    }
}

fn sort_key(id: DocumentId) -> Vec<u8> {
    let mut out = Vec::new();
    write_sort_key(Some(ValueRef::String(&id.to_string())), &mut out);
    out
}

fn has_id(range: &KeyRange, id: DocumentId) -> bool {
    let k = sort_key(id);
    k >= range.start && range.end.as_ref().is_none_or(|end| k < *end)
}

impl Inner {
    /// Puts a chunk of a scan at `ts`, of the overlay and storage, into `rows`, which is empty; returns the last key
    /// that the chunk covers, `None` when it covers all that was asked for. A row that is `None` is nothing.
    #[allow(clippy::too_many_arguments, reason = "a range, an order, a limit and a snapshot")]
    pub(crate) fn scan(
        &self,
        table: &TableInfo,
        keyspace: Keyspace,
        (start, end): (&[u8], Option<&[u8]>),
        reverse: bool,
        limit: usize,
        ts: Timestamp,
        rows: &mut Rows,
    ) -> Result<Option<Key>, TxError> {
        let overlay = table.store.scan(keyspace, start, end, reverse, limit, ts, rows);
        let last = rows.reads.len().checked_sub(1).filter(|_| !overlay.exhausted);
        let frontier = last.and_then(|last| rows.key(last, table, keyspace));
        if overlay.complete {
            return Ok(frontier);
        }
        // Storage is read after the overlay, and only as far as the overlay's chunk reaches.
        let (low, high) = match (&frontier, reverse) {
            (None, _) => (key(start), end.map(key)),
            (Some(last), false) => (key(start), Some(successor(last))),
            (Some(last), true) => (last.clone(), end.map(key)),
        };
        let storage_low = storage_key(keyspace, &low);
        let storage_high = high.map_or_else(|| storage_end(keyspace), |high| storage_key(keyspace, &high));
        let stored = self.storage.range(&storage_low, Some(&storage_high), reverse, limit, CHUNK_BYTES)?;
        let covered = match stored.entries.last() {
            Some((k, _)) if stored.more => Some(key(&k[4..])),
            _ => frontier,
        };
        let before = |a: &[u8], b: &[u8]| if reverse { a > b } else { a < b };
        let ours = rows.take(table, keyspace);
        let mut here = ours.into_iter().peekable();
        for (stored_key, stored) in stored.entries {
            let k = &stored_key[4..];
            while let Some((ours, row)) = here.next_if(|(ours, _)| before(ours, k)) {
                rows.push(ours, row);
            }
            if here.peek().is_some_and(|(ours, _)| ours[..] == *k) {
                continue;
            }
            let read = if keyspace == table.by_id {
                let (ts, document) = Document::from_storage(table.number, k, &stored)?;
                Some(Read { document, slot: None, ts })
            } else {
                self.read(table, &k[k.len().saturating_sub(16)..], ts)?
            };
            let Some(read) = read else {
                return Err(TxError::Damaged(format!(
                    "an index of table {} names a document that is not there",
                    table.name
                )));
            };
            rows.push(key(k), Some(read));
        }
        for (ours, row) in here {
            if covered.as_ref().is_none_or(|last| !before(last, &ours)) {
                rows.push(ours, row);
            }
        }
        Ok(covered)
    }
}
