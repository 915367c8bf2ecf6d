//! Which number each imported table has, in the ids of its rows and in those that refer to them.
//!
//! It is the one that was given, else that of the first row's `_id`, else the one the table has, else a fresh one. Rows are
//! checked against the numbers as they will be, so that references between imported tables hold before anything shows.

use std::collections::BTreeMap;

use hull_model::{TableMapping, Validator};
use hull_value::TableNumber;

use super::{ImportError, ImportMode};
use crate::catalog::Catalog;

/// The largest number that a file may bring.
const LARGEST: u32 = i32::MAX as u32;

/// What is known of the numbers.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// As given when the import began; every imported table is here.
    given: BTreeMap<String, Option<TableNumber>>,
    by_name: BTreeMap<String, TableNumber>,
    by_number: BTreeMap<u32, String>,
    /// Tables of which rows were checked already.
    checked: Vec<String>,
}

impl Numbers {
    pub(super) fn new(given: BTreeMap<String, Option<TableNumber>>) -> Self {
        Self { given, ..Self::default() }
    }

    /// The number of an imported table, once it is settled.
    pub(super) fn of(&self, table: &str) -> Option<TableNumber> {
        self.by_name.get(table).copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.given.keys()
    }

    pub(super) fn has(&self, table: &str) -> bool {
        self.given.contains_key(table)
    }

    /// Notes that rows of a table are checked from now on.
    pub(super) fn note_checked(&mut self, table: &str) {
        if !self.checked.iter().any(|t| t == table) {
            self.checked.push(table.to_owned());
        }
    }

    pub(super) fn set(&mut self, table: &str, number: TableNumber) {
        self.by_name.insert(table.to_owned(), number);
        self.by_number.insert(number.0, table.to_owned());
    }

    /// Settles a table's number, where it is given, in the first row, or the table's own; `None` is a fresh one.
    pub(super) fn settle(
        &mut self,
        catalog: &Catalog,
        mode: ImportMode,
        table: &str,
        first: Option<TableNumber>,
    ) -> Result<Option<TableNumber>, ImportError> {
        if let Some(number) = self.of(table) {
            return Ok(Some(number));
        }
        let conflict =
            |number, reason| ImportError::TableNumberConflict { table: table.to_owned(), number, reason };
        let given = self.given.get(table).copied().flatten();
        let live = catalog.table(table).map(|t| t.number);
        if let (ImportMode::Append, Some(live)) = (mode, live) {
            if let Some(number) = given.filter(|given| *given != live) {
                return Err(conflict(
                    number,
                    format!("rows are appended to a table whose number is {}", live.0),
                ));
            }
            self.set(table, live);
            return Ok(Some(live));
        }
        let wanted = given.or(first);
        let own = live.filter(|live| !self.is_taken(*live, table));
        let Some(number) = wanted.or(own) else { return Ok(None) };
        if number.0 == 0 || number.0 > LARGEST {
            return Err(conflict(number, format!("numbers are from 1 to {LARGEST}")));
        }
        if self.is_taken(number, table) {
            return Err(conflict(number, "another imported table has it".to_owned()));
        }
        if let Some(other) = catalog.numbered(number).filter(|other| other.name != table) {
            let keeps = match mode {
                ImportMode::Append => true,
                ImportMode::RequireEmpty | ImportMode::Replace => !self.has(&other.name),
                // Its documents go, and it gets another number.
                ImportMode::ReplaceAll => false,
            };
            if keeps {
                return Err(conflict(
                    number,
                    format!("it is that of table \"{}\", which is not replaced", other.name),
                ));
            }
        }
        let refers = |by: &&String| {
            by.as_str() != table && catalog.validator(by).is_some_and(|v| references(&v, table))
        };
        if given.is_none()
            && live != Some(number)
            && let Some(by) = self.checked.iter().find(refers)
        {
            return Err(conflict(
                number,
                format!(
                    "rows of \"{by}\", which refer to it, came before its first row; give its number at the begin"
                ),
            ));
        }
        self.set(table, number);
        Ok(Some(number))
    }

    /// Whether another imported table has the number or is to have it.
    fn is_taken(&self, number: TableNumber, table: &str) -> bool {
        self.by_number.get(&number.0).is_some_and(|other| other != table)
            || self.given.iter().any(|(other, given)| other != table && *given == Some(number))
    }

    /// The numbers as they will be, over a catalog.
    pub(super) fn over<'a>(&'a self, catalog: &'a Catalog) -> Mapping<'a> {
        Mapping { numbers: self, catalog }
    }
}

/// Which number stands for which table after the import.
pub(super) struct Mapping<'a> {
    numbers: &'a Numbers,
    catalog: &'a Catalog,
}

impl TableMapping for Mapping<'_> {
    fn table_of(&self, number: TableNumber) -> Option<&str> {
        if let Some(table) = self.numbers.by_number.get(&number.0) {
            return Some(table);
        }
        let table = self.catalog.table_of(number)?;
        self.numbers.of(table).is_none().then_some(table)
    }

    fn number_of(&self, table: &str) -> Option<TableNumber> {
        self.numbers.of(table).or_else(|| self.catalog.number_of(table))
    }
}

/// Whether a document of this validator may hold the id of a document of `table`.
pub(super) fn references(validator: &Validator, table: &str) -> bool {
    match validator {
        Validator::Id(of) => of == table,
        Validator::Array(element) => references(element, table),
        Validator::Object(fields) => fields.values().any(|f| references(&f.validator, table)),
        Validator::Record(keys, values) => references(keys, table) || references(values, table),
        Validator::Union(members) => members.iter().any(|m| references(m, table)),
        _ => false,
    }
}
