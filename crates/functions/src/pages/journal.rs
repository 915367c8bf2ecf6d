//! A journal: where the pages ended that a query's run read, in the order in which the function asked for them.
//!
//! A run that is handed the journal of an earlier one reads each page to that end, however many rows there are by then,
//! and hands out the same journal. Written, it is for each page: `00` if it was not read to an end; else `01`, the query's
//! fingerprint (16 bytes), the length of the position (4 bytes, big endian) and the position. All of it is sealed.

use std::sync::Arc;

use parking_lot::Mutex;

use super::cursor::{Fingerprint, Position, invalid_cursor};
use super::seal::{Seal, Sealed};
use crate::error::{Error, Result};

/// Where one page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageEnd {
    pub(crate) query: Fingerprint,
    pub(crate) position: Position,
}

/// The journal that a run was handed, and the one it makes.
pub(crate) struct Journal {
    given: Option<Arc<str>>,
    ends: Mutex<Vec<Option<PageEnd>>>,
}

impl Journal {
    pub(crate) fn new(given: Option<Arc<str>>) -> Journal {
        Journal { given, ends: Mutex::default() }
    }

    /// The place of a page that is about to be read.
    pub(crate) fn begin(&self) -> usize {
        let mut ends = self.ends.lock();
        ends.push(None);
        ends.len() - 1
    }

    /// Where the page at this place ended in the earlier run, if that read the same query there.
    pub(crate) fn end(&self, place: usize, query: Fingerprint, seal: &Seal) -> Result<Option<Position>> {
        let Some(given) = &self.given else { return Ok(None) };
        let ends = seal.open(Sealed::Journal, given).and_then(|bytes| read(&bytes));
        let ends = ends.ok_or_else(|| {
            invalid_cursor("the journal was not made by this database, or is incomplete".to_owned())
        })?;
        let end = ends.into_iter().nth(place).flatten();
        Ok(end.filter(|end| end.query == query).map(|end| end.position))
    }

    /// The page at this place has been read to its end.
    pub(crate) fn finish(&self, place: usize, end: PageEnd) {
        if let Some(slot) = self.ends.lock().get_mut(place) {
            *slot = Some(end);
        }
    }

    /// The journal of this run; none if it read no pages.
    pub(crate) fn make(&self, seal: Option<&Seal>) -> Result<Option<Arc<str>>, Error> {
        let (ends, Some(seal)) = (self.ends.lock(), seal) else { return Ok(None) };
        if ends.is_empty() {
            return Ok(None);
        }
        Ok(Some(seal.seal(Sealed::Journal, &write(&ends))?.into()))
    }
}

fn write(ends: &[Option<PageEnd>]) -> Vec<u8> {
    let mut out = Vec::new();
    for end in ends {
        let Some(end) = end else {
            out.push(0);
            continue;
        };
        out.push(1);
        end.query.write(&mut out);
        let mut position = Vec::new();
        end.position.write(&mut position);
        out.extend_from_slice(&(position.len() as u32).to_be_bytes());
        out.extend_from_slice(&position);
    }
    out
}

fn read(mut bytes: &[u8]) -> Option<Vec<Option<PageEnd>>> {
    let mut ends = Vec::new();
    while let Some((tag, rest)) = bytes.split_first() {
        bytes = rest;
        ends.push(match tag {
            0 => None,
            1 => {
                let query = Fingerprint::read(&mut bytes)?;
                let (length, rest) = bytes.split_first_chunk()?;
                let (position, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
                bytes = rest;
                Some(PageEnd { query, position: Position::read(position)? })
            }
            _ => return None,
        });
    }
    Some(ends)
}
