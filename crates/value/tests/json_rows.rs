//! The text of a list that is written with the help of an earlier one is its text.

mod common;

use common::{key, pack, value};
use hull_value::{JsonRows, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn rows() -> impl Strategy<Value = Vec<Value>> {
    vec(btree_map(key(), value(), 0..4).prop_map(Value::Object), 0..40)
}

/// A change of a list: where, and what.
#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, Value),
    Replace(usize, Value),
    Remove(usize, usize),
    Move(usize, usize),
    /// The same row once more.
    Repeat(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = any::<prop::sample::Index>().prop_map(|index| index.index(1000));
    let row = prop_oneof![9 => btree_map(key(), value(), 0..4).prop_map(Value::Object), 1 => value()];
    prop_oneof![
        (place.clone(), row.clone()).prop_map(|(at, row)| Edit::Insert(at, row)),
        (place.clone(), row).prop_map(|(at, row)| Edit::Replace(at, row)),
        (place.clone(), 0..12usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        (place.clone(), place.clone()).prop_map(|(from, to)| Edit::Move(from, to)),
        (place.clone(), place).prop_map(|(from, to)| Edit::Repeat(from, to)),
    ]
}

fn apply(rows: &mut Vec<Value>, edit: Edit) {
    let place = |at: usize| at % rows.len().max(1);
    match edit {
        Edit::Insert(at, row) => rows.insert(at % (rows.len() + 1), row),
        _ if rows.is_empty() => {}
        Edit::Replace(at, row) => {
            let at = place(at);
            rows[at] = row;
        }
        Edit::Remove(at, count) => {
            let at = place(at);
            rows.drain(at..(at + count).min(rows.len()));
        }
        Edit::Move(from, to) => {
            let (from, to) = (place(from), place(to));
            let row = rows.remove(from);
            rows.insert(to, row);
        }
        Edit::Repeat(from, to) => rows.insert(place(to), rows[place(from)].clone()),
    }
}

fn list(rows: &[Value]) -> JsonRows {
    JsonRows::new(pack(&Value::Array(rows.to_vec())))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_chain_of_edits_is_written_as_it_is(rows in rows(), steps in vec(vec(edit(), 0..5), 1..4)) {
        let mut rows = rows;
        let mut before = list(&rows);
        prop_assert_eq!(before.json(None), before.value().to_json());
        for edits in steps {
            for edit in edits {
                apply(&mut rows, edit);
            }
            let after = list(&rows);
            prop_assert_eq!(after.json(Some(&before)), after.value().to_json());
            before = after;
        }
    }

    #[test]
    fn any_value_follows_any_other(old in value(), new in value(), rows in rows()) {
        let (old, rows) = (JsonRows::new(pack(&old)), list(&rows));
        old.json(None);
        rows.json(None);
        for before in [&old, &rows] {
            let new = JsonRows::new(pack(&new));
            prop_assert_eq!(new.json(Some(before)), new.value().to_json());
        }
        let lists = list(&[]);
        prop_assert_eq!(lists.json(Some(&rows)), "[]");
    }
}

#[test]
fn rows_are_found_again_in_long_lists() {
    let row = |n: usize| Value::object([("n", Value::from(n as f64)), ("text", "a \"row\"".into())]);
    let old: Vec<Value> = (0..600).map(row).collect();
    let before = list(&old);
    before.json(None);
    let mut edited: Vec<Vec<Value>> =
        vec![old.iter().rev().cloned().collect(), (300..900).map(row).collect()];
    for at in [0, 1, 299, 599] {
        let mut gone = old.clone();
        gone.drain(at..(at + 20).min(600));
        let mut new = old.clone();
        new.splice(at..at, (1000..1020).map(row));
        edited.extend([gone, new]);
    }
    for rows in edited {
        let after = list(&rows);
        assert_eq!(after.json(Some(&before)), after.value().to_json());
    }
}

#[test]
fn the_text_is_written_once_and_kept() {
    let old = list(&[Value::object([("a", Value::Null)])]);
    assert_eq!(old.text_memory(), 0);
    let first = old.json(None).as_ptr();
    assert_eq!(old.json(None).as_ptr(), first);
    assert!(old.text_memory() > "[{\"a\":null}]".len());
    // One without a text is no help, and none is made for it.
    let other = list(&[Value::object([("a", Value::Null)])]);
    assert_eq!(list(&[]).json(Some(&other)), "[]");
    assert_eq!(other.text_memory(), 0);
}
