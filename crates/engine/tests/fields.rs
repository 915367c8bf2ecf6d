//! What a transaction looked at decides what it conflicts with: a field, a document, or only that there is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::*;
use hull_engine::{CommitError, Engine, KeyRange, Limits, Order, Projection, Scan, Transaction, TxError};
use hull_model::{IndexBounds, Schema, define_table, v};
use hull_value::{DocumentId, Packed, Value, ValueRef};

fn notes() -> Schema {
    let table = define_table("notes").field("rank", v::number()).field("title", v::string());
    let table = table.field("body", v::string()).index("by_rank", ["rank"]);
    Schema::new().table(table)
}

/// Notes of the ranks 1, 2 and 3.
fn seed() -> (Engine, Vec<DocumentId>) {
    let engine = open(&notes());
    let mut tx = engine.begin();
    let ids = [1.0, 2.0, 3.0].map(|rank| tx.insert("notes", &note(rank, "t", "b")).unwrap());
    engine.commit(tx).unwrap();
    (engine, ids.to_vec())
}

fn note(rank: f64, title: &str, body: &str) -> Packed {
    object(&[("rank", rank.into()), ("title", title.into()), ("body", body.into())])
}

fn set(tx: &mut Transaction, id: DocumentId, field: &str, value: &str) {
    tx.patch(id, &[(field, Some(ValueRef::String(value)))]).unwrap();
}

fn rank(tx: &mut Transaction, id: DocumentId, rank: f64) {
    tx.patch(id, &[("rank", Some(ValueRef::Float64(rank)))]).unwrap();
}

fn insert(tx: &mut Transaction, rank: f64) {
    tx.insert("notes", &note(rank, "t", "b")).unwrap();
}

/// The notes with ranks from `low` to 9, without it.
fn from(tx: &mut Transaction, low: f64) -> Scan {
    let bounds = IndexBounds::all().lower(std::ops::Bound::Included(Some(ValueRef::Float64(low))));
    let range = bounds.upper(std::ops::Bound::Excluded(Some(ValueRef::Float64(9.0)))).to_key_range();
    tx.scan("notes", "by_rank", &range, Order::Asc).unwrap()
}

fn all(tx: &mut Transaction, mut scan: Scan) {
    while tx.next(&mut scan).unwrap().is_some() {}
}

type Act = fn(&mut Transaction, &[DocumentId]);

/// What others do meanwhile.
const WRITES: [(&str, Act); 12] = [
    ("the title of the first", |tx, ids| set(tx, ids[0], "title", "x")),
    ("the body of the first", |tx, ids| set(tx, ids[0], "body", "x")),
    ("both of the first", |tx, ids| tx.replace(ids[0], &note(1.0, "x", "x")).unwrap()),
    ("what is there already", |tx, ids| set(tx, ids[0], "title", "t")),
    ("the title of the second", |tx, ids| set(tx, ids[1], "title", "x")),
    ("the first moves within the range", |tx, ids| rank(tx, ids[0], 2.5)),
    ("the first leaves the range", |tx, ids| rank(tx, ids[0], 10.0)),
    ("the first is deleted", |tx, ids| tx.delete(ids[0]).unwrap()),
    ("the second is deleted", |tx, ids| tx.delete(ids[1]).unwrap()),
    ("another comes before the first", |tx, _| insert(tx, 0.5)),
    ("another comes last", |tx, _| insert(tx, 8.0)),
    ("another comes outside the range", |tx, _| insert(tx, 9.0)),
];

/// What is read, and for each of the writes above whether it conflicts.
const READS: [(&str, Act, &str); 15] = [
    ("the first", |tx, ids| drop(tx.get(ids[0]).unwrap()), "!!!..!!!...."),
    (
        "the first, by the index on the id",
        |tx, ids| {
            let id = ids[0].to_string();
            let range = IndexBounds::all().eq(Some(ValueRef::String(&id))).to_key_range();
            let scan = tx.scan("notes", "by_id", &range, Order::Asc).unwrap();
            all(tx, scan);
        },
        "!!!..!!!....",
    ),
    ("its title", |tx, ids| drop(tx.get_fields(ids[0], &["title"]).unwrap()), "!.!....!...."),
    ("its body", |tx, ids| drop(tx.get_fields(ids[0], &["body", "_id"]).unwrap()), ".!!....!...."),
    ("its title and its rank", |tx, ids| drop(tx.get_fields(ids[0], &["title", "rank"])), "!.!..!!!...."),
    ("that it is there", |tx, ids| drop(tx.get_fields(ids[0], &[]).unwrap()), ".......!...."),
    ("what it has not", |tx, ids| drop(tx.get_fields(ids[0], &["other"]).unwrap()), ".......!...."),
    (
        "all titles",
        |tx, _| {
            let scan = from(tx, 0.0).select(Projection::Fields(&["title"]));
            all(tx, scan);
        },
        "!.!.!!!!!!!.",
    ),
    (
        "all bodies",
        |tx, _| {
            let scan = from(tx, 0.0).select(Projection::Fields(&["body"]));
            all(tx, scan);
        },
        ".!!..!!!!!!.",
    ),
    (
        "how many there are",
        |tx, _| {
            let scan = from(tx, 0.0).select(Projection::PRESENCE);
            all(tx, scan);
        },
        ".....!!!!!!.",
    ),
    (
        "whether there is one",
        |tx, _| {
            let scan = from(tx, 0.0);
            assert!(tx.exists(scan).unwrap());
        },
        ".....!!!....",
    ),
    (
        "that there is none",
        |tx, _| {
            let scan = from(tx, 5.0);
            assert!(!tx.exists(scan).unwrap());
        },
        "..........!.",
    ),
    (
        "the first of all",
        |tx, _| {
            let mut scan = from(tx, 0.0);
            assert!(tx.next(&mut scan).unwrap().is_some());
        },
        "!!!..!!!.!..",
    ),
    (
        "the title of the first of all",
        |tx, _| {
            let mut scan = from(tx, 0.0).select(Projection::Fields(&["title"]));
            assert!(tx.next(&mut scan).unwrap().is_some());
        },
        "!.!..!!!.!..",
    ),
    (
        "a title, and the body of another",
        |tx, ids| {
            tx.get_fields(ids[0], &["title"]).unwrap();
            tx.get_fields(ids[1], &["body"]).unwrap();
        },
        "!.!....!!...",
    ),
];

#[test]
fn a_read_conflicts_with_what_it_looked_at() {
    for (what, read, expected) in READS {
        let mut found = String::new();
        for (_, write) in WRITES {
            let (engine, ids) = seed();
            let mut reader = engine.begin();
            read(&mut reader, &ids);
            reader.insert("log", &object(&[])).unwrap();
            let mut writer = engine.begin();
            write(&mut writer, &ids);
            engine.commit(writer).unwrap();
            found.push(match engine.commit(reader) {
                Ok(_) => '.',
                Err(CommitError::Conflict(_)) => '!',
                Err(error) => panic!("{error}"),
            });
        }
        let writes: Vec<&str> = WRITES.iter().map(|(name, _)| *name).collect();
        assert_eq!(found, expected, "who reads {what}, while {writes:?}");
    }
}

/// The index key stays, although the field that it is made of changes around it.
#[test]
fn a_field_may_change_around_the_part_that_an_index_has() {
    let home = |code: f64| {
        let city = ("city".to_owned(), Value::from("London"));
        Value::Object([city, ("code".to_owned(), code.into())].into())
    };
    let reads: [(&[&str], bool); 3] = [(&["home"], true), (&["name"], false), (&[], false)];
    for (fields, conflicts) in reads {
        let table = define_table("people").field("name", v::string());
        let people = table.field("home", v::any()).index("by_city", ["home.city"]);
        let engine = open(&Schema::new().table(people));
        let mut tx = engine.begin();
        let id = tx.insert("people", &object(&[("name", "ada".into()), ("home", home(1.0))])).unwrap();
        engine.commit(tx).unwrap();
        let mut reader = engine.begin();
        let scan = reader.scan("people", "by_city", &KeyRange::all(), Order::Asc).unwrap();
        all(&mut reader, scan.select(Projection::Fields(fields)));
        let (at, reads) = (reader.snapshot(), reader.into_read_set());
        let mut writer = engine.begin();
        let changed = Packed::encode(&home(2.0)).unwrap();
        writer.patch(id, &[("home", Some(changed.as_ref()))]).unwrap();
        engine.commit(writer).unwrap();
        assert_eq!(engine.is_unchanged(&reads, at), Some(!conflicts), "{fields:?}");
    }
}

#[test]
fn no_update_is_lost_to_one_who_looked_at_another_field() {
    let (engine, ids) = seed();
    let bodies = |engine: &Engine| {
        let mut tx = engine.begin();
        tx.get_fields(ids[0], &["body"]).unwrap();
        tx
    };
    let mut first = bodies(&engine);
    let mut second = engine.begin();
    set(&mut second, ids[0], "title", "second");
    engine.commit(second).unwrap();
    // The version that a patch writes holds the title as well.
    set(&mut first, ids[0], "body", "first");
    assert!(matches!(engine.commit(first), Err(CommitError::Conflict(_))));
    let mut again = bodies(&engine);
    set(&mut again, ids[0], "body", "first");
    engine.commit(again).unwrap();
    let document = engine.begin().get(ids[0]).unwrap().unwrap();
    let fields = document.value.as_object().unwrap();
    assert_eq!(fields.get("title"), Some(ValueRef::String("second")));
    assert_eq!(fields.get("body"), Some(ValueRef::String("first")));
}

#[test]
fn fields_of_documents_without_a_schema_are_told_apart_too() {
    let engine = open(&Schema::new());
    let mut tx = engine.begin();
    let id = tx.insert("free", &note(1.0, "t", "b")).unwrap();
    engine.commit(tx).unwrap();
    let (at, reads) = {
        let mut tx = engine.begin();
        tx.get_fields(id, &["title"]).unwrap();
        (tx.snapshot(), tx.into_read_set())
    };
    for (field, unchanged) in [("body", true), ("other", true), ("title", false)] {
        let mut tx = engine.begin();
        set(&mut tx, id, field, "x");
        engine.commit(tx).unwrap();
        assert_eq!(engine.is_unchanged(&reads, at), Some(unchanged), "{field}");
    }
}

#[test]
fn what_is_too_much_to_read_depends_on_all_of_it() {
    let (engine, ids) = seed();
    let mut tx = engine.begin();
    tx.set_limits(Limits { bytes_read: 100, ..Limits::default() });
    let mut scan = tx.scan("notes", "by_rank", &KeyRange::all(), Order::Asc).unwrap();
    scan = scan.select(Projection::Fields(&["title"]));
    let error = loop {
        match tx.next(&mut scan) {
            Ok(found) => assert!(found.is_some(), "the limit is not reached"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, TxError::TooManyBytesRead(100)));
    let (at, reads) = (tx.snapshot(), tx.into_read_set());
    let mut tx = engine.begin();
    set(&mut tx, ids[0], "body", "");
    engine.commit(tx).unwrap();
    assert_eq!(engine.is_unchanged(&reads, at), Some(false));
}

#[test]
fn who_writes_another_field_does_not_wait_for_a_reservation() {
    let (engine, ids) = seed();
    let mut reader = engine.begin();
    reader.get_fields(ids[0], &["title"]).unwrap();
    let mut writer = engine.begin();
    set(&mut writer, ids[0], "title", "x");
    engine.commit(writer).unwrap();
    let reads = reader.read_set().clone();
    reader.insert("log", &object(&[])).unwrap();
    let Err(CommitError::Conflict(key)) = engine.commit(reader) else { panic!("no conflict") };
    let place = engine.line(&key);
    assert!(place.reserve(&reads));
    for (field, waits) in [("body", false), ("title", true)] {
        let mut writer = engine.begin();
        set(&mut writer, ids[0], field, "y");
        assert_eq!(engine.clearance(&writer, None).is_some(), waits, "{field}");
    }
    let mut writer = engine.begin();
    rank(&mut writer, ids[0], 7.0);
    assert!(engine.clearance(&writer, None).is_none());
}
