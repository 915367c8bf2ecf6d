//! Rows: postings of many terms in memory, in order of term and id, and how they become blocks.

use std::ops::Range;

use super::block::{Damaged, FORMAT, Found, Head, MAX_BLOCK_BYTES, time_bits};
use super::posting::{Columns, DocKey, Posting};

/// Postings in order of term and id, each with its `width` filter values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rows {
    width: usize,
    /// The terms, and where the postings of each end.
    terms: Vec<(Box<str>, usize)>,
    columns: Columns,
}

/// A block is cut off so far below its limit that some more postings find room in it.
const CUT_BYTES: usize = MAX_BLOCK_BYTES / 8 * 7;

impl Rows {
    /// No postings of an index with `width` filter fields.
    pub(super) fn new(width: usize) -> Self {
        Self { width, terms: Vec::new(), columns: Columns::default() }
    }

    /// Appends the postings of a block.
    pub(super) fn extend(&mut self, block: &[u8]) -> Result<(), Damaged> {
        let head = Head::read(block, self.width)?;
        let (mut at, mut term) = (head.groups, Vec::new());
        while let Some(found) = Found::read(block, at, &mut term)? {
            at = found.end;
            let group = found.open(block, self.width)?;
            let name = str::from_utf8(&term).map_err(|_| Damaged)?;
            let before = self.columns.len();
            group.all(&mut self.columns)?;
            if !self.columns.ids.get(before..).is_some_and(|ids| ids.is_sorted_by(|a, b| a < b)) {
                return Err(Damaged);
            }
            for place in 0..found.postings {
                group.filters(&head, place, &mut self.columns.filters)?;
            }
            match self.terms.last_mut() {
                Some((last, _)) if **last > *name => return Err(Damaged),
                Some((last, end)) if **last == *name => {
                    let ids = &self.columns.ids;
                    if ids.get(before.wrapping_sub(1)) >= ids.get(before) {
                        return Err(Damaged);
                    }
                    *end = self.columns.len();
                }
                _ => self.terms.push((name.into(), self.columns.len())),
            }
        }
        Ok(())
    }

    /// Appends a posting, which must come last.
    pub(super) fn push(&mut self, term: &str, id: DocKey, posting: Posting<'_>) {
        debug_assert_eq!(posting.filters.len(), self.width);
        self.columns.push(id, posting);
        let end = self.columns.len();
        match self.terms.last_mut() {
            Some((last, last_end)) if **last == *term => *last_end = end,
            _ => self.terms.push((term.into(), end)),
        }
    }

    /// How many postings there are.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// The term, id and rest of a posting, when it is one of the term that is number `term`, or of a later one, which
    /// `term` is set to.
    pub(super) fn get(&self, at: usize, term: &mut usize) -> Option<(&str, DocKey, Posting<'_>)> {
        while self.terms.get(*term)?.1 <= at {
            *term += 1;
        }
        let (id, posting) = self.columns.get(at, self.width)?;
        Some((&self.terms.get(*term)?.0, id, posting))
    }

    /// The term and the id of a posting.
    pub(super) fn place(&self, at: usize) -> Option<(&str, DocKey)> {
        let term = self.terms.partition_point(|(_, end)| *end <= at);
        Some((&self.terms.get(term)?.0, *self.columns.ids.get(at)?))
    }

    /// The postings from `at` on.
    pub(super) fn tail(&self, at: usize) -> Self {
        let mut tail = Self::new(self.width);
        let mut term = 0;
        for at in at..self.len() {
            if let Some((name, id, posting)) = self.get(at, &mut term) {
                tail.push(name, id, posting);
            }
        }
        tail
    }

    /// The postings as blocks, each with the place of its first posting: one when they fit in one, else blocks that are
    /// nearly full but for the last two.
    pub(super) fn blocks(&self) -> Vec<(usize, Vec<u8>)> {
        let mut blocks = Vec::new();
        let (mut from, n) = (0, self.len());
        let mut rows = n;
        while from < n {
            // A guess by the size of the block before, made right by trying.
            let mut to = n.min(from + rows.max(1));
            let mut block = self.block(from..to);
            while block.len() > MAX_BLOCK_BYTES && to - from > 1 {
                let fit = (to - from) * CUT_BYTES / block.len();
                to = from + fit.clamp(1, to - from - 1);
                block = self.block(from..to);
            }
            if to < n && block.len() < MAX_BLOCK_BYTES / 2 {
                // The postings behind are shorter than the guess: as many as have room by their own size.
                let more = n.min(from + ((to - from) * CUT_BYTES / block.len()).max(to - from + 1));
                let longer = self.block(from..more);
                if longer.len() <= MAX_BLOCK_BYTES {
                    (to, block) = (more, longer);
                }
            }
            rows = (to - from) * CUT_BYTES / block.len();
            if to < n && n - to < rows && n - to < to - from {
                // Two halves rather than a full block and a bit.
                rows = (n - from).div_ceil(2);
                if rows < to - from {
                    to = from + rows;
                    block = self.block(from..to);
                }
            }
            blocks.push((from, block));
            from = to;
        }
        blocks
    }

    /// The block of the postings in `range`, whatever its size.
    fn block(&self, range: Range<usize>) -> Vec<u8> {
        let mut out = Vec::with_capacity(MAX_BLOCK_BYTES);
        out.extend_from_slice(&[FORMAT, self.width as u8]);
        let values: Vec<Vec<u64>> = (0..self.width).map(|field| self.values(&range, field)).collect();
        for values in &values {
            out.extend_from_slice(&(values.len() as u16).to_le_bytes());
            out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
        let (mut from, mut before) = (range.start, "");
        let first = self.terms.partition_point(|(_, end)| *end <= range.start);
        for (term, end) in self.terms.get(first..).unwrap_or_default() {
            if from >= range.end {
                break;
            }
            let end = range.end.min(*end);
            let shared = term.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
            let more = term.as_bytes().get(shared..).unwrap_or_default();
            out.extend_from_slice(&[shared as u8, more.len() as u8]);
            out.extend_from_slice(more);
            out.extend_from_slice(&((end - from) as u16).to_le_bytes());
            let size_at = out.len();
            out.extend_from_slice(&[0, 0]);
            self.group(from..end, &values, &mut out);
            let size = (out.len() - size_at - 2) as u16;
            if let Some(place) = out.get_mut(size_at..size_at + 2) {
                place.copy_from_slice(&size.to_le_bytes());
            }
            (from, before) = (end, term);
        }
        out
    }

    /// The distinct values of a filter field.
    fn values(&self, range: &Range<usize>, field: usize) -> Vec<u64> {
        let filters = self.columns.filters.get(range.start * self.width..range.end * self.width);
        let values = filters.unwrap_or_default().chunks_exact(self.width.max(1));
        let mut values: Vec<u64> = values.filter_map(|row| row.get(field).copied()).collect();
        values.sort_unstable();
        values.dedup();
        values
    }

    fn group(&self, range: Range<usize>, values: &[Vec<u64>], out: &mut Vec<u8>) {
        let (from, n) = (range.start, range.len());
        let columns = &self.columns;
        for (field, values) in values.iter().enumerate() {
            column(out, n, |at| {
                let value = columns.filters.get((from + at) * self.width + field).copied().unwrap_or(0);
                values.partition_point(|known| *known < value) as u64
            });
        }
        let number = |numbers: &[u32], at: usize| numbers.get(from + at).map_or(0, |n| u64::from(*n));
        column(out, n, |at| number(&columns.frequencies, at));
        column(out, n, |at| number(&columns.lengths, at));
        let ids = columns.ids.get(range.clone()).unwrap_or_default();
        let times = columns.creation_times.get(range).unwrap_or_default();
        // Numbers around zero: the least of them is the base.
        let differences: Vec<u64> =
            ids.iter().zip(times).map(|(id, time)| time.to_bits().wrapping_sub(time_bits(id))).collect();
        let base = differences.iter().map(|n| *n as i64).min().unwrap_or(0) as u64;
        column_from(out, base, n, |at| differences.get(at).map_or(0, |n| n.wrapping_sub(base)));
        out.extend_from_slice(ids.first().map_or(&[], |id| &id[..]));
        let distances = || {
            ids.windows(2).map(|pair| match pair {
                [a, b] => u128::from_be_bytes(*b).wrapping_sub(u128::from_be_bytes(*a)),
                _ => 0,
            })
        };
        let bytes = |distance: u128| (distance.max(1).ilog2() / 8) as u8;
        let mut low = None;
        for nibble in distances().map(bytes) {
            match low.take() {
                None => low = Some(nibble),
                Some(low) => out.push(low | nibble << 4),
            }
        }
        out.extend(low);
        for distance in distances() {
            out.extend(distance.to_le_bytes().iter().take(usize::from(bytes(distance)) + 1));
        }
    }
}

/// Writes a column of `n` numbers.
fn column(out: &mut Vec<u8>, n: usize, number: impl Fn(usize) -> u64) {
    let base = (0..n).map(&number).min().unwrap_or(0);
    column_from(out, base, n, |at| number(at) - base);
}

/// Writes a column of `n` numbers that are above `base` by `above`.
fn column_from(out: &mut Vec<u8>, base: u64, n: usize, above: impl Fn(usize) -> u64) {
    let size = |n: u64| (64 - n.leading_zeros() as usize).div_ceil(8);
    let (base_size, width) = (size(base), size((0..n).map(&above).max().unwrap_or(0)));
    out.push((base_size * 16 + width) as u8);
    out.extend(base.to_le_bytes().iter().take(base_size));
    for at in 0..n {
        out.extend(above(at).to_le_bytes().iter().take(width));
    }
}
