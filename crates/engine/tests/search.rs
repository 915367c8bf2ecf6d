//! Searches against an oracle that scores every document by brute force.
//!
//! Random documents, edits and requests; the transaction's own writes, transactions at old snapshots, steps of checkpoints
//! and restarts in between. A transaction that commits must have found what it would have found at the newest state, in
//! whatever order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::*;
use hull_engine::log::MemoryLog;
use hull_engine::storage::MemoryStorage;
use hull_engine::{Document, Engine, ManualClock, Options, SearchRequest, Transaction};
use hull_model::{Schema, define_table, v};
use hull_value::{DocumentId, Packed, Timestamp, Value, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

#[derive(Clone, Debug, PartialEq)]
struct Row {
    text: Option<String>,
    user: String,
    tag: Option<f64>,
    other: f64,
    created: f64,
}

type State = BTreeMap<DocumentId, Row>;

fn schema() -> Schema {
    let table = define_table("t").document(v::any());
    Schema::new().table(
        table.search_index("search_text", "text", ["user", "in.tag"]).search_index("plain", "text", [""; 0]),
    )
}

fn packed(row: &Row) -> Packed {
    let mut fields = vec![("user", Value::from(row.user.as_str())), ("other", row.other.into())];
    fields.extend(row.text.as_ref().map(|text| ("text", Value::from(text.as_str()))));
    let inner = row.tag.map(|tag| ("tag".to_owned(), Value::from(tag)));
    fields.push(("in", Value::Object(inner.into_iter().collect())));
    object(&fields)
}

fn row(document: &Document) -> Row {
    let fields = document.value.as_object().unwrap();
    let tag = fields.get_path(&"in.tag".parse().unwrap());
    Row {
        text: fields.get("text").and_then(|text| text.as_str()).map(str::to_owned),
        user: fields.get("user").and_then(|user| user.as_str()).unwrap().to_owned(),
        tag: tag.and_then(|tag| tag.as_float64()),
        other: number(document, "other"),
        created: document.creation_time,
    }
}

/// What is searched for.
#[derive(Clone, Debug)]
struct Question {
    text: String,
    /// Nothing: the index without filters.
    filters: Option<(Option<String>, Option<Option<f64>>)>,
    limit: usize,
}

fn words(text: &str) -> Vec<String> {
    let split = text.split(|c: char| !c.is_alphanumeric());
    split.filter(|word| !word.is_empty() && word.len() <= 32).map(str::to_lowercase).collect()
}

/// Every document that matches, with its score, best first.
fn oracle(question: &Question, state: &State) -> Vec<(DocumentId, f64)> {
    let mut wanted: Vec<String> = Vec::new();
    let mut last = None;
    for word in words(&question.text) {
        if wanted.len() == 16 {
            break;
        }
        if !wanted.contains(&word) {
            wanted.push(word.clone());
        }
        last = Some(word);
    }
    let Some(last) = last else { return Vec::new() };
    let texts: Vec<_> = state.iter().filter_map(|(id, row)| Some((*id, words(row.text.as_ref()?)))).collect();
    let all: BTreeSet<&String> = texts.iter().flat_map(|(_, words)| words).collect();
    let begun = all.iter().filter(|word| word.starts_with(&last) && !wanted.contains(word));
    let exact = wanted.iter().filter(|word| all.contains(word));
    let terms: Vec<(&String, f64)> =
        exact.map(|word| (word, 1.0)).chain(begun.map(|word| (*word, 0.5))).take(64).collect();
    let n = texts.len() as f64;
    let average = texts.iter().map(|(_, words)| words.len()).sum::<usize>() as f64 / n;
    let mut scores: BTreeMap<DocumentId, f64> = BTreeMap::new();
    for (term, boost) in terms {
        let having = texts.iter().filter(|(_, words)| words.contains(term)).count() as f64;
        let idf = (1.0 + (n - having + 0.5) / (having + 0.5)).ln();
        for (id, words) in &texts {
            let f = words.iter().filter(|word| *word == term).count() as f64;
            let norm = 1.2 * (1.0 - 0.75 + 0.75 * words.len() as f64 / average);
            if f > 0.0 {
                *scores.entry(*id).or_default() += boost * idf * f * 2.2 / (f + norm);
            }
        }
    }
    let (user, tag) = question.filters.clone().unwrap_or_default();
    let mut found: Vec<_> = scores.into_iter().collect();
    found.retain(|(id, _)| {
        let row = &state[id];
        user.as_ref().is_none_or(|user| *user == row.user) && tag.is_none_or(|tag| tag == row.tag)
    });
    found.sort_by(|(i, a), (j, b)| b.total_cmp(a).then_with(|| i.cmp(j)));
    found
}

/// Asks, and compares with the oracle on what the transaction sees; returns what was found.
fn ask(question: &Question, tx: &mut Transaction, sees: &State) -> Found {
    let mut filters: Vec<(&str, Option<ValueRef<'_>>)> = Vec::new();
    let (user, tag) = question.filters.clone().unwrap_or_default();
    filters.extend(tag.map(|tag| ("in.tag", tag.map(ValueRef::Float64))));
    filters.extend(user.as_ref().map(|user| ("user", Some(ValueRef::String(user)))));
    let index = if question.filters.is_some() { "search_text" } else { "plain" };
    let request =
        SearchRequest { table: "t", index, field: Some("text"), text: &question.text, filters: &filters };
    let mut search = tx.search(&request).unwrap();
    let (mut found, mut hits, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    while found.len() < question.limit
        && let Some(document) = tx.next_found(&mut search).unwrap()
    {
        let hit = search.last().unwrap();
        assert_eq!((hit.id, hit.creation_time), (document.id, document.creation_time));
        assert_eq!(sees.get(&document.id), Some(&row(&document)));
        found.push((document.id, row(&document)));
        hits.push(hit);
        positions.push(search.position().unwrap());
    }
    let expected = oracle(question, sees);
    assert_eq!(found.len(), expected.len().min(question.limit), "{question:?}");
    for pair in hits.windows(2) {
        let rank = |at: usize| (pair[at].score, pair[at].creation_time, pair[at].id.internal);
        assert!(rank(0) > rank(1), "{pair:?}");
    }
    assert!(positions.is_sorted());
    let scores: BTreeMap<_, _> = expected.iter().copied().collect();
    for (at, hit) in hits.iter().enumerate() {
        let score = scores.get(&hit.id).unwrap_or_else(|| panic!("{question:?} found {hit:?}"));
        // Each term's part is rounded.
        assert!((hit.score - score).abs() < 1e-7, "{question:?}: {hit:?}, not {score}");
        assert!((expected[at].1 - score).abs() < 1e-7, "{question:?}: {hit:?} out of order");
    }
    if let Some(at) = positions.len().checked_sub(1) {
        // From the middle to the end again, by position.
        let (after, until) = (&positions[at / 2], &positions[at]);
        let mut search = tx.search(&request).unwrap().between(Some(after), Some(until));
        for expected in &found[at / 2 + 1..] {
            assert_eq!(tx.next_found(&mut search).unwrap().map(|document| document.id), Some(expected.0));
        }
        assert_eq!(tx.next_found(&mut search).unwrap(), None);
    }
    found
}

/// What a transaction wrote.
type Own = BTreeMap<DocumentId, Option<Row>>;
/// What a search found, in order.
type Found = Vec<(DocumentId, Row)>;

struct Open {
    tx: Transaction,
    sees: State,
    wrote: Own,
    /// What was asked, what had been written by then, and what was found.
    asked: Vec<(Question, Own, Found)>,
    savepoint: Option<(hull_engine::Savepoint, State, Own)>,
}

struct World {
    storage: Arc<MemoryStorage>,
    log: Arc<MemoryLog>,
    clock: Arc<ManualClock>,
    engine: Engine,
    rng: SmallRng,
    vocabulary: Vec<String>,
    state: State,
    commits: u32,
    conflicts: u32,
    found: usize,
}

impl World {
    fn new(seed: u64, vocabulary: Vec<String>) -> Self {
        let storage = Arc::new(MemoryStorage::new());
        let log = Arc::new(MemoryLog::new());
        let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000_000_000)));
        let engine = Self::open(&storage, &log, &clock, seed);
        let rng = SmallRng::seed_from_u64(seed);
        let state = State::new();
        let (commits, conflicts, found) = (0, 0, 0);
        Self { storage, log, clock, engine, rng, vocabulary, state, commits, conflicts, found }
    }

    fn open(
        storage: &Arc<MemoryStorage>,
        log: &Arc<MemoryLog>,
        clock: &Arc<ManualClock>,
        seed: u64,
    ) -> Engine {
        let mut options = Options::new(storage.clone(), log.clone());
        options.clock = clock.clone();
        options.seed = Some(seed);
        options.background = false;
        options.memory_budget = if seed.is_multiple_of(2) { 64 << 10 } else { 1 << 30 };
        let engine = Engine::open(options).unwrap();
        engine.apply_schema(&schema(), &mut |_| {}).unwrap();
        engine
    }

    fn reopen(&mut self) {
        wait_durable(&self.engine);
        self.storage.power_loss(self.rng.random_range(0..3));
        self.log = Arc::new(self.log.after_power_loss(0));
        let seed = self.rng.random();
        self.engine = Self::open(&self.storage, &self.log, &self.clock, seed);
    }

    /// Frequent words are at the front of the vocabulary.
    fn word(&mut self) -> String {
        let rarity: f64 = self.rng.random();
        let at = (rarity * rarity * self.vocabulary.len() as f64) as usize;
        self.vocabulary[at].clone()
    }

    fn text(&mut self, most: usize) -> String {
        let count = self.rng.random_range(0..=most);
        let words: Vec<String> = (0..count)
            .map(|_| {
                let word = self.word();
                if self.rng.random_bool(0.1) { word.to_uppercase() } else { word }
            })
            .collect();
        words.join([" ", ", ", "-"][self.rng.random_range(0..3)])
    }

    fn row(&mut self) -> Row {
        Row {
            text: self.rng.random_bool(0.9).then(|| self.text(12)),
            user: ["ann", "bob", "eve"][self.rng.random_range(0..3)].to_owned(),
            tag: [None, Some(1.0), Some(2.0)][self.rng.random_range(0..3)],
            other: f64::from(self.rng.random_range(0..1000)),
            created: 0.0,
        }
    }

    fn question(&mut self) -> Question {
        let most = [1, 2, 3, 24][self.rng.random_range(0..4)];
        let mut text = self.text(most);
        if self.rng.random_bool(0.3) {
            // Typed in part.
            let typed = text.chars().count().saturating_sub(2);
            text = text.chars().take(typed).collect();
        }
        let filters = self.rng.random_bool(0.8).then(|| {
            let row = self.row();
            (self.rng.random_bool(0.5).then_some(row.user), self.rng.random_bool(0.5).then_some(row.tag))
        });
        Question { text, filters, limit: [2, usize::MAX][self.rng.random_range(0..2)] }
    }

    fn ask(&mut self, open: &mut Open) {
        let question = self.question();
        let found = ask(&question, &mut open.tx, &open.sees);
        self.found += found.len();
        open.asked.push((question, open.wrote.clone(), found));
    }

    fn write(&mut self, open: &mut Open) {
        let new = self.row();
        let known: Vec<DocumentId> = open.sees.keys().copied().collect();
        if known.is_empty() || self.rng.random_bool(0.4) {
            let id = open.tx.insert("t", &packed(&new)).unwrap();
            let created = open.tx.get(id).unwrap().unwrap().creation_time;
            open.sees.insert(id, Row { created, ..new.clone() });
            open.wrote.insert(id, Some(Row { created, ..new }));
            return;
        }
        let id = known[self.rng.random_range(0..known.len())];
        let old = open.sees[&id].clone();
        let new = match self.rng.random_range(0..6) {
            0 => {
                let text = new.text.as_ref().map(|text| ValueRef::String(text));
                open.tx.patch(id, &[("text", text)]).unwrap();
                Some(Row { text: new.text, ..old })
            }
            1 => {
                open.tx.patch(id, &[("user", Some(ValueRef::String(&new.user)))]).unwrap();
                Some(Row { user: new.user, ..old })
            }
            2 => {
                open.tx.patch(id, &[("other", Some(ValueRef::Float64(new.other)))]).unwrap();
                Some(Row { other: new.other, ..old })
            }
            3 => {
                let new = Row { created: old.created, ..new };
                open.tx.replace(id, &packed(&new)).unwrap();
                Some(new)
            }
            4 => {
                open.tx.delete(id).unwrap();
                None
            }
            _ => {
                // A text that is none.
                open.tx.patch(id, &[("text", Some(ValueRef::Null))]).unwrap();
                Some(Row { text: None, ..old })
            }
        };
        match &new {
            Some(row) => open.sees.insert(id, row.clone()),
            None => open.sees.remove(&id),
        };
        open.wrote.insert(id, new);
    }

    fn commit(&mut self, open: Open) {
        let Open { tx, asked, wrote, .. } = open;
        match self.engine.commit(tx) {
            Ok(committed) if committed.keys.is_some() => {
                self.commits += 1;
                for (question, own, found) in asked {
                    let mut state = self.state.clone();
                    apply(&mut state, &own);
                    for (id, seen) in &found {
                        assert_eq!(state.get(id), Some(seen), "a conflict was missed");
                    }
                    if question.limit == usize::MAX {
                        let found: BTreeSet<_> = found.iter().map(|(id, _)| *id).collect();
                        let now = oracle(&question, &state).into_iter().map(|(id, _)| id).collect();
                        assert_eq!(found, now, "a conflict was missed: {question:?}");
                    }
                }
                apply(&mut self.state, &wrote);
            }
            Ok(_) => {}
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                self.conflicts += 1;
            }
        }
    }

    fn check(&mut self) {
        let mut tx = self.engine.begin();
        for _ in 0..20 {
            let question = self.question();
            ask(&question, &mut tx, &self.state);
        }
    }

    fn begin(&self) -> Open {
        let (tx, sees) = (self.engine.begin(), self.state.clone());
        Open { tx, sees, wrote: Own::new(), asked: Vec::new(), savepoint: None }
    }

    fn fill(&mut self, writes: u32) {
        let mut open = self.begin();
        (0..writes).for_each(|_| self.write(&mut open));
        self.commit(open);
    }

    fn run(&mut self, steps: u32) {
        self.fill(60);
        let mut open: Vec<Open> = Vec::new();
        for _ in 0..steps {
            match self.rng.random_range(0..8) {
                0 => drop(self.engine.checkpoint_step().unwrap()),
                1 => drop(self.engine.maintain().unwrap()),
                _ => {}
            }
            self.clock.advance(self.rng.random_range(0..2_000_000_000));
            if self.rng.random_bool(0.01) {
                open.clear();
                self.reopen();
                self.check();
            }
            if open.len() < 4 && self.rng.random_bool(0.4) {
                open.push(self.begin());
            }
            if open.is_empty() {
                continue;
            }
            let at = self.rng.random_range(0..open.len());
            match self.rng.random_range(0..10) {
                0..4 => self.ask(&mut open[at]),
                4..8 => self.write(&mut open[at]),
                8 => {
                    let one = &mut open[at];
                    match one.savepoint.take() {
                        None => {
                            one.savepoint = Some((one.tx.savepoint(), one.sees.clone(), one.wrote.clone()))
                        }
                        Some((savepoint, sees, wrote)) => {
                            one.tx.rollback_to(savepoint);
                            (one.sees, one.wrote) = (sees, wrote);
                        }
                    }
                }
                _ => {
                    let one = open.swap_remove(at);
                    self.commit(one);
                }
            }
        }
        drop(open);
        self.check();
        self.reopen();
        self.check();
    }
}

fn apply(state: &mut State, wrote: &Own) {
    for (id, row) in wrote {
        match row {
            Some(row) => state.insert(*id, row.clone()),
            None => state.remove(id),
        };
    }
}

/// Words of which many begin alike, one of them too long to be indexed.
fn vocabulary() -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for first in ["a", "be", "é", "東京"] {
        for rest in ["", "t", "te", "tea", "n", "1", "no"] {
            words.push(format!("{first}{rest}"));
        }
    }
    words.push("x".repeat(33));
    words
}

#[test]
fn searches_find_and_rank_what_the_oracle_does() {
    let (mut commits, mut conflicts, mut found) = (0, 0, 0);
    for seed in 0..24 {
        let mut world = World::new(seed, vocabulary());
        world.run(400);
        commits += world.commits;
        conflicts += world.conflicts;
        found += world.found;
    }
    assert!(commits > 100 && conflicts > 100 && found > 5000, "{commits} {conflicts} {found}");
}

#[test]
fn no_more_than_64_terms_are_looked_at() {
    let words: Vec<String> = (0..90).map(|n| format!("z{n:02}")).chain(["y".to_owned()]).collect();
    let mut world = World::new(3, words);
    world.fill(150);
    let (mut tx, mut sees) = (world.engine.begin(), world.state.clone());
    let question = |text: &str| Question { text: text.to_owned(), filters: None, limit: usize::MAX };
    // The first is in the text, the second only written by the transaction itself, the third nowhere.
    for own in ["z00 z05", "z055 z9", "z01x z8y"] {
        let new = Row { text: Some(own.to_owned()), ..world.row() };
        let id = tx.insert("t", &packed(&new)).unwrap();
        sees.insert(id, Row { created: tx.get(id).unwrap().unwrap().creation_time, ..new });
        for text in ["z", "z05 z", "y z88 z89 z", "z5", "nowhere"] {
            ask(&question(text), &mut tx, &sees);
        }
    }
}
