//! Opening a data directory.

use hull_engine::{DirOptions, Engine, OpenError, Progress};

use crate::settings::{Durability, Settings};

/// What opens the engine when a server starts.
pub(crate) type Opener = Box<dyn FnOnce(&Settings) -> Result<Engine, OpenError> + Send>;

/// Opens the engine on the directory of the settings.
pub(crate) fn open(settings: &Settings) -> Result<Engine, OpenError> {
    let path = &settings.data_dir;
    if path.exists() && !path.is_dir() {
        let why = "this is a file; choose a directory with --data-dir";
        let error = std::io::Error::new(std::io::ErrorKind::NotADirectory, why);
        return Err(OpenError::Io { directory: path.display().to_string(), error });
    }
    let durability = match settings.durability {
        Durability::Strict => hull_engine::log::Durability::Strict,
        Durability::Relaxed => hull_engine::log::Durability::Relaxed,
    };
    let options = DirOptions {
        memory_budget: settings.memory_budget.0,
        durability,
        wrap_storage: Some(hull_functions::blocking_storage),
    };
    Engine::open_dir(path, options)
}

/// Whether a directory holds a database.
pub(crate) fn exists(directory: &std::path::Path) -> bool {
    directory.join("format").is_file()
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
