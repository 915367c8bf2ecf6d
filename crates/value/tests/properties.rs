//! Properties that hold for every value, and for arbitrary bytes and text.

mod common;

use common::{int, pack, text, value};
use hull_value::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// JSON that is almost a value.
fn json() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "true",
        "1",
        "-0",
        "1.5",
        "1e400",
        "\"a\"",
        "\"$integer\"",
        "\"$float\"",
        "\"$bytes\"",
        "\"$undefined\"",
        "\"AQAAAAAAAAA=\"",
        "{\"$integer\":",
        "{\"a\":",
        "\"\\ud800\"",
        " ",
        "\"",
        "18446744073709551616",
    ]);
    prop_oneof![vec(piece, 0..12).prop_map(|pieces| pieces.concat()), any::<String>()]
}

/// The bytes of a value, damaged at one place.
fn damaged(bytes: &[u8], at: usize, with: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if !bytes.is_empty() {
        let at = at % bytes.len();
        bytes[at] = with;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_order_is_the_same(a in value(), b in value()) {
        let (p, q) = (pack(&a), pack(&b));
        let order = a.cmp(&b);
        prop_assert_eq!(p.as_ref().cmp(&q.as_ref()), order);
        prop_assert_eq!(p.as_ref() == q.as_ref(), a == b);
        prop_assert_eq!(p.bytes() == q.bytes(), a == b);
        prop_assert_eq!(p.as_ref().packed_len(), p.bytes().len());
        prop_assert_eq!(sort_key(Some(p.as_ref())).cmp(&sort_key(Some(q.as_ref()))), order);
        prop_assert!(sort_key(None) < sort_key(Some(p.as_ref())));
    }

    #[test]
    fn close_values_keep_their_order(a in value(), b in value(), c in value()) {
        // The same beginning, so that the comparison goes deep; and keys that follow each other.
        let (x, y) = (Value::Array(vec![a.clone(), b.clone()]), Value::Array(vec![a.clone(), c.clone()]));
        let key = |v: &Value| sort_key(Some(pack(v).as_ref()));
        prop_assert_eq!(key(&x).cmp(&key(&y)), x.cmp(&y));
        prop_assert_eq!([key(&a), key(&b)].concat().cmp(&[key(&a), key(&c)].concat()), b.cmp(&c));
        prop_assert_eq!([key(&b), key(&a)].concat().cmp(&[key(&c), key(&a)].concat()), b.cmp(&c));
        let object = |v: &Value| Value::object([("", a.clone()), ("a", v.clone())]);
        prop_assert_eq!(key(&object(&b)).cmp(&key(&object(&c))), b.cmp(&c));
    }

    #[test]
    fn strings_and_integers_order(a in text(), b in text(), m in int(), n in int()) {
        let key = |v: Value| sort_key(Some(pack(&v).as_ref()));
        prop_assert_eq!(key(a.as_str().into()).cmp(&key(b.as_str().into())), a.cmp(&b));
        prop_assert_eq!(key(m.into()).cmp(&key(n.into())), m.cmp(&n));
    }

    #[test]
    fn packed_round_trips(v in value()) {
        let p = pack(&v);
        prop_assert_eq!(p.as_ref().to_value(), v.clone());
        prop_assert_eq!(&Packed::from_bytes(p.bytes()).unwrap(), &p);
        prop_assert_eq!(&Packed::encode(&p).unwrap(), &p);
        prop_assert_eq!(Value::decode(p.as_ref()).unwrap(), v.clone());
        prop_assert_eq!((p.size(), p.nesting()), (v.size(), v.nesting()));
    }

    #[test]
    fn keys_in_any_order_give_the_same_bytes(v in proptest::collection::btree_map(common::key(), value(), 0..6)) {
        let mut encoder = PackedEncoder::new();
        encoder.begin_object();
        for (key, value) in v.iter().rev() {
            encoder.key(key);
            value.encode(&mut encoder);
        }
        encoder.end_object();
        let sorted = pack(&Value::Object(v));
        prop_assert_eq!(encoder.finish().unwrap(), sorted);
    }

    #[test]
    fn json_forms_round_trip(v in value()) {
        let p = pack(&v);
        let json = p.to_json();
        prop_assert_eq!(&Packed::from_json(&json).unwrap(), &p);
        prop_assert_eq!(&to_json(&v).unwrap(), &json);
        prop_assert_eq!(&Packed::from_export_json(&p.to_export_json()).unwrap(), &p);
        prop_assert_eq!(&serde_json::to_string(&v).unwrap(), &json);
        prop_assert_eq!(&serde_json::to_string(&p).unwrap(), &json);
        prop_assert_eq!(&serde_json::from_str::<Value>(&json).unwrap(), &v);
        prop_assert_eq!(&serde_json::from_value::<Packed>(serde_json::from_str(&json).unwrap()).unwrap(), &p);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&p.to_clean_json()).is_ok());
    }

    #[test]
    fn sort_keys_decode(a in value(), b in value()) {
        let mut key = sort_key(Some(pack(&a).as_ref()));
        write_sort_key(None, &mut key);
        write_sort_key(Some(pack(&b).as_ref()), &mut key);
        let mut rest = key.as_slice();
        prop_assert_eq!(read_sort_key(&mut rest).unwrap(), Some(a));
        prop_assert_eq!(read_sort_key(&mut rest).unwrap(), None);
        prop_assert_eq!(read_sort_key(&mut rest).unwrap(), Some(b));
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..40), v in value(), at: usize, with: u8) {
        for bytes in [bytes, damaged(pack(&v).bytes(), at, with)] {
            if let Ok(p) = Packed::from_bytes(&bytes) {
                prop_assert_eq!(p.bytes(), bytes.as_slice());
                prop_assert_eq!(pack(&p.as_ref().to_value()), p);
            }
            let blind = Packed::from_trusted(bytes.clone());
            let _ = (blind.as_ref().to_value(), blind.to_json(), blind.size(), blind.nesting());
        }
        let key = sort_key(Some(pack(&v).as_ref()));
        for bytes in [damaged(&key, at, with), key[..at % key.len()].to_vec()] {
            let mut rest = bytes.as_slice();
            if let Ok(Some(read)) = read_sort_key(&mut rest) && let Ok(p) = Packed::encode(&read) {
                prop_assert_eq!(sort_key(Some(p.as_ref())), bytes[..bytes.len() - rest.len()].to_vec());
            }
        }
        let _ = Timestamp::from_wire(&String::from_utf8_lossy(&bytes_of(at, with)));
    }

    #[test]
    fn any_text_is_read_or_refused(text in json(), id in any::<String>()) {
        if let Ok(p) = Packed::from_json(&text) {
            prop_assert_eq!(Packed::from_json(&p.to_json()).unwrap(), p);
        }
        let _ = (Packed::from_export_json(&text), id.parse::<DocumentId>(), id.parse::<FieldPath>());
    }

    #[test]
    fn ids_round_trip_and_tell_one_wrong_character(
        table in 1..=u32::MAX, shift in 0..32u32, internal: [u8; 16], at: usize, with in 0..128u8,
    ) {
        let id = DocumentId { table: TableNumber((table >> shift).max(1)), internal: InternalId(internal) };
        let text = id.to_string();
        prop_assert_eq!(text.parse(), Ok(id));
        prop_assert_eq!(Packed::encode(&id).unwrap().decode::<DocumentId>(), Ok(id));
        let wrong = damaged(text.as_bytes(), at, with);
        if wrong != text.as_bytes() {
            prop_assert!(String::from_utf8(wrong).unwrap().parse::<DocumentId>().is_err());
        }
    }

    #[test]
    fn timestamps_round_trip(n: u64) {
        prop_assert_eq!(Timestamp::from_wire(&Timestamp(n).to_wire()), Ok(Timestamp(n)));
    }

    #[test]
    fn merge_is_a_map_update(
        base in proptest::collection::btree_map("[a-e]", value(), 0..5),
        changes in proptest::collection::btree_map("[a-e]", proptest::option::of(value()), 0..5),
    ) {
        let mut expected = base.clone();
        let packed: Vec<_> = changes.iter().map(|(k, v)| (k.as_str(), v.as_ref().map(pack))).collect();
        for (key, change) in &changes {
            match change {
                Some(value) => expected.insert(key.clone(), value.clone()),
                None => expected.remove(key),
            };
        }
        let refs: Vec<_> = packed.iter().rev().map(|(k, v)| (*k, v.as_ref().map(Packed::as_ref))).collect();
        let (base, expected) = (pack(&Value::Object(base)), pack(&Value::Object(expected)));
        let (merged, growth) = base.merge_and_measure(&refs).unwrap();
        prop_assert_eq!(merged.size() as isize, base.size() as isize + growth);
        prop_assert_eq!(&merged, &expected);
        let (before, after) = (base.as_object().unwrap(), merged.as_object().unwrap());
        let mut differ = Vec::new();
        before.differences(after, |name| differ.push(std::str::from_utf8(name).unwrap()));
        let names = "abcde".split("").filter(|name| !name.is_empty());
        let wanted: Vec<_> = names.filter(|name| before.get(name) != after.get(name)).collect();
        prop_assert_eq!(differ, wanted);
    }
}

fn bytes_of(at: usize, with: u8) -> Vec<u8> {
    let mut bytes = at.to_le_bytes().to_vec();
    bytes.extend([with; 4]);
    bytes
}
