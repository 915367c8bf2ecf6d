//! Held snapshots against a copy of the state at their timestamp.
//!
//! Random commits, steps of checkpoints and of the background's work, failures of storage, changes of the schema and
//! restarts happen between any two chunks of any number of held reads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use hull_engine::log::MemoryLog;
use hull_engine::storage::{Entry, Fault, FaultyStorage, MemoryStorage, SledOptions, SledStorage, Storage};
use hull_engine::{
    DirOptions, Document, Engine, HeldDocuments, HeldKeys, Hold, HoldError, ImportMode, ImportOptions,
    ImportRow, ImportTable, KeyRange, ManualClock, Options, Order, ReadAt, Transaction, TxError,
};
use hull_model::{Schema, define_table, v};
use hull_value::{DocumentId, Timestamp, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

const TABLES: [&str; 2] = ["t", "u"];
/// The keyspaces of the engine's own notes and of the undo, as storage has them.
const META: [u8; 4] = [1, 0, 0, 0];
const UNDO: [u8; 4] = [1, 0, 0, 15];

/// The documents of each table.
type State = [BTreeMap<DocumentId, Document>; 2];

fn test_schema(with_index: bool) -> Schema {
    let mut schema = Schema::new();
    for name in TABLES {
        let mut table =
            define_table(name).field("k", v::number()).field("pad", v::string()).index("by_k", ["k"]);
        if with_index {
            table = table.index("by_pad", ["pad"]);
        }
        schema = schema.table(table);
    }
    schema
}

fn ordered(table: &BTreeMap<DocumentId, Document>) -> Vec<Document> {
    let mut all: Vec<_> = table.values().cloned().collect();
    all.sort_by(|a, b| a.creation_time.total_cmp(&b.creation_time).then(a.id.internal.cmp(&b.id.internal)));
    all
}

fn all_of(storage: &dyn Storage, from: &[u8], to: Option<&[u8]>) -> Vec<Entry> {
    storage.range(from, to, false, usize::MAX, usize::MAX).unwrap().entries
}

enum Walk {
    Documents(usize, HeldDocuments, Vec<Document>),
    Keys(HeldKeys, Vec<Entry>),
}

struct Reader {
    hold: Hold,
    state: State,
    raw: Vec<Entry>,
    walk: Walk,
}

struct World {
    memory: Option<Arc<MemoryStorage>>,
    storage: Arc<FaultyStorage>,
    log: Arc<MemoryLog>,
    clock: Arc<ManualClock>,
    rng: SmallRng,
    /// Whether the clock jumps, so that ids are in another order than creation times.
    jumps: bool,
    engine: Engine,
    state: State,
    states: Vec<(Timestamp, State)>,
    readers: Vec<Reader>,
    snapshots: Vec<Transaction>,
    indexed: bool,
    /// Walks that came to their end, and those that were behind the newest commit by then.
    walked: u32,
    behind: u32,
    replaced: u32,
}

const START: u64 = 1_700_000_000_000_000_000;

fn open(storage: &Arc<FaultyStorage>, log: &Arc<MemoryLog>, clock: &Arc<ManualClock>, seed: u64) -> Engine {
    let mut options = Options::new(storage.clone(), log.clone());
    options.clock = clock.clone();
    options.seed = Some(seed);
    options.background = false;
    options.memory_budget = [64 << 10, 1 << 30][seed as usize % 2];
    Engine::open(options).unwrap()
}

impl World {
    fn new(seed: u64, storage: Arc<dyn Storage>, memory: Option<Arc<MemoryStorage>>) -> Self {
        let storage = Arc::new(FaultyStorage::new(storage));
        let (log, clock) = (Arc::new(MemoryLog::new()), Arc::new(ManualClock::new(Timestamp(START))));
        let engine = open(&storage, &log, &clock, seed);
        engine.apply_schema(&test_schema(false), &mut |_| {}).unwrap();
        let mut world = Self {
            memory,
            storage,
            log,
            clock,
            rng: SmallRng::seed_from_u64(seed),
            jumps: seed % 4 >= 2,
            engine,
            state: State::default(),
            states: Vec::new(),
            readers: Vec::new(),
            snapshots: Vec::new(),
            indexed: false,
            walked: 0,
            behind: 0,
            replaced: 0,
        };
        world.states.push((world.engine.ordered(), State::default()));
        for _ in 0..8 {
            world.commit(100, 0.0);
        }
        world
    }

    fn move_clock(&mut self) {
        if self.jumps {
            self.clock.set(Timestamp(START + self.rng.random_range(0..1_000_000) * 1_000_000));
        } else {
            self.clock.advance(self.rng.random_range(0..2_000_000_000));
        }
    }

    fn commit(&mut self, writes: usize, deletions: f64) {
        let mut next = self.state.clone();
        let mut tx = self.engine.begin();
        tx.set_limits(hull_engine::Limits::none());
        for _ in 0..writes {
            match self.write(&mut tx, &mut next, deletions) {
                Ok(()) => {}
                Err(error) if error.code() == "StorageFailed" => return,
                Err(error) => panic!("{error}"),
            }
        }
        let committed = self.engine.commit(tx).unwrap();
        if committed.keys.is_some() {
            self.state = next;
            self.states.push((committed.ts, self.state.clone()));
        }
    }

    fn write(&mut self, tx: &mut Transaction, next: &mut State, deletions: f64) -> Result<(), TxError> {
        let n = self.rng.random_range(0..2);
        let k = f64::from(self.rng.random_range(0..50));
        let length = if self.rng.random_bool(0.01) { 40_000 } else { self.rng.random_range(0..300) };
        let pad = "p".repeat(length);
        let table = &mut next[n];
        if table.is_empty() || self.rng.random_bool(0.4 * (1.0 - deletions)) {
            let id = tx.insert(TABLES[n], &object(&[("k", k.into()), ("pad", pad.as_str().into())]))?;
            table.insert(id, tx.get(id)?.unwrap());
            return Ok(());
        }
        let at = self.rng.random_range(0..table.len());
        let id = *table.keys().nth(at).unwrap();
        if self.rng.random_bool(0.4f64.max(deletions)) {
            tx.delete(id)?;
            table.remove(&id);
        } else {
            tx.patch(id, &[("k", Some(ValueRef::Float64(k))), ("pad", Some(ValueRef::String(&pad)))])?;
            table.insert(id, tx.get(id)?.unwrap());
        }
        Ok(())
    }

    /// Replaces a table by an import.
    fn replace(&mut self) {
        self.storage.heal();
        let n = self.rng.random_range(0..2);
        let table = ImportTable { name: TABLES[n].into(), number: None };
        let options = ImportOptions { mode: ImportMode::Replace, ..ImportOptions::default() };
        let mut import = self.engine.begin_import(options, &[table]).unwrap();
        for number in 0..self.rng.random_range(1..6) {
            let value = object(&[("k", f64::from(self.rng.random_range(0..50)).into()), ("pad", "i".into())]);
            let rows = (0..100).map(|row| ImportRow { number: 100 * number + row, value: value.clone() });
            import.push(TABLES[n], rows).unwrap();
            if self.rng.random() {
                let _ = self.engine.checkpoint_step();
            }
        }
        let ts = import.finish().unwrap().ts;
        let mut tx = self.engine.begin();
        let mut scan = tx.scan(TABLES[n], "by_creation_time", &KeyRange::all(), Order::Asc).unwrap();
        self.state[n].clear();
        while let Some(document) = tx.next(&mut scan).unwrap() {
            self.state[n].insert(document.id, document);
        }
        self.states.push((ts, self.state.clone()));
        self.replaced += 1;
    }

    fn hold(&mut self) {
        wait_durable(&self.engine);
        let since = self.engine.durable();
        let hold = match self.engine.try_hold() {
            Ok(Some(hold)) => hold,
            Ok(None) => {
                assert!(self.snapshots.iter().any(|tx| tx.snapshot() < since), "nothing was in the way");
                return;
            }
            Err(HoldError::Storage(_)) => return,
            Err(error) => panic!("{error}"),
        };
        assert!(hold.ts() >= since);
        let state = self.states.iter().rev().find(|(ts, _)| *ts <= hold.ts()).unwrap().1.clone();
        self.storage.heal();
        let mut raw = all_of(&*self.storage, &[1], None);
        raw.retain(|(k, _)| !k.starts_with(&META) && !k.starts_with(&UNDO));
        self.read(hold, state, raw);
    }

    /// Begins a walk over something held.
    fn read(&mut self, hold: Hold, state: State, raw: Vec<Entry>) {
        let names: Vec<String> = hold.tables().into_iter().map(|t| t.name).collect();
        assert_eq!(names, TABLES);
        assert!(hold.schema_json().unwrap().contains("by_k"));
        assert_eq!(hold.documents("none").err().unwrap().code(), "TableNotFound");
        let walk = match self.rng.random_range(0..3) {
            2 => Walk::Keys(hold.keys(), Vec::new()),
            n => Walk::Documents(n, hold.documents(TABLES[n]).unwrap(), Vec::new()),
        };
        self.readers.push(Reader { hold, state, raw, walk });
    }

    fn step_reader(&mut self) {
        if self.readers.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.readers.len());
        let reader = &mut self.readers[at];
        let ended = match &mut reader.walk {
            Walk::Documents(_, walk, got) => walk.next_chunk().map(|chunk| {
                got.extend_from_slice(&chunk);
                chunk.is_empty()
            }),
            Walk::Keys(walk, got) => walk.next_chunk().map(|chunk| {
                got.extend_from_slice(&chunk);
                chunk.is_empty()
            }),
        };
        match ended {
            Ok(false) => return,
            Ok(true) => {}
            Err(HoldError::Lost | HoldError::Storage(_)) => {}
            Err(error) => panic!("{error}"),
        }
        let reader = self.readers.swap_remove(at);
        if ended.is_ok() {
            match reader.walk {
                Walk::Documents(n, _, got) => assert_eq!(got, ordered(&reader.state[n])),
                Walk::Keys(_, got) => assert_eq!(got, reader.raw),
            }
            self.walked += 1;
            self.behind += u32::from(reader.hold.ts() < self.states.last().unwrap().0);
            if self.rng.random_bool(0.6) {
                let hold = reader.hold;
                match hold.count("t") {
                    Ok(count) => assert_eq!(count as usize, reader.state[0].len()),
                    Err(error) => {
                        assert!(matches!(error, HoldError::Lost | HoldError::Storage(_)), "{error}")
                    }
                }
                self.read(hold, reader.state, reader.raw);
            }
        }
    }

    fn undo_entries(&self) -> usize {
        all_of(&*self.storage, &UNDO, Some(&[1, 0, 0, 16])).len()
    }

    /// Without holds the undo goes.
    fn sweep(&mut self) {
        self.storage.heal();
        self.storage.set_disk_full(false);
        self.readers.clear();
        while self.engine.maintain().unwrap() {}
        assert_eq!(self.undo_entries(), 0);
    }

    fn reopen(&mut self) {
        self.storage.heal();
        wait_durable(&self.engine);
        self.readers.clear();
        self.snapshots.clear();
        let left = self.undo_entries();
        if let Some(memory) = &self.memory {
            memory.power_loss(self.rng.random_range(0..3));
        }
        self.log = Arc::new(self.log.after_power_loss(0));
        let seed = self.rng.random();
        self.engine = open(&self.storage, &self.log, &self.clock, seed);
        self.states = vec![(self.engine.ordered(), self.state.clone())];
        // What is left of the undo is of no effect, and goes.
        self.hold();
        if self.rng.random() || left > 0 {
            self.sweep();
        }
    }

    fn step(&mut self) {
        self.move_clock();
        match self.rng.random_range(0..100) {
            0..25 => {
                let writes = self.rng.random_range(1..12);
                self.commit(writes, 0.0);
            }
            25 => self.commit(400, 0.9),
            26..28 => self.commit(100, 0.0),
            28..50 => {
                wait_durable(&self.engine);
                // A failure is repeated later.
                let _ = self.engine.checkpoint_step();
            }
            50..60 => {
                let _ = self.engine.maintain();
            }
            60..64 => {
                if self.snapshots.len() < 2 {
                    self.snapshots.push(self.engine.begin_read(ReadAt::Ordered).unwrap());
                }
            }
            64..68 => drop(self.snapshots.pop()),
            68..72 => {
                if self.readers.len() < 6 {
                    self.hold();
                }
            }
            72 => {
                let n = self.rng.random_range(1..40);
                let fault = [Fault::Before, Fault::After][self.rng.random_range(0..2)];
                self.storage.fail_at(n, fault);
            }
            73 => {
                let full = self.rng.random_bool(0.3);
                self.storage.set_disk_full(full);
            }
            74 => {
                if self.rng.random_bool(0.2) {
                    self.storage.heal();
                    self.snapshots.clear();
                    self.indexed = !self.indexed;
                    self.engine.apply_schema(&test_schema(self.indexed), &mut |_| {}).unwrap();
                    self.states.push((self.engine.ordered(), self.state.clone()));
                }
            }
            75 => {
                if self.rng.random_bool(0.2) {
                    self.reopen();
                }
            }
            76..78 => {
                if self.rng.random_bool(0.4) {
                    self.replace();
                }
            }
            _ => self.step_reader(),
        }
    }

    fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            self.step();
        }
        self.storage.heal();
        self.storage.set_disk_full(false);
        while !self.readers.is_empty() {
            self.step_reader();
        }
        self.sweep();
    }
}

fn seeds() -> u64 {
    std::env::var("HULL_TEST_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(5)
}

#[test]
fn a_held_snapshot_stays_as_it_was() {
    let (mut walked, mut behind, mut replaced) = (0, 0, 0);
    for seed in 0..seeds() {
        let memory = Arc::new(MemoryStorage::new());
        let mut world = World::new(seed, memory.clone(), Some(memory));
        world.run(800);
        walked += world.walked;
        behind += world.behind;
        replaced += world.replaced;
    }
    assert!(replaced > 10, "{replaced} tables replaced");
    assert!(walked > 60 && behind > 30, "{walked} walks, {behind} behind the newest commit");
}

#[test]
fn a_held_snapshot_stays_as_it_was_on_disk() {
    for seed in 100..102 {
        let directory = tempfile::tempdir().unwrap();
        let sled = SledStorage::open(directory.path().join("store"), SledOptions::default()).unwrap();
        let mut world = World::new(seed, Arc::new(sled), None);
        world.run(400);
        assert!(world.walked > 5);
    }
}

#[test]
fn a_snapshot_is_given_up_when_the_disk_has_no_room_for_it_and_the_checkpoint_is_not() {
    let storage = Arc::new(FaultyStorage::new(Arc::new(MemoryStorage::new())));
    let (log, clock) = (Arc::new(MemoryLog::new()), Arc::new(ManualClock::new(Timestamp(START))));
    let engine = open(&storage, &log, &clock, 1);
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    insert(&engine, 1.0, 1.0);
    wait_durable(&engine);
    let hold = engine.hold().unwrap();
    insert(&engine, 2.0, 1.0);
    wait_durable(&engine);
    assert_eq!(hold.count("accounts").unwrap(), 1);
    storage.set_disk_full(true);
    assert_eq!(engine.checkpoint().unwrap_err().code(), "DiskFull");
    storage.set_disk_full(false);
    engine.checkpoint().unwrap();
    assert_eq!(hold.count("accounts").unwrap_err().code(), "SnapshotLost");
    assert_eq!(engine.hold().unwrap().count("accounts").unwrap(), 2);
}

/// Ends the writers, also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn holds_see_whole_transfers_while_writers_and_checkpoints_go_on() {
    const ACCOUNTS: u32 = 600;
    let directory = tempfile::tempdir().unwrap();
    let options = DirOptions { memory_budget: 16 << 20, ..DirOptions::default() };
    let engine = Engine::open_dir(directory.path(), options).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    let mut ids = Vec::new();
    for id in 0..ACCOUNTS {
        ids.push(insert(&engine, f64::from(id), 100.0));
    }
    wait_durable(&engine);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 0..2 {
            let (engine, ids, stop) = (&engine, &ids, &stop);
            scope.spawn(move || {
                let mut rng = SmallRng::seed_from_u64(seed);
                while !stop.load(Ordering::Relaxed) {
                    let mut tx = engine.begin();
                    let (a, b) = (rng.random_range(0..ids.len()), rng.random_range(0..ids.len()));
                    for (at, by) in [(a, -1.0), (b, 1.0)] {
                        let old = balance(&tx.get(ids[at]).unwrap().unwrap());
                        tx.patch(ids[at], &[("balance", Some(ValueRef::Float64(old + by)))]).unwrap();
                    }
                    let _ = engine.commit(tx);
                }
            });
        }
        let _stopped = Stop(&stop);
        let mut behind = 0;
        for _ in 0..10 {
            let hold = engine.hold().unwrap();
            let before: Vec<Document> = hold.documents("accounts").unwrap().map(Result::unwrap).collect();
            engine.checkpoint().unwrap();
            let after: Vec<Document> = hold.documents("accounts").unwrap().map(Result::unwrap).collect();
            assert_eq!(before, after);
            assert_eq!(after.len(), ACCOUNTS as usize);
            assert_eq!(after.iter().map(balance).sum::<f64>(), f64::from(ACCOUNTS) * 100.0);
            behind += u32::from(engine.metrics().checkpoint > hold.ts());
        }
        assert!(behind > 0, "no checkpoint overtook a hold");
    });
    assert_eq!(engine.metrics().holds, 0);
}
