//! A key range holds exactly the index entries that meet its condition.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::ops::Bound;

use hull_model::value::{Packed, Value, write_sort_key};
use hull_model::{IndexBounds, KeyRange};
use proptest::prelude::*;

/// An index entry: two fields (None: absent), the creation time, the id.
type Entry = (Option<Value>, Option<Value>, f64, [u8; 16]);

fn field() -> impl Strategy<Value = Option<Value>> {
    let scalar = prop_oneof![
        Just(Value::Null),
        (-2i64..3).prop_map(Value::from),
        (-2i32..3).prop_map(|n| Value::from(f64::from(n))),
        Just(Value::from(f64::NAN)),
        any::<bool>().prop_map(Value::from),
        "[a\0\u{1}]{0,3}".prop_map(Value::from),
        proptest::collection::vec(prop_oneof![Just(0u8), Just(0xFF), Just(1)], 0..4).prop_map(Value::Bytes),
    ];
    let value = scalar.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::btree_map(
                "[a\0]{0,2}".prop_filter("a field name", |k| !k.contains('\0')),
                inner,
                0..3
            )
            .prop_map(Value::Object),
        ]
    });
    proptest::option::weighted(0.9, value)
}

fn entry() -> impl Strategy<Value = Entry> {
    let id = prop_oneof![Just([0xFF; 16]), Just([0; 16]), any::<[u8; 16]>()];
    (field(), field(), (0i32..3).prop_map(f64::from), id)
}

fn bound() -> impl Strategy<Value = Bound<Option<Value>>> {
    prop_oneof![Just(Bound::Unbounded), field().prop_map(Bound::Included), field().prop_map(Bound::Excluded),]
}

fn push(key: &mut Vec<u8>, value: &Option<Value>) {
    let value = value.as_ref().map(|value| Packed::encode(value).unwrap());
    write_sort_key(value.as_ref().map(Packed::as_ref), key);
}

fn key((a, b, time, id): &Entry) -> Vec<u8> {
    let mut key = Vec::new();
    push(&mut key, a);
    push(&mut key, b);
    push(&mut key, &Some(Value::from(*time)));
    key.extend_from_slice(id);
    key
}

fn within(value: &Option<Value>, lower: &Bound<Option<Value>>, upper: &Bound<Option<Value>>) -> bool {
    let above = match lower {
        Bound::Unbounded => true,
        Bound::Included(bound) => value >= bound,
        Bound::Excluded(bound) => value > bound,
    };
    above
        && match upper {
            Bound::Unbounded => true,
            Bound::Included(bound) => value <= bound,
            Bound::Excluded(bound) => value < bound,
        }
}

fn packed(bound: &Bound<Option<Value>>) -> Bound<Option<Packed>> {
    bound.clone().map(|value| value.map(|value| Packed::encode(&value).unwrap()))
}

fn borrowed(bound: &Bound<Option<Packed>>) -> Bound<Option<hull_model::value::ValueRef<'_>>> {
    bound.as_ref().map(|value| value.as_ref().map(Packed::as_ref))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn exactly_the_entries_that_meet_the_condition(
        entries in proptest::collection::vec(entry(), 1..12),
        equal in 0usize..4,
        pick in any::<prop::sample::Index>(),
        lower in bound(),
        upper in bound(),
    ) {
        let model = entries[pick.index(entries.len())].clone();
        let fields = |e: &Entry| [e.0.clone(), e.1.clone(), Some(Value::from(e.2))];
        let mut bounds = IndexBounds::all();
        for value in fields(&model).iter().take(equal) {
            let value = value.as_ref().map(|value| Packed::encode(value).unwrap());
            bounds = bounds.eq(value.as_ref().map(Packed::as_ref));
        }
        let (low, high) = (packed(&lower), packed(&upper));
        if equal < 3 {
            bounds = bounds.lower(borrowed(&low)).upper(borrowed(&high));
        }
        let range = bounds.to_key_range();
        for e in &entries {
            let meets = fields(e).iter().zip(&fields(&model)).take(equal).all(|(a, b)| a == b)
                && fields(e).get(equal).is_none_or(|value| within(value, &lower, &upper));
            prop_assert_eq!(range.contains(&key(e)), meets, "{:?} in {:?}", e, bounds);
        }
    }

    #[test]
    fn a_group_is_the_entries_with_the_same_first_values(
        entries in proptest::collection::vec(entry(), 1..12),
        pick in any::<prop::sample::Index>(),
        fields in 1usize..4,
    ) {
        let first = |e: &Entry| {
            let mut key = Vec::new();
            [e.0.clone(), e.1.clone(), Some(Value::from(e.2))].iter().take(fields).for_each(|v| push(&mut key, v));
            key
        };
        let model = &entries[pick.index(entries.len())];
        let group = KeyRange::group(&key(model), fields).unwrap();
        prop_assert_eq!(&group.start, &first(model));
        prop_assert_eq!(KeyRange::group(&group.start, fields), Some(group.clone()));
        for e in &entries {
            prop_assert_eq!(group.contains(&key(e)), first(e) == first(model), "{:?}", e);
        }
    }
}
