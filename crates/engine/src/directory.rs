//! A data directory: storage in `store/`, the commit log in `log/`, the format version in `format`, and `lock`,
//! which its server holds locked and writes its process id into.
//!
//! A new store is filled as `store.new`. Complete and synced, it becomes `store.ready`; then the old one becomes
//! `store.old`, and it `store`. Whoever opens a directory with a `store.ready` completes that first.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::Rng;
use rustix::fs::{FlockOperation, flock};

use crate::checkpoint::CheckpointRow;
use crate::engine::Engine;
use crate::error::OpenError;
use crate::log::{Durability, LogError, RealDisk, SegmentLog, SegmentLogOptions};
use crate::options::Options;
use crate::storage::{SledOptions, SledStorage, Storage, StorageError};

/// The format of a data directory that this version writes, and the newest it reads. Version 2 has search indexes, in the
/// log and in the store; a directory of version 1 becomes one of version 2 when it is opened.
pub const DIRECTORY_FORMAT: u32 = 2;

/// Puts something around the storage of a data directory.
pub type WrapStorage = fn(Arc<dyn Storage>) -> Arc<dyn Storage>;

/// How a data directory is opened.
#[derive(Clone, Copy, Debug)]
pub struct DirOptions {
    /// Bytes of memory the whole engine may take.
    pub memory_budget: u64,
    /// When a commit counts as durable.
    pub durability: Durability,
    /// What stands between the engine and its storage, such as a wrapper that tells a runtime about reads that block.
    pub wrap_storage: Option<WrapStorage>,
}

impl Default for DirOptions {
    fn default() -> Self {
        Self { memory_budget: 1 << 30, durability: Durability::Strict, wrap_storage: None }
    }
}

/// The lock of a data directory; letting go of it lets another server in.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl Engine {
    /// Opens the database in a directory, which is created when it is missing. Only one process can have it open.
    pub fn open_dir(path: impl AsRef<Path>, options: DirOptions) -> Result<Self, OpenError> {
        let path = path.as_ref();
        fs::create_dir_all(path).map_err(|e| io(path, e))?;
        let lock = lock(path)?;
        check_format(path)?;
        finish_swap(path)?;
        if !path.join("store").exists() && path.join("store.new").exists() {
            return Err(OpenError::Damaged(format!(
                "the restore or rebuild of {} was interrupted; run `hull rebuild` again, or `hull restore` into an empty directory",
                path.display()
            )));
        }
        // An eighth of the budget is for what nobody counts: threads, buffers, what the allocator keeps.
        let budget = options.memory_budget - options.memory_budget / 8;
        let storage = SledStorage::open(path.join("store"), SledOptions::for_budget(budget));
        let storage = Arc::new(storage.map_err(|error| match error {
            StorageError::NewerFormat { found, known, .. } => OpenError::NewerFormat { found, known },
            other => OpenError::Storage(other),
        })?);
        let storage: Arc<dyn Storage> = match options.wrap_storage {
            Some(wrap) => wrap(storage),
            None => storage,
        };
        let row = CheckpointRow::load(&*storage)?;
        let log_path = path.join("log");
        let disk = RealDisk::open(&log_path).map_err(|e| io(&log_path, e))?;
        let log_options = SegmentLogOptions {
            durability: options.durability,
            must_reach: row.position,
            checkpoint: row.reached,
            new_log_id: rand::make_rng::<rand::rngs::SmallRng>().next_u64(),
            ..SegmentLogOptions::default()
        };
        let log = SegmentLog::open(Arc::new(disk), log_options).map_err(|error| match error {
            LogError::NewerFormat { found, known, .. } => OpenError::NewerFormat { found, known },
            LogError::Damaged { .. } => OpenError::Damaged(error.to_string()),
            other => OpenError::Log(other.to_string()),
        })?;
        let engine = Self::open(Options { memory_budget: budget, ..Options::new(storage, Arc::new(log)) })?;
        *engine.inner.directory.lock() = Some(lock);
        Ok(engine)
    }
}

/// Puts the complete `store.new` in the place of `store`; returns where the old one is now.
pub(crate) fn swap_in(path: &Path) -> Result<Option<PathBuf>, OpenError> {
    let ready = path.join("store.ready");
    rename(&path.join("store.new"), &ready)?;
    finish_swap(path)
}

/// Completes what [`swap_in`] began; returns where the old store is now.
pub(crate) fn finish_swap(path: &Path) -> Result<Option<PathBuf>, OpenError> {
    let (store, ready) = (path.join("store"), path.join("store.ready"));
    if !ready.exists() {
        return Ok(None);
    }
    let mut aside = None;
    if store.exists() {
        let mut old = path.join("store.old");
        for n in 1.. {
            if !old.exists() {
                break;
            }
            old = path.join(format!("store.old.{n}"));
        }
        rename(&store, &old)?;
        aside = Some(old);
    }
    rename(&ready, &store)?;
    Ok(aside)
}

fn rename(from: &Path, to: &Path) -> Result<(), OpenError> {
    fs::rename(from, to).map_err(|e| io(from, e))?;
    let directory = to.parent().unwrap_or(to);
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|e| io(directory, e))
}

fn io(path: &Path, error: std::io::Error) -> OpenError {
    OpenError::Io { directory: path.display().to_string(), error }
}

pub(crate) fn lock(path: &Path) -> Result<DirectoryLock, OpenError> {
    let file_path = path.join("lock");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&file_path)
        .map_err(|e| io(&file_path, e))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            // Who holds it may not have written its number yet.
            let _ = file.read_to_string(&mut text);
            return Err(OpenError::Locked {
                directory: path.display().to_string(),
                pid: text.trim().parse().ok(),
            });
        }
        Err(error) => return Err(io(&file_path, error.into())),
    }
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(|e| io(&file_path, e))?;
    Ok(DirectoryLock { _file: file })
}

pub(crate) fn check_format(path: &Path) -> Result<(), OpenError> {
    let file_path = path.join("format");
    match fs::read_to_string(&file_path) {
        Ok(text) => match text.trim().parse::<u32>() {
            Ok(found) if found > DIRECTORY_FORMAT => {
                Err(OpenError::NewerFormat { found, known: DIRECTORY_FORMAT })
            }
            Ok(DIRECTORY_FORMAT) => Ok(()),
            Ok(_) => write_format(path, &file_path),
            Err(_) => Err(OpenError::Damaged(format!("{} holds no format version", file_path.display()))),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => write_format(path, &file_path),
        Err(error) => Err(io(&file_path, error)),
    }
}

fn write_format(path: &Path, file_path: &Path) -> Result<(), OpenError> {
    let new = path.join("format.new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&new)?;
        writeln!(file, "{DIRECTORY_FORMAT}")?;
        file.sync_all()?;
        fs::rename(&new, file_path)?;
        File::open(path)?.sync_all()
    };
    write().map_err(|e| io(file_path, e))
}
