//! What is told of commits: groups in order once they are durable, and lines of those that conflict.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use common::*;
use hull_engine::log::MemoryLog;
use hull_engine::storage::MemoryStorage;
use hull_engine::{CommitError, Engine, Group, Options, ReadAt};
use hull_value::{DocumentId, Timestamp, ValueRef};
use parking_lot::Mutex;

fn engine_over(log: Arc<MemoryLog>) -> Engine {
    let mut options = Options::new(Arc::new(MemoryStorage::new()), log);
    options.background = false;
    let engine = Engine::open(options).unwrap();
    engine.apply_schema(&schema(), &mut |_| {}).unwrap();
    wait_durable(&engine);
    engine
}

#[test]
fn every_commit_is_delivered_once_in_order_when_it_is_durable() {
    let log = Arc::new(MemoryLog::new());
    let engine = engine_over(log.clone());
    let told: Arc<Mutex<Vec<Timestamp>>> = Arc::default();
    let (list, other) = (told.clone(), engine.clone());
    engine.on_group(Box::new(move |group| {
        if let Group::Durable { commits, durable_to } = group {
            assert!(*durable_to <= other.durable());
            assert!(commits.iter().all(|c| c.ts <= *durable_to));
            list.lock().extend(commits.iter().map(|c| c.ts));
        }
    }));
    log.pause();
    let mut expected = Vec::new();
    for i in 0..20 {
        let mut tx = engine.begin();
        tx.insert("accounts", &account(f64::from(i), 0.0)).unwrap();
        expected.push(engine.commit(tx).unwrap().ts);
    }
    assert_eq!(told.lock().len(), 0);
    // What is not durable is not shown to anybody.
    let mut durable = engine.begin_read(ReadAt::Durable).unwrap();
    assert!(by_account(&mut durable, 3.0).is_none());
    assert!(by_account(&mut engine.begin(), 3.0).is_some());
    log.resume();
    while told.lock().len() < expected.len() {
        std::thread::yield_now();
    }
    assert_eq!(*told.lock(), expected);
    assert!(by_account(&mut engine.begin_read(ReadAt::Durable).unwrap(), 3.0).is_some());
}

#[test]
fn a_failure_of_the_log_is_told() {
    let log = Arc::new(MemoryLog::new());
    let engine = engine_over(log.clone());
    let failures = Arc::new(AtomicUsize::new(0));
    let count = failures.clone();
    engine.on_group(Box::new(move |group| {
        count.fetch_add(usize::from(matches!(group, Group::Failed(_))), SeqCst);
    }));
    log.fail();
    while failures.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    assert!(engine.has_failed());
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn ready(future: impl Future<Output = ()>, count: &Arc<Count>) -> bool {
    let waker = Waker::from(count.clone());
    pin!(future).poll(&mut Context::from_waker(&waker)) == Poll::Ready(())
}

fn add(engine: &Engine, id: DocumentId) -> hull_engine::Transaction {
    let mut tx = engine.begin();
    let old = balance(&tx.get(id).unwrap().unwrap());
    tx.patch(id, &[("balance", Some(ValueRef::Float64(old + 1.0)))]).unwrap();
    tx
}

#[test]
fn a_line_lets_one_go_after_the_other() {
    let engine = open(&schema());
    let id = insert(&engine, 1.0, 0.0);
    let loser = add(&engine, id);
    engine.commit(add(&engine, id)).unwrap();
    let Err(CommitError::Conflict(key)) = engine.commit(loser) else { panic!("no conflict") };
    let count = Arc::new(Count::default());
    let (first, second, third) = (engine.line(&key), engine.line(&key), engine.line(&key));
    assert!(ready(&first, &count) && first.is_head());
    assert!(!ready(&second, &count) && !ready(&third, &count));
    // Whoever leaves the middle of the line wakes nobody.
    drop(second);
    assert_eq!(count.0.load(SeqCst), 0);
    drop(first);
    assert_eq!(count.0.load(SeqCst), 1);
    assert!(ready(&third, &count));
}

#[test]
fn a_reservation_makes_others_wait_until_it_ends() {
    let engine = open(&schema());
    let (id, elsewhere) = (insert(&engine, 1.0, 0.0), insert(&engine, 2.0, 0.0));
    let loser = add(&engine, id);
    let reads = loser.read_set().clone();
    engine.commit(add(&engine, id)).unwrap();
    let Err(CommitError::Conflict(key)) = engine.commit(loser) else { panic!("no conflict") };
    let (place, other_place) = (engine.line(&key), engine.line(&key));
    assert!(place.reserve(&reads));
    assert!(!other_place.reserve(&reads), "one at a time");
    let count = Arc::new(Count::default());
    let tx = add(&engine, id);
    let mut clearance = engine.clearance(&tx, None).expect("it writes what is reserved");
    assert!(!ready(&mut clearance, &count));
    assert!(engine.clearance(&add(&engine, elsewhere), None).is_none());
    let mine = add(&engine, id);
    assert!(engine.clearance(&mine, Some(&place)).is_none());
    engine.commit(mine).unwrap();
    drop(place);
    assert_eq!(count.0.load(SeqCst), 1);
    assert!(ready(&mut clearance, &count));
    assert!(engine.clearance(&tx, None).is_none());
}

#[test]
fn many_threads_on_one_document_lose_no_addition() {
    let engine = open(&schema());
    let id = insert(&engine, 1.0, 0.0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let engine = engine.clone();
            scope.spawn(move || {
                for _ in 0..250 {
                    while let Err(error) = engine.commit(add(&engine, id)) {
                        assert!(error.is_retryable());
                    }
                }
            });
        }
    });
    assert_eq!(balance(&engine.begin().get(id).unwrap().unwrap()), 1000.0);
}
