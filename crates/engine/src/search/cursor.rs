//! Cursors: the terms of a range as storage has them, and the postings of each.
//!
//! A group of postings that has none of the wanted filter values is counted and not decoded. What is read in several steps
//! is right as long as no batch of a fold is applied between them.

use std::cmp::Ordering;
use std::collections::VecDeque;

use smallvec::SmallVec;

use super::block::{BLOCKS, Damaged, Found, Group, Head};
use super::posting::{Columns, DocKey};
use crate::key::{Keyspace, prefix_end, storage_key};
use crate::storage::{Entry, Storage, StorageError};

/// Which terms a cursor walks over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms<'a> {
    /// This one.
    Exact(&'a str),
    /// Those that begin so.
    #[cfg_attr(not(test), allow(dead_code, reason = "tests read whole indexes so"))]
    Prefix(&'a str),
    /// Those that begin so and go on.
    Longer(&'a str),
}

impl Terms<'_> {
    /// Where a term is: before the range, within it or behind.
    pub(crate) fn compare(self, term: &[u8]) -> Ordering {
        match self {
            Terms::Prefix(prefix) if term.starts_with(prefix.as_bytes()) => Ordering::Equal,
            Terms::Longer(prefix) if term == prefix.as_bytes() => Ordering::Less,
            Terms::Longer(prefix) if term.starts_with(prefix.as_bytes()) => Ordering::Equal,
            Terms::Exact(text) | Terms::Prefix(text) | Terms::Longer(text) => term.cmp(text.as_bytes()),
        }
    }
}

/// A walk over the terms of an index, in the order of their bytes.
pub(crate) struct Cursor<'a> {
    storage: &'a dyn Storage,
    width: usize,
    with_filters: bool,
    terms: Terms<'a>,
    /// The storage keys from which on, and before which, blocks have not been read.
    rest: Option<(Vec<u8>, Vec<u8>)>,
    chunk: usize,
    blocks: VecDeque<Entry>,
    /// The block at hand, and where its next group begins.
    block: Entry,
    at: usize,
    /// The term of the group before `at`, for the next one in this block; empty at the beginning of a block.
    stored_term: Vec<u8>,
    /// The group that is to be read next.
    found: Option<Found>,
    term: String,
    /// The places that were found in a group, and all of its postings.
    places: Vec<u16>,
    group: Columns,
}

const FIRST_CHUNK: usize = 4;
const LARGEST_CHUNK: usize = 32;
const CHUNK_BYTES: usize = 256 << 10;

impl<'a> Cursor<'a> {
    /// A cursor over terms of an index with `width` filter fields.
    pub(crate) fn new(storage: &'a dyn Storage, keyspace: Keyspace, width: usize, terms: Terms<'a>) -> Self {
        let (start, end) = match terms {
            Terms::Exact(term) => (place(term, &[0]), place(term, &[1])),
            Terms::Prefix(prefix) | Terms::Longer(prefix) => {
                let start = place(prefix, if matches!(terms, Terms::Longer(_)) { &[1] } else { &[] });
                (start, prefix_end(&place(prefix, &[])).map_or_else(Vec::new, |end| end.to_vec()))
            }
        };
        Self {
            storage,
            width,
            with_filters: false,
            terms,
            rest: Some((storage_key(keyspace, &start), storage_key(keyspace, &end))),
            chunk: 0,
            blocks: VecDeque::new(),
            block: Entry::default(),
            at: 0,
            stored_term: Vec::new(),
            found: None,
            term: String::new(),
            places: Vec::new(),
            group: Columns::default(),
        }
    }

    /// The same cursor, which fills [`Columns::filters`] as well.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn with_filters(mut self) -> Self {
        self.with_filters = true;
        self
    }

    /// The next term that has postings, whether or not those of the term before were read.
    pub(crate) fn next_term(&mut self) -> Result<Option<&str>, StorageError> {
        while self.find_group()? && self.stored_term == self.term.as_bytes() {
            self.found = None;
        }
        if self.found.is_none() {
            return Ok(None);
        }
        match str::from_utf8(&self.stored_term) {
            Ok(term) => {
                self.term.clear();
                self.term.push_str(term);
                Ok(Some(&self.term))
            }
            Err(_) => Err(self.damaged(Damaged)),
        }
    }

    /// Appends postings of the term to `columns`, ascending by id: those of no document in `hidden`, which ascends, that
    /// have all `wanted` values, each the position of a filter field and a hash. Returns how many there are without those
    /// of `hidden`, whatever their filter values. The filter values are appended only when this was asked for.
    pub(crate) fn read(
        &mut self,
        hidden: &[DocKey],
        wanted: &[(usize, u64)],
        columns: &mut Columns,
    ) -> Result<u64, StorageError> {
        let (mut count, mut hidden) = (0, hidden);
        while self.find_group()? && self.stored_term == self.term.as_bytes() {
            let Some(found) = self.found.take() else { break };
            count += found.postings as u64;
            match self.read_group(&found, &mut hidden, wanted, columns) {
                Ok(gone) => count = count.saturating_sub(gone),
                Err(damaged) => return Err(self.damaged(damaged)),
            }
        }
        Ok(count)
    }

    /// Reads a group; returns how many of its postings are hidden.
    fn read_group(
        &mut self,
        found: &Found,
        hidden: &mut &[DocKey],
        wanted: &[(usize, u64)],
        columns: &mut Columns,
    ) -> Result<u64, Damaged> {
        let block = &self.block.1[..];
        let head = Head::read(block, self.width)?;
        let values = wanted.iter().map(|(field, hash)| {
            let values = head.values.get(*field).ok_or(Damaged)?;
            Ok(values.position(*hash).map(|at| (*field, at)))
        });
        let values = values.collect::<Result<Option<SmallVec<[(usize, u64); 8]>>, Damaged>>()?;
        let group = match &values {
            None if hidden.is_empty() => return Ok(0),
            _ => found.open(block, self.width)?,
        };
        let below = hidden.partition_point(|id| u128::from_be_bytes(*id) < group.first);
        *hidden = hidden.get(below..).unwrap_or_default();
        let next = self.blocks.front().filter(|_| found.end == block.len());
        let some_hidden = hidden.first().is_some_and(|id| may_hold(next, &self.stored_term, id));
        if values.as_ref().is_some_and(|values| values.is_empty()) && !some_hidden {
            group.all(columns)?;
            if self.with_filters {
                for place in 0..group.postings {
                    group.filters(&head, place, &mut columns.filters)?;
                }
            }
            return Ok(0);
        }
        select(&group, values.as_deref(), &mut self.places);
        if self.places.is_empty() && !some_hidden {
            return Ok(0);
        }
        self.group.clear();
        group.all(&mut self.group)?;
        let mut gone = 0;
        if some_hidden {
            let ids = &self.group.ids;
            let until = hidden.partition_point(|id| ids.last().is_some_and(|last| id <= last));
            let hidden = hidden.get(..until).unwrap_or_default();
            gone = hidden.iter().filter(|id| ids.binary_search(id).is_ok()).count() as u64;
            let is_hidden = |id: &DocKey| gone > 0 && hidden.binary_search(id).is_ok();
            self.places.retain(|place| ids.get(usize::from(*place)).is_some_and(|id| !is_hidden(id)));
        }
        columns.extend_from(&self.group, &self.places);
        if self.with_filters {
            for place in &self.places {
                group.filters(&head, usize::from(*place), &mut columns.filters)?;
            }
        }
        Ok(gone)
    }

    /// Sees to it that the next group of the range is at hand; false when there is none.
    fn find_group(&mut self) -> Result<bool, StorageError> {
        while self.found.is_none() {
            let found = Found::read(&self.block.1, self.at, &mut self.stored_term);
            match found.map_err(|damaged| self.damaged(damaged))? {
                Some(found) => {
                    self.at = found.end;
                    match self.terms.compare(&self.stored_term) {
                        Ordering::Less => {}
                        Ordering::Equal => self.found = Some(found),
                        Ordering::Greater => {
                            self.end();
                            return Ok(false);
                        }
                    }
                }
                None if self.next_block()? => {}
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Goes to the end of the range.
    fn end(&mut self) {
        self.rest = None;
        self.blocks.clear();
        self.at = self.block.1.len();
    }

    /// Moves to the next block of the range; false when there is none.
    fn next_block(&mut self) -> Result<bool, StorageError> {
        if self.blocks.is_empty() {
            self.fetch()?;
        }
        let Some(block) = self.blocks.pop_front() else { return Ok(false) };
        self.block = block;
        self.stored_term.clear();
        let head = Head::read(&self.block.1, self.width).map(|head| head.groups);
        self.at = head.map_err(|damaged| self.damaged(damaged))?;
        Ok(true)
    }

    fn fetch(&mut self) -> Result<(), StorageError> {
        let Some((start, end)) = &mut self.rest else { return Ok(()) };
        if self.chunk == 0 {
            // The block that the first term would be in.
            self.chunk = FIRST_CHUNK;
            let low = [start.get(..4).unwrap_or_default(), &[BLOCKS]].concat();
            let high = [&start[..], &[0]].concat();
            let found = self.storage.range(&low, Some(&high), true, 1, CHUNK_BYTES)?;
            if let Some(block) = found.entries.into_iter().next() {
                *start = [&block.0[..], &[0]].concat();
                self.blocks.push_back(block);
                return Ok(());
            }
        }
        let found = self.storage.range(start, Some(end), false, self.chunk, CHUNK_BYTES)?;
        self.chunk = (self.chunk * 2).min(LARGEST_CHUNK);
        match found.entries.last() {
            Some((last, _)) if found.more => *start = [&last[..], &[0]].concat(),
            _ => self.rest = None,
        }
        self.blocks.extend(found.entries);
        Ok(())
    }

    fn damaged(&self, _: Damaged) -> StorageError {
        StorageError::Checksum { key: self.block.0.clone() }
    }
}

/// Whether an id at or above the first of a block's last group may be in it: a group that goes on in the next block ends
/// below that one's key.
fn may_hold(next: Option<&Entry>, term: &[u8], id: &DocKey) -> bool {
    let next = next.and_then(|(key, _)| key.get(5..)?.strip_prefix(term)?.strip_prefix(&[0]));
    next.is_none_or(|next| &id[..] < next)
}

/// The places of the postings that have all values; none for `None`.
fn select(group: &Group<'_>, values: Option<&[(usize, u64)]>, places: &mut Vec<u16>) {
    places.clear();
    match values {
        None => {}
        Some([]) => places.extend(0..group.postings as u16),
        Some([(field, value), others @ ..]) => {
            if let Some(column) = group.filters.get(*field) {
                column.find(*value, places);
            }
            for (field, value) in others {
                if let Some(column) = group.filters.get(*field) {
                    column.narrow(*value, places);
                }
            }
        }
    }
}

/// Where terms that begin with `text` and what is behind it are.
fn place(text: &str, behind: &[u8]) -> Vec<u8> {
    [&[BLOCKS], text.as_bytes(), behind].concat()
}
