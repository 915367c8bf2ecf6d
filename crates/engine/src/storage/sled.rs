//! The store on disk: one sled tree, whose sync is a real `fdatasync`. The only file that names sled.
//!
//! What is in the tree (numbers little endian):
//! ```text
//! 00                       format: "hull-store" version(4)
//! 00 01                    counters of the sampled keys, one in sixteen by their CRC: live keys(8) live bytes(8)
//! 00 02                    how often the store was opened(8)
//! key                      crc(4) 00 value                a value of up to 4,091 bytes
//! key                      crc(4) 01 length(8)            a longer one, its bytes are in its pieces
//! FF key n(4, big endian)  the n-th 4,096 bytes of that value
//! ```
//! The checksum (CRC-32) covers the key, the flag byte and the whole value. Pieces keep sled's pages small: a large page becomes
//! a file of its own that sled never syncs and never removes.

use std::any::Any;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::memory::Collector;
use super::real_sync;
use super::{Batch, Chunk, Storage, StorageError, StorageStats};

/// The newest format of the tree that this program knows.
pub const STORAGE_FORMAT: u32 = 1;

const FORMAT_KEY: &[u8] = &[0];
const FORMAT_NAME: &[u8] = b"hull-store";
const COUNTERS_KEY: &[u8] = &[0, 1];
const OPENS_KEY: &[u8] = &[0, 2];
const CALLERS: (&[u8], &[u8]) = (&[0x01], &[0xFF]);
const PIECE: usize = 4096;
const HEADER: usize = 5;
const WHOLE: u8 = 0;
const PIECES: u8 = 1;
/// How long sled may hold its lock after it was closed, half of the time to open at most.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// How a [`SledStorage`] is opened.
#[derive(Debug, Clone)]
pub struct SledOptions {
    /// What sled's page cache may take, in bytes. Resident memory grows to a multiple of small caches.
    pub cache_bytes: u64,
    /// Free space that batches leave alone. Smaller than the log's, so that a checkpoint can still make space.
    pub reserve_bytes: u64,
    /// How long sled may take to open, besides the time it takes to read its files.
    pub open_limit: Duration,
}

impl Default for SledOptions {
    fn default() -> SledOptions {
        SledOptions { cache_bytes: 128 << 20, reserve_bytes: 32 << 20, open_limit: Duration::from_secs(120) }
    }
}

impl SledOptions {
    /// The settings for a process that may use `memory_budget` bytes in all. sled counts a page as it is on disk and takes
    /// up to six times its cache, so a sixteenth of the budget is its cache.
    pub fn for_budget(memory_budget: u64) -> SledOptions {
        SledOptions { cache_bytes: (memory_budget / 16).max(8 << 20), ..SledOptions::default() }
    }
}

/// Storage in a directory of its own.
pub struct SledStorage {
    directory: PathBuf,
    options: SledOptions,
    db: RwLock<Option<sled::Db>>,
    writer: Mutex<Counters>,
}

/// What is stored of the sampled keys.
#[derive(Debug, Default, Clone, Copy)]
struct Counters {
    keys: u64,
    bytes: u64,
    /// Whether any value was ever cut into pieces, so that what a change replaces must be known.
    pieces: bool,
    broken: bool,
}

impl SledStorage {
    /// Opens the store in `directory`, which is created when it is missing.
    pub fn open(directory: impl Into<PathBuf>, options: SledOptions) -> Result<SledStorage, StorageError> {
        let directory = directory.into();
        let (db, counters) = open(&directory, &options)?;
        Ok(SledStorage { directory, options, db: RwLock::new(Some(db)), writer: Mutex::new(counters) })
    }

    /// Runs `work` on the open tree; a panic inside sled becomes an error.
    fn with<T>(&self, work: impl FnOnce(&sled::Db) -> Result<T, StorageError>) -> Result<T, StorageError> {
        let db = self.db.read();
        let db = db.as_ref().ok_or(StorageError::Closed)?;
        guarded(&self.directory, || work(db))
    }

    fn lookup(&self, db: &sled::Db, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let mut previous = None;
        loop {
            let Some(head) = db.get(key).map_err(|e| self.failure("read", e))? else { return Ok(None) };
            // A writer may replace the value between its head and its pieces; then the head has changed, too.
            match self.assemble(db, key, &head)? {
                Some(value) => return Ok(Some(value)),
                None if previous.as_ref() == Some(&head) => {
                    return Err(StorageError::Checksum { key: key.to_vec() });
                }
                None => previous = Some(head),
            }
        }
    }

    /// The value whose head this is; nothing when its checksum fails.
    fn assemble(&self, db: &sled::Db, key: &[u8], head: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let Some((crc, rest)) = head.split_first_chunk::<4>() else { return Ok(None) };
        let value = match rest.split_first() {
            Some((&WHOLE, value)) => value.to_vec(),
            Some((&PIECES, length)) => {
                let Ok(length) = <[u8; 8]>::try_from(length) else { return Ok(None) };
                let length = u64::from_le_bytes(length) as usize;
                let mut value = Vec::new();
                for n in 0..length.div_ceil(PIECE) {
                    let Some(piece) = db.get(piece_key(key, n)).map_err(|e| self.failure("read", e))? else {
                        return Ok(None);
                    };
                    value.extend_from_slice(&piece);
                }
                value
            }
            _ => return Ok(None),
        };
        let flag = rest.first().copied().unwrap_or(WHOLE);
        Ok((checksum(key, flag, &value) == u32::from_le_bytes(*crc)).then_some(value))
    }

    fn failure(&self, action: &'static str, error: sled::Error) -> StorageError {
        map_error(&self.directory, action, error)
    }

    fn write(&self, db: &sled::Db, batch: Batch, counters: Counters) -> Result<Counters, StorageError> {
        let mut counters = counters;
        let mut out = sled::Batch::default();
        let mut changes = batch.into_changes();
        changes.sort_by(|a, b| a.0.cmp(&b.0));
        let mut changes = changes.into_iter().peekable();
        while let Some((key, value)) = changes.next() {
            // A key that occurs twice: only its last change counts.
            if changes.peek().is_some_and(|(next, _)| *next == key) {
                continue;
            }
            let sampled = is_sampled(&key);
            let old = match sampled || counters.pieces {
                true => db.get(&key).map_err(|e| self.failure("read", e))?,
                false => None,
            };
            let old_length = old.as_deref().map(stored_length);
            if sampled && let Some(length) = old_length {
                counters.keys = counters.keys.saturating_sub(1);
                counters.bytes = counters.bytes.saturating_sub((key.len() + length) as u64);
            }
            let old_pieces = old_length.map_or(0, pieces);
            let new_pieces = value.as_ref().map_or(0, |value| pieces(value.len()));
            for n in new_pieces..old_pieces {
                out.remove(piece_key(&key, n));
            }
            let Some(value) = value else {
                out.remove(key);
                continue;
            };
            if sampled {
                counters.keys += 1;
                counters.bytes += (key.len() + value.len()) as u64;
            }
            counters.pieces |= new_pieces > 0;
            let flag = if new_pieces == 0 { WHOLE } else { PIECES };
            let mut head = Vec::with_capacity(HEADER + if new_pieces == 0 { value.len() } else { 8 });
            head.extend_from_slice(&checksum(&key, flag, &value).to_le_bytes());
            head.push(flag);
            if new_pieces == 0 {
                head.extend_from_slice(&value);
            } else {
                head.extend_from_slice(&(value.len() as u64).to_le_bytes());
                for (n, piece) in value.chunks(PIECE).enumerate() {
                    out.insert(piece_key(&key, n), piece);
                }
            }
            out.insert(key, head);
        }
        out.insert(COUNTERS_KEY, [counters.keys.to_le_bytes(), counters.bytes.to_le_bytes()].concat());
        db.apply_batch(out).map_err(|e| self.failure("write", e))?;
        Ok(counters)
    }

    /// Long keys can still make sled write a page to a file of its own; sled does not sync those.
    fn sync_blobs(&self) -> Result<(), StorageError> {
        let io = |source| StorageError::Io { action: "sync large pages", source };
        let blobs = self.directory.join("blobs");
        let Ok(files) = std::fs::read_dir(&blobs) else { return Ok(()) };
        let mut any = false;
        for file in files {
            any = true;
            File::open(file.map_err(io)?.path()).and_then(|file| file.sync_data()).map_err(io)?;
        }
        if any { File::open(&blobs).and_then(|directory| directory.sync_all()).map_err(io) } else { Ok(()) }
    }
}

impl Storage for SledStorage {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.with(|db| self.lookup(db, key))
    }

    fn range(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        reverse: bool,
        limit_keys: usize,
        limit_bytes: usize,
    ) -> Result<Chunk, StorageError> {
        let start = start.max(CALLERS.0);
        let end = end.unwrap_or(CALLERS.1).min(CALLERS.1);
        if end <= start {
            return Ok(Chunk::default());
        }
        self.with(|db| {
            let mut collector = Collector::new(limit_keys, limit_bytes);
            let mut entries = db.range(start..end);
            while let Some(entry) = if reverse { entries.next_back() } else { entries.next() } {
                let (key, head) = entry.map_err(|e| self.failure("scan", e))?;
                if !collector.has_room(key.len() + stored_length(&head)) {
                    break;
                }
                let value = match self.assemble(db, &key, &head)? {
                    Some(value) => Some(value),
                    None => self.lookup(db, &key)?,
                };
                if let Some(value) = value {
                    collector.push(key.to_vec(), value);
                }
            }
            Ok(collector.finish())
        })
    }

    fn apply(&self, batch: Batch) -> Result<(), StorageError> {
        batch.debug_check();
        let mut counters = self.writer.lock();
        if counters.broken {
            return Err(StorageError::Closed);
        }
        let free = free_space(&self.directory)?;
        if free < self.options.reserve_bytes.saturating_add(4 * batch.bytes() as u64) {
            return Err(StorageError::DiskFull);
        }
        counters.broken = true;
        *counters = self.with(|db| self.write(db, batch, *counters))?;
        counters.broken = false;
        Ok(())
    }

    fn sync(&self) -> Result<(), StorageError> {
        let mut counters = self.writer.lock();
        if counters.broken {
            return Err(StorageError::Closed);
        }
        counters.broken = true;
        self.sync_blobs()?;
        self.with(|db| db.flush().map_err(|e| self.failure("sync", e)))?;
        counters.broken = false;
        Ok(())
    }

    fn reopen(&self) -> Result<(), StorageError> {
        let mut counters = self.writer.lock();
        let mut db = self.db.write();
        let old = db.take();
        // A tree that has failed may panic when it is closed.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(old)));
        let (new, found) = open(&self.directory, &self.options)?;
        *db = Some(new);
        *counters = found;
        Ok(())
    }

    fn stats(&self) -> StorageStats {
        let disk_bytes =
            self.with(|db| db.size_on_disk().map_err(|e| self.failure("measure", e))).unwrap_or_default();
        let counters = *self.writer.lock();
        StorageStats {
            disk_bytes,
            live_bytes: counters.bytes * SAMPLE,
            live_keys: counters.keys * SAMPLE,
            syncs: real_sync::count(),
        }
    }
}

/// Opens sled on a thread of its own, since it may panic, or never come back, on damaged files.
fn open(directory: &Path, options: &SledOptions) -> Result<(sled::Db, Counters), StorageError> {
    let limit = options.open_limit + Duration::from_millis(size_of_files(directory) >> 14);
    let (sender, receiver) = mpsc::channel();
    let (path, cache) = (directory.to_path_buf(), options.cache_bytes);
    let lock_wait = LOCK_WAIT.min(options.open_limit / 2);
    std::thread::Builder::new()
        .name("hull-storage-open".into())
        .spawn(move || {
            let _ = sender.send(guarded(&path, || open_here(&path, cache, lock_wait)));
        })
        .map_err(|source| StorageError::Io { action: "start a thread", source })?;
    match receiver.recv_timeout(limit) {
        Ok(opened) => opened,
        Err(_) => {
            Err(StorageError::OpenTimeout { directory: directory.to_path_buf(), seconds: limit.as_secs() })
        }
    }
}

fn open_here(
    directory: &Path,
    cache: u64,
    lock_wait: Duration,
) -> Result<(sled::Db, Counters), StorageError> {
    let created = !directory.join("db").exists();
    let config = sled::Config::new().path(directory).cache_capacity(cache).flush_every_ms(None);
    let started = Instant::now();
    let db = loop {
        match config.open() {
            Ok(db) => break db,
            Err(error) if is_lock(&error) => {
                if started.elapsed() > lock_wait {
                    return Err(StorageError::Busy { directory: directory.to_path_buf() });
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(map_error(directory, "open", error)),
        }
    };
    let fail = |error| map_error(directory, "open", error);
    let corrupt = |detail: &str| StorageError::Corrupt {
        directory: directory.to_path_buf(),
        detail: detail.to_string(),
    };
    match db.get(FORMAT_KEY).map_err(fail)? {
        Some(stored) => {
            let version = stored.strip_prefix(FORMAT_NAME).and_then(|version| version.try_into().ok());
            let found = u32::from_le_bytes(version.ok_or_else(|| corrupt("it has no format version"))?);
            if found > STORAGE_FORMAT {
                return Err(StorageError::NewerFormat {
                    directory: directory.to_path_buf(),
                    found,
                    known: STORAGE_FORMAT,
                });
            }
        }
        None if db.first().map_err(fail)?.is_some() => return Err(corrupt("it has no format version")),
        None => {}
    }
    let opens = db.get(OPENS_KEY).map_err(fail)?.map_or(0, |stored| number(&stored, 0));
    let before = real_sync::count();
    // sled writes nothing when the value stays the same, so the check needs one that changes.
    db.insert(FORMAT_KEY, [FORMAT_NAME, STORAGE_FORMAT.to_le_bytes().as_slice()].concat()).map_err(fail)?;
    db.insert(OPENS_KEY, &(opens + 1).to_le_bytes()).map_err(fail)?;
    db.flush().map_err(fail)?;
    if real_sync::count() == before {
        return Err(StorageError::SyncNotReal);
    }
    if created {
        for path in [Some(directory), directory.parent()].into_iter().flatten() {
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            File::open(path)
                .and_then(|file| file.sync_all())
                .map_err(|source| StorageError::Io { action: "sync the directory", source })?;
        }
    }
    let counters = db.get(COUNTERS_KEY).map_err(fail)?.unwrap_or_default();
    let pieces = db.range(CALLERS.1..).next().transpose().map_err(fail)?.is_some();
    let counters =
        Counters { keys: number(&counters, 0), bytes: number(&counters, 8), pieces, broken: false };
    Ok((db, counters))
}

fn number(stored: &[u8], at: usize) -> u64 {
    stored.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn guarded<T>(directory: &Path, work: impl FnOnce() -> Result<T, StorageError>) -> Result<T, StorageError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(StorageError::Corrupt { directory: directory.to_path_buf(), detail: panic_text(&*panic) })
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    format!("sled panicked: {text}")
}

fn is_lock(error: &sled::Error) -> bool {
    match error {
        sled::Error::Io(error) => {
            error.kind() == std::io::ErrorKind::WouldBlock
                || error.to_string().starts_with("could not acquire lock")
        }
        _ => false,
    }
}

fn map_error(directory: &Path, action: &'static str, error: sled::Error) -> StorageError {
    match error {
        sled::Error::Io(source) if source.kind() == std::io::ErrorKind::StorageFull => StorageError::DiskFull,
        sled::Error::Io(source) => StorageError::Io { action, source },
        other => StorageError::Corrupt { directory: directory.to_path_buf(), detail: other.to_string() },
    }
}

fn free_space(directory: &Path) -> Result<u64, StorageError> {
    let found = rustix::fs::statvfs(directory)
        .map_err(|error| StorageError::Io { action: "ask for free space", source: error.into() })?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

fn size_of_files(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

/// How many pieces a value of this length has; none when it is stored whole.
fn pieces(length: usize) -> usize {
    if HEADER + length <= PIECE { 0 } else { length.div_ceil(PIECE) }
}

/// The length of the value whose head this is.
fn stored_length(head: &[u8]) -> usize {
    match head.get(4) {
        Some(&PIECES) => head
            .get(HEADER..HEADER + 8)
            .and_then(|length| length.try_into().ok())
            .map_or(0, |length| u64::from_le_bytes(length) as usize),
        _ => head.len().saturating_sub(HEADER),
    }
}

fn piece_key(key: &[u8], n: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 5);
    out.push(0xFF);
    out.extend_from_slice(key);
    out.extend_from_slice(&(n as u32).to_be_bytes());
    out
}

/// The live keys and bytes are estimated from one key in so many, since counting needs to know what a change replaces.
const SAMPLE: u64 = 16;

fn is_sampled(key: &[u8]) -> bool {
    u64::from(crc32fast::hash(key)).is_multiple_of(SAMPLE)
}

fn checksum(key: &[u8], flag: u8, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&[flag]);
    hasher.update(value);
    hasher.finalize()
}
