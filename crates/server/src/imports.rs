//! The imports that clients have begun: each is known by a number that cannot be guessed, and ends with its last request,
//! its first bad row, or five idle minutes.
//!
//! Guarantee: what is taken in is bounded by one request's body and one batch of rows. Everything here blocks, but
//! [`Imports::watch`].

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use hull_engine::{
    Engine, Import, ImportError, ImportMode, ImportOptions, ImportRow, ImportTable, Imported, Pushed,
    RefusedRow, TxError,
};
use hull_value::{RowForm, parse_row};
use parking_lot::Mutex;

/// An import that hears nothing for so long is cancelled.
pub(crate) const IDLE: Duration = Duration::from_secs(300);
/// Imports at a time.
const MOST_IMPORTS: usize = 8;
/// Rows that are handed on at once, and their bytes.
const ROWS: usize = 500;
const ROW_BYTES: usize = 1 << 20;
/// Rows of one request that may be left out; more are a wrong format, and would take much memory to tell of.
const MOST_REFUSED: usize = 50_000;
/// The longest message about a row that is left out, in bytes.
const MESSAGE_BYTES: usize = 400;

/// Why a request about an import was refused. Rows apart, the import goes on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportsError {
    #[error("There is no import {0:?} under way: it has ended, was idle for too long, or never began.")]
    NotFound(String),
    #[error("{MOST_IMPORTS} imports are under way, which is as many as there may be.")]
    TooMany,
    /// The engine's word. `applied` rows of the import stay.
    #[error("{error}")]
    Refused { error: ImportError, applied: u64 },
    /// A line is no row, and the import is over.
    #[error("line {} of table \"{table}\": {}", row.row, row.message)]
    Line { table: String, row: RefusedRow, applied: u64 },
    #[error("more than {MOST_REFUSED} rows of one request are not valid, such as line {}: {}", .0.row, .0.message)]
    TooManyRefused(RefusedRow),
    #[error("the database could not be read: {0}")]
    Read(#[from] TxError),
}

/// What an import has found when it begins.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) id: String,
    /// Names and documents of the tables to import.
    pub(crate) tables: Vec<(String, u64)>,
    /// Tables that would lose their documents beside those: name, documents, whether the table itself goes.
    pub(crate) others: Vec<(String, u64, bool)>,
}

/// All imports under way.
#[derive(Default)]
pub(crate) struct Imports {
    open: Mutex<HashMap<String, Arc<Mutex<Option<Open>>>>>,
}

struct Open {
    import: Import,
    options: ImportOptions,
    /// Lines seen of each table.
    lines: HashMap<String, u64>,
    heard: Instant,
}

/// Lines of a request.
pub(crate) struct Lines<'a> {
    pub(crate) table: &'a str,
    pub(crate) form: RowForm,
    /// The number of the first line; otherwise the count goes on from the request before.
    pub(crate) first: Option<u64>,
    pub(crate) body: &'a [u8],
}

impl Imports {
    /// Begins an import.
    pub(crate) fn begin(
        &self,
        engine: &Engine,
        options: ImportOptions,
        tables: &[ImportTable],
    ) -> Result<Begun, ImportsError> {
        if self.open.lock().len() >= MOST_IMPORTS {
            return Err(ImportsError::TooMany);
        }
        let refused = |error| ImportsError::Refused { error, applied: 0 };
        let import = engine.begin_import(options, tables).map_err(refused)?;
        let count = |name: &String| Ok::<_, TxError>((name.clone(), engine.count(name)?));
        let counted = tables.iter().map(|t| count(&t.name)).collect::<Result<Vec<_>, _>>()?;
        let mut others = Vec::new();
        if options.mode == ImportMode::ReplaceAll {
            for name in engine.tables().iter().filter(|name| tables.iter().all(|t| t.name != **name)) {
                let (name, documents) = count(name)?;
                let goes = !engine.is_declared(&name);
                if goes || documents > 0 {
                    others.push((name, documents, goes));
                }
            }
        }
        let id = HEXLOWER.encode(&rand::random::<[u8; 16]>());
        let open = Open { import, options, lines: HashMap::new(), heard: Instant::now() };
        let mut all = self.open.lock();
        if all.len() >= MOST_IMPORTS {
            return Err(ImportsError::TooMany);
        }
        all.insert(id.clone(), Arc::new(Mutex::new(Some(open))));
        Ok(Begun { id, tables: counted, others })
    }

    fn find(&self, id: &str) -> Result<Arc<Mutex<Option<Open>>>, ImportsError> {
        self.open.lock().get(id).cloned().ok_or_else(|| ImportsError::NotFound(id.to_owned()))
    }

    /// Takes rows. An import that does not leave out bad rows is over with the first one.
    pub(crate) fn push(&self, id: &str, lines: &Lines<'_>) -> Result<Pushed, ImportsError> {
        let slot = self.find(id)?;
        let mut guard = slot.lock();
        let open = guard.as_mut().ok_or_else(|| ImportsError::NotFound(id.to_owned()))?;
        let pushed = open.push(lines);
        open.heard = Instant::now();
        let goes_on = match &pushed {
            Ok(_) => true,
            Err(ImportsError::Refused { error, .. }) => matches!(error, ImportError::TableNotInImport(_)),
            Err(_) => false,
        };
        if !goes_on {
            *guard = None;
            self.open.lock().remove(id);
        }
        pushed
    }

    /// Ends an import; the other value is whether it was a dry run.
    pub(crate) fn finish(&self, id: &str) -> Result<(Imported, bool), ImportsError> {
        let slot = self.remove(id)?;
        let open = slot.lock().take().ok_or_else(|| ImportsError::NotFound(id.to_owned()))?;
        let applied = open.import.kept();
        let finished = open.import.finish().map_err(|error| ImportsError::Refused { error, applied })?;
        Ok((finished, open.options.dry_run))
    }

    /// Ends an import without its effect.
    pub(crate) fn cancel(&self, id: &str) -> Result<(), ImportsError> {
        let slot = self.remove(id)?;
        let open = slot.lock().take();
        open.map(drop).ok_or_else(|| ImportsError::NotFound(id.to_owned()))
    }

    fn remove(&self, id: &str) -> Result<Arc<Mutex<Option<Open>>>, ImportsError> {
        self.open.lock().remove(id).ok_or_else(|| ImportsError::NotFound(id.to_owned()))
    }

    /// Cancels an import that has been idle for [`IDLE`] at `now`; otherwise returns when to look again, unless it is gone.
    fn expire(&self, id: &str, now: Instant) -> Option<Instant> {
        let slot = self.find(id).ok()?;
        // Whoever holds it is not idle.
        let Some(mut guard) = slot.try_lock() else { return Some(now + IDLE) };
        let end = guard.as_ref()?.heard + IDLE;
        if now < end {
            return Some(end);
        }
        *guard = None;
        self.open.lock().remove(id);
        tracing::warn!(import = id, "an import was idle for too long and is cancelled");
        None
    }

    /// Cancels an import once it is idle for too long.
    pub(crate) async fn watch(imports: Weak<Imports>, id: String) {
        let mut at = Instant::now() + IDLE;
        loop {
            tokio::time::sleep_until(at.into()).await;
            let Some(imports) = imports.upgrade() else { return };
            match imports.expire(&id, Instant::now()) {
                Some(next) => at = next,
                None => return,
            }
        }
    }
}

impl Open {
    fn push(&mut self, lines: &Lines<'_>) -> Result<Pushed, ImportsError> {
        let table = lines.table;
        let seen = self.lines.entry(table.to_owned()).or_default();
        let mut number = lines.first.map_or(*seen, |first| first.saturating_sub(1));
        let mut pushed = Pushed::default();
        let mut rows: Vec<ImportRow> = Vec::new();
        let mut bytes = 0;
        // What is behind the last line feed is a line if it is not empty.
        let body = lines.body.strip_suffix(b"\n").unwrap_or(lines.body);
        for line in body.split(|byte| *byte == b'\n') {
            number += 1;
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let bad = match parse_row(line, lines.form) {
                Ok(value) => {
                    bytes += value.bytes().len();
                    rows.push(ImportRow { number, value });
                    None
                }
                Err(error) => Some(RefusedRow {
                    row: number,
                    code: error.code(),
                    path: String::new(),
                    message: error.to_string(),
                }),
            };
            if rows.len() == ROWS || bytes > ROW_BYTES || bad.is_some() {
                Self::hand_on(&mut self.import, table, &mut rows, &mut pushed)?;
                bytes = 0;
            }
            if let Some(row) = bad {
                if !self.options.skip_invalid {
                    let applied = self.import.kept();
                    return Err(ImportsError::Line { table: table.to_owned(), row, applied });
                }
                pushed.refused.push(shortened(row));
            }
            if pushed.refused.len() > MOST_REFUSED {
                return Err(ImportsError::TooManyRefused(pushed.refused.swap_remove(0)));
            }
        }
        Self::hand_on(&mut self.import, table, &mut rows, &mut pushed)?;
        self.lines.insert(table.to_owned(), number);
        Ok(pushed)
    }

    fn hand_on(
        import: &mut Import,
        table: &str,
        rows: &mut Vec<ImportRow>,
        all: &mut Pushed,
    ) -> Result<(), ImportsError> {
        let taken = import.push(table, rows.drain(..));
        let taken = taken.map_err(|error| ImportsError::Refused { error, applied: import.kept() })?;
        all.applied += taken.applied;
        all.ts = taken.ts;
        all.refused.extend(taken.refused.into_iter().map(shortened));
        Ok(())
    }
}

/// The row with a message of bounded length.
fn shortened(mut row: RefusedRow) -> RefusedRow {
    if row.message.len() > MESSAGE_BYTES {
        let cut = (0..=MESSAGE_BYTES).rev().find(|at| row.message.is_char_boundary(*at)).unwrap_or(0);
        row.message.truncate(cut);
        row.message.push('…');
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use hull_engine::Options;
    use hull_engine::log::MemoryLog;
    use hull_engine::storage::MemoryStorage;

    fn engine() -> Engine {
        let mut options = Options::new(Arc::new(MemoryStorage::new()), Arc::new(MemoryLog::new()));
        options.background = false;
        Engine::open(options).unwrap()
    }

    fn begin(imports: &Imports, engine: &Engine) -> Result<Begun, ImportsError> {
        let options = ImportOptions { skip_invalid: true, ..ImportOptions::default() };
        imports.begin(engine, options, &[ImportTable { name: "t".into(), number: None }])
    }

    #[test]
    fn an_idle_import_is_cancelled_and_a_busy_one_is_not() {
        let (imports, engine) = (Imports::default(), engine());
        let id = begin(&imports, &engine).unwrap().id;
        let now = Instant::now();
        let later = imports.expire(&id, now).unwrap();
        assert!(later > now && later <= now + IDLE);
        let busy = imports.find(&id).unwrap();
        let held = busy.lock();
        assert!(imports.expire(&id, later).is_some());
        drop(held);
        assert_eq!(imports.expire(&id, later), None);
        let lines = Lines { table: "t", form: RowForm::Export, first: None, body: b"{}" };
        assert!(matches!(imports.push(&id, &lines), Err(ImportsError::NotFound(_))));
        assert_eq!(imports.expire(&id, later), None);
    }

    #[test]
    fn there_are_only_so_many_imports_at_a_time() {
        let (imports, engine) = (Imports::default(), engine());
        let mut ids: Vec<_> = (0..MOST_IMPORTS).map(|_| begin(&imports, &engine).unwrap().id).collect();
        assert!(matches!(begin(&imports, &engine), Err(ImportsError::TooMany)));
        imports.cancel(&ids.pop().unwrap()).unwrap();
        begin(&imports, &engine).unwrap();
    }

    #[test]
    fn a_file_in_another_format_ends_soon_and_in_bounded_memory() {
        let (imports, engine) = (Imports::default(), engine());
        let id = begin(&imports, &engine).unwrap().id;
        let body = "1\n".repeat(MOST_REFUSED + 10);
        let lines = Lines { table: "t", form: RowForm::Export, first: None, body: body.as_bytes() };
        let error = imports.push(&id, &lines).unwrap_err();
        assert!(matches!(&error, ImportsError::TooManyRefused(first) if first.row == 1), "{error}");
    }
}
