//! Validators: what they accept, what they say about the rest, their JSON, their order by inclusion, their JSON Schema.

#![allow(clippy::unwrap_used, reason = "a test may")]

use hull_model::value::{DocumentId, InternalId, Packed, TableNumber, ValueRef};
use hull_model::{TableMapping, Validator, v};
use proptest::prelude::*;
use serde_json::json;

struct Tables;

impl TableMapping for Tables {
    fn table_of(&self, number: TableNumber) -> Option<&str> {
        match number.0 {
            10001 => Some("users"),
            10002 => Some("posts"),
            5 => Some("_storage"),
            _ => None,
        }
    }

    fn number_of(&self, table: &str) -> Option<TableNumber> {
        [(10001, "users"), (10002, "posts"), (5, "_storage")]
            .into_iter()
            .find_map(|(number, name)| (name == table).then_some(TableNumber(number)))
    }
}

fn id(table: u32) -> String {
    DocumentId { table: TableNumber(table), internal: InternalId([7; 16]) }.to_string()
}

/// Every kind, some nested.
fn all() -> Vec<Validator> {
    vec![
        v::any(),
        v::null(),
        v::number(),
        v::int64(),
        v::boolean(),
        v::string(),
        v::bytes(),
        v::literal("a"),
        v::literal(1.0),
        v::literal(5i64),
        v::literal(true),
        v::id("users"),
        v::id("posts"),
        v::array(v::string()),
        v::array(v::union([v::number(), v::null()])),
        v::object([("a", v::string())]).field("b", v::optional(v::number())),
        v::object([("a", v::string())]),
        v::object([("a", v::any()), ("c", v::any())]),
        v::object::<&str, Validator>([]),
        v::record(v::string(), v::number()),
        v::record(v::id("users"), v::array(v::boolean())),
        v::union([]),
        v::union([v::literal(true), v::literal(false)]),
        v::union([v::string(), v::number()]),
        v::nullable(v::object([("a", v::string())])),
        v::record(v::string(), v::any()),
    ]
}

/// Wire forms of values that tell the validators apart.
fn values() -> Vec<String> {
    let mut values: Vec<String> = [
        "null",
        "1",
        "2.5",
        r#"{"$float":"AAAAAAAA+H8="}"#,
        r#"{"$integer":"BQAAAAAAAAA="}"#,
        "true",
        "false",
        r#""a""#,
        r#""b""#,
        r#"{"$bytes":"AQ=="}"#,
        "[]",
        r#"["x"]"#,
        "[1,null]",
        "[true]",
        "{}",
        r#"{"a":"x"}"#,
        r#"{"a":"x","b":1}"#,
        r#"{"a":1,"c":null}"#,
        r#"{"x":5}"#,
        r#"{"a":"x","b":null}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    for table in [10001, 10002, 5, 777] {
        values.push(format!("{:?}", id(table)));
    }
    values.push(format!("{{{:?}:[true]}}", id(10001)));
    values
}

fn accepts(validator: &Validator, wire: &str) -> bool {
    validator.check(Packed::from_json(wire).unwrap().as_ref(), &Tables).is_ok()
}

#[test]
fn acceptance() {
    let accepted = |validator: &Validator| -> Vec<String> {
        values().into_iter().filter(|value| accepts(validator, value)).collect()
    };
    let users = format!("{:?}", id(10001));
    assert_eq!(accepted(&v::any()).len(), values().len());
    assert_eq!(accepted(&v::null()), ["null"]);
    assert_eq!(accepted(&v::number()), ["1", "2.5", r#"{"$float":"AAAAAAAA+H8="}"#]);
    assert_eq!(accepted(&v::int64()), [r#"{"$integer":"BQAAAAAAAAA="}"#]);
    assert_eq!(accepted(&v::boolean()), ["true", "false"]);
    assert_eq!(accepted(&v::bytes()), [r#"{"$bytes":"AQ=="}"#]);
    assert_eq!(accepted(&v::string()).len(), 6);
    assert_eq!(accepted(&v::literal("a")), [r#""a""#]);
    assert_eq!(accepted(&v::literal(1.0)), ["1"]);
    assert_eq!(accepted(&v::literal(5i64)), [r#"{"$integer":"BQAAAAAAAAA="}"#]);
    assert_eq!(accepted(&v::id("users")), [users.as_str()]);
    assert_eq!(accepted(&v::array(v::string())), ["[]", r#"["x"]"#]);
    assert_eq!(accepted(&v::array(v::nullable(v::number()))), ["[]", "[1,null]"]);
    let object = v::object([("a", v::string())]).field("b", v::optional(v::number()));
    assert_eq!(accepted(&object), [r#"{"a":"x"}"#, r#"{"a":"x","b":1}"#]);
    assert_eq!(accepted(&v::record(v::string(), v::number())), ["{}", r#"{"x":5}"#]);
    assert_eq!(
        accepted(&v::record(v::id("users"), v::any())),
        ["{}".to_owned(), format!("{{{users}:[true]}}")]
    );
    assert!(accepted(&v::union([])).is_empty());
    assert_eq!(accepted(&v::nullable(v::boolean())), ["null", "true", "false"]);
}

#[test]
fn messages() {
    let profile = v::object([
        ("name", v::string()),
        ("tags", v::array(v::object([("n", v::number())]))),
        ("scores", v::record(v::id("users"), v::number())),
    ])
    .field("kind", v::optional(v::union([v::literal("a"), v::literal("b")])));
    let (user, post, file) = (id(10001), id(10002), id(5));
    let shown = "v.object({kind: v.optional(v.union(v.literal(\"a\"), v.literal(\"b\"))), name: v.string(), scores: \
                 v.record(v.id(\"users\"), v.float64()), tags: v.array(v.object({n: v.float64()}))})";
    let cases = [
        (
            &profile,
            r#"{"scores":{},"tags":[]}"#.to_owned(),
            "MissingRequiredField",
            format!(
                "Object is missing the required field `name`. Consider wrapping the field validator in \
                 `v.optional(...)` if this is expected.\n\nObject: {{scores: {{}}, tags: []}}\nValidator: {shown}"
            ),
        ),
        (
            &profile,
            r#"{"extra":{"$integer":"BQAAAAAAAAA="},"name":"x","scores":{},"tags":[]}"#.to_owned(),
            "ExtraField",
            format!(
                "Object contains extra field `extra` that is not in the validator.\n\nObject: {{extra: 5n, name: \
                 \"x\", scores: {{}}, tags: []}}\nValidator: {shown}"
            ),
        ),
        (
            &profile,
            r#"{"name":"x","scores":{},"tags":[{"n":1},{"n":"1"}]}"#.to_owned(),
            "NoMatch",
            "Value does not match validator.\nPath: .tags[1].n\nValue: \"1\"\nValidator: v.float64()".to_owned(),
        ),
        (
            &profile,
            r#"{"name":"x","scores":{},"tags":[{}]}"#.to_owned(),
            "MissingRequiredField",
            "Object is missing the required field `n`. Consider wrapping the field validator in `v.optional(...)` if \
             this is expected.\n\nPath: .tags[0]\nObject: {}\nValidator: v.object({n: v.float64()})"
                .to_owned(),
        ),
        (
            &profile,
            format!(r#"{{"name":"x","scores":{{"{post}":1}},"tags":[]}}"#),
            "TableNamesDoNotMatch",
            format!(
                "Found ID \"{post}\" from table `posts`, which does not match the table name in validator \
                 `v.id(\"users\")`.\nPath: .scores.keys()"
            ),
        ),
        (
            &profile,
            format!(r#"{{"name":"x","scores":{{"{user}":null}},"tags":[]}}"#),
            "NoMatch",
            "Value does not match validator.\nPath: .scores.values()\nValue: null\nValidator: v.float64()".to_owned(),
        ),
        (
            &profile,
            r#"{"kind":"c","name":"x","scores":{},"tags":[]}"#.to_owned(),
            "NoMatch",
            "Value does not match validator.\nPath: .kind\nValue: \"c\"\nValidator: v.union(v.literal(\"a\"), \
             v.literal(\"b\"))"
                .to_owned(),
        ),
        (
            &v::union([v::literal("a")]),
            "1".to_owned(),
            "LiteralValuesDoNotMatch",
            "`1.0` does not match literal validator `v.literal(\"a\")`.".to_owned(),
        ),
        (
            &v::id("users"),
            format!("{file:?}"),
            "SystemTableReference",
            format!(
                "Found ID \"{file}\" from a system table, which does not match the table name in validator \
                 `v.id(\"users\")`."
            ),
        ),
        (
            &v::id("users"),
            "\"nonsense\"".to_owned(),
            "NoMatch",
            "Value does not match validator.\nValue: \"nonsense\"\nValidator: v.id(\"users\")".to_owned(),
        ),
    ];
    for (validator, wire, code, message) in cases {
        let error = validator.check(Packed::from_json(&wire).unwrap().as_ref(), &Tables).unwrap_err();
        assert_eq!((error.code(), error.to_string()), (code, message));
    }
    let long = format!("\"{}\"", "é".repeat(10_000));
    let error = v::null().check(Packed::from_json(&long).unwrap().as_ref(), &()).unwrap_err();
    assert!(error.to_string().len() < 5_000 && error.to_string().contains('…'));
}

#[test]
fn a_document_may_have_system_fields() {
    let doc = Packed::from_json(r#"{"_creationTime":1,"_id":"x","a":"y"}"#).unwrap();
    let object = v::object([("a", v::string())]);
    object.check_document(doc.as_ref(), &()).unwrap();
    v::union([v::null(), object.clone()]).check_document(doc.as_ref(), &()).unwrap();
    assert_eq!(object.check(doc.as_ref(), &()).unwrap_err().code(), "ExtraField");
    let other = Packed::from_json(r#"{"_other":1,"a":"y"}"#).unwrap();
    assert_eq!(object.check_document(other.as_ref(), &()).unwrap_err().code(), "ExtraField");
    let both = Packed::from_json(r#"{"Z":1,"_creationTime":1,"_id":"x","a":"y"}"#).unwrap();
    for object in [object.clone(), object.field("_id", v::string())] {
        let error = object.check_document(both.as_ref(), &()).unwrap_err();
        assert!(error.to_string().starts_with("Object contains extra field `Z`"), "{error}");
    }
}

#[test]
fn json_both_ways() {
    for validator in all().into_iter().chain([v::commit_ts()]) {
        assert_eq!(Validator::from_json(&validator.to_json()).unwrap(), validator);
    }
    let object = v::object([("a", v::int64())]).field("b", v::optional(v::record(v::string(), v::id("t"))));
    let written = json!({"type": "object", "value": {
        "a": {"fieldType": {"type": "bigint"}, "optional": false},
        "b": {"fieldType": {"type": "record", "keys": {"type": "string"},
                "values": {"fieldType": {"type": "id", "tableName": "t"}, "optional": false}}, "optional": true},
    }});
    assert_eq!(object.to_json(), written);
    assert_eq!(
        v::union([v::literal(5i64), v::literal(1.0)]).to_json(),
        json!({"type": "union", "value": [
            {"type": "literal", "value": {"$integer": "BQAAAAAAAAA="}}, {"type": "literal", "value": 1}]})
    );
    for (alias, validator) in
        [("map", v::any()), ("set", v::any()), ("float64", v::number()), ("int64", v::int64())]
    {
        assert_eq!(Validator::from_json(&json!({"type": alias})).unwrap(), validator);
    }
    for (wrong, code, message) in [
        (json!(5), "InvalidValidator", "at `type`: expected the name of a validator type"),
        (json!({"type": "date"}), "InvalidValidator", "at `type`: there is no validator type `date`"),
        (json!({"type": "id"}), "InvalidValidator", "at `tableName`: expected the name of a table"),
        (
            json!({"type": "array", "value": {"type": "union", "value": [{"type": "x"}]}}),
            "InvalidValidator",
            "at `value.value[0].type`: there is no validator type `x`",
        ),
        (
            json!({"type": "literal", "value": null}),
            "InvalidValidator",
            "at `value`: expected a string, a number, an int64 or a boolean",
        ),
        (
            json!({"type": "object", "value": {"a": {"optional": true}}}),
            "InvalidValidator",
            "at `value.a.fieldType`: expected a validator",
        ),
        (
            json!({"type": "record", "keys": {"type": "string"},
                "values": {"fieldType": {"type": "any"}, "optional": true}}),
            "InvalidRecordType",
            "at `values`: the values of a record can't be optional",
        ),
    ] {
        let error = Validator::from_json(&wrong).unwrap_err();
        assert_eq!((error.code(), error.to_string()), (code, message.to_owned()));
    }
}

#[test]
fn inclusion() {
    let required = v::object([("a", v::string())]);
    let optional = v::object([("a", v::optional(v::string()))]);
    let wider = required.clone().field("b", v::optional(v::null()));
    let yes = [
        (v::literal("x"), v::string()),
        (v::literal(1.0), v::number()),
        (v::literal(1i64), v::int64()),
        (v::id("users"), v::string()),
        (v::id("users"), v::any()),
        (v::boolean(), v::union([v::literal(false), v::literal(true)])),
        (v::int64(), v::commit_ts()),
        (v::commit_ts(), v::int64()),
        (v::union([]), v::null()),
        (v::union([v::literal("a"), v::literal("b")]), v::nullable(v::string())),
        (required.clone(), optional.clone()),
        (required.clone(), wider.clone()),
        (v::array(v::literal("a")), v::array(v::string())),
        (required.clone(), v::record(v::string(), v::string())),
        (v::record(v::id("users"), v::literal(1.0)), v::record(v::string(), v::number())),
    ];
    for (small, large) in yes {
        assert!(small.is_subset_of(&large), "{small} in {large}");
    }
    let no = [
        (v::string(), v::id("users")),
        (v::id("posts"), v::id("users")),
        (v::any(), v::string()),
        (optional, required.clone()),
        (wider, required.clone()),
        (required, v::object([("a", v::string()), ("b", v::string())])),
        (v::literal(1.0), v::int64()),
    ];
    for (small, large) in no {
        assert!(!small.is_subset_of(&large), "{small} not in {large}");
    }
}

#[test]
fn inclusion_is_never_wrong() {
    for small in all() {
        assert!(small.is_subset_of(&small), "{small}");
        for large in all() {
            if small.is_subset_of(&large) {
                for value in values() {
                    assert!(
                        !accepts(&small, &value) || accepts(&large, &value),
                        "{small} in {large}: {value}"
                    );
                }
            }
        }
    }
}

#[test]
fn json_schema_accepts_the_same_wire_forms() {
    for validator in all() {
        let schema = validator.to_json_schema();
        let compiled = jsonschema::validator_for(&schema).unwrap();
        // Whether a string is an id, only the database knows; and any object can stand for another in JSON.
        let ids = validator.to_string().contains("v.id(");
        for value in values() {
            let wire: serde_json::Value = serde_json::from_str(&value).unwrap();
            let accepted = accepts(&validator, &value);
            assert!(!accepted || compiled.is_valid(&wire), "{validator}: {value}");
            let special = value.starts_with("{\"$");
            if !ids && !special {
                assert_eq!(accepted, compiled.is_valid(&wire), "{validator}: {value}");
            }
        }
    }
}

proptest! {
    #[test]
    fn from_json_never_panics(text in r#"[\{\}\[\]":,a-z0-9 ]{0,60}"#, kind in "any|id|array|object|record|union|literal") {
        if let Ok(json) = serde_json::from_str(&text) {
            let _ = Validator::from_json(&json);
            let _ = Validator::from_json(&json!({"type": kind, "value": json, "keys": json, "values": json}));
        }
    }
}

#[test]
fn changes_that_keep_a_document_valid_are_told_without_the_document() {
    let validator = v::object([("age", v::optional(v::number())), ("name", v::string().into())]);
    let (number, text) = (Some(ValueRef::Float64(1.0)), Some(ValueRef::String("x")));
    let keeps = |changes: &[(&str, Option<ValueRef<'_>>)]| validator.keeps(changes, &());
    assert!(keeps(&[("age", number), ("name", text)]) && keeps(&[("age", None)]) && keeps(&[]));
    for changes in [("age", text), ("name", None), ("other", number), ("other", None), ("_id", text)] {
        assert!(!keeps(&[changes]), "{changes:?}");
    }
    assert!(v::any().keeps(&[("other", number)], &()) && !v::union([validator]).keeps(&[], &()));
}
