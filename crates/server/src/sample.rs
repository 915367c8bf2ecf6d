//! Sample data: what an application puts into a data directory that is new.
//!
//! Guarantee: a directory gets all of it or none. It is imported into empty tables and shows in one commit, so a loading
//! that was interrupted begins again at the next start; a directory that holds documents already is left as it is.

use std::time::{Duration, Instant};

use hull_engine::{Import, ImportError, ImportMode, ImportOptions, ImportRow, ImportTable, Keyspace};
use hull_model::TableMapping;
use hull_value::Packed;
use tokio::sync::watch;

use crate::backend::Backend;
use crate::settings::SampleSize;
use crate::terminal::{say, thousands};

/// Where the directory remembers what was decided.
const NOTE: &[u8] = b"sample data";
/// Rows that are handed on at once.
const ROWS: usize = 500;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Sample data of one size, made while it is loaded.
pub struct Sample {
    /// How many documents there are, about.
    pub about: u64,
    /// Table and document, with `_id` and `_creationTime`. Rows of a table that follow each other are stored together.
    pub rows: Box<dyn Iterator<Item = (&'static str, Packed)> + Send>,
}

/// An application's sample data: its size and the public numbers of its tables, which ids carry, make the rows.
pub(crate) type Maker = Box<dyn FnOnce(SampleSize, &dyn TableMapping) -> Sample + Send>;

/// What the operator wants of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) none: bool,
    pub(crate) size: Option<SampleSize>,
}

/// Why sample data could not be loaded.
#[derive(Debug, thiserror::Error)]
#[error("the sample data could not be loaded: {0} (start with --no-sample on a new directory to go without)")]
pub struct SampleError(String);

impl SampleError {
    fn of(error: impl std::fmt::Display) -> SampleError {
        SampleError(error.to_string())
    }
}

/// Loads the data into a directory where nothing was decided before, unless the operator wants none. Blocks. Ends early,
/// with nothing loaded and nothing decided, when `stop` says so.
pub(crate) fn fill(
    backend: &Backend,
    maker: Maker,
    wanted: Wanted,
    stop: &watch::Receiver<bool>,
) -> Result<(), SampleError> {
    let loaded = format!("loaded {}", wanted.size.unwrap_or_default());
    if let Some(note) = backend.note(NOTE)? {
        if wanted.size.is_some() && !wanted.none && note != loaded {
            say("This data directory is not new: no sample data is loaded. Another --data-dir takes some.");
        }
        return Ok(());
    }
    if wanted.none {
        return backend.set_note(NOTE, "not wanted");
    }
    let engine = backend.engine();
    let transaction = engine.begin();
    let numbers = transaction.table_mapping();
    let tables = engine.tables().into_iter().filter(|name| engine.is_declared(name));
    let tables: Vec<ImportTable> =
        tables.map(|name| ImportTable { number: numbers.number_of(&name), name }).collect();
    let options = ImportOptions { mode: ImportMode::RequireEmpty, ..ImportOptions::default() };
    let import = match engine.begin_import(options, &tables) {
        Ok(import) => import,
        Err(ImportError::TableExists { .. }) => return backend.set_note(NOTE, "there was data"),
        Err(error) => return Err(SampleError::of(error)),
    };
    let size = wanted.size.unwrap_or_default();
    let sample = maker(size, numbers);
    drop(transaction);
    let about = thousands(sample.about);
    say(&format!("This data directory is new: loading the {size} sample data, about {about} documents."));
    say("  (--no-sample leaves it empty; --sample small, medium or large)");
    let begun = Instant::now();
    let Some(rows) = load(import, sample, stop)? else { return Ok(()) };
    backend.set_note(NOTE, &loaded)?;
    let seconds = begun.elapsed().as_secs_f64();
    say(&format!("The sample data is loaded: {} documents in {seconds:.1} s.", thousands(rows)));
    Ok(())
}

/// Imports all rows and says how many; nothing when it was stopped, which leaves the tables empty.
fn load(
    mut import: Import,
    sample: Sample,
    stop: &watch::Receiver<bool>,
) -> Result<Option<u64>, SampleError> {
    let mut rows = sample.rows.peekable();
    let mut told = Instant::now();
    let mut number = 0;
    while let Some((table, _)) = rows.peek() {
        let table = *table;
        let together = std::iter::from_fn(|| rows.next_if(|(next, _)| *next == table)).take(ROWS);
        let together: Vec<ImportRow> = together
            .map(|(_, value)| {
                number += 1;
                ImportRow { number, value }
            })
            .collect();
        import.push(table, together).map_err(SampleError::of)?;
        if *stop.borrow() {
            return Ok(None);
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            say(&format!("  {} of about {} documents", thousands(import.applied()), thousands(sample.about)));
        }
    }
    let rows = import.applied();
    import.finish().map_err(SampleError::of)?;
    Ok(Some(rows))
}

impl Backend {
    fn note(&self, key: &[u8]) -> Result<Option<String>, SampleError> {
        let mut transaction = self.engine().begin();
        let note = transaction.get_system(Keyspace::NOTES, key).map_err(SampleError::of)?;
        Ok(note.and_then(|(_, note)| match note.as_ref() {
            hull_value::ValueRef::String(note) => Some(note.to_owned()),
            _ => None,
        }))
    }

    fn set_note(&self, key: &[u8], note: &str) -> Result<(), SampleError> {
        let mut transaction = self.engine().begin();
        let note = Packed::encode(note).map_err(SampleError::of)?;
        transaction.put_system(Keyspace::NOTES, key, Some(&note)).map_err(SampleError::of)?;
        self.engine().commit(transaction).map(|_| ()).map_err(SampleError::of)
    }
}
