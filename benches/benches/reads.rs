//! Reads at the engine's snapshot beside a `BTreeMap` of the same shape and bare sled: one document by id, a hundred
//! through an index; for a table that is resident and for one ten times the memory budget. Typed decoding apart.

#![allow(clippy::unwrap_used, missing_docs, reason = "a measuring program ends at the first surprise")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Bound;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hull::model::IndexBounds;
use hull::prelude::*;
use hull_engine::{DirOptions, Document, Engine, Key, KeyRange, Limits, ReadAt};
use hull_value::{DocumentId, ValueRef, write_sort_key};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RANGE: u32 = 100;
/// Reads of one transaction, so that beginning it is shared.
const BATCH: u32 = 50;

#[derive(Table)]
#[table("rows")]
#[index(by_number(number))]
struct Row {
    number: f64,
    body: String,
}

struct Database {
    _directory: tempfile::TempDir,
    engine: Engine,
    ids: Vec<DocumentId>,
}

/// A table of `count` rows of which each has a body of `body` bytes, checkpointed.
fn database(count: u32, body: usize, memory_budget: u64) -> Database {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let options = DirOptions { memory_budget, ..DirOptions::default() };
    let engine = Engine::open_dir(directory.path(), options).unwrap();
    engine.apply_schema(&Schema::new().of::<Row>(), &mut |_| {}).unwrap();
    let mut ids = Vec::new();
    for start in (0..count).step_by(500) {
        let mut transaction = engine.begin();
        for number in start..count.min(start + 500) {
            let row = Row { number: f64::from(number), body: "x".repeat(body) };
            ids.push(transaction.insert("rows", &Packed::encode(&row).unwrap()).unwrap());
        }
        engine.commit(transaction).unwrap();
    }
    while engine.durable() < engine.ordered() {
        std::thread::yield_now();
    }
    engine.checkpoint().unwrap();
    // What no longer fits is let go of in the background.
    let started = Instant::now();
    while engine.maintain().unwrap() && started.elapsed() < Duration::from_secs(30) {}
    Database { _directory: directory, engine, ids }
}

fn range(start: u32) -> KeyRange {
    IndexBounds::all()
        .lower(Bound::Included(Some(ValueRef::Float64(f64::from(start)))))
        .upper(Bound::Excluded(Some(ValueRef::Float64(f64::from(start + RANGE)))))
        .to_key_range()
}

impl Database {
    /// Runs `iterations` reads in transactions of [`BATCH`].
    fn time(
        &self,
        iterations: u64,
        random: &mut StdRng,
        mut read: impl FnMut(&mut hull_engine::Transaction, &Self, u32),
    ) -> Duration {
        let last = self.ids.len() as u32 - RANGE;
        let picks: Vec<u32> = (0..iterations).map(|_| random.random_range(0..last)).collect();
        let started = Instant::now();
        for picks in picks.chunks(BATCH as usize) {
            let mut transaction = self.engine.begin_read(ReadAt::Durable).unwrap();
            transaction.set_limits(Limits::none());
            for pick in picks {
                read(&mut transaction, self, *pick);
            }
        }
        started.elapsed()
    }

    fn documents(&self) -> Vec<Document> {
        let mut transaction = self.engine.begin_read(ReadAt::Durable).unwrap();
        transaction.set_limits(Limits::none());
        self.ids.iter().map(|id| transaction.get(*id).unwrap().unwrap()).collect()
    }
}

fn get(transaction: &mut hull_engine::Transaction, database: &Database, pick: u32) {
    black_box(transaction.get(database.ids[pick as usize]).unwrap());
}

fn hundred(transaction: &mut hull_engine::Transaction, _: &Database, pick: u32) {
    let mut scan = transaction.scan("rows", "by_number", &range(pick), hull_engine::Order::Asc).unwrap();
    let mut found = 0;
    // As a query's `collect` does.
    let each = |document: &Document| {
        black_box(document);
        found += 1;
        true
    };
    transaction.for_each(&mut scan, usize::MAX, each).unwrap();
    assert_eq!(found, RANGE);
}

/// The key of a row in the index, as the engine makes it.
fn index_key(document: &Document) -> Vec<u8> {
    let mut key = Vec::new();
    let object = document.value.as_object().unwrap();
    write_sort_key(object.get("number"), &mut key);
    write_sort_key(Some(ValueRef::Float64(document.creation_time)), &mut key);
    key.extend_from_slice(&document.id.internal.0);
    key
}

struct Sled {
    _directory: tempfile::TempDir,
    _db: sled::Db,
    documents: sled::Tree,
    index: sled::Tree,
    ids: Vec<DocumentId>,
}

fn bare_sled(documents: &[Document], cache: u64) -> Sled {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let db = sled::Config::new().path(directory.path()).cache_capacity(cache).open().unwrap();
    let (by_id, index) = (db.open_tree("documents").unwrap(), db.open_tree("index").unwrap());
    for some in documents.chunks(500) {
        let (mut values, mut entries) = (sled::Batch::default(), sled::Batch::default());
        for document in some {
            values.insert(&document.id.internal.0, document.value.bytes());
            entries.insert(index_key(document), &document.id.internal.0);
        }
        by_id.apply_batch(values).unwrap();
        index.apply_batch(entries).unwrap();
        db.flush().unwrap();
    }
    let ids = documents.iter().map(|document| document.id).collect();
    Sled { _directory: directory, _db: db, documents: by_id, index, ids }
}

impl Sled {
    fn get(&self, pick: u32) {
        black_box(self.documents.get(self.ids[pick as usize].internal.0).unwrap().unwrap());
    }

    fn hundred(&self, pick: u32) {
        let KeyRange { start, end } = range(pick);
        for entry in self.index.range(start..end.unwrap()) {
            let (_, id) = entry.unwrap();
            black_box(self.documents.get(id).unwrap().unwrap());
        }
    }
}

fn resident(c: &mut Criterion) {
    let database = database(100_000, 60, 1 << 30);
    let documents = database.documents();
    let last = documents.len() as u32 - RANGE;
    let mut random = StdRng::seed_from_u64(1);
    let by_id: BTreeMap<Key, Document> =
        documents.iter().map(|d| (Key::from_slice(&d.id.internal.0), d.clone())).collect();
    let by_number: BTreeMap<Key, Document> =
        documents.iter().map(|d| (Key::from_slice(&index_key(d)), d.clone())).collect();
    let sled = bare_sled(&documents, 256 << 20);

    let mut group = c.benchmark_group("resident/get");
    group.bench_function("hull", |b| b.iter_custom(|n| database.time(n, &mut random, get)));
    group.bench_function("btreemap", |b| {
        b.iter(|| {
            let id = database.ids[random.random_range(0..last) as usize];
            by_id.get(&id.internal.0[..]).cloned()
        });
    });
    group.bench_function("sled", |b| b.iter(|| sled.get(random.random_range(0..last))));
    group.finish();

    let mut group = c.benchmark_group("resident/range of 100");
    group.bench_function("hull", |b| b.iter_custom(|n| database.time(n, &mut random, hundred)));
    group.bench_function("btreemap", |b| {
        b.iter(|| {
            let KeyRange { start, end } = range(random.random_range(0..last));
            let end = end.unwrap();
            for (_, document) in
                by_number.range::<[u8], _>((Bound::Included(&start[..]), Bound::Excluded(&end[..])))
            {
                black_box(document.clone());
            }
        });
    });
    group.bench_function("sled", |b| b.iter(|| sled.hundred(random.random_range(0..last))));
    group.finish();

    let mut group = c.benchmark_group("typed decoding");
    for count in [1, RANGE] {
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |b, count| {
            b.iter(|| {
                let start = random.random_range(0..last) as usize;
                for document in &documents[start..start + *count as usize] {
                    black_box(document.value.decode::<Doc<Row>>().unwrap());
                }
            });
        });
    }
    group.finish();
}

fn ten_times_the_budget(c: &mut Criterion) {
    let database = database(64_000, 1_500, 10 << 20);
    let documents = database.documents();
    let last = documents.len() as u32 - RANGE;
    let mut random = StdRng::seed_from_u64(2);
    // As much cache as Hull gives to sled.
    let sled = bare_sled(&documents, 16 << 20);
    drop(documents);
    let mut group = c.benchmark_group("ten times the budget");
    group.bench_function("get/hull", |b| b.iter_custom(|n| database.time(n, &mut random, get)));
    group.bench_function("get/sled", |b| b.iter(|| sled.get(random.random_range(0..last))));
    group.bench_function("range of 100/hull", |b| b.iter_custom(|n| database.time(n, &mut random, hundred)));
    group.bench_function("range of 100/sled", |b| b.iter(|| sled.hundred(random.random_range(0..last))));
    group.finish();
}

criterion_group! {
    name = reads;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).without_plots();
    targets = resident, ten_times_the_budget
}
criterion_main!(reads);
