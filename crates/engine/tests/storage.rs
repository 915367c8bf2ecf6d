//! One suite for every storage, with a `BTreeMap` as the oracle, and what only sled has to show.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hull_engine::storage::{
    Batch, Entry, Fault, FaultyStorage, MemoryStorage, SledOptions, SledStorage, Storage, StorageError,
};
use proptest::prelude::*;

type Oracle = BTreeMap<Vec<u8>, Vec<u8>>;

fn sled_at(path: &Path) -> Result<SledStorage, StorageError> {
    SledStorage::open(path, SledOptions { cache_bytes: 16 << 20, reserve_bytes: 0, ..SledOptions::default() })
}

/// sled itself; its lock outlives an earlier handle for a moment.
fn raw_sled(path: &Path) -> sled::Db {
    loop {
        match sled::open(path) {
            Ok(db) => return db,
            Err(error) => assert!(error.to_string().contains("lock"), "{error}"),
        }
        std::thread::yield_now();
    }
}

fn batch(changes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in changes {
        match value {
            Some(value) => batch.put(key.clone(), value.clone()),
            None => batch.delete(key.clone()),
        }
    }
    batch
}

fn put(key: &[u8], value: Vec<u8>) -> Batch {
    batch(&[(key.to_vec(), Some(value))])
}

/// Everything in a range, chunk by chunk.
fn scan(
    storage: &dyn Storage,
    start: &[u8],
    end: Option<&[u8]>,
    reverse: bool,
    keys: usize,
    bytes: usize,
) -> Vec<Entry> {
    let (mut start, mut end) = (start.to_vec(), end.map(<[u8]>::to_vec));
    let mut all = Vec::new();
    loop {
        let chunk = storage.range(&start, end.as_deref(), reverse, keys, bytes).unwrap();
        assert!(chunk.entries.len() <= keys.max(1));
        let size: usize = chunk.entries.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert!(size <= bytes || chunk.entries.len() == 1);
        assert!(!chunk.more || !chunk.entries.is_empty());
        if let Some((last, _)) = chunk.entries.last() {
            if reverse {
                end = Some(last.clone());
            } else {
                start = [last.as_slice(), &[0]].concat();
            }
        }
        all.extend(chunk.entries);
        if !chunk.more {
            return all;
        }
    }
}

fn agree(storage: &dyn Storage, oracle: &Oracle, bounds: (&[u8], Option<&[u8]>), keys: usize, bytes: usize) {
    let (start, end) = bounds;
    let within = |key: &[u8]| key >= start && end.is_none_or(|end| key < end);
    let mut wanted: Vec<Entry> = oracle
        .iter()
        .filter(|(key, _)| within(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    assert!(scan(storage, start, end, false, keys, bytes) == wanted, "forward scans differ");
    wanted.reverse();
    assert!(scan(storage, start, end, true, keys, bytes) == wanted, "reverse scans differ");
    for (key, value) in oracle {
        assert!(storage.get(key).unwrap().as_ref() == Some(value));
        assert_eq!(
            storage.get(&[key.as_slice(), &[0]].concat()).unwrap(),
            oracle.get(&[key.as_slice(), &[0]].concat()).cloned()
        );
    }
}

/// What is live is estimated from a sample of the keys, but exactly the same after any history of it.
#[test]
fn live_bytes_of_sled_are_estimated() {
    let directory = tempfile::tempdir().unwrap();
    let storage = SledStorage::open(directory.path(), SledOptions::default()).unwrap();
    let write = |n: u32, value: Option<Vec<u8>>| {
        let mut batch = Batch::new();
        for n in n..n + 100 {
            let key = [&[1_u8], n.to_be_bytes().as_slice()].concat();
            match &value {
                Some(value) => batch.put(key, value.clone()),
                None => batch.delete(key),
            }
        }
        storage.apply(batch).unwrap();
    };
    for length in [5000, 10, 95] {
        (0..8000).step_by(100).for_each(|n| write(n, Some(vec![0; length])));
    }
    (4000..8000).step_by(100).for_each(|n| write(n, None));
    let stats = storage.stats();
    assert!((3200..4800).contains(&stats.live_keys), "{stats:?}");
    assert_eq!(stats.live_bytes, stats.live_keys * 100);
    (0..4000).step_by(100).for_each(|n| write(n, None));
    assert_eq!((storage.stats().live_keys, storage.stats().live_bytes), (0, 0));
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    (1..=0xFEu8, prop::collection::vec(prop_oneof![Just(0u8), Just(255), any::<u8>()], 0..4)).prop_map(
        |(first, rest)| {
            let first = if first % 3 == 0 { first } else { 1 + first % 4 };
            [&[first], rest.as_slice()].concat()
        },
    )
}

fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
    let lengths = prop_oneof![
        6 => 0..40usize,
        1 => Just(4091),
        1 => Just(4092),
        1 => Just(8192),
        1 => 4000..30_000usize,
    ];
    prop_oneof![
        3 => (lengths, any::<u8>()).prop_map(|(length, byte)| Some((0..length).map(|i| byte ^ (i / 7) as u8).collect())),
        1 => Just(None),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Sync,
    Reopen,
    Look(Vec<u8>, Option<Vec<u8>>, usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec((key(), value()), 0..12).prop_map(Step::Apply),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        2 => (key(), prop::option::of(key()), 1..6usize, prop_oneof![Just(1usize), 10..60usize, Just(1 << 20)])
            .prop_map(|(start, end, keys, bytes)| Step::Look(start, end, keys, bytes)),
    ]
}

fn run(storage: &dyn Storage, steps: &[Step]) {
    let mut oracle = Oracle::new();
    for step in steps {
        match step {
            Step::Apply(changes) => {
                storage.apply(batch(changes)).unwrap();
                for (key, value) in changes {
                    match value {
                        Some(value) => oracle.insert(key.clone(), value.clone()),
                        None => oracle.remove(key),
                    };
                }
            }
            Step::Sync => storage.sync().unwrap(),
            Step::Reopen => {
                storage.sync().unwrap();
                storage.reopen().unwrap();
            }
            Step::Look(start, end, keys, bytes) => {
                agree(storage, &oracle, (start, end.as_deref()), *keys, *bytes);
            }
        }
    }
    agree(storage, &oracle, (&[1], None), 3, 1 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_storage_agrees_with_a_map(steps in prop::collection::vec(step(), 1..25)) {
        run(&MemoryStorage::new(), &steps);
        run(&FaultyStorage::new(Arc::new(MemoryStorage::new())), &steps);
        let directory = tempfile::tempdir().unwrap();
        run(&sled_at(directory.path()).unwrap(), &steps);
    }
}

#[test]
fn a_power_loss_keeps_a_prefix_of_the_batches() {
    for keep in 0..=3 {
        let storage = MemoryStorage::new();
        storage.apply(put(b"a", vec![0])).unwrap();
        storage.sync().unwrap();
        for n in 1..=3 {
            storage.apply(batch(&[(vec![b'a'], Some(vec![n])), (vec![b'b', n], Some(vec![n]))])).unwrap();
        }
        assert_eq!(storage.unsynced(), 3);
        storage.power_loss(keep);
        let kept = keep as u8;
        let wanted = (1..=kept).map(|n| (vec![b'b', n], vec![n]));
        let wanted: Oracle = wanted.chain([(vec![b'a'], vec![kept])]).collect();
        agree(&storage, &wanted, (&[1], None), 9, 1 << 20);
    }
}

#[test]
fn the_chosen_operation_fails_and_writes_wait_for_a_reopen() {
    for n in 1..=4 {
        for fault in [Fault::Before, Fault::After, Fault::Stop] {
            let storage = FaultyStorage::new(Arc::new(MemoryStorage::new()));
            storage.fail_at(n, fault);
            let results = [
                storage.apply(put(b"k", vec![1])).is_ok(),
                storage.get(b"k").is_ok(),
                storage.sync().is_ok(),
                storage.range(b"a", None, false, 9, 9).is_ok(),
            ];
            let failed = n as usize - 1;
            let broken = |at: usize| {
                at == failed
                    || at > failed
                        && (fault == Fault::Stop || failed.is_multiple_of(2) && at.is_multiple_of(2))
            };
            assert!((0..4).all(|at| results[at] != broken(at)), "{n} {fault:?} {results:?}");
            storage.heal();
            storage.reopen().unwrap();
            storage.apply(put(b"k", vec![2])).unwrap();
            assert_eq!(storage.get(b"k").unwrap(), Some(vec![2]));
        }
    }
    let storage = FaultyStorage::new(Arc::new(MemoryStorage::new()));
    storage.set_disk_full(true);
    assert!(matches!(storage.apply(put(b"k", vec![1])), Err(StorageError::DiskFull)));
    storage.set_disk_full(false);
    storage.apply(put(b"k", vec![1])).unwrap();
}

#[test]
fn a_sync_of_sled_is_an_fdatasync_and_nothing_lies_beside_the_tree() {
    let directory = tempfile::tempdir().unwrap();
    let storage = sled_at(directory.path()).unwrap();
    for n in 0..20u8 {
        let before = storage.stats().syncs;
        storage.apply(put(&[7, n], vec![n; 100_000])).unwrap();
        storage.sync().unwrap();
        assert!(storage.stats().syncs > before);
    }
    assert!(storage.stats().disk_bytes > 2_000_000);
    let blobs =
        std::fs::read_dir(directory.path().join("blobs")).map(|files| files.count()).unwrap_or_default();
    assert_eq!(blobs, 0, "a page was written to a file of its own");
}

#[test]
fn a_directory_that_cannot_be_used_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    drop(sled_at(&path).unwrap());
    let raw = raw_sled(&path);
    raw.insert([0], [b"hull-store".as_slice(), &9u32.to_le_bytes()].concat()).unwrap();
    drop(raw);
    assert!(matches!(sled_at(&path), Err(StorageError::NewerFormat { found: 9, known: 1, .. })));
    let raw = raw_sled(&path);
    raw.insert([0], b"something else").unwrap();
    raw.flush().unwrap();
    drop(raw);
    assert!(matches!(sled_at(&path), Err(StorageError::Corrupt { .. })));
    // Damage inside sled's own file, which makes it panic.
    let mut bytes = std::fs::read(path.join("db")).unwrap();
    for byte in bytes.iter_mut().skip(20).step_by(16) {
        *byte ^= 0x55;
    }
    std::fs::write(path.join("db"), bytes).unwrap();
    for snapshot in std::fs::read_dir(&path).unwrap().map(Result::unwrap) {
        if snapshot.file_name().to_string_lossy().starts_with("snap") {
            std::fs::write(snapshot.path(), b"damaged").unwrap();
        }
    }
    if let Err(error) = sled_at(&path) {
        let text = error.to_string();
        for word in [&*path.display().to_string(), "hull rebuild", "hull restore", "hull import"] {
            assert!(text.contains(word), "no {word} in {text}");
        }
    }
}

#[test]
fn a_store_that_is_open_is_refused_and_opens_once_it_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let options = SledOptions { open_limit: std::time::Duration::from_millis(500), ..SledOptions::default() };
    let storage = SledStorage::open(directory.path(), SledOptions::default()).unwrap();
    storage.apply(put(b"k", vec![1])).unwrap();
    storage.sync().unwrap();
    let Err(error) = SledStorage::open(directory.path(), options) else { panic!("it is open twice") };
    assert_eq!(error.code(), "StorageBusy");
    assert!(error.to_string().contains(&directory.path().display().to_string()), "{error}");
    drop(storage);
    assert_eq!(sled_at(directory.path()).unwrap().get(b"k").unwrap(), Some(vec![1]));
}

#[test]
fn a_damaged_value_is_an_error_that_names_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let storage = sled_at(directory.path()).unwrap();
    storage.apply(put(b"small", vec![1; 10])).unwrap();
    storage.apply(put(b"large", vec![2; 10_000])).unwrap();
    drop(storage);
    let raw = raw_sled(directory.path());
    let mut small = raw.get(b"small").unwrap().unwrap().to_vec();
    small[9] ^= 1;
    raw.insert(b"small", small).unwrap();
    let piece = [&[0xFF], b"large".as_slice(), &1u32.to_be_bytes()].concat();
    assert!(raw.remove(piece).unwrap().is_some());
    drop(raw);
    let storage = sled_at(directory.path()).unwrap();
    for key in [b"small", b"large"] {
        let Err(error) = storage.get(key) else { panic!("the damage was not seen") };
        assert!(matches!(&error, StorageError::Checksum { key: named } if named == key));
        assert!(storage.range(key, None, false, 1, 1 << 20).is_err());
    }
}

#[test]
fn a_full_disk_refuses_batches_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let options = SledOptions { reserve_bytes: u64::MAX, ..SledOptions::default() };
    let storage = SledStorage::open(directory.path(), options).unwrap();
    assert!(matches!(storage.apply(put(b"k", vec![1])), Err(StorageError::DiskFull)));
    assert_eq!(storage.get(b"k").unwrap(), None);
    storage.sync().unwrap();
}
