//! Changing the schema over existing documents: refused as a whole, or applied with every new index filled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::*;
use hull_engine::{CommitError, Engine, KeyRange, Order, Progress, SchemaChangeError, TxError};
use hull_model::{Schema, TableDef, define_table, v};
use hull_value::ValueRef;

fn accounts() -> TableDef {
    define_table("accounts").field("id", v::number()).field("balance", v::number())
}

fn filled(documents: u32) -> Engine {
    let engine = open(&Schema::new().table(accounts()));
    let mut tx = engine.begin();
    for i in 0..documents {
        tx.insert("accounts", &account(f64::from(documents - i), f64::from(i % 7))).unwrap();
    }
    engine.commit(tx).unwrap();
    engine
}

fn ids_by(engine: &Engine, index: &str) -> Vec<f64> {
    let mut tx = engine.begin();
    let mut scan = tx.scan("accounts", index, &KeyRange::all(), Order::Asc).unwrap();
    let mut out = Vec::new();
    while let Some(document) = tx.next(&mut scan).unwrap() {
        out.push(number(&document, "id"));
    }
    out
}

#[test]
fn a_new_index_is_filled_page_by_page_and_told() {
    let engine = filled(950);
    let mut told = Vec::new();
    engine
        .apply_schema(&Schema::new().table(accounts().index("by_account_id", ["id"])), &mut |p| told.push(p))
        .unwrap();
    let expected: Vec<f64> = (1..=950).map(f64::from).collect();
    assert_eq!(ids_by(&engine, "by_account_id"), expected);
    let progress =
        Progress::Filling { table: "accounts".into(), index: "by_account_id".into(), documents: 950 };
    assert!(told.len() >= 5 && told.last() == Some(&progress), "{told:?}");
}

#[test]
fn indexes_with_the_same_fields_are_one_under_two_names() {
    let engine = filled(10);
    let schema = Schema::new().table(accounts().index("one", ["id"]).index("two", ["id"]));
    let before = engine.metrics().overlay_bytes;
    engine.apply_schema(&schema, &mut |_| {}).unwrap();
    let grown = engine.metrics().overlay_bytes - before;
    assert_eq!(ids_by(&engine, "one"), ids_by(&engine, "two"));
    assert!(grown < 10 * 2 * 150, "{grown} bytes for one index");
    assert!(engine.schema_json().unwrap().contains("\"two\""));
    // A name may go while the other stays.
    engine.apply_schema(&Schema::new().table(accounts().index("two", ["id"])), &mut |_| {}).unwrap();
    assert_eq!(ids_by(&engine, "two").len(), 10);
    let error = engine.begin().scan("accounts", "one", &KeyRange::all(), Order::Asc).unwrap_err();
    assert_eq!(error.code(), "IndexNotFoundError");
}

#[test]
fn a_violated_schema_is_refused_and_nothing_is_changed() {
    let engine = filled(5);
    let (json, before) = (engine.schema_json(), engine.ordered());
    let stricter = define_table("accounts")
        .field("id", v::number())
        .field("balance", v::string())
        .index("by_account_id", ["id"]);
    let schema = Schema::new().table(stricter).table(define_table("other").field("x", v::string()));
    match engine.apply_schema(&schema, &mut |_| {}).unwrap_err() {
        SchemaChangeError::ExistingDocument { table, error, .. } => {
            assert_eq!((table.as_str(), error.path.as_str()), ("accounts", ".balance"));
        }
        other => panic!("{other}"),
    }
    assert_eq!((engine.schema_json(), engine.ordered()), (json, before));
    assert_eq!(engine.tables(), ["accounts"]);
}

#[test]
fn only_tables_with_a_new_validator_are_checked() {
    let engine = filled(5);
    let mut told = Vec::new();
    let other = define_table("other").field("x", v::string());
    let wider = define_table("accounts").field("id", v::number()).field("balance", v::any());
    engine
        .apply_schema(&Schema::new().table(accounts()).table(other.clone()), &mut |p| told.push(p))
        .unwrap();
    engine.apply_schema(&Schema::new().table(wider).table(other.clone()), &mut |p| told.push(p)).unwrap();
    assert_eq!(told, []);
    engine.apply_schema(&Schema::new().table(accounts()).table(other), &mut |p| told.push(p)).unwrap();
    assert_eq!(told, [Progress::Checking { table: "accounts".into(), documents: 5 }]);
}

#[test]
fn a_write_under_the_old_schema_conflicts_with_the_new_one() {
    let engine = filled(1);
    let mut tx = engine.begin();
    tx.insert("accounts", &account(9.0, 9.0)).unwrap();
    let wider = define_table("accounts").field("id", v::number()).field("balance", v::any());
    engine.apply_schema(&Schema::new().table(wider), &mut |_| {}).unwrap();
    assert!(matches!(engine.commit(tx).unwrap_err(), CommitError::Conflict(_)));
}

#[test]
fn writes_are_checked_against_the_schema_when_they_happen() {
    let engine = filled(0);
    let mut tx = engine.begin();
    let error = tx.insert("accounts", &object(&[("id", 1.0.into())])).unwrap_err();
    assert_eq!(error.code(), "SchemaEnforcementError");
    let id = tx.insert("accounts", &account(1.0, 1.0)).unwrap();
    let error = tx.patch(id, &[("balance", Some(ValueRef::String("x")))]).unwrap_err();
    assert_eq!(error.code(), "SchemaEnforcementError");
    assert!(tx.patch(id, &[("balance", None)]).is_err());
    assert!(tx.replace(id, &account(1.0, 2.0)).is_ok());
    // A table that is not in the schema takes anything.
    tx.insert("free", &object(&[("x", "y".into())])).unwrap();
}

#[test]
fn a_dropped_index_is_forgotten_and_its_rows_are_removed() {
    let engine = filled(30);
    let with = Schema::new().table(accounts().index("by_account_id", ["id"]));
    engine.apply_schema(&with, &mut |_| {}).unwrap();
    wait_durable(&engine);
    engine.checkpoint().unwrap();
    let before = engine.metrics().live_bytes;
    engine.apply_schema(&Schema::new().table(accounts()), &mut |_| {}).unwrap();
    let error = engine.begin().scan("accounts", "by_account_id", &KeyRange::all(), Order::Asc).unwrap_err();
    assert!(matches!(error, TxError::IndexNotFound { .. }));
    wait_durable(&engine);
    engine.checkpoint().unwrap();
    for _ in 0..4 {
        engine.maintain().unwrap();
    }
    assert!(engine.metrics().live_bytes + 30 * 30 < before);
    engine.apply_schema(&with, &mut |_| {}).unwrap();
    assert_eq!(ids_by(&engine, "by_account_id").len(), 30);
}

#[test]
fn an_invalid_schema_is_refused_with_every_mistake() {
    let engine = filled(0);
    let schema = Schema::new().table(accounts().index("by_nothing", ["nothing"]).index("_x", ["id"]));
    let error = engine.apply_schema(&schema, &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), "SchemaDefinitionError");
    assert!(error.to_string().contains("nothing") && error.to_string().contains("_x"), "{error}");
}
