//! Snapshots and scans that stay open while others write, while checkpoints trim and while tables come and go in memory.
//!
//! A snapshot shows what was there when it began, document by document and in every index, however long it stays open
//! and whatever takes the place of what was deleted since.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::collections::{BTreeMap, VecDeque};

use common::*;
use hull_engine::{Document, Engine, KeyRange, Order, ReadAt, Scan, Transaction};
use hull_model::{Schema, define_table, v};
use hull_value::{DocumentId, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// `k`, `v` and the creation time of each document.
type State = BTreeMap<DocumentId, (f64, f64, f64)>;

/// A snapshot with a scan under way, and what it has still to yield.
struct Open {
    tx: Transaction,
    sees: State,
    scan: Scan,
    expected: VecDeque<DocumentId>,
}

fn open(engine: &Engine, rng: &mut SmallRng, state: &State) -> Open {
    let mut tx = match rng.random() {
        true => engine.begin_read(ReadAt::Ordered).unwrap(),
        false => engine.begin(),
    };
    let reverse: bool = rng.random();
    let order = if reverse { Order::Desc } else { Order::Asc };
    let (index, by_k) = [("by_k", true), ("by_id", false)][rng.random_range(0..2)];
    let scan = tx.scan("t", index, &KeyRange::all(), order).unwrap();
    let mut expected: Vec<_> = state.keys().copied().collect();
    let place = |id: &DocumentId| if by_k { (state[id].0, state[id].2) } else { (0.0, 0.0) };
    expected.sort_by(|a, b| {
        let ((k, created), (other, later)) = (place(a), place(b));
        k.total_cmp(&other).then(created.total_cmp(&later)).then(a.internal.cmp(&b.internal))
    });
    if reverse {
        expected.reverse();
    }
    let expected = expected.into();
    Open { tx, sees: state.clone(), scan, expected }
}

fn row(document: &Document) -> (f64, f64, f64) {
    (number(document, "k"), number(document, "v"), document.creation_time)
}

impl Open {
    /// Checks the next row of the scan; returns whether there was one.
    fn step(&mut self) -> bool {
        let found = self.tx.next(&mut self.scan).unwrap();
        assert_eq!(found.as_ref().map(|d| d.id), self.expected.pop_front());
        let Some(document) = found else { return false };
        assert_eq!(self.sees[&document.id], row(&document));
        true
    }

    /// Takes up to `limit` rows at once, or fewer when `enough` are; returns whether there may be more.
    fn steps(&mut self, limit: usize, enough: usize) -> bool {
        let mut found = Vec::new();
        let more = self.tx.for_each(&mut self.scan, limit, |document| {
            found.push((document.id, row(document)));
            found.len() < enough
        });
        let count = found.len();
        let expected: Vec<_> = self.expected.drain(..count).map(|id| (id, self.sees[&id])).collect();
        assert_eq!(found, expected);
        assert_eq!(more.unwrap(), count == limit && count < enough);
        assert!(count == limit || count == enough || self.expected.is_empty());
        count == limit || count == enough
    }

    fn get(&mut self, id: DocumentId) {
        let found = self.tx.get(id).unwrap().map(|d| row(&d));
        assert_eq!(found, self.sees.get(&id).copied());
    }
}

fn commit(engine: &Engine, rng: &mut SmallRng, state: &mut State, ids: &mut Vec<DocumentId>) {
    let mut tx = engine.begin();
    for _ in 0..rng.random_range(1..6) {
        let (k, v) = (f64::from(rng.random_range(0..30)), f64::from(rng.random_range(0..1000)));
        let there = state.keys().nth(rng.random_range(0..state.len().max(1))).copied();
        match (rng.random_range(0..4), there) {
            (0, Some(id)) => {
                tx.delete(id).unwrap();
                state.remove(&id);
            }
            (1, Some(id)) => {
                tx.patch(id, &[("k", Some(ValueRef::Float64(k)))]).unwrap();
                state.entry(id).and_modify(|row| row.0 = k);
            }
            // Keeps every index key.
            (2, Some(id)) => {
                tx.patch(id, &[("v", Some(ValueRef::Float64(v)))]).unwrap();
                state.entry(id).and_modify(|row| row.1 = v);
            }
            _ => {
                let pad = "x".repeat(rng.random_range(0..200));
                let fields = object(&[("k", k.into()), ("v", v.into()), ("pad", pad.as_str().into())]);
                let id = tx.insert("t", &fields).unwrap();
                state.insert(id, (k, v, tx.get(id).unwrap().unwrap().creation_time));
                ids.push(id);
            }
        }
    }
    engine.commit(tx).unwrap();
}

fn run(seed: u64, memory_budget: u64) -> u64 {
    let mut options = options();
    options.seed = Some(seed);
    options.memory_budget = memory_budget;
    let engine = Engine::open(options).unwrap();
    let table = define_table("t").field("k", v::number()).field("v", v::number()).field("pad", v::string());
    engine.apply_schema(&Schema::new().table(table.index("by_k", ["k"])), &mut |_| {}).unwrap();
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut state, mut ids, mut opened) = (State::new(), Vec::new(), Vec::new());
    let mut partial = 0;
    for _ in 0..60 {
        commit(&engine, &mut rng, &mut state, &mut ids);
    }
    for _ in 0..1500 {
        match rng.random_range(0..10) {
            0..3 => commit(&engine, &mut rng, &mut state, &mut ids),
            3 if opened.len() < 6 => opened.push(open(&engine, &mut rng, &state)),
            4..8 if !opened.is_empty() => {
                let at = rng.random_range(0..opened.len());
                opened[at].get(ids[rng.random_range(0..ids.len())]);
                let more = match rng.random() {
                    true => opened[at].step(),
                    false => opened[at].steps(rng.random_range(1..40), rng.random_range(1..40)),
                };
                if !more {
                    opened.swap_remove(at);
                }
            }
            8 => {
                engine.checkpoint_step().unwrap();
            }
            _ => {
                engine.maintain().unwrap();
                partial += u64::from(engine.metrics().resident_tables == 0);
            }
        }
    }
    for mut open in opened {
        while open.step() {}
    }
    let mut last = open(&engine, &mut rng, &state);
    while last.step() {}
    partial
}

#[test]
fn snapshots_stay_as_they_began_in_memory() {
    (0..20).for_each(|seed| {
        run(seed, 1 << 30);
    });
}

#[test]
fn snapshots_stay_as_they_began_with_little_memory() {
    let partial: u64 = (100..120).map(|seed| run(seed, 64 << 10)).sum();
    assert!(partial > 100, "{partial} steps without the whole table");
}
