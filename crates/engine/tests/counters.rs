//! What counters answer is what reading the index gives: beside commits, at old snapshots, with own writes, while they are
//! built, after a start, with tables in memory and not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::ops::Bound;

use common::*;
use hull_engine::{
    CommitError, Document, Engine, ImportMode, ImportOptions, ImportRow, ImportTable, KeyRange, Number,
    Order, RankedGroup, ReadAt, Transaction, TxError,
};
use hull_model::{IndexBounds, Schema, define_table, v};
use hull_value::{DocumentId, Packed, Value, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

const USERS: [&str; 5] = ["ada", "bob", "cleo", "dan", "eve"];

/// Entries of users with points; the first of a pair counts or adds up what is in the second.
fn schema() -> Schema {
    let table = define_table("t")
        .field("user", v::string())
        .field("points", v::optional(v::number()))
        .field("steps", v::int64())
        .field("note", v::optional(v::string()))
        .index("plain", ["user"])
        .aggregate_index("by_user", ["user"], None, true)
        .aggregate_index("points_by_user", ["user"], Some("points"), true)
        .aggregate_index("steps_by_points", ["points"], Some("steps"), true)
        .aggregate_index("by_user_points", ["user", "points"], None, false);
    Schema::new().table(table)
}

const SUMS: [(&str, &str); 2] = [("points_by_user", "points"), ("steps_by_points", "steps")];
const COUNTS: [&str; 4] = ["by_user", "points_by_user", "steps_by_points", "by_user_points"];

fn entry(user: &str, points: Option<f64>, steps: i64) -> Packed {
    let mut fields = vec![("user", Value::String(user.into())), ("steps", Value::Int64(steps))];
    fields.extend(points.map(|points| ("points", Value::Float64(points))));
    object(&fields)
}

fn some_points(rng: &mut SmallRng) -> Option<f64> {
    Some(match rng.random_range(0..40) {
        0..4 => return None,
        4 => f64::INFINITY,
        5 => f64::NEG_INFINITY,
        6 => f64::NAN,
        7 => -0.0,
        8 | 9 => 1e300,
        10 | 11 => -1e300,
        _ => f64::from(rng.random_range(-400..400)) / 4.0,
    })
}

fn some_user(rng: &mut SmallRng) -> &'static str {
    USERS[rng.random_range(0..USERS.len())]
}

fn some_range(rng: &mut SmallRng, index: &str) -> KeyRange {
    let user = some_user(rng);
    let points = some_points(rng);
    let points = points.as_ref().map(|points| ValueRef::Float64(*points));
    let user = Some(ValueRef::String(user));
    let first = if index == "steps_by_points" { points } else { user };
    let bounds = IndexBounds::all();
    let bounds = match rng.random_range(0..6) {
        0 => bounds,
        1 => bounds.lower(Bound::Included(first)),
        2 => bounds.upper(Bound::Excluded(first)),
        3 => bounds.lower(Bound::Excluded(first)).upper(Bound::Included(user)),
        4 if index == "by_user_points" => bounds.eq(first).lower(Bound::Included(points)),
        _ => bounds.eq(first),
    };
    bounds.to_key_range()
}

fn read(tx: &mut Transaction, index: &str, range: &KeyRange, order: Order) -> Vec<Document> {
    let mut scan = tx.scan("t", index, range, order).unwrap();
    let mut found = Vec::new();
    while let Some(document) = tx.next(&mut scan).unwrap() {
        found.push(document);
    }
    found
}

fn field<'a>(document: &'a Document, name: &str) -> Option<ValueRef<'a>> {
    document.value.as_object().and_then(|object| object.get(name))
}

/// The sum of such floats as [`some_points`] makes.
fn sum_of_floats(numbers: &[f64]) -> f64 {
    let count = |is: fn(&f64) -> bool| numbers.iter().filter(|n| is(n)).count() as i64;
    let infinite = (count(|n| *n == f64::INFINITY) > 0, count(|n| *n == f64::NEG_INFINITY) > 0);
    if count(|n| n.is_nan()) > 0 || infinite == (true, true) {
        return f64::NAN;
    }
    match infinite {
        (true, _) => return f64::INFINITY,
        (_, true) => return f64::NEG_INFINITY,
        _ => {}
    }
    let huge = count(|n| *n == 1e300) - count(|n| *n == -1e300);
    let small: i64 = numbers.iter().filter(|n| n.abs() < 1e9).map(|n| (n * 4.0) as i64).sum();
    if huge == 0 { small as f64 / 4.0 } else { huge as f64 * 1e300 }
}

fn sum(documents: &[Document], name: &str) -> Number {
    if name == "steps" {
        let steps = documents.iter().map(|d| match field(d, name) {
            Some(ValueRef::Int64(n)) => n,
            other => panic!("{other:?}"),
        });
        return Number::Int64(steps.sum());
    }
    let numbers: Vec<f64> = documents.iter().filter_map(|d| field(d, name)?.as_float64()).collect();
    Number::Float64(sum_of_floats(&numbers))
}

fn extreme(documents: &[Document], name: &str, greatest: bool) -> Option<Number> {
    let mut numbers: Vec<Number> = documents
        .iter()
        .filter_map(|d| match field(d, name)? {
            ValueRef::Float64(n) => Some(Number::Float64(n)),
            ValueRef::Int64(n) => Some(Number::Int64(n)),
            other => panic!("{other:?}"),
        })
        .collect();
    numbers.sort_by(compare);
    if greatest { numbers.last().copied() } else { numbers.first().copied() }
}

fn compare(a: &Number, b: &Number) -> std::cmp::Ordering {
    match (a, b) {
        (Number::Float64(a), Number::Float64(b)) => a.total_cmp(b),
        (Number::Int64(a), Number::Int64(b)) => a.cmp(b),
        _ => panic!("{a:?} {b:?}"),
    }
}

/// Equal to the bit, any NaN to any other.
fn same(a: Option<Number>, b: Option<Number>) -> bool {
    match (a, b) {
        (Some(Number::Float64(a)), Some(Number::Float64(b))) => {
            a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
        }
        (a, b) => a == b,
    }
}

/// Asks everything about a range, and compares it with what reading it gives.
fn check_range(tx: &mut Transaction, index: &str, range: &KeyRange, rng: &mut SmallRng) {
    let rows = read(tx, index, range, Order::Asc);
    assert_eq!(tx.count_range("t", index, range).unwrap(), rows.len() as u64, "{index} {range:?}");
    if let Some((_, name)) = SUMS.iter().find(|(sum, _)| *sum == index) {
        let found = tx.sum_range("t", index, range).unwrap();
        assert!(same(found, Some(sum(&rows, name))), "{found:?} {:?} {range:?}", sum(&rows, name));
        for (order, greatest) in [(Order::Asc, false), (Order::Desc, true)] {
            let found = tx.extreme_range("t", index, range, order).unwrap();
            let expected = extreme(&rows, name, greatest);
            assert!(same(found, expected), "{found:?} {expected:?} {order:?} {range:?}");
        }
    }
    let last = rows.len().saturating_sub(1);
    for offset in [0, last / 2, last, rows.len(), rng.random_range(0..=rows.len())] {
        let expected = rows.get(offset);
        let found = tx.document_at("t", index, (range, Order::Asc), offset as u64).unwrap();
        assert_eq!(found.as_ref(), expected, "{index} {offset} {range:?}");
        let behind = (rows.len() as u64).wrapping_sub(1 + offset as u64);
        if let Some(expected) = expected {
            let found = tx.document_at("t", index, (range, Order::Desc), behind).unwrap();
            assert_eq!(found.as_ref(), Some(expected), "{index} {offset} from the end");
            let rank =
                |tx: &mut Transaction, order| tx.rank_of("t", index, (range, order), expected.id).unwrap();
            assert_eq!(rank(tx, Order::Asc), Some(offset as u64));
            assert_eq!(rank(tx, Order::Desc), Some(behind));
        }
    }
    let outside = read(tx, index, &KeyRange::all(), Order::Asc);
    if let Some(outside) = outside.iter().find(|document| !rows.contains(document)) {
        assert_eq!(tx.rank_of("t", index, (range, Order::Asc), outside.id).unwrap(), None);
    }
}

fn check_ranking(tx: &mut Transaction, index: &str, by: &str) {
    let mut groups: BTreeMap<Option<Value>, Vec<Document>> = BTreeMap::new();
    for document in read(tx, index, &KeyRange::all(), Order::Asc) {
        let value = field(&document, by).map(|value| value.to_value());
        groups.entry(value).or_default().push(document);
    }
    let summed = SUMS.iter().find(|(sum, _)| *sum == index).map(|(_, name)| *name);
    let mut expected: Vec<RankedGroup> = groups
        .into_iter()
        .map(|(value, documents)| RankedGroup {
            values: vec![value],
            count: documents.len() as u64,
            sum: summed.map(|name| sum(&documents, name)),
        })
        .collect();
    // Stable: what is equal stays in the order of its values.
    expected.sort_by(|a, b| match (a.sum, b.sum) {
        (Some(a), Some(b)) => compare(&a, &b),
        _ => a.count.cmp(&b.count),
    });
    for limit in [0, 1, 3, 1000] {
        let found = tx.ranking("t", index, Order::Asc, limit).unwrap();
        let text = |groups: &[RankedGroup]| format!("{:?}", &groups[..limit.min(groups.len())]);
        assert_eq!(text(&found), text(&expected), "{index}");
    }
    expected.reverse();
    let found = tx.ranking("t", index, Order::Desc, 2).unwrap();
    assert_eq!(format!("{found:?}"), format!("{:?}", &expected[..expected.len().min(2)]));
}

fn check(tx: &mut Transaction, rng: &mut SmallRng) {
    let index = COUNTS[rng.random_range(0..COUNTS.len())];
    let range = some_range(rng, index);
    check_range(tx, index, &range, rng);
    match rng.random_range(0..6) {
        0 => check_ranking(tx, "by_user", "user"),
        1 => check_ranking(tx, "points_by_user", "user"),
        2 => check_ranking(tx, "steps_by_points", "points"),
        _ => {}
    }
    let count = read(tx, "by_creation_time", &KeyRange::all(), Order::Asc).len();
    assert_eq!(tx.table_count("t").unwrap(), count as u64);
}

/// Inserts, changes, moves or deletes a document.
fn write(tx: &mut Transaction, ids: &mut Vec<DocumentId>, rng: &mut SmallRng, growing: bool) {
    let at = rng.random_range(0..ids.len().max(1));
    let which = rng.random_range(0..if growing { 30 } else { 10 });
    let Some(id) = ids.get(at).copied().filter(|_| which < 7) else {
        let document = entry(some_user(rng), some_points(rng), rng.random_range(-5..5));
        return ids.push(tx.insert("t", &document).unwrap());
    };
    let points = some_points(rng);
    let changed = match which {
        0 | 1 => tx.patch(id, &[("points", points.as_ref().map(|p| ValueRef::Float64(*p)))]),
        2 => tx.patch(id, &[("user", Some(ValueRef::String(some_user(rng))))]),
        3 => tx.patch(id, &[("note", Some(ValueRef::String("x")))]),
        4 => tx.patch(id, &[("steps", Some(ValueRef::Int64(rng.random_range(-5..5))))]),
        _ => {
            ids.swap_remove(at);
            tx.delete(id)
        }
    };
    changed.unwrap();
}

fn change(engine: &Engine, ids: &mut Vec<DocumentId>, rng: &mut SmallRng, growing: bool) {
    let mut tx = engine.begin();
    for _ in 0..rng.random_range(1..45) {
        write(&mut tx, ids, rng, growing);
    }
    engine.commit(tx).unwrap();
}

#[test]
fn counters_say_what_reading_gives() {
    for seed in 0..4 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let rng = &mut rng;
        // The first ones have little memory: tables come and go.
        let disk = Disk::new();
        let small = seed % 2 == 0;
        let mut engine = if small { disk.open(seed).unwrap() } else { open(&Schema::new()) };
        engine.apply_schema(&schema(), &mut |_| {}).unwrap();
        let mut ids = Vec::new();
        let mut old: Vec<Transaction> = Vec::new();
        for round in 0..60 {
            disk.clock.advance(1_000_000);
            change(&engine, &mut ids, rng, round < 25 || round % 30 > 24);
            wait_durable(&engine);
            match rng.random_range(0..8) {
                0 => engine.checkpoint().unwrap(),
                1..4 => {
                    engine.maintain().unwrap();
                }
                4 => {
                    while engine.maintain().unwrap() {}
                    assert_eq!(engine.metrics().counters_building, 0);
                }
                _ => {}
            }
            let at = if rng.random() { ReadAt::Durable } else { ReadAt::Ordered };
            old.push(engine.begin_read(at).unwrap());
            if old.len() > 3 {
                let at = rng.random_range(0..old.len());
                check(&mut old.swap_remove(at), rng);
            }
            let mut tx = engine.begin();
            check(&mut tx, rng);
            // Own writes, and what a savepoint takes back.
            let mut own = ids.clone();
            for _ in 0..rng.random_range(1..20) {
                write(&mut tx, &mut own, rng, false);
            }
            check(&mut tx, rng);
            let (savepoint, kept) = (tx.savepoint(), own.clone());
            for _ in 0..rng.random_range(1..20) {
                write(&mut tx, &mut own, rng, false);
            }
            check(&mut tx, rng);
            tx.rollback_to(savepoint);
            check(&mut tx, rng);
            if rng.random() {
                engine.commit(tx).unwrap();
                ids = kept;
            }
            if small && round % 30 == 29 {
                old.clear();
                wait_durable(&engine);
                if rng.random() {
                    engine.checkpoint().unwrap();
                }
                let state = engine.count("t").unwrap();
                drop(engine);
                engine = disk.open(seed).unwrap();
                assert_eq!(engine.count("t").unwrap(), state);
                check(&mut engine.begin(), rng);
            }
        }
    }
}

/// Three entries of ada with 1, 2 and 3 points, one of bob with 10; counters are built.
fn seeded() -> (Engine, Vec<DocumentId>) {
    let disk = Disk::new();
    let engine = disk.open(1).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    let mut tx = engine.begin();
    let all = [("ada", 1.0), ("ada", 2.0), ("ada", 3.0), ("bob", 10.0)];
    let ids = all.map(|(user, points)| tx.insert("t", &entry(user, Some(points), 1)).unwrap());
    engine.commit(tx).unwrap();
    while engine.maintain().unwrap() {}
    // What comes later lies behind.
    disk.clock.advance(10_000_000);
    (engine, ids.to_vec())
}

fn of(user: &str) -> KeyRange {
    IndexBounds::all().eq(Some(ValueRef::String(user))).to_key_range()
}

type Act = fn(&mut Transaction, &[DocumentId]);

fn points(tx: &mut Transaction, id: DocumentId, points: f64) {
    tx.patch(id, &[("points", Some(ValueRef::Float64(points)))]).unwrap();
}

fn user(tx: &mut Transaction, id: DocumentId, user: &str) {
    tx.patch(id, &[("user", Some(ValueRef::String(user)))]).unwrap();
}

const WRITES: [(&str, Act); 9] = [
    ("a note of ada's first", |tx, ids| tx.patch(ids[0], &[("note", Some(ValueRef::String("x")))]).unwrap()),
    ("the points of ada's first", |tx, ids| points(tx, ids[0], 1.5)),
    ("the points of ada's last", |tx, ids| points(tx, ids[2], 3.5)),
    ("ada has one more", |tx, _| {
        tx.insert("t", &entry("ada", None, 0)).unwrap();
    }),
    ("ada's first is deleted", |tx, ids| tx.delete(ids[0]).unwrap()),
    ("ada's last becomes bob's", |tx, ids| user(tx, ids[2], "bob")),
    ("bob has one more", |tx, _| {
        tx.insert("t", &entry("bob", Some(0.0), 0)).unwrap();
    }),
    ("the points of bob's", |tx, ids| points(tx, ids[3], 11.0)),
    ("a note of bob's", |tx, ids| tx.patch(ids[3], &[("note", Some(ValueRef::String("x")))]).unwrap()),
];

/// What is asked, and for each of the writes above whether it conflicts.
const READS: [(&str, Act, &str); 8] = [
    (
        "how many ada has",
        |tx, _| {
            tx.count_range("t", "by_user", &of("ada")).unwrap();
        },
        "...!!!...",
    ),
    (
        "ada's points",
        |tx, _| {
            tx.sum_range("t", "points_by_user", &of("ada")).unwrap();
        },
        ".!!!!!...",
    ),
    (
        "ada's best",
        |tx, _| {
            tx.extreme_range("t", "points_by_user", &of("ada"), Order::Desc).unwrap();
        },
        ".!!!!!...",
    ),
    (
        "how many bob has",
        |tx, _| {
            tx.count_range("t", "by_user", &of("bob")).unwrap();
        },
        ".....!!..",
    ),
    (
        "the ranking",
        |tx, _| {
            tx.ranking("t", "points_by_user", Order::Desc, 1).unwrap();
        },
        ".!!!!!!!.",
    ),
    (
        "the place of ada's second",
        |tx, ids| {
            tx.rank_of("t", "by_user", (&of("ada"), Order::Asc), ids[1]).unwrap();
        },
        "....!....",
    ),
    (
        "ada's first but one",
        |tx, _| {
            tx.document_at("t", "by_user", (&of("ada"), Order::Asc), 1).unwrap();
        },
        "....!....",
    ),
    (
        "how many there are",
        |tx, _| {
            tx.table_count("t").unwrap();
        },
        "...!!.!..",
    ),
];

#[test]
fn an_answer_depends_on_its_range_and_its_field() {
    for (read, ask, expected) in READS {
        let conflicts: String = WRITES
            .iter()
            .map(|(_, write)| {
                let (engine, ids) = seeded();
                let mut tx = engine.begin();
                ask(&mut tx, &ids);
                tx.insert("log", &object(&[])).unwrap();
                let mut other = engine.begin();
                write(&mut other, &ids);
                let keys = engine.commit(other).unwrap().keys.unwrap();
                let touched = tx.read_set().touches(&keys);
                let committed = engine.commit(tx);
                assert_eq!(touched, matches!(committed, Err(CommitError::Conflict(_))));
                if touched { '!' } else { '.' }
            })
            .collect();
        assert_eq!(conflicts, expected, "{read}");
    }
}

#[test]
fn writers_do_not_meet_in_a_counter() {
    let (engine, ids) = seeded();
    let mut reader = engine.begin();
    assert_eq!(reader.count_range("t", "by_user", &of("ada")).unwrap(), 3);
    let mut writers = [engine.begin(), engine.begin(), engine.begin()];
    for writer in &mut writers {
        writer.insert("t", &entry("ada", Some(5.0), 0)).unwrap();
    }
    points(&mut writers[2], ids[0], 7.0);
    for writer in writers {
        engine.commit(writer).unwrap();
    }
    // Who has read the count stays with it, and can't write.
    assert_eq!(reader.count_range("t", "by_user", &of("ada")).unwrap(), 3);
    assert_eq!(reader.sum_range("t", "points_by_user", &of("ada")).unwrap(), Some(Number::Float64(6.0)));
    reader.insert("log", &object(&[])).unwrap();
    assert!(matches!(engine.commit(reader), Err(CommitError::Conflict(_))));
    let mut tx = engine.begin();
    assert_eq!(tx.count_range("t", "by_user", &of("ada")).unwrap(), 6);
    assert_eq!(tx.sum_range("t", "points_by_user", &of("ada")).unwrap(), Some(Number::Float64(27.0)));
}

#[test]
fn what_an_index_does_not_do_is_said() {
    let (engine, _) = seeded();
    let mut tx = engine.begin();
    let error = tx.count_range("t", "plain", &KeyRange::all()).unwrap_err();
    let text = "Index t.plain does not count; declare it with `#[count(…)]` or `#[sum(…)]`.";
    assert_eq!((error.code(), error.to_string()), ("IndexNotAggregated", text.to_owned()));
    let error = tx.sum_range("t", "by_user", &KeyRange::all()).unwrap_err();
    assert_eq!(error.to_string(), "Index t.by_user does not add up a field; declare it with `#[sum(…)]`.");
    assert!(tx.ranking("t", "by_user_points", Order::Asc, 1).is_err());
    assert!(matches!(tx.count_range("t", "nothing", &KeyRange::all()), Err(TxError::IndexNotFound { .. })));
    assert_eq!(tx.count_range("nothing", "by_user", &KeyRange::all()).unwrap(), 0);
    assert_eq!(tx.table_count("nothing").unwrap(), 0);
    // Another index over the same fields may do it.
    assert_eq!(tx.count_range_if_counted("t", "plain", &of("ada")).unwrap(), Some(3));
    assert_eq!(tx.count_range_if_counted("t", "by_creation_time", &KeyRange::all()).unwrap(), None);
}

#[test]
fn a_sum_of_integers_that_is_none_is_an_error() {
    let (engine, _) = seeded();
    let mut tx = engine.begin();
    let big = |tx: &mut Transaction, steps| tx.insert("t", &entry("eve", Some(0.5), steps)).unwrap();
    big(&mut tx, i64::MAX);
    let one = big(&mut tx, 1);
    let sum = |tx: &mut Transaction| tx.sum_range("t", "steps_by_points", &eq(0.5));
    let error = sum(&mut tx).unwrap_err();
    let text = "The sum over index t.steps_by_points does not fit into an int64.";
    assert_eq!((error.code(), error.to_string()), ("SumOverflow", text.to_owned()));
    assert_eq!(tx.ranking("t", "steps_by_points", Order::Desc, 1).unwrap_err().code(), "SumOverflow");
    tx.patch(one, &[("steps", Some(ValueRef::Int64(-1)))]).unwrap();
    assert_eq!(sum(&mut tx).unwrap(), Some(Number::Int64(i64::MAX - 1)));
    engine.commit(tx).unwrap();
    let mut tx = engine.begin();
    assert_eq!(sum(&mut tx).unwrap(), Some(Number::Int64(i64::MAX - 1)));
    tx.delete(one).unwrap();
    assert_eq!(sum(&mut tx).unwrap(), Some(Number::Int64(i64::MAX)));
}

/// An import that replaces a table brings its counters along, and they are built as after a start.
#[test]
fn an_import_replaces_what_is_counted() {
    let rng = &mut SmallRng::seed_from_u64(3);
    for how in [ImportMode::Replace, ImportMode::Append] {
        let (engine, _) = seeded();
        let before = engine.begin_read(ReadAt::Ordered).unwrap();
        let table = ImportTable { name: "t".into(), number: None };
        let options = ImportOptions { mode: how, ..ImportOptions::default() };
        let mut import = engine.begin_import(options, &[table]).unwrap();
        let row = |number: u64| ImportRow { number, value: entry("ada", Some(number as f64), 2) };
        import.push("t", (1..=700).map(row).collect::<Vec<_>>()).unwrap();
        check(&mut engine.begin(), rng);
        import.finish().unwrap();
        let count = if how == ImportMode::Replace { 700 } else { 704 };
        assert_eq!(engine.count("t").unwrap(), count);
        let mut before = before;
        assert_eq!(before.count_range("t", "by_user", &of("ada")).unwrap(), 3);
        assert_eq!(before.table_count("t").unwrap(), 4);
        drop(before);
        for _ in 0..10 {
            check(&mut engine.begin(), rng);
            engine.maintain().unwrap();
        }
        while engine.maintain().unwrap() {}
        assert_eq!(engine.metrics().counters_building, 0);
        check(&mut engine.begin(), rng);
    }
}

/// Counters that are declared later, declared anew, or whose index is built anew say the same.
#[test]
fn declared_later_and_anew() {
    let rng = &mut SmallRng::seed_from_u64(5);
    let plain = define_table("t")
        .field("user", v::string())
        .field("points", v::optional(v::number()))
        .field("steps", v::int64())
        .field("note", v::optional(v::string()));
    let counted = schema();
    let plain = Schema::new().table(plain.index("by_user", ["user"]).index("points_by_user", ["user"]));
    let engine = open(&plain);
    let mut ids = Vec::new();
    for round in 0..40 {
        change(&engine, &mut ids, rng, true);
        let before = engine.begin_read(ReadAt::Ordered).unwrap();
        let schema = if round % 3 == 0 { &counted } else { &plain };
        // A writer that began without the counters does not commit beside them.
        let mut late = engine.begin();
        late.insert("t", &entry("ada", None, 0)).unwrap();
        if round % 4 == 0 {
            while engine.maintain().unwrap() {}
        }
        let changes = engine.schema_json() != Some(schema.to_json().to_string());
        engine.apply_schema(schema, &mut |_| {}).unwrap();
        let committed = engine.commit(late);
        assert_eq!(committed.is_err(), changes, "{committed:?}");
        if round % 3 != 0 {
            continue;
        }
        check(&mut engine.begin(), rng);
        change(&engine, &mut ids, rng, true);
        if round % 2 == 0 {
            engine.rebuild_index("t", "points_by_user", &mut |_| {}).unwrap();
        }
        engine.maintain().unwrap();
        for _ in 0..5 {
            change(&engine, &mut ids, rng, true);
            check(&mut engine.begin(), rng);
            engine.maintain().unwrap();
        }
        drop(before);
    }
}
