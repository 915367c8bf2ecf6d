//! The bytes of a group: all records that one sync made durable together.
//!
//! A group begins at a multiple of 512 bytes and is filled up with zeros to the next one (numbers little endian):
//! ```text
//!  0  "HULG"             4      32  own offset in the log     8
//!  4  checksum           4      40  offset synced when written 8
//!  8  length of records  4      48  records before the group  8
//! 12  number of records  4      56  timestamp of the last     8
//! 16  log id             8      64  per record: length(4) timestamp(8) bytes
//! 24  generation         8
//! ```
//! The checksum (CRC-32) covers everything behind it up to the end of the records. A group belongs to its place only if log id, generation of
//! the segment and offset fit; otherwise it is old bytes of a recycled segment.

use hull_value::Timestamp;

use super::Head;

/// Groups begin at multiples of this.
pub(super) const SECTOR: u64 = 512;
/// The bytes of a group's header.
pub(super) const HEADER: usize = 64;
/// The bytes in front of each record.
pub(super) const RECORD_HEADER: usize = 12;
const MAGIC: &[u8; 4] = b"HULG";

/// The header of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupHeader {
    pub(super) length: u32,
    pub(super) count: u32,
    pub(super) log_id: u64,
    pub(super) generation: u64,
    pub(super) offset: u64,
    pub(super) synced: u64,
    /// The head of the log before the group: its sequence, and the timestamp after it.
    pub(super) first: u64,
    pub(super) last: Timestamp,
}

impl GroupHeader {
    /// What the group takes in its segment.
    pub(super) fn padded(&self) -> u64 {
        (HEADER as u64 + u64::from(self.length)).next_multiple_of(SECTOR)
    }

    /// The head of the log after the group.
    pub(super) fn head(&self) -> Head {
        Head { sequence: self.first + u64::from(self.count), timestamp: self.last }
    }

    /// Reads a header; its checksum is not looked at.
    pub(super) fn read(bytes: &[u8]) -> Option<GroupHeader> {
        if bytes.len() < HEADER || !bytes.starts_with(MAGIC) {
            return None;
        }
        Some(GroupHeader {
            length: u32_at(bytes, 8)?,
            count: u32_at(bytes, 12)?,
            log_id: u64_at(bytes, 16)?,
            generation: u64_at(bytes, 24)?,
            offset: u64_at(bytes, 32)?,
            synced: u64_at(bytes, 40)?,
            first: u64_at(bytes, 48)?,
            last: Timestamp(u64_at(bytes, 56)?),
        })
    }
}

/// Starts the buffer of a group with room for its header.
pub(super) fn begin(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.resize(HEADER, 0);
}

/// Adds a record.
pub(super) fn push(buffer: &mut Vec<u8>, timestamp: Timestamp, record: &[u8]) {
    buffer.reserve(RECORD_HEADER + record.len());
    buffer.extend_from_slice(&(record.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&timestamp.0.to_le_bytes());
    buffer.extend_from_slice(record);
}

/// Fills in the header and pads the group. `header.length` is taken from the buffer.
pub(super) fn finish(buffer: &mut Vec<u8>, header: GroupHeader) {
    let end = buffer.len();
    let length = (end - HEADER) as u32;
    let fields =
        [header.log_id, header.generation, header.offset, header.synced, header.first, header.last.0];
    buffer[..4].copy_from_slice(MAGIC);
    buffer[8..12].copy_from_slice(&length.to_le_bytes());
    buffer[12..16].copy_from_slice(&header.count.to_le_bytes());
    for (place, field) in buffer[16..HEADER].chunks_exact_mut(8).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    let crc = crc32fast::hash(&buffer[8..end]);
    buffer[4..8].copy_from_slice(&crc.to_le_bytes());
    buffer.resize((end as u64).next_multiple_of(SECTOR) as usize, 0);
}

/// Whether the checksum of a whole group (header and records) holds.
pub(super) fn is_intact(bytes: &[u8]) -> bool {
    let crc = u32_at(bytes, 4);
    GroupHeader::read(bytes)
        .and_then(|header| bytes.get(8..HEADER + header.length as usize))
        .is_some_and(|covered| crc == Some(crc32fast::hash(covered)))
}

/// Takes the next record from the records of a group.
pub(super) fn next_record<'a>(rest: &mut &'a [u8]) -> Option<(Timestamp, &'a [u8])> {
    let length = u32_at(rest, 0)? as usize;
    let timestamp = Timestamp(u64_at(rest, 4)?);
    let record = rest.get(RECORD_HEADER..RECORD_HEADER + length)?;
    *rest = &rest[RECORD_HEADER + length..];
    Some((timestamp, record))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
