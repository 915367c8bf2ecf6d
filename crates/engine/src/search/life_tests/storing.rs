//! Crashes, failures, damage, holds, and what is dropped.

use std::sync::atomic::AtomicU64;
use std::sync::{OnceLock, Weak};

use super::*;
use crate::engine::Inner;
use crate::key::storage_key;
use crate::storage::{Chunk, StorageError, StorageStats};

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

/// Storage that looks whether readers of blocks are kept out while blocks change.
struct Watched {
    inner: MemoryStorage,
    engine: OnceLock<Weak<Inner>>,
    blocks: AtomicU64,
}

impl Storage for Watched {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.inner.get(key)
    }

    fn range(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        reverse: bool,
        limit_keys: usize,
        limit_bytes: usize,
    ) -> Result<Chunk, StorageError> {
        self.inner.range(start, end, reverse, limit_keys, limit_bytes)
    }

    fn apply(&self, batch: Batch) -> Result<(), StorageError> {
        if let Some(engine) = self.engine.get().and_then(Weak::upgrade) {
            let catalog = engine.newest_catalog();
            let searches = catalog.tables().flat_map(|table| table.search_specs());
            let blocks: Vec<_> = searches.map(|spec| storage_key(spec.keyspace, b"p")).collect();
            let has_blocks =
                batch.changes().iter().any(|(k, _)| blocks.iter().any(|prefix| k.starts_with(prefix)));
            if has_blocks {
                assert!(engine.blocks.try_read().is_none(), "blocks change while they may be read");
                self.blocks.fetch_add(1, Atomic::Relaxed);
            }
        }
        self.inner.apply(batch)
    }

    fn sync(&self) -> Result<(), StorageError> {
        if let Some(engine) = self.engine.get().and_then(Weak::upgrade) {
            assert!(engine.blocks.try_read().is_some(), "readers wait for a sync");
        }
        self.inner.sync()
    }

    fn reopen(&self) -> Result<(), StorageError> {
        self.inner.reopen()
    }

    fn stats(&self) -> StorageStats {
        self.inner.stats()
    }
}

#[test]
fn blocks_change_while_nobody_reads_them() {
    let watched =
        Arc::new(Watched { inner: MemoryStorage::new(), engine: OnceLock::new(), blocks: AtomicU64::new(0) });
    let mut options = Options::new(watched.clone(), Arc::new(MemoryLog::new()));
    options.seed = Some(1);
    options.background = false;
    let engine = Engine::open(options).unwrap();
    watched.engine.set(Arc::downgrade(&engine.inner)).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    let (mut state, mut rng) = (State::new(), SmallRng::seed_from_u64(1));
    for _ in 0..3 {
        for _ in 0..40 {
            write(&engine, &mut state, &mut rng);
        }
        wait_durable(&engine);
        engine.maintain().unwrap();
        drop(engine.hold().unwrap());
        let tx = engine.begin();
        let spec = Index::Text.spec(&tx);
        let table = tx.catalog.table("t").unwrap();
        let each = &mut |_: &str, _, _: &Columns| {
            assert!(engine.inner.blocks.try_write().is_none(), "blocks may change while they are read");
            true
        };
        tx.engine.postings(table, &spec, Terms::Prefix(""), &[], tx.snapshot(), each).unwrap();
    }
    assert!(watched.blocks.load(Atomic::Relaxed) >= 3);
    check(&engine.begin(), &state, &mut rng);
}
