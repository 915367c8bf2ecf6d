//! Patches that were damaged on their way, and hostile ones: no panic, no wrong value, bounded work.

use hull_sync::diff::{PatchError, RowOrigins, ValueHash, apply, make};
use hull_value::{Packed, Value};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::values::{pack, results, value};

/// Damages of a text: bytes replaced, left out, doubled, or pieces of patches put in.
fn damage() -> impl Strategy<Value = Vec<(usize, usize, usize, String)>> {
    let piece = prop::sample::select(vec![
        "",
        "1",
        "-1",
        "0",
        "9",
        "-",
        ".5",
        "e9",
        "1e300",
        ",",
        "[",
        "]",
        "{",
        "}",
        "{}",
        "[]",
        "null",
        "\"a\"",
        "\"",
        "{\"from\":0}",
        "{\"value\":1}",
        "\"set\":{},",
        "\"unset\":[\"_id\"],",
        "\"list\":",
        "\"patch\":",
        "\"text\":[0,1,\"\"]",
        "\"$integer\":",
        "\\u0000",
        "\\ud83d",
        "é",
    ]);
    vec((any::<usize>(), 0..3usize, 0..3usize, piece.prop_map(str::to_owned)), 1..4)
}

fn damaged(text: &str, damage: &[(usize, usize, usize, String)]) -> String {
    let mut text = text.to_owned();
    for (at, removed, doubled, piece) in damage {
        let place = |text: &str, at: usize| text.floor_char_boundary(at % (text.len() + 1));
        let start = place(&text, *at);
        let end = text.ceil_char_boundary((start + removed).min(text.len()));
        text.replace_range(start..end, piece);
        // Digits are the numbers of steps and places.
        let digit = text.bytes().enumerate().skip(start).find(|(_, byte)| byte.is_ascii_digit());
        if let Some((digit, _)) = digit.filter(|_| *doubled > 0) {
            text.replace_range(digit..digit + 1, ["", "0", "33"][*doubled]);
        }
    }
    text
}

fn check(old: &Packed, new: &Packed, text: &str) {
    let Ok(patch) = Packed::from_json(text) else { return };
    if let Ok(value) = apply(old, &patch) {
        assert!(RowOrigins::of_patch(old, &patch, &value).is_ok());
        // It is a value with all rules kept, whatever it is.
        assert_eq!(Packed::from_bytes(value.bytes()).as_ref(), Ok(&value));
        if ValueHash::of(value.as_ref()) == ValueHash::of(new.as_ref()) {
            assert_eq!(&value, new, "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn damaged_patches_give_no_wrong_value((old, new) in results(), damage in damage()) {
        if let Some(made) = make(&old, &new) {
            check(&old, &new, &damaged(&made.patch, &damage));
        }
    }

    #[test]
    fn nor_do_those_that_are_tried_on_another_value(old in value(), new in value(), at in any::<usize>(), damage in damage()) {
        let vectors = crate::vectors::read();
        let patches: Vec<&str> = vectors.patches().collect();
        let patch = patches[at % patches.len()];
        check(&pack(&old), &pack(&new), patch);
        check(&pack(&old), &pack(&new), &damaged(patch, &damage));
    }
}

#[test]
fn small_patches_make_no_large_values() {
    let row = Value::from("a".repeat(1 << 20));
    let old = pack(&Value::Array(vec![row.clone(); 16]));
    let refused = |steps: &str| {
        let patch = Packed::from_json(&format!("{{\"list\":[{steps}]}}")).map_err(PatchError::from);
        patch.and_then(|patch| apply(&old, &patch)).unwrap_err().code()
    };
    let again = |step: &str, count: usize| vec![step; count].join(",");
    assert_eq!(refused(&again("{\"from\":0}", 8_000)), "MalformedPatch");
    assert_eq!(
        refused(&again("{\"from\":0,\"patch\":{\"text\":[1048576,0,\"\"]}}", 8_000)),
        "MalformedPatch"
    );
    assert_eq!(refused(&again("{\"from\":0}", 1_000_000)), "MalformedPatch");
    assert_eq!(refused(&again("16", 8_000)), "PatchMisfit");
    // Twice as many elements as a list may have.
    let list = pack(&Value::Array(vec![Value::Null; 8_192]));
    let patch = pack(&Value::object([(
        "list",
        Value::Array(vec![Value::from(8192.0), Value::Array(vec![Value::Null])]),
    )]));
    assert_eq!(apply(&list, &patch).unwrap_err().code(), "ArrayTooLong");
    // A value that grows behind its limit.
    let large = Value::from("b".repeat(17 << 20));
    let patch =
        pack(&Value::object([("list", Value::Array(vec![Value::from(16.0), Value::Array(vec![large])]))]));
    assert_eq!(apply(&old, &patch).unwrap_err().code(), "ValueTooLargeError");
    // Nesting, by a patch that goes on and on.
    let deep = (0..64).fold("{}".to_owned(), |patch, _| format!("{{\"patch\":{{\"a\":{patch}}}}}"));
    assert_eq!(Packed::from_json(&deep).unwrap_err().code(), "TooNestedError");
}
