//! The log record of one commit. It is absolute: applying it reads nothing, and applying it twice is applying it once.
//!
//! ```text
//! record  = version (1 byte, 2), writes (varint), write*
//! write   = keyspace of the documents (varint), key (bytes), flags (1 byte),
//!           [previous timestamp, 8 bytes little endian]      if PREVIOUS
//!           [value (bytes)]                                  if VALUE
//!           [changed top-level fields (varint), name*]       if FIELDS; otherwise every field counts as changed
//!           (with FILLED the value is that of the version before, and only index entries are added)
//!           gained (varint), entry*, lost (varint), entry*
//!           [search indexes (varint), search*]               if SEARCHES
//! entry   = keyspace of the index (varint), key (bytes)
//! search  = keyspace of the search index (varint), length of the text before and 1 (varint), 0 when there was none,
//!           terms of the text before and not of the new one (varint), term*
//! bytes   = length (varint), that many bytes; a name is bytes, and so is a term
//! varint  = LEB128
//! ```
//! Rows of the catalog come first, so that a replay knows a table before its documents. A record without writes is
//! what an engine appends when it opens. A record of version 1 is one of version 2 that has no search indexes.

use hull_value::{Packed, Timestamp};

use crate::key::{Key, Keyspace, key};
use crate::overlay::{Change, Write};

const VERSION: u8 = 2;
const OLDEST_VERSION: u8 = 1;
const VALUE: u8 = 1;
const DELETED: u8 = 2;
const PREVIOUS: u8 = 4;
const FIELDS: u8 = 8;
const FILLED: u8 = 16;
const SEARCHES: u8 = 32;

fn varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn bytes(b: &[u8], out: &mut Vec<u8>) {
    varint(b.len() as u64, out);
    out.extend_from_slice(b);
}

/// Begins the record of a commit of so many writes; [`write()`] adds each.
pub(crate) fn begin(writes: usize, out: &mut Vec<u8>) {
    out.push(VERSION);
    varint(writes as u64, out);
}

/// The record of a commit without writes.
pub(crate) fn empty() -> Vec<u8> {
    let mut out = Vec::new();
    begin(0, &mut out);
    out
}

/// Adds a write; `changed` are the top-level fields that differ where there was a document before.
pub(crate) fn write(write: &Write, changed: &[&[u8]], out: &mut Vec<u8>) {
    varint(u64::from(write.store.by_id.0), out);
    bytes(&write.key, out);
    let before = write.base.as_ref().and_then(|b| b.document.as_ref()).map(|d| &d.value);
    let value = match &write.new {
        Some(Some(document)) => Some(&document.value),
        Some(None) => None,
        // An index is filled: the document comes along, so that applying the record reads nothing.
        None => before,
    };
    let filled = write.new.is_none();
    let fields = value.is_some() && before.is_some() && !filled;
    let mut flags = 0;
    flags |= if value.is_some() { VALUE } else { 0 };
    flags |= if matches!(write.new, Some(None)) { DELETED } else { 0 };
    flags |= if write.base.is_some() { PREVIOUS } else { 0 };
    flags |= if fields { FIELDS } else { 0 };
    flags |= if filled { FILLED } else { 0 };
    flags |= if write.searches.is_empty() { 0 } else { SEARCHES };
    out.push(flags);
    if let Some(base) = &write.base {
        out.extend_from_slice(&base.ts.0.to_le_bytes());
    }
    if let Some(value) = value {
        bytes(value.bytes(), out);
    }
    if fields {
        varint(changed.len() as u64, out);
        changed.iter().for_each(|name| bytes(name, out));
    }
    for wanted in [Change::Gained, Change::Lost] {
        let entries = write.keys.iter().filter(|k| k.change == wanted);
        varint(entries.clone().count() as u64, out);
        for entry in entries {
            varint(u64::from(entry.keyspace.0), out);
            bytes(&entry.key, out);
        }
    }
    if write.searches.is_empty() {
        return;
    }
    varint(write.searches.len() as u64, out);
    for search in &write.searches {
        varint(u64::from(search.keyspace.0), out);
        varint(search.old_length.map_or(0, |length| u64::from(length) + 1), out);
        varint(search.lost.len() as u64, out);
        search.lost.iter().for_each(|term| bytes(term.as_bytes(), out));
    }
}

/// Names of top-level fields.
pub(crate) type FieldNames<'a> = smallvec::SmallVec<[&'a [u8]; 8]>;

/// The names of the top-level fields that differ.
pub(crate) fn changed_fields<'a>(before: &'a Packed, after: &'a Packed) -> FieldNames<'a> {
    let mut names = FieldNames::new();
    if let (Some(before), Some(after)) = (before.as_object(), after.as_object()) {
        before.differences(after, |name| names.push(name));
    }
    names
}

/// A write as a record tells it.
#[derive(Debug)]
pub(crate) struct RecordedWrite {
    pub(crate) keyspace: Keyspace,
    pub(crate) key: Key,
    /// The timestamp of the version before.
    pub(crate) previous: Option<Timestamp>,
    /// The value; `None` within `Some` is a deletion.
    pub(crate) new: Option<Option<Packed>>,
    /// Whether the value is that of the version before, and only index entries are added.
    pub(crate) filled: bool,
    pub(crate) gained: Vec<(Keyspace, Key)>,
    pub(crate) lost: Vec<(Keyspace, Key)>,
    /// How many documents more there are.
    pub(crate) documents: i64,
    /// What becomes of the document in search indexes, but for what follows from its new version.
    pub(crate) searches: Vec<RecordedSearch>,
}

/// A write's part for one search index as a record tells it.
#[derive(Debug)]
pub(crate) struct RecordedSearch {
    pub(crate) keyspace: Keyspace,
    pub(crate) old_length: Option<u32>,
    pub(crate) lost: Vec<Box<str>>,
}

/// Reads a record; the error says what is wrong with it.
pub(crate) fn decode(record: &[u8]) -> Result<Vec<RecordedWrite>, String> {
    let mut reader = Reader(record);
    match reader.byte()? {
        OLDEST_VERSION..=VERSION => {}
        other => return Err(format!("a record of version {other}")),
    }
    let count = reader.varint()?;
    let mut writes = Vec::new();
    for _ in 0..count {
        let keyspace = Keyspace(reader.varint()? as u32);
        let k = key(reader.bytes()?);
        let flags = reader.byte()?;
        let previous = if flags & PREVIOUS != 0 { Some(reader.timestamp()?) } else { None };
        let new = if flags & VALUE != 0 {
            // The log has checked its checksum.
            Some(Some(Packed::from_trusted(reader.bytes()?)))
        } else if flags & DELETED != 0 {
            Some(None)
        } else {
            None
        };
        if flags & FIELDS != 0 {
            for _ in 0..reader.varint()? {
                reader.bytes()?;
            }
        }
        let mut entries = || -> Result<Vec<(Keyspace, Key)>, String> {
            let count = reader.varint()?;
            (0..count).map(|_| Ok((Keyspace(reader.varint()? as u32), key(reader.bytes()?)))).collect()
        };
        let gained = entries()?;
        let lost = entries()?;
        let searches = if flags & SEARCHES != 0 { reader.searches()? } else { Vec::new() };
        writes.push(RecordedWrite {
            keyspace,
            key: k,
            previous,
            new,
            filled: flags & FILLED != 0,
            documents: match (flags & (VALUE | FIELDS | FILLED), flags & DELETED != 0) {
                (VALUE, _) => 1,
                (_, deleted) => -i64::from(deleted),
            },
            gained,
            lost,
            searches,
        });
    }
    if reader.0.is_empty() { Ok(writes) } else { Err("a record with bytes behind its end".into()) }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, String> {
        let (first, rest) = self.0.split_first().ok_or("a record that is cut short")?;
        self.0 = rest;
        Ok(*first)
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err("a number that is too long".into())
    }

    fn bytes(&mut self) -> Result<&'a [u8], String> {
        let length = self.varint()? as usize;
        if length > self.0.len() {
            return Err("a record that is cut short".into());
        }
        let (head, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(head)
    }

    fn searches(&mut self) -> Result<Vec<RecordedSearch>, String> {
        let count = self.varint()?;
        let search = |_| {
            let keyspace = Keyspace(self.varint()? as u32);
            let old_length = self.varint()?.checked_sub(1).map(|length| length as u32);
            let term = |bytes: &[u8]| {
                std::str::from_utf8(bytes).map(Box::from).map_err(|_| "a term that is no UTF-8".to_string())
            };
            let lost = (0..self.varint()?).map(|_| term(self.bytes()?)).collect::<Result<_, _>>()?;
            Ok(RecordedSearch { keyspace, old_length, lost })
        };
        (0..count).map(search).collect()
    }

    fn timestamp(&mut self) -> Result<Timestamp, String> {
        let (head, rest) = self.0.split_first_chunk::<8>().ok_or("a record that is cut short")?;
        self.0 = rest;
        Ok(Timestamp(u64::from_le_bytes(*head)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_the_version_before_are_read_and_those_of_the_next_are_not() {
        // One write: a deletion under key 7 in keyspace 16, which loses one key of keyspace 17.
        let record = |version: u8| vec![version, 1, 16, 1, 7, DELETED, 0, 1, 17, 2, 8, 9];
        for version in [1, 2] {
            let writes = decode(&record(version)).unwrap();
            assert_eq!(writes.len(), 1);
            assert_eq!((&writes[0].key[..], &writes[0].new), (&[7][..], &Some(None)));
            assert_eq!(writes[0].lost, [(Keyspace(17), key(&[8, 9]))]);
            assert!(writes[0].gained.is_empty() && writes[0].searches.is_empty());
        }
        assert_eq!(decode(&record(3)).unwrap_err(), "a record of version 3");
    }

    #[test]
    fn what_a_search_index_loses_is_read_and_damage_is_told() {
        let mut record = vec![2, 1, 16, 1, 7, DELETED | SEARCHES, 0, 0, 2];
        record.extend_from_slice(&[30, 0, 0]);
        record.extend_from_slice(&[31, 6, 2, 1, b'a', 2, 0xc3, 0xa9]);
        let writes = decode(&record).unwrap();
        let found: Vec<_> = writes[0]
            .searches
            .iter()
            .map(|s| (s.keyspace.0, s.old_length, s.lost.iter().map(|term| &**term).collect::<Vec<_>>()))
            .collect();
        assert_eq!(found, [(30, None, vec![]), (31, Some(5), vec!["a", "é"])]);
        for cut in 1..record.len() {
            assert!(decode(&record[..cut]).is_err(), "cut to {cut}");
        }
        record.truncate(record.len() - 1);
        record.push(b'!');
        assert_eq!(decode(&record).unwrap_err(), "a term that is no UTF-8");
    }
}
