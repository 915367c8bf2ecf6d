//! The log record of one commit. It is absolute: applying it reads nothing, and applying it twice is applying it once.
//!
//! ```text
//! record  = version (1 byte, 1), writes (varint), write*
//! write   = keyspace of the documents (varint), key (bytes), flags (1 byte),
//!           [previous timestamp, 8 bytes little endian]      if PREVIOUS
//!           [value (bytes)]                                  if VALUE
//!           [changed top-level fields (varint), name*]       if FIELDS; otherwise every field counts as changed
//!           (with FILLED the value is that of the version before, and only index entries are added)
//!           gained (varint), entry*, lost (varint), entry*
//! entry   = keyspace of the index (varint), key (bytes)
//! bytes   = length (varint), that many bytes; a name is bytes
//! varint  = LEB128
//! ```
//! Rows of the catalog come first, so that a replay knows a table before its documents. A record without writes is
//! what an engine appends when it opens.

use hull_value::{Packed, Timestamp, ValueRef};

use crate::key::{Key, Keyspace, key};
use crate::overlay::{Change, Write};

const VERSION: u8 = 1;
const VALUE: u8 = 1;
const DELETED: u8 = 2;
const PREVIOUS: u8 = 4;
const FIELDS: u8 = 8;
const FILLED: u8 = 16;

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

/// Writes the record of a commit.
pub(crate) fn encode(writes: &[Write]) -> Vec<u8> {
    let size = writes.iter().map(|w| {
        let value = w.new.as_ref().and_then(|n| n.as_ref()).map_or(0, |d| d.value.bytes().len());
        64 + value + 64 * w.keys.len()
    });
    let mut out = Vec::with_capacity(8 + size.sum::<usize>());
    out.push(VERSION);
    varint(writes.len() as u64, &mut out);
    for write in writes {
        varint(u64::from(write.store.by_id.0), &mut out);
        bytes(&write.key, &mut out);
        let value = match &write.new {
            Some(Some(document)) => Some(&document.value),
            Some(None) => None,
            // An index is filled: the document comes along, so that applying the record reads nothing.
            None => write.base.as_ref().and_then(|b| b.document.as_ref()).map(|d| &d.value),
        };
        let filled = write.new.is_none();
        let before = write.base.as_ref().and_then(|b| b.document.as_ref()).map(|d| &d.value);
        let mut flags = 0;
        flags |= if value.is_some() { VALUE } else { 0 };
        flags |= if matches!(write.new, Some(None)) { DELETED } else { 0 };
        flags |= if write.base.is_some() { PREVIOUS } else { 0 };
        flags |= if value.is_some() && before.is_some() && !filled { FIELDS } else { 0 };
        flags |= if filled { FILLED } else { 0 };
        out.push(flags);
        if let Some(base) = &write.base {
            out.extend_from_slice(&base.ts.0.to_le_bytes());
        }
        if let Some(value) = value {
            bytes(value.bytes(), &mut out);
            if let Some(before) = before.filter(|_| !filled) {
                changed_fields(before, value, &mut out);
            }
        }
        for wanted in [Change::Gained, Change::Lost] {
            varint(write.keys.iter().filter(|k| k.change == wanted).count() as u64, &mut out);
            for entry in write.keys.iter().filter(|k| k.change == wanted) {
                varint(u64::from(entry.keyspace.0), &mut out);
                bytes(&entry.key, &mut out);
            }
        }
    }
    out
}

/// Writes the names of the top-level fields that differ.
fn changed_fields(before: &Packed, after: &Packed, out: &mut Vec<u8>) {
    let (ValueRef::Object(before), ValueRef::Object(after)) = (before.as_ref(), after.as_ref()) else {
        varint(0, out);
        return;
    };
    let mut names: smallvec::SmallVec<[&[u8]; 8]> = smallvec::SmallVec::new();
    let mut old = before.packed_fields().peekable();
    for (name, value) in after.packed_fields() {
        while let Some((gone, _)) = old.next_if(|(n, _)| *n < name) {
            names.push(gone);
        }
        match old.next_if(|(n, _)| *n == name) {
            Some((_, same)) if same == value => {}
            _ => names.push(name),
        }
    }
    names.extend(old.map(|(gone, _)| gone));
    varint(names.len() as u64, out);
    for name in names {
        bytes(name, out);
    }
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
}

/// Reads a record; the error says what is wrong with it.
pub(crate) fn decode(record: &[u8]) -> Result<Vec<RecordedWrite>, String> {
    let mut reader = Reader(record);
    match reader.byte()? {
        VERSION => {}
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
        writes.push(RecordedWrite {
            keyspace,
            key: k,
            previous,
            new,
            filled: flags & FILLED != 0,
            gained,
            lost,
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

    fn timestamp(&mut self) -> Result<Timestamp, String> {
        let (head, rest) = self.0.split_first_chunk::<8>().ok_or("a record that is cut short")?;
        self.0 = rest;
        Ok(Timestamp(u64::from_le_bytes(*head)))
    }
}
