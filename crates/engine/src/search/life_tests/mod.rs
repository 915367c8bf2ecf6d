//! The life of a posting beside an oracle: commits, old snapshots, checkpoints, crashes, failures, holds.
//!
//! After every step what is read of a search index, term by term and filter by filter, must be what its documents say,
//! at the newest commit and at every snapshot that is still open.

mod reading;
mod storing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};

use hull_model::{Amount, Schema, define_table, v};
use hull_value::{DocumentId, Packed, Timestamp, Value, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::checkpoint::CheckpointStep;
use crate::log::MemoryLog;
use crate::search::cursor::{Cursor, Terms};
use crate::search::posting::{Columns, SearchSpec, filter_hash};
use crate::search::statistics::Statistics;
use crate::search::token::tokens;
use crate::storage::{Batch, Fault, FaultyStorage, MemoryStorage, Storage};
use crate::{Document, Engine, KeyRange, ManualClock, OpenError, Options, Order, ReadAt, Transaction};

#[derive(Clone, Debug, PartialEq)]
struct Row {
    text: Option<String>,
    user: String,
    other: f64,
    created: f64,
}

type State = BTreeMap<DocumentId, Row>;
/// Of each term: id, frequency, length, creation time.
type Found = BTreeMap<String, (u64, Vec<([u8; 16], u32, u32, f64)>)>;

const USERS: [&str; 3] = ["ann", "bob", "eve"];

fn schema() -> Schema {
    let table = define_table("t")
        .field("text", v::optional(v::string()))
        .field("user", v::string())
        .field("other", v::number())
        .search_index("search_text", "text", ["user"])
        .search_index("search_user", "user", ["other"]);
    Schema::new().table(table)
}

fn object(row: &Row) -> Packed {
    let mut fields = BTreeMap::new();
    fields.extend(row.text.iter().map(|text| ("text".to_string(), Value::String(text.clone()))));
    fields.insert("user".into(), Value::String(row.user.clone()));
    fields.insert("other".into(), Value::Float64(row.other));
    Packed::encode(&Value::Object(fields)).unwrap()
}

fn random_row(rng: &mut SmallRng) -> Row {
    // Few words, so that most terms have many documents, and some that hardly anything has.
    let word = |rng: &mut SmallRng| match rng.random_range(0..10) {
        0..7 => format!("w{}", rng.random_range(0..12)),
        7..9 => format!("Wort{}", rng.random_range(0..200)),
        _ => "Ünïcode…".to_string(),
    };
    let text = match rng.random_range(0..12) {
        0 => None,
        1 => Some(String::new()),
        _ => Some((0..rng.random_range(0..14)).map(|_| word(rng)).collect::<Vec<_>>().join(" ")),
    };
    let user = USERS[rng.random_range(0..USERS.len())].to_string();
    Row { text, user, other: f64::from(rng.random_range(0..100)), created: 0.0 }
}

/// One of the two search indexes: what is searched in it, and by what it may be narrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Index {
    Text,
    User,
}

impl Index {
    fn text(self, row: &Row) -> Option<&str> {
        match self {
            Self::Text => row.text.as_deref(),
            Self::User => Some(&row.user),
        }
    }

    fn filter(self, row: &Row) -> u64 {
        match self {
            Self::Text => user(&row.user),
            Self::User => other(row.other),
        }
    }

    fn spec(self, tx: &Transaction) -> SearchSpec {
        tx.catalog.table("t").unwrap().searches[self as usize].spec.clone()
    }
}

fn user(name: &str) -> u64 {
    filter_hash(Some(ValueRef::String(name)))
}

fn other(number: f64) -> u64 {
    filter_hash(Some(ValueRef::Float64(number)))
}

/// What the postings must be.
fn expected(state: &State, index: Index, range: Terms<'_>, filter: Option<u64>) -> Found {
    let mut found = Found::new();
    for (id, row) in state {
        let Some(text) = index.text(row) else { continue };
        let terms: Vec<_> = tokens(text).map(|token| token.term.into_owned()).collect();
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        terms.iter().for_each(|term| *counts.entry(term).or_default() += 1);
        for (term, frequency) in counts {
            let asked = match range {
                Terms::Exact(exact) => term == exact,
                Terms::Prefix(prefix) => term.starts_with(prefix),
                Terms::Longer(prefix) => term.starts_with(prefix) && term != prefix,
            };
            if asked {
                let (documents, postings) = found.entry(term.to_string()).or_default();
                *documents += 1;
                if filter.is_none_or(|filter| index.filter(row) == filter) {
                    postings.push((id.internal.0, frequency, terms.len() as u32, row.created));
                }
            }
        }
    }
    found
}

fn expected_statistics(state: &State, index: Index) -> Statistics {
    let lengths = state.values().filter_map(|row| index.text(row)).map(|text| tokens(text).count() as u64);
    Statistics { documents: lengths.clone().count() as u64, length: lengths.sum() }
}

fn enter(found: &mut Found, term: &str, documents: u64, columns: &Columns) {
    let posting = |at: usize| {
        (columns.ids[at], columns.frequencies[at], columns.lengths[at], columns.creation_times[at])
    };
    found.insert(term.into(), (documents, (0..columns.len()).map(posting).collect()));
}

fn read(tx: &Transaction, index: Index, range: Terms<'_>, filter: Option<u64>) -> Found {
    let table = tx.catalog.table("t").unwrap();
    let filters: Vec<_> = filter.iter().map(|filter| (0, *filter)).collect();
    let mut found = Found::new();
    let mut last = None;
    let each = &mut |term: &str, documents, columns: &Columns| {
        assert!(last.as_deref() < Some(term), "{last:?} {term}");
        last = Some(term.to_string());
        enter(&mut found, term, documents, columns);
        true
    };
    tx.engine.postings(table, &index.spec(tx), range, &filters, tx.snapshot(), each).unwrap();
    found
}

/// Reads everything, and some of it in other ways.
fn check(tx: &Transaction, state: &State, rng: &mut SmallRng) {
    let compare = |index, range, filter| {
        assert_eq!(
            read(tx, index, range, filter),
            expected(state, index, range, filter),
            "{index:?} {range:?} {filter:?}"
        );
    };
    let somebody = USERS[rng.random_range(0..USERS.len())];
    let word = format!("w{}", rng.random_range(0..14));
    let ranges = [Terms::Prefix(""), Terms::Prefix("wort1"), Terms::Longer("wort1")];
    for range in ranges.into_iter().chain([Terms::Exact(&word), Terms::Exact("ünïcode")]) {
        for filter in [None, Some(user(somebody)), Some(user("nobody"))] {
            compare(Index::Text, range, filter);
        }
    }
    let number = other(f64::from(rng.random_range(0..100)));
    for range in [Terms::Prefix(""), Terms::Exact(somebody)] {
        compare(Index::User, range, None);
        compare(Index::User, range, Some(number));
    }
    for index in [Index::Text, Index::User] {
        let table = tx.catalog.table("t").unwrap();
        let found = tx.engine.search_statistics(table, &index.spec(tx), tx.snapshot()).unwrap();
        assert_eq!(found, expected_statistics(state, index));
    }
}

/// What the documents are, read from the table itself.
fn documents(tx: &mut Transaction) -> State {
    let mut scan = tx.scan("t", "by_creation_time", &KeyRange::all(), Order::Asc).unwrap();
    let mut state = State::new();
    while let Some(document) = tx.next(&mut scan).unwrap() {
        state.insert(document.id, row_of(&document));
    }
    state
}

fn row_of(document: &Document) -> Row {
    let object = document.value.as_object().unwrap();
    let text = |name: &str| object.get(name).and_then(|v| v.as_str().map(str::to_owned));
    let other = object.get("other").and_then(|v| v.as_float64()).unwrap();
    Row { text: text("text"), user: text("user").unwrap(), other, created: document.creation_time }
}

struct Disk {
    storage: Arc<MemoryStorage>,
    faulty: Arc<FaultyStorage>,
    log: Arc<MemoryLog>,
    clock: Arc<ManualClock>,
}

impl Disk {
    fn new() -> Self {
        let storage = Arc::new(MemoryStorage::new());
        let faulty = Arc::new(FaultyStorage::new(storage.clone()));
        let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000_000_000)));
        Self { storage, faulty, log: Arc::new(MemoryLog::new()), clock }
    }

    fn open(&self, seed: u64) -> Result<Engine, OpenError> {
        let mut options = Options::new(self.faulty.clone(), self.log.clone());
        options.clock = self.clock.clone();
        options.seed = Some(seed);
        options.background = false;
        options.memory_budget = 64 << 10;
        Engine::open(options)
    }

    fn open_with_schema(&self, seed: u64) -> Engine {
        let engine = self.open(seed).unwrap();
        engine.apply_schema(&schema(), &mut |_| {}).unwrap();
        wait_durable(&engine);
        engine
    }

    /// Loses power: what is kept of the un-synced is random.
    fn lose_power(&mut self, rng: &mut SmallRng) {
        self.faulty.heal();
        self.storage.power_loss(rng.random_range(0..=self.storage.unsynced()));
        let kept = rng.random_range(0..=self.log.unsynced());
        self.log = Arc::new(self.log.after_power_loss(kept));
    }
}

fn wait_durable(engine: &Engine) {
    while engine.durable() < engine.ordered() {
        std::thread::yield_now();
    }
}

/// Some random writes in one transaction; none when storage has failed.
fn write(engine: &Engine, state: &mut State, rng: &mut SmallRng) -> Option<Timestamp> {
    let mut tx = engine.begin();
    let mut next = state.clone();
    for _ in 0..rng.random_range(1..8) {
        let row = random_row(rng);
        let ids: Vec<_> = next.keys().copied().collect();
        let id = (!ids.is_empty() && rng.random_bool(0.6)).then(|| ids[rng.random_range(0..ids.len())]);
        let done = match id {
            None => tx.insert("t", &object(&row)).map(|id| drop(next.insert(id, row))),
            Some(id) => match rng.random_range(0..8) {
                0..2 => tx.delete(id).map(|()| drop(next.remove(&id))),
                2..5 => tx.replace(id, &object(&row)).map(|()| drop(next.insert(id, row))),
                5 => {
                    let user = ValueRef::String(&row.user);
                    let done = tx.patch(id, &[("user", Some(user))]);
                    done.map(|()| next.get_mut(&id).unwrap().user = row.user)
                }
                6 => {
                    let done = tx.patch(id, &[("other", Some(ValueRef::Float64(row.other)))]);
                    done.map(|()| next.get_mut(&id).unwrap().other = row.other)
                }
                _ => {
                    let done = tx.increment(id, "other", Amount::Float64(1.0));
                    done.map(|()| next.get_mut(&id).unwrap().other += 1.0)
                }
            },
        };
        match done {
            Ok(()) => {}
            Err(error) if error.code() == "StorageFailed" => return None,
            Err(error) => panic!("{error}"),
        }
    }
    let mut created = BTreeMap::new();
    for id in next.keys().filter(|id| !state.contains_key(id)) {
        created.insert(*id, tx.get(*id).unwrap().unwrap().creation_time);
    }
    let committed = engine.commit(tx).unwrap();
    for (id, row) in &mut next {
        row.created = created.get(id).or(state.get(id).map(|old| &old.created)).copied().unwrap();
    }
    *state = next;
    Some(committed.ts)
}
