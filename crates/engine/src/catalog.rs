//! The catalog: which tables there are, their numbers, indexes and validators, as of one snapshot.
//!
//! Rows of the keyspace [`Keyspace::CATALOG`], each a JSON text: `t/<table>` is a [`TableRow`], `numbers` the
//! [`NumbersRow`], `schema` the schema in Convex's JSON form, `dropped` the keyspaces whose rows in storage are garbage.
//! `h/<keyspace>/<table>` is the [`TableRow`] of a table that an import fills and nobody reads yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_model::{Schema, TableDef, TableMapping, Validator};
use hull_value::{FieldPath, Packed, TableNumber, Value, ValueRef};
use serde::{Deserialize, Serialize};

use crate::counters::{AggregateInfo, aggregates};
use crate::document::Document;
use crate::error::TxError;
use crate::fields::{FieldBits, FieldMask};
use crate::key::{Key, Keyspace, key};
use crate::limits::FIRST_TABLE_NUMBER;
use crate::overlay::{IndexSpec, Residency, TableStore};
use crate::record::{FieldNames, changed_fields};
use crate::search::{SearchInfo, SearchRow, SearchSpec};

pub(crate) const NUMBERS: &[u8] = b"numbers";
pub(crate) const SCHEMA: &[u8] = b"schema";
pub(crate) const DROPPED: &[u8] = b"dropped";
pub(crate) const TABLES: &[u8] = b"t/";
pub(crate) const HIDDEN: &[u8] = b"h/";

/// The index of every table on the creation time alone.
pub const BY_CREATION_TIME: &str = "by_creation_time";
/// The index of every table on the id.
pub const BY_ID: &str = "by_id";

/// The key of a table's row.
pub(crate) fn table_key(table: &str) -> Key {
    key(&[TABLES, table.as_bytes()].concat())
}

/// The key of the row of a hidden table, which may become `table`.
pub(crate) fn hidden_key(table: &str, by_id: u32) -> Key {
    key(&[HIDDEN, format!("{by_id:08x}/").as_bytes(), table.as_bytes()].concat())
}

/// The name in a hidden table's key.
fn hidden_name(k: &[u8]) -> String {
    String::from_utf8_lossy(k.get(HIDDEN.len() + 9..).unwrap_or_default()).into_owned()
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
    /// The search indexes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) searches: Vec<SearchRow>,
}

impl TableRow {
    /// The keyspace, the names and the fill of each index and each search index.
    pub(crate) fn derived(&mut self) -> impl Iterator<Item = (&mut u32, &[String], &mut Option<Vec<u8>>)> {
        let indexes = self.indexes.iter_mut().map(|i| (&mut i.keyspace, &i.names[..], &mut i.backfill));
        let searches = self.searches.iter_mut().map(|s| (&mut s.keyspace, &s.names[..], &mut s.backfill));
        indexes.chain(searches)
    }
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
    pub(crate) searches: Vec<SearchInfo>,
    pub(crate) aggregates: Vec<AggregateInfo>,
    pub(crate) validator: Option<Arc<Validator>>,
    pub(crate) fields: FieldBits,
    /// Whether the validator says `v.commitTs()` somewhere.
    pub(crate) stamped: bool,
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
            searches: Vec::new(),
            aggregates: Vec::new(),
            validator: None,
            fields: FieldBits::default(),
            stamped: false,
            row: TableRow { number: 0, by_id: keyspace.0, indexes: Vec::new(), searches: Vec::new() },
            store,
        })
    }

    fn new(
        name: &str,
        row_key: Key,
        row: TableRow,
        (declared, validator): (Option<&TableDef>, Option<Arc<Validator>>),
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
        let searches = row.searches.iter().map(|search| SearchInfo::new(name, search));
        let searches = searches.collect::<Result<Vec<_>, _>>()?;
        let (number, by_id) = (TableNumber(row.number), Keyspace(row.by_id));
        let specs = indexes.iter().map(|i| i.spec.clone()).collect();
        let store = store.unwrap_or_else(|| Arc::new(TableStore::new(number, by_id, specs, residency)));
        let fields = FieldBits::new(validator.as_deref());
        let stamped = validator.as_ref().is_some_and(|validator| validator.has_commit_ts());
        let aggregates = aggregates(declared, &indexes);
        Ok(Arc::new(Self {
            name: name.into(),
            row_key,
            number,
            by_id,
            indexes,
            searches,
            aggregates,
            validator,
            fields,
            stamped,
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

    /// The search index of this name, if it can be read.
    pub(crate) fn search(&self, name: &str) -> Result<&SearchInfo, TxError> {
        match self.searches.iter().find(|s| s.names.iter().any(|n| n == name)) {
            Some(search) if search.ready => Ok(search),
            Some(_) => Err(TxError::IndexBackfilling { table: self.name.clone(), index: name.into() }),
            None => Err(TxError::IndexNotFound { table: self.name.clone(), index: name.into() }),
        }
    }

    pub(crate) fn specs(&self) -> Vec<IndexSpec> {
        self.indexes.iter().map(|i| i.spec.clone()).collect()
    }

    pub(crate) fn search_specs(&self) -> Vec<SearchSpec> {
        self.searches.iter().map(|s| s.spec.clone()).collect()
    }

    /// What a write changes at the keys that its document keeps: the names of the fields, and their mask.
    pub(crate) fn change<'a>(
        &self,
        old: Option<&'a Document>,
        new: Option<&'a Document>,
    ) -> (FieldNames<'a>, FieldMask) {
        let (Some(old), Some(new)) = (old, new) else { return (FieldNames::new(), FieldMask::ALL) };
        let changed = changed_fields(&old.value, &new.value);
        let mask = self.fields.changed(&changed);
        (changed, mask)
    }
}

/// All tables as of one snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    by_name: BTreeMap<String, Arc<TableInfo>>,
    by_number: BTreeMap<u32, Arc<TableInfo>>,
    /// Hidden tables, by the keys of their rows.
    hidden: BTreeMap<Key, Arc<TableInfo>>,
    /// Hidden tables too.
    by_keyspace: BTreeMap<Keyspace, Arc<TableInfo>>,
    /// Also of tables that are gone and not cleaned up yet: older snapshots read them, and a replay may come from a
    /// catalog to an older one and back.
    stores: BTreeMap<Keyspace, Arc<TableStore>>,
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

    /// The hidden tables.
    pub(crate) fn hidden(&self) -> impl Iterator<Item = &Arc<TableInfo>> {
        self.hidden.values()
    }

    /// The hidden table whose row has this key.
    pub(crate) fn hidden_at(&self, k: &[u8]) -> Option<&Arc<TableInfo>> {
        self.hidden.get(k)
    }

    /// The overlays of all tables: of hidden ones and of those that are gone, too.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &Arc<TableStore>> {
        self.stores.values()
    }

    /// Whether this is the overlay of one of these.
    pub(crate) fn knows(&self, store: &TableStore) -> bool {
        self.stores.contains_key(&store.by_id)
    }

    /// The overlays of tables that are gone.
    pub(crate) fn gone(&self) -> impl Iterator<Item = &Arc<TableStore>> {
        self.stores.values().filter(|s| !self.by_keyspace.contains_key(&s.by_id))
    }

    /// The validator that the schema sets for a table's documents.
    pub(crate) fn validator(&self, table: &str) -> Option<Arc<Validator>> {
        let schema = self.schema.as_ref().filter(|s| s.validate)?;
        schema.get(table).map(|t| Arc::new(t.document.clone()))
    }

    /// The catalog after some rows changed. A table that is new gets a store of the given residency.
    pub(crate) fn with(&self, changes: &CatalogChanges, residency: Residency) -> Result<Self, TxError> {
        let mut next = self.clone();
        let mut rows: BTreeMap<Key, Option<TableRow>> = BTreeMap::new();
        for (k, document) in changes {
            let text = document.as_ref().map(|d| text(&d.value)).transpose()?;
            match &k[..] {
                NUMBERS => next.numbers = text.map(parse).transpose()?.unwrap_or_default(),
                DROPPED => next.dropped = text.map(parse).transpose()?.unwrap_or_default(),
                SCHEMA => {
                    next.schema_json = text.map(str::to_owned);
                    let schema = text.map(Schema::from_json_text).transpose();
                    next.schema = schema.map_err(TxError::Damaged)?.map(Arc::new);
                    for table in self.by_name.values().chain(self.hidden.values()) {
                        rows.entry(table.row_key.clone()).or_insert_with(|| Some(table.row.clone()));
                    }
                }
                k if k.starts_with(TABLES) || k.starts_with(HIDDEN) => {
                    rows.insert(key(k), text.map(parse).transpose()?);
                }
                _ => return Err(TxError::Damaged("an unknown row in the catalog".into())),
            }
        }
        // All old rows go before any new one comes: a number or a keyspace may move from one to another.
        for k in rows.keys() {
            next.remove(k);
        }
        for (k, row) in rows {
            if let Some(row) = row {
                next.insert(k, row, residency)?;
            }
        }
        for cleaned in self.dropped.iter().filter(|k| !next.dropped.contains(k)) {
            if !next.by_keyspace.contains_key(&Keyspace(*cleaned)) {
                next.stores.remove(&Keyspace(*cleaned));
            }
        }
        Ok(next)
    }

    fn remove(&mut self, k: &Key) {
        let old = match k.strip_prefix(TABLES) {
            Some(name) => self.by_name.remove(&*String::from_utf8_lossy(name)),
            None => self.hidden.remove(k),
        };
        let Some(old) = old else { return };
        if self.by_number.get(&old.number.0).is_some_and(|t| Arc::ptr_eq(t, &old)) {
            self.by_number.remove(&old.number.0);
        }
        if self.by_keyspace.get(&old.by_id).is_some_and(|t| Arc::ptr_eq(t, &old)) {
            self.by_keyspace.remove(&old.by_id);
        }
    }

    fn insert(&mut self, k: Key, row: TableRow, residency: Residency) -> Result<(), TxError> {
        let visible = k.strip_prefix(TABLES).map(|name| String::from_utf8_lossy(name).into_owned());
        let is_visible = visible.is_some();
        let name = visible.unwrap_or_else(|| hidden_name(&k));
        let store = self.stores.get(&Keyspace(row.by_id)).cloned();
        let declared = self.schema.as_ref().and_then(|schema| schema.get(&name));
        let declared = (declared, self.validator(&name));
        let table = TableInfo::new(&name, k.clone(), row, declared, store, residency)?;
        self.stores.insert(table.by_id, table.store.clone());
        self.by_keyspace.insert(table.by_id, table.clone());
        if is_visible {
            self.by_number.insert(table.number.0, table.clone());
            self.by_name.insert(name, table);
        } else {
            self.hidden.insert(k, table);
        }
        Ok(())
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

/// An empty table with the indexes of `like` and keyspaces of its own.
pub(crate) fn emptied(like: &TableRow, number: u32, numbers: &mut NumbersRow) -> TableRow {
    let mut take = || {
        numbers.keyspace += 1;
        numbers.keyspace - 1
    };
    let by_id = take();
    let indexes = like.indexes.iter().map(|index| IndexRow {
        keyspace: take(),
        fields: index.fields.clone(),
        names: index.names.clone(),
        backfill: None,
    });
    let indexes = indexes.collect();
    let searches = like.searches.iter().map(|search| search.anew(take(), None)).collect();
    let row = TableRow { number, by_id, indexes, searches };
    numbers.table = numbers.table.max(number.saturating_add(1));
    row
}

/// The keyspaces of a table.
pub(crate) fn keyspaces(row: &TableRow) -> impl Iterator<Item = u32> {
    let searches = row.searches.iter().map(|search| search.keyspace);
    std::iter::once(row.by_id).chain(row.indexes.iter().map(|index| index.keyspace)).chain(searches)
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
        searches: Vec::new(),
    };
    numbers.table += 1;
    numbers.keyspace += 2;
    row
}
