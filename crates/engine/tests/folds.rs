//! What an increment depends on, what makes it an ordinary write, and how it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::counters::{counter, counters, row};
use common::*;
use hull_engine::{Amount, CommitError, Engine, KeyRange, Order, SearchRequest, Transaction, TxError};
use hull_model::Schema;
use hull_value::{DocumentId, Value, ValueRef};

/// A counter, and a transaction that adds to it without looking.
fn one() -> (Engine, DocumentId) {
    let engine = open(&counters());
    let mut tx = engine.begin();
    let id = tx.insert("counters", &counter("one")).unwrap();
    engine.commit(tx).unwrap();
    (engine, id)
}

fn add_one(engine: &Engine, id: DocumentId) {
    let mut tx = engine.begin();
    tx.increment(id, "total", 1.0.into()).unwrap();
    engine.commit(tx).unwrap();
}

#[test]
fn increments_depend_on_nothing_but_their_table() {
    let (engine, id) = one();
    let mut tx = engine.begin();
    tx.increment(id, "total", 5.0.into()).unwrap();
    tx.increment(id, "big", 7.into()).unwrap();
    let keyspaces: Vec<_> = tx.read_set().intervals().iter().map(|i| i.keyspace).collect();
    assert_eq!(keyspaces, [hull_engine::Keyspace::CATALOG]);
    assert!(tx.has_writes());
    // Other fields are looked at without settling it.
    assert_eq!(number(&tx.get_fields(id, &["name"]).unwrap().unwrap(), "total"), 0.0);
    for _ in 0..3 {
        add_one(&engine, id);
    }
    let committed = engine.commit(tx).unwrap();
    assert_eq!(engine.metrics().conflicts, 0);
    let mut tx = engine.begin();
    let document = tx.get(id).unwrap().unwrap();
    assert_eq!((number(&document, "total"), row(&document).big), (8.0, Some(7)));
    assert_eq!(committed.ts, engine.ordered());
}

#[test]
fn looking_at_the_field_makes_it_an_ordinary_write() {
    type Look = fn(&mut Transaction, DocumentId) -> f64;
    let looks: [(&str, Look); 6] = [
        ("get", |tx, id| number(&tx.get(id).unwrap().unwrap(), "total")),
        ("get_fields", |tx, id| number(&tx.get_fields(id, &["total"]).unwrap().unwrap(), "total")),
        ("the index", |tx, _| {
            let mut scan = tx.scan("counters", "by_total", &KeyRange::all(), Order::Asc).unwrap();
            number(&tx.next(&mut scan).unwrap().unwrap(), "total")
        }),
        ("another index", |tx, _| {
            let mut scan = tx.scan("counters", "by_name", &KeyRange::all(), Order::Asc).unwrap();
            number(&tx.next(&mut scan).unwrap().unwrap(), "total")
        }),
        ("a search", |tx, _| {
            let filters = [("total", Some(ValueRef::Float64(2.0)))];
            let (table, index) = ("counters", "search_name");
            let request = SearchRequest { table, index, field: None, text: "one", filters: &filters };
            let mut search = tx.search(&request).unwrap();
            number(&tx.next_found(&mut search).unwrap().unwrap(), "total")
        }),
        ("a range of the index", |tx, _| {
            let range = eq(2.0);
            let mut scan = tx.scan("counters", "by_total", &range, Order::Desc).unwrap();
            number(&tx.next(&mut scan).unwrap().unwrap(), "total")
        }),
    ];
    for (name, look) in looks {
        let (engine, id) = one();
        let mut tx = engine.begin();
        tx.increment(id, "total", 1.0.into()).unwrap();
        let savepoint = tx.savepoint();
        tx.increment(id, "total", 1.0.into()).unwrap();
        assert_eq!(look(&mut tx, id), 2.0, "{name}");
        tx.rollback_to(savepoint);
        assert_eq!(number(&tx.get(id).unwrap().unwrap(), "total"), 1.0, "{name}");
        add_one(&engine, id);
        assert!(matches!(engine.commit(tx), Err(CommitError::Conflict(_))), "{name}");
    }
    // Before as after.
    let (engine, id) = one();
    let mut tx = engine.begin();
    tx.get(id).unwrap();
    tx.increment(id, "total", 1.0.into()).unwrap();
    add_one(&engine, id);
    assert!(matches!(engine.commit(tx), Err(CommitError::Conflict(_))));
}

#[test]
fn what_breaks_a_rule_in_the_commit_is_told_in_the_transaction() {
    type Other = fn(&mut Transaction, DocumentId) -> Result<(), TxError>;
    /// Leaves no room for one field more.
    fn fill(tx: &mut Transaction, id: DocumentId) -> Result<(), TxError> {
        let room = hull_engine::MAX_DOCUMENT_SIZE - tx.get(id)?.unwrap().size() as usize;
        let long = "x".repeat(room);
        tx.patch(id, &[("name", Some(ValueRef::String(&long)))])
    }
    let cases: [(&str, Amount, Other, &str); 4] = [
        ("total", 1.0.into(), |tx, id| tx.delete(id), "NonexistentDocument"),
        ("stars", 2.into(), |tx, id| tx.increment(id, "stars", 2.into()), "SchemaEnforcementError"),
        ("big", 1.into(), |tx, id| tx.increment(id, "big", i64::MAX.into()), "InvalidIncrementError"),
        ("big", 1.into(), fill, "ValueTooLargeError"),
    ];
    for (field, amount, other, expected) in cases {
        let (engine, id) = one();
        let mut tx = engine.begin();
        tx.increment(id, field, amount).unwrap();
        let mut before = engine.begin();
        other(&mut before, id).unwrap();
        engine.commit(before).unwrap();
        let error = engine.commit(tx).unwrap_err();
        assert!(matches!(error, CommitError::Fold) && error.is_retryable(), "{error}");
        let mut tx = engine.begin();
        tx.without_folds();
        assert_eq!(tx.increment(id, field, amount).unwrap_err().code(), expected);
        // Nothing of the first try is left, and the second depends on the document.
        assert!(tx.read_set().intervals().len() > 1 && !tx.has_writes());
    }
}

#[test]
fn what_can_never_be_incremented_is_refused_at_once() {
    let (engine, id) = one();
    let mut tx = engine.begin();
    let gone = DocumentId { internal: hull_value::InternalId([7; 16]), ..id };
    let elsewhere = DocumentId { table: hull_value::TableNumber(999), ..id };
    for (id, field, amount, expected, text) in [
        (gone, "total", Amount::Float64(1.0), "NonexistentDocument", "Increment on nonexistent document ID"),
        (elsewhere, "total", 1.0.into(), "NonexistentDocument", "Increment on nonexistent document ID"),
        (
            id,
            "name",
            1.0.into(),
            "InvalidIncrementError",
            "it holds the string \"one\", and the amount is the float64 1.0",
        ),
        (
            id,
            "total",
            1.into(),
            "InvalidIncrementError",
            "it holds the float64 0, and the amount is the int64 1",
        ),
        (id, "big", 1.5.into(), "SchemaEnforcementError", "v.int64()"),
        (id, "stars", 9.into(), "SchemaEnforcementError", "v.literal(3n)"),
        (id, "other", 1.0.into(), "SchemaEnforcementError", "extra field `other`"),
        (id, "_creationTime", 1.0.into(), "InvalidCreationTimeError", "creation time"),
        (id, "no name", 1.0.into(), "InvalidDocumentError", "Invalid field name"),
    ] {
        let error = tx.increment(id, field, amount).unwrap_err();
        assert_eq!(error.code(), expected, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
    assert!(!tx.has_writes());
    let mut reader = engine.begin_read(hull_engine::ReadAt::Ordered).unwrap();
    assert_eq!(reader.increment(id, "total", 1.0.into()).unwrap_err().code(), "ReadOnlyTransaction");
}

#[test]
fn increments_count_as_writes_and_without_a_schema_make_a_field() {
    let engine = open(&Schema::new());
    let mut tx = engine.begin();
    let id = tx.insert("free", &object(&[("name", Value::from("x"))])).unwrap();
    engine.commit(tx).unwrap();
    let mut tx = engine.begin();
    tx.set_limits(hull_engine::Limits { documents_written: 2, ..Default::default() });
    tx.increment(id, "n", 2.into()).unwrap();
    tx.increment(id, "n", 3.into()).unwrap();
    assert_eq!(tx.increment(id, "n", 1.into()).unwrap_err().code(), "TooManyWrites");
    engine.commit(tx).unwrap();
    let found = engine.begin().get(id).unwrap().unwrap();
    assert_eq!(found.value.as_object().unwrap().get("n"), Some(ValueRef::Int64(5)));
    assert_eq!(u64::from(found.size()), found.value.size() as u64);
}
