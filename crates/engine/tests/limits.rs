//! The per-transaction limits and the rules of documents, each with its code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::*;
use hull_engine::{KeyRange, Limits, Order, ReadAt, Transaction, TxError};
use hull_model::Schema;
use hull_value::{DocumentId, InternalId, Packed, TableNumber, Value, ValueRef};

fn code<T: std::fmt::Debug>(result: Result<T, TxError>) -> &'static str {
    result.unwrap_err().code()
}

fn limited(change: impl FnOnce(&mut Limits)) -> Transaction {
    let engine = open(&Schema::new());
    let mut tx = engine.begin();
    for i in 0..20 {
        tx.insert("t", &object(&[("x", f64::from(i).into())])).unwrap();
    }
    engine.commit(tx).unwrap();
    let mut tx = engine.begin();
    let mut limits = Limits::default();
    change(&mut limits);
    tx.set_limits(limits);
    tx
}

fn read_all(tx: &mut Transaction) -> Result<u32, TxError> {
    let mut scan = tx.scan("t", "by_creation_time", &KeyRange::all(), Order::Asc)?;
    let mut count = 0;
    while tx.next(&mut scan)?.is_some() {
        count += 1;
    }
    Ok(count)
}

#[test]
fn the_default_limits_are_convexs() {
    let limits = Limits::default();
    assert_eq!((limits.documents_read, limits.bytes_read, limits.intervals_read), (32_000, 16 << 20, 4_096));
    assert_eq!((limits.documents_written, limits.bytes_written), (16_000, 16 << 20));
}

#[test]
fn each_limit_has_its_code() {
    assert_eq!(read_all(&mut limited(|_| {})).unwrap(), 20);
    assert_eq!(read_all(&mut limited(|l| l.documents_read = 20)).unwrap(), 20);
    assert_eq!(code(read_all(&mut limited(|l| l.documents_read = 19))), "TooManyDocumentsRead");
    assert_eq!(code(read_all(&mut limited(|l| l.bytes_read = 300))), "TooManyBytesRead");
    let row = object(&[("x", 1.0.into())]);
    let mut tx = limited(|l| l.documents_written = 2);
    tx.insert("t", &row).unwrap();
    let id = tx.insert("t", &row).unwrap();
    assert_eq!(code(tx.patch(id, &[("x", Some(ValueRef::Null))])), "TooManyWrites");
    let mut tx = limited(|l| l.bytes_written = 100);
    tx.insert("t", &row).unwrap();
    assert_eq!(code(tx.insert("t", &row)), "TooManyBytesWritten");
}

#[test]
fn intervals_count_after_merging() {
    let mut tx = limited(|l| l.intervals_read = 50);
    // One and the same again and again.
    for _ in 0..300 {
        read_all(&mut tx).unwrap();
    }
    let mut number = 0;
    let error = loop {
        number += 1;
        let id =
            DocumentId { table: TableNumber(10_001), internal: InternalId((number as u128).to_be_bytes()) };
        if let Err(error) = tx.get(id) {
            break error;
        }
    };
    assert_eq!(error.code(), "TooManyReads");
    assert!((40..=55).contains(&number), "{number}");
}

#[test]
fn documents_obey_their_rules() {
    let mut tx = limited(|_| {});
    let mut insert = |fields: &[(&str, Value)]| tx.insert("t", &object(fields));
    assert_eq!(code(insert(&[("_id", "x".into())])), "InvalidDocumentError");
    assert_eq!(code(insert(&[("_creationTime", 1.0.into())])), "InvalidDocumentError");
    assert_eq!(code(insert(&[("not an identifier", 1.0.into())])), "InvalidDocumentError");
    assert_eq!(code(insert(&[("x", "a".repeat(1 << 20).as_str().into())])), "ValueTooLargeError");
    let mut deep = Value::Null;
    for _ in 0..16 {
        deep = Value::Array(vec![deep]);
    }
    assert_eq!(code(insert(&[("x", deep)])), "TooNestedError");
    assert_eq!(code(tx.insert("t", &Packed::null())), "InvalidDocumentError");
    assert_eq!(code(tx.insert("_t", &object(&[]))), "InvalidTableName");
    assert_eq!(code(tx.insert("a b", &object(&[]))), "InvalidTableName");
}

#[test]
fn system_fields_may_be_repeated_but_not_changed() {
    let mut tx = limited(|_| {});
    let id = tx.insert("t", &object(&[("x", 1.0.into())])).unwrap();
    let document = tx.get(id).unwrap().unwrap();
    let text = id.to_string();
    tx.patch(id, &[("_id", Some(ValueRef::String(&text))), ("x", Some(ValueRef::Float64(2.0)))]).unwrap();
    tx.replace(id, &document.value).unwrap();
    assert_eq!(tx.get(id).unwrap().unwrap(), document);
    assert_eq!(code(tx.patch(id, &[("_id", Some(ValueRef::String("x")))])), "InvalidIdError");
    assert_eq!(code(tx.patch(id, &[("_id", None)])), "InvalidIdError");
    assert_eq!(
        code(tx.patch(id, &[("_creationTime", Some(ValueRef::Float64(1.0)))])),
        "InvalidCreationTimeError"
    );
    assert_eq!(code(tx.patch(id, &[("_x", Some(ValueRef::Null))])), "InvalidDocumentError");
    tx.delete(id).unwrap();
    assert_eq!(code(tx.delete(id)), "NonexistentDocument");
    assert_eq!(code(tx.patch(id, &[])), "NonexistentDocument");
}

#[test]
fn unknown_tables_are_empty_and_unknown_indexes_are_errors() {
    let mut tx = limited(|_| {});
    let mut scan = tx.scan("nothing", "by_whatever", &KeyRange::all(), Order::Asc).unwrap();
    assert!(tx.next(&mut scan).unwrap().is_none());
    assert_eq!(code(tx.scan("t", "by_whatever", &KeyRange::all(), Order::Asc)), "IndexNotFoundError");
    let unknown = DocumentId { table: TableNumber(99_999), internal: InternalId([1; 16]) };
    assert_eq!(tx.get(unknown).unwrap(), None);
}

#[test]
fn the_creation_of_a_table_touches_who_has_looked_for_it() {
    let engine = open(&Schema::new());
    let mut reader = engine.begin_read(ReadAt::Ordered).unwrap();
    let mut scan = reader.scan("t", "by_creation_time", &KeyRange::all(), Order::Asc).unwrap();
    assert!(reader.next(&mut scan).unwrap().is_none());
    let (at, reads) = (reader.snapshot(), reader.into_read_set());
    assert_eq!(engine.is_unchanged(&reads, at), Some(true));
    let mut tx = engine.begin();
    assert_eq!(tx.insert("t", &object(&[])).unwrap().table, TableNumber(10_001));
    let committed = engine.commit(tx).unwrap();
    assert!(reads.touches(&committed.keys.unwrap()));
    assert_eq!(engine.is_unchanged(&reads, at), Some(false));
}

#[test]
fn a_transaction_that_only_reads_cannot_write() {
    let engine = open(&schema());
    let mut tx = engine.begin_read(ReadAt::Ordered).unwrap();
    assert_eq!(code(tx.insert("accounts", &account(1.0, 1.0))), "ReadOnlyTransaction");
}

#[test]
fn creation_times_grow_within_a_transaction_and_stay() {
    let engine = open(&schema());
    let mut tx = engine.begin();
    let ids: Vec<_> = (0..50).map(|i| tx.insert("accounts", &account(f64::from(i), 0.0)).unwrap()).collect();
    let times: Vec<f64> = ids.iter().map(|id| tx.get(*id).unwrap().unwrap().creation_time).collect();
    assert!(times.windows(2).all(|w| w[0] < w[1]));
    assert!(ids.windows(2).all(|w| w[0].internal < w[1].internal), "ids grow with time");
    tx.patch(ids[3], &[("balance", Some(ValueRef::Float64(1.0)))]).unwrap();
    assert_eq!(tx.get(ids[3]).unwrap().unwrap().creation_time, times[3]);
}
