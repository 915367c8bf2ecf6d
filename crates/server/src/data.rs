//! Opening a data directory.

use std::sync::Arc;

use hull_engine::log::MemoryLog;
use hull_engine::storage::MemoryStorage;
use hull_engine::{Engine, OpenError, Options, Progress};

use crate::settings::Settings;

/// Opens the engine on the directory of the settings.
pub(crate) fn open(settings: &Settings) -> Result<Engine, OpenError> {
    let mut options = Options::new(Arc::new(MemoryStorage::new()), Arc::new(MemoryLog::new()));
    options.memory_budget = settings.memory_budget.0;
    Engine::open(options)
}

/// What the terminal says while tables and indexes are prepared.
pub(crate) fn describe(progress: &Progress) -> String {
    match progress {
        Progress::Checking { table, documents } => {
            format!("Checking {table} against its new schema: {documents} documents")
        }
        Progress::Filling { table, index, documents } => {
            format!("Building index {index} of {table}: {documents} documents")
        }
    }
}
