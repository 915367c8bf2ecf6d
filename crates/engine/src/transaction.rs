//! A transaction: reads at one snapshot, its own writes, and the set of what it read.
//!
//! Guarantee: everything that an answer depended on, the absence of documents and tables included, is in the read
//! set. A transaction that is dropped has done nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hull_model::TableMapping;
use hull_value::{DocumentId, FieldPath, Packed, TableNumber, Timestamp};

use smallvec::SmallVec;

use crate::catalog::{BY_ID, Catalog, TABLES, TableInfo, table_key};
use crate::clock::IdMaker;
use crate::document::Document;
use crate::engine::Inner;
use crate::error::TxError;
use crate::fields::{FieldMask, Projection};
use crate::key::{Keyspace, key, prefix_end, storage_key};
use crate::limits::{Limits, Usage};
use crate::overlay::Found;
use crate::read_set::ReadSet;
use crate::slot::SlotId;
use crate::snapshot::Snapshot;
use crate::writes::{Pending, Savepoint, Writes};

/// So many of the documents last read are remembered with their slots, for the writes that follow.
const RECENT: usize = 8;

/// A document that was found, with what a write to it needs.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) document: Document,
    pub(crate) slot: Option<SlotId>,
    pub(crate) ts: Timestamp,
}

/// A transaction.
pub struct Transaction {
    pub(crate) engine: Arc<Inner>,
    pub(crate) snapshot: Snapshot,
    /// How many commits there had been when this began, roughly.
    pub(crate) commits_before: u64,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) read_only: bool,
    /// Whether increments are ordinary reads and writes.
    pub(crate) without_folds: bool,
    pub(crate) reads: ReadSet,
    pub(crate) writes: Writes,
    pub(crate) ids: IdMaker,
    pub(crate) creation_time: Option<f64>,
    /// Points of the read set that searches have added.
    found: u32,
    usage: Usage,
    limits: Limits,
    tables: SmallVec<[Keyspace; 4]>,
    recent: Vec<Read>,
    next_recent: usize,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction")
            .field("snapshot", &self.snapshot.ts())
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}

impl Transaction {
    pub(crate) fn new(
        engine: Arc<Inner>,
        snapshot: Snapshot,
        catalog: Arc<Catalog>,
        read_only: bool,
    ) -> Self {
        let commits_before = engine.commits.load(Ordering::Relaxed);
        Self {
            engine,
            snapshot,
            commits_before,
            catalog,
            read_only,
            without_folds: false,
            reads: ReadSet::new(),
            writes: Writes::default(),
            ids: IdMaker::default(),
            creation_time: None,
            found: 0,
            usage: Usage::default(),
            limits: Limits::default(),
            tables: SmallVec::new(),
            recent: Vec::new(),
            next_recent: 0,
        }
    }

    /// The timestamp whose state this transaction reads.
    pub fn snapshot(&self) -> Timestamp {
        self.snapshot.ts()
    }

    /// Which table number stands for which table, this transaction's own new tables included. What is learned from it is
    /// not in the read set: who makes it a part of an answer calls [`Transaction::depend_on_tables`], or reads the table.
    pub fn table_mapping(&self) -> &dyn TableMapping {
        &*self.catalog
    }

    /// Makes this transaction depend on which tables there are, and on their numbers.
    pub fn depend_on_tables(&mut self) {
        let end = prefix_end(TABLES);
        self.reads.add_range(Keyspace::CATALOG, FieldMask::ALL, TABLES, end.as_deref());
    }

    /// What the transaction has used up.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// What the transaction may use up.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Sets what the transaction may use up.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// A transaction that reads the same snapshot beside this one. It doesn't see what this one has written, and what it
    /// reads is no part of this one's read set. It begins with what this one has used up.
    pub fn stale(&self) -> Result<Transaction, TxError> {
        let ts = self.snapshot.ts();
        let snapshot = self.engine.snapshots.register(|| ts);
        // This transaction's own snapshot keeps it there.
        let snapshot = snapshot.map_err(|_| TxError::Damaged(format!("the snapshot at {ts} is gone")))?;
        let mut stale = Transaction::new(self.engine.clone(), snapshot, self.engine.catalog_at(ts), true);
        (stale.usage, stale.limits) = (self.usage, self.limits);
        Ok(stale)
    }

    /// Counts what a transaction beside this one has read, from one usage to another.
    pub fn use_up(&mut self, from: &Usage, to: &Usage) -> Result<(), TxError> {
        self.usage.documents_read += to.documents_read.saturating_sub(from.documents_read);
        self.usage.bytes_read += to.bytes_read.saturating_sub(from.bytes_read);
        self.usage.reads += to.reads.saturating_sub(from.reads);
        self.check_read()
    }

    /// What was read so far.
    pub fn read_set(&self) -> &ReadSet {
        &self.reads
    }

    /// What was read, sorted and merged; ends the transaction.
    pub fn into_read_set(mut self) -> ReadSet {
        if self.usage.bytes_read > self.limits.bytes_read {
            // That this is too much depends on every field of what was read.
            self.reads.widen();
        }
        self.reads.seal();
        std::mem::take(&mut self.reads)
    }

    /// Whether the transaction has written anything.
    pub fn has_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// A point to roll back to.
    pub fn savepoint(&self) -> Savepoint {
        self.writes.savepoint(&self.catalog)
    }

    /// Undoes all writes since `savepoint`. What was read stays read, and what was used up stays used up.
    pub fn rollback_to(&mut self, savepoint: Savepoint) {
        self.writes.rollback_to(&savepoint);
        // Some of what was read were the writes.
        self.recent.clear();
        self.next_recent = 0;
        self.catalog = savepoint.catalog;
    }

    /// Drops all writes: nothing but reads is left.
    pub(crate) fn abandon_writes(&mut self) {
        self.writes = Writes::default();
    }

    /// The document of this id.
    pub fn get(&mut self, id: DocumentId) -> Result<Option<Document>, TxError> {
        self.look_up(id, Projection::Whole)
    }

    /// The document of this id, for a caller who looks at no more of it than these top-level fields, if at any.
    pub fn get_fields(&mut self, id: DocumentId, fields: &[&str]) -> Result<Option<Document>, TxError> {
        self.look_up(id, Projection::Fields(fields))
    }

    #[inline]
    fn look_up(&mut self, id: DocumentId, projection: Projection<'_>) -> Result<Option<Document>, TxError> {
        if !self.read_only {
            let Some(table) = self.table_numbered(id.table) else { return Ok(None) };
            let mask = table.fields.read(projection);
            let read = self.read(&table, mask, &id.internal.0)?;
            return Ok(read.map(|r| r.document));
        }
        // Without writes, and with nobody to remember the document for.
        let Some(table) = self.catalog.numbered(id.table) else {
            self.table_numbered(id.table);
            return Ok(None);
        };
        depend_on(&mut self.tables, &mut self.reads, table);
        note_read(&mut self.usage, &mut self.reads, &self.limits, self.found)?;
        self.reads.add_point_of(table.by_id, table.fields.read(projection), &id.internal.0);
        let Some(read) = self.engine.read(table, &id.internal.0, self.snapshot.ts())? else {
            return Ok(None);
        };
        self.count_document(&read.document)?;
        Ok(Some(read.document))
    }

    /// The row under `k` in one of the engine's own keyspaces, with the commit that wrote it; zero stands for this
    /// transaction.
    pub fn get_system(
        &mut self,
        keyspace: Keyspace,
        k: &[u8],
    ) -> Result<Option<(Timestamp, Packed)>, TxError> {
        let table = self.engine.system(keyspace)?;
        self.reads.add_point(keyspace, k);
        if let Some(at) = self.writes.find(keyspace, k) {
            return Ok(self.writes.list[at].new.as_ref().map(|d| (Timestamp(0), d.value.clone())));
        }
        Ok(self.engine.read(&table, k, self.snapshot.ts())?.map(|r| (r.ts, r.document.value)))
    }

    /// The fields of an index, the appended creation time included; `None` if the table is not there.
    pub fn index_fields(&mut self, table: &str, index: &str) -> Result<Option<Vec<FieldPath>>, TxError> {
        let Some(table) = self.table_named(table) else { return Ok(None) };
        let system = |name: &str| name.parse::<FieldPath>().map_err(|e| TxError::Damaged(e.to_string()));
        if index == BY_ID {
            return Ok(Some(vec![system("_id")?]));
        }
        let mut fields = table.index(index)?.spec.fields.to_vec();
        fields.push(system("_creationTime")?);
        Ok(Some(fields))
    }

    /// The field whose text a search index searches; `None` if the table is not there.
    pub fn search_field(&mut self, table: &str, index: &str) -> Result<Option<FieldPath>, TxError> {
        let Some(table) = self.table_named(table) else { return Ok(None) };
        Ok(Some(table.search(index)?.spec.search_field.clone()))
    }

    /// Makes this transaction depend on the row under `k`, as a read would, for a caller who knows what is there.
    pub fn depend_on_system(&mut self, keyspace: Keyspace, k: &[u8]) {
        self.reads.add_point(keyspace, k);
    }

    /// Writes a row of one of the engine's own keyspaces, or deletes it; reads nothing.
    pub fn put_system(
        &mut self,
        keyspace: Keyspace,
        k: &[u8],
        value: Option<&Packed>,
    ) -> Result<(), TxError> {
        self.check_writable()?;
        let table = self.engine.system(keyspace)?;
        let new = value.map(|v| Document::row(v.clone()));
        match self.writes.find(keyspace, k) {
            Some(at) => self.writes.change(at, new),
            None => {
                self.writes.add(Pending { table, key: key(k), slot: None, base: None, new, blind: true });
            }
        }
        Ok(())
    }

    pub(crate) fn check_writable(&self) -> Result<(), TxError> {
        if self.read_only { Err(TxError::ReadOnly) } else { Ok(()) }
    }

    /// The table of this name; that it is or is not there is read.
    pub(crate) fn table_named(&mut self, name: &str) -> Option<Arc<TableInfo>> {
        match self.catalog.table(name) {
            Some(table) => {
                let table = table.clone();
                depend_on(&mut self.tables, &mut self.reads, &table);
                Some(table)
            }
            None => {
                self.reads.add_point(Keyspace::CATALOG, &table_key(name));
                None
            }
        }
    }

    /// The table of this number; that it is or is not there is read.
    pub(crate) fn table_numbered(&mut self, number: TableNumber) -> Option<Arc<TableInfo>> {
        match self.catalog.numbered(number) {
            Some(table) => {
                let table = table.clone();
                depend_on(&mut self.tables, &mut self.reads, &table);
                Some(table)
            }
            None => {
                self.depend_on_tables();
                None
            }
        }
    }

    /// Reads a document by id, counted and noted as looked at in so far.
    pub(crate) fn read(
        &mut self,
        table: &Arc<TableInfo>,
        mask: FieldMask,
        k: &[u8],
    ) -> Result<Option<Read>, TxError> {
        self.note_read()?;
        self.look_at(table, mask, k)
    }

    /// Reads a document that a search has found: the search was counted as a read, and this is none of its own.
    pub(crate) fn read_found(
        &mut self,
        table: &Arc<TableInfo>,
        mask: FieldMask,
        k: &[u8],
    ) -> Result<Option<Read>, TxError> {
        self.found += 1;
        self.look_at(table, mask, k)
    }

    fn look_at(
        &mut self,
        table: &Arc<TableInfo>,
        mask: FieldMask,
        k: &[u8],
    ) -> Result<Option<Read>, TxError> {
        self.reads.add_point_of(table.by_id, mask, k);
        self.settle(table, mask, k);
        let found = self.find(table, k)?;
        if let Some(read) = &found {
            self.count_document(&read.document)?;
        }
        Ok(found)
    }

    pub(crate) fn find(&mut self, table: &Arc<TableInfo>, k: &[u8]) -> Result<Option<Read>, TxError> {
        if let Some(at) = self.writes.find(table.by_id, k) {
            let pending = &self.writes.list[at];
            let document = pending.new.clone();
            let ts = pending.base.as_ref().map_or(Timestamp(0), |b| b.ts);
            return Ok(document.map(|document| Read { document, slot: pending.slot, ts }));
        }
        if let Some(read) =
            self.recent.iter().find(|r| r.document.id.internal.0 == *k && r.document.id.table == table.number)
        {
            return Ok(Some(read.clone()));
        }
        let found = self.engine.read(table, k, self.snapshot.ts())?;
        if let Some(read) = &found {
            self.remember(read.clone());
        }
        Ok(found)
    }

    /// Remembers a document that was read, with its slot.
    pub(crate) fn remember(&mut self, read: Read) {
        if self.read_only {
            return;
        }
        if self.recent.len() < RECENT {
            if self.recent.capacity() == 0 {
                self.recent.reserve(RECENT);
            }
            self.recent.push(read);
        } else {
            self.recent[self.next_recent] = read;
            self.next_recent = (self.next_recent + 1) % RECENT;
        }
    }

    /// Counts one get or scan.
    pub(crate) fn note_read(&mut self) -> Result<(), TxError> {
        note_read(&mut self.usage, &mut self.reads, &self.limits, self.found)
    }

    /// Counts a document that was read.
    pub(crate) fn count_document(&mut self, document: &Document) -> Result<(), TxError> {
        self.usage.documents_read += 1;
        self.usage.bytes_read += u64::from(document.size);
        self.check_read()
    }

    fn check_read(&self) -> Result<(), TxError> {
        if self.usage.documents_read > self.limits.documents_read {
            return Err(TxError::TooManyDocumentsRead(self.limits.documents_read));
        }
        if self.usage.bytes_read > self.limits.bytes_read {
            return Err(TxError::TooManyBytesRead(self.limits.bytes_read));
        }
        Ok(())
    }

    /// Counts a document that is written.
    pub(crate) fn count_write(&mut self, size: usize) -> Result<(), TxError> {
        self.usage.documents_written += 1;
        self.usage.bytes_written += size as u64;
        if self.usage.documents_written > self.limits.documents_written {
            return Err(TxError::TooManyWrites(self.limits.documents_written));
        }
        if self.usage.bytes_written > self.limits.bytes_written {
            return Err(TxError::TooManyBytesWritten(self.limits.bytes_written));
        }
        Ok(())
    }
}

/// Notes that the answer depends on a table's row of the catalog.
fn depend_on(tables: &mut SmallVec<[Keyspace; 4]>, reads: &mut ReadSet, table: &TableInfo) {
    if !tables.contains(&table.by_id) {
        tables.push(table.by_id);
        reads.add_point(Keyspace::CATALOG, &table.row_key);
    }
}

/// Counts one get, scan or search; `found` are the points of the read set that are none of these.
fn note_read(usage: &mut Usage, reads: &mut ReadSet, limits: &Limits, found: u32) -> Result<(), TxError> {
    usage.reads += 1;
    let most = limits.intervals_read.saturating_add(found) as usize;
    if reads.count(most) > most {
        return Err(TxError::TooManyReads(limits.intervals_read));
    }
    Ok(())
}

impl Inner {
    /// The document under `k` as of `ts`: from the overlay, else from storage.
    pub(crate) fn read(&self, table: &TableInfo, k: &[u8], ts: Timestamp) -> Result<Option<Read>, TxError> {
        match table.store.get(k, ts) {
            Found::Here(slot, document, ts) => {
                Ok(document.map(|document| Read { document, slot: Some(slot), ts }))
            }
            Found::Absent => Ok(None),
            Found::AskStorage => {
                let Some(stored) = self.storage.get(&storage_key(table.by_id, k))? else { return Ok(None) };
                let (ts, document) = Document::from_storage(table.number, k, &stored)?;
                Ok(Some(Read { document, slot: None, ts }))
            }
        }
    }
}
