//! Values of every kind, lists of documents, and edits of both.

use hull_value::{Packed, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn leaf() -> impl Strategy<Value = Value> {
    let special = prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, 0.1, 1e300, 5.0]);
    let filler = "the quick brown fox jumps over the lazy dog é😀 ".repeat(2);
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        (-3..3i64).prop_map(Value::Int64),
        special.prop_map(Value::Float64),
        any::<u64>().prop_map(|bits| Value::Float64(f64::from_bits(bits))),
        "[ab\\\\\"\\x00é😀]{0,4}".prop_map(Value::String),
        "[é😀a]{0,3}".prop_map(move |middle| Value::String(format!("{filler}{middle}{filler}"))),
        vec(any::<u8>(), 0..5).prop_map(Value::Bytes),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "_id", "a", "b", "c", "value", "set", "list", "__proto__", "1", "\"\\"])
        .prop_map(str::to_owned)
}

/// Any value; few enough keys and leaves that two of them have something in common.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            btree_map(key(), inner, 0..5).prop_map(Value::Object),
        ]
    })
}

/// A document as tables have them.
pub(crate) fn document() -> impl Strategy<Value = Value> {
    let body = "[a-z ]{40,120}";
    (0..60u32, any::<u32>(), body, vec("[a-z]{1,6}", 0..4), any::<bool>()).prop_map(
        |(id, time, body, tags, done)| {
            Value::object([
                ("_creationTime", Value::from(f64::from(time) + 0.25)),
                ("_id", Value::from(format!("k{id:031}"))),
                ("body", Value::from(body)),
                ("done", Value::from(done)),
                ("likes", Value::from(time % 7)),
                ("meta", Value::object([("edited", Value::from(done)), ("tags", Value::from(tags))])),
            ])
        },
    )
}

/// A list of documents; ids are distinct, but for some lists.
pub(crate) fn documents() -> impl Strategy<Value = Vec<Value>> {
    (vec(document(), 0..30), prop::bool::weighted(0.8)).prop_map(|(mut rows, distinct)| {
        if distinct {
            let mut seen = std::collections::HashSet::new();
            rows.retain(|row| seen.insert(id(row)));
        }
        rows
    })
}

fn id(row: &Value) -> String {
    let Value::Object(fields) = row else { return String::new() };
    format!("{:?}", fields.get("_id"))
}

/// An edit of a list of documents.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Insert(usize, Value),
    Remove(usize),
    Move(usize, usize),
    Set(usize, String, Value),
    Unset(usize, String),
    Body(usize, usize, String),
    Sort,
    Truncate(usize),
}

pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = || 0..1000usize;
    let field =
        || prop::sample::select(vec!["body", "done", "likes", "meta", "extra"]).prop_map(str::to_owned);
    let edit = prop_oneof![
        2 => (at(), document()).prop_map(|(at, row)| Edit::Insert(at, row)),
        2 => at().prop_map(Edit::Remove),
        2 => (at(), at()).prop_map(|(from, to)| Edit::Move(from, to)),
        3 => (at(), field(), leaf()).prop_map(|(at, field, value)| Edit::Set(at, field, value)),
        1 => (at(), field()).prop_map(|(at, field)| Edit::Unset(at, field)),
        2 => (at(), at(), "[a-zé😀]{0,5}").prop_map(|(at, place, text)| Edit::Body(at, place, text)),
        1 => Just(Edit::Sort),
        1 => at().prop_map(Edit::Truncate),
    ];
    vec(edit, 0..6)
}

pub(crate) fn edit(rows: &mut Vec<Value>, edit: &Edit) {
    let len = rows.len();
    if len == 0 && !matches!(edit, Edit::Insert(..)) {
        return;
    }
    match edit {
        Edit::Insert(at, row) => {
            if !rows.iter().any(|other| id(other) == id(row)) {
                rows.insert(at % (len + 1), row.clone());
            }
        }
        Edit::Remove(at) => drop(rows.remove(at % len)),
        Edit::Move(from, to) => {
            let row = rows.remove(from % len);
            rows.insert(to % len, row);
        }
        Edit::Set(at, field, value) => {
            if let Value::Object(fields) = &mut rows[at % len] {
                fields.insert(field.clone(), value.clone());
            }
        }
        Edit::Unset(at, field) => {
            if let Value::Object(fields) = &mut rows[at % len] {
                fields.remove(field);
            }
        }
        Edit::Body(at, place, inserted) => {
            if let Value::Object(fields) = &mut rows[at % len]
                && let Some(Value::String(text)) = fields.get_mut("body")
            {
                let place = text.floor_char_boundary(place % (text.len() + 1));
                text.insert_str(place, inserted);
            }
        }
        Edit::Sort => rows.sort_by(|a, b| b.cmp(a)),
        Edit::Truncate(at) => rows.truncate(at % (len + 1)),
    }
}

/// A pair of results that have much in common, as lists or as pages.
pub(crate) fn results() -> impl Strategy<Value = (Packed, Packed)> {
    (documents(), edits(), any::<bool>()).prop_map(|(rows, edits, is_page)| {
        let mut edited = rows.clone();
        edits.iter().for_each(|change| edit(&mut edited, change));
        let wrap = |rows: Vec<Value>| {
            let cursor = Value::from(format!("cursor {}", rows.len()));
            let rows = Value::Array(rows);
            if is_page { Value::object([("continueCursor", cursor), ("page", rows)]) } else { rows }
        };
        (pack(&wrap(rows)), pack(&wrap(edited)))
    })
}

pub(crate) fn pack(value: &Value) -> Packed {
    Packed::encode(value).unwrap()
}
