//! What the engine's tests share.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

pub mod search;

pub mod counters;

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_engine::log::MemoryLog;
use hull_engine::storage::{FaultyStorage, MemoryStorage};
use hull_engine::{Document, Engine, KeyRange, ManualClock, OpenError, Options, Order, Transaction};
use hull_model::{IndexBounds, Schema, define_table, v};
use hull_value::{DocumentId, Packed, Timestamp, Value, ValueRef};
use rand::RngExt;
use rand::rngs::SmallRng;

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

/// What is in the table `t` of [`test_schema`].
pub type State = BTreeMap<DocumentId, f64>;

pub fn test_schema() -> Schema {
    Schema::new()
        .table(define_table("t").field("k", v::number()).field("pad", v::string()).index("by_k", ["k"]))
}

/// Reads the table `t` in every way there is.
pub fn state_of(engine: &Engine) -> State {
    let mut tx = engine.begin();
    let mut all = State::new();
    let mut scan = tx.scan("t", "by_k", &KeyRange::all(), Order::Asc).unwrap();
    let mut last = f64::MIN;
    while let Some(document) = tx.next(&mut scan).unwrap() {
        let k = number(&document, "k");
        assert!(k >= last, "{k} after {last}");
        last = k;
        assert!(all.insert(document.id, k).is_none(), "twice in the index");
    }
    let mut by_id = State::new();
    let mut scan = tx.scan("t", "by_creation_time", &KeyRange::all(), Order::Desc).unwrap();
    while let Some(document) = tx.next(&mut scan).unwrap() {
        by_id.insert(document.id, number(&document, "k"));
        assert_eq!(tx.get(document.id).unwrap().as_ref(), Some(&document));
    }
    assert_eq!(all, by_id);
    all
}

/// What outlives an engine: a storage that can be told to fail, a log, and the clock. Little memory, no background.
pub struct Disk {
    pub storage: Arc<MemoryStorage>,
    pub faulty: Arc<FaultyStorage>,
    pub log: Arc<MemoryLog>,
    pub clock: Arc<ManualClock>,
}

impl Disk {
    pub fn new() -> Self {
        let storage = Arc::new(MemoryStorage::new());
        let faulty = Arc::new(FaultyStorage::new(storage.clone()));
        let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000_000_000)));
        Self { storage, faulty, log: Arc::new(MemoryLog::new()), clock }
    }

    pub fn open(&self, seed: u64) -> Result<Engine, OpenError> {
        let mut options = Options::new(self.faulty.clone(), self.log.clone());
        options.clock = self.clock.clone();
        options.seed = Some(seed);
        options.background = false;
        options.memory_budget = 64 << 10;
        Engine::open(options)
    }

    /// Loses power: what is kept of the un-synced is random.
    pub fn lose_power(&mut self, rng: &mut SmallRng) {
        self.faulty.heal();
        let kept = rng.random_range(0..=self.storage.unsynced());
        self.storage.power_loss(kept);
        let kept = rng.random_range(0..=self.log.unsynced());
        self.log = Arc::new(self.log.after_power_loss(kept));
    }
}
