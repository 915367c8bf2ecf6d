//! A store that fails when a test tells it to. Like sled, once a write has failed it refuses writes until it is
//! opened again.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{Batch, Chunk, Storage, StorageError, StorageStats};

/// What happens at the operation that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation is not carried out and fails.
    Before,
    /// The operation is carried out, and fails all the same.
    After,
    /// This operation and every later one fails: the moment before a power loss.
    Stop,
}

/// Wraps a store and fails its n-th operation, or all writes as a full disk would.
pub struct FaultyStorage {
    inner: Arc<dyn Storage>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    operations: u64,
    fault: Option<(u64, Fault)>,
    stopped: bool,
    broken: bool,
    disk_full: bool,
}

impl FaultyStorage {
    /// A wrapper that lets everything through.
    pub fn new(inner: Arc<dyn Storage>) -> FaultyStorage {
        FaultyStorage { inner, state: Mutex::default() }
    }

    /// How many operations (reads, batches and syncs) were asked for.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Lets `fault` happen at the `n`-th operation from now, counted from 1.
    pub fn fail_at(&self, n: u64, fault: Fault) {
        let mut state = self.state.lock();
        state.fault = Some((state.operations + n, fault));
    }

    /// Turns all faults off, also a stop.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        *state = State { operations: state.operations, ..State::default() };
    }

    /// Refuses batches with [`StorageError::DiskFull`] while it is set. Such a refusal changes nothing, and the
    /// store need not be opened again.
    pub fn set_disk_full(&self, full: bool) {
        self.state.lock().disk_full = full;
    }

    fn run<T>(
        &self,
        write: bool,
        operation: impl FnOnce() -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let fault = {
            let mut state = self.state.lock();
            state.operations += 1;
            let due = state.fault.filter(|(at, _)| *at == state.operations).map(|(_, fault)| fault);
            if due.is_some() {
                state.fault = None;
                state.broken |= write;
                state.stopped |= due == Some(Fault::Stop);
            } else if state.stopped || (write && state.broken) {
                return Err(if state.stopped { injected() } else { StorageError::Closed });
            }
            due
        };
        match fault {
            None => operation(),
            Some(Fault::After) => operation().and_then(|_| Err(injected())),
            Some(Fault::Before | Fault::Stop) => Err(injected()),
        }
    }
}

fn injected() -> StorageError {
    StorageError::Io { action: "injected fault", source: std::io::Error::other("injected") }
}

impl Storage for FaultyStorage {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.run(false, || self.inner.get(key))
    }

    fn range(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        reverse: bool,
        limit_keys: usize,
        limit_bytes: usize,
    ) -> Result<Chunk, StorageError> {
        self.run(false, || self.inner.range(start, end, reverse, limit_keys, limit_bytes))
    }

    fn apply(&self, batch: Batch) -> Result<(), StorageError> {
        if self.state.lock().disk_full {
            return Err(StorageError::DiskFull);
        }
        self.run(true, || self.inner.apply(batch))
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.run(true, || self.inner.sync())
    }

    fn reopen(&self) -> Result<(), StorageError> {
        let mut state = self.state.lock();
        if state.stopped {
            return Err(injected());
        }
        state.broken = false;
        self.inner.reopen()
    }

    fn stats(&self) -> StorageStats {
        self.inner.stats()
    }
}
