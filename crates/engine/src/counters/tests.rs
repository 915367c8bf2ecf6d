//! A tree of some depth against a map of all rows.

use std::collections::BTreeMap;

use hull_model::NumberKind;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::total::{Number, Row, Total, number_of, ordered};
use super::tree::{Change, Hole, LeafAt, NEW_ROWS, Node, Tree};
use crate::key::{Key, key};

const KIND: NumberKind = NumberKind::Int64;

type Rows = BTreeMap<Key, Row>;

fn number(row: Row) -> Option<i64> {
    row.number().map(|bits| bits as i64)
}

fn within<'a>(rows: &'a Rows, (start, end): &Hole) -> impl Iterator<Item = (&'a Key, &'a Row)> {
    let end = end.clone();
    rows.range(start.clone()..).take_while(move |(k, _)| end.as_ref().is_none_or(|end| *k < end))
}

/// Reads a leaf again, as the background does.
fn rebuild(tree: &mut Tree, rows: &Rows, leaf: &LeafAt, limit: usize) {
    let all: Vec<(Key, Row)> =
        within(rows, &(leaf.start.clone(), leaf.end.clone())).map(|(k, row)| (k.clone(), *row)).collect();
    let rest = all.get(limit).map(|(k, _)| k.clone());
    let mut leaves: Vec<Node> = all[..limit.min(all.len())]
        .chunks(NEW_ROWS)
        .enumerate()
        .map(|(at, rows)| {
            Node::leaf(if at == 0 { leaf.start.clone() } else { rows[0].0.clone() }, rows, KIND)
        })
        .collect();
    if leaves.is_empty() {
        leaves.push(Node::leaf(leaf.start.clone(), &[], KIND));
    }
    leaves.extend(rest.map(Node::unknown));
    tree.replace(&leaf.start, leaves);
}

fn compare(tree: &Tree, rows: &Rows, range: &Hole) {
    let (start, end) = (&range.0[..], range.1.as_ref().map(|end| &end[..]));
    if end.is_some_and(|end| end <= start) {
        return;
    }
    let expected: Vec<Row> = within(rows, range).map(|(_, row)| *row).collect();
    let numbers = || expected.iter().filter_map(|row| number(*row));
    let mut holes = Vec::new();
    let mut total: Total = tree.total(start, end, &mut holes);
    assert!(holes.windows(2).all(|pair| pair[0].1.as_ref().is_some_and(|end| *end < pair[1].0)), "{holes:?}");
    for (_, row) in holes.iter().flat_map(|hole| within(rows, hole)) {
        total.add(*row, KIND);
    }
    assert_eq!(total.count, expected.len() as i64);
    assert_eq!(total.sum(KIND), Some(Number::Int64(numbers().sum())));
    for greatest in [false, true] {
        let mut holes = Vec::new();
        let known = tree.extreme((start, end), greatest, &[], &mut holes);
        let read = holes.iter().flat_map(|hole| within(rows, hole)).filter_map(|(_, row)| row.number());
        let all = read.map(|bits| ordered(bits, KIND)).chain(known);
        let found = if greatest { all.max() } else { all.min() };
        let expected = if greatest { numbers().max() } else { numbers().min() };
        assert_eq!(found.map(|n| number_of(n, KIND)), expected.map(Number::Int64));
    }
}

fn random_key(rng: &mut SmallRng) -> Key {
    key(&rng.random_range(0_u32..200_000).to_be_bytes())
}

#[test]
fn a_tree_is_the_rows_it_has_seen() {
    for seed in 0..2 {
        let rng = &mut SmallRng::seed_from_u64(seed);
        let mut rows = Rows::new();
        let mut tree = Tree::new(KIND);
        // Some rows are there before anything is known.
        for _ in 0..5000 {
            rows.insert(random_key(rng), Row::Number(rng.random_range(0..50_u64)));
        }
        let mut ascending = 200_000_u32;
        for round in 0..40_000 {
            let growing = round % 20_000 < 12_000;
            let (k, after) = match rng.random_range(0..10) {
                // At the end, as keys with the time in them come.
                0..2 if growing => {
                    ascending += 1;
                    (key(&ascending.to_be_bytes()), Some(Row::Number(rng.random_range(0..50))))
                }
                2..5 if growing => (random_key(rng), Some(Row::Number(rng.random_range(0..50)))),
                5 => (random_key(rng), Some(Row::Plain)),
                _ => {
                    let Some((k, row)) = rows.range(random_key(rng)..).next() else { continue };
                    let changed = if growing { Some(Row::Number(rng.random_range(0..50))) } else { None };
                    if changed == Some(*row) {
                        continue;
                    }
                    (k.clone(), changed)
                }
            };
            let before = rows.get(&k).copied();
            match after {
                Some(row) => rows.insert(k.clone(), row),
                None => rows.remove(&k),
            };
            tree.change(&Change { key: k, before, after });
            if round % 50 == 0
                && let Some(leaf) = tree.next_work()
            {
                rebuild(&mut tree, &rows, &leaf, 700);
            }
            if round % 200 == 0 {
                let (a, b) = (random_key(rng), random_key(rng));
                compare(&tree, &rows, &(a.clone(), Some(b.clone())));
                compare(&tree, &rows, &(b, None));
                compare(&tree, &rows, &(a.clone(), Some(key(&[&a[..], &[1]].concat()))));
                compare(&tree, &rows, &(Key::new(), None));
            }
            if round % 1000 == 0 && tree.is_known() {
                let rank = rng.random_range(0..rows.len());
                let (hole, before) = tree.select(rank as i64, &|_, _| 0).unwrap();
                let found = within(&rows, &hole).nth(before as usize).map(|(k, _)| k);
                assert_eq!(found, rows.keys().nth(rank));
                assert!(tree.select(rows.len() as i64, &|_, _| 0).is_none());
            }
        }
        assert!(tree.is_known());
        while let Some(leaf) = tree.next_work() {
            rebuild(&mut tree, &rows, &leaf, usize::MAX);
        }
        // Neither too many leaves nor too few.
        let leaves = tree.leaves();
        assert!((rows.len() / 128..=rows.len() / 10 + 8).contains(&leaves), "{leaves} for {}", rows.len());
        let keys: Vec<Key> = rows.keys().cloned().collect();
        for k in keys {
            let before = rows.remove(&k);
            tree.change(&Change { key: k, before, after: None });
        }
        compare(&tree, &rows, &(Key::new(), None));
        assert!(tree.leaves() < 20, "{}", tree.leaves());
    }
}
