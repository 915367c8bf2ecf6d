//! How an engine is opened.

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::log::CommitLog;
use crate::storage::Storage;

/// What an engine is made of.
pub struct Options {
    /// Where checkpoints go.
    pub storage: Arc<dyn Storage>,
    /// Where commits go.
    pub log: Arc<dyn CommitLog>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The seed of the random parts of ids; from the operating system when absent.
    pub seed: Option<u64>,
    /// Bytes of memory that documents, indexes and history may take together.
    pub memory_budget: u64,
    /// Whether a thread takes checkpoints, loads tables and trims history. Without one, a test calls
    /// [`crate::Engine::checkpoint`] and [`crate::Engine::maintain`].
    pub background: bool,
}

impl Options {
    /// Options over a storage and a log, with the machine's clock and a budget of 1 GiB.
    pub fn new(storage: Arc<dyn Storage>, log: Arc<dyn CommitLog>) -> Self {
        Self {
            storage,
            log,
            clock: Arc::new(SystemClock),
            seed: None,
            memory_budget: 1 << 30,
            background: true,
        }
    }
}
