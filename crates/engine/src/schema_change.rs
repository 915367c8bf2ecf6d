//! Changing the schema: all of it in one commit, or nothing; then the new indexes are filled.
//!
//! Existing documents are checked only where the table's validator is new and does not contain the old one, in the
//! same transaction that commits the catalog, so no document slips in between. Writers maintain a new index from that
//! commit on; reads of it are refused until it is filled.

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_model::{Aggregate, KeyRange, Schema, TableDef};

use crate::backfill::fill_indexes;
use crate::catalog::{
    BY_CREATION_TIME, DROPPED, IndexRow, NUMBERS, NumbersRow, SCHEMA, TableRow, new_table, row, table_key,
    text_row,
};
use crate::engine::Engine;
use crate::error::{CommitError, SchemaChangeError, TxError};
use crate::key::key;
use crate::limits::Limits;
use crate::scan::Order;
use crate::search::SearchRow;
use crate::transaction::Transaction;

/// How far a schema change is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Documents of a table are checked against its new validator.
    Checking {
        /// The table.
        table: String,
        /// Documents checked so far.
        documents: u64,
    },
    /// An index is filled.
    Filling {
        /// The table.
        table: String,
        /// The index.
        index: String,
        /// Documents entered by this call so far.
        documents: u64,
    },
}

/// A change that collides with other commits is tried so often.
const ATTEMPTS: u32 = 20;
/// Progress is told every so many documents.
const TELL_EVERY: u64 = 1000;

impl Engine {
    /// Makes `schema` the schema of the database, and returns once every index can be read. If existing documents
    /// violate it, nothing is changed. An interrupted call is taken up by the next one with the same schema.
    pub fn apply_schema(
        &self,
        schema: &Schema,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), SchemaChangeError> {
        schema.check().map_err(|e| SchemaChangeError::Invalid(e.to_string()))?;
        let _one_at_a_time = self.inner.schema_change.lock();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut transaction = self.begin();
            transaction.set_limits(Limits::none());
            if !change_catalog(&mut transaction, schema, progress)? {
                break;
            }
            match self.commit(transaction) {
                Ok(_) => break,
                Err(e) if e.is_retryable() && attempt < ATTEMPTS => {}
                Err(e) => return Err(e.into()),
            }
        }
        fill_indexes(self, progress)
    }
}

/// Writes the catalog that the schema asks for; returns whether it differs.
fn change_catalog(
    transaction: &mut Transaction,
    schema: &Schema,
    progress: &mut dyn FnMut(Progress),
) -> Result<bool, SchemaChangeError> {
    let before = transaction.catalog.clone();
    let json = schema.to_json().to_string();
    // A version that knew no search indexes has kept the schemas that declare them.
    let has_searches = |table: &TableDef| {
        before.table(&table.name).is_some_and(|t| t.searches.len() == table.search_indexes.len())
    };
    if before.schema_json.as_ref() == Some(&json) && schema.tables.iter().all(has_searches) {
        return Ok(false);
    }
    let (mut numbers, mut dropped) = (before.numbers, before.dropped.clone());
    let mut rows = vec![(key(SCHEMA), Some(text_row(json)?))];
    let mut to_check: Vec<&TableDef> = Vec::new();
    for table in &schema.tables {
        let old = transaction.table_named(&table.name);
        let is_new = old.is_none();
        let base = old.as_ref().map_or_else(|| new_table(&mut numbers), |t| t.row.clone());
        let is_empty = is_new || is_empty(transaction, &table.name)?;
        let changed = with_indexes(base.clone(), table, is_empty, &mut numbers, &mut dropped);
        let changed = with_searches(changed, table, is_empty, &mut numbers, &mut dropped);
        let was = before
            .schema
            .as_ref()
            .filter(|s| s.validate)
            .and_then(|s| s.get(&table.name))
            .map(|t| &t.document);
        let validator_changed = was != schema.validate.then_some(&table.document);
        // A row is written again for a new validator too: whoever has read the table under the old one conflicts.
        // Whoever has begun without new counters must not commit beside them.
        let declared = before.schema.as_ref().and_then(|schema| schema.get(&table.name));
        let counted_anew = declared.map(aggregates).unwrap_or_default() != aggregates(table);
        if is_new || changed != base || validator_changed || counted_anew {
            rows.push((table_key(&table.name), Some(row(&changed)?)));
        }
        let contained = was.is_some_and(|was| was.is_subset_of(&table.document));
        if schema.validate && !is_empty && !contained {
            to_check.push(table);
        }
    }
    let undeclared: Vec<_> = before.tables().filter(|t| schema.get(&t.name).is_none()).cloned().collect();
    for table in undeclared {
        transaction.table_named(&table.name);
        let mut changed = table.row.clone();
        dropped.extend(changed.indexes.split_off(1).iter().map(|i| i.keyspace));
        dropped.extend(std::mem::take(&mut changed.searches).iter().map(|s| s.keyspace));
        if changed != table.row || table.validator.is_some() {
            rows.push((table_key(&table.name), Some(row(&changed)?)));
        }
    }
    if numbers != before.numbers {
        rows.push((key(NUMBERS), Some(row(&numbers)?)));
    }
    if dropped != before.dropped {
        rows.push((key(DROPPED), Some(row(&dropped)?)));
    }
    // Nobody else changes these rows without changing one of them.
    for (k, _) in &rows {
        transaction.reads.add_point(crate::key::Keyspace::CATALOG, k);
    }
    transaction.put_catalog(rows)?;
    for table in to_check {
        check_documents(transaction, table, progress)?;
    }
    Ok(true)
}

/// What a table counts, by the names of its indexes.
fn aggregates(table: &TableDef) -> Vec<(&str, &Aggregate)> {
    let all = table.indexes.iter();
    all.filter_map(|index| Some((index.name.as_str(), index.aggregate.as_ref()?))).collect()
}

/// The table's row with exactly the declared indexes; those with the same fields are one.
fn with_indexes(
    mut table: TableRow,
    declared: &TableDef,
    is_empty: bool,
    numbers: &mut NumbersRow,
    dropped: &mut Vec<u32>,
) -> TableRow {
    let mut wanted: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for index in &declared.indexes {
        let fields: Vec<String> = index.fields.iter().map(ToString::to_string).collect();
        match wanted.iter_mut().find(|(f, _)| *f == fields) {
            Some((_, names)) => names.push(index.name.clone()),
            None => wanted.push((fields, vec![index.name.clone()])),
        }
    }
    let mut old: BTreeMap<Vec<String>, IndexRow> =
        table.indexes.drain(..).map(|index| (index.fields.clone(), index)).collect();
    table.indexes.extend(old.remove(&Vec::new()));
    if table.indexes.is_empty() {
        // A catalog without it would be damaged; the number is new in any case.
        table.indexes.push(index_row(Vec::new(), vec![BY_CREATION_TIME.into()], is_empty, numbers));
    }
    for (fields, names) in wanted {
        table.indexes.push(match old.remove(&fields) {
            Some(index) => IndexRow { names, ..index },
            None => index_row(fields, names, is_empty, numbers),
        });
    }
    dropped.extend(old.values().map(|index| index.keyspace));
    table
}

/// The table's row with exactly the declared search indexes.
fn with_searches(
    mut table: TableRow,
    declared: &TableDef,
    is_empty: bool,
    numbers: &mut NumbersRow,
    dropped: &mut Vec<u32>,
) -> TableRow {
    let mut old = std::mem::take(&mut table.searches);
    for search in &declared.search_indexes {
        let field = search.search_field.to_string();
        let filters: Vec<String> = search.filter_fields.iter().map(ToString::to_string).collect();
        let names = vec![search.name.clone()];
        table.searches.push(match old.iter().position(|row| row.is_over(&field, &filters)) {
            Some(at) => SearchRow { names, ..old.swap_remove(at) },
            None => {
                let keyspace = numbers.keyspace;
                numbers.keyspace += 1;
                SearchRow { keyspace, field, filters, names, backfill: (!is_empty).then(Vec::new) }
            }
        });
    }
    dropped.extend(old.iter().map(|search| search.keyspace));
    table
}

fn index_row(fields: Vec<String>, names: Vec<String>, is_empty: bool, numbers: &mut NumbersRow) -> IndexRow {
    let keyspace = numbers.keyspace;
    numbers.keyspace += 1;
    IndexRow { keyspace, fields, names, backfill: (!is_empty).then(Vec::new) }
}

/// Whether a table has no document; what was looked at is read.
pub(crate) fn is_empty(transaction: &mut Transaction, table: &str) -> Result<bool, TxError> {
    let mut scan = transaction.scan(table, BY_CREATION_TIME, &KeyRange::all(), Order::Asc)?;
    Ok(transaction.next(&mut scan)?.is_none())
}

/// Checks every document of a table; that there are no others is in the read set.
fn check_documents(
    transaction: &mut Transaction,
    table: &TableDef,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), SchemaChangeError> {
    let catalog = transaction.catalog.clone();
    let mut scan = transaction.scan(&table.name, BY_CREATION_TIME, &KeyRange::all(), Order::Asc)?;
    let mut documents = 0;
    while let Some(document) = transaction.next(&mut scan)? {
        let checked = table.document.check_document(document.value.as_ref(), &*catalog);
        checked.map_err(|error| SchemaChangeError::ExistingDocument {
            table: table.name.clone(),
            id: document.id,
            error: Box::new(error),
        })?;
        documents += 1;
        if documents % TELL_EVERY == 0 {
            progress(Progress::Checking { table: table.name.clone(), documents });
        }
    }
    if documents % TELL_EVERY != 0 {
        progress(Progress::Checking { table: table.name.clone(), documents });
    }
    Ok(())
}

/// Runs a small change of the catalog until it commits.
pub(crate) fn commit_change(
    engine: &Arc<crate::engine::Inner>,
    mut change: impl FnMut(&mut Transaction) -> Result<bool, SchemaChangeError>,
) -> Result<(), SchemaChangeError> {
    let engine = Engine { inner: engine.clone() };
    for _ in 0..ATTEMPTS {
        std::thread::sleep(engine.back_pressure());
        let mut transaction = engine.begin();
        transaction.set_limits(Limits::none());
        if !change(&mut transaction)? {
            return Ok(());
        }
        match engine.commit(transaction) {
            Ok(_) => return Ok(()),
            Err(e) if e.is_retryable() => {}
            Err(e) => return Err(e.into()),
        }
    }
    Err(CommitError::OutOfRetention.into())
}

#[cfg(test)]
mod tests {
    use hull_model::{define_table, v};
    use hull_value::{Packed, Value};

    use super::*;
    use crate::log::MemoryLog;
    use crate::options::Options;
    use crate::storage::MemoryStorage;

    fn engine(documents: u32) -> Engine {
        let mut options = Options::new(Arc::new(MemoryStorage::new()), Arc::new(MemoryLog::new()));
        options.background = false;
        let engine = Engine::open(options).unwrap();
        let mut tx = engine.begin();
        for n in 0..documents {
            let fields = [("text".to_owned(), Value::String(format!("number {n}")))];
            tx.insert("t", &Packed::encode(&Value::Object(fields.into())).unwrap()).unwrap();
        }
        engine.commit(tx).unwrap();
        engine
    }

    /// Applies a table `t` with these search indexes, names first; returns the rows and what was told.
    fn apply(engine: &Engine, searches: &[(&str, &[&str])]) -> (Vec<SearchRow>, Vec<Progress>) {
        let mut table = define_table("t")
            .field("text", v::string())
            .field("a", v::optional(v::number()))
            .field("b", v::optional(v::number()));
        for (name, filters) in searches {
            table = table.search_index(*name, "text", filters.iter().copied());
        }
        let mut told = Vec::new();
        engine.apply_schema(&Schema::new().table(table), &mut |p| told.push(p)).unwrap();
        let row = engine.inner.newest_catalog().table("t").unwrap().row.clone();
        (row.searches, told)
    }

    fn dropped(engine: &Engine) -> Vec<u32> {
        engine.inner.newest_catalog().dropped.clone()
    }

    #[test]
    fn a_search_index_of_an_empty_table_is_ready_at_once() {
        let (rows, told) = apply(&engine(0), &[("search_text", &["a"])]);
        assert_eq!((rows.len(), &rows[0].backfill, told), (1, &None, Vec::new()));
    }

    #[test]
    fn a_search_index_of_a_table_with_documents_is_filled_and_told() {
        let engine = engine(450);
        let (rows, told) = apply(&engine, &[("search_text", &[])]);
        assert_eq!(rows[0].backfill, None);
        let pages = [200, 400, 450].map(|documents| Progress::Filling {
            table: "t".into(),
            index: "search_text".into(),
            documents,
        });
        assert_eq!(told[1..], pages, "after the check of the documents");
        assert_eq!(
            engine.inner.newest_catalog().table("t").unwrap().search("search_text").unwrap().position,
            None
        );
    }

    #[test]
    fn a_directory_of_a_version_without_search_indexes_gets_those_that_it_declares() {
        let engine = engine(5);
        let searches: &[(&str, &[&str])] = &[("search_text", &[])];
        apply(&engine, searches);
        commit_change(&engine.inner, |transaction| {
            let mut old = transaction.catalog.table("t").unwrap().row.clone();
            old.searches.clear();
            transaction.put_catalog(vec![(table_key("t"), Some(row(&old)?))])?;
            Ok(true)
        })
        .unwrap();
        let (rows, told) = apply(&engine, searches);
        assert_eq!((rows.len(), &rows[0].backfill, told.len()), (1, &None, 1));
        let before = engine.ordered();
        assert_eq!(apply(&engine, searches).1, []);
        assert_eq!(engine.ordered(), before, "the same schema again changes nothing");
    }

    #[test]
    fn search_indexes_are_kept_while_field_and_filters_are() {
        let engine = engine(3);
        let (first, _) = apply(&engine, &[("one", &["a", "b"]), ("two", &[])]);
        // Other names, and the filters in another order.
        let (second, told) = apply(&engine, &[("three", &[]), ("four", &["b", "a"])]);
        assert_eq!((second[0].keyspace, second[1].keyspace), (first[1].keyspace, first[0].keyspace));
        assert_eq!(
            (&second[0].names[..], &second[1].names[..]),
            (&["three".to_owned()][..], &["four".to_owned()][..])
        );
        assert_eq!(second[1].filters, ["a", "b"], "hashes stay where they are in what is stored");
        assert_eq!((dropped(&engine), told), (vec![], vec![]));
        // Other filters make another index.
        let (third, told) = apply(&engine, &[("four", &["b"])]);
        assert!(!second.iter().any(|old| old.keyspace == third[0].keyspace));
        assert_eq!(told.len(), 1);
        assert_eq!(dropped(&engine), [second[0].keyspace, second[1].keyspace]);
        // A table that is not declared has none.
        engine.apply_schema(&Schema::new(), &mut |_| {}).unwrap();
        assert_eq!(engine.inner.newest_catalog().table("t").unwrap().row.searches, []);
        assert_eq!(dropped(&engine).last(), Some(&third[0].keyspace));
    }

    #[test]
    fn a_search_index_that_is_made_anew_has_another_keyspace() {
        let engine = engine(250);
        let (before, _) = apply(&engine, &[("search_text", &["a"])]);
        let mut told = Vec::new();
        engine.rebuild_index("t", "search_text", &mut |p| told.push(p)).unwrap();
        let after = engine.inner.newest_catalog().table("t").unwrap().row.searches.clone();
        assert_eq!(dropped(&engine), [before[0].keyspace]);
        assert_ne!(after[0].keyspace, before[0].keyspace);
        assert_eq!((after[0].backfill.clone(), told.len()), (None, 2));
        let error = engine.rebuild_index("t", "missing", &mut |_| {}).unwrap_err();
        assert_eq!(error.code(), "IndexNotFoundError");
    }
}
