//! A data directory: opened once at a time, found again as it was left, refused when it is newer or damaged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};

use common::*;
use hull_engine::storage::{Fault, FaultyStorage, Storage};
use hull_engine::{DirOptions, Engine, KeyRange, OpenError, Order};

fn open_dir(path: &Path) -> Result<Engine, OpenError> {
    Engine::open_dir(path, DirOptions { memory_budget: 64 << 20, ..DirOptions::default() })
}

/// The engine's threads may hold on to it for a moment after it was dropped.
fn open_again(path: &Path) -> Engine {
    loop {
        match open_dir(path) {
            Err(OpenError::Locked { .. }) => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
}

#[test]
fn what_was_committed_is_found_again_with_and_without_a_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open_dir(directory.path()).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    for i in 0..50 {
        insert(&engine, f64::from(i), 1.0);
    }
    wait_durable(&engine);
    engine.checkpoint().unwrap();
    for i in 50..80 {
        insert(&engine, f64::from(i), 1.0);
    }
    let before = engine.ordered();
    engine.shutdown();
    assert_eq!(engine.commit(writing(&engine)).unwrap_err().code(), "ShuttingDown");
    drop(engine);
    for _ in 0..2 {
        let engine = open_again(directory.path());
        assert!(engine.ordered() > before && engine.durable() == engine.ordered());
        let expected: Vec<f64> = (0..80).map(f64::from).collect();
        assert_eq!(all_ids(&mut engine.begin(), Order::Asc), expected);
        let mut tx = engine.begin();
        let mut scan = tx.scan("accounts", "by_id", &KeyRange::all(), Order::Desc).unwrap();
        let mut count = 0;
        while tx.next(&mut scan).unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 80);
        wait_durable(&engine);
        engine.checkpoint().unwrap();
    }
}

#[test]
fn a_clean_end_leaves_nothing_to_replay() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open_dir(directory.path()).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    for i in 0..50 {
        insert(&engine, f64::from(i), 1.0);
    }
    wait_durable(&engine);
    engine.shutdown();
    drop(engine);
    let engine = open_again(directory.path());
    assert_eq!(engine.metrics().dirty_bytes, 0);
    assert_eq!(all_ids(&mut engine.begin(), Order::Asc).len(), 50);
}

fn writing(engine: &Engine) -> hull_engine::Transaction {
    let mut tx = engine.begin();
    tx.insert("accounts", &account(1000.0, 0.0)).unwrap();
    tx
}

#[test]
fn a_second_server_is_refused_and_told_who_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let _engine = open_dir(directory.path()).unwrap();
    let error = open_dir(directory.path()).unwrap_err();
    assert_eq!(error.code(), "DirectoryInUse");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
}

#[test]
fn a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open_dir(directory.path()).unwrap());
    std::fs::write(directory.path().join("format"), "3\n").unwrap();
    let error = loop {
        match open_dir(directory.path()) {
            Err(OpenError::Locked { .. }) => std::thread::yield_now(),
            other => break other.unwrap_err(),
        }
    };
    assert_eq!(error.code(), "NewerFormat");
}

#[test]
fn an_older_format_becomes_this_one() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("format"), "1\n").unwrap();
    let _engine = open_dir(directory.path()).unwrap();
    assert_eq!(std::fs::read_to_string(directory.path().join("format")).unwrap(), "2\n");
}

static FAULTY: Mutex<Option<Arc<FaultyStorage>>> = Mutex::new(None);

fn wrap(storage: Arc<dyn Storage>) -> Arc<dyn Storage> {
    let faulty = Arc::new(FaultyStorage::new(storage));
    *FAULTY.lock().unwrap() = Some(faulty.clone());
    faulty
}

#[test]
fn storage_is_opened_again_after_a_failed_write() {
    let directory = tempfile::tempdir().unwrap();
    let options = DirOptions { memory_budget: 64 << 20, wrap_storage: Some(wrap), ..DirOptions::default() };
    let engine = Engine::open_dir(directory.path(), options).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    let faulty = FAULTY.lock().unwrap().clone().unwrap();
    let mut inserted = 0.0;
    for fault in [Fault::Before, Fault::After] {
        let failures = engine.metrics().storage_failures;
        // The background thread may meet the fault first, also when it reads.
        while engine.metrics().storage_failures == failures {
            insert(&engine, inserted, 1.0);
            inserted += 1.0;
            wait_durable(&engine);
            faulty.fail_at(1, fault);
            let _ = engine.checkpoint();
        }
        insert(&engine, inserted, 1.0);
        inserted += 1.0;
        wait_durable(&engine);
        faulty.heal();
        engine.checkpoint().unwrap();
    }
    engine.shutdown();
    drop((engine, faulty, FAULTY.lock().unwrap().take()));
    let engine = open_again(directory.path());
    assert_eq!(all_ids(&mut engine.begin(), Order::Asc).len(), inserted as usize);
}

#[test]
fn the_last_owner_may_be_on_the_thread_of_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open_dir(directory.path(), DirOptions::default()).unwrap();
    let watch = engine.watch();
    let (entered, inside) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    engine.on_group(Box::new(move |_| {
        let _ = entered.send(());
        let _ = released.lock().unwrap().recv();
    }));
    let mut transaction = engine.begin();
    let note = hull_value::Packed::encode("x").unwrap();
    transaction.put_system(hull_engine::Keyspace::NOTES, b"n", Some(&note)).unwrap();
    engine.commit(transaction).unwrap();
    inside.recv().unwrap();
    drop(engine);
    assert!(!watch.is_closed(), "the log's thread still holds it");
    drop(release);
    let start = std::time::Instant::now();
    while !watch.is_closed() {
        assert!(start.elapsed().as_secs() < 60, "the log's thread waits for itself");
        std::thread::yield_now();
    }
    Engine::open_dir(directory.path(), DirOptions::default()).unwrap();
}
