//! Power loss at every operation of storage, and failures that are survived.
//!
//! After a crash the state is that after some commit, at or behind the last durable one. Storage may have kept any
//! number of its un-synced batches, the log any number of its un-synced records.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::*;
use hull_engine::log::MemoryLog;
use hull_engine::storage::Fault;
use hull_engine::{CheckpointStep, CommitError, Engine, KeyRange, OpenError, Order};
use hull_model::{Schema, define_table, v};
use hull_value::{Timestamp, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Runs a random script until storage fails or the script is through; returns every state that was committed.
fn script(
    disk: &Disk,
    engine: &Engine,
    rng: &mut SmallRng,
    state: &mut State,
    states: &mut Vec<(Timestamp, State)>,
) {
    for _ in 0..60 {
        disk.clock.advance(rng.random_range(0..3_000_000_000));
        match rng.random_range(0..10) {
            0..6 => {
                let mut next = state.clone();
                let mut tx = engine.begin();
                for _ in 0..rng.random_range(1..6) {
                    let k = f64::from(rng.random_range(0..50));
                    let pad = "p".repeat(rng.random_range(0..300));
                    let fields = object(&[("k", k.into()), ("pad", pad.as_str().into())]);
                    let ids: Vec<_> = next.keys().copied().collect();
                    let done = if ids.is_empty() || rng.random_bool(0.5) {
                        tx.insert("t", &fields).map(|id| {
                            next.insert(id, k);
                        })
                    } else {
                        let id = ids[rng.random_range(0..ids.len())];
                        if rng.random_bool(0.3) {
                            tx.delete(id).map(|()| {
                                next.remove(&id);
                            })
                        } else {
                            tx.patch(id, &[("k", Some(ValueRef::Float64(k)))]).map(|()| {
                                next.insert(id, k);
                            })
                        }
                    };
                    match done {
                        Ok(()) => {}
                        Err(error) if error.code() == "StorageFailed" => return,
                        Err(error) => panic!("{error}"),
                    }
                }
                let committed = engine.commit(tx).unwrap();
                *state = next;
                states.push((committed.ts, state.clone()));
            }
            6..8 => {
                // A checkpoint waits for the log.
                disk.log.resume();
                wait_durable(engine);
                if engine.checkpoint_step().is_err() {
                    return;
                }
            }
            8 => {
                if engine.maintain().is_err() {
                    return;
                }
            }
            _ => {
                if rng.random() {
                    disk.log.pause();
                } else {
                    disk.log.resume();
                }
            }
        }
    }
}

/// Crashes at the n-th operation of storage after the schema is there; returns whether it came that far.
fn crash_at(n: u64, seed: u64) -> bool {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut disk = Disk::new();
    let engine = disk.open(seed).unwrap();
    engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
    wait_durable(&engine);
    let mut state = State::new();
    let mut states = vec![(engine.ordered(), State::new())];
    disk.faulty.fail_at(n, Fault::Stop);
    let before = disk.faulty.operations();
    script(&disk, &engine, &mut rng, &mut state, &mut states);
    let far = disk.faulty.operations() >= before + n;
    let mut engine = engine;
    // Twice: the second crash also hits the recovery.
    for round in 0..2 {
        let durable = engine.durable();
        drop(engine);
        disk.lose_power(&mut rng);
        if round == 1 {
            disk.faulty.fail_at(1 + n % 5, Fault::Stop);
            if disk.open(seed).and_then(|e| e.checkpoint().map_err(OpenError::from)).is_err() {
                disk.lose_power(&mut rng);
            }
            disk.faulty.heal();
        }
        engine = disk.open(seed + 1 + round).unwrap();
        let found = state_of(&engine);
        let fits = states
            .iter()
            .any(|(ts, s)| *s == found && (*ts >= durable || states.last().is_some_and(|l| l.1 == *s)));
        let last_durable = states.iter().rev().find(|(ts, _)| *ts <= durable).map(|(_, s)| s);
        assert!(fits || last_durable == Some(&found), "seed {seed}, operation {n}: durable to {durable:?}");
        assert!(engine.ordered() > durable, "timestamps went back");
        states = vec![(engine.ordered(), found.clone())];
        state = found;
        script(&disk, &engine, &mut rng, &mut state, &mut states);
    }
    disk.log.resume();
    wait_durable(&engine);
    engine.checkpoint().unwrap();
    assert_eq!(state_of(&engine), state);
    drop(engine);
    disk.lose_power(&mut rng);
    assert_eq!(state_of(&disk.open(99).unwrap()), state);
    far
}

#[test]
fn power_may_be_lost_at_every_operation_of_storage() {
    for seed in 0..4 {
        let mut n = 1;
        while crash_at(n, seed) {
            n += 1;
        }
        assert!(n > 10, "only {n} operations");
    }
}

#[test]
fn a_failed_write_of_storage_is_repeated_after_it_was_opened_again() {
    for fault in [Fault::Before, Fault::After] {
        for n in 1..40 {
            let mut rng = SmallRng::seed_from_u64(n);
            let disk = Disk::new();
            let engine = disk.open(n).unwrap();
            engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
            let (mut state, mut states) = (State::new(), Vec::new());
            script(&disk, &engine, &mut rng, &mut state, &mut states);
            disk.faulty.fail_at(n, fault);
            let mut again = State::new();
            for _ in 0..3 {
                again = state.clone();
                script(&disk, &engine, &mut rng, &mut again, &mut states);
                state = again.clone();
            }
            disk.log.resume();
            wait_durable(&engine);
            engine.checkpoint().or_else(|_| engine.checkpoint()).unwrap();
            assert_eq!(state_of(&engine), again);
        }
    }
}

fn insert_many(engine: &Engine, count: u32) {
    let mut tx = engine.begin();
    for k in 0..count {
        tx.insert("t", &object(&[("k", f64::from(k).into()), ("pad", "".into())])).unwrap();
    }
    engine.commit(tx).unwrap();
    wait_durable(engine);
}

/// A few batches share a sync: when storage fails between them, those before it may be gone as well.
#[test]
fn a_failed_batch_takes_along_those_that_were_not_synced() {
    for fault in [Fault::Before, Fault::After] {
        for n in 1.. {
            let mut disk = Disk::new();
            let engine = disk.open(n).unwrap();
            engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
            insert_many(&engine, 1700);
            let before = state_of(&engine);
            disk.faulty.fail_at(n, fault);
            let failed = engine.checkpoint().is_err();
            assert_eq!(state_of(&engine), before);
            if failed {
                engine.checkpoint().unwrap();
            }
            assert_eq!(state_of(&engine), before);
            drop(engine);
            disk.faulty.heal();
            disk.storage.power_loss(0);
            disk.log = Arc::new(disk.log.after_power_loss(0));
            let engine = disk.open(n).unwrap();
            assert_eq!((engine.metrics().dirty_bytes, state_of(&engine)), (0, before));
            if !failed {
                assert!(n > 12, "only {n} operations");
                break;
            }
        }
    }
}

/// A process that ends in the middle of a checkpoint leaves storage with a part of what the log makes again.
#[test]
fn replaying_the_log_over_what_it_made_changes_nothing() {
    for seed in 0..5 {
        let disk = Disk::new();
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut engine = disk.open(seed).unwrap();
        engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
        insert_many(&engine, 600);
        let mut states = Vec::new();
        for _ in 0..3 {
            script(&disk, &engine, &mut rng, &mut state_of(&engine), &mut states);
        }
        disk.log.resume();
        insert_many(&engine, 600);
        let before = state_of(&engine);
        for round in 0..3 {
            for _ in 0..=round {
                assert_eq!(engine.checkpoint_step().unwrap(), CheckpointStep::More);
            }
            drop(engine);
            engine = disk.open(1000 + 10 * seed + round).unwrap();
            assert_eq!(state_of(&engine), before);
        }
        engine.checkpoint().unwrap();
        drop(engine);
        engine = disk.open(seed + 2000).unwrap();
        assert_eq!((engine.metrics().dirty_bytes, state_of(&engine)), (0, before));
    }
}

#[test]
fn a_full_disk_refuses_writes_by_name_and_keeps_reads() {
    let disk = Disk::new();
    let engine = disk.open(1).unwrap();
    engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
    let insert = || {
        let mut tx = engine.begin();
        tx.insert("t", &object(&[("k", 1.0.into()), ("pad", "".into())])).unwrap();
        engine.commit(tx)
    };
    insert().unwrap();
    disk.log.set_disk_full(true);
    assert!(matches!(insert().unwrap_err(), CommitError::DiskFull));
    assert_eq!(state_of(&engine).len(), 1);
    disk.log.set_disk_full(false);
    disk.faulty.set_disk_full(true);
    insert().unwrap();
    wait_durable(&engine);
    assert_eq!(engine.checkpoint().unwrap_err().code(), "DiskFull");
    disk.faulty.set_disk_full(false);
    engine.checkpoint().unwrap();
    assert_eq!(state_of(&engine).len(), 2);
}

#[test]
fn a_failed_log_stops_everything() {
    let disk = Disk::new();
    let engine = disk.open(1).unwrap();
    engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
    let tx = engine.begin();
    disk.log.fail();
    while !engine.has_failed() {
        std::thread::yield_now();
    }
    assert_eq!(engine.commit(tx).unwrap_err().code(), "LogFailed");
    assert_eq!(engine.begin_read(hull_engine::ReadAt::Durable).unwrap_err().code(), "LogFailed");
}

#[test]
fn a_log_that_ends_below_a_named_checkpoint_is_damage() {
    let mut disk = Disk::new();
    let engine = disk.open(1).unwrap();
    engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
    wait_durable(&engine);
    engine.checkpoint().unwrap();
    drop(engine);
    disk.log = Arc::new(MemoryLog::new());
    assert_eq!(disk.open(1).unwrap_err().code(), "DataDamaged");
}

fn wider_schema() -> Schema {
    let table = define_table("t").field("k", v::number()).field("pad", v::string());
    Schema::new().table(table.index("by_k", ["k"]).index("by_pad_k", ["pad", "k"]))
}

fn check_wider(engine: &Engine, documents: usize) {
    assert_eq!(state_of(engine).len(), documents);
    let mut tx = engine.begin();
    let mut scan = tx.scan("t", "by_pad_k", &KeyRange::all(), Order::Asc).unwrap();
    let mut keys = Vec::new();
    while let Some(document) = tx.next(&mut scan).unwrap() {
        let pad = document.value.as_object().and_then(|o| o.get("pad")).and_then(|v| v.as_str()).unwrap();
        keys.push((pad.to_owned(), number(&document, "k")));
    }
    assert_eq!(keys.len(), documents);
    assert!(keys.is_sorted_by(|a, b| a.0 < b.0 || a.0 == b.0 && a.1 <= b.1));
}

#[test]
fn filling_an_index_goes_on_after_power_was_lost() {
    for n in 0..20 {
        let mut rng = SmallRng::seed_from_u64(n);
        let mut disk = Disk::new();
        let engine = disk.open(1000 * n + 1).unwrap();
        engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
        let insert = |engine: &Engine, pad: &str, from: u32, to: u32| {
            let mut tx = engine.begin();
            for k in from..to {
                tx.insert("t", &object(&[("k", f64::from(k).into()), ("pad", pad.into())])).unwrap();
            }
            engine.commit(tx).unwrap();
        };
        insert(&engine, "b", 0, 450);
        wait_durable(&engine);
        engine.checkpoint().unwrap();
        insert(&engine, "a", 450, 500);
        wait_durable(&engine);
        drop(engine);
        // Nothing is resident now, and the fill reads storage.
        disk.lose_power(&mut rng);
        let engine = disk.open(1000 * n + 2).unwrap();
        let mut pages = 0;
        disk.faulty.fail_at(1 + n * 60, Fault::Stop);
        let filled = engine.apply_schema(&wider_schema(), &mut |_| {
            pages += 1;
            let _ = engine.checkpoint_step();
        });
        drop(engine);
        disk.lose_power(&mut rng);
        let engine = disk.open(1000 * n + 3).unwrap();
        engine.apply_schema(&wider_schema(), &mut |_| {}).unwrap();
        insert(&engine, "c", 500, 510);
        check_wider(&engine, 510);
        wait_durable(&engine);
        engine.checkpoint().unwrap();
        drop(engine);
        disk.lose_power(&mut rng);
        check_wider(&disk.open(1000 * n + 4).unwrap(), 510);
        assert!(n < 19 || filled.is_ok(), "the last round fails nothing");
    }
}

#[test]
fn writers_go_on_while_an_index_is_filled() {
    let disk = Disk::new();
    let engine = disk.open(1).unwrap();
    engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
    let mut tx = engine.begin();
    let ids: Vec<_> = (0..2000)
        .map(|k| tx.insert("t", &object(&[("k", f64::from(k).into()), ("pad", "x".into())])).unwrap())
        .collect();
    engine.commit(tx).unwrap();
    let mut rng = SmallRng::seed_from_u64(1);
    let mut inserted = 0;
    engine
        .apply_schema(&wider_schema(), &mut |_| {
            // Between any two pages some documents move, some come and some go.
            let mut tx = engine.begin();
            for _ in 0..20 {
                let id = ids[rng.random_range(0..ids.len())];
                let pad = ["a", "x", "z"][rng.random_range(0..3)];
                if tx.get(id).unwrap().is_some() {
                    tx.patch(id, &[("pad", Some(ValueRef::String(pad)))]).unwrap();
                }
            }
            tx.insert("t", &object(&[("k", 0.5.into()), ("pad", "m".into())])).unwrap();
            inserted += 1;
            engine.commit(tx).unwrap();
            engine.maintain().unwrap();
        })
        .unwrap();
    check_wider(&engine, 2000 + inserted);
}
