//! An import that is killed at any moment leaves the old state or the new one, and in the end no key of the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;

use common::*;
use hull_engine::storage::{Fault, Storage};
use hull_engine::{Engine, Import, ImportMode, ImportOptions, ImportRow, ImportTable, KeyRange, Order};
use hull_model::{Schema, define_table, v};
use hull_value::{DocumentId, InternalId, Packed, TableNumber, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Of each table, what its documents hold.
type State = BTreeMap<&'static str, BTreeMap<DocumentId, f64>>;

const TABLES: [&str; 2] = ["t", "u"];

fn test_schema() -> Schema {
    let table = |name: &str| {
        define_table(name).field("k", v::number()).field("pad", v::string()).index("by_k", ["k"])
    };
    Schema::new().table(table("t")).table(table("u"))
}

impl Disk {
    /// Keys of tables in storage.
    fn keys(&self) -> usize {
        let mut start = vec![1, 0, 0, 16];
        let mut count = 0;
        loop {
            let chunk = self.storage.range(&start, None, false, 1000, 1 << 20).unwrap();
            count += chunk.entries.len();
            match chunk.entries.last() {
                Some((last, _)) if chunk.more => start = [&last[..], &[0]].concat(),
                _ => return count,
            }
        }
    }
}

fn state_of(engine: &Engine) -> State {
    let mut tx = engine.begin();
    let mut state = State::new();
    for table in TABLES {
        for index in ["by_k", "by_creation_time"] {
            let mut scan = tx.scan(table, index, &KeyRange::all(), Order::Asc).unwrap();
            let mut documents = BTreeMap::new();
            while let Some(document) = tx.next(&mut scan).unwrap() {
                assert!(documents.insert(document.id, number(&document, "k")).is_none());
                assert_eq!(tx.get(document.id).unwrap().as_ref(), Some(&document));
            }
            if let Some(by_k) = state.insert(table, documents.clone()) {
                assert_eq!(by_k, documents, "two indexes of {table} differ");
            }
        }
    }
    state
}

fn fields(k: f64, rng: &mut SmallRng) -> Packed {
    let pad = "p".repeat(rng.random_range(0..300));
    object(&[("k", k.into()), ("pad", pad.as_str().into())])
}

fn with_id(id: DocumentId, fields: &Packed) -> Packed {
    fields.merge(&[("_id", Some(ValueRef::String(&id.to_string())))]).unwrap()
}

/// One step of what goes on beside an import; `false` when storage has failed.
fn background(disk: &Disk, engine: &Engine, rng: &mut SmallRng) -> bool {
    disk.clock.advance(rng.random_range(0..9_000_000_000));
    match rng.random_range(0..5) {
        0 | 1 => {
            disk.log.resume();
            wait_durable(engine);
            engine.checkpoint_step().is_ok()
        }
        2 | 3 => engine.maintain().is_ok(),
        _ => {
            if rng.random() {
                disk.log.pause();
            } else {
                disk.log.resume();
            }
            true
        }
    }
}

fn write(engine: &Engine, state: &mut State, rng: &mut SmallRng) -> bool {
    let table = TABLES[rng.random_range(0..2)];
    let k = f64::from(rng.random_range(0..50));
    let mut tx = engine.begin();
    let Ok(id) = tx.insert(table, &fields(k, rng)) else { return false };
    if engine.commit(tx).is_err() {
        return false;
    }
    state.entry(table).or_default().insert(id, k);
    true
}

/// Imports both tables; `None` when storage has failed before the flip. The state afterwards otherwise.
fn import(disk: &Disk, engine: &Engine, rng: &mut SmallRng, state: &mut State) -> Option<State> {
    let options = ImportOptions { mode: ImportMode::Replace, ..ImportOptions::default() };
    let tables = TABLES.map(|name| ImportTable { name: name.into(), number: None });
    let mut import: Import = engine.begin_import(options, &tables).ok()?;
    let mut imported: State = TABLES.map(|t| (t, BTreeMap::new())).into();
    for _ in 0..rng.random_range(3..8) {
        let table = TABLES[rng.random_range(0..2)];
        let mut rows = Vec::new();
        for number in 0..rng.random_range(1..30) {
            let k = f64::from(rng.random_range(1000..2000));
            let table_number = TableNumber(if table == "t" { 10_001 } else { 10_002 });
            let id = DocumentId { table: table_number, internal: InternalId(rng.random()) };
            let value = with_id(id, &fields(k, rng));
            rows.push(ImportRow { number, value });
            imported.get_mut(table).unwrap().insert(id, k);
        }
        import.push(table, rows).ok()?;
        for _ in 0..rng.random_range(0..3) {
            if !background(disk, engine, rng) || !write(engine, state, rng) {
                return None;
            }
        }
    }
    if rng.random_bool(0.2) {
        // Cancelled.
        return Some(state.clone());
    }
    import.finish().ok()?;
    Some(imported)
}

/// Everything that is durable stays, and what nobody can read is gone from storage.
fn check_clean(disk: &Disk, engine: &Engine, state: &State) {
    disk.log.resume();
    for _ in 0..60 {
        disk.clock.advance(9_000_000_000);
        wait_durable(engine);
        engine.checkpoint().unwrap();
        engine.maintain().unwrap();
    }
    wait_durable(engine);
    engine.checkpoint().unwrap();
    assert_eq!(state_of(engine), *state);
    let documents: usize = state.values().map(BTreeMap::len).sum();
    assert_eq!(disk.keys(), 3 * documents, "keys of a table that is gone are left, or some are missing");
}

/// Crashes at the n-th operation of storage; returns whether it came that far.
fn crash_at(n: u64, seed: u64) -> bool {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut disk = Disk::new();
    let engine = disk.open(seed).unwrap();
    engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
    let mut state: State = TABLES.map(|t| (t, BTreeMap::new())).into();
    for _ in 0..30 {
        assert!(write(&engine, &mut state, &mut rng));
    }
    wait_durable(&engine);
    engine.checkpoint().unwrap();
    let before = disk.faulty.operations();
    disk.faulty.fail_at(n, Fault::Stop);
    let mut states = vec![state.clone()];
    for _ in 0..2 {
        let imported = import(&disk, &engine, &mut rng, &mut state);
        states.push(state.clone());
        let Some(imported) = imported else { break };
        states.push(imported.clone());
        state = imported;
        let survived = (0..rng.random_range(0..12)).all(|_| background(&disk, &engine, &mut rng));
        if !survived {
            break;
        }
    }
    let far = disk.faulty.operations() >= before + n;
    drop(engine);
    disk.lose_power(&mut rng);
    let engine = disk.open(seed + 1).unwrap();
    // Single inserts may be the last thing that is kept, so a state fits that lies between two that were noted.
    let found = state_of(&engine);
    let fits = |noted: &State| {
        TABLES.iter().all(|t| {
            let imported = noted[t].values().chain(found[t].values()).all(|k| *k >= 1000.0);
            if imported {
                noted[t] == found[t]
            } else {
                found[t].iter().all(|row| noted[t].get_key_value(row.0).is_some())
            }
        })
    };
    assert!(states.iter().any(fits), "seed {seed}, operation {n}: {found:?}");
    // Another power loss, after part of the cleaning.
    for _ in 0..rng.random_range(0..20) {
        background(&disk, &engine, &mut rng);
    }
    disk.log.resume();
    wait_durable(&engine);
    drop(engine);
    disk.lose_power(&mut rng);
    let engine = disk.open(seed + 2).unwrap();
    assert_eq!(state_of(&engine), found);
    check_clean(&disk, &engine, &found);
    far
}

#[test]
fn a_crash_at_every_operation_leaves_the_old_state_or_the_new() {
    for seed in 0..4 {
        let mut n = 1;
        while crash_at(n, 100 * seed) {
            n += 1;
        }
        assert!(n > 5, "only {n} operations");
    }
}

#[test]
fn a_database_that_was_imported_into_replays_from_any_checkpoint() {
    // Every flip and its surroundings come from the log, from half a checkpoint, or from storage.
    for seed in 0..60 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut disk = Disk::new();
        let mut engine = disk.open(seed).unwrap();
        engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
        let mut state: State = TABLES.map(|t| (t, BTreeMap::new())).into();
        for round in 0..4 {
            assert!(write(&engine, &mut state, &mut rng));
            if let Some(imported) = import(&disk, &engine, &mut rng, &mut state) {
                state = imported;
            }
            for _ in 0..rng.random_range(0..8) {
                assert!(background(&disk, &engine, &mut rng));
                assert!(write(&engine, &mut state, &mut rng));
            }
            disk.log.resume();
            wait_durable(&engine);
            drop(engine);
            disk.lose_power(&mut rng);
            engine = disk.open(seed + 1000 * (round + 1)).unwrap();
            assert_eq!(state_of(&engine), state, "seed {seed}, round {round}");
        }
        check_clean(&disk, &engine, &state);
    }
}

#[test]
fn what_was_replaced_before_it_was_stored_never_reaches_storage() {
    for crash in [false, true] {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut disk = Disk::new();
        let mut engine = disk.open(1).unwrap();
        engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
        let mut state: State = TABLES.map(|t| (t, BTreeMap::new())).into();
        (0..20).for_each(|_| assert!(write(&engine, &mut state, &mut rng)));
        let options = ImportOptions { mode: ImportMode::ReplaceAll, ..ImportOptions::default() };
        let table = ImportTable { name: "t".into(), number: None };
        let mut import = engine.begin_import(options, &[table]).unwrap();
        import.push("t", [ImportRow { number: 1, value: fields(1.0, &mut rng) }]).unwrap();
        import.finish().unwrap();
        let state = state_of(&engine);
        assert_eq!((state["t"].len(), state["u"].len()), (1, 0));
        wait_durable(&engine);
        // All that was dropped is cleaned up and forgotten, without any checkpoint.
        for _ in 0..50 {
            disk.clock.advance(9_000_000_000);
            engine.maintain().unwrap();
            wait_durable(&engine);
        }
        if crash {
            drop(engine);
            disk.lose_power(&mut rng);
            engine = disk.open(2).unwrap();
        }
        engine.checkpoint().unwrap();
        assert_eq!(state_of(&engine), state);
        assert_eq!(disk.keys(), 3, "crash: {crash}");
    }
}
