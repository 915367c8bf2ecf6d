//! Inserting, patching, replacing and deleting documents, with the rules that every document obeys.
//!
//! A write that changes nothing is not a write. The schema is checked here, at the time of the write, on the whole
//! resulting document without its system fields.

use std::sync::Arc;

use hull_model::{CREATION_TIME_FIELD, ID_FIELD};
use hull_value::{DocumentId, ObjectRef, Packed, ValueRef, check_identifier};

use crate::catalog::{NUMBERS, TableInfo, emptied, new_table, row, table_key};
use crate::document::Document;
use crate::error::TxError;
use crate::fields::FieldMask;
use crate::key::{Keyspace, key};
use crate::limits::{MAX_DOCUMENT_NESTING, MAX_DOCUMENT_SIZE, MAX_TABLES};
use crate::overlay::Residency;
use crate::slot::Version;
use crate::transaction::{Read, Transaction};
use crate::writes::Pending;

impl Transaction {
    /// Inserts a document and returns its id. A table that is not there is made.
    pub fn insert(&mut self, table: &str, object: &Packed) -> Result<DocumentId, TxError> {
        self.check_writable()?;
        let table = self.table_to_write(table)?;
        let fields = object_of(object)?;
        for (name, _) in fields.iter() {
            if name.starts_with('_') {
                return Err(TxError::InvalidDocument(format!(
                    "The field `{name}` cannot be set on insert: names beginning with `_` belong to the system"
                )));
            }
            check_name(name)?;
        }
        self.check_schema(&table, object)?;
        let id = DocumentId { table: table.number, internal: self.next_id() };
        let creation_time = self.next_creation_time();
        let value = with_system_fields(object, id, creation_time)?;
        let document = Document::new(id, creation_time, value);
        self.check_and_count(&document)?;
        self.writes.add(Pending {
            table,
            key: key(&id.internal.0),
            slot: None,
            base: None,
            new: Some(document),
            blind: false,
        });
        Ok(id)
    }

    /// Sets top-level fields of a document; `None` removes the field.
    pub fn patch(&mut self, id: DocumentId, changes: &[(&str, Option<ValueRef<'_>>)]) -> Result<(), TxError> {
        let (table, old) = self.existing(id, "Update")?;
        for (name, value) in changes {
            check_field(name, *value, &old.document)?;
        }
        let (value, growth) = old
            .document
            .value
            .merge_and_measure(changes)
            .map_err(|e| TxError::InvalidDocument(e.to_string()))?;
        if value == old.document.value {
            return Ok(());
        }
        // What does not change matched the validator before, and nests no deeper than before.
        let nested = |value: ValueRef<'_>| matches!(value, ValueRef::Array(_) | ValueRef::Object(_));
        if changes.iter().any(|(_, value)| value.is_some_and(nested))
            || table.validator.as_ref().is_some_and(|v| !v.keeps(changes, &*self.catalog))
        {
            return self.write(table, old, value);
        }
        let size = old.document.size.saturating_add_signed(i32::try_from(growth).unwrap_or(i32::MAX));
        let new = Document { value, size, ..old.document };
        check_size(&new)?;
        self.count_write(new.size as usize)?;
        self.put(table, old, Some(new));
        Ok(())
    }

    /// Replaces all fields of a document but `_id` and `_creationTime`.
    pub fn replace(&mut self, id: DocumentId, object: &Packed) -> Result<(), TxError> {
        let (table, old) = self.existing(id, "Replace")?;
        for (name, value) in object_of(object)?.iter() {
            check_field(name, Some(value), &old.document)?;
        }
        let value = with_system_fields(object, id, old.document.creation_time)?;
        self.write(table, old, value)
    }

    /// Deletes a document.
    pub fn delete(&mut self, id: DocumentId) -> Result<(), TxError> {
        let (table, old) = self.existing(id, "Delete")?;
        self.count_write(0)?;
        self.put(table, old, None);
        Ok(())
    }

    pub(crate) fn existing(
        &mut self,
        id: DocumentId,
        operation: &'static str,
    ) -> Result<(Arc<TableInfo>, Read), TxError> {
        self.check_writable()?;
        let Some(table) = self.table_numbered(id.table) else {
            return Err(TxError::NonexistentDocument { operation, id });
        };
        // As a whole, whatever was looked at before: the version that is written holds the other fields too.
        match self.read(&table, FieldMask::ALL, &id.internal.0)? {
            Some(read) => Ok((table, read)),
            None => Err(TxError::NonexistentDocument { operation, id }),
        }
    }

    fn write(&mut self, table: Arc<TableInfo>, old: Read, value: Packed) -> Result<(), TxError> {
        if value == old.document.value {
            return Ok(());
        }
        if let Some(validator) = &table.validator {
            validator.check_document(value.as_ref(), &*self.catalog).map_err(|error| {
                TxError::SchemaEnforcement { table: table.name.clone(), error: Box::new(error) }
            })?;
        }
        let new = Document::new(old.document.id, old.document.creation_time, value);
        self.check_and_count(&new)?;
        self.put(table, old, Some(new));
        Ok(())
    }

    /// Writes over a document that was read just now.
    pub(crate) fn put(&mut self, table: Arc<TableInfo>, old: Read, new: Option<Document>) {
        let k = old.document.id.internal.0;
        match self.writes.find(table.by_id, &k) {
            Some(at) => self.writes.change(at, new),
            None => {
                let Read { document, slot, ts } = old;
                let base = Some(Version { ts, document: Some(document) });
                self.writes.add(Pending { table, key: key(&k), slot, base, new, blind: false });
            }
        }
    }

    fn check_schema(&self, table: &TableInfo, object: &Packed) -> Result<(), TxError> {
        match &table.validator {
            Some(validator) => validator.check(object.as_ref(), &*self.catalog).map_err(|error| {
                TxError::SchemaEnforcement { table: table.name.clone(), error: Box::new(error) }
            }),
            None => Ok(()),
        }
    }

    fn check_and_count(&mut self, document: &Document) -> Result<(), TxError> {
        check_size(document)?;
        // A document nests no deeper than half its bytes.
        if document.value.bytes().len() > MAX_DOCUMENT_NESTING {
            let depth = document.value.nesting();
            if depth > MAX_DOCUMENT_NESTING {
                return Err(TxError::TooNested { depth, limit: MAX_DOCUMENT_NESTING });
            }
        }
        self.count_write(document.size as usize)
    }

    pub(crate) fn next_id(&mut self) -> hull_value::InternalId {
        let engine = self.engine.clone();
        self.ids.next(engine.clock.now(), &engine.entropy)
    }

    /// The creation times of one transaction grow: from the newest commit or the wall clock, by the least step.
    pub(crate) fn next_creation_time(&mut self) -> f64 {
        let next = match self.creation_time {
            Some(last) => last.next_up(),
            None => {
                let seed = self.engine.clock.now().0.max(self.engine.ordered().0 + 1);
                seed as f64 / 1e6
            }
        };
        self.creation_time = Some(next);
        next
    }

    /// The table of this name, made when it is not there.
    pub(crate) fn table_to_write(&mut self, name: &str) -> Result<Arc<TableInfo>, TxError> {
        if let Some(table) = self.table_named(name) {
            return Ok(table);
        }
        let invalid = |reason: String| TxError::InvalidTableName { name: name.into(), reason };
        check_identifier(name).map_err(|e| invalid(e.to_string()))?;
        if name.starts_with('_') {
            return Err(invalid("names beginning with `_` belong to the system".into()));
        }
        self.make_table(name, None)
    }

    /// Makes a table that is not there, with this number or a fresh one.
    pub(crate) fn make_table(&mut self, name: &str, number: Option<u32>) -> Result<Arc<TableInfo>, TxError> {
        if self.catalog.len() >= MAX_TABLES {
            return Err(TxError::TooManyTables(MAX_TABLES));
        }
        self.reads.add_point(Keyspace::CATALOG, NUMBERS);
        let mut numbers = self.catalog.numbers;
        let table = row(&match number {
            Some(number) => emptied(&new_table(&mut numbers), number, &mut numbers),
            None => new_table(&mut numbers),
        })?;
        self.put_catalog(vec![(table_key(name), Some(table)), (key(NUMBERS), Some(row(&numbers)?))])?;
        self.table_named(name).ok_or_else(|| TxError::Damaged(format!("table {name} was not made")))
    }

    /// Writes rows of the catalog; this transaction sees their effect at once.
    pub(crate) fn put_catalog(
        &mut self,
        rows: Vec<(crate::key::Key, Option<Packed>)>,
    ) -> Result<(), TxError> {
        let mut changes = Vec::with_capacity(rows.len());
        for (k, value) in rows {
            self.put_system(Keyspace::CATALOG, &k, value.as_ref())?;
            changes.push((k, value.map(Document::row)));
        }
        self.catalog = Arc::new(self.catalog.with(&changes, Residency::Complete)?);
        Ok(())
    }
}

pub(crate) fn check_size(document: &Document) -> Result<(), TxError> {
    let size = document.size as usize;
    if size > MAX_DOCUMENT_SIZE {
        return Err(TxError::ValueTooLarge { size, limit: MAX_DOCUMENT_SIZE });
    }
    Ok(())
}

fn object_of(value: &Packed) -> Result<ObjectRef<'_>, TxError> {
    match value.as_ref() {
        ValueRef::Object(object) => Ok(object),
        _ => Err(TxError::InvalidDocument("A document must be an object".into())),
    }
}

pub(crate) fn check_field(name: &str, value: Option<ValueRef<'_>>, old: &Document) -> Result<(), TxError> {
    match name {
        ID_FIELD => match value {
            Some(ValueRef::String(given)) if given == old.id.to_string() => Ok(()),
            given => Err(TxError::InvalidId { given: show(given), expected: old.id }),
        },
        CREATION_TIME_FIELD => match value {
            Some(ValueRef::Float64(given)) if given.to_bits() == old.creation_time.to_bits() => Ok(()),
            given => Err(TxError::InvalidCreationTime { given: show(given), expected: old.creation_time }),
        },
        _ if name.starts_with('_') => Err(TxError::InvalidDocument(format!(
            "Invalid field name `{name}`: names beginning with `_` belong to the system"
        ))),
        _ => check_name(name),
    }
}

fn check_name(name: &str) -> Result<(), TxError> {
    check_identifier(name).map_err(|e| TxError::InvalidDocument(format!("Invalid field name `{name}`: {e}")))
}

fn with_system_fields(object: &Packed, id: DocumentId, creation_time: f64) -> Result<Packed, TxError> {
    let text = id.to_string();
    object
        .merge(&[
            (CREATION_TIME_FIELD, Some(ValueRef::Float64(creation_time))),
            (ID_FIELD, Some(ValueRef::String(&text))),
        ])
        .map_err(|e| TxError::InvalidDocument(e.to_string()))
}

fn show(value: Option<ValueRef<'_>>) -> String {
    value.map_or_else(|| "undefined".into(), |v| format!("{v:?}"))
}
