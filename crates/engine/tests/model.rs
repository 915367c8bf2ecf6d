//! Random transactions against a single-threaded oracle.
//!
//! Every read is compared with the oracle's state at the transaction's snapshot plus its own writes. A commit that
//! succeeds must have read what it would have read at the newest state: then the commits in order of their timestamps
//! are a serial history. Between any two steps there may be a step of a checkpoint, of loading or of letting go of a
//! table, a change of the schema, or a restart. Reads look at all of a document, at some of its fields, or only at
//! whether there is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::*;
use hull_engine::log::MemoryLog;
use hull_engine::storage::{MemoryStorage, Storage};
use hull_engine::{
    Document, Engine, KeyRange, ManualClock, Options, Order, Projection, Savepoint, Stretch, Transaction,
    TxError,
};
use hull_model::{IndexBounds, Schema, define_table, v};
use hull_value::{DocumentId, Timestamp, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

#[derive(Clone, Debug, PartialEq)]
struct Row {
    k: f64,
    v: f64,
    created: f64,
}

type State = BTreeMap<DocumentId, Row>;

/// A read that can be asked again.
#[derive(Clone, Debug)]
enum Question {
    Get(DocumentId, &'static [&'static str]),
    Scan {
        from: f64,
        to: f64,
        by_v: bool,
        reverse: bool,
        limit: usize,
        fields: &'static [&'static str],
    },
    /// Documents of each of these values, merged by their creation.
    Union {
        of: [f64; 3],
        by_v: bool,
        reverse: bool,
        limit: usize,
        fields: &'static [&'static str],
    },
    /// The first document of each value.
    Distinct {
        from: f64,
        to: f64,
        by_v: bool,
        reverse: bool,
        limit: usize,
        fields: &'static [&'static str],
    },
    Count {
        from: f64,
        to: f64,
        by_v: bool,
    },
    Exists {
        from: f64,
        to: f64,
        by_v: bool,
        reverse: bool,
    },
}

/// What reads look at; the first stands for whole documents.
const PROJECTIONS: [&[&str]; 5] = [&["k", "v"], &["k"], &["v", "_id"], &["nothing"], &[]];

/// Leaves what a read does not look at out of a row.
fn look((id, row): (DocumentId, Row), fields: &[&str]) -> (DocumentId, Row) {
    let looked = |name: &str, value: f64| if fields.contains(&name) { value } else { -1.0 };
    (id, Row { k: looked("k", row.k), v: looked("v", row.v), created: row.created })
}

fn answer(question: &Question, state: &State) -> Answer {
    match question {
        Question::Get(id, fields) => {
            Answer::Rows(state.get(id).map(|r| look((*id, r.clone()), fields)).into_iter().collect())
        }
        Question::Union { of, by_v, reverse, limit, fields } => {
            let field = |r: &Row| if *by_v { r.v } else { r.k };
            let found = state.iter().filter(|(_, r)| of.contains(&field(r)));
            let mut rows: Vec<_> = found.map(|(i, r)| (*i, r.clone())).collect();
            rows.sort_by(|(i, a), (j, b)| a.created.total_cmp(&b.created).then(i.internal.cmp(&j.internal)));
            if *reverse {
                rows.reverse();
            }
            Answer::Rows(rows.into_iter().take(*limit).map(|r| look(r, fields)).collect())
        }
        Question::Distinct { from, to, by_v, reverse, limit, fields } => {
            let all = Question::Scan {
                from: *from,
                to: *to,
                by_v: *by_v,
                reverse: *reverse,
                limit: usize::MAX,
                fields: PROJECTIONS[0],
            };
            let Answer::Rows(mut rows) = answer(&all, state) else { unreachable!() };
            rows.dedup_by_key(|(_, r)| if *by_v { r.v } else { r.k });
            Answer::Rows(rows.into_iter().take(*limit).map(|r| look(r, fields)).collect())
        }
        Question::Count { from, to, by_v } => {
            let all = Question::Scan {
                from: *from,
                to: *to,
                by_v: *by_v,
                reverse: false,
                limit: usize::MAX,
                fields: &[],
            };
            match answer(&all, state) {
                Answer::Rows(rows) => Answer::Number(rows.len()),
                number => number,
            }
        }
        Question::Exists { from, to, by_v, .. } => {
            let all = Question::Count { from: *from, to: *to, by_v: *by_v };
            Answer::Number(usize::from(answer(&all, state) != Answer::Number(0)))
        }
        Question::Scan { from, to, by_v, reverse, limit, fields } => {
            let field = |r: &Row| if *by_v { r.v } else { r.k };
            let mut rows: Vec<_> = state
                .iter()
                .filter(|(_, r)| field(r) >= *from && field(r) < *to)
                .map(|(i, r)| (*i, r.clone()))
                .collect();
            rows.sort_by(|(i, a), (j, b)| {
                field(a)
                    .total_cmp(&field(b))
                    .then(a.created.total_cmp(&b.created))
                    .then(i.internal.cmp(&j.internal))
            });
            if *reverse {
                rows.reverse();
            }
            rows.truncate(*limit);
            Answer::Rows(rows.into_iter().map(|r| look(r, fields)).collect())
        }
    }
}

fn row(document: &Document) -> (DocumentId, Row) {
    let row = Row { k: number(document, "k"), v: number(document, "v"), created: document.creation_time };
    (document.id, row)
}

fn projection(fields: &'static [&'static str]) -> Projection<'static> {
    if fields == PROJECTIONS[0] { Projection::Whole } else { Projection::Fields(fields) }
}

fn scan(tx: &mut Transaction, (from, to): (f64, f64), by_v: bool, reverse: bool) -> hull_engine::Scan {
    let bounds = IndexBounds::all()
        .lower(std::ops::Bound::Included(Some(ValueRef::Float64(from))))
        .upper(std::ops::Bound::Excluded(Some(ValueRef::Float64(to))));
    let order = if reverse { Order::Desc } else { Order::Asc };
    tx.scan("t", if by_v { "by_v" } else { "by_k" }, &bounds.to_key_range(), order).unwrap()
}

fn ask(question: &Question, tx: &mut Transaction, between: &mut dyn FnMut()) -> Answer {
    match question {
        Question::Get(id, fields) => {
            let found = match projection(fields) {
                Projection::Fields(fields) => tx.get_fields(*id, fields),
                _ => tx.get(*id),
            };
            Answer::Rows(found.unwrap().iter().map(|found| look(row(found), fields)).collect())
        }
        Question::Union { of, by_v, reverse, limit, fields } => {
            let mut stretches = of.map(|value| {
                let bounds = IndexBounds::all().eq(Some(ValueRef::Float64(value)));
                Stretch { prefix: bounds.prefix().to_vec(), range: bounds.to_key_range() }
            });
            stretches.sort();
            let order = if *reverse { Order::Desc } else { Order::Asc };
            let union = tx.union("t", if *by_v { "by_v" } else { "by_k" }, &stretches, order).unwrap();
            let mut union = union.select(projection(fields));
            let rows = stepwise(*limit, between, |each| union.for_each(tx, 1, each));
            Answer::Rows(rows.into_iter().map(|r| look(r, fields)).collect())
        }
        Question::Distinct { from, to, by_v, reverse, limit, fields } => {
            let scan = scan(tx, (*from, *to), *by_v, *reverse).select(projection(fields));
            let mut distinct = scan.distinct(1);
            let rows = stepwise(*limit, between, |each| distinct.for_each(tx, 1, each));
            Answer::Rows(rows.into_iter().map(|r| look(r, fields)).collect())
        }
        Question::Count { from, to, by_v } => {
            let mut scan = scan(tx, (*from, *to), *by_v, false).select(Projection::PRESENCE);
            let mut count = 0;
            while tx.next(&mut scan).unwrap().is_some() {
                between();
                count += 1;
            }
            Answer::Number(count)
        }
        Question::Exists { from, to, by_v, reverse } => {
            let scan = scan(tx, (*from, *to), *by_v, *reverse);
            between();
            Answer::Number(usize::from(tx.exists(scan).unwrap()))
        }
        Question::Scan { from, to, by_v, reverse, limit, fields } => {
            let mut scan = scan(tx, (*from, *to), *by_v, *reverse).select(projection(fields));
            let mut rows = Vec::new();
            while rows.len() < *limit {
                between();
                match tx.next(&mut scan).unwrap() {
                    Some(document) => rows.push(look(row(&document), fields)),
                    None => break,
                }
            }
            Answer::Rows(rows)
        }
    }
}

/// Up to `limit` rows, one at a time.
fn stepwise(
    limit: usize,
    between: &mut dyn FnMut(),
    mut next: impl FnMut(&mut dyn FnMut(&Document) -> bool) -> Result<bool, TxError>,
) -> Vec<(DocumentId, Row)> {
    let mut rows = Vec::new();
    while rows.len() < limit {
        between();
        let mut each = |document: &Document| {
            rows.push(row(document));
            true
        };
        if !next(&mut each).unwrap() {
            break;
        }
    }
    rows
}

/// What a transaction has written.
type Own = BTreeMap<DocumentId, Option<Row>>;

/// What a read found.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    /// In their order.
    Rows(Vec<(DocumentId, Row)>),
    Number(usize),
}

struct Open {
    tx: Transaction,
    /// The state that it sees.
    sees: State,
    /// What it has read, with what its own writes were at that time.
    asked: Vec<(Question, Own, Answer)>,
    wrote: Own,
    savepoint: Option<(Savepoint, State, Own)>,
}

/// Schemas under which the same fields have other bits.
fn schemas() -> [Schema; 3] {
    let table = || define_table("t").index("by_k", ["k"]).index("by_v", ["v"]);
    let fields = || table().field("k", v::number()).field("v", v::number()).field("pad", v::string());
    let more = fields().field("a", v::optional(v::number())).field("m", v::optional(v::number()));
    [
        Schema::new().table(fields()),
        Schema::new().table(more),
        Schema::new().table(table().document(v::any())),
    ]
}

struct World {
    storage: Arc<MemoryStorage>,
    log: Arc<MemoryLog>,
    clock: Arc<ManualClock>,
    engine: Engine,
    budget: u64,
    rng: SmallRng,
    state: State,
    ids: Vec<DocumentId>,
    commits: u32,
    conflicts: u32,
    /// Steps at which the table was not held whole.
    partial: u32,
}

impl World {
    fn new(seed: u64, budget: u64) -> Self {
        let storage = Arc::new(MemoryStorage::new());
        let log = Arc::new(MemoryLog::new());
        let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000_000_000)));
        let engine = Self::open(&storage, &log, &clock, budget, seed);
        let rng = SmallRng::seed_from_u64(seed);
        Self {
            storage,
            log,
            clock,
            engine,
            budget,
            rng,
            state: State::new(),
            ids: Vec::new(),
            commits: 0,
            conflicts: 0,
            partial: 0,
        }
    }

    fn open(
        storage: &Arc<MemoryStorage>,
        log: &Arc<MemoryLog>,
        clock: &Arc<ManualClock>,
        budget: u64,
        seed: u64,
    ) -> Engine {
        let mut options = Options::new(storage.clone(), log.clone());
        options.clock = clock.clone();
        options.seed = Some(seed);
        options.background = false;
        options.memory_budget = budget;
        let engine = Engine::open(options).unwrap();
        engine.apply_schema(&schemas()[0], &mut |_| {}).unwrap();
        engine
    }

    fn fill(&mut self, documents: u32) {
        let tx = self.engine.begin();
        let mut open =
            Open { tx, sees: State::new(), asked: Vec::new(), wrote: BTreeMap::new(), savepoint: None };
        (0..documents).for_each(|_| self.write(&mut open));
        self.commit(open);
    }

    fn reopen(&mut self) {
        wait_durable(&self.engine);
        // Un-synced batches are lost; the log is kept.
        self.storage.power_loss(self.rng.random_range(0..3));
        self.log = Arc::new(self.log.after_power_loss(0));
        let seed = self.rng.random();
        self.engine = Self::open(&self.storage, &self.log, &self.clock, self.budget, seed);
        self.check_everything();
    }

    fn question(&mut self) -> Question {
        let fields = PROJECTIONS[self.rng.random_range(0..PROJECTIONS.len())];
        if self.rng.random_bool(0.4) && !self.ids.is_empty() {
            return Question::Get(self.ids[self.rng.random_range(0..self.ids.len())], fields);
        }
        let from = f64::from(self.rng.random_range(0..30));
        let width = f64::from([1, 1, 3, 40][self.rng.random_range(0..4)]);
        let (to, by_v, reverse) = (from + width, self.rng.random(), self.rng.random());
        let limit = [1, 3, 1000][self.rng.random_range(0..3)];
        match self.rng.random_range(0..8) {
            0 => Question::Count { from, to, by_v },
            1 => Question::Exists { from, to, by_v, reverse },
            2 | 3 => Question::Distinct { from, to, by_v, reverse, limit, fields },
            4 | 5 => {
                let of = [from, from + 1.0, from + f64::from(self.rng.random_range(2..9))];
                Question::Union { of, by_v, reverse, limit, fields }
            }
            _ => Question::Scan { from, to, by_v, reverse, limit, fields },
        }
    }

    fn ask(&mut self, open: &mut Open) {
        let question = self.question();
        let (engine, rng) = (&self.engine, &mut self.rng);
        let got = ask(&question, &mut open.tx, &mut || background(engine, rng, 0.02));
        assert_eq!(got, answer(&question, &open.sees), "{question:?}");
        open.asked.push((question, open.wrote.clone(), got));
    }

    fn write(&mut self, open: &mut Open) {
        let (k, v) = (f64::from(self.rng.random_range(0..30)), f64::from(self.rng.random_range(0..30)));
        let pad = "x".repeat(self.rng.random_range(0..200));
        let fields = object(&[("k", k.into()), ("v", v.into()), ("pad", pad.as_str().into())]);
        if self.ids.is_empty() || self.rng.random_bool(0.3) {
            let id = open.tx.insert("t", &fields).unwrap();
            let created = open.tx.get(id).unwrap().unwrap().creation_time;
            open.sees.insert(id, Row { k, v, created });
            open.wrote.insert(id, Some(Row { k, v, created }));
            self.ids.push(id);
            return;
        }
        let id = self.ids[self.rng.random_range(0..self.ids.len())];
        let there = open.sees.get(&id).cloned();
        let what = self.rng.random_range(0..5);
        let result = match what {
            0 => open.tx.patch(id, &[("k", Some(ValueRef::Float64(k)))]),
            1 => open.tx.patch(id, &[("v", Some(ValueRef::Float64(v)))]),
            2 => open.tx.patch(id, &[("pad", Some(ValueRef::String(&pad)))]),
            3 => open.tx.replace(id, &fields),
            _ => open.tx.delete(id),
        };
        // What a write finds is a read too, and of all fields.
        let read: Vec<_> = there.iter().map(|r| (id, r.clone())).collect();
        open.asked.push((Question::Get(id, PROJECTIONS[0]), open.wrote.clone(), Answer::Rows(read)));
        let Some(old) = there else {
            assert_eq!(result.unwrap_err().code(), "NonexistentDocument");
            return;
        };
        result.unwrap();
        let new = match what {
            0 => Some(Row { k, ..old }),
            1 => Some(Row { v, ..old }),
            2 => Some(old),
            3 => Some(Row { k, v, ..old }),
            _ => None,
        };
        match &new {
            Some(row) => open.sees.insert(id, row.clone()),
            None => open.sees.remove(&id),
        };
        open.wrote.insert(id, new);
    }

    fn commit(&mut self, open: Open) {
        let Open { tx, asked, wrote, .. } = open;
        let at = tx.snapshot();
        match self.engine.commit(tx) {
            Ok(committed) => {
                for (question, own, got) in asked {
                    let mut state = self.state.clone();
                    if committed.keys.is_some() {
                        apply(&mut state, &own);
                        assert_eq!(answer(&question, &state), got, "a conflict was missed: {question:?}");
                    }
                }
                if committed.keys.is_some() {
                    assert!(committed.ts > at);
                    self.commits += 1;
                    apply(&mut self.state, &wrote);
                }
            }
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                self.conflicts += 1;
            }
        }
    }

    fn check_everything(&mut self) {
        let mut tx = self.engine.begin();
        for reverse in [false, true] {
            for by_v in [false, true] {
                let (from, to, limit, fields) = (0.0, 1000.0, 100_000, PROJECTIONS[0]);
                let question = Question::Scan { from, to, by_v, reverse, limit, fields };
                assert_eq!(ask(&question, &mut tx, &mut || {}), answer(&question, &self.state));
            }
        }
        for index in ["by_id", "by_creation_time"] {
            let mut scan = tx.scan("t", index, &KeyRange::all(), Order::Asc).unwrap();
            let mut rows = State::new();
            while let Some(document) = tx.next(&mut scan).unwrap() {
                assert!(rows.insert(document.id, row(&document).1).is_none());
            }
            assert_eq!(rows, self.state);
        }
    }

    fn run(&mut self, steps: u32) {
        let mut open: Vec<Open> = Vec::new();
        for _ in 0..steps {
            background(&self.engine, &mut self.rng, 0.3);
            self.partial += u32::from(self.engine.metrics().resident_tables == 0);
            self.clock.advance(self.rng.random_range(0..2_000_000_000));
            if self.rng.random_bool(0.004) {
                open.clear();
                self.reopen();
            }
            if self.rng.random_bool(0.02) {
                let next = &schemas()[self.rng.random_range(0..3)];
                self.engine.apply_schema(next, &mut |_| {}).unwrap();
            }
            if open.len() < 5 && self.rng.random_bool(0.4) {
                let tx = self.engine.begin();
                let sees = self.state.clone();
                open.push(Open { tx, sees, asked: Vec::new(), wrote: BTreeMap::new(), savepoint: None });
            }
            if open.is_empty() {
                continue;
            }
            let at = self.rng.random_range(0..open.len());
            match self.rng.random_range(0..10) {
                0..4 => self.ask(&mut open[at]),
                4..7 => self.write(&mut open[at]),
                7 => {
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
        self.check_everything();
        self.reopen();
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

/// Now and then a step of what the background thread does.
fn background(engine: &Engine, rng: &mut SmallRng, how_often: f64) {
    if rng.random_bool(how_often) {
        match rng.random_range(0..2) {
            0 => {
                engine.checkpoint_step().unwrap();
            }
            _ => {
                engine.maintain().unwrap();
            }
        }
    }
}

fn seeds() -> u64 {
    std::env::var("HULL_TEST_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(30)
}

#[test]
fn transactions_are_serializable_in_memory() {
    let (mut commits, mut conflicts) = (0, 0);
    for seed in 0..seeds() {
        let mut world = World::new(seed, 1 << 30);
        world.run(600);
        commits += world.commits;
        conflicts += world.conflicts;
    }
    assert!(commits > 500 && conflicts > 100, "{commits} commits, {conflicts} conflicts");
}

#[test]
fn transactions_are_serializable_with_little_memory() {
    let (mut commits, mut partial) = (0, 0);
    for seed in 0..seeds() {
        let mut world = World::new(1000 + seed, 64 << 10);
        world.fill(100);
        world.run(600);
        commits += world.commits;
        partial += world.partial;
    }
    assert!(commits > 500 && partial > 100, "{commits} commits, {partial} steps without the whole table");
}

#[test]
fn storage_holds_what_was_checkpointed() {
    let mut world = World::new(7, 1 << 30);
    world.run(300);
    wait_durable(&world.engine);
    world.engine.checkpoint().unwrap();
    assert!(world.storage.stats().live_keys as usize > world.state.len() * 4);
    // Nothing is left in the log that storage lacks.
    assert!(world.engine.metrics().log_bytes < 1000);
}
