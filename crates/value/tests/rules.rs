//! One literal case for every rule that has a number or a spelling of its own.

mod common;

use std::collections::BTreeMap;

use common::pack;
use hull_value::*;

fn json(text: &str) -> Result<Value, JsonError> {
    Packed::from_json(text).map(|packed| packed.as_ref().to_value())
}

fn key(value: impl Into<Value>) -> Vec<u8> {
    sort_key(Some(pack(&value.into()).as_ref()))
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
}

#[test]
fn sizes_and_nesting() {
    let cases = [
        (Value::Null, 1, 0),
        (true.into(), 1, 0),
        (1i64.into(), 9, 0),
        (1.0.into(), 9, 0),
        ("é".into(), 4, 0),
        (Bytes(vec![1, 2, 3]).into(), 5, 0),
        (Value::Array(vec![]), 2, 1),
        (vec![1.0, 2.0].into(), 20, 1),
        (Value::object([("ab", vec![true])]), 2 + 3 + 3, 2),
    ];
    for (value, size, nesting) in cases {
        assert_eq!((value.size(), value.nesting()), (size, nesting), "{value:?}");
        assert_eq!((pack(&value).size(), pack(&value).nesting()), (size, nesting), "{value:?}");
    }
}

#[test]
fn types_order() {
    let nan = f64::NAN;
    let ascending: Vec<Value> = vec![
        Value::Null,
        i64::MIN.into(),
        0i64.into(),
        i64::MAX.into(),
        (-nan).into(),
        f64::NEG_INFINITY.into(),
        (-1.0).into(),
        (-0.0).into(),
        0.0.into(),
        1.0.into(),
        f64::INFINITY.into(),
        nan.into(),
        false.into(),
        true.into(),
        "".into(),
        "a".into(),
        "a\0".into(),
        "ab".into(),
        "\u{ff5e}".into(),
        "😀".into(),
        Bytes(vec![]).into(),
        Bytes(vec![0]).into(),
        Value::Array(vec![]),
        vec![1i64].into(),
        vec![1i64, 0].into(),
        vec![2i64].into(),
        Value::object::<&str, Value>([]),
        Value::object([("", 1i64)]),
        Value::object([("a", 1i64)]),
        Value::object([("a", 1i64), ("b", 0)]),
        Value::object([("a", 2i64)]),
        Value::object([("b", 0i64)]),
    ];
    assert!(ascending.is_sorted_by(|a, b| a < b));
    assert!(ascending.is_sorted_by(|a, b| pack(a).as_ref() < pack(b).as_ref()));
    assert!(ascending.is_sorted_by(|a, b| key(a.clone()) < key(b.clone())));
}

#[test]
fn sort_key_bytes() {
    assert_eq!(sort_key(None), [0x01]);
    assert_eq!(key(()), [0x03]);
    for (n, bytes) in [
        (i64::MIN, &[0x04, 0x80, 0, 0, 0, 0, 0, 0, 0][..]),
        (i64::from(i32::MIN), &[0x05, 0x80, 0, 0, 0]),
        (-129, &[0x06, 0xff, 0x7f]),
        (-1, &[0x07, 0xff]),
        (0, &[0x08]),
        (127, &[0x09, 0x7f]),
        (128, &[0x0a, 0, 0x80]),
        (32768, &[0x0b, 0, 0, 0x80, 0]),
        (1 << 31, &[0x0c, 0, 0, 0, 0, 0x80, 0, 0, 0]),
    ] {
        assert_eq!(key(n), bytes);
    }
    assert_eq!(key(1.0), [0x0d, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(key(-1.0), [0x0d, 0x40, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(key(false), [0x0e]);
    assert_eq!(key(true), [0x0f]);
    assert_eq!(key("a\0b"), [0x10, b'a', 0, 0xff, b'b', 0]);
    assert_eq!(key(Bytes(vec![0, 0xff])), [0x11, 0, 0xff, 0xff, 0]);
    assert_eq!(key(vec![true, false]), [0x12, 0x0f, 0x0e, 0]);
    assert_eq!(key(Value::object([("", true), ("k", false)])), [0x15, 0, 0xff, 0, 0x0f, b'k', 0, 0x0e, 0]);
    for bad in
        [&[][..], &[0], &[0x02], &[0x10, b'a'], &[0x09, 0], &[0x0a, 0, 1], &[0x12, 0x0e], &[0x10, 0xff, 0]]
    {
        assert_eq!(read_sort_key(&mut &*bad), Err(KeyError::Malformed), "{bad:?}");
    }
    assert_eq!(read_sort_key(&mut &*vec![0x12; 100_000]), Err(KeyError::TooNested));
}

#[test]
fn packed_bytes() {
    let value = Value::object([("a", Value::from(1i64)), ("b", vec![true, false].into())]);
    let bytes = [8, 20, 0, 0, 0, 1, b'a', 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, b'b', 7, 2, 0, 0, 0, 4, 3];
    assert_eq!(pack(&value).bytes(), bytes);
    for bad in [
        &[][..],
        &[9],
        &[0, 0],
        &[1, 0],
        &[5, 1],
        &[5, 1, 0xff],
        &[5, 0x81, 0x00, b'a'],
        &[7, 1, 0, 0, 0],
        &[7, 0xff, 0xff, 0xff, 0xff],
        &[8, 2, 0, 0, 0, 1, b'a'],
    ] {
        assert_eq!(Packed::from_bytes(bad), Err(PackedError::Malformed), "{bad:?}");
    }
    for bad in [[8, 6, 0, 0, 0, 1, b'b', 0, 1, b'a', 0], [8, 6, 0, 0, 0, 1, b'a', 0, 1, b'a', 0]] {
        assert_eq!(Packed::from_bytes(&bad), Err(PackedError::KeyOrder));
    }
    assert_eq!(Packed::from_bytes(&[8, 3, 0, 0, 0, 1, b'$', 0]).unwrap_err().code(), "InvalidFieldName");
}

#[test]
fn limits() {
    let pack = |value: &Value| Packed::encode(value).map(|p| p.bytes().to_vec());
    let code = |value: &Value| {
        let error = pack(value).unwrap_err();
        assert_eq!(to_json(value).unwrap_err(), error);
        error.code()
    };
    assert!(pack(&nested(64)).is_ok());
    assert_eq!(code(&nested(65)), "TooNestedError");
    assert!(pack(&vec![1.0; 8192].into()).is_ok());
    assert_eq!(code(&vec![1.0; 8193].into()), "ArrayTooLong");
    let fields = |n: usize| Value::object((0..n).map(|i| (format!("f{i}"), Value::Null)));
    assert!(pack(&fields(1024)).is_ok());
    assert_eq!(code(&fields(1025)), "TooManyFieldsError");
    let text = |n: usize| Value::String("a".repeat(n));
    assert!(pack(&text((32 << 20) - 2)).is_ok());
    assert_eq!(code(&text((32 << 20) - 1)), "ValueTooLargeError");
    // A packed value inside another counts with all its levels.
    let inner = Packed::encode(&nested(64)).unwrap();
    assert_eq!(Packed::encode(&vec![inner]).unwrap_err().code(), "TooNestedError");
}

#[test]
fn limits_of_json() {
    let code = |text: &str| Packed::from_json(text).unwrap_err().code();
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(json(&nested(64)).is_ok());
    assert_eq!(code(&nested(65)), "TooNestedError");
    assert_eq!(code(&"[".repeat(1_000_000)), "TooNestedError");
    assert_eq!(code(&"{\"a\":".repeat(1_000_000)), "TooNestedError");
    let list = |n: usize| format!("[{}0]", "0,".repeat(n - 1));
    assert!(json(&list(8192)).is_ok());
    assert_eq!(code(&list(8193)), "ArrayTooLong");
    let object =
        |n: usize| format!("{{{}\"z\":0}}", (1..n).map(|i| format!("\"f{i}\":0,")).collect::<String>());
    assert!(json(&object(1024)).is_ok());
    assert_eq!(code(&object(1025)), "TooManyFieldsError");
    let ascending =
        format!("{{{}\"z\":0}}", (1..1025).map(|i| format!("\"f{i:04}\":0,")).collect::<String>());
    assert_eq!(code(&ascending), "TooManyFieldsError");
    // Of keys that come again the last wins, but a text can't make an object grow without end by them.
    let again = |n: usize| format!("{{{}\"z\":0}}", "\"a\":0,".repeat(n));
    assert_eq!(json(&again(1023)).unwrap(), Value::object([("a", 0.0), ("z", 0.0)]));
    assert_eq!(code(&again(1024)), "TooManyFieldsError");
    assert_eq!(code(&format!("\"{}\"", "a".repeat(32 << 20))), "ValueTooLargeError");
}

#[test]
fn wire_json() {
    let cases: Vec<(Value, &str)> = vec![
        (Value::Null, "null"),
        (1i64.into(), r#"{"$integer":"AQAAAAAAAAA="}"#),
        ((-1i64).into(), r#"{"$integer":"//////////8="}"#),
        (5.0.into(), "5"),
        ((-1.5).into(), "-1.5"),
        (9007199254740992.0.into(), "9007199254740992"),
        (1e300.into(), "1e+300"),
        ((-0.0).into(), r#"{"$float":"AAAAAAAAAIA="}"#),
        (f64::INFINITY.into(), r#"{"$float":"AAAAAAAA8H8="}"#),
        (f64::NAN.into(), r#"{"$float":"AAAAAAAA+H8="}"#),
        (Bytes(vec![1, 2]).into(), r#"{"$bytes":"AQI="}"#),
        ("\"\\\n\u{1}é😀\u{7f}".into(), "\"\\\"\\\\\\n\\u0001é😀\u{7f}\""),
        (Value::object([("b", 1.0), ("a", 2.0)]), r#"{"a":2,"b":1}"#),
        (Value::object([("a\"", 1.0), ("a!", 2.0)]), r#"{"a!":2,"a\"":1}"#),
        (Value::Array(vec![Value::Array(vec![]), Value::object::<&str, Value>([])]), "[[],{}]"),
    ];
    for (value, text) in cases {
        assert_eq!(pack(&value).to_json(), text);
        assert_eq!(to_json(&value).unwrap(), text);
        assert_eq!(json(text).unwrap(), value);
    }
}

#[test]
fn every_place_of_a_string_is_looked_at() {
    for length in 1..50 {
        for place in 0..length {
            let with = |found: &str| "a".repeat(place) + found + &"a".repeat(length - place - 1);
            for (found, text) in [("\"", "\\\""), ("\\", "\\\\"), ("\u{1f}", "\\u001f"), ("\u{80}", "\u{80}")]
            {
                assert_eq!(to_json(&*with(found)).unwrap(), format!("\"{}\"", with(text)));
            }
            for (found, good) in
                [("~", true), (" ", true), ("\u{7f}", false), ("\u{1f}", false), ("é", false)]
            {
                assert_eq!(check_field_name(&with(found)).is_ok(), good, "{found:?} at {place} of {length}");
            }
        }
    }
}

#[test]
fn json_that_is_read_but_not_written() {
    assert_eq!(json("5.0").unwrap(), 5.0.into());
    assert_eq!(json(" -0 ").unwrap(), (-0.0).into());
    assert_eq!(json("18446744073709551615").unwrap(), 18446744073709551615.0.into());
    assert_eq!(json("123456789012345678901234567890").unwrap(), 123456789012345678901234567890.0.into());
    assert_eq!(json(r#"{"b":1,"a":2,"b":3}"#).unwrap(), Value::object([("a", 2.0), ("b", 3.0)]));
    assert_eq!(json(r#"{"b":{"a":[1]},"b":null}"#).unwrap(), Value::object([("b", Value::Null)]));
    assert_eq!(json(r#"{"":1}"#).unwrap(), Value::object([("", 1.0)]));
    assert_eq!(json(r#"{"$integer":"","$integer":"AQAAAAAAAAA="}"#).unwrap(), 1i64.into());
}

#[test]
fn json_that_is_refused() {
    for (text, message) in [
        (r#"{"$float":"AAAAAAAA8D8="}"#, "ordinary number 1"),
        (r#"{"$float":"AAAAAAAAAAA="}"#, "ordinary number 0"),
        (r#"{"$integer":"AQ=="}"#, "8 bytes"),
        (r#"{"$integer":1}"#, "base64"),
        (r#"{"$integer":null}"#, "base64"),
        (r#"{"$bytes":"AQI"}"#, "base64"),
        (r#"{"$bytes":"A-_="}"#, "base64"),
        (r#"{"$bytes":"AR=="}"#, "base64"),
        (r#"{"$bytes":["AQI="]}"#, "base64"),
        (r#"{"a":{"$undefined":null}}"#, "{\"$undefined\"} is not a value"),
        (r#"{"$commitTs":null}"#, "{\"$commitTs\"} is not a value"),
        (r#"{"$set":[]}"#, "field name '$set' starts with '$'"),
        (r#"{"$integer":"AQAAAAAAAAA=","a":1}"#, "field name '$integer' starts with '$'"),
        (r#"{"a":1,"$integer":"AQAAAAAAAAA="}"#, "field name '$integer' starts with '$'"),
        (r#"{"é":1}"#, "printable ASCII"),
        (r#"{"a\n":1}"#, "printable ASCII"),
        (r#""\ud800""#, "invalid JSON"),
        ("1e400", "invalid JSON"),
        ("NaN", "invalid JSON"),
        ("", "invalid JSON"),
        ("1 2", "invalid JSON"),
        ("[1,]", "invalid JSON"),
    ] {
        let error = json(text).unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
    }
}

#[test]
fn export_and_clean_json() {
    for (value, export, clean) in [
        (Value::from(123i64), "123", "\"123\""),
        (i64::MIN.into(), "-9223372036854775808", "\"-9223372036854775808\""),
        (123.0.into(), "123.0", "123"),
        ((-0.0).into(), "-0.0", "-0.0"),
        (0.5.into(), "0.5", "0.5"),
        (f64::NAN.into(), r#"{"$float":"AAAAAAAA+H8="}"#, "\"NaN\""),
        (f64::INFINITY.into(), r#"{"$float":"AAAAAAAA8H8="}"#, "\"Infinity\""),
        (f64::NEG_INFINITY.into(), r#"{"$float":"AAAAAAAA8P8="}"#, "\"-Infinity\""),
        (Bytes(vec![1, 2]).into(), r#"{"$bytes":"AQI="}"#, "\"AQI=\""),
    ] {
        assert_eq!(pack(&value).to_export_json(), export);
        assert_eq!(pack(&value).to_clean_json(), clean);
        assert_eq!(Packed::from_export_json(export).unwrap(), pack(&value));
    }
    let huge = Packed::from_export_json("9223372036854775808").unwrap_err();
    assert_eq!(huge, JsonError::IntegerRange(1 << 63));
}

#[test]
fn encoders_refuse_misuse() {
    fn run(calls: impl Fn(&mut PackedEncoder)) -> Result<Packed, ValueError> {
        let mut encoder = PackedEncoder::new();
        calls(&mut encoder);
        encoder.finish()
    }
    assert_eq!(run(|_| {}), Err(ValueError::Incomplete));
    assert_eq!(run(|e| (e.null(), e.null()).0), Err(ValueError::Incomplete));
    assert_eq!(run(|e| e.begin_array()), Err(ValueError::Incomplete));
    assert_eq!(run(|e| (e.begin_array(), e.end_object()).0), Err(ValueError::Incomplete));
    assert_eq!(run(|e| (e.begin_object(), e.null()).0), Err(ValueError::Incomplete));
    assert_eq!(run(|e| (e.begin_object(), e.key("a"), e.end_object()).0), Err(ValueError::Incomplete));
    assert_eq!(run(|e| e.key("a")), Err(ValueError::Incomplete));
    assert_eq!(run(|e| e.end_array()), Err(ValueError::Incomplete));
    for keys in [&["a", "a"][..], &["b", "a", "b"]] {
        let twice = run(|e| {
            e.begin_object();
            for key in keys {
                e.key(key);
                e.null();
            }
            e.end_object();
        });
        assert_eq!(twice.unwrap_err().code(), "DuplicateField");
    }
}

#[test]
fn fields_known_when_compiled_mix_with_others() {
    const B: FieldKey = FieldKey::new("b");
    let write = |calls: &dyn Fn(&mut PackedEncoder)| {
        let mut encoder = PackedEncoder::new();
        encoder.begin_object();
        calls(&mut encoder);
        encoder.end_object();
        encoder.finish()
    };
    let sorted = pack(&Value::object([("a", Value::Null), ("b", Value::Null), ("c", Value::Null)]));
    let calls: [&dyn Fn(&mut PackedEncoder); 3] = [
        &|e| {
            (
                e.field(FieldKey::new("a")),
                e.null(),
                e.field(B),
                e.null(),
                e.field(FieldKey::new("c")),
                e.null(),
            )
                .5
        },
        &|e| (e.field(B), e.null(), e.key("a"), e.null(), e.field(FieldKey::new("c")), e.null()).5,
        &|e| (e.key("c"), e.null(), e.field(B), e.null(), e.key("a"), e.null()).5,
    ];
    for calls in calls {
        assert_eq!(write(calls), Ok(sorted.clone()));
    }
    let twice = write(&|e| (e.key("b"), e.null(), e.field(B), e.null()).3);
    assert_eq!(twice.unwrap_err().code(), "DuplicateField");
    assert_eq!(write(&|e| e.field(B)), Err(ValueError::Incomplete));
}

#[test]
fn ids() {
    let internal = InternalId(std::array::from_fn(|i| i as u8));
    for (table, text) in [(1, "040020g30g2gc1r81450p30d1r7qke8"), (10001, "j57000820c20a1g7104gm2rc1m70ynr8")]
    {
        let id = DocumentId { table: TableNumber(table), internal };
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
    }
    for (table, len) in [(127, 31), (128, 32), (1 << 14, 34), (1 << 21, 36), (u32::MAX, 37)] {
        let id = DocumentId { table: TableNumber(table), internal };
        assert_eq!((id.to_string().len(), id.to_string().parse()), (len, Ok(id)));
    }
    let error = |text: &str| text.parse::<DocumentId>().unwrap_err();
    assert_eq!(error(""), IdError::Length(0));
    assert_eq!(error(&"0".repeat(30)), IdError::Length(30));
    assert_eq!(error(&"0".repeat(38)), IdError::Length(38));
    assert_eq!(error("j57000820c20a1g7104gm2rc1m70ynr"), IdError::Length(31));
    assert_eq!(error("j57000820c20a1g7104gm2rc1m70ynri"), IdError::Base32(31));
    assert_eq!(error("J57000820c20a1g7104gm2rc1m70ynr8"), IdError::Base32(0));
    assert_eq!(error("j57000820c20a1g7104gm2rc1m70ynré").code(), "InvalidIdBase32");
    assert_eq!(error(&"0".repeat(31)), IdError::TableNumber);
    assert_eq!(error(&"z".repeat(37)), IdError::TableNumber);
    assert_eq!(error("j57000820c20a1g7104gm2rc1m70ynr9"), IdError::Checksum);
    assert_eq!(error("040020g30g2gc1r81450p30d1r7qke9"), IdError::NonCanonical);
    let text = "j57000820c20a1g7104gm2rc1m70ynr8";
    for at in 0..text.len() {
        for with in ('0'..='z').filter(|with| !text[at..].starts_with(*with)) {
            let wrong = format!("{}{with}{}", &text[..at], &text[at + 1..]);
            assert!(wrong.parse::<DocumentId>().is_err(), "{wrong}");
        }
    }
    let id = InternalId::new(1_700_000_000_000, u128::MAX);
    assert_eq!(id.millis(), 1_700_000_000_000);
    assert!(id < InternalId::new(1_700_000_000_001, 0));
}

#[test]
fn names() {
    for good in ["a", "_a", "A9_", &"a".repeat(64)] {
        assert_eq!(check_identifier(good), Ok(()));
    }
    for bad in ["", "9a", "a-b", "é", "_", "___", "a b", &"a".repeat(65)] {
        assert_eq!(check_identifier(bad).unwrap_err().code(), "InvalidIdentifier", "{bad}");
    }
    for good in ["", " ", "a$", "_id", "~", &"a".repeat(1024)] {
        assert_eq!(check_field_name(good), Ok(()));
    }
    for bad in ["$", "$a", "é", "\n", "\u{7f}", &"a".repeat(1025)] {
        assert_eq!(check_field_name(bad).unwrap_err().code(), "InvalidFieldName", "{bad}");
    }
    let path: FieldPath = "a.b_c._id".parse().unwrap();
    assert_eq!((path.fields().len(), path.to_string().as_str()), (3, "a.b_c._id"));
    for bad in ["", ".", "a.", ".a", "a..b", "a.9"] {
        assert!(bad.parse::<FieldPath>().is_err(), "{bad}");
    }
}

#[test]
fn timestamps() {
    for (n, text) in [(0, "AAAAAAAAAAA="), (1, "AQAAAAAAAAA="), (1_700_000_000_000_000_000, "AAAqNv6clxc=")] {
        assert_eq!(Timestamp(n).to_wire(), text);
        assert_eq!(Timestamp::from_wire(text), Ok(Timestamp(n)));
    }
    for bad in ["", "AAAAAAAAAAA", "AAAAAAAAAAAA", "AAAAAAAAAAB=", "AAAA", "AAAAAAAAAA==", "\u{e9}AAAAAAAAA="]
    {
        assert_eq!(Timestamp::from_wire(bad), Err(TimestampError), "{bad}");
    }
}

#[test]
fn documents() {
    let check = |value: &Value| check_document(pack(value).as_ref()).map_err(|error| error.code());
    assert_eq!(check(&Value::object([("_id", 1.0), ("_creationTime", 1.0), ("a", 1.0)])), Ok(()));
    assert_eq!(check(&1.0.into()), Err("NotAnObject"));
    assert_eq!(check(&Value::object([("_x", 1.0)])), Err("ReservedField"));
    assert_eq!(check(&Value::object([("a b", 1.0)])), Err("InvalidFieldName"));
    assert_eq!(check(&Value::object([("a", Value::object([("_x y", 1.0)]))])), Ok(()));
    assert_eq!(check(&Value::object([("a", nested(15))])), Ok(()));
    assert_eq!(check(&Value::object([("a", nested(16))])), Err("TooNestedError"));
    // 2 for the object, 2 for the key, 2 for the string.
    let text = |n: usize| Value::object([("a", "a".repeat(n))]);
    assert_eq!(check(&text((1 << 20) - 6)), Ok(()));
    assert_eq!(check(&text((1 << 20) - 5)), Err("ValueTooLargeError"));
}

#[test]
fn views_find_fields() {
    let packed = pack(&Value::object([
        ("a", Value::from(1.0)),
        ("c", Value::object([("x", "y")])),
        ("d", true.into()),
    ]));
    let object = packed.as_object().unwrap();
    assert_eq!((object.len(), object.is_empty()), (3, false));
    assert_eq!(object.get("a"), Some(ValueRef::Float64(1.0)));
    assert_eq!(object.get("b"), None);
    assert_eq!(object.get_path(&"c.x".parse().unwrap()), Some(ValueRef::String("y")));
    assert_eq!(object.get_path(&"a.x".parse().unwrap()), None);
    let mut fields = object.fields();
    assert_eq!(fields.find("b"), None);
    assert_eq!(fields.find("d"), Some(ValueRef::Boolean(true)));
    assert_eq!(fields.find("e"), None);
    assert_eq!(pack(&vec![1.0, 2.0].into()).as_ref().as_array().unwrap().len(), 2);
}

#[test]
fn merging() {
    let base = pack(&Value::object([("a", 1.0), ("b", 2.0)]));
    let null = Some(ValueRef::Null);
    assert_eq!(base.merge(&[("c", null), ("a", None)]).unwrap().to_json(), r#"{"b":2,"c":null}"#);
    assert_eq!(base.merge(&[]).unwrap(), base);
    assert_eq!(
        base.merge(&[("c", null), ("a", None), ("c", null)]),
        Err(ValueError::DuplicateField("c".into()))
    );
    assert_eq!(base.merge(&[("$", null)]).unwrap_err().code(), "InvalidFieldName");
    assert_eq!(Packed::null().merge(&[]), Err(ValueError::NotAnObject("null")));
}

#[test]
fn rust_types() {
    fn same<T: Encode + Decode + PartialEq + std::fmt::Debug>(value: T, json: &str) {
        let packed = Packed::encode(&value).unwrap();
        assert_eq!(packed.to_json(), json);
        assert_eq!(to_json(&value).unwrap(), json);
        assert_eq!(packed.decode::<T>().unwrap(), value);
    }
    same((), "null");
    same(7i32, "7");
    same(u32::MAX, "4294967295");
    same(7i64, r#"{"$integer":"BwAAAAAAAAA="}"#);
    same(Bytes(vec![1, 2]), r#"{"$bytes":"AQI="}"#);
    same(vec![1u8, 2], "[1,2]");
    same(vec![Some(1.5), None], "[1.5,null]");
    same(Some(Nullable::<f64>::Null), "null");
    same(Nullable::Some("x".to_owned()), "\"x\"");
    same(BTreeMap::from([("k".to_owned(), vec![true])]), r#"{"k":[true]}"#);
    same(Value::object([("a", 1.0)]), r#"{"a":1}"#);
    same(Packed::empty_object(), "{}");
    let id: Id<str> = "j57000820c20a1g7104gm2rc1m70ynr8".parse().unwrap();
    same(id, "\"j57000820c20a1g7104gm2rc1m70ynr8\"");
    let optional = BTreeMap::from([("a".to_owned(), None), ("b".to_owned(), Some(true))]);
    assert_eq!(to_json(&optional).unwrap(), r#"{"b":true}"#);

    let error =
        |json: &str| Packed::from_json(json).unwrap().decode::<BTreeMap<String, Vec<u8>>>().unwrap_err();
    assert_eq!(
        error(r#"{"k":[1,256]}"#).to_string(),
        "at .k[1]: expected a whole number that fits u8, found 256"
    );
    assert_eq!(error(r#"{"k":[1.5]}"#).path, ".k[0]");
    assert_eq!(error("[]").to_string(), "expected object, found array");
    assert_eq!(
        bool::decode_field("x", None).unwrap_err().to_string(),
        "at .x: expected a value, found a missing field"
    );
    assert_eq!(<Option<bool>>::decode_field("x", None), Ok(None));
}

#[test]
fn every_field_type_has_a_serde_form() {
    use hull_value::{Bytes, Nullable};
    fn same<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(
        value: T,
        json: &str,
    ) {
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
        assert_eq!(serde_json::from_str::<T>(json).unwrap(), value);
    }
    same(Bytes(vec![1, 2]), r#"{"$bytes":"AQI="}"#);
    same(Nullable::Some("a".to_owned()), r#""a""#);
    same(Nullable::<String>::Null, "null");
    assert!(serde_json::from_str::<Bytes>(r#""AQI=""#).is_err());
}

#[test]
fn the_packed_length_is_known_at_every_length_of_text() {
    for length in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
        let text = pack(&Value::String("a".repeat(length)));
        assert_eq!(text.as_ref().packed_len(), text.bytes().len(), "{length}");
        let bytes = pack(&Value::Bytes(vec![0; length]));
        assert_eq!(bytes.as_ref().packed_len(), bytes.bytes().len(), "{length}");
    }
}
