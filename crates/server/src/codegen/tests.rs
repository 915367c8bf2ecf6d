//! Each kind of validator, and whole files of a small application.

use std::path::Path;

use hull_functions::{
    App, Module, MutationCtx, QueryCtx, Registry, Result, functions, internal_mutation, mutation, query,
};
use hull_model::{Doc, FieldValidator, Object, Schema, Table, Validated, Validator, define_table, v};
use hull_value::{Encode, Encoder, Id, Nullable, Value};

use super::types::{Types, comment, property};
use super::*;

#[derive(Table)]
#[table("rooms")]
/// Where people talk.
#[index(by_title(title))]
#[search(search_title(title), filter(open))]
struct Room {
    /// What is written
    /// on the door.
    title: String,
    open: bool,
    limits: Option<Limits>,
}

#[derive(Object)]
struct Limits {
    /// At once.
    people: f64,
}

#[derive(Table)]
#[table("events")]
#[hull(tag = "kind")]
enum Event {
    Opened { room: Id<Room> },
    Said { room: Id<Room>, text: String },
}

/// A result that says how it is written, and nothing about what it is.
struct Opaque;

impl Encode for Opaque {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.null();
    }
}

/// All rooms.
#[query]
async fn list(_ctx: &QueryCtx, #[hull(rename = "only-open")] open: Option<bool>) -> Result<Vec<Doc<Room>>> {
    let _ = open;
    Ok(Vec::new())
}

#[query]
async fn first(_ctx: &QueryCtx) -> Result<Option<Doc<Room>>> {
    Ok(None)
}

#[query]
async fn last_event(_ctx: &QueryCtx) -> Result<Nullable<Doc<Event>>> {
    Ok(Nullable::Null)
}

#[query]
async fn opaque(_ctx: &QueryCtx) -> Result<Opaque> {
    Ok(Opaque)
}

#[query(returns = v::literal("yes"))]
async fn checked(_ctx: &QueryCtx) -> Result<String> {
    Ok("yes".to_owned())
}

#[mutation]
async fn create(_ctx: &MutationCtx, #[hull(flatten)] room: Room) -> Result<()> {
    let _ = room;
    Ok(())
}

#[internal_mutation]
async fn sweep(_ctx: &MutationCtx, older_than: i64) -> Result<i64> {
    Ok(older_than)
}

fn app() -> App {
    App::new()
        .schema(Schema::new().of::<Room>().of::<Event>())
        .module(Module::new("rooms").with(functions![list, first, create, checked]))
        .module(Module::new("rooms/first").with(functions![opaque, sweep]))
        .module(Module::new("a/log.book").with(functions![last_event]))
}

fn generated() -> Generated {
    Generated::of(&Registry::new(app()).unwrap())
}

fn of(validator: &Validator) -> String {
    let schema = Schema::new().of::<Room>().of::<Event>();
    Types::new(&schema).of(validator, 0)
}

#[test]
fn every_validator_is_a_type() {
    let two = || v::object([("b", v::optional(v::number())), ("a", FieldValidator::from(v::string()))]);
    for (validator, text) in [
        (v::any(), "any"),
        (v::null(), "null"),
        (v::number(), "number"),
        (v::int64(), "bigint"),
        (v::commit_ts(), "bigint"),
        (v::boolean(), "boolean"),
        (v::string(), "string"),
        (v::bytes(), "ArrayBuffer"),
        (v::literal("a \"b\"\n"), r#""a \"b\"\n""#),
        (v::literal(1.5), "1.5"),
        (v::literal(-3.0), "-3"),
        (v::literal(1e21), "1000000000000000000000"),
        (v::literal(f64::NAN), "number"),
        (v::literal(-0.0), "number"),
        (v::literal(-7i64), "-7n"),
        (v::literal(true), "true"),
        (v::id("rooms"), r#"Id<"rooms">"#),
        (v::id("_storage"), r#"Id<"_storage">"#),
        (v::id("elsewhere"), r#"GenericId<"elsewhere">"#),
        (v::array(v::array(v::number())), "Array<Array<number>>"),
        (v::array(v::nullable(v::number())), "Array<number | null>"),
        (v::object::<&str, Validator>([]), "{}"),
        (two(), "{ a: string; b?: number }"),
        (
            v::object([("a b", v::null()), ("class", v::null()), ("1", v::null())]),
            r#"{ "1": null; "a b": null; class: null }"#,
        ),
        (v::record(v::id("rooms"), two()), r#"Record<Id<"rooms">, { a: string; b?: number }>"#),
        (v::union([]), "never"),
        (v::union([v::string()]), "string"),
        (v::union([v::literal("a"), v::literal("b"), v::literal("a")]), r#""a" | "b""#),
        (v::nullable(Doc::<Room>::validator()), r#"Doc<"rooms"> | null"#),
        (v::array(Doc::<Event>::validator()), r#"Array<Doc<"events">>"#),
        // Not all that a stored document is.
        (v::object([("_id", v::id("rooms"))]), r#"{ _id: Id<"rooms"> }"#),
    ] {
        assert_eq!(of(&validator), text, "{validator}");
    }
}

#[test]
fn what_is_long_is_written_on_lines() {
    let long = |n: usize| format!("{}{n}", "long".repeat(8));
    let object = v::object([(long(1), v::string()), (long(2), v::array(v::object([("a", v::null())])))]);
    let lines = format!("{{\n  {}: string;\n  {}: Array<{{ a: null }}>;\n}}", long(1), long(2));
    assert_eq!(of(&object), lines);
    let union = v::union((1..4).map(|n| v::literal(long(n))));
    let lines: String = (1..4).map(|n| format!("\n  | \"{}\"", long(n))).collect();
    assert_eq!(of(&union), lines);
    let inside = v::object([("which", union)]);
    let lines: String = (1..4).map(|n| format!("\n    | \"{}\"", long(n))).collect();
    assert_eq!(of(&inside).replace(": \n", ":\n"), format!("{{\n  which:{lines};\n}}"));
}

#[test]
fn comments_can_not_be_left() {
    assert_eq!(comment("", 2), "");
    assert_eq!(comment("one */ line", 2), "  /** one *\\/ line */\n");
    assert_eq!(comment("two\n\nparts", 0), "/**\n * two\n *\n * parts\n */\n");
    assert_eq!(property("a$_1"), "a$_1");
    assert_eq!(property("a-b"), "\"a-b\"");
}

#[test]
fn functions_are_found_at_their_property_path() {
    let text = generated().api_types;
    let api = r#"export declare const api: {
  a: {
    "log.book": {
      lastEvent: FunctionReference<"query", "public", {}, Doc<"events"> | null>;
    };
  };
  rooms: {
    checked: FunctionReference<"query", "public", {}, "yes">;
    create: FunctionReference<
      "mutation",
      "public",
      {
        limits?: {
          /** At once. */
          people: number;
        };
        open: boolean;
        /**
         * What is written
         * on the door.
         */
        title: string;
      },
      null
    >;
    first: FunctionReference<"query", "public", {}, Doc<"rooms"> | null> & {
      opaque: FunctionReference<"query", "public", {}, any>;
    };
    /** All rooms. */
    list: FunctionReference<"query", "public", { "only-open"?: boolean }, Array<Doc<"rooms">>>;
  };
};
"#;
    assert!(text.contains(api), "{text}");
    let internal = r#"export declare const internal: {
  rooms: {
    first: {
      sweep: FunctionReference<"mutation", "internal", { olderThan: bigint }, bigint>;
    };
  };
};
"#;
    assert!(text.contains(internal), "{text}");
}

#[test]
fn the_data_model_has_documents_paths_and_indexes() {
    let text = generated().data_model;
    let model = r#"export type DataModel = {
  events: {
    document:
      | {
          /** Tells the variants apart. */
          kind: "opened";
          room: Id<"rooms">;
          _creationTime: number;
          _id: Id<"events">;
        }
      | {
          /** Tells the variants apart. */
          kind: "said";
          room: Id<"rooms">;
          text: string;
          _creationTime: number;
          _id: Id<"events">;
        };
    fieldPaths:
      | "_creationTime"
      | "_id"
      | "kind"
      | "room"
      | "text";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
    };
    searchIndexes: {};
    vectorIndexes: {};
  };
  /** Where people talk. */
  rooms: {
    document: {
      limits?: {
        /** At once. */
        people: number;
      };
      open: boolean;
      /**
       * What is written
       * on the door.
       */
      title: string;
      _creationTime: number;
      _id: Id<"rooms">;
    };
    fieldPaths:
      | "_creationTime"
      | "_id"
      | "limits"
      | "limits.people"
      | "open"
      | "title";
    indexes: {
      by_id: ["_id"];
      by_creation_time: ["_creationTime"];
      by_title: ["title", "_creationTime"];
    };
    searchIndexes: {
      search_title: {
        searchField: "title";
        filterFields: "open";
      };
    };
    vectorIndexes: {};
  };
};
"#;
    assert!(text.contains(model), "{text}");
}

#[test]
fn tables_without_declared_fields_hold_anything() {
    let schema = Schema::new()
        .table(define_table("loose").document(v::any()))
        .table(define_table("kept").field("by", v::record(v::string(), v::object([("n", v::number())]))))
        .validated(false);
    let text = Generated::of(&Registry::new(App::new().schema(schema)).unwrap()).data_model;
    for part in [
        "import type { AnyDataModel, DocumentByName,",
        "    document: any;\n    fieldPaths: string;\n",
        "document: { by: Record<string, { n: number }>; _creationTime: number; _id: Id<\"kept\"> };",
        "      | \"by\"\n      | `by.${string}`;\n",
        "} & AnyDataModel;\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn files_are_written_when_they_differ_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("convex/_generated");
    let files = generated();
    let stale = |files: &Generated, out: &Path| match files.check(out) {
        Err(CodegenError::Stale(paths)) => {
            paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        }
        other => vec![format!("{other:?}")],
    };
    assert_eq!(stale(&files, &out), ["api.d.ts", "api.js", "dataModel.d.ts", "server.d.ts"]);
    assert!(!out.exists(), "checking writes nothing");
    assert!(files.write(&out).unwrap().iter().all(|file| file.changed));
    assert!(files.check(&out).is_ok());
    assert!(!files.write(&out).unwrap().iter().any(|file| file.changed));
    for (name, text) in files.files() {
        assert_eq!(std::fs::read_to_string(out.join(name)).unwrap(), text);
        assert!(text.contains("generated by hull codegen"), "{name}");
        assert!(text.ends_with('\n') && !text.contains(" \n"), "{name}");
    }
    std::fs::write(out.join("api.js"), "// mine\n").unwrap();
    assert_eq!(stale(&files, &out), ["api.js"]);
    let again = serde_json::from_value::<Generated>(serde_json::to_value(&files).unwrap()).unwrap();
    assert_eq!(again, generated());
}

#[test]
fn the_spec_is_convexs() {
    let spec = function_spec(&Registry::new(app()).unwrap(), "http://h");
    let functions = spec["functions"].as_array().unwrap();
    let names: Vec<&str> = functions.iter().map(|one| one["identifier"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "a/log.book.js:lastEvent",
            "rooms/first.js:opaque",
            "rooms/first.js:sweep",
            "rooms.js:checked",
            "rooms.js:create",
            "rooms.js:first",
            "rooms.js:list"
        ]
    );
    let one = |name: &str| functions.iter().find(|one| one["identifier"] == name).unwrap();
    assert_eq!(spec["url"], "http://h");
    assert_eq!(one("rooms/first.js:opaque")["returns"], serde_json::json!({"type": "any"}));
    assert_eq!(
        *one("rooms/first.js:sweep"),
        serde_json::json!({
            "identifier": "rooms/first.js:sweep",
            "functionType": "Mutation",
            "visibility": {"kind": "internal"},
            "args": {"type": "object", "value": {
                "olderThan": {"fieldType": {"type": "bigint"}, "optional": false},
            }},
            "returns": {"type": "bigint"},
        })
    );
    assert_eq!(one("rooms.js:checked")["returns"], Validator::Literal(Value::from("yes")).to_json());
}
