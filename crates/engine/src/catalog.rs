//! The catalog: which tables there are, their numbers, indexes and validators, as of one snapshot.
//!
//! Rows of the keyspace [`Keyspace::CATALOG`], each a JSON text: `t/<table>` is a [`TableRow`], `numbers` the
//! [`NumbersRow`], `schema` the schema in Convex's JSON form, `dropped` the keyspaces whose rows in storage are garbage.

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_model::{Schema, TableMapping, Validator};
use hull_value::{FieldPath, Packed, TableNumber, Value, ValueRef};
use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::error::TxError;
use crate::key::{Key, Keyspace, key};
use crate::limits::FIRST_TABLE_NUMBER;
use crate::overlay::{IndexSpec, Residency, TableStore};

pub(crate) const NUMBERS: &[u8] = b"numbers";
pub(crate) const SCHEMA: &[u8] = b"schema";
pub(crate) const DROPPED: &[u8] = b"dropped";
pub(crate) const TABLES: &[u8] = b"t/";

/// The index of every table on the creation time alone.
pub const BY_CREATION_TIME: &str = "by_creation_time";
/// The index of every table on the id.
pub const BY_ID: &str = "by_id";

/// The key of a table's row.
pub(crate) fn table_key(table: &str) -> Key {
    key(&[TABLES, table.as_bytes()].concat())
}

/// A table as the catalog stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableRow {
    /// The number inside ids.
    pub(crate) number: u32,
    /// The keyspace of the documents.
    pub(crate) by_id: u32,
    /// The indexes; the first is [`BY_CREATION_TIME`].
    pub(crate) indexes: Vec<IndexRow>,
}

/// An index as the catalog stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IndexRow {
    pub(crate) keyspace: u32,
    /// Dotted paths.
    pub(crate) fields: Vec<String>,
    /// Its names: indexes with the same fields are one.
    pub(crate) names: Vec<String>,
    /// Where the backfill has got to: a key of the creation time index. Absent once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) backfill: Option<Vec<u8>>,
}

/// The next numbers to give out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumbersRow {
    pub(crate) table: u32,
    pub(crate) keyspace: u32,
}

impl Default for NumbersRow {
    fn default() -> Self {
        Self { table: FIRST_TABLE_NUMBER, keyspace: Keyspace::FIRST_USER.0 }
    }
}

/// One index of a table.
#[derive(Debug)]
pub(crate) struct IndexInfo {
    pub(crate) spec: IndexSpec,
    pub(crate) names: Vec<String>,
    pub(crate) ready: bool,
}

/// One table.
#[derive(Debug)]
pub(crate) struct TableInfo {
    pub(crate) name: String,
    pub(crate) row_key: Key,
    pub(crate) number: TableNumber,
    pub(crate) by_id: Keyspace,
    pub(crate) indexes: Vec<IndexInfo>,
    pub(crate) validator: Option<Arc<Validator>>,
    pub(crate) row: TableRow,
    pub(crate) store: Arc<TableStore>,
}

impl TableInfo {
    /// One of the engine's own keyspaces.
    pub(crate) fn system(name: &str, keyspace: Keyspace, residency: Residency) -> Arc<Self> {
        let store = Arc::new(TableStore::new(TableNumber(0), keyspace, Vec::new(), residency));
        Arc::new(Self {
            name: name.into(),
            row_key: Key::new(),
            number: TableNumber(0),
            by_id: keyspace,
            indexes: Vec::new(),
            validator: None,
            row: TableRow { number: 0, by_id: keyspace.0, indexes: Vec::new() },
            store,
        })
    }

    fn new(
        name: &str,
        row: TableRow,
        validator: Option<Arc<Validator>>,
        store: Option<Arc<TableStore>>,
        residency: Residency,
    ) -> Result<Arc<Self>, TxError> {
        let mut indexes = Vec::with_capacity(row.indexes.len());
        for index in &row.indexes {
            let fields: Result<Vec<FieldPath>, _> =
                index.fields.iter().map(|f| f.parse::<FieldPath>()).collect();
            let fields = fields.map_err(|e| TxError::Damaged(format!("index of table {name}: {e}")))?;
            indexes.push(IndexInfo {
                spec: IndexSpec { keyspace: Keyspace(index.keyspace), fields: fields.into() },
                names: index.names.clone(),
                ready: index.backfill.is_none(),
            });
        }
        let (number, by_id) = (TableNumber(row.number), Keyspace(row.by_id));
        let specs = indexes.iter().map(|i| i.spec.clone()).collect();
        let store = store.unwrap_or_else(|| Arc::new(TableStore::new(number, by_id, specs, residency)));
        Ok(Arc::new(Self {
            name: name.into(),
            row_key: table_key(name),
            number,
            by_id,
            indexes,
            validator,
            row,
            store,
        }))
    }

    /// The index of this name, if it can be read.
    pub(crate) fn index(&self, name: &str) -> Result<&IndexInfo, TxError> {
        match self.indexes.iter().find(|i| i.names.iter().any(|n| n == name)) {
            Some(index) if index.ready => Ok(index),
            Some(_) => Err(TxError::IndexBackfilling { table: self.name.clone(), index: name.into() }),
            None => Err(TxError::IndexNotFound { table: self.name.clone(), index: name.into() }),
        }
    }

    pub(crate) fn specs(&self) -> Vec<IndexSpec> {
        self.indexes.iter().map(|i| i.spec.clone()).collect()
    }
}

/// All tables as of one snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    by_name: BTreeMap<String, Arc<TableInfo>>,
    by_number: BTreeMap<u32, Arc<TableInfo>>,
    by_keyspace: BTreeMap<Keyspace, Arc<TableInfo>>,
    pub(crate) numbers: NumbersRow,
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) schema_json: Option<String>,
    pub(crate) dropped: Vec<u32>,
}

impl TableMapping for Catalog {
    fn table_of(&self, number: TableNumber) -> Option<&str> {
        self.by_number.get(&number.0).map(|t| t.name.as_str())
    }

    fn number_of(&self, table: &str) -> Option<TableNumber> {
        self.by_name.get(table).map(|t| t.number)
    }
}

/// Changed rows of the catalog: key, and the new value or `None` for a deletion.
pub(crate) type CatalogChanges = Vec<(Key, Option<Document>)>;

impl Catalog {
    pub(crate) fn table(&self, name: &str) -> Option<&Arc<TableInfo>> {
        self.by_name.get(name)
    }

    pub(crate) fn numbered(&self, number: TableNumber) -> Option<&Arc<TableInfo>> {
        self.by_number.get(&number.0)
    }

    pub(crate) fn of_keyspace(&self, by_id: Keyspace) -> Option<&Arc<TableInfo>> {
        self.by_keyspace.get(&by_id)
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Arc<TableInfo>> {
        self.by_name.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The validator that the schema sets for a table's documents.
    fn validator(&self, table: &str) -> Option<Arc<Validator>> {
        let schema = self.schema.as_ref().filter(|s| s.validate)?;
        schema.get(table).map(|t| Arc::new(t.document.clone()))
    }

    /// The catalog after some rows changed. A table that is new gets a store of the given residency.
    pub(crate) fn with(&self, changes: &CatalogChanges, residency: Residency) -> Result<Self, TxError> {
        let mut next = self.clone();
        let mut rows: BTreeMap<String, Option<TableRow>> = BTreeMap::new();
        for (k, document) in changes {
            let text = document.as_ref().map(|d| text(&d.value)).transpose()?;
            match &k[..] {
                NUMBERS => next.numbers = text.map(parse).transpose()?.unwrap_or_default(),
                DROPPED => next.dropped = text.map(parse).transpose()?.unwrap_or_default(),
                SCHEMA => {
                    next.schema_json = text.map(str::to_owned);
                    let schema = text.map(Schema::from_json_text).transpose();
                    next.schema = schema.map_err(TxError::Damaged)?.map(Arc::new);
                    for name in next.by_name.keys() {
                        rows.entry(name.clone())
                            .or_insert_with(|| self.by_name.get(name).map(|t| t.row.clone()));
                    }
                }
                k if k.starts_with(TABLES) => {
                    let name = String::from_utf8_lossy(&k[TABLES.len()..]).into_owned();
                    rows.insert(name, text.map(parse).transpose()?);
                }
                _ => return Err(TxError::Damaged("an unknown row in the catalog".into())),
            }
        }
        for (name, row) in rows {
            if let Some(old) = next.by_name.remove(&name) {
                next.by_number.remove(&old.number.0);
                next.by_keyspace.remove(&old.by_id);
            }
            if let Some(row) = row {
                let store = self.by_keyspace.get(&Keyspace(row.by_id)).map(|t| t.store.clone());
                let table = TableInfo::new(&name, row, next.validator(&name), store, residency)?;
                next.by_number.insert(table.number.0, table.clone());
                next.by_keyspace.insert(table.by_id, table.clone());
                next.by_name.insert(name, table);
            }
        }
        Ok(next)
    }
}

/// Reading a schema from its text.
trait FromJsonText: Sized {
    fn from_json_text(text: &str) -> Result<Self, String>;
}

impl FromJsonText for Schema {
    fn from_json_text(text: &str) -> Result<Self, String> {
        let json: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        Schema::from_json(&json).map_err(|e| e.to_string())
    }
}

fn text(value: &Packed) -> Result<&str, TxError> {
    match value.as_ref() {
        ValueRef::String(text) => Ok(text),
        _ => Err(TxError::Damaged("a row of the catalog is no text".into())),
    }
}

fn parse<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, TxError> {
    serde_json::from_str(text).map_err(|e| TxError::Damaged(format!("a row of the catalog: {e}")))
}

/// A row of the catalog as it is stored.
pub(crate) fn row<T: Serialize>(value: &T) -> Result<Packed, TxError> {
    let json = serde_json::to_string(value).map_err(|e| TxError::Damaged(e.to_string()))?;
    text_row(json)
}

/// A text as it is stored.
pub(crate) fn text_row(text: String) -> Result<Packed, TxError> {
    Packed::encode(&Value::String(text)).map_err(|e| TxError::InvalidDocument(e.to_string()))
}

/// The indexes of a new table: only the one on the creation time.
pub(crate) fn new_table(numbers: &mut NumbersRow) -> TableRow {
    let row = TableRow {
        number: numbers.table,
        by_id: numbers.keyspace,
        indexes: vec![IndexRow {
            keyspace: numbers.keyspace + 1,
            fields: Vec::new(),
            names: vec![BY_CREATION_TIME.into()],
            backfill: None,
        }],
    };
    numbers.table += 1;
    numbers.keyspace += 2;
    row
}
