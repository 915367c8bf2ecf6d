//! What is finished under the commit lock, timestamps and increments, is in every kind of index as it is in the document.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::*;
use hull_engine::{CommitError, Engine, KeyRange, Number, SearchRequest, Transaction};
use hull_model::{IndexBounds, Schema, define_table, v};
use hull_value::{CommitTs, DocumentId, Timestamp, Value, ValueRef};

fn schema() -> Schema {
    let table = define_table("t")
        .field("at", v::commit_ts())
        .field("seen", v::optional(v::array(v::commit_ts())))
        .field("points", v::number())
        .field("text", v::string())
        .aggregate_index("points_by_at", ["at"], Some("points"), false)
        .search_index("search", "text", ["at", "points"]);
    Schema::new().table(table)
}

const PENDING: i64 = i64::MAX;

fn nanoseconds(ts: Timestamp) -> i64 {
    CommitTs::from(ts).nanoseconds()
}

fn at(ts: i64) -> KeyRange {
    IndexBounds::all().eq(Some(ValueRef::Int64(ts))).to_key_range()
}

/// Whether a document is found under this time and these points, in each kind of index.
fn found(tx: &mut Transaction, id: DocumentId, ts: i64, points: f64) -> [bool; 4] {
    let filters = [("points", Some(ValueRef::Float64(points))), ("at", Some(ValueRef::Int64(ts)))];
    let request =
        SearchRequest { table: "t", index: "search", field: Some("text"), text: "rai", filters: &filters };
    let mut search = tx.search(&request).unwrap();
    let searched = tx.next_found(&mut search).unwrap().map(|document| document.id);
    let mut scan = tx.scan("t", "points_by_at", &at(ts), hull_engine::Order::Asc).unwrap();
    let scanned = tx.next(&mut scan).unwrap().map(|document| document.id);
    let counted = tx.count_range("t", "points_by_at", &at(ts)).unwrap();
    let sum = tx.sum_range("t", "points_by_at", &at(ts)).unwrap();
    [searched == Some(id), scanned == Some(id), counted == 1, sum == Some(Number::Float64(points))]
}

fn is_here(engine: &Engine, id: DocumentId, ts: Timestamp, points: f64) {
    let tx = &mut engine.begin();
    assert_eq!(found(tx, id, nanoseconds(ts), points), [true; 4]);
    assert_eq!(found(tx, id, PENDING, points), [false; 4]);
    let document = tx.get(id).unwrap().unwrap();
    assert_eq!(document.value.as_object().unwrap().get("at"), Some(ValueRef::Int64(nanoseconds(ts))));
}

#[test]
fn timestamps_and_increments_of_others_are_in_every_index() {
    let disk = Disk::new();
    let engine = disk.open(1).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    let mut tx = engine.begin();
    let fields = [("at", Value::Int64(PENDING)), ("points", 1.0.into()), ("text", "rain".into())];
    let id = tx.insert("t", &object(&fields)).unwrap();
    assert_eq!(found(&mut tx, id, PENDING, 1.0), [true; 4]);
    tx.increment(id, "points", 1.0.into()).unwrap();
    assert_eq!(found(&mut tx, id, PENDING, 2.0), [true; 4]);
    let first = engine.commit(tx).unwrap().ts;
    is_here(&engine, id, first, 2.0);

    // An increment on top of a timestamp that was not there when it was begun.
    let mut late = engine.begin();
    late.increment(id, "points", 4.0.into()).unwrap();
    let mut beside = engine.begin();
    assert_eq!(found(&mut beside, id, nanoseconds(first), 2.0), [true; 4]);
    beside.insert("t", &object(&fields)).unwrap();
    let mut tx = engine.begin();
    let both = [ValueRef::Int64(PENDING), ValueRef::Int64(nanoseconds(first))].map(|ts| ts.to_value());
    let seen = hull_value::Packed::encode(&Value::Array(both.to_vec())).unwrap();
    tx.patch(id, &[("at", Some(ValueRef::Int64(PENDING))), ("seen", Some(seen.as_ref()))]).unwrap();
    let savepoint = tx.savepoint();
    tx.increment(id, "points", 64.0.into()).unwrap();
    assert_eq!(found(&mut tx, id, PENDING, 66.0), [true; 4]);
    tx.rollback_to(savepoint);
    assert_eq!(found(&mut tx, id, PENDING, 2.0), [true; 4]);
    let second = engine.commit(tx).unwrap().ts;
    is_here(&engine, id, second, 2.0);
    let third = engine.commit(late).unwrap().ts;
    assert!(third > second);
    is_here(&engine, id, second, 6.0);
    let document = engine.begin().get(id).unwrap().unwrap();
    let seen = document.value.as_object().unwrap().get("seen").unwrap().to_value();
    assert_eq!(seen, Value::Array([second, first].map(|ts| Value::Int64(nanoseconds(ts))).to_vec()));
    assert!(matches!(engine.commit(beside), Err(CommitError::Conflict(_))));

    // As it is with what storage and the log have.
    wait_durable(&engine);
    engine.checkpoint().unwrap();
    is_here(&engine, id, second, 6.0);
    let mut tx = engine.begin();
    tx.increment(id, "points", 8.0.into()).unwrap();
    engine.commit(tx).unwrap();
    wait_durable(&engine);
    drop(engine);
    let engine = disk.open(2).unwrap();
    is_here(&engine, id, second, 14.0);
    let report = engine.verify(&engine.hold().unwrap(), &mut |_| {}).unwrap();
    assert_eq!(report.findings, []);
}
