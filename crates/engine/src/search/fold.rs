//! Folds: changes of postings, in order of term and id, become changes of blocks.
//!
//! - After each batch storage holds every posting once: the old or the new state of those that change, and all others as
//!   they were. What a block hands to its neighbours is in the batch that takes it away.
//! - Folding changes that were folded before, all of them or some, changes nothing.
//! - One batch changes a block once at most, so that what a batch replaces is what storage held before it.

use super::ahead::Ahead;
use super::block::{Damaged, MAX_BLOCK_BYTES, stored_posting_key};
use super::posting::{DocKey, Posting};
use super::rows::Rows;
use crate::key::Keyspace;
use crate::storage::{Batch, Change, MAX_BATCH_BYTES, MAX_BATCH_KEYS, Storage, StorageError};

/// A fold under way. While it lasts nothing else writes the blocks of its index; after a batch that was not applied
/// another fold has to begin with the first change.
#[derive(Debug)]
pub(crate) struct Fold {
    keyspace: Keyspace,
    width: usize,
    changes: Changes,
    finished: bool,
    ahead: Ahead,
    open: Option<Open>,
    /// What goes into one batch together, and next.
    closed: Vec<Change>,
}

/// How far [`Fold::fill`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// It wants more changes, or to be told that there are none; the same batch has room.
    Hungry,
    /// The batch must be applied before the next call, which is to be given another one.
    Full,
    /// The last of the changes is in the batch.
    Done,
}

/// What has been handed over and not been merged.
#[derive(Debug)]
struct Changes {
    rows: Rows,
    /// Whether a posting is put, not removed.
    kept: Vec<bool>,
    at: usize,
    /// The number in `rows` of the term at hand.
    term: usize,
    /// What a posting that is removed has for filter values.
    zeros: Vec<u64>,
}

/// The block that changes are being merged into, and where the next one begins.
#[derive(Debug)]
struct Open {
    key: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
    rows: Rows,
    changed: bool,
    /// The keys of blocks whose postings are in `rows`, too.
    absorbed: Vec<Vec<u8>>,
    /// Whether this very block is in the batch at hand.
    in_batch: bool,
}

/// The bytes and keys of a batch that are left to the caller.
const SPARE_BYTES: usize = 512;
const SPARE_KEYS: usize = 4;
/// The keys up to which a batch is filled: few in tests, so that what happens between two batches does happen.
const MOST_KEYS: usize = if cfg!(test) { 12 } else { MAX_BATCH_KEYS - SPARE_KEYS };
/// The changes that are merged at once, and the postings of an open block that are closed with no wait for more: together
/// they fit in a batch, whatever their filter values. Few in tests, so that blocks are written in the middle of a merge.
const MERGE: usize = if cfg!(test) { 40 } else { 1000 };
const MANY: usize = if cfg!(test) { 80 } else { 2000 };
/// A block that shrank below this is joined with the next one, if there is room for both.
const SMALL_BYTES: usize = MAX_BLOCK_BYTES / 4;
const JOINED_BYTES: usize = MAX_BLOCK_BYTES / 4 * 3;

impl Fold {
    /// A fold of changes of an index with `width` filter fields.
    pub(crate) fn new(keyspace: Keyspace, width: usize) -> Self {
        Self {
            keyspace,
            width,
            changes: Changes::new(width),
            finished: false,
            ahead: Ahead::new(keyspace),
            open: None,
            closed: Vec::new(),
        }
    }

    /// Hands over the next change: what the posting of a document under a term becomes, or its removal for `None`. They
    /// come in ascending order of term and id, each at most once.
    pub(crate) fn change(&mut self, term: &str, id: DocKey, posting: Option<Posting<'_>>) {
        self.changes.push(term, id, posting);
    }

    /// Says that there are no more changes.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }

    /// Merges what was handed over and adds the changes of blocks to a batch. Some keys and bytes of the batch are left
    /// to the caller.
    pub(crate) fn fill(&mut self, storage: &dyn Storage, batch: &mut Batch) -> Result<Filled, StorageError> {
        loop {
            if !self.closed.is_empty() && !self.hand_out(batch) {
                return Ok(Filled::Full);
            }
            let Some((term, id, _)) = self.changes.peek() else {
                if !self.finished {
                    return Ok(Filled::Hungry);
                }
                if self.open.is_none() {
                    return Ok(Filled::Done);
                }
                self.close(storage)?;
                continue;
            };
            let key = stored_posting_key(self.keyspace, term, &id);
            match &mut self.open {
                None => {
                    self.ahead.seek(storage, &key)?;
                    self.open = Some(self.take(storage)?);
                }
                Some(open) if open.end.as_ref().is_some_and(|end| *end <= key) => self.close(storage)?,
                Some(open) => {
                    if std::mem::take(&mut open.in_batch) && !batch.is_empty() {
                        return Ok(Filled::Full);
                    }
                    open.merge(&mut self.changes, self.keyspace);
                    if open.rows.len() > MANY
                        && open.changed
                        && let Some(merged) = self.changes.merged()
                    {
                        self.closed = open.write_and_stay(merged, self.keyspace);
                    }
                }
            }
        }
    }

    /// Moves what is closed into the batch, if there is room.
    fn hand_out(&mut self, batch: &mut Batch) -> bool {
        let size = |(key, value): &Change| key.len() + value.as_ref().map_or(0, Vec::len);
        let bytes: usize = self.closed.iter().map(size).sum();
        let fits = batch.len() + self.closed.len() <= MOST_KEYS
            && batch.bytes() + bytes + SPARE_BYTES <= MAX_BATCH_BYTES;
        if fits || batch.is_empty() {
            for (key, value) in self.closed.drain(..) {
                match value {
                    Some(value) => batch.put(key, value),
                    None => batch.delete(key),
                }
            }
            return true;
        }
        false
    }

    /// Opens the block at hand.
    fn take(&mut self, storage: &dyn Storage) -> Result<Open, StorageError> {
        let mut rows = Rows::new(self.width);
        let mut key = None;
        if let Some((stored, block)) = self.ahead.take(storage)? {
            extend(&mut rows, &stored, &block)?;
            key = Some(stored);
        }
        let end = self.ahead.front().map(|(next, _)| next.clone());
        Ok(Open { key, end, rows, changed: false, absorbed: Vec::new(), in_batch: false })
    }

    /// Closes the open block, unless it takes in the next one and stays open.
    fn close(&mut self, storage: &dyn Storage) -> Result<(), StorageError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        if !open.changed {
            return Ok(());
        }
        let blocks = open.rows.blocks();
        let next = self.ahead.front().filter(|_| open.end.is_some());
        if let ([(_, block)], Some((_, next))) = (&blocks[..], next)
            && block.len() < SMALL_BYTES
            && block.len() + next.len() <= JOINED_BYTES
        {
            if let Some((key, block)) = self.ahead.take(storage)? {
                extend(&mut open.rows, &key, &block)?;
                open.absorbed.push(key);
            }
            open.end = self.ahead.front().map(|(next, _)| next.clone());
            self.open = Some(open);
            return Ok(());
        }
        self.closed = open.write(blocks, self.keyspace);
        Ok(())
    }
}

fn extend(rows: &mut Rows, key: &[u8], block: &[u8]) -> Result<(), StorageError> {
    rows.extend(block).map_err(|Damaged| StorageError::Checksum { key: key.to_vec() })
}

impl Open {
    /// Merges changes that belong to this block, some of them at most.
    fn merge(&mut self, changes: &mut Changes, keyspace: Keyspace) {
        let old = std::mem::replace(&mut self.rows, Rows::new(changes.zeros.len()));
        let (mut at, mut term) = (0, 0);
        for _ in 0..MERGE {
            let Some((name, id, posting)) = changes.peek() else { break };
            let end = self.end.as_deref();
            if end.is_some_and(|end| end <= &stored_posting_key(keyspace, name, &id)[..]) {
                break;
            }
            let mut before = None;
            while let Some((old_name, old_id, old)) = old.get(at, &mut term) {
                if (old_name, old_id) > (name, id) {
                    break;
                }
                at += 1;
                if (old_name, old_id) == (name, id) {
                    before = Some(old);
                    break;
                }
                self.rows.push(old_name, old_id, old);
            }
            self.changed |= match (before, posting) {
                (Some(before), Some(after)) => !before.is_same(&after),
                (before, after) => before.is_some() != after.is_some(),
            };
            if let Some(posting) = posting {
                self.rows.push(name, id, posting);
            }
            changes.at += 1;
        }
        while let Some((name, id, posting)) = old.get(at, &mut term) {
            self.rows.push(name, id, posting);
            at += 1;
        }
    }

    /// The changes of storage that make it hold this block's postings, which are these blocks.
    fn write(&mut self, blocks: Vec<(usize, Vec<u8>)>, keyspace: Keyspace) -> Vec<Change> {
        let mut removed = std::mem::take(&mut self.absorbed);
        let mut changes = Vec::new();
        for (at, block) in blocks {
            let Some((term, id)) = self.rows.place(at) else { continue };
            let mut key = stored_posting_key(keyspace, term, &id);
            if at == 0 {
                // A key at or below the first posting stays.
                match self.key.take() {
                    Some(old) if old <= key => key = old,
                    old => removed.extend(old),
                }
            }
            changes.push((key, Some(block)));
        }
        removed.extend(self.key.take());
        removed.retain(|key| changes.iter().all(|(put, _)| put != key));
        changes.extend(removed.into_iter().map(|key| (key, None)));
        changes
    }

    /// The same, after which the block that `merged`, the last change so far, belongs to is open, and those behind it, which
    /// have old postings: a later change may belong to any of them.
    fn write_and_stay(&mut self, merged: (&str, DocKey), keyspace: Keyspace) -> Vec<Change> {
        let blocks = self.rows.blocks();
        let is_before =
            |(at, _): &(usize, Vec<u8>)| self.rows.place(*at).is_some_and(|first| first <= merged);
        let open = blocks.partition_point(is_before).saturating_sub(1);
        let first = blocks.get(open).map_or(0, |(at, _)| *at);
        let changes = self.write(blocks, keyspace);
        let put = changes.iter().filter(|(_, block)| block.is_some()).map(|(key, _)| key.clone());
        let mut keys = put.skip(open);
        self.key = keys.next();
        self.absorbed = keys.collect();
        self.rows = self.rows.tail(first);
        (self.changed, self.in_batch) = (false, true);
        changes
    }
}

impl Changes {
    fn new(width: usize) -> Self {
        Self { rows: Rows::new(width), kept: Vec::new(), at: 0, term: 0, zeros: vec![0; width] }
    }

    fn push(&mut self, term: &str, id: DocKey, posting: Option<Posting<'_>>) {
        if self.at == self.rows.len() {
            (self.rows, self.at, self.term) = (Rows::new(self.zeros.len()), 0, 0);
            self.kept.clear();
        }
        let nothing = Posting { frequency: 0, length: 0, creation_time: 0.0, filters: &self.zeros };
        self.rows.push(term, id, posting.unwrap_or(nothing));
        self.kept.push(posting.is_some());
    }

    /// The last change that was merged.
    fn merged(&self) -> Option<(&str, DocKey)> {
        self.rows.place(self.at.checked_sub(1)?)
    }

    /// The next change.
    fn peek(&mut self) -> Option<(&str, DocKey, Option<Posting<'_>>)> {
        let kept = *self.kept.get(self.at)?;
        let (term, id, posting) = self.rows.get(self.at, &mut self.term)?;
        Some((term, id, kept.then_some(posting)))
    }
}
