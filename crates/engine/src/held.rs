//! Reading a held snapshot: a range of storage and then the undo of that range, merged, chunk by chunk.

use std::collections::HashMap;

use hull_value::{TableNumber, Timestamp};

use crate::catalog::{Catalog, CatalogChanges, TableInfo};
use crate::document::Document;
use crate::error::{HoldError, TxError};
use crate::hold::{Held, Hold};
use crate::key::{Key, Keyspace, key, storage_end, storage_key};
use crate::overlay::Residency;
use crate::storage::{Chunk, Entry};

/// What is read at once.
const CHUNK_KEYS: usize = 256;
const CHUNK_BYTES: usize = 1 << 20;
/// Index keys, which have no values, are read more at once when they are only counted.
const COUNT_KEYS: usize = 4096;

/// The key above `key`.
fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

impl Held {
    /// The first entries of a range as of the held timestamp, ascending. `more` says that there may be others.
    /// A forward scan goes on at the second part of what is returned.
    pub(crate) fn range(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        limit_keys: usize,
        limit_bytes: usize,
    ) -> Result<(Vec<Entry>, Option<Vec<u8>>), HoldError> {
        let Chunk { entries: mut stored, more } =
            self.inner.storage.range(start, end, false, limit_keys, limit_bytes)?;
        let mut next = stored.last().filter(|_| more).map(|(last, _)| after(last));
        let high = next.as_deref().or(end);
        let undone = self.inner.undone(start, high, self.ts(), limit_bytes)?;
        self.check()?;
        if let Some(covered) = undone.covered {
            stored.retain(|(k, _)| *k < covered);
            next = Some(covered);
        }
        if undone.entries.is_empty() {
            return Ok((stored, next));
        }
        let mut merged = Vec::with_capacity(stored.len() + undone.entries.len());
        let mut stored = stored.into_iter().peekable();
        for (k, old) in undone.entries {
            while let Some(entry) = stored.next_if(|(s, _)| *s < k) {
                merged.push(entry);
            }
            stored.next_if(|(s, _)| *s == k);
            merged.extend(old.map(|old| (k, old)));
        }
        merged.extend(stored);
        Ok((merged, next))
    }

    /// What a key held.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, HoldError> {
        let now = self.inner.storage.get(key)?;
        let undone = self.inner.undone(key, Some(&after(key)), self.ts(), CHUNK_BYTES)?;
        self.check()?;
        Ok(undone.entries.into_iter().next().map_or(now, |(_, old)| old))
    }

    /// The catalog as of the held timestamp.
    pub(crate) fn load_catalog(&self) -> Result<Catalog, HoldError> {
        let (mut from, end) = (storage_key(Keyspace::CATALOG, b""), storage_end(Keyspace::CATALOG));
        let mut changes: CatalogChanges = Vec::new();
        loop {
            let (entries, next) = self.range(&from, Some(&end), CHUNK_KEYS, CHUNK_BYTES)?;
            for (stored_key, stored) in entries {
                let k = key(&stored_key[4..]);
                let (_, row) = Document::from_storage(TableNumber(0), &k, &stored)?;
                changes.push((k, Some(row)));
            }
            match next {
                Some(next) => from = next,
                None => return Ok(Catalog::default().with(&changes, Residency::Partial)?),
            }
        }
    }

    /// The document under a key of `by_id`, and the commit that wrote it.
    pub(crate) fn document(
        &self,
        table: &TableInfo,
        k: &[u8],
    ) -> Result<Option<(Timestamp, Document)>, HoldError> {
        let Some(stored) = self.get(&storage_key(table.by_id, k))? else { return Ok(None) };
        Ok(Some(Document::from_storage(table.number, k, &stored)?))
    }
}

/// A key inside its keyspace, with its value.
pub(crate) type Row = (Key, Vec<u8>);

/// Walks one keyspace.
pub(crate) struct KeyspaceWalk {
    from: Option<Vec<u8>>,
    end: Vec<u8>,
}

impl KeyspaceWalk {
    pub(crate) fn new(keyspace: Keyspace) -> Self {
        Self { from: Some(storage_key(keyspace, b"")), end: storage_end(keyspace) }
    }

    /// The next entries, their keys without the keyspace; `None` at the end. May be empty in the middle.
    pub(crate) fn next(&mut self, held: &Held, limit_keys: usize) -> Result<Option<Vec<Row>>, HoldError> {
        let Some(from) = self.from.take() else { return Ok(None) };
        let (entries, next) = held.range(&from, Some(&self.end), limit_keys, CHUNK_BYTES)?;
        self.from = next;
        Ok(Some(entries.into_iter().map(|(k, value)| (key(k.get(4..).unwrap_or_default()), value)).collect()))
    }
}

impl Hold {
    /// Every document of a table, in the order of `_creationTime`, then of `_id`.
    pub fn documents(&self, table: &str) -> Result<HeldDocuments, HoldError> {
        let (_, keyspace) =
            self.creation_index(table)?.ok_or_else(|| HoldError::TableNotFound(table.into()))?;
        Ok(HeldDocuments {
            hold: self.clone(),
            table: table.into(),
            walk: KeyspaceWalk::new(keyspace),
            rows: Vec::new().into_iter(),
            dense: true,
        })
    }

    /// How many documents a table has; none when it is not there. Walks the keys of an index.
    pub fn count(&self, table: &str) -> Result<u64, HoldError> {
        let Some((_, keyspace)) = self.creation_index(table)? else { return Ok(0) };
        let mut walk = KeyspaceWalk::new(keyspace);
        let mut count = 0;
        while let Some(entries) = walk.next(&self.0, COUNT_KEYS)? {
            count += entries.len() as u64;
        }
        Ok(count)
    }

    fn creation_index(&self, table: &str) -> Result<Option<(&TableInfo, Keyspace)>, HoldError> {
        let Some(table) = self.0.catalog.table(table) else { return Ok(None) };
        let index = table.indexes.first().filter(|index| index.spec.fields.is_empty());
        let Some(index) = index else {
            return Err(HoldError::Damaged(format!(
                "table {} has no index on the creation time",
                table.name
            )));
        };
        if !index.ready {
            let (table, index) = (table.name.clone(), crate::catalog::BY_CREATION_TIME.into());
            return Err(TxError::IndexBackfilling { table, index }.into());
        }
        Ok(Some((table, index.spec.keyspace)))
    }

    /// Every stored key with its value, in the order of the keys, as storage has them: documents and index entries of
    /// all tables, the catalog, sessions, admin keys and notes; without the engine's own notes on storage.
    pub fn keys(&self) -> HeldKeys {
        HeldKeys { hold: self.clone(), from: Some(storage_key(Keyspace::CATALOG, b"")), user: false }
    }
}

/// The documents of a table of a held snapshot.
pub struct HeldDocuments {
    hold: Hold,
    table: String,
    walk: KeyspaceWalk,
    rows: std::vec::IntoIter<Document>,
    /// Whether documents that follow each other in time also do so by id, as they do unless they were imported.
    dense: bool,
}

impl HeldDocuments {
    /// The next documents, some hundreds or about 1 MiB; none at the end.
    pub fn next_chunk(&mut self) -> Result<Vec<Document>, HoldError> {
        let hold = self.hold.clone();
        let held = &*hold.0;
        let table = held.catalog.table(&self.table).cloned();
        let table = table.ok_or_else(|| HoldError::TableNotFound(self.table.clone()))?;
        while let Some(entries) = self.walk.next(held, CHUNK_KEYS)? {
            let mut found = self.read_together(&table, &entries)?;
            let mut documents = Vec::with_capacity(entries.len());
            for (k, _) in &entries {
                let id = id_of(k);
                let document = match found.remove(id) {
                    Some(document) => Some(document),
                    None => held.document(&table, id)?.map(|(_, document)| document),
                };
                documents.push(document.ok_or_else(|| {
                    let detail = "the index on the creation time names a document that is not there";
                    HoldError::Damaged(format!("table {}: {detail}", table.name))
                })?);
            }
            if !documents.is_empty() {
                return Ok(documents);
            }
        }
        Ok(Vec::new())
    }

    /// Most of the documents of a chunk of the index, where they lie together by id.
    fn read_together(
        &mut self,
        table: &TableInfo,
        entries: &[Row],
    ) -> Result<HashMap<Vec<u8>, Document>, HoldError> {
        let mut found = HashMap::new();
        let ids = || entries.iter().map(|(k, _)| id_of(k));
        let (Some(lowest), Some(highest)) = (ids().min(), ids().max()) else { return Ok(found) };
        if !self.dense {
            return Ok(found);
        }
        let mut from = Some(storage_key(table.by_id, lowest));
        let end = after(&storage_key(table.by_id, highest));
        let mut seen = 0;
        // No more is kept than the chunk asks for, and it is given up where others lie between.
        let wanted: std::collections::HashSet<&[u8]> = ids().collect();
        while let Some(start) = from.take() {
            let (chunk, next) = self.hold.0.range(&start, Some(&end), CHUNK_KEYS, CHUNK_BYTES)?;
            seen += chunk.len();
            for (stored_key, stored) in chunk {
                let id = stored_key.get(4..).unwrap_or_default();
                if wanted.contains(id) {
                    let (_, document) = Document::from_storage(table.number, id, &stored)?;
                    found.insert(id.to_vec(), document);
                }
            }
            from = next.filter(|_| seen < 2 * entries.len());
        }
        self.dense = 2 * found.len() >= entries.len();
        Ok(found)
    }
}

impl Iterator for HeldDocuments {
    type Item = Result<Document, HoldError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(document) = self.rows.next() {
            return Some(Ok(document));
        }
        match self.next_chunk() {
            Ok(rows) => {
                self.rows = rows.into_iter();
                self.rows.next().map(Ok)
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// The id at the end of an index key.
pub(crate) fn id_of(index_key: &[u8]) -> &[u8] {
    &index_key[index_key.len().saturating_sub(16)..]
}

/// The stored keys of a held snapshot.
pub struct HeldKeys {
    hold: Hold,
    from: Option<Vec<u8>>,
    /// Whether the engine's own keyspaces are behind.
    user: bool,
}

impl HeldKeys {
    /// The next entries, some hundreds or about 1 MiB; none at the end.
    pub fn next_chunk(&mut self) -> Result<Vec<Entry>, HoldError> {
        while let Some(from) = self.from.take() {
            let end = (!self.user).then(|| storage_key(Keyspace::UNDO, b""));
            let (entries, next) = self.hold.0.range(&from, end.as_deref(), CHUNK_KEYS, CHUNK_BYTES)?;
            self.from = next.or_else(|| (!self.user).then(|| storage_end(Keyspace::UNDO)));
            if self.from.as_ref().is_some_and(|from| *from >= storage_end(Keyspace::UNDO)) {
                self.user = true;
            }
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
        Ok(Vec::new())
    }
}
