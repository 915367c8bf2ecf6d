//! A disk in memory for crash tests: a power loss keeps what was synced, and of every un-synced sector of 512 bytes any one of
//! the states it has been in, each chosen alone; of the un-synced changes of names a prefix.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::disk::{Disk, DiskFile};

const SECTOR: usize = 512;

/// A simulated disk; clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    files: Vec<Inode>,
    names: BTreeMap<String, usize>,
    /// The names after each change since the last `sync_dir`, the synced state first.
    history: Vec<BTreeMap<String, usize>>,
    free: u64,
    operations: u64,
    fail_at: Option<u64>,
    cut_at: Option<u64>,
    /// Handles of an earlier life fail.
    life: u64,
    syncs: u64,
}

#[derive(Default)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// What was written into each sector since the last sync, oldest first.
    pending: BTreeMap<usize, Vec<Vec<u8>>>,
}

impl Default for State {
    fn default() -> State {
        State {
            files: Vec::new(),
            names: BTreeMap::new(),
            history: vec![BTreeMap::new()],
            free: u64::MAX / 2,
            operations: 0,
            fail_at: None,
            cut_at: None,
            life: 0,
            syncs: 0,
        }
    }
}

impl State {
    fn operation(&mut self, life: u64) -> io::Result<()> {
        self.operations += 1;
        if self.life != life || self.cut_at.is_some_and(|at| self.operations >= at) {
            return Err(io::Error::other("the power is off"));
        }
        if self.fail_at == Some(self.operations) {
            self.fail_at = None;
            return Err(io::Error::other("injected"));
        }
        Ok(())
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn renamed(&mut self) {
        let names = self.names.clone();
        self.history.push(names);
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// How many files were synced.
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Lets the `n`-th operation from now fail, counted from 1.
    pub fn fail_at(&self, n: u64) {
        let mut state = self.state.lock();
        state.fail_at = Some(state.operations + n);
    }

    /// Turns the power off at the `n`-th operation from now: it and every later one fails; a write at that moment may
    /// partly happen. [`SimDisk::power_loss`] turns it on again.
    pub fn cut_at(&self, n: u64) {
        let mut state = self.state.lock();
        state.cut_at = Some(state.operations + n);
    }

    /// Whether the power is off.
    pub fn is_cut(&self) -> bool {
        let state = self.state.lock();
        state.cut_at.is_some_and(|at| state.operations >= at)
    }

    /// Sets how many bytes files may still grow.
    pub fn set_free_space(&self, bytes: u64) {
        self.state.lock().free = bytes;
    }

    /// Loses the power and gets it back. What survives of the un-synced writes is decided by `seed`.
    pub fn power_loss(&self, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut state = self.state.lock();
        let kept = random.random_range(0..state.history.len());
        state.names = state.history.swap_remove(kept);
        state.history = vec![state.names.clone()];
        for file in &mut state.files {
            for (sector, writes) in std::mem::take(&mut file.pending) {
                let kept = random.random_range(0..=writes.len());
                let Some(bytes) = kept.checked_sub(1).and_then(|kept| writes.get(kept)) else { continue };
                let start = sector * SECTOR;
                let end = start + bytes.len();
                if file.durable.len() < end {
                    file.durable.resize(end, 0);
                }
                file.durable[start..end].copy_from_slice(bytes);
            }
            file.bytes = file.durable.clone();
        }
        state.cut_at = None;
        state.fail_at = None;
        state.life += 1;
    }

    /// Flips one bit of a file, synced, as a decaying disk would.
    pub fn flip(&self, name: &str, offset: u64, bit: u8) {
        let mut state = self.state.lock();
        let Ok(file) = state.file(name) else { return };
        let file = &mut state.files[file];
        file.bytes[offset as usize] ^= 1 << bit;
        file.durable[offset as usize] ^= 1 << bit;
    }

    /// A copy of the disk as it is now, for another try.
    pub fn fork(&self) -> SimDisk {
        let state = self.state.lock();
        let files = state.files.iter().map(|file| Inode {
            bytes: file.bytes.clone(),
            durable: file.durable.clone(),
            pending: file.pending.clone(),
        });
        let copy = State {
            files: files.collect(),
            names: state.names.clone(),
            history: state.history.clone(),
            free: state.free,
            ..State::default()
        };
        SimDisk { state: Arc::new(Mutex::new(copy)) }
    }

    fn handle(&self, file: usize, life: u64) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), file, life })
    }
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state.lock().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state.lock();
        Ok(self.handle(state.file(name)?, state.life))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        let life = state.life;
        state.operation(life)?;
        state.files.push(Inode::default());
        let file = state.files.len() - 1;
        state.names.insert(name.into(), file);
        state.renamed();
        Ok(self.handle(file, life))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        let life = state.life;
        state.operation(life)?;
        let file = state.file(from)?;
        state.names.remove(from);
        state.names.insert(to.into(), file);
        state.renamed();
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        let life = state.life;
        state.operation(life)?;
        let file = state.file(name)?;
        state.free += state.files[file].bytes.len() as u64;
        state.names.remove(name);
        state.renamed();
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let life = state.life;
        state.operation(life)?;
        state.history = vec![state.names.clone()];
        Ok(())
    }

    fn free_space(&self) -> io::Result<u64> {
        Ok(self.state.lock().free)
    }
}

struct SimFile {
    disk: SimDisk,
    file: usize,
    life: u64,
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state.lock().files[self.file].bytes.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.state.lock();
        let start = offset as usize;
        let bytes = state.files[self.file].bytes.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        let was_cut = state.cut_at.is_some_and(|at| state.operations >= at);
        let done = state.operation(self.life);
        if done.is_err() && (was_cut || state.life != self.life) {
            return done;
        }
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        let grown = (end as u64).saturating_sub(state.files[self.file].bytes.len() as u64);
        if grown > state.free {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        state.free -= grown;
        let file = &mut state.files[self.file];
        if file.bytes.len() < end {
            file.bytes.resize(end, 0);
        }
        file.bytes[start..end].copy_from_slice(bytes);
        for sector in start / SECTOR..end.div_ceil(SECTOR) {
            let last = file.bytes.len().min((sector + 1) * SECTOR);
            let content = file.bytes[sector * SECTOR..last].to_vec();
            file.pending.entry(sector).or_default().push(content);
        }
        done
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        state.operation(self.life)?;
        state.syncs += 1;
        let file = &mut state.files[self.file];
        file.pending.clear();
        file.durable = file.bytes.clone();
        Ok(())
    }
}
