//! The engine over sled and segment files: what a killed process leaves holds whatever was durable.
//!
//! The files are copied while the engine has them open. What was not handed to the operating system is missing there,
//! as it is after a kill.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::*;
use hull_engine::log::{RealDisk, SegmentLog, SegmentLogOptions};
use hull_engine::storage::{SledOptions, SledStorage};
use hull_engine::{DirOptions, Engine, Options};
use hull_value::{Timestamp, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

fn open(path: &Path, seed: u64) -> Engine {
    let sled = SledOptions { cache_bytes: 1 << 20, reserve_bytes: 0, ..SledOptions::default() };
    let storage = SledStorage::open(path.join("store"), sled).unwrap();
    let log_options = SegmentLogOptions {
        segment_bytes: 64 << 10,
        first_segment_bytes: 8 << 10,
        reserve_bytes: 0,
        new_log_id: seed,
        ..SegmentLogOptions::default()
    };
    let log = SegmentLog::open(Arc::new(RealDisk::open(&path.join("log")).unwrap()), log_options).unwrap();
    let mut options = Options::new(Arc::new(storage), Arc::new(log));
    options.seed = Some(seed);
    options.background = false;
    options.memory_budget = 256 << 10;
    Engine::open(options).unwrap()
}

/// Storage first: the log it names must be there.
fn copy(from: &Path, to: &Path) {
    for part in ["store", "log"] {
        fs::create_dir_all(to.join(part)).unwrap();
        for file in fs::read_dir(from.join(part)).unwrap().map(Result::unwrap) {
            // A file of the log may be renamed or removed meanwhile.
            if file.metadata().is_ok_and(|found| found.is_file()) {
                let _ = fs::copy(file.path(), to.join(part).join(file.file_name()));
            }
        }
    }
}

/// One random commit; returns the state after it.
fn write(engine: &Engine, rng: &mut SmallRng, state: &State) -> (Timestamp, State) {
    let mut next = state.clone();
    let mut tx = engine.begin();
    for _ in 0..rng.random_range(1..40) {
        let k = f64::from(rng.random_range(0..50));
        let some = next.keys().nth(rng.random_range(0..next.len().max(1))).copied();
        match some.filter(|_| rng.random_bool(0.4)) {
            Some(id) if rng.random_bool(0.4) => {
                tx.delete(id).unwrap();
                next.remove(&id);
            }
            Some(id) => {
                tx.patch(id, &[("k", Some(ValueRef::Float64(k)))]).unwrap();
                next.insert(id, k);
            }
            None => {
                let length = if rng.random_bool(0.05) { 9000 } else { rng.random_range(0..300) };
                let pad = "p".repeat(length);
                let fields = object(&[("k", k.into()), ("pad", pad.as_str().into())]);
                next.insert(tx.insert("t", &fields).unwrap(), k);
            }
        }
    }
    (engine.commit(tx).unwrap().ts, next)
}

#[test]
fn a_killed_process_leaves_files_that_hold_what_was_durable() {
    for seed in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut engine = open(directory.path(), seed);
        engine.apply_schema(&test_schema(), &mut |_| {}).unwrap();
        wait_durable(&engine);
        let mut states = vec![(engine.ordered(), State::new())];
        for step in 1..=120 {
            match rng.random_range(0..10) {
                0..5 => {
                    let next = write(&engine, &mut rng, &states.last().unwrap().1);
                    states.push(next);
                }
                5..8 => {
                    engine.checkpoint_step().unwrap();
                }
                _ => {
                    engine.maintain().unwrap();
                }
            }
            if step % 30 == 0 {
                let image = tempfile::tempdir().unwrap();
                let durable = engine.durable();
                copy(directory.path(), image.path());
                let found = state_of(&Engine::open_dir(image.path(), DirOptions::default()).unwrap());
                let oldest = states.partition_point(|(ts, _)| *ts <= durable).saturating_sub(1);
                assert!(states[oldest..].iter().any(|(_, state)| *state == found), "{seed}, {step}");
            }
            if step == 60 {
                drop(engine);
                engine = open(directory.path(), seed + 100);
            }
        }
        assert_eq!(state_of(&engine), states.last().unwrap().1);
    }
}
