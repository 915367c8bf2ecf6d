//! Reads at the engine's snapshot, of a document and of a range of 100 through an index, beside a `BTreeMap` of the
//! same shape and beside raw sled. Typed decoding is not in the figures.

#![allow(clippy::unwrap_used, missing_docs, reason = "a measuring program ends at the first surprise")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Bound;
use std::sync::{Arc, RwLock};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hull::model::{IndexBounds, define_table, v};
use hull::prelude::*;
use hull_engine::{BY_ID, DirOptions, Engine, Order as ScanOrder};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const ROWS: u32 = 100_000;
const GETS: usize = 100;

fn reads(criterion: &mut Criterion) {
    let directory = tempfile::TempDir::new_in(".").unwrap();
    let engine = Engine::open_dir(directory.path(), DirOptions::default()).unwrap();
    let table = define_table("rows")
        .field("number", v::number())
        .field("body", v::string())
        .index("by_number", ["number"]);
    engine.apply_schema(&Schema::new().table(table), &mut |_| {}).unwrap();
    let mut ids = Vec::new();
    for start in (0..ROWS).step_by(1_000) {
        let mut transaction = engine.begin();
        for number in start..start + 1_000 {
            let body = format!("the body of row {number}, as long as a line of text usually is");
            let row = BTreeMap::from([
                ("number".to_owned(), Value::from(f64::from(number))),
                ("body".to_owned(), Value::from(body)),
            ]);
            ids.push(transaction.insert("rows", &Packed::encode(&row).unwrap()).unwrap());
        }
        engine.commit(transaction).unwrap();
    }
    let mut transaction = engine.begin();
    let mut scan =
        transaction.scan("rows", BY_ID, &IndexBounds::all().to_key_range(), ScanOrder::Asc).unwrap();
    let mut by_id = BTreeMap::new();
    let mut by_number = BTreeMap::new();
    while by_id.len() < 20_000 {
        let Some(document) = transaction.next(&mut scan).unwrap() else { break };
        by_id.insert(document.id.to_string().into_bytes(), Arc::new(document.value.bytes().to_vec()));
    }
    drop(transaction);
    for number in 0..ROWS {
        let key = IndexBounds::all().eq(Some(number_value(number).as_ref())).to_key_range().start;
        by_number.insert([key.as_slice(), &[0; 25]].concat(), Arc::new(vec![0u8; 150]));
        by_id
            .entry(ids[number as usize].to_string().into_bytes())
            .or_insert_with(|| Arc::new(vec![0u8; 150]));
    }
    let sled_directory = tempfile::TempDir::new_in(".").unwrap();
    let sled = sled::open(sled_directory.path()).unwrap();
    for (key, value) in by_id.iter().chain(&by_number) {
        sled.insert(key, value.as_slice()).unwrap();
    }
    let (by_id, by_number) = (RwLock::new(by_id), RwLock::new(by_number));
    let mut random = StdRng::seed_from_u64(1);

    let mut group = criterion.benchmark_group("get");
    group.throughput(Throughput::Elements(GETS as u64));
    group.bench_function("engine", |bencher| {
        bencher.iter(|| {
            let mut transaction = engine.begin();
            for _ in 0..GETS {
                black_box(transaction.get(ids[random.random_range(0..ids.len())]).unwrap());
            }
        });
    });
    let keys: Vec<Vec<u8>> = by_id.read().unwrap().keys().cloned().collect();
    group.bench_function("BTreeMap", |bencher| {
        bencher.iter(|| {
            for _ in 0..GETS {
                black_box(by_id.read().unwrap().get(&keys[random.random_range(0..keys.len())]).cloned());
            }
        });
    });
    group.bench_function("sled", |bencher| {
        bencher.iter(|| {
            for _ in 0..GETS {
                black_box(sled.get(&keys[random.random_range(0..keys.len())]).unwrap());
            }
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("range of 100");
    let bounds = |random: &mut StdRng| {
        let first = random.random_range(0..ROWS - 100);
        IndexBounds::all().lower(Bound::Included(Some(number_value(first).as_ref()))).to_key_range()
    };
    group.bench_function("engine", |bencher| {
        bencher.iter(|| {
            let mut transaction = engine.begin();
            let mut scan =
                transaction.scan("rows", "by_number", &bounds(&mut random), ScanOrder::Asc).unwrap();
            for _ in 0..100 {
                black_box(transaction.next(&mut scan).unwrap());
            }
        });
    });
    group.bench_function("BTreeMap", |bencher| {
        bencher.iter(|| {
            let range = bounds(&mut random);
            for row in by_number.read().unwrap().range(range.start..).take(100) {
                black_box((row.0.clone(), row.1.clone()));
            }
        });
    });
    group.bench_function("sled", |bencher| {
        bencher.iter(|| {
            let range = bounds(&mut random);
            for row in sled.range(range.start..).take(100) {
                black_box(row.unwrap());
            }
        });
    });
    group.finish();
    engine.shutdown();
}

fn number_value(number: u32) -> Packed {
    Packed::encode(&f64::from(number)).unwrap()
}

criterion_group!(benches, reads);
criterion_main!(benches);
