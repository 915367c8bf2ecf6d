//! What the engine's tests share.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_engine::log::MemoryLog;
use hull_engine::storage::MemoryStorage;
use hull_engine::{Document, Engine, KeyRange, ManualClock, Options, Order, Transaction};
use hull_model::{IndexBounds, Schema, define_table, v};
use hull_value::{DocumentId, Packed, Timestamp, Value, ValueRef};

pub fn object(fields: &[(&str, Value)]) -> Packed {
    let fields: BTreeMap<String, Value> = fields.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    Packed::encode(&Value::Object(fields)).unwrap()
}

pub fn account(id: f64, balance: f64) -> Packed {
    object(&[("id", id.into()), ("balance", balance.into())])
}

pub fn number(document: &Document, field: &str) -> f64 {
    document.value.as_object().and_then(|o| o.get(field)).and_then(|v| v.as_float64()).unwrap()
}

pub fn balance(document: &Document) -> f64 {
    number(document, "balance")
}

pub fn schema() -> Schema {
    Schema::new().table(
        define_table("accounts")
            .field("id", v::number())
            .field("balance", v::number())
            .index("by_account_id", ["id"]),
    )
}

pub fn options() -> Options {
    let mut options = Options::new(Arc::new(MemoryStorage::new()), Arc::new(MemoryLog::new()));
    options.clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000_000_000)));
    options.seed = Some(1);
    options.background = false;
    options
}

pub fn open(schema: &Schema) -> Engine {
    let engine = Engine::open(options()).unwrap();
    engine.apply_schema(schema, &mut |_| {}).unwrap();
    engine
}

pub fn insert(engine: &Engine, id: f64, balance: f64) -> DocumentId {
    let mut tx = engine.begin();
    let id = tx.insert("accounts", &account(id, balance)).unwrap();
    engine.commit(tx).unwrap();
    id
}

pub fn insert_into_log(engine: &Engine) {
    let mut tx = engine.begin();
    tx.insert("log", &object(&[])).unwrap();
    engine.commit(tx).unwrap();
}

pub fn eq(value: f64) -> KeyRange {
    IndexBounds::all().eq(Some(ValueRef::Float64(value))).to_key_range()
}

pub fn by_account(tx: &mut Transaction, id: f64) -> Option<Document> {
    let mut scan = tx.scan("accounts", "by_account_id", &eq(id), Order::Asc).unwrap();
    let first = tx.next(&mut scan).unwrap();
    assert!(tx.next(&mut scan).unwrap().is_none());
    first
}

pub fn all_ids(tx: &mut Transaction, order: Order) -> Vec<f64> {
    let mut scan = tx.scan("accounts", "by_account_id", &KeyRange::all(), order).unwrap();
    let mut out = Vec::new();
    while let Some(document) = tx.next(&mut scan).unwrap() {
        out.push(number(&document, "id"));
    }
    out
}

pub fn wait_durable(engine: &Engine) {
    while engine.durable() < engine.ordered() {
        std::thread::yield_now();
    }
}
