//! What holds for the patch between any two values.

use hull_sync::diff::{Change, Made, RowHashes, RowOrigins, ValueHash, apply, changes, make};
use hull_value::{Packed, Value, ValueRef};
use proptest::prelude::*;

use crate::values::{pack, results, value};

/// Makes a patch and checks all that is promised of it.
fn check(old: &Packed, new: &Packed) -> Option<Made> {
    let made = make(old, new);
    if let Some(made) = &made {
        let patch = Packed::from_json(&made.patch).unwrap();
        assert_eq!(apply(old, &patch), Ok(new.clone()), "{}", made.patch);
        assert!(made.patch == "{}" || made.patch.len() < new.to_json().len(), "{}", made.patch);
        assert_eq!(made.patch == "{}", old == new);
        let hashes = RowHashes::of(old);
        assert_eq!(hashes.carry(new, &made.origins), RowHashes::of(new), "{}", made.patch);
        let origins = RowOrigins::of_patch(old, &patch, new).unwrap();
        assert_eq!(hashes.carry(new, &origins), RowHashes::of(new), "{}", made.patch);
        assert_eq!(RowHashes::of(new).whole(), ValueHash::of(new.as_ref()));
    }
    replay(old.as_ref(), new.as_ref(), &changes(old.as_ref(), new.as_ref()));
    made
}

/// Does what a user interface does.
fn replay(old: ValueRef<'_>, new: ValueRef<'_>, changes: &[Change]) {
    let (ValueRef::Array(old), ValueRef::Array(new)) = (old, new) else {
        assert_eq!(changes.is_empty(), old == new);
        return;
    };
    let mut shown: Vec<ValueRef<'_>> = old.iter().collect();
    let new: Vec<ValueRef<'_>> = new.iter().collect();
    let mut rank = 0;
    for change in changes {
        let order = match *change {
            Change::Removed { index } => {
                shown.remove(index);
                0
            }
            Change::Moved { from, to } => {
                assert_ne!(from, to);
                let element = shown.remove(from);
                shown.insert(to, element);
                1
            }
            Change::Inserted { index } => {
                shown.insert(index, new[index]);
                2
            }
            Change::Updated { index } => {
                assert_ne!(shown[index], new[index]);
                shown[index] = new[index];
                3
            }
            Change::Replaced => panic!("lists are never replaced"),
        };
        assert!(rank <= order, "{changes:?}");
        rank = order;
    }
    assert_eq!(shown, new, "{changes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn any_value_becomes_any_other(a in value(), b in value()) {
        check(&pack(&a), &pack(&b));
        check(&pack(&a), &pack(&a));
        // With something around it that stays, a patch pays.
        let filler = Value::from("filler ".repeat(60));
        let around = |v: &Value| pack(&Value::Array(vec![filler.clone(), v.clone(), Value::object([("a", v.clone())])]));
        check(&around(&a), &around(&b));
        let within = |v: &Value| pack(&Value::object([("_", filler.clone()), ("a", v.clone()), ("page", Value::from(vec![v.clone()]))]));
        check(&within(&a), &within(&b));
    }

    #[test]
    fn edits_of_results_are_patches((old, new) in results()) {
        check(&old, &new);
        check(&new, &old);
    }
}

#[test]
fn old_and_new_of_every_vector() {
    for vector in &crate::vectors::read().vectors {
        let pack = |json: &str| Packed::from_json(json).unwrap();
        check(&pack(&vector.old), &pack(&vector.new));
        check(&pack(&vector.new), &pack(&vector.old));
    }
}

fn rows(count: u32) -> Vec<Value> {
    let row = |n: u32| {
        Value::object([
            ("_creationTime", Value::from(1.7e12 + f64::from(n))),
            ("_id", Value::from(format!("k{n:031}"))),
            ("author", Value::from(format!("user {}", n % 10))),
            ("body", Value::from(format!("{n} ").repeat(50))),
        ])
    };
    (0..count).map(row).collect()
}

fn set(row: &mut Value, key: &str, value: Value) {
    let Value::Object(fields) = row else { return };
    fields.insert(key.to_owned(), value);
}

fn made(old: &[Value], new: &[Value]) -> Option<String> {
    check(&pack(&Value::Array(old.to_vec())), &pack(&Value::Array(new.to_vec()))).map(|made| made.patch)
}

#[test]
fn patches_say_what_changed_and_little_else() {
    let old = rows(500);
    let mut new = old.clone();
    set(&mut new[200], "author", Value::from("me"));
    assert_eq!(made(&old, &new).unwrap(), r#"{"list":[200,{"set":{"author":"me"}},299]}"#);

    let top = [vec![Value::from("top")], old.clone()].concat();
    assert_eq!(made(&old, &top).unwrap(), r#"{"list":[["top"],500]}"#);
    assert_eq!(made(&top, &old).unwrap(), r#"{"list":[-1,500]}"#);

    let mut moved = old.clone();
    let row = moved.remove(499);
    moved.insert(0, row);
    assert_eq!(made(&old, &moved).unwrap(), r#"{"list":[{"from":499},499,-1]}"#);
    set(&mut moved[0], "body", Value::from("499 ".repeat(50) + "."));
    assert_eq!(
        made(&old, &moved).unwrap(),
        r#"{"list":[{"from":499,"patch":{"patch":{"body":{"text":[200,0,"."]}}}},499,-1]}"#
    );

    let numbers = |numbers: &[u32]| numbers.iter().map(|n| Value::from(*n)).collect::<Vec<_>>();
    let many: Vec<u32> = (0..100).collect();
    let mut other = many.clone();
    other[50..53].copy_from_slice(&[7, 8, 9]);
    assert_eq!(made(&numbers(&many), &numbers(&other)).unwrap(), r#"{"list":[50,[7,8,9],-3,47]}"#);
}

#[test]
fn what_changed_all_over_is_told_in_full() {
    let old = rows(500);
    let mut new = old.clone();
    for row in &mut new {
        set(row, "author", Value::from("somebody else"));
    }
    assert!(made(&old, &new).is_some_and(|patch| patch.len() < 500 * 40));
    for row in &mut new {
        set(row, "author", Value::from("somebody else again"));
        set(row, "body", Value::from("other words ".repeat(30)));
    }
    assert_eq!(made(&old, &new), None);
    assert_eq!(made(&old, &rows(1000)[500..]), None);
    assert_eq!(made(&rows(1)[..], &[]), None);
}

#[test]
fn patches_keep_the_limits_of_values() {
    // A patch nests deeper than the value: what would pass 64 levels is told in full.
    let deep = |levels: usize, leaf: u32| {
        (0..levels).fold(Value::from(leaf), |inner, level| {
            let pad = Value::from("padding ".repeat(20));
            if level % 2 == 0 {
                Value::Array(vec![pad, inner])
            } else {
                Value::object([("a", inner), ("b", pad)])
            }
        })
    };
    for levels in 1..=64 {
        check(&pack(&deep(levels, 1)), &pack(&deep(levels, 2)));
    }
    // More than 8,192 steps.
    let numbers = |odd: f64| {
        pack(&Value::Array(
            (0..8192)
                .map(|n| Value::from(if n % 2 == 0 { 0.125 } else { f64::from(n) * 1e-9 * odd }))
                .collect(),
        ))
    };
    assert!(check(&numbers(1.0), &numbers(1.5)).is_none());
    // Fields come and go up to the limit.
    let fields = |first: u32| {
        pack(&Value::object((first..first + 1024).map(|n| (format!("field {n}"), Value::from(n)))))
    };
    check(&fields(0), &fields(512)).unwrap();
}
