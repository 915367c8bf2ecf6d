//! Schemas: every rule with its code, all mistakes at once, aliases, JSON and JSON Schema.

#![allow(clippy::unwrap_used, reason = "a test may")]

use hull_model::value::Packed;
use hull_model::{Schema, SchemaErrors, TableDef, Validator, define_table, v};
use serde_json::json;

fn table() -> TableDef {
    define_table("t").field("a", v::string()).field("b", v::object([("c", v::number())]))
}

fn codes(schema: &Schema) -> Vec<&'static str> {
    schema.check().err().map_or(Vec::new(), |SchemaErrors(errors)| errors.iter().map(|e| e.code()).collect())
}

fn check(table: TableDef) -> Vec<&'static str> {
    codes(&Schema::new().table(table))
}

fn field_names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("f{i}")).collect()
}

fn wide(count: usize) -> TableDef {
    field_names(count).iter().fold(define_table("t"), |table, name| table.field(name, v::any()))
}

#[test]
fn index_rules() {
    let cases: Vec<(TableDef, &[&str])> = vec![
        (table().index("by_a", ["a"]).index("by_c", ["b.c", "a"]), &[]),
        // An alias: the same fields under another name.
        (table().index("by_a", ["a"]).index("by_a_too", ["a"]), &[]),
        (table().index("by_a", ["a"]).index("by_a", ["b"]), &["IndexNamesNotUnique"]),
        (table().index("by_a", ["a"]).search_index("by_a", "a", []), &["IndexNamesNotUnique"]),
        (table().index("by_id", ["a"]), &["IndexNameReserved"]),
        (table().index("by_creation_time", ["a"]), &["IndexNameReserved"]),
        (table().index("_mine", ["a"]), &["IndexNameReserved"]),
        (table().index("by-a", ["a"]), &["InvalidIndexName"]),
        (table().index("i".repeat(65), ["a"]), &["InvalidIndexName"]),
        (table().index("i".repeat(64), ["a"]), &[]),
        (table().index("none", []), &["EmptyIndex"]),
        (table().index("x", ["a", "_creationTime"]), &["IndexFieldsContainCreationTime"]),
        (table().index("x", ["_id"]), &["IndexFieldsContainId"]),
        (table().index("x", ["_other"]), &["IndexFieldNameReserved"]),
        (table().index("x", ["a", "a"]), &["FieldsNotUniqueWithinIndex"]),
        (table().index("x", ["missing"]), &["SchemaDefinitionError"]),
        (table().index("x", ["b.missing"]), &["SchemaDefinitionError"]),
        (table().index("x", ["a.c"]), &["SchemaDefinitionError"]),
        (table().index("x", ["b..c"]), &["InvalidIndexField", "EmptyIndex"]),
        (wide(15).index("x", field_names(15).iter().map(String::as_str)), &[]),
        (wide(16).index("x", field_names(16).iter().map(String::as_str)), &["IndexTooManyFields"]),
        (table().search_index("s", "a", ["b.c"]), &[]),
        (table().search_index("s", "missing", ["a"]), &["SchemaDefinitionError"]),
        (
            table().search_index("s", "a", ["b.c"]).search_index("s2", "a", ["b.c"]),
            &["SearchIndexFieldNotUnique"],
        ),
        (
            wide(17).search_index("s", "f0", field_names(17).iter().map(String::as_str)),
            &["IndexTooManyFilterFields"],
        ),
        ((0..64).fold(table(), |t, i| t.index(format!("i{i}"), ["a"])), &[]),
        ((0..65).fold(table(), |t, i| t.index(format!("i{i}"), ["a"])), &["TooManyIndexes"]),
        (
            (0..5).fold(wide(5), |t, i| t.search_index(format!("i{i}"), &format!("f{i}"), [])),
            &["TooManySearchIndexes"],
        ),
    ];
    for (table, expected) in cases {
        let found = check(table.clone());
        assert_eq!(found, expected, "{table:?}");
    }
}

#[test]
fn document_rules() {
    let object = || v::object([("a", v::string())]);
    let cases: Vec<(Validator, &[&str])> = vec![
        (v::any(), &[]),
        (v::union([object(), v::object([("b", v::null())])]), &[]),
        (v::string(), &["InvalidTopLevelTypeInSchemaError"]),
        (v::record(v::string(), v::any()), &["InvalidTopLevelTypeInSchemaError"]),
        (v::nullable(object()), &["InvalidTopLevelTypeInSchemaError"]),
        (v::object([("_a", v::any())]), &["InvalidFieldName"]),
        (v::object([("a", v::object([("_a", v::any())]))]), &[]),
        (v::object([("a b", v::any())]), &["InvalidFieldName"]),
        (v::object([("a", v::object([("$", v::any())]))]), &["InvalidFieldName"]),
        (v::object([("a", v::record(v::literal("x"), v::any()))]), &["InvalidRecordType"]),
        (v::object([("a", v::record(v::number(), v::any()))]), &["InvalidRecordType"]),
        (
            v::object([("a", v::record(v::union([v::string(), v::literal("x")]), v::any()))]),
            &["InvalidRecordType"],
        ),
        (v::object([("a", v::record(v::union([v::id("t"), v::string()]), v::any()))]), &[]),
        (v::object([("a", v::array(v::commit_ts()))]), &[]),
        (v::object([("a", v::literal(()))]), &["InvalidLiteral"]),
        // System fields are left out.
        (v::object([("_id", v::id("t")), ("_creationTime", v::number())]), &[]),
    ];
    for (document, expected) in cases {
        assert_eq!(check(define_table("t").document(document.clone())), expected, "{document}");
    }
    // A union has a field when a member has it; any has every field, and so has a record.
    let union = v::union([object(), v::object([("b", v::record(v::string(), v::any()))])]);
    assert!(check(define_table("t").document(union.clone()).index("x", ["a", "b.deep.er"])).is_empty());
    assert_eq!(check(define_table("t").document(union).index("x", ["c"])), ["SchemaDefinitionError"]);
    assert!(check(define_table("t").document(v::any()).index("x", ["a.b"])).is_empty());
    // Without validation, fields need not be known.
    assert!(codes(&Schema::new().table(table().index("x", ["missing"])).validated(false)).is_empty());
}

#[test]
fn all_mistakes_at_once() {
    let schema = Schema::new()
        .table(define_table("_t").field("a", v::any()).index("by_id", []))
        .table(table().index("x", ["nope"]))
        .table(table());
    let error = schema.check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "InvalidTableName: `_t` is not a valid table name: a letter first, then letters, digits or `_`, at most 64 \
         characters; names beginning with `_` are reserved\n\
         IndexNameReserved: table `_t`: the index name `by_id` is reserved: `by_id`, `by_creation_time` and names \
         beginning with `_` belong to the system\n\
         EmptyIndex: table `_t`: the index `by_id` has no fields; `by_creation_time` is always there\n\
         SchemaDefinitionError: table `t`: the index `x` names the field `nope`, which the table's documents do not \
         have\n\
         TableNamesNotUnique: table `t` is declared more than once"
    );
    let many = (0..10_001).fold(Schema::new(), |s, i| s.table(define_table(format!("t{i}"))));
    assert_eq!(codes(&many), ["TooManyTables"]);
}

#[test]
fn aliases_know_their_original() {
    let table = table().index("by_a", ["a"]).index("by_ab", ["a", "b"]).index("also_a", ["a"]);
    let alias = table.index_named("also_a").unwrap();
    assert_eq!(table.original_of(alias).name, "by_a");
    assert_eq!(table.original_of(table.index_named("by_ab").unwrap()).name, "by_ab");
    let json = table.to_json();
    assert_eq!(json["indexes"][0]["fields"], json["indexes"][2]["fields"]);
}

#[test]
fn json_both_ways() {
    let schema = Schema::new()
        .table(table().index("by_c", ["b.c", "a"]).search_index("s", "a", ["b.c"]))
        .table(define_table("u").document(v::any()))
        .validated(false);
    let json = json!({
        "tables": [
            {
                "tableName": "t",
                "indexes": [{"indexDescriptor": "by_c", "fields": ["b.c", "a"]}],
                "stagedDbIndexes": [],
                "searchIndexes": [{"indexDescriptor": "s", "searchField": "a", "filterFields": ["b.c"]}],
                "stagedSearchIndexes": [],
                "vectorIndexes": [],
                "stagedVectorIndexes": [],
                "documentType": {"type": "object", "value": {
                    "a": {"fieldType": {"type": "string"}, "optional": false},
                    "b": {"fieldType": {"type": "object", "value": {
                        "c": {"fieldType": {"type": "number"}, "optional": false}}}, "optional": false},
                }},
            },
            {
                "tableName": "u", "indexes": [], "stagedDbIndexes": [], "searchIndexes": [],
                "stagedSearchIndexes": [], "vectorIndexes": [], "stagedVectorIndexes": [],
                "documentType": {"type": "any"},
            },
        ],
        "schemaValidation": false,
    });
    assert_eq!(schema.to_json(), json);
    assert_eq!(Schema::from_json(&json).unwrap(), schema);
    // System fields are left out, and absent lists are empty.
    let read = Schema::from_json(&json!({"tables": [{"tableName": "x", "documentType": {"type": "object",
        "value": {"_id": {"fieldType": {"type": "string"}, "optional": false}}}}]}));
    assert_eq!(read.unwrap(), Schema::new().table(define_table("x")));
    let built = define_table("x").field("_id", v::string()).field("_creationTime", v::any());
    assert_eq!(built, define_table("x"));
    for (wrong, code, message) in [
        (json!([]), "InvalidSchemaJson", "schema: at `tables`: expected an array"),
        (json!({"table": []}), "InvalidSchemaJson", "schema: at `tables`: expected an array"),
        (json!({"tables": 5}), "InvalidSchemaJson", "schema: at `tables`: expected an array"),
        (json!({"tables": [{}]}), "InvalidSchemaJson", "schema: at `tables[0].tableName`: expected a string"),
        (
            json!({"tables": [{"tableName": "t", "documentType": {"type": "zzz"}}]}),
            "InvalidValidator",
            "schema: table `t`: at `type`: there is no validator type `zzz`",
        ),
        (
            json!({"tables": [{"tableName": "t", "vectorIndexes": [{}]}]}),
            "NotSupported",
            "schema: table `t`: vector indexes are not supported yet",
        ),
        (
            json!({"tables": [{"tableName": "t", "stagedDbIndexes": [{}]}]}),
            "NotSupported",
            "schema: table `t`: staged indexes are not supported yet",
        ),
        (
            json!({"tables": [{"tableName": "t", "indexes": [{"indexDescriptor": "i", "fields": [5]}]}]}),
            "InvalidSchemaJson",
            "schema: at `tables[0].indexes[0].fields`: expected an array of strings",
        ),
    ] {
        let error = Schema::from_json(&wrong).unwrap_err();
        assert_eq!((error.code(), error.to_string()), (code, message.to_owned()));
    }
}

#[test]
fn json_schema_of_stored_documents() {
    let schema = Schema::new().table(table().doc("Things.").field_doc("a", "The first.")).table(
        define_table("u")
            .document(v::union([v::object([("k", v::literal("x"))]), v::object([("k", v::literal(1.0))])])),
    );
    let json = schema.to_json_schema();
    jsonschema::meta::validate(&json).unwrap();
    let t = json.pointer("/$defs/t").unwrap();
    assert_eq!(t["description"], "Things.");
    assert_eq!(t["properties"]["a"]["description"], "The first.");
    let stored = r#"{"_creationTime":1.5,"_id":"abc","a":"x","b":{"c":1}}"#;
    let compiled = jsonschema::validator_for(t).unwrap();
    assert!(compiled.is_valid(&serde_json::from_str(&Packed::from_json(stored).unwrap().to_json()).unwrap()));
    assert!(!compiled.is_valid(&json!({"a": "x", "b": {"c": 1}})));
    let u = jsonschema::validator_for(json.pointer("/$defs/u").unwrap()).unwrap();
    assert!(u.is_valid(&json!({"_creationTime": 1, "_id": "abc", "k": 1})));
    assert!(!u.is_valid(&json!({"_creationTime": 1, "_id": "abc", "k": 2})));
}

#[test]
fn aggregates() {
    let table = || {
        define_table("t")
            .field("user", v::string())
            .field("text", v::optional(v::string()))
            .field("points", v::optional(v::number()))
            .field("big", v::int64())
            .field("in", v::object([("deep", v::union([v::number(), v::null()]))]))
            .field("any", v::any())
            .field("mixed", v::union([v::number(), v::int64()]))
            .field("few", v::union([v::literal(1.0), v::literal(2.0)]))
    };
    let sum = |field: &'static str| table().aggregate_index("x", ["user"], Some(field), false);
    for good in ["points", "big", "in.deep", "few"] {
        assert_eq!(check(sum(good)), [""; 0], "{good}");
    }
    for wrong in ["text", "any", "mixed", "in", "any.deep"] {
        assert_eq!(check(sum(wrong)), ["SummedFieldNotNumeric"], "{wrong}");
    }
    assert_eq!(check(sum("missing")), ["SchemaDefinitionError"]);
    assert_eq!(check(sum("_creationTime")), ["IndexFieldsContainCreationTime"]);
    assert_eq!(check(sum("a..b")), ["InvalidIndexField"]);
    assert_eq!(check(table().aggregate_index("x", [], None, true)), ["EmptyIndex"]);
    assert_eq!(
        check(table().index("x", ["user"]).aggregate_index("x", ["user"], None, true)),
        ["IndexNamesNotUnique"]
    );
    let message = Schema::new().table(sum("text")).check().unwrap_err().to_string();
    assert_eq!(
        message,
        "SummedFieldNotNumeric: table `t`: the index `x` adds up the field `text`, which must be `v.number()` or `v.int64()` in \
         every document that has it; it may be optional"
    );

    // In a union every variant that has the field has numbers of the same kind.
    let union = |second: hull_model::Validator| {
        let union =
            v::union([v::object([("a", v::number())]), v::object([("b", second.clone()), ("a", second)])]);
        check(define_table("t").document(union).aggregate_index("x", ["a"], Some("a"), false))
    };
    assert_eq!(union(v::number()), [""; 0]);
    assert_eq!(union(v::int64()), ["SummedFieldNotNumeric"]);
    assert_eq!(union(v::string()), ["SummedFieldNotNumeric"]);
}

#[test]
fn aggregates_in_json() {
    let table = table()
        .index("by_a", ["a"])
        .aggregate_index("count_a", ["a"], None, false)
        .aggregate_index("ranked_a", ["a"], None, true)
        .aggregate_index("sum_c", ["a"], Some("b.c"), false)
        .aggregate_index("ranked_c", ["a"], Some("b.c"), true);
    let schema = Schema::new().table(table);
    let json = schema.to_json();
    assert_eq!(
        json["tables"][0]["indexes"],
        json!([
            {"indexDescriptor": "by_a", "fields": ["a"]},
            {"indexDescriptor": "count_a", "fields": ["a"], "aggregate": {}},
            {"indexDescriptor": "ranked_a", "fields": ["a"], "aggregate": {"ranked": true}},
            {"indexDescriptor": "sum_c", "fields": ["a"], "aggregate": {"sum": "b.c"}},
            {"indexDescriptor": "ranked_c", "fields": ["a"], "aggregate": {"sum": "b.c", "ranked": true}},
        ])
    );
    assert_eq!(Schema::from_json(&json).unwrap(), schema);
    for (wrong, message) in [
        (json!(5), "schema: at `tables[0].indexes[0].aggregate`: expected an object"),
        (json!({"sum": 5}), "schema: at `tables[0].indexes[0].aggregate.sum`: expected a string"),
        (json!({"ranked": 5}), "schema: at `tables[0].indexes[0].aggregate.ranked`: expected true or false"),
    ] {
        let index = json!({"indexDescriptor": "x", "fields": ["a"], "aggregate": wrong});
        let error =
            Schema::from_json(&json!({"tables": [{"tableName": "t", "indexes": [index]}]})).unwrap_err();
        assert_eq!((error.code(), error.to_string()), ("InvalidSchemaJson", message.to_owned()));
    }
}
