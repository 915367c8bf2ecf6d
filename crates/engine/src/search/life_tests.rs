//! The life of a posting beside an oracle: commits, old snapshots, checkpoints, crashes, failures, holds.
//!
//! After every step what is read of a search index, term by term and filter by filter, must be what its documents say,
//! at the newest commit and at every snapshot that is still open.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};

use hull_model::{Amount, Schema, define_table, v};
use hull_value::{DocumentId, Packed, Timestamp, Value, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::cursor::{Cursor, Terms};
use super::posting::{Columns, SearchSpec, filter_hash};
use super::statistics::Statistics;
use super::token::tokens;
use crate::checkpoint::CheckpointStep;
use crate::log::MemoryLog;
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

#[test]
fn a_snapshot_sees_the_postings_of_its_state() {
    for seed in 0..3 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut disk = Disk::new();
        let mut engine = disk.open_with_schema(seed);
        let mut state = State::new();
        let mut snapshots: Vec<(Transaction, State)> = Vec::new();
        for step in 0..400 {
            disk.clock.advance(rng.random_range(0..2_000_000_000));
            match rng.random_range(0..20) {
                0..8 => drop(write(&engine, &mut state, &mut rng)),
                8..13 => {
                    wait_durable(&engine);
                    engine.checkpoint_step().unwrap();
                }
                13 => drop(engine.maintain().unwrap()),
                14..16 => snapshots.push((engine.begin(), state.clone())),
                16..18 if !snapshots.is_empty() => {
                    let (tx, then) = &snapshots[rng.random_range(0..snapshots.len())];
                    check(tx, then, &mut rng);
                }
                18 if !snapshots.is_empty() => {
                    let (tx, then) = snapshots.swap_remove(rng.random_range(0..snapshots.len()));
                    check(&tx, &then, &mut rng);
                }
                19 if step % 5 == 0 => {
                    wait_durable(&engine);
                    snapshots.clear();
                    drop(engine);
                    disk.lose_power(&mut rng);
                    engine = disk.open(1000 * (seed + 1) + step).unwrap();
                }
                _ => check(&engine.begin(), &state, &mut rng),
            }
        }
        snapshots.drain(..).for_each(|(tx, then)| check(&tx, &then, &mut rng));
        assert_eq!(documents(&mut engine.begin()), state);
        // With nothing left to be seen but the newest, storage has all of it and the overlay nothing.
        disk.clock.advance(40_000_000_000);
        write(&engine, &mut state, &mut rng);
        wait_durable(&engine);
        engine.maintain().unwrap();
        engine.checkpoint().unwrap();
        let tx = engine.begin();
        let stores = tx.catalog.table("t").unwrap().store.searches();
        engine.checkpoint().unwrap();
        check(&tx, &state, &mut rng);
        let bytes: Vec<_> = stores.iter().map(|store| store.bytes()).collect();
        assert_eq!(bytes, [0, 0], "seed {seed}");
    }
}

#[test]
fn every_crash_leaves_the_postings_of_the_documents() {
    let mut n = 1;
    let mut far = true;
    while far {
        far = crash_at(n, 1000 + n);
        n += if cfg!(debug_assertions) { 1 + n / 8 } else { 1 };
    }
    assert!(n > 60, "no crash behind operation {n}");
}

/// Crashes at the n-th operation of storage; returns whether it came that far.
fn crash_at(n: u64, seed: u64) -> bool {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut disk = Disk::new();
    let mut engine = disk.open_with_schema(seed);
    let mut state = State::new();
    disk.faulty.fail_at(n, Fault::Stop);
    let before = disk.faulty.operations();
    for _ in 0..80 {
        disk.clock.advance(rng.random_range(0..3_000_000_000));
        let failed = match rng.random_range(0..8) {
            0..4 => write(&engine, &mut state, &mut rng).is_none(),
            4..7 => {
                wait_durable(&engine);
                engine.checkpoint_step().is_err()
            }
            _ => engine.maintain().is_err(),
        };
        if failed {
            break;
        }
    }
    let far = disk.faulty.operations() >= before + n;
    for round in 0..3 {
        drop(engine);
        disk.lose_power(&mut rng);
        engine = disk.open(seed + round).unwrap();
        let mut tx = engine.begin();
        let found = documents(&mut tx);
        check(&tx, &found, &mut rng);
        drop(tx);
        let mut state = found;
        for _ in 0..rng.random_range(0..3) {
            write(&engine, &mut state, &mut rng);
        }
        wait_durable(&engine);
        for _ in 0..rng.random_range(0..6) {
            engine.checkpoint_step().unwrap();
        }
        check(&engine.begin(), &state, &mut rng);
    }
    far
}

#[test]
fn a_failed_batch_is_repeated_with_all_that_it_took_along() {
    for n in 1..24 {
        for fault in [Fault::Before, Fault::After] {
            let mut rng = SmallRng::seed_from_u64(n);
            let disk = Disk::new();
            let engine = disk.open_with_schema(n);
            let mut state = State::new();
            for _ in 0..40 {
                write(&engine, &mut state, &mut rng);
            }
            disk.clock.advance(40_000_000_000);
            write(&engine, &mut state, &mut rng);
            wait_durable(&engine);
            engine.maintain().unwrap();
            let old = engine.begin();
            let then = state.clone();
            disk.faulty.fail_at(n, fault);
            let mut failures = 0;
            while match engine.checkpoint_step() {
                Ok(step) => step == CheckpointStep::More,
                Err(_) => {
                    failures += 1;
                    // Batches that were applied and not synced may be lost.
                    disk.storage.power_loss(rng.random_range(0..=disk.storage.unsynced()));
                    true
                }
            } {
                // Until then a read might be what fails.
                if failures > 0 {
                    check(&old, &then, &mut rng);
                    write(&engine, &mut state, &mut rng);
                    wait_durable(&engine);
                }
                assert!(failures < 5);
            }
            disk.faulty.heal();
            check(&old, &then, &mut rng);
            check(&engine.begin(), &state, &mut rng);
            drop((old, engine));
            let engine = disk.open(n + 1).unwrap();
            check(&engine.begin(), &state, &mut rng);
        }
    }
}

#[test]
fn readers_are_right_while_checkpoints_and_writers_go_on() {
    let disk = Disk::new();
    let engine = disk.open_with_schema(5);
    let mut state = State::new();
    let mut rng = SmallRng::seed_from_u64(3);
    for _ in 0..150 {
        write(&engine, &mut state, &mut rng);
    }
    let done = AtomicBool::new(false);
    let until_done = |mut step: Box<dyn FnMut() + Send>| {
        let done = &done;
        move || {
            while !done.load(Atomic::Acquire) {
                step();
            }
        }
    };
    std::thread::scope(|scope| {
        let engine = &engine;
        let read_on = || {
            let mut tx = engine.begin();
            let state = documents(&mut tx);
            for index in [Index::Text, Index::User] {
                let all = Terms::Prefix("");
                assert_eq!(read(&tx, index, all, None), expected(&state, index, all, None));
            }
        };
        let others = [
            scope.spawn(until_done(Box::new(read_on))),
            scope.spawn(until_done(Box::new(read_on))),
            scope.spawn(until_done(Box::new(|| {
                engine.maintain().unwrap();
                engine.checkpoint_step().unwrap();
            }))),
        ];
        for _ in 0..400 {
            disk.clock.advance(100_000_000);
            write(engine, &mut state, &mut rng);
        }
        done.store(true, Atomic::Release);
        others.into_iter().for_each(|other| other.join().unwrap());
    });
    wait_durable(&engine);
    engine.checkpoint().unwrap();
    check(&engine.begin(), &state, &mut rng);
}

#[test]
fn writers_of_the_same_words_do_not_meet() {
    let engine = Disk::new().open_with_schema(1);
    let row = |text: &str| {
        let row = Row { text: Some(text.into()), user: "ann".into(), other: 0.0, created: 0.0 };
        object(&row)
    };
    let (mut first, mut second) = (engine.begin(), engine.begin());
    first.insert("t", &row("the same words")).unwrap();
    second.insert("t", &row("the same words")).unwrap();
    engine.commit(first).unwrap();
    engine.commit(second).unwrap();
    let both = read(&engine.begin(), Index::Text, Terms::Exact("same"), None);
    assert_eq!(both["same"].0, 2);
}

#[test]
fn a_write_that_changes_neither_text_nor_filters_says_nothing_of_the_index() {
    let disk = Disk::new();
    let engine = disk.open_with_schema(1);
    let row = Row { text: Some("Some words".into()), user: "ann".into(), other: 0.0, created: 0.0 };
    let mut tx = engine.begin();
    let id = tx.insert("t", &object(&row)).unwrap();
    let keyspace = Index::Text.spec(&tx).keyspace;
    let searched = |committed: crate::Committed| {
        let keys = committed.keys.unwrap();
        keys.iter().filter(|(k, _, _)| *k == keyspace).count()
    };
    assert_eq!(searched(engine.commit(tx).unwrap()), 2);
    let patch = |field: &str, value: ValueRef<'_>| {
        let mut tx = engine.begin();
        tx.patch(id, &[(field, Some(value))]).unwrap();
        searched(engine.commit(tx).unwrap())
    };
    assert_eq!(patch("other", ValueRef::Float64(1.0)), 0);
    assert_eq!(patch("text", ValueRef::String("some WORDS!")), 0);
    assert_eq!(patch("text", ValueRef::String("other words")), 3);
    assert_eq!(patch("user", ValueRef::String("bob")), 4);
}

#[test]
fn an_index_that_is_filled_beside_writers_has_every_document_once() {
    for seed in 0..4 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let disk = Disk::new();
        let engine = disk.open(seed).unwrap();
        let mut plain = schema();
        plain.tables[0].search_indexes.clear();
        engine.apply_schema(&plain, &mut |_| {}).unwrap();
        let mut state = State::new();
        for _ in 0..300 {
            write(&engine, &mut state, &mut rng);
        }
        wait_durable(&engine);
        let early = engine.begin_read(ReadAt::Ordered).unwrap();
        // Between any two pages there are writers, and steps of checkpoints.
        let apply = engine.apply_schema(&schema(), &mut |_| {
            for _ in 0..5 {
                write(&engine, &mut state, &mut rng);
            }
            wait_durable(&engine);
            engine.checkpoint_step().unwrap();
        });
        apply.unwrap();
        drop(early);
        check(&engine.begin(), &state, &mut rng);
        wait_durable(&engine);
        engine.checkpoint().unwrap();
        check(&engine.begin(), &state, &mut rng);
        drop(engine);
        check(&disk.open(seed).unwrap().begin(), &state, &mut rng);
    }
}

#[test]
fn a_held_snapshot_has_the_blocks_of_its_state() {
    for seed in 0..3 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let disk = Disk::new();
        let engine = disk.open_with_schema(seed);
        let mut state = State::new();
        let go_on = |state: &mut State, rng: &mut SmallRng| {
            disk.clock.advance(5_000_000_000);
            write(&engine, state, rng);
            wait_durable(&engine);
            engine.maintain().unwrap();
            engine.checkpoint_step().unwrap();
        };
        for _ in 0..80 {
            go_on(&mut state, &mut rng);
        }
        let hold = engine.hold().unwrap();
        let then = state.clone();
        let copy = MemoryStorage::new();
        let mut keys = hold.keys();
        loop {
            let entries = keys.next_chunk().unwrap();
            if entries.is_empty() {
                break;
            }
            // As if it took longer: much happens between any two keys.
            for entry in entries {
                let mut batch = Batch::new();
                batch.put(entry.0, entry.1);
                copy.apply(batch).unwrap();
            }
            for _ in 0..20 {
                go_on(&mut state, &mut rng);
            }
        }
        let tx = engine.begin();
        for index in [Index::Text, Index::User] {
            let spec = index.spec(&tx);
            let mut cursor = Cursor::new(&copy, spec.keyspace, 1, Terms::Prefix(""));
            let mut found = Found::new();
            while let Some(term) = cursor.next_term().unwrap().map(str::to_owned) {
                let mut columns = Columns::default();
                let documents = cursor.read(&[], &[], &mut columns).unwrap();
                enter(&mut found, &term, documents, &columns);
            }
            assert_eq!(found, expected(&then, index, Terms::Prefix(""), None));
            let found = Statistics::load(&copy, spec.keyspace, hold.ts()).unwrap();
            assert_eq!(found, expected_statistics(&then, index));
        }
        check(&tx, &state, &mut rng);
    }
}

#[test]
fn what_is_dropped_is_not_stored_any_more() {
    for seed in 0..2 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut disk = Disk::new();
        let mut engine = disk.open_with_schema(seed);
        let mut state = State::new();
        let mut plain = schema();
        plain.tables[0].search_indexes.clear();
        for round in 0..12 {
            for _ in 0..rng.random_range(0..60) {
                disk.clock.advance(rng.random_range(0..4_000_000_000));
                write(&engine, &mut state, &mut rng);
                wait_durable(&engine);
                engine.maintain().unwrap();
                for _ in 0..rng.random_range(0..3) {
                    engine.checkpoint_step().unwrap();
                }
            }
            let next = if round % 2 == 0 { &plain } else { &schema() };
            engine.apply_schema(next, &mut |_| {}).unwrap();
            wait_durable(&engine);
            if rng.random_bool(0.4) {
                drop(engine);
                disk.lose_power(&mut rng);
                engine = disk.open(100 * (seed + 1) + round).unwrap();
            }
            if round % 2 == 1 {
                check(&engine.begin(), &state, &mut rng);
            }
        }
        for _ in 0..50 {
            disk.clock.advance(4_000_000_000);
            write(&engine, &mut state, &mut rng);
            wait_durable(&engine);
            engine.maintain().unwrap();
            engine.checkpoint().unwrap();
        }
        let tx = engine.begin();
        check(&tx, &state, &mut rng);
        assert!(tx.catalog.dropped.is_empty());
        let known = crate::rebuild::known_keyspaces(&tx.catalog);
        let first = crate::key::storage_key(crate::Keyspace::FIRST_USER, b"");
        for (k, _) in disk.storage.range(&first, None, false, usize::MAX, usize::MAX).unwrap().entries {
            let keyspace = crate::rebuild::stored_keyspace(&k).unwrap();
            assert!(known.contains(&keyspace), "{keyspace:?} holds {k:02x?}");
        }
    }
}

#[test]
fn a_damaged_block_is_named_and_a_new_index_takes_its_place() {
    let mut rng = SmallRng::seed_from_u64(1);
    let disk = Disk::new();
    let engine = disk.open_with_schema(1);
    let mut state = State::new();
    for _ in 0..60 {
        write(&engine, &mut state, &mut rng);
    }
    let store = |engine: &Engine| {
        disk.clock.advance(40_000_000_000);
        wait_durable(engine);
        engine.maintain().unwrap();
        engine.checkpoint()
    };
    store(&engine).unwrap();
    let spec = Index::Text.spec(&engine.begin());
    let first = crate::key::storage_key(spec.keyspace, b"p");
    let blocks = disk.storage.range(&first, None, false, 1, usize::MAX).unwrap().entries;
    let mut batch = Batch::new();
    batch.put(blocks[0].0.clone(), blocks[0].1[..9].to_vec());
    disk.storage.apply(batch).unwrap();
    for _ in 0..40 {
        write(&engine, &mut state, &mut rng);
    }
    let error = store(&engine).unwrap_err();
    assert_eq!(error.code(), "StorageChecksum");
    let tx = engine.begin();
    let table = tx.catalog.table("t").unwrap();
    let read_all =
        tx.engine.postings(table, &spec, Terms::Prefix(""), &[], tx.snapshot(), &mut |_, _, _| true);
    assert!(read_all.unwrap_err().to_string().contains("fails its checksum"));
    drop(tx);
    engine.rebuild_index("t", "search_text", &mut |_| {}).unwrap();
    check(&engine.begin(), &state, &mut rng);
    // Once nobody reads the old one any more, checkpoints go on.
    while store(&engine).is_err() {
        write(&engine, &mut state, &mut rng);
    }
    store(&engine).unwrap();
    check(&engine.begin(), &state, &mut rng);
    drop(engine);
    check(&disk.open(2).unwrap().begin(), &state, &mut rng);
}
