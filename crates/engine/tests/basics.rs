//! The rules of transactions, one by one, over memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::*;
use hull_engine::{CommitError, Engine, KeyRange, Order, ReadAt};
use hull_value::{DocumentId, ValueRef};

#[test]
fn writes_are_seen_by_their_transaction_and_after_the_commit_by_others() {
    let engine = open(&schema());
    let mut tx = engine.begin();
    let id = tx.insert("accounts", &account(1.0, 100.0)).unwrap();
    assert_eq!(balance(&tx.get(id).unwrap().unwrap()), 100.0);
    assert_eq!(engine.begin().get(id).unwrap(), None);
    let before = engine.begin();
    engine.commit(tx).unwrap();
    assert_eq!(balance(&engine.begin().get(id).unwrap().unwrap()), 100.0);
    let mut before = before;
    assert_eq!(before.get(id).unwrap(), None);
}

#[test]
fn a_transfer_through_an_index_conflicts_with_another() {
    let engine = open(&schema());
    let ids: Vec<DocumentId> = (0..10).map(|i| insert(&engine, i as f64, 100.0)).collect();
    let transfer = |from: f64, to: f64| {
        let mut tx = engine.begin();
        let a = by_account(&mut tx, from).unwrap();
        let b = by_account(&mut tx, to).unwrap();
        tx.patch(a.id, &[("balance", Some(ValueRef::Float64(balance(&a) - 1.0)))]).unwrap();
        tx.patch(b.id, &[("balance", Some(ValueRef::Float64(balance(&b) + 1.0)))]).unwrap();
        tx
    };
    let (one, two, three) = (transfer(1.0, 2.0), transfer(2.0, 3.0), transfer(4.0, 5.0));
    engine.commit(one).unwrap();
    let error = engine.commit(two).unwrap_err();
    assert!(matches!(error, CommitError::Conflict(_)), "{error}");
    engine.commit(three).unwrap();
    let mut tx = engine.begin();
    assert_eq!(balance(&tx.get(ids[1]).unwrap().unwrap()), 99.0);
    assert_eq!(balance(&tx.get(ids[2]).unwrap().unwrap()), 101.0);
    assert_eq!(balance(&by_account(&mut tx, 5.0).unwrap()), 101.0);
}

#[test]
fn a_phantom_is_a_conflict_and_what_was_not_read_is_none() {
    let engine = open(&schema());
    for i in [1.0, 2.0, 5.0] {
        insert(&engine, i, 0.0);
    }
    let read_up_to = |n: usize| {
        let mut tx = engine.begin();
        let mut scan = tx.scan("accounts", "by_account_id", &KeyRange::all(), Order::Asc).unwrap();
        for _ in 0..n {
            tx.next(&mut scan).unwrap();
        }
        tx.insert("log", &object(&[("x", 1.0.into())])).unwrap();
        tx
    };
    insert_into_log(&engine);
    let (two, all) = (read_up_to(2), read_up_to(4));
    insert(&engine, 3.0, 0.0);
    engine.commit(two).unwrap();
    assert!(engine.commit(all).unwrap_err().is_retryable());
}

#[test]
fn own_writes_are_merged_into_scans_in_both_orders() {
    let engine = open(&schema());
    for i in 0..40 {
        insert(&engine, f64::from(i) * 2.0, 0.0);
    }
    let mut tx = engine.begin();
    let mut expected: Vec<f64> = (0..40).map(|i| f64::from(i) * 2.0).collect();
    for i in [3.0, 79.0, 100.0, -5.0] {
        tx.insert("accounts", &account(i, 0.0)).unwrap();
        expected.push(i);
    }
    let victim = by_account(&mut tx, 10.0).unwrap();
    tx.delete(victim.id).unwrap();
    expected.retain(|x| *x != 10.0);
    let moved = by_account(&mut tx, 12.0).unwrap();
    tx.patch(moved.id, &[("id", Some(ValueRef::Float64(13.5)))]).unwrap();
    expected.retain(|x| *x != 12.0);
    expected.push(13.5);
    expected.sort_by(f64::total_cmp);
    assert_eq!(all_ids(&mut tx, Order::Asc), expected);
    expected.reverse();
    assert_eq!(all_ids(&mut tx, Order::Desc), expected);
}

#[test]
fn a_savepoint_takes_back_writes_and_new_tables() {
    let engine = open(&schema());
    let mut tx = engine.begin();
    let id = tx.insert("accounts", &account(1.0, 1.0)).unwrap();
    let savepoint = tx.savepoint();
    tx.patch(id, &[("balance", Some(ValueRef::Float64(2.0)))]).unwrap();
    tx.insert("fresh", &object(&[])).unwrap();
    let other = tx.insert("accounts", &account(2.0, 1.0)).unwrap();
    tx.rollback_to(savepoint);
    assert_eq!(balance(&tx.get(id).unwrap().unwrap()), 1.0);
    assert_eq!(tx.get(other).unwrap(), None);
    engine.commit(tx).unwrap();
    assert_eq!(engine.tables(), ["accounts"]);
}

#[test]
fn a_write_that_changes_nothing_is_none() {
    let engine = open(&schema());
    let id = insert(&engine, 1.0, 1.0);
    let mut tx = engine.begin();
    tx.patch(id, &[("balance", Some(ValueRef::Float64(1.0)))]).unwrap();
    tx.patch(id, &[("balance", Some(ValueRef::Float64(2.0)))]).unwrap();
    tx.patch(id, &[("balance", Some(ValueRef::Float64(1.0)))]).unwrap();
    let before = engine.ordered();
    assert_eq!(engine.commit(tx).unwrap().keys.map(|k| k.ts), None);
    assert_eq!(engine.ordered(), before);
}

#[test]
fn the_past_can_be_read_until_it_is_trimmed() {
    let engine = open(&schema());
    let id = insert(&engine, 1.0, 1.0);
    let then = engine.ordered();
    for i in 0..5 {
        let mut tx = engine.begin();
        tx.patch(id, &[("balance", Some(ValueRef::Float64(f64::from(i) + 10.0)))]).unwrap();
        engine.commit(tx).unwrap();
    }
    let mut tx = engine.begin_read(ReadAt::Exactly(then)).unwrap();
    assert_eq!(balance(&tx.get(id).unwrap().unwrap()), 1.0);
    wait_durable(&engine);
    engine.checkpoint().unwrap();
    assert_eq!(balance(&tx.get(id).unwrap().unwrap()), 1.0);
    drop(tx);
    engine.checkpoint().unwrap();
    assert_eq!(engine.begin_read(ReadAt::Exactly(then)).unwrap_err().code(), "OutOfRetention");
}

#[test]
fn history_is_dropped_beyond_its_share_of_the_memory() {
    let mut options = options();
    options.memory_budget = 1 << 20;
    let share = options.memory_budget / 16;
    let engine = Engine::open(options).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    let id = insert(&engine, 1.0, 1.0);
    let first = engine.ordered();
    let change = |to: f64| {
        let mut tx = engine.begin();
        tx.patch(id, &[("balance", Some(ValueRef::Float64(to)))]).unwrap();
        engine.commit(tx).unwrap();
        wait_durable(&engine);
    };
    change(2.0);
    engine.maintain().unwrap();
    let mut tx = engine.begin_read(ReadAt::Exactly(first)).unwrap();
    assert_eq!(balance(&tx.get(id).unwrap().unwrap()), 1.0);
    drop(tx);
    let mut most = 0;
    for n in 0..2000 {
        change(f64::from(n));
        most = most.max(engine.metrics().history_bytes);
        if n % 50 == 0 {
            engine.maintain().unwrap();
        }
    }
    let metrics = engine.metrics();
    assert!(most > share / 2 && metrics.history_bytes <= share, "{most}, {metrics:?}");
    assert!(metrics.overlay_bytes < 2 * share, "{metrics:?}");
    assert_eq!(engine.begin_read(ReadAt::Exactly(first)).unwrap_err().code(), "OutOfRetention");
    let recent = metrics.history_start;
    assert!(recent > first && engine.begin_read(ReadAt::Exactly(recent)).is_ok());
}
