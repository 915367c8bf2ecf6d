//! Import: rows from outside become documents, with the ids and creation times that they bring.
//!
//! Guarantees. Except with `append`, rows go into hidden tables, and one commit gives these their names: readers see the old
//! documents or the new ones, never a mix, and an import that fails, is dropped or is killed has changed nothing. With
//! `append`, each batch (at most 500 rows and 1 MiB, or one row) is atomic, the whole is not. Every row obeys the schema
//! and the rules of documents; a table that the schema does not declare is not validated, as elsewhere.

mod error;
mod flip;
mod hidden;
mod numbers;
mod plan;
mod row;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hull_model::TableMapping;
use hull_value::{TableNumber, Timestamp, check_identifier};

pub use error::ImportError;
pub use plan::{
    ImportMode, ImportOptions, ImportRow, ImportTable, Imported, ImportedTable, Pushed, RefusedRow,
};

use self::hidden::Hidden;
use self::numbers::Numbers;
use crate::catalog::{Catalog, SCHEMA, TableInfo};
use crate::engine::Engine;
use crate::key::{Keyspace, key};
use crate::limits::Limits;
use crate::schema_change::is_empty;
use crate::transaction::Transaction;
use crate::writes::Pending;

/// An import under way. Dropping it cancels it; what it has hidden is removed in the background. All calls block, also
/// until storage keeps up with the rows.
pub struct Import {
    engine: Engine,
    options: ImportOptions,
    schema: Option<String>,
    numbers: Numbers,
    hidden: BTreeMap<String, Hidden>,
    rows: BTreeMap<String, u64>,
    applied: u64,
    ts: Timestamp,
    /// The last creation time that was given to a row without one.
    last_creation: Option<f64>,
    failed: bool,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import")
            .field("options", &self.options)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// The table that rows go into, and another one whose ids are taken as well.
type Places = (Arc<TableInfo>, Option<Arc<TableInfo>>);

/// Rows in one commit.
const BATCH_ROWS: usize = 500;
/// Bytes in one commit, unless it is one row.
const BATCH_BYTES: usize = 1 << 20;
/// A commit that collides with others is tried so often.
const ATTEMPTS: u32 = 20;
/// How long a batch waits at most for storage to catch up, beyond what every writer waits.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

impl Engine {
    /// Begins an import into `tables`. A table of the list that gets no row is imported as an empty one.
    pub fn begin_import(
        &self,
        options: ImportOptions,
        tables: &[ImportTable],
    ) -> Result<Import, ImportError> {
        let mut transaction = self.begin();
        let catalog = transaction.catalog.clone();
        let mut given = BTreeMap::new();
        for ImportTable { name, number } in tables {
            let invalid = |reason: String| ImportError::InvalidName { name: name.clone(), reason };
            check_identifier(name).map_err(|e| invalid(e.to_string()))?;
            if name.starts_with('_') {
                return Err(invalid("names beginning with `_` belong to the system".to_owned()));
            }
            if given.insert(name.clone(), *number).is_some() {
                return Err(invalid("it is in the import twice".to_owned()));
            }
            if options.mode == ImportMode::RequireEmpty && !is_empty(&mut transaction, name)? {
                return Err(ImportError::TableExists { table: name.clone() });
            }
        }
        let rows = given.keys().map(|name| (name.clone(), 0)).collect();
        let numbered: Vec<String> = given.iter().filter(|g| g.1.is_some()).map(|g| g.0.clone()).collect();
        let mut import = Import {
            engine: self.clone(),
            options,
            schema: catalog.schema_json.clone(),
            numbers: Numbers::new(given),
            hidden: BTreeMap::new(),
            rows,
            applied: 0,
            ts: transaction.snapshot(),
            last_creation: None,
            failed: false,
        };
        drop(transaction);
        for table in numbered {
            import.settle(&catalog, &table, None)?;
        }
        Ok(import)
    }
}

impl Import {
    /// Takes rows of a table. Without `skip_invalid` the first row that is not valid ends the import; with `append` the batches
    /// before it stay, which [`Import::kept`] counts.
    pub fn push(
        &mut self,
        table: &str,
        rows: impl IntoIterator<Item = ImportRow>,
    ) -> Result<Pushed, ImportError> {
        if self.failed {
            return Err(ImportError::Failed);
        }
        if !self.numbers.has(table) {
            return Err(ImportError::TableNotInImport(table.to_owned()));
        }
        let mut pushed = Pushed { ts: self.ts, ..Pushed::default() };
        let mut batch: Vec<ImportRow> = Vec::new();
        let mut bytes = 0;
        for row in rows {
            let size = row.value.bytes().len();
            if batch.len() == BATCH_ROWS || bytes + size > BATCH_BYTES && !batch.is_empty() {
                self.write(table, &batch, &mut pushed)?;
                batch.clear();
                bytes = 0;
            }
            bytes += size;
            batch.push(row);
        }
        if !batch.is_empty() {
            self.write(table, &batch, &mut pushed)?;
        }
        Ok(pushed)
    }

    /// The rows that were taken so far.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The rows that stay whatever follows: appended ones.
    pub fn kept(&self) -> u64 {
        if self.hides() { 0 } else { self.applied }
    }

    /// Ends the import: from now on the tables hold what was pushed. Nothing is changed where this fails.
    pub fn finish(mut self) -> Result<Imported, ImportError> {
        if self.failed {
            return Err(ImportError::Failed);
        }
        let mut imported = Imported { ts: self.ts, ..Imported::default() };
        let mode = self.options.mode;
        if mode != ImportMode::Append {
            let names: Vec<String> = self.numbers.names().cloned().collect();
            for table in &names {
                self.place(table, None)?;
            }
            let (others, ts) = commit(&self.engine, |transaction| {
                self.check_schema(transaction)?;
                let others = flip::flip(transaction, mode, &self.hidden)?;
                if self.options.dry_run {
                    transaction.abandon_writes();
                }
                Ok(others)
            })?;
            imported.ts = ts;
            (imported.emptied, imported.deleted) = (others.emptied, others.deleted);
        }
        imported.tables = self
            .rows
            .iter()
            .map(|(name, rows)| ImportedTable {
                name: name.clone(),
                number: self.numbers.of(name),
                rows: *rows,
            })
            .collect();
        Ok(imported)
    }

    /// Whether rows go into hidden tables.
    fn hides(&self) -> bool {
        self.options.mode != ImportMode::Append || self.options.dry_run
    }

    fn settle(
        &mut self,
        catalog: &Catalog,
        table: &str,
        first: Option<TableNumber>,
    ) -> Result<Option<TableNumber>, ImportError> {
        let mode = self.options.mode;
        let number = self.numbers.settle(catalog, mode, table, first)?;
        let live = catalog.table(table).map(|t| t.number);
        if let (Some(from), Some(to)) = (live, number)
            && from != to
            && mode != ImportMode::ReplaceAll
        {
            // Looked at once more by the commit that renumbers; here, so that nobody waits for it in vain.
            let rest: Vec<Arc<TableInfo>> =
                catalog.tables().filter(|t| !self.numbers.has(&t.name)).cloned().collect();
            flip::referrers(&mut self.engine.begin(), &rest, &[(table, from, to)])?;
        }
        Ok(number)
    }

    /// Settles the number of a table and makes its hidden one, if it needs one.
    fn place(&mut self, table: &str, first: Option<TableNumber>) -> Result<Option<TableNumber>, ImportError> {
        let number = match self.numbers.of(table) {
            Some(number) => Some(number),
            None => self.settle(&self.engine.inner.newest_catalog(), table, first)?,
        };
        if !self.hides() || self.hidden.contains_key(table) {
            return Ok(number);
        }
        let (hidden, number) = hidden::create(&self.engine, table, number)?;
        self.numbers.set(table, number);
        self.hidden.insert(table.to_owned(), hidden);
        Ok(Some(number))
    }

    /// Writes one batch; a failure ends the import.
    fn write(&mut self, table: &str, rows: &[ImportRow], pushed: &mut Pushed) -> Result<(), ImportError> {
        let written = self.try_write(table, rows);
        self.failed |= written.is_err();
        let (taken, refused, ts, last_creation) = written?;
        (self.last_creation, self.ts) = (last_creation, ts);
        self.applied += taken;
        *self.rows.entry(table.to_owned()).or_default() += taken;
        pushed.applied += taken;
        pushed.refused.extend(refused);
        pushed.ts = ts;
        Ok(())
    }

    #[allow(clippy::type_complexity, reason = "what one batch leaves behind, taken apart at once")]
    fn try_write(
        &mut self,
        table: &str,
        rows: &[ImportRow],
    ) -> Result<(u64, Vec<RefusedRow>, Timestamp, Option<f64>), ImportError> {
        wait_for_storage(&self.engine);
        self.place(table, rows.iter().find_map(|row| row::number_of(&row.value)))?;
        self.numbers.note_checked(table);
        let ((taken, refused, last, number), ts) = commit(&self.engine, |transaction| {
            transaction.set_limits(Limits::default());
            self.check_schema(transaction)?;
            let places = self.places(transaction, table)?;
            let target = &places.0;
            let mut refused = Vec::new();
            let mut taken = 0;
            transaction.creation_time = None;
            let first = transaction.next_creation_time();
            transaction.creation_time = Some(self.last_creation.map_or(first, |last| last.max(first)));
            for row in rows {
                match self.insert(transaction, table, &places, row)? {
                    Ok(()) => taken += 1,
                    Err(bad) if self.options.skip_invalid => refused.push(bad),
                    Err(bad) => {
                        return Err(ImportError::Row { table: table.to_owned(), row: Box::new(bad) });
                    }
                }
            }
            Ok((taken, refused, transaction.creation_time, target.number))
        })?;
        // A table that appending has made.
        self.numbers.set(table, number);
        Ok((taken, refused, ts, last))
    }

    /// The table that rows go into, and another one whose ids are taken as well.
    fn places(&self, transaction: &mut Transaction, table: &str) -> Result<Places, ImportError> {
        if let Some(hidden) = self.hidden.get(table) {
            transaction.reads.add_point(Keyspace::CATALOG, &hidden.row_key);
            let target =
                transaction.catalog.hidden_at(&hidden.row_key).cloned().ok_or(ImportError::Failed)?;
            let appends = self.options.mode == ImportMode::Append;
            let live = if appends { transaction.table_named(table) } else { None };
            return Ok((target, live));
        }
        let live = transaction.table_named(table);
        let target = match (self.numbers.of(table), live) {
            (_, Some(live)) => live,
            (number, None) => transaction.make_table(table, number.map(|n| n.0))?,
        };
        Ok((target, None))
    }

    /// Checks a row and adds it to the transaction.
    fn insert(
        &self,
        transaction: &mut Transaction,
        table: &str,
        (target, live): &Places,
        row: &ImportRow,
    ) -> Result<Result<(), RefusedRow>, ImportError> {
        let own = match row::read(row, table, target.number) {
            Ok(own) => own,
            Err(bad) => return Ok(Err(bad)),
        };
        let internal = own.id.map_or_else(|| transaction.next_id(), |id| id.internal);
        let creation_time = own.creation_time.unwrap_or_else(|| transaction.next_creation_time());
        let catalog = transaction.catalog.clone();
        let mapping = self.numbers.over(&catalog);
        let rules = (target.validator.as_deref(), &mapping as &dyn TableMapping);
        let document = match row::document(row, &own, (target.number, internal), creation_time, rules) {
            Ok(document) => document,
            Err(bad) => return Ok(Err(bad)),
        };
        if own.id.is_some() {
            let k = &internal.0;
            let mut taken = transaction.writes.find(target.by_id, k).is_some();
            for place in std::iter::once(target).chain(live) {
                transaction.reads.add_point(place.by_id, k);
                taken = taken || self.engine.inner.read(place, k, transaction.snapshot())?.is_some();
            }
            if taken {
                return Ok(Err(row::duplicate(row, table, document.id)));
            }
        }
        transaction.count_write(document.size as usize)?;
        transaction.writes.add(Pending {
            table: target.clone(),
            key: key(&internal.0),
            slot: None,
            base: None,
            new: Some(document),
            blind: false,
        });
        Ok(Ok(()))
    }

    fn check_schema(&self, transaction: &mut Transaction) -> Result<(), ImportError> {
        transaction.reads.add_point(Keyspace::CATALOG, SCHEMA);
        if transaction.catalog.schema_json == self.schema { Ok(()) } else { Err(ImportError::SchemaChanged) }
    }
}

/// Runs a transaction until it commits; returns its result and its timestamp.
fn commit<T>(
    engine: &Engine,
    mut change: impl FnMut(&mut Transaction) -> Result<T, ImportError>,
) -> Result<(T, Timestamp), ImportError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut transaction = engine.begin();
        transaction.set_limits(Limits::none());
        let result = change(&mut transaction)?;
        match engine.commit(transaction) {
            Ok(committed) => return Ok((result, committed.ts)),
            Err(error) if error.is_retryable() && attempt < ATTEMPTS => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until writers need not wait: an import is in less of a hurry than anybody else.
fn wait_for_storage(engine: &Engine) {
    let mut waited = Duration::ZERO;
    while waited < LONGEST_WAIT {
        let pause = engine.back_pressure();
        if pause.is_zero() {
            return;
        }
        let pause = pause.clamp(Duration::from_millis(1), Duration::from_millis(50));
        std::thread::sleep(pause);
        waited += pause;
    }
}
