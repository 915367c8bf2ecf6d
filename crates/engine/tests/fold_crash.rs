//! Power loss at every operation of the log's disk while transactions that overlap increment the same few documents: the
//! sums are those of a prefix of the commits, which has everything that was durable, and go on from there exactly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::*;
use hull_engine::log::{SegmentLog, SegmentLogOptions, SimDisk};
use hull_engine::storage::MemoryStorage;
use hull_engine::{CheckpointStep, CommitError, Engine, ManualClock, Options};
use hull_model::{Schema, define_table, v};
use hull_value::{CommitTs, DocumentId, Timestamp, Value, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

type Sums = BTreeMap<DocumentId, (f64, i64)>;

fn schema() -> Schema {
    Schema::new().table(
        define_table("counters")
            .field("total", v::number())
            .field("visits", v::optional(v::int64()))
            .field("last", v::commit_ts())
            .index("by_total", ["total"])
            .index("by_last", ["last"]),
    )
}

struct Machine {
    log: SimDisk,
    storage: Arc<MemoryStorage>,
    clock: Arc<ManualClock>,
}

impl Machine {
    fn open(&self) -> Option<Engine> {
        let options = SegmentLogOptions {
            new_log_id: 77,
            segment_bytes: 16384,
            first_segment_bytes: 4096,
            reserve_bytes: 4096,
            ..SegmentLogOptions::default()
        };
        let log = SegmentLog::open(Arc::new(self.log.clone()), options).ok()?;
        let mut options = Options::new(self.storage.clone(), Arc::new(log));
        options.clock = self.clock.clone();
        options.seed = Some(1);
        options.background = false;
        options.memory_budget = 64 << 10;
        Engine::open(options).ok()
    }
}

fn sums(engine: &Engine) -> Sums {
    let mut tx = engine.begin();
    let mut found = Sums::new();
    let range = hull_engine::KeyRange::all();
    for index in ["by_total", "by_last"] {
        let mut scan = tx.scan("counters", index, &range, hull_engine::Order::Asc).unwrap();
        let mut all = Sums::new();
        let mut last = ValueRef::Null.to_value();
        while let Some(document) = tx.next(&mut scan).unwrap() {
            let fields = document.value.as_object().unwrap();
            let key = fields.get(index.strip_prefix("by_").unwrap()).unwrap().to_value();
            assert!(key >= last && key != Value::from(CommitTs::PENDING));
            last = key;
            let visits = fields.get("visits").map_or(0, |v| if let ValueRef::Int64(n) = v { n } else { -1 });
            all.insert(document.id, (number(&document, "total"), visits));
        }
        assert!(found.is_empty() || found == all);
        found = all;
    }
    found
}

/// Increments from transactions that overlap, until the power goes or enough is done. `states` are those after each commit,
/// with its timestamp.
fn run(machine: &Machine, engine: &Engine, rng: &mut SmallRng, states: &mut Vec<(Timestamp, Sums)>) {
    for _ in 0..12 {
        machine.clock.advance(rng.random_range(0..1_000_000_000));
        let mut state = states.last().map(|(_, sums)| sums.clone()).unwrap_or_default();
        let mut open = Vec::new();
        for _ in 0..4 {
            let mut tx = engine.begin();
            let mut added = Vec::new();
            for id in state.keys().copied() {
                if rng.random_bool(0.5) {
                    let (x, n) = (f64::from(rng.random_range(1..9)), rng.random_range(1..9));
                    tx.increment(id, "total", x.into()).unwrap();
                    tx.increment(id, "visits", n.into()).unwrap();
                    added.push((id, x, n));
                }
            }
            open.push((tx, added, rng.random_bool(0.2)));
        }
        while !open.is_empty() {
            let (mut tx, added, insert) = open.swap_remove(rng.random_range(0..open.len()));
            let new = insert.then(|| {
                let fields = object(&[("total", 0.0.into()), ("last", Value::from(CommitTs::PENDING))]);
                tx.insert("counters", &fields).unwrap()
            });
            let committed = match engine.commit(tx) {
                Ok(committed) => committed,
                Err(CommitError::LogFailed) => return,
                // Little memory keeps little history.
                Err(CommitError::OutOfRetention) => continue,
                Err(error) => panic!("{error}"),
            };
            for (id, x, n) in added {
                let sums = state.get_mut(&id).unwrap();
                (sums.0, sums.1) = (sums.0 + x, sums.1 + n);
            }
            state.extend(new.map(|id| (id, (0.0, 0))));
            if committed.keys.is_some() {
                states.push((committed.ts, state.clone()));
            }
        }
        if rng.random_bool(0.5) {
            while engine.durable() < engine.ordered() {
                if engine.has_failed() {
                    return;
                }
                std::thread::yield_now();
            }
        }
        if rng.random_bool(0.3) {
            while matches!(engine.checkpoint_step(), Ok(CheckpointStep::More)) {}
        }
    }
}

/// Loses power at the n-th operation of the log's disk; whether there were so many.
fn cut_at(n: u64, seed: u64) -> bool {
    let mut rng = SmallRng::seed_from_u64(1000 * seed + n);
    let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000_000_000)));
    let machine = Machine { log: SimDisk::new(), storage: Arc::default(), clock };
    let engine = machine.open().unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    let mut tx = engine.begin();
    for _ in 0..3 {
        let fields = object(&[("total", 0.0.into()), ("last", Value::from(CommitTs::PENDING))]);
        tx.insert("counters", &fields).unwrap();
    }
    engine.commit(tx).unwrap();
    wait_durable(&engine);
    let mut states = vec![(engine.ordered(), sums(&engine))];
    machine.log.cut_at(n);
    run(&machine, &engine, &mut rng, &mut states);
    let durable = engine.durable();
    drop(engine);
    let was_cut = machine.log.is_cut();
    machine.storage.power_loss(rng.random_range(0..=machine.storage.unsynced()));
    machine.log.power_loss(seed + n);

    let engine = machine.open().unwrap();
    let found = sums(&engine);
    let kept = states.iter().rposition(|(_, sums)| *sums == found);
    let kept = kept.unwrap_or_else(|| panic!("seed {seed}, operation {n}: {found:?} never was"));
    assert!(states[kept].0 >= durable, "seed {seed}, operation {n}: what was durable is gone");
    let mut states = vec![(engine.ordered(), found)];
    run(&machine, &engine, &mut rng, &mut states);
    assert_eq!(sums(&engine), states.last().unwrap().1);
    assert_eq!(engine.metrics().conflicts, 0);
    was_cut
}

#[test]
fn a_power_loss_at_every_operation_of_the_log_loses_and_repeats_no_increment() {
    for seed in 0..2 {
        let mut n = 1;
        while cut_at(n, seed) {
            n += 1;
        }
        assert!(n > 20, "only {n} operations");
    }
}
