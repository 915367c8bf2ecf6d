//! Strategies for values.
#![allow(dead_code, clippy::unwrap_used)] // each test uses some; helpers of tests may unwrap

use hull_value::{Packed, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// Floats of every kind, special ones often.
pub(crate) fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<i32>().prop_map(f64::from),
        prop::sample::select(vec![
            0.0,
            -0.0,
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e300,
            0.1
        ]),
    ]
}

/// Integers of every width.
pub(crate) fn int() -> impl Strategy<Value = i64> {
    (any::<i64>(), 0..64u32).prop_map(|(n, shift)| n >> shift)
}

/// Strings with the characters that forms escape.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[\\x00-\\x22a\\\\é😀]{0,6}", any::<String>()]
}

/// Legal field names.
pub(crate) fn key() -> impl Strategy<Value = String> {
    prop_oneof!["", "[ -~&&[^$]][ -~]{0,3}", "[ab\"\\\\]{1,2}"]
}

/// Legal values.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        int().prop_map(Value::Int64),
        float().prop_map(Value::Float64),
        text().prop_map(Value::String),
        vec(prop_oneof![Just(0), Just(255), any::<u8>()], 0..6).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::Array),
            btree_map(key(), inner, 0..5).prop_map(Value::Object),
        ]
    })
}

/// The packed form.
pub(crate) fn pack(value: &Value) -> Packed {
    Packed::encode(value).unwrap()
}
