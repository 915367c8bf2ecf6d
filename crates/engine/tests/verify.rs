//! What is wrong in the store is found and named, and what is derived is made anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::*;
use hull_engine::log::MemoryLog;
use hull_engine::storage::{Batch, Chunk, Entry, MemoryStorage, Storage, StorageError, StorageStats};
use hull_engine::{Engine, Hold, KeyRange, ManualClock, Options, Order, VerifiedTable, VerifyReport};
use hull_model::{Schema, define_table, v};
use hull_value::{DocumentId, Timestamp, ValueRef};
use parking_lot::Mutex;

/// Storage some of whose values fail their checksums.
struct Bad {
    inner: MemoryStorage,
    bad: Mutex<Vec<Vec<u8>>>,
}

impl Bad {
    fn all(&self, from: &[u8], end: &[u8]) -> Vec<Entry> {
        self.inner.range(from, Some(end), false, usize::MAX, usize::MAX).unwrap().entries
    }

    fn change(&self, key: &[u8], value: Option<Vec<u8>>) {
        let mut batch = Batch::new();
        match value {
            Some(value) => batch.put(key.to_vec(), value),
            None => batch.delete(key.to_vec()),
        }
        self.inner.apply(batch).unwrap();
        self.inner.sync().unwrap();
    }
}

impl Storage for Bad {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        if self.bad.lock().iter().any(|bad| bad == key) {
            return Err(StorageError::Checksum { key: key.to_vec() });
        }
        self.inner.get(key)
    }

    fn range(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        reverse: bool,
        limit_keys: usize,
        limit_bytes: usize,
    ) -> Result<Chunk, StorageError> {
        let chunk = self.inner.range(start, end, reverse, limit_keys, limit_bytes)?;
        let bad = self.bad.lock();
        match chunk.entries.iter().find(|(key, _)| bad.contains(key)) {
            Some((key, _)) => Err(StorageError::Checksum { key: key.clone() }),
            None => Ok(chunk),
        }
    }

    fn apply(&self, batch: Batch) -> Result<(), StorageError> {
        self.inner.apply(batch)
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.inner.sync()
    }

    fn reopen(&self) -> Result<(), StorageError> {
        self.inner.reopen()
    }

    fn stats(&self) -> StorageStats {
        self.inner.stats()
    }
}

struct World {
    storage: Arc<Bad>,
    log: Arc<MemoryLog>,
    engine: Engine,
    ids: Vec<DocumentId>,
}

/// The keyspaces of the table `t`, as storage has them, in the order in which they are given out.
const DOCUMENTS: u8 = 16;
const BY_CREATION: u8 = 17;
const BY_K: u8 = 18;

fn keyspace(number: u8) -> ([u8; 4], [u8; 4]) {
    ([1, 0, 0, number], [1, 0, 0, number + 1])
}

fn test_schema() -> Schema {
    Schema::new()
        .table(define_table("t").field("k", v::number()).index("by_k", ["k"]).index("by_also_k", ["k"]))
        .table(define_table("u").field("k", v::number()))
}

fn open(storage: &Arc<Bad>, log: &Arc<MemoryLog>) -> Engine {
    let mut options = Options::new(storage.clone(), log.clone());
    options.clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000_000_000)));
    options.background = false;
    options.memory_budget = 1 << 16;
    Engine::open(options).unwrap()
}

impl World {
    fn new(documents: u32) -> Self {
        let storage = Arc::new(Bad { inner: MemoryStorage::new(), bad: Mutex::default() });
        let log = Arc::new(MemoryLog::new());
        let engine = open(&storage, &log);
        engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
        let mut ids = Vec::new();
        let mut tx = engine.begin();
        for k in 0..documents {
            ids.push(tx.insert("t", &object(&[("k", f64::from(k % 7).into())])).unwrap());
        }
        engine.commit(tx).unwrap();
        wait_durable(&engine);
        engine.checkpoint().unwrap();
        Self { storage, log, engine, ids }
    }

    /// Nothing of the old state stays in memory.
    fn reopen(mut self) -> Self {
        wait_durable(&self.engine);
        self.log = Arc::new(self.log.after_power_loss(0));
        self.engine = open(&self.storage, &self.log);
        self
    }

    fn verify(&self) -> VerifyReport {
        self.engine.verify(&self.engine.hold().unwrap(), &mut |_| {}).unwrap()
    }

    fn entries(&self, number: u8) -> Vec<Entry> {
        let (from, end) = keyspace(number);
        self.storage.all(&from, &end)
    }

    /// The stored entry of a keyspace that belongs to a document.
    fn entry_of(&self, number: u8, id: DocumentId) -> Entry {
        self.entries(number).into_iter().find(|(key, _)| key.ends_with(&id.internal.0)).unwrap()
    }
}

fn table<'a>(report: &'a VerifyReport, name: &str) -> &'a VerifiedTable {
    report.tables.iter().find(|t| t.name == name).unwrap()
}

/// What is wrong with `t`: damaged and invalid documents, then missing and orphaned entries of its two indexes.
fn wrong(report: &VerifyReport) -> [u64; 6] {
    let t = table(report, "t");
    let [a, b] = &t.indexes[..] else { panic!("{t:?}") };
    assert_eq!((&*a.name, &*b.name), ("by_creation_time", "by_k"));
    [t.damaged, t.invalid, a.missing, a.orphaned, b.missing, b.orphaned]
}

#[test]
fn a_whole_store_is_clean_also_while_it_changes() {
    let world = World::new(1000);
    let clean = world.verify();
    assert!(clean.is_clean(), "{clean:?}");
    let t = table(&clean, "t");
    assert_eq!((t.documents, t.indexes[0].entries, t.indexes[1].entries), (1000, 1000, 1000));
    assert_eq!(table(&clean, "u").documents, 0);
    assert!(table(&clean, "_catalog").documents >= 4);
    let hold: Hold = world.engine.hold().unwrap();
    let mut steps = 0;
    let report = world.engine.verify(&hold, &mut |_| {
        let mut tx = world.engine.begin();
        tx.delete(world.ids[steps]).unwrap();
        tx.patch(world.ids[500 + steps], &[("k", Some(ValueRef::Float64(100.0)))]).unwrap();
        tx.insert("t", &object(&[("k", 0.5.into())])).unwrap();
        world.engine.commit(tx).unwrap();
        wait_durable(&world.engine);
        world.engine.checkpoint().unwrap();
        steps += 1;
    });
    assert_eq!(report.unwrap(), VerifyReport { ts: hold.ts(), ..clean });
    assert!(steps > 10);
    assert!(world.verify().is_clean());
}

#[test]
fn every_kind_of_damage_is_named_and_indexes_are_mended() {
    let world = World::new(600);
    let ids = world.ids.clone();
    // A document without an entry, in each index.
    world.storage.change(&world.entry_of(BY_K, ids[3]).0, None);
    world.storage.change(&world.entry_of(BY_CREATION, ids[5]).0, None);
    assert_eq!(wrong(&world.verify()), [0, 0, 1, 0, 1, 0]);
    // An entry without a document: damage of the document if any, but the index is what can be mended.
    world.storage.change(&world.entry_of(DOCUMENTS, ids[10]).0, None);
    assert_eq!(wrong(&world.verify()), [0, 0, 1, 1, 1, 1]);
    // An entry that is not its document's.
    let (mut key, _) = world.entry_of(BY_K, ids[20]);
    key[6] ^= 1;
    world.storage.change(&key, Some(Vec::new()));
    assert_eq!(wrong(&world.verify()), [0, 0, 1, 1, 1, 2]);
    // Keys of nothing.
    for n in 0..3 {
        world.storage.change(&[1, 0, 9, 0, n], Some(Vec::new()));
    }
    // Values that fail their checksums: an entry of each index.
    let bad = [world.entry_of(BY_K, ids[30]).0, world.entry_of(BY_CREATION, ids[31]).0];
    world.storage.bad.lock().extend(bad);
    let report = world.verify();
    assert_eq!(wrong(&report), [0, 0, 1, 2, 1, 3]);
    assert_eq!(report.stray_keys, 3);
    let finding = |index: &str, id: DocumentId| {
        let found = report.findings.iter().filter(|f| f.index.as_deref() == Some(index) && f.id == Some(id));
        found.map(|f| &*f.detail).collect::<Vec<_>>()
    };
    assert_eq!(finding("by_k", ids[3]), ["the document has no entry in the index"]);
    assert_eq!(finding("by_creation_time", ids[10]), ["an entry names a document that is not there"]);
    assert_eq!(finding("by_k", ids[20]), ["an entry is not that of its document"]);
    assert_eq!(finding("by_k", ids[30]), ["an entry fails its checksum"]);
    assert_eq!(report.findings.len(), 7);

    let world = world.reopen();
    assert_eq!(
        world.engine.rebuild_index("t", "none", &mut |_| {}).unwrap_err().code(),
        "IndexNotFoundError"
    );
    world.engine.rebuild_index("t", "by_creation_time", &mut |_| {}).unwrap();
    world.engine.rebuild_index("t", "by_also_k", &mut |_| {}).unwrap();
    wait_durable(&world.engine);
    let report = world.verify();
    assert_eq!((wrong(&report), report.findings.len()), ([0; 6], 0));
    assert_eq!(table(&report, "t").documents, 599);
    let mut tx = world.engine.begin();
    for index in ["by_k", "by_also_k", "by_creation_time"] {
        let mut scan = tx.scan("t", index, &KeyRange::all(), Order::Asc).unwrap();
        let mut count = 0;
        while tx.next(&mut scan).unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 599, "{index}");
    }
    drop(tx);
    // What is left of the old indexes goes, the damaged values as well.
    for _ in 0..4 {
        wait_durable(&world.engine);
        world.engine.checkpoint().unwrap();
        while world.engine.maintain().unwrap() {}
    }
    assert!(world.entries(BY_K).is_empty() && world.entries(BY_CREATION).is_empty());
}

#[test]
fn documents_that_cannot_be_read_or_break_the_schema_are_named() {
    let world = World::new(600);
    let ids = world.ids.clone();
    let (key, value) = world.entry_of(DOCUMENTS, ids[1]);
    world.storage.change(&key, Some(value[..4].to_vec()));
    let (key, mut garbage) = world.entry_of(DOCUMENTS, ids[2]);
    garbage[8..].fill(0xEE);
    world.storage.change(&key, Some(garbage));
    // The document of another id.
    world.storage.change(&world.entry_of(DOCUMENTS, ids[4]).0, Some(value));
    world.storage.bad.lock().push(world.entry_of(DOCUMENTS, ids[5]).0);
    let report = world.verify();
    assert_eq!(wrong(&report), [4, 0, 0, 0, 0, 0]);
    assert_eq!(table(&report, "t").documents, 596);
    let mut named: Vec<_> = report.findings.iter().filter_map(|f| f.id).collect();
    named.sort_by_key(|id| id.internal);
    assert_eq!(named, [ids[1], ids[2], ids[4], ids[5]]);

    // Damage that a checkpoint replaces stays for those who hold what it replaced.
    let hold = world.engine.hold().unwrap();
    let mut tx = world.engine.begin();
    tx.patch(ids[6], &[("k", Some(ValueRef::Float64(50.0)))]).unwrap();
    world.engine.commit(tx).unwrap();
    let damaged = world.entry_of(DOCUMENTS, ids[6]).0;
    world.storage.bad.lock().push(damaged.clone());
    wait_durable(&world.engine);
    world.engine.checkpoint().unwrap();
    world.storage.bad.lock().retain(|bad| *bad != damaged);
    assert_eq!(wrong(&world.engine.verify(&hold, &mut |_| {}).unwrap()), [5, 0, 0, 0, 0, 0]);
    assert_eq!(wrong(&world.verify()), [4, 0, 0, 0, 0, 0]);

    let world = World::new(10);
    let other = World::new(0);
    let mut tx = other.engine.begin();
    other.engine.apply_schema(&Schema::new(), &mut |_| {}).unwrap();
    drop(tx);
    tx = other.engine.begin();
    let id = tx.insert("t", &object(&[("k", "text".into())])).unwrap();
    other.engine.commit(tx).unwrap();
    wait_durable(&other.engine);
    other.engine.checkpoint().unwrap();
    for number in [DOCUMENTS, BY_CREATION] {
        let (key, value) = other.entry_of(number, id);
        world.storage.change(&key, Some(value));
    }
    let report = world.verify();
    assert_eq!(wrong(&report), [0, 1, 0, 0, 1, 0]);
    assert!(report.findings[0].detail.contains("does not match the schema"), "{report:?}");
}
