//! Backup: everything that a held snapshot stores, as one sorted, checksummed file.
//!
//! ```text
//! file    = header, block*, end                             numbers little endian
//! header  = "HULLBACK", checksum(4), format(4, now 1), T(8), log id(8), log position(8)
//! block   = 'B', length of its entries(4), checksum(4), number(8, from 0), entry*
//! entry   = key length(4), value length(4), key, value
//! end     = 'E', length(4, now 20), checksum(4), number(8), keys(8), bytes of keys and values(8), file checksum(4)
//! ```
//! Checksums are CRC-32: a header's covers what follows it in the header; a block's its kind, length, number and
//! entries; the file's everything before the end. Keys rise strictly through the whole file and are those of storage:
//! `01000000 + keyspace (4 bytes, big endian)`, then the key inside it; values are as stored. T is the snapshot, log position a place that the
//! log, whose id is named, never ends below.
//!
//! Guarantee: a file that is read to its end without an error is the state at T, whole.

use std::io::{Read, Write};

use hull_value::Timestamp;

use crate::error::HoldError;
use crate::held::HeldKeys;
use crate::hold::Hold;
use crate::key::{Keyspace, storage_end, storage_key};
use crate::log::LogPosition;
use crate::storage::Entry;

/// The newest format of backup files that this program knows.
pub const BACKUP_FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"HULLBACK";
const HEADER: usize = 40;
const BLOCK_HEADER: usize = 17;
const BLOCK: u8 = b'B';
const END: u8 = b'E';
/// A block is closed once it has so many bytes.
const BLOCK_BYTES: usize = 256 << 10;
/// No block is longer: a value has a few megabytes at most.
const LONGEST_BLOCK: usize = 64 << 20;

/// What a backup file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupInfo {
    /// The snapshot.
    pub ts: Timestamp,
    /// How many keys.
    pub keys: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
}

/// Why a backup was not written or cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The snapshot could not be read.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// The operating system refused.
    #[error("backup: {action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("this is no backup of Hull: it does not begin with {:?}", "HULLBACK")]
    NotABackup,
    /// A newer version of the program wrote the file.
    #[error("the backup has format {found}, this program knows formats up to {known}; use a newer program")]
    NewerFormat {
        /// Its format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The file is not as it was written.
    #[error("the backup is damaged at byte {offset}: {detail}; use another one")]
    Damaged {
        /// Where.
        offset: u64,
        /// What was found.
        detail: &'static str,
    },
}

impl BackupError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Hold(error) => error.code(),
            Self::Io { .. } => "BackupIo",
            Self::NotABackup => "NotABackup",
            Self::NewerFormat { .. } => "NewerFormat",
            Self::Damaged { .. } => "BackupDamaged",
        }
    }
}

fn io(action: &'static str) -> impl Fn(std::io::Error) -> BackupError {
    move |source| BackupError::Io { action, source }
}

/// A backup file, piece by piece.
pub struct Backup {
    hold: Hold,
    keys: HeldKeys,
    stage: Stage,
    file: crc32fast::Hasher,
    blocks: u64,
    info: BackupInfo,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Header,
    Blocks,
    Done,
}

impl Hold {
    /// The backup file of this snapshot, to be written somewhere safe. Once it is, [`Hold::note_backup`] keeps the log
    /// that belongs to it.
    pub fn backup(&self) -> Backup {
        Backup {
            hold: self.clone(),
            keys: self.keys(),
            stage: Stage::Header,
            file: crc32fast::Hasher::new(),
            blocks: 0,
            info: BackupInfo { ts: self.ts(), keys: 0, bytes: 0 },
        }
    }
}

impl Backup {
    /// The next piece of the file, of at most about 1 MiB; `None` behind its end.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        let piece = match self.stage {
            Stage::Done => return Ok(None),
            Stage::Header => {
                self.stage = Stage::Blocks;
                self.header()
            }
            Stage::Blocks => {
                let mut entries = Vec::new();
                while entries.len() < BLOCK_BYTES {
                    let chunk = self.keys.next_chunk()?;
                    if chunk.is_empty() {
                        break;
                    }
                    for (key, value) in chunk {
                        self.info.keys += 1;
                        self.info.bytes += (key.len() + value.len()) as u64;
                        entries.extend_from_slice(&(key.len() as u32).to_le_bytes());
                        entries.extend_from_slice(&(value.len() as u32).to_le_bytes());
                        entries.extend_from_slice(&key);
                        entries.extend_from_slice(&value);
                    }
                }
                if entries.is_empty() {
                    self.stage = Stage::Done;
                    let mut end = [self.info.keys.to_le_bytes(), self.info.bytes.to_le_bytes()].concat();
                    end.extend_from_slice(&self.file.clone().finalize().to_le_bytes());
                    self.block(END, &end)
                } else {
                    self.block(BLOCK, &entries)
                }
            }
        };
        self.file.update(&piece);
        Ok(Some(piece))
    }

    /// What the pieces so far hold.
    pub fn info(&self) -> BackupInfo {
        self.info
    }

    fn header(&self) -> Vec<u8> {
        let held = &self.hold.0;
        let mut rest = BACKUP_FORMAT.to_le_bytes().to_vec();
        for number in [held.ts().0, held.inner.log.id(), held.position.0] {
            rest.extend_from_slice(&number.to_le_bytes());
        }
        [MAGIC, &crc32fast::hash(&rest).to_le_bytes()[..], &rest].concat()
    }

    fn block(&mut self, kind: u8, entries: &[u8]) -> Vec<u8> {
        let (length, number) = (entries.len() as u32, self.blocks);
        self.blocks += 1;
        let mut out = Vec::with_capacity(BLOCK_HEADER + entries.len());
        out.push(kind);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&checksum(kind, length, number, entries).to_le_bytes());
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(entries);
        out
    }
}

fn checksum(kind: u8, length: u32, number: u64, entries: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(&length.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(entries);
    hasher.finalize()
}

/// Writes the backup file of a held snapshot to `out`, telling keys and bytes after every block. Making `out` durable is
/// the caller's.
pub fn write_backup(
    hold: &Hold,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BackupInfo, BackupError> {
    let mut backup = hold.backup();
    while let Some(piece) = backup.next_piece()? {
        out.write_all(&piece).map_err(io("write"))?;
        progress(backup.info.keys, backup.info.bytes);
    }
    out.flush().map_err(io("write"))?;
    Ok(backup.info)
}

/// Reads a whole backup file and checks all that can be checked of it.
pub fn verify_backup(input: &mut dyn Read) -> Result<BackupInfo, BackupError> {
    let mut reader = BackupReader::open(input)?;
    while reader.next_block()?.is_some() {}
    Ok(reader.info)
}

/// Reads a backup file block by block.
pub(crate) struct BackupReader<'a> {
    input: &'a mut dyn Read,
    offset: u64,
    file: crc32fast::Hasher,
    blocks: u64,
    last: Vec<u8>,
    /// What was read so far; all of the file once [`BackupReader::next_block`] has returned `None`.
    pub(crate) info: BackupInfo,
    pub(crate) log_id: u64,
    pub(crate) position: LogPosition,
}

impl<'a> BackupReader<'a> {
    /// Reads the header.
    pub(crate) fn open(input: &'a mut dyn Read) -> Result<Self, BackupError> {
        let mut header = [0; HEADER];
        input.read_exact(&mut header).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => BackupError::NotABackup,
            _ => io("read")(error),
        })?;
        if !header.starts_with(MAGIC) {
            return Err(BackupError::NotABackup);
        }
        if u32_at(&header, 8) != crc32fast::hash(&header[12..]) {
            return Err(BackupError::Damaged { offset: 0, detail: "the header fails its checksum" });
        }
        let found = u32_at(&header, 12);
        if found > BACKUP_FORMAT {
            return Err(BackupError::NewerFormat { found, known: BACKUP_FORMAT });
        }
        let mut file = crc32fast::Hasher::new();
        file.update(&header);
        Ok(Self {
            input,
            offset: HEADER as u64,
            file,
            blocks: 0,
            last: Vec::new(),
            info: BackupInfo { ts: Timestamp(u64_at(&header, 16)), keys: 0, bytes: 0 },
            log_id: u64_at(&header, 24),
            position: LogPosition(u64_at(&header, 32)),
        })
    }

    fn damaged(&self, detail: &'static str) -> BackupError {
        BackupError::Damaged { offset: self.offset, detail }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), BackupError> {
        self.input.read_exact(buffer).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.damaged("the file ends too early"),
            _ => io("read")(error),
        })
    }

    /// The entries of the next block; `None` behind the last one, after the end was checked.
    pub(crate) fn next_block(&mut self) -> Result<Option<Vec<Entry>>, BackupError> {
        let mut header = [0; BLOCK_HEADER];
        self.read(&mut header)?;
        let (kind, length) = (header[0], u32_at(&header, 1));
        if length as usize > LONGEST_BLOCK {
            return Err(self.damaged("a block is too long"));
        }
        let mut payload = vec![0; length as usize];
        self.read(&mut payload)?;
        if u32_at(&header, 5) != checksum(kind, length, u64_at(&header, 9), &payload) {
            return Err(self.damaged("a block fails its checksum"));
        }
        if u64_at(&header, 9) != self.blocks {
            return Err(self.damaged("a block is missing or in another's place"));
        }
        if kind == END {
            return self.end(&payload).map(|()| None);
        }
        if kind != BLOCK {
            return Err(self.damaged("a block is of an unknown kind"));
        }
        let entries = self.entries(&payload)?;
        self.file.update(&header);
        self.file.update(&payload);
        self.blocks += 1;
        self.offset += (BLOCK_HEADER + payload.len()) as u64;
        Ok(Some(entries))
    }

    fn entries(&mut self, mut payload: &[u8]) -> Result<Vec<Entry>, BackupError> {
        let mut entries = Vec::new();
        let first = storage_key(Keyspace::CATALOG, b"");
        let undo = (storage_key(Keyspace::UNDO, b""), storage_end(Keyspace::UNDO));
        while !payload.is_empty() {
            let lengths = payload.split_at_checked(8).and_then(|(lengths, rest)| {
                let (key, rest) = rest.split_at_checked(u32_at(lengths, 0) as usize)?;
                let (value, rest) = rest.split_at_checked(u32_at(lengths, 4) as usize)?;
                Some((key, value, rest))
            });
            let Some((key, value, rest)) = lengths else { return Err(self.damaged("an entry is cut short")) };
            payload = rest;
            if key <= &self.last[..] {
                return Err(self.damaged("a key is out of order"));
            }
            if key < &first[..] || key[0] == u8::MAX || (undo.0[..] <= *key && *key < undo.1[..]) {
                return Err(self.damaged("a key is none of a backup's"));
            }
            self.last = key.to_vec();
            self.info.keys += 1;
            self.info.bytes += (key.len() + value.len()) as u64;
            entries.push((key.to_vec(), value.to_vec()));
        }
        Ok(entries)
    }

    fn end(&mut self, payload: &[u8]) -> Result<(), BackupError> {
        if payload.len() != 20
            || u64_at(payload, 0) != self.info.keys
            || u64_at(payload, 8) != self.info.bytes
            || u32_at(payload, 16) != self.file.clone().finalize()
        {
            return Err(self.damaged("the end does not fit what is before it"));
        }
        let mut one = [0];
        match self.input.read(&mut one).map_err(io("read"))? {
            0 => Ok(()),
            _ => Err(self.damaged("there is something behind the end")),
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}
