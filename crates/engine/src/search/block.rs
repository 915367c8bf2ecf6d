//! Blocks: postings as they are stored, in order of term and id, across terms, at most [`MAX_BLOCK_BYTES`] to a block.
//!
//! Stored under `p term 00 id`, which is at most its first posting; the next block's key is above its last one. Bytes
//! (numbers little endian):
//! ```text
//! 01                       format
//! fields(1)                how many filter fields; for each of them the values in this block:
//!   count(2) hash(8)*      ascending
//! one group for each term, ascending:
//!   shared(1) more(1) ..   the term: as many bytes of the one before, then these
//!   n(2) size(2)           how many postings, and how many bytes follow
//!   column for each filter field: where in the values above; column of frequencies; of lengths; of creation times
//!   id(16)                 the first id, big endian
//!   nibbles                for each further id how many bytes its distance from the one before has, less one; low half first
//!   distances
//! ```
//! A column is `head(1) base(head / 16) value(head % 16)*n`, each value less the base. A creation time is stored as the
//! difference of its bits from those of the id's time (its first 6 bytes, milliseconds, as a float), modulo 2^64.

use smallvec::SmallVec;

use super::posting::{Columns, DocKey};
use crate::key::{Keyspace, storage_key};

/// The most bytes that a block has: the store keeps a value of this size whole, in 4 KiB.
pub(crate) const MAX_BLOCK_BYTES: usize = 4080;
pub(super) const FORMAT: u8 = 1;

/// Bytes that are no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

/// Below this are the blocks of an index.
pub(super) const BLOCKS: u8 = b'p';

/// Where in the index's keyspace a posting is.
pub(super) fn posting_key(term: &str, id: &DocKey) -> Vec<u8> {
    [&[BLOCKS], term.as_bytes(), &[0], id].concat()
}

/// The storage key of a posting.
pub(super) fn stored_posting_key(keyspace: Keyspace, term: &str, id: &DocKey) -> Vec<u8> {
    storage_key(keyspace, &posting_key(term, id))
}

/// Takes bytes from the front.
#[derive(Clone, Copy)]
struct Front<'a>(&'a [u8]);

impl<'a> Front<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<usize, Damaged> {
        self.array::<1>().map(|[byte]| usize::from(byte))
    }

    fn number(&mut self) -> Result<usize, Damaged> {
        self.array().map(|bytes| usize::from(u16::from_le_bytes(bytes)))
    }
}

/// The values of one filter field in a block.
#[derive(Clone, Copy)]
pub(super) struct Values<'a>(&'a [[u8; 8]]);

impl Values<'_> {
    /// Where a value is.
    pub(super) fn position(&self, hash: u64) -> Option<u64> {
        let bytes = hash.to_le_bytes();
        self.0.iter().position(|value| *value == bytes).map(|at| at as u64)
    }

    fn get(&self, at: u64) -> Result<u64, Damaged> {
        let value = usize::try_from(at).ok().and_then(|at| self.0.get(at));
        value.map(|value| u64::from_le_bytes(*value)).ok_or(Damaged)
    }
}

/// What is in front of a block's groups.
pub(super) struct Head<'a> {
    pub(super) values: SmallVec<[Values<'a>; 4]>,
    /// Where the groups begin.
    pub(super) groups: usize,
}

impl<'a> Head<'a> {
    /// Reads the front of a block of an index with `width` filter fields.
    pub(super) fn read(block: &'a [u8], width: usize) -> Result<Self, Damaged> {
        let mut front = Front(block);
        if front.byte()? != usize::from(FORMAT) || front.byte()? != width {
            return Err(Damaged);
        }
        let mut values = SmallVec::new();
        for _ in 0..width {
            let count = front.number()?;
            values.push(Values(front.take(count * 8)?.as_chunks().0));
        }
        Ok(Self { values, groups: block.len() - front.0.len() })
    }
}

/// A group that has been found in a block and not been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// How many postings it has.
    pub(super) postings: usize,
    /// Where its columns begin.
    start: usize,
    /// Where it ends, and the next one begins.
    pub(super) end: usize,
}

impl Found {
    /// The group that begins at `at`; `None` at the end of the block. `term` becomes its term, and must be that of the
    /// group before, or empty.
    pub(super) fn read(block: &[u8], at: usize, term: &mut Vec<u8>) -> Result<Option<Self>, Damaged> {
        let rest = block.get(at..).ok_or(Damaged)?;
        if rest.is_empty() {
            return Ok(None);
        }
        let mut front = Front(rest);
        let (shared, more) = (front.byte()?, front.byte()?);
        let more = front.take(more)?;
        if term.get(shared..).ok_or(Damaged)? >= more {
            return Err(Damaged);
        }
        term.truncate(shared);
        term.extend_from_slice(more);
        let (postings, size) = (front.number()?, front.number()?);
        let start = block.len() - front.0.len();
        front.take(size)?;
        if postings == 0 {
            return Err(Damaged);
        }
        Ok(Some(Self { postings, start, end: start + size }))
    }

    /// Reads where the columns of the group are.
    pub(super) fn open<'a>(&self, block: &'a [u8], width: usize) -> Result<Group<'a>, Damaged> {
        let mut front = Front(block.get(self.start..self.end).ok_or(Damaged)?);
        let n = self.postings;
        let mut filters = SmallVec::new();
        for _ in 0..width {
            filters.push(Column::read(&mut front, n)?);
        }
        Ok(Group {
            postings: n,
            filters,
            frequencies: Column::read(&mut front, n)?,
            lengths: Column::read(&mut front, n)?,
            times: Column::read(&mut front, n)?,
            first: u128::from_be_bytes(front.array()?),
            nibbles: front.take((n - 1).div_ceil(2))?,
            distances: front.0,
        })
    }
}

/// The postings of one term in one block.
pub(super) struct Group<'a> {
    pub(super) postings: usize,
    /// For each filter field where its values are in [`Head::values`].
    pub(super) filters: SmallVec<[Column<'a>; 4]>,
    frequencies: Column<'a>,
    lengths: Column<'a>,
    times: Column<'a>,
    pub(super) first: u128,
    nibbles: &'a [u8],
    distances: &'a [u8],
}

/// What is left of a number of 16 bytes when so many of its bytes, less one, are kept.
const MASKS: [u128; 16] = {
    let mut masks = [u128::MAX; 16];
    let mut n = 0;
    while n < 15 {
        masks[n] = (1 << (8 * (n + 1))) - 1;
        n += 1;
    }
    masks
};

impl Group<'_> {
    /// Appends all ids. Whether they ascend is not looked at.
    pub(super) fn ids(&self, out: &mut Vec<DocKey>) -> Result<(), Damaged> {
        let from = out.len();
        out.resize(from + self.postings, DocKey::default());
        let places = out.get_mut(from..).and_then(<[DocKey]>::split_first_mut);
        let (first, places) = places.ok_or(Damaged)?;
        let (mut id, mut distances) = (self.first, self.distances);
        *first = id.to_be_bytes();
        for (pair, nibbles) in places.chunks_mut(2).zip(self.nibbles) {
            let mut nibbles = *nibbles;
            for place in pair {
                let nibble = usize::from(nibbles & 15);
                nibbles >>= 4;
                let bytes = match distances.first_chunk::<16>() {
                    Some(bytes) => *bytes,
                    None => padded(distances),
                };
                id = id.wrapping_add(u128::from_le_bytes(bytes) & MASKS[nibble]);
                distances = distances.get(nibble + 1..).ok_or(Damaged)?;
                *place = id.to_be_bytes();
            }
        }
        if distances.is_empty() { Ok(()) } else { Err(Damaged) }
    }

    /// Appends all postings but their filter values.
    pub(super) fn all(&self, out: &mut Columns) -> Result<(), Damaged> {
        let from = out.ids.len();
        self.ids(&mut out.ids)?;
        self.frequencies.extend(&mut out.frequencies, |frequency| frequency as u32);
        self.lengths.extend(&mut out.lengths, |length| length as u32);
        let mut ids = out.ids.get(from..).unwrap_or_default().iter();
        self.times.extend(&mut out.creation_times, |difference| {
            ids.next().map_or(0.0, |id| creation_time(id, difference))
        });
        Ok(())
    }

    /// Appends the filter values of the posting at `place`.
    pub(super) fn filters(&self, head: &Head<'_>, place: usize, out: &mut Vec<u64>) -> Result<(), Damaged> {
        for (column, values) in self.filters.iter().zip(&head.values) {
            out.push(values.get(column.get(place))?);
        }
        Ok(())
    }
}

/// The bits of the time that an id begins with.
pub(super) fn time_bits(id: &DocKey) -> u64 {
    let milliseconds = (u128::from_be_bytes(*id) >> 80) as i64;
    (milliseconds as f64).to_bits()
}

fn creation_time(id: &DocKey, difference: u64) -> f64 {
    f64::from_bits(time_bits(id).wrapping_add(difference))
}

/// One number for each posting of a group.
pub(super) struct Column<'a> {
    postings: usize,
    base: u64,
    width: usize,
    bytes: &'a [u8],
}

impl<'a> Column<'a> {
    fn read(front: &mut Front<'a>, postings: usize) -> Result<Self, Damaged> {
        let head = front.byte()?;
        let (base, width) = (head / 16, head % 16);
        if base > 8 || width > 8 {
            return Err(Damaged);
        }
        let base = little_endian(front.take(base)?);
        Ok(Self { postings, base, width, bytes: front.take(width * postings)? })
    }

    /// The number of the posting at `place`.
    pub(super) fn get(&self, place: usize) -> u64 {
        let bytes = self.bytes.get(place * self.width..(place + 1) * self.width);
        self.base.wrapping_add(little_endian(bytes.unwrap_or_default()))
    }

    /// Leaves those of `places` where the number is `wanted`.
    pub(super) fn narrow(&self, wanted: u64, places: &mut Vec<u16>) {
        places.retain(|place| self.get(usize::from(*place)) == wanted);
    }

    /// Sets `places` to those where the number is `wanted`.
    pub(super) fn find(&self, wanted: u64, places: &mut Vec<u16>) {
        places.clear();
        let above = wanted.wrapping_sub(self.base);
        match (self.width, u8::try_from(above)) {
            (0, _) if above == 0 => places.extend(0..self.postings as u16),
            (0, _) | (1, Err(_)) => {}
            (1, Ok(above)) => {
                // Without a branch: which postings have a value is hard to guess.
                places.resize(self.postings, 0);
                let mut found = 0;
                for (place, byte) in self.bytes.iter().enumerate() {
                    if let Some(next) = places.get_mut(found) {
                        *next = place as u16;
                    }
                    found += usize::from(*byte == above);
                }
                places.truncate(found);
            }
            _ => {
                places.extend(0..self.postings as u16);
                self.narrow(wanted, places);
            }
        }
    }

    /// Appends what `make` makes of each number.
    fn extend<T>(&self, out: &mut Vec<T>, mut make: impl FnMut(u64) -> T) {
        let base = self.base;
        match self.width {
            0 => out.extend((0..self.postings).map(|_| make(base))),
            1 => out.extend(self.bytes.iter().map(|byte| make(base.wrapping_add(u64::from(*byte))))),
            2 => out.extend(
                self.bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|bytes| make(base.wrapping_add(u64::from(u16::from_le_bytes(*bytes))))),
            ),
            width => out.extend(
                self.bytes.chunks_exact(width).map(|bytes| make(base.wrapping_add(little_endian(bytes)))),
            ),
        }
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(padded(bytes))
}

/// Bytes, of which there are fewer, with zeros behind them.
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    out
}
