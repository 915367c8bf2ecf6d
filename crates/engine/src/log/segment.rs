//! A segment: one file that holds a run of groups, and how it is scanned.
//!
//! `<generation in hexadecimal>.log` is a segment, `*.spare` a file that waits to become one, `*.new` one that is not yet
//! filled with zeros. The first 512 bytes of a segment (numbers little endian):
//! ```text
//!  0  "HULLSEG1"        8      24  generation                    8
//!  8  checksum          4      32  offset of the first group     8
//! 12  format            4      40  records before the segment    8
//! 16  log id            8      48  timestamp of the last of them 8
//! ```
//! The checksum (CRC-32) covers bytes 12 to 56. The header is synced before the file gets its name, the name before the first group is
//! written; everything in front of the segment is synced before that.

use std::sync::Arc;

use hull_value::Timestamp;

use super::disk::{Disk, DiskFile};
use super::group::{self, GroupHeader, HEADER, SECTOR, u32_at, u64_at};
use super::{Head, LogError};

/// The newest format of segments that this program knows.
pub const LOG_FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"HULLSEG1";
const CHUNK: usize = 1 << 20;

/// A segment that is part of the log.
#[derive(Clone)]
pub(super) struct Segment {
    pub(super) name: String,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) size: u64,
    pub(super) log_id: u64,
    pub(super) generation: u64,
    /// The offset in the log of the first group.
    pub(super) base: u64,
    /// The offset in the log behind the last group.
    pub(super) end: u64,
    /// The head of the log before the first group.
    pub(super) start: Head,
}

/// A file that waits to become a segment.
#[derive(Clone)]
pub(super) struct Spare {
    pub(super) name: String,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) size: u64,
}

/// What a scan found at the end of a segment's valid groups.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The highest synced offset that a valid group names.
    pub(super) synced: u64,
    /// Whether there are bytes of this generation behind the valid groups.
    pub(super) torn: bool,
}

pub(super) fn name_of(generation: u64) -> String {
    format!("{generation:016x}.log")
}

pub(super) fn io(action: &'static str) -> impl Fn(std::io::Error) -> LogError {
    move |source| match source.kind() {
        std::io::ErrorKind::StorageFull => LogError::DiskFull,
        _ => LogError::Io { action, source },
    }
}

impl Spare {
    /// A new file of `size` bytes, all written once: overwriting is cheaper to sync than growing.
    pub(super) fn create(disk: &dyn Disk, number: u64, size: u64) -> Result<Spare, LogError> {
        let new = format!("{number:016x}.new");
        let file = disk.create(&new).map_err(io("create a segment"))?;
        let filled = zero(&*file, 0, size).and_then(|()| file.sync_data().map_err(io("fill a segment")));
        if let Err(error) = filled {
            let _ = disk.remove(&new);
            return Err(error);
        }
        let name = format!("{number:016x}.spare");
        disk.rename(&new, &name).map_err(io("name a segment"))?;
        Ok(Spare { name, file, size })
    }

    /// Makes the spare the segment behind the offset `base`.
    pub(super) fn promote(
        self,
        disk: &dyn Disk,
        log_id: u64,
        generation: u64,
        base: u64,
        start: Head,
    ) -> Result<Segment, LogError> {
        let mut header = vec![0; SECTOR as usize];
        header[..8].copy_from_slice(MAGIC);
        header[12..16].copy_from_slice(&LOG_FORMAT.to_le_bytes());
        let fields = [log_id, generation, base, start.sequence, start.timestamp.0];
        for (place, field) in header[16..56].chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        let crc = crc32fast::hash(&header[12..56]);
        header[8..12].copy_from_slice(&crc.to_le_bytes());
        self.file.write_at(&header, 0).map_err(io("write a segment's header"))?;
        self.file.sync_data().map_err(io("sync a segment's header"))?;
        let name = name_of(generation);
        disk.rename(&self.name, &name).map_err(io("name a segment"))?;
        disk.sync_dir().map_err(io("sync the directory"))?;
        Ok(Segment { name, file: self.file, size: self.size, log_id, generation, base, end: base, start })
    }
}

impl Segment {
    /// Reads the header of a segment; its groups are not looked at.
    pub(super) fn open(disk: &dyn Disk, name: &str) -> Result<Segment, LogError> {
        let file = disk.open(name).map_err(io("open a segment"))?;
        let size = file.len().map_err(io("measure a segment"))?;
        let damaged =
            |detail: &str| LogError::Damaged { offset: 0, file: name.into(), detail: detail.into() };
        let mut header = [0; SECTOR as usize];
        if size < SECTOR {
            return Err(damaged("the segment has no header"));
        }
        file.read_at(&mut header, 0).map_err(io("read a segment's header"))?;
        if !header.starts_with(MAGIC) || u32_at(&header, 8) != Some(crc32fast::hash(&header[12..56])) {
            return Err(damaged("the header of the segment fails its checksum"));
        }
        let found = u32_at(&header, 12).unwrap_or_default();
        if found > LOG_FORMAT {
            return Err(LogError::NewerFormat { file: name.into(), found, known: LOG_FORMAT });
        }
        let field = |n: usize| u64_at(&header, 16 + 8 * n).unwrap_or_default();
        let base = field(2);
        let start = Head { sequence: field(3), timestamp: Timestamp(field(4)) };
        let (log_id, generation) = (field(0), field(1));
        if name != name_of(generation) {
            return Err(damaged("the segment has the name of another"));
        }
        Ok(Segment { name: name.into(), file, size, log_id, generation, base, end: base, start })
    }

    /// Where in the file the group at `offset` of the log is.
    pub(super) fn place(&self, offset: u64) -> u64 {
        SECTOR + (offset - self.base)
    }

    /// How many bytes of groups still fit.
    pub(super) fn room(&self) -> u64 {
        self.size.saturating_sub(self.place(self.end))
    }

    /// The group at `offset`, header and records, when there is a valid one.
    pub(super) fn group_at(&self, offset: u64) -> Result<Option<(GroupHeader, Vec<u8>)>, LogError> {
        let place = self.place(offset);
        if place + SECTOR > self.size {
            return Ok(None);
        }
        let mut bytes = vec![0; SECTOR as usize];
        self.file.read_at(&mut bytes, place).map_err(io("read a group"))?;
        let Some(header) = GroupHeader::read(&bytes).filter(|header| self.owns(header)) else {
            return Ok(None);
        };
        if header.offset != offset || place + header.padded() > self.size {
            return Ok(None);
        }
        let whole = HEADER + header.length as usize;
        if whole > bytes.len() {
            bytes.resize(whole, 0);
            self.file.read_at(&mut bytes[SECTOR as usize..], place + SECTOR).map_err(io("read a group"))?;
        }
        bytes.truncate(whole);
        Ok(group::is_intact(&bytes).then_some((header, bytes)))
    }

    fn owns(&self, header: &GroupHeader) -> bool {
        header.log_id == self.log_id && header.generation == self.generation
    }

    /// Finds the end of the valid groups, sets `end`, and returns the head there.
    pub(super) fn scan(&mut self, rest: &mut Rest) -> Result<Head, LogError> {
        let mut head = self.start;
        while let Some((header, _)) = self.group_at(self.end)? {
            if header.first != head.sequence {
                break;
            }
            rest.synced = rest.synced.max(header.synced);
            head = header.head();
            self.end += header.padded();
        }
        Ok(head)
    }

    /// Looks at everything behind the valid groups.
    pub(super) fn scan_rest(&self, rest: &mut Rest) -> Result<(), LogError> {
        let mut place = self.place(self.end);
        let mut chunk = Vec::new();
        while place + SECTOR <= self.size {
            chunk.resize(CHUNK.min((self.size - place) as usize), 0);
            self.file.read_at(&mut chunk, place).map_err(io("read a segment"))?;
            for (n, sector) in chunk.chunks_exact(SECTOR as usize).enumerate() {
                if !GroupHeader::read(sector).is_some_and(|header| self.owns(&header)) {
                    continue;
                }
                rest.torn = true;
                let offset = self.base + place - SECTOR + n as u64 * SECTOR;
                if let Some((header, _)) = self.group_at(offset)? {
                    rest.synced = rest.synced.max(header.synced);
                }
            }
            place += chunk.len() as u64;
        }
        Ok(())
    }

    /// Overwrites everything behind the valid groups, durably.
    pub(super) fn clear_rest(&self) -> Result<(), LogError> {
        zero(&*self.file, self.place(self.end), self.size)?;
        self.file.sync_data().map_err(io("sync a cut segment"))
    }
}

fn zero(file: &dyn DiskFile, from: u64, to: u64) -> Result<(), LogError> {
    let zeros = vec![0; CHUNK.min(to.saturating_sub(from) as usize)];
    let mut place = from;
    while place < to {
        let length = zeros.len().min((to - place) as usize);
        file.write_at(&zeros[..length], place).map_err(io("fill a segment"))?;
        place += length as u64;
    }
    Ok(())
}
