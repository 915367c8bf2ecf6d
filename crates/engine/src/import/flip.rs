//! The flip: one commit after which every imported name means its filled table.
//!
//! Guarantee: a reader sees all tables as they were or all as they are; a transaction under way on any of them conflicts;
//! a live query over them is touched once. The old tables' keys are removed once no snapshot can read them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hull_value::TableNumber;

use super::hidden::Hidden;
use super::numbers::references;
use super::{ImportError, ImportMode};
use crate::catalog::{DROPPED, NUMBERS, TableInfo, TableRow, emptied, keyspaces, row, table_key};
use crate::key::{Keyspace, key};
use crate::limits::MAX_TABLES;
use crate::schema_change::is_empty;
use crate::transaction::Transaction;

/// What became of the tables that are not in the import.
#[derive(Default)]
pub(super) struct Others {
    pub(super) emptied: Vec<String>,
    pub(super) deleted: Vec<String>,
}

/// Writes the catalog in which the hidden tables have their names.
pub(super) fn flip(
    transaction: &mut Transaction,
    mode: ImportMode,
    hidden: &BTreeMap<String, Hidden>,
) -> Result<Others, ImportError> {
    let before = transaction.catalog.clone();
    transaction.reads.add_point(Keyspace::CATALOG, NUMBERS);
    transaction.reads.add_point(Keyspace::CATALOG, DROPPED);
    let (mut numbers, mut dropped) = (before.numbers, before.dropped.clone());
    let mut rows = Vec::new();
    let mut taken: BTreeMap<TableNumber, &str> = BTreeMap::new();
    let mut renumbered: Vec<(&str, TableNumber, TableNumber)> = Vec::new();
    let mut drop_table = |row: &TableRow| dropped.extend(keyspaces(row));
    for (name, place) in hidden {
        transaction.reads.add_point(Keyspace::CATALOG, &place.row_key);
        let filled = before.hidden_at(&place.row_key).ok_or(ImportError::Failed)?;
        let live = transaction.table_named(name);
        if mode == ImportMode::RequireEmpty && live.is_some() && !is_empty(transaction, name)? {
            return Err(ImportError::TableExists { table: name.clone() });
        }
        if let Some(live) = live {
            drop_table(&live.row);
            if live.number != filled.number {
                renumbered.push((name, live.number, filled.number));
            }
        }
        taken.insert(filled.number, name);
        rows.push((place.row_key.clone(), None));
        rows.push((table_key(name), Some(row(&filled.row)?)));
    }
    let mut others = Others::default();
    let rest: Vec<Arc<TableInfo>> =
        before.tables().filter(|t| !hidden.contains_key(&t.name)).cloned().collect();
    for table in &rest {
        let conflict = taken.get(&table.number).copied();
        if mode != ImportMode::ReplaceAll {
            if let Some(name) = conflict {
                return Err(ImportError::TableNumberConflict {
                    table: name.to_owned(),
                    number: table.number,
                    reason: format!("it is that of table \"{}\", which is not replaced", table.name),
                });
            }
            continue;
        }
        transaction.table_named(&table.name);
        let declared = before.schema.as_ref().is_some_and(|s| s.get(&table.name).is_some());
        if !declared {
            drop_table(&table.row);
            rows.push((table_key(&table.name), None));
            others.deleted.push(table.name.clone());
        } else if conflict.is_some() || !is_empty(transaction, &table.name)? {
            drop_table(&table.row);
            let number = if conflict.is_some() { numbers.table } else { table.number.0 };
            let empty = emptied(&table.row, number, &mut numbers);
            rows.push((table_key(&table.name), Some(row(&empty)?)));
            others.emptied.push(table.name.clone());
        }
    }
    if mode != ImportMode::ReplaceAll {
        rows.extend(referrers(transaction, &rest, &renumbered)?);
    }
    let names: BTreeSet<&str> =
        hidden.keys().chain(rest.iter().map(|t| &t.name)).map(String::as_str).collect();
    if names.len() - others.deleted.len() > MAX_TABLES {
        return Err(ImportError::TooManyTables(MAX_TABLES));
    }
    rows.push((key(NUMBERS), Some(row(&numbers)?)));
    rows.push((key(DROPPED), Some(row(&dropped)?)));
    transaction.put_catalog(rows)?;
    Ok(others)
}

/// A catalog row, and the text that it becomes.
type Row = (crate::key::Key, Option<hull_value::Packed>);

/// Refuses to renumber a table that documents refer to; of the tables that could, the rows are written again, so that
/// whoever is about to insert into one conflicts.
pub(super) fn referrers(
    transaction: &mut Transaction,
    rest: &[Arc<TableInfo>],
    renumbered: &[(&str, TableNumber, TableNumber)],
) -> Result<Vec<Row>, ImportError> {
    let mut rows = Vec::new();
    for table in rest {
        let Some(validator) = &table.validator else { continue };
        let found = renumbered.iter().find(|(name, ..)| references(validator, name));
        let Some((name, from, to)) = found else { continue };
        if !is_empty(transaction, &table.name)? {
            return Err(ImportError::ReferencedTableRenumbered {
                table: (*name).to_owned(),
                from: *from,
                to: *to,
                by: table.name.clone(),
            });
        }
        rows.push((table_key(&table.name), Some(row(&table.row)?)));
    }
    Ok(rows)
}
