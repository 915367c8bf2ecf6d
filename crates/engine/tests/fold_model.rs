//! Increments that are finished under the commit lock, against an oracle that runs every committed transaction again,
//! one after the other, in the order of their timestamps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;

use common::counters::{Row, counter, counters, row};
use common::*;
use hull_engine::{Amount, CommitError, Engine, KeyRange, Order, Savepoint, Transaction, TxError};
use hull_model::IndexBounds;
use hull_value::{DocumentId, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

type Rows = BTreeMap<DocumentId, Row>;

fn rows_of(engine: &Engine) -> Rows {
    let mut tx = engine.begin();
    let mut rows = Rows::new();
    let mut scan = tx.scan("counters", "by_total", &KeyRange::all(), Order::Asc).unwrap();
    let mut last = f64::MIN;
    while let Some(document) = tx.next(&mut scan).unwrap() {
        let found = row(&document);
        assert!(found.total >= last, "{} after {last}", found.total);
        last = found.total;
        assert_eq!(tx.get(document.id).unwrap().as_ref(), Some(&document));
        assert!(rows.insert(document.id, found).is_none(), "twice in the index");
    }
    rows
}

/// What a transaction did, and what it saw.
#[derive(Clone, Debug)]
enum Did {
    Increment(DocumentId, &'static str, Amount, Result<(), &'static str>),
    Patch(DocumentId, f64, Result<(), &'static str>),
    Rename(DocumentId, String, Result<(), &'static str>),
    Delete(DocumentId, Result<(), &'static str>),
    Insert(DocumentId, String),
    Get(DocumentId, Option<Row>),
    Name(DocumentId, Option<String>),
    Totals(Vec<(DocumentId, f64)>),
    Names(Vec<DocumentId>),
    Above(f64, usize),
    Counted(f64, u64),
    Sum(String, Option<f64>),
}

/// The oracle: does it again, and checks that it sees the same.
fn again(rows: &mut Rows, did: &Did) -> Result<(), String> {
    let same = |expected: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| {
        let (expected, found) = (format!("{expected:?}"), format!("{found:?}"));
        if expected == found { Ok(()) } else { Err(format!("{did:?}: the oracle has {expected}")) }
    };
    let existing = |rows: &Rows, id: &DocumentId| match rows.contains_key(id) {
        true => Ok(()),
        false => Err("NonexistentDocument"),
    };
    match did {
        Did::Increment(id, field, amount, done) => {
            let result = existing(rows, id).and_then(|()| {
                let row = rows.get_mut(id).unwrap();
                match (*field, amount) {
                    ("total", Amount::Float64(x)) => row.total += x,
                    ("big", Amount::Int64(n)) => match row.big.unwrap_or(0).checked_add(*n) {
                        Some(sum) => row.big = Some(sum),
                        None => return Err("InvalidIncrementError"),
                    },
                    ("stars", Amount::Int64(n)) => match row.stars.unwrap_or(0) + n {
                        sum @ 0..4 => row.stars = Some(sum),
                        _ => return Err("SchemaEnforcementError"),
                    },
                    _ => return Err("InvalidIncrementError"),
                }
                Ok(())
            });
            same(&result, done)
        }
        Did::Patch(id, total, done) => {
            let result = existing(rows, id);
            if let Some(row) = rows.get_mut(id) {
                row.total = *total;
            }
            same(&result, done)
        }
        Did::Rename(id, name, done) => {
            let result = existing(rows, id);
            if let Some(row) = rows.get_mut(id) {
                row.name = name.clone();
            }
            same(&result, done)
        }
        Did::Delete(id, done) => {
            let result = existing(rows, id);
            rows.remove(id);
            same(&result, done)
        }
        Did::Insert(id, name) => {
            let row = Row { total: 0.0, big: None, stars: None, name: name.clone() };
            same(&rows.insert(*id, row), &None::<Row>)
        }
        Did::Get(id, found) => same(&rows.get(id), &found.as_ref()),
        Did::Name(id, found) => same(&rows.get(id).map(|row| &row.name), &found.as_ref()),
        Did::Totals(found) => {
            let mut all: Vec<_> = rows.iter().map(|(id, row)| (*id, row.total)).collect();
            all.sort_by(|a, b| a.1.total_cmp(&b.1));
            let mut found = found.clone();
            // Equal totals are in the order of creation, which the oracle does not know.
            same(
                &found.iter().map(|f| f.1).collect::<Vec<_>>(),
                &all.iter().map(|f| f.1).collect::<Vec<_>>(),
            )?;
            found.sort_by_key(|f| f.0);
            all.sort_by_key(|f| f.0);
            same(&all, &found)
        }
        Did::Names(found) => {
            let (mut all, mut found): (Vec<_>, _) = (rows.keys().copied().collect(), found.clone());
            all.sort();
            found.sort();
            same(&all, &found)
        }
        Did::Counted(bound, count) => {
            same(&(rows.values().filter(|row| row.total > *bound).count() as u64), count)
        }
        Did::Sum(name, sum) => {
            let totals = rows.values().filter(|row| row.name == *name).map(|row| row.total);
            same(&Some(totals.fold(0.0, |sum, total| sum + total)), sum)
        }
        Did::Above(bound, count) => same(&rows.values().filter(|row| row.total > *bound).count(), count),
    }
}

fn code<T>(result: Result<T, TxError>) -> Result<T, &'static str> {
    result.map_err(|error| match error.code() {
        "StorageFailed" => panic!("{error}"),
        code => code,
    })
}

struct Open {
    tx: Transaction,
    did: Vec<Did>,
    savepoints: Vec<(Savepoint, usize)>,
    /// What there was when it began.
    at: Rows,
}

fn above(bound: f64) -> KeyRange {
    let bound = Some(ValueRef::Float64(bound));
    IndexBounds::all().lower(std::ops::Bound::Excluded(bound)).to_key_range()
}

/// One random step of a transaction.
fn step(open: &mut Open, ids: &mut Vec<DocumentId>, rng: &mut SmallRng) {
    let Open { tx, did, savepoints, .. } = open;
    let id = ids[rng.random_range(0..ids.len())];
    match rng.random_range(0..26) {
        0..6 => {
            let x = f64::from(rng.random_range(-3..9));
            let done = code(tx.increment(id, "total", x.into()));
            did.push(Did::Increment(id, "total", x.into(), done));
        }
        6..9 => {
            let n = if rng.random_bool(0.1) { i64::MAX - 5 } else { rng.random_range(-2..4) };
            let done = code(tx.increment(id, "big", n.into()));
            did.push(Did::Increment(id, "big", n.into(), done));
        }
        9..11 => {
            let n = rng.random_range(-1..3);
            let done = code(tx.increment(id, "stars", n.into()));
            did.push(Did::Increment(id, "stars", n.into(), done));
        }
        11 => {
            let (field, amount) =
                [("name", 1.0.into()), ("total", 1.into()), ("big", 0.5.into())][rng.random_range(0..3)];
            if matches!((field, &amount), ("big", Amount::Float64(_))) {
                return;
            }
            let done = code(tx.increment(id, field, amount));
            did.push(Did::Increment(id, field, amount, done));
        }
        12 => {
            let total = f64::from(rng.random_range(0..50));
            did.push(Did::Patch(id, total, code(tx.patch(id, &[("total", Some(ValueRef::Float64(total)))]))));
        }
        13 => {
            let name = format!("n{}", rng.random_range(0..9));
            let done = code(tx.patch(id, &[("name", Some(ValueRef::String(&name)))]));
            did.push(Did::Rename(id, name, done));
        }
        14 => did.push(Did::Delete(id, code(tx.delete(id)))),
        15 => {
            let name = format!("n{}", rng.random_range(0..9));
            let id = tx.insert("counters", &counter(&name)).unwrap();
            ids.push(id);
            did.push(Did::Insert(id, name));
        }
        16 => did.push(Did::Get(id, tx.get(id).unwrap().as_ref().map(row))),
        17 => {
            let found = tx.get_fields(id, &["name"]).unwrap();
            did.push(Did::Name(id, found.map(|document| row(&document).name)));
        }
        18 => {
            let index = ["by_total", "by_name", "by_creation_time"][rng.random_range(0..3)];
            let mut scan = tx.scan("counters", index, &KeyRange::all(), Order::Asc).unwrap();
            let mut found = Vec::new();
            while let Some(document) = tx.next(&mut scan).unwrap() {
                found.push((document.id, number(&document, "total")));
                // In the middle of a scan, of what it has passed.
                if rng.random_bool(0.05) {
                    code(tx.increment(document.id, "total", (-1.0).into())).unwrap();
                    code(tx.increment(document.id, "total", 1.0.into())).unwrap();
                }
            }
            if index != "by_total" {
                found.sort_by(|a, b| a.1.total_cmp(&b.1));
            }
            did.push(Did::Totals(found));
        }
        19 => {
            let scan = tx.scan("counters", "by_name", &KeyRange::all(), Order::Desc).unwrap();
            let mut scan = scan.select(hull_engine::Projection::Fields(&["name"]));
            let mut found = Vec::new();
            while let Some(document) = tx.next(&mut scan).unwrap() {
                found.push(document.id);
            }
            did.push(Did::Names(found));
        }
        20 => {
            let bound = f64::from(rng.random_range(0..20));
            let range = above(bound);
            let scan = tx.scan("counters", "by_total", &range, Order::Desc).unwrap();
            let mut scan = scan.select(hull_engine::Projection::PRESENCE);
            let mut count = 0;
            while tx.next(&mut scan).unwrap().is_some() {
                count += 1;
            }
            did.push(Did::Above(bound, count));
        }
        21 => {
            let bound = f64::from(rng.random_range(0..20));
            let count = tx.count_range("counters", "count_by_total", &above(bound)).unwrap();
            did.push(Did::Counted(bound, count));
        }
        22 => {
            let name = format!("n{}", rng.random_range(0..9));
            let range = IndexBounds::all().eq(Some(ValueRef::String(&name))).to_key_range();
            let sum = tx.sum_range("counters", "sum_by_name", &range).unwrap();
            let sum = sum.and_then(|sum| ValueRef::from(sum).as_float64());
            did.push(Did::Sum(name, sum.map(|sum| sum + 0.0)));
        }
        23 | 24 => savepoints.push((tx.savepoint(), did.len())),
        _ => {
            if let Some((savepoint, len)) = savepoints.pop() {
                tx.rollback_to(savepoint);
                // What was seen within stays a part of what the transaction depends on, but not what it did.
                did.truncate(len);
            }
        }
    }
}

/// Runs transactions that overlap; every one that commits must have seen and done what it does in its place.
fn interleave(
    disk: &Disk,
    engine: &Engine,
    rows: &mut Rows,
    rng: &mut SmallRng,
    steps: u32,
    synced: bool,
) -> u32 {
    let mut ids: Vec<_> = rows.keys().copied().collect();
    let mut open: Vec<Open> = Vec::new();
    let mut folds = 0;
    for _ in 0..steps {
        disk.clock.advance(rng.random_range(0..500_000_000));
        match rng.random_range(0..20) {
            0..3 if open.len() < 6 => {
                let mut tx = engine.begin();
                if rng.random_bool(0.1) {
                    tx.without_folds();
                }
                open.push(Open { tx, did: Vec::new(), savepoints: Vec::new(), at: rows.clone() });
            }
            3..5 if !open.is_empty() => {
                let Open { tx, did, at, .. } = open.swap_remove(rng.random_range(0..open.len()));
                let before = engine.metrics().conflicts;
                let mut next = rows.clone();
                let replayed = did.iter().try_for_each(|did| again(&mut next, did));
                match engine.commit(tx) {
                    // What has written nothing has seen what its snapshot holds.
                    Ok(committed) if committed.keys.is_none() => {
                        let mut then = at.clone();
                        did.iter().try_for_each(|did| again(&mut then, did)).unwrap();
                        assert_eq!(then, at);
                    }
                    Ok(_) => {
                        replayed.unwrap();
                        *rows = next;
                    }
                    Err(CommitError::Conflict(_)) => assert_eq!(engine.metrics().conflicts, before + 1),
                    Err(CommitError::OutOfRetention) => {}
                    Err(CommitError::Fold) => {
                        folds += 1;
                        assert!(replayed.is_err(), "nothing is wrong with {did:?}");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            5 if synced => {
                wait_durable(engine);
                engine.checkpoint_step().unwrap();
            }
            6 if synced => {
                engine.maintain().unwrap();
            }
            _ if !open.is_empty() => {
                let at = rng.random_range(0..open.len());
                step(&mut open[at], &mut ids, rng);
            }
            _ => {}
        }
    }
    folds
}

fn begin(disk: &Disk, seed: u64) -> (Engine, Rows) {
    let engine = disk.open(seed).unwrap();
    engine.apply_schema(&counters(), &mut |_| {}).unwrap();
    let mut tx = engine.begin();
    for n in 0..8 {
        tx.insert("counters", &counter(&format!("n{n}"))).unwrap();
    }
    engine.commit(tx).unwrap();
    wait_durable(&engine);
    let rows = rows_of(&engine);
    (engine, rows)
}

#[test]
fn what_commits_is_what_the_oracle_has() {
    let mut folds = 0;
    for seed in 0..90 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let disk = Disk::new();
        let (engine, mut rows) = begin(&disk, seed);
        folds += interleave(&disk, &engine, &mut rows, &mut rng, 1500, true);
        assert_eq!(rows_of(&engine), rows, "seed {seed}");
        wait_durable(&engine);
        engine.checkpoint().unwrap();
        assert_eq!(rows_of(&engine), rows, "seed {seed}");
        drop(engine);
        assert_eq!(rows_of(&disk.open(seed).unwrap()), rows, "seed {seed}");
    }
    assert!(folds > 20, "only {folds} increments failed in their commit");
}

#[test]
fn a_crash_keeps_exactly_the_increments_of_a_prefix() {
    for seed in 0..3 {
        let mut kept = 0;
        loop {
            let mut rng = SmallRng::seed_from_u64(seed);
            let disk = Disk::new();
            let (engine, rows) = begin(&disk, seed);
            let mut states = vec![rows.clone()];
            disk.log.pause();
            let mut now = rows;
            for _ in 0..40 {
                interleave(&disk, &engine, &mut now, &mut rng, 20, false);
                if states.last() != Some(&now) {
                    states.push(now.clone());
                }
            }
            let unsynced = disk.log.unsynced();
            let log = std::sync::Arc::new(disk.log.after_power_loss(kept));
            disk.storage.power_loss(0);
            let mut disk = disk;
            disk.log = log;
            drop(engine);
            let found = rows_of(&disk.open(seed + 1).unwrap());
            if kept == 0 {
                assert_eq!(found, states[0]);
            }
            if kept >= unsynced {
                assert_eq!(found, now);
                assert!(kept > 10, "only {kept} records");
                break;
            }
            kept += 1;
        }
    }
}
