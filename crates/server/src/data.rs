//! Opening a data directory.

use hull_engine::{DirOptions, Engine, OpenError, Progress};

use crate::settings::{Durability, Settings};

/// Opens the engine on the directory of the settings.
pub(crate) fn open(settings: &Settings) -> Result<Engine, OpenError> {
    let durability = match settings.durability {
        Durability::Strict => hull_engine::log::Durability::Strict,
        Durability::Relaxed => hull_engine::log::Durability::Relaxed,
    };
    let options = DirOptions {
        memory_budget: settings.memory_budget.0,
        durability,
        wrap_storage: Some(hull_functions::blocking_storage),
    };
    Engine::open_dir(&settings.data_dir, options)
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
