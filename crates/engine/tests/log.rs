//! The commit log through crashes: what was acknowledged is there, nothing is torn, and the order is a prefix.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::sync::Arc;
use std::sync::mpsc;

use hull_engine::log::{
    AppendError, CommitLog, Disk, Durability, DurableEvent, Head, LogError, LogPosition, MemoryLog, RealDisk,
    SegmentLog, SegmentLogOptions, SimDisk,
};
use hull_value::Timestamp;
use proptest::prelude::*;

fn options() -> SegmentLogOptions {
    SegmentLogOptions {
        new_log_id: 77,
        segment_bytes: 8192,
        first_segment_bytes: 4096,
        reserve_bytes: 4096,
        ..SegmentLogOptions::default()
    }
}

fn open(disk: &SimDisk) -> Result<SegmentLog, LogError> {
    SegmentLog::open(Arc::new(disk.clone()), options())
}

fn record(n: u64) -> Vec<u8> {
    let length = [5, 200, 448, 449, 700, 1500][(n % 6) as usize];
    (0..length).map(|i| (n * 31 + i) as u8).collect()
}

fn append(log: &dyn CommitLog) -> Result<Head, AppendError> {
    let head = log.head();
    log.append(head, Timestamp(head.timestamp.0 + 10), &record(head.sequence))
}

fn tail(log: &dyn CommitLog, after: u64) -> Vec<(u64, Vec<u8>)> {
    log.tail(Timestamp(after)).unwrap().map(|r| r.map(|(t, b)| (t.0, b)).unwrap()).collect()
}

/// The log holds exactly the records `from..to`.
fn assert_holds(log: &dyn CommitLog, from: u64, to: u64) {
    let wanted: Vec<_> = (from..to).map(|n| ((n + 1) * 10, record(n))).collect();
    assert!(tail(log, from * 10) == wanted, "the log does not hold {from}..{to}");
    assert_eq!(log.head(), Head { sequence: to, timestamp: Timestamp(to * 10) });
}

fn events(log: &dyn CommitLog) -> mpsc::Receiver<DurableEvent> {
    let (sender, receiver) = mpsc::channel();
    log.on_durable(Box::new(move |event| {
        let _ = sender.send(event.clone());
    }));
    receiver
}

fn basics(log: &dyn CommitLog) {
    let events = events(log);
    for n in 1..=20 {
        assert_eq!(append(log).unwrap(), Head { sequence: n, timestamp: Timestamp(n * 10) });
    }
    let stale = Head { sequence: 3, timestamp: Timestamp(30) };
    assert_eq!(log.append(stale, Timestamp(900), b"x"), Err(AppendError::HeadMoved(log.head())));
    assert_eq!(log.append(log.head(), Timestamp(200), b"x"), Err(AppendError::HeadMoved(log.head())));
    let mut told = 0;
    while told < 200 {
        let DurableEvent::Durable(timestamp) = events.recv().unwrap() else { panic!("failed") };
        assert!(timestamp.0 > told);
        told = timestamp.0;
    }
    assert!(log.sync().unwrap() > LogPosition(0));
    assert_eq!(log.durable(), Timestamp(200));
    assert_holds(log, 0, 20);
    assert_holds(log, 15, 20);
    log.trim(Timestamp(100)).unwrap();
    assert_holds(log, 10, 20);
    assert_eq!(log.stats().records, 20);
}

#[test]
fn every_log_keeps_the_order_of_its_appends() {
    basics(&MemoryLog::new());
    basics(&open(&SimDisk::new()).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    for durability in [Durability::Strict, Durability::Relaxed] {
        let _ = std::fs::remove_dir_all(&path);
        let options = SegmentLogOptions { durability, ..options() };
        let log = SegmentLog::open(Arc::new(RealDisk::open(&path).unwrap()), options.clone()).unwrap();
        basics(&log);
        drop(log);
        let log = SegmentLog::open(Arc::new(RealDisk::open(&path).unwrap()), options).unwrap();
        assert_eq!(log.cut(), None);
        assert_holds(&log, 10, 20);
    }
}

/// Appends, trims and syncs until the power goes; returns how many records were ordered and how many acknowledged.
fn workload(disk: &SimDisk, durability: Durability, trimmed: &mut u64) -> (u64, u64) {
    let options = SegmentLogOptions { durability, ..options() };
    let Ok(log) = SegmentLog::open(Arc::new(disk.clone()), options) else { return (0, 0) };
    let events = events(&log);
    let (mut ordered, mut acknowledged) = (log.head().sequence, log.head().sequence);
    for round in 0..14 {
        for _ in 0..=round % 3 {
            match append(&log) {
                Ok(head) => ordered = head.sequence,
                Err(_) => return (ordered, acknowledged),
            }
        }
        while acknowledged < ordered {
            match events.recv().unwrap() {
                DurableEvent::Durable(timestamp) => acknowledged = timestamp.0 / 10,
                DurableEvent::Failed(_) => {
                    assert!(matches!(append(&log), Err(AppendError::Failed(_))));
                    assert!(log.sync().is_err());
                    return (ordered, acknowledged);
                }
            }
        }
        if round % 4 == 3 {
            let through = acknowledged - 3;
            *trimmed = through;
            let _ = log.trim(Timestamp(through * 10));
        }
    }
    (ordered, acknowledged)
}

#[test]
fn a_power_loss_at_any_operation_loses_nothing_acknowledged() {
    for seed in 0..3 {
        for n in 1.. {
            let disk = SimDisk::new();
            disk.cut_at(n);
            let mut trimmed = 0;
            let (ordered, acknowledged) = workload(&disk, Durability::Strict, &mut trimmed);
            let was_cut = disk.is_cut();
            for again in 0..3 {
                disk.power_loss(seed * 1000 + n + again);
                // A second cut in the middle of recovery changes nothing.
                if again < 2 {
                    disk.cut_at(1 + (n + again) % 7);
                    let _ = open(&disk);
                }
            }
            let log = open(&disk).unwrap_or_else(|error| panic!("seed {seed}, operation {n}: {error}"));
            let found = log.head().sequence;
            assert!((acknowledged..=ordered).contains(&found), "{acknowledged} <= {found} <= {ordered}");
            assert_holds(&log, trimmed.min(found), found);
            append(&log).unwrap();
            log.sync().unwrap();
            drop(log);
            disk.power_loss(n);
            assert_holds(&open(&disk).unwrap(), trimmed.min(found), found + 1);
            if !was_cut {
                break;
            }
        }
    }
}

#[test]
fn relaxed_loses_a_suffix_at_most_and_nothing_that_was_synced() {
    for n in 1.. {
        let disk = SimDisk::new();
        disk.cut_at(n);
        let mut trimmed = 0;
        let (ordered, _) = workload(&disk, Durability::Relaxed, &mut trimmed);
        let was_cut = disk.is_cut();
        disk.power_loss(n);
        let log = open(&disk).unwrap();
        assert!(log.head().sequence <= ordered);
        let found = log.head().sequence;
        assert_holds(&log, trimmed.min(found), found);
        if !was_cut {
            break;
        }
    }
    let disk = SimDisk::new();
    let options = SegmentLogOptions { durability: Durability::Relaxed, ..options() };
    let log = SegmentLog::open(Arc::new(disk.clone()), options).unwrap();
    append(&log).unwrap();
    log.sync().unwrap();
    let copy = disk.fork();
    copy.power_loss(1);
    assert_holds(&open(&copy).unwrap(), 0, 1);
}

/// A log of several segments with one record per group, and the offset of each group's end.
fn filled(disk: &SimDisk, records: u64) -> Vec<u64> {
    let log = open(disk).unwrap();
    (0..records)
        .map(|_| {
            append(&log).unwrap();
            log.sync().unwrap().0
        })
        .collect()
}

#[test]
fn damage_before_the_end_is_refused_with_its_offset_and_old_bytes_are_neither() {
    let disk = SimDisk::new();
    let mut ends = filled(&disk, 30);
    let log = open(&disk).unwrap();
    log.trim(Timestamp(200)).unwrap();
    assert!(matches!(log.tail(Timestamp(0)), Err(LogError::Trimmed { .. })));
    for _ in 30..40 {
        append(&log).unwrap();
        ends.push(log.sync().unwrap().0);
    }
    drop(log);
    let mut refused = 0;
    for name in disk.list().unwrap().into_iter().filter(|name| name.ends_with(".log")) {
        let size = disk.open(&name).unwrap().len().unwrap();
        for place in (0..size).step_by(512) {
            for at in [place, place + 5, place + 40] {
                let copy = disk.fork();
                copy.flip(&name, at, (place / 512 % 8) as u8);
                match open(&copy) {
                    Ok(log) => assert_holds(&log, 25, 40),
                    Err(LogError::Damaged { offset, .. }) => {
                        refused += 1;
                        // A segment's header, or the beginning of a group (the closing ones too).
                        assert!(place == 0 || offset % 512 == 0 && offset <= ends[39] + 512, "{offset}");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
    assert!(refused > 30, "{refused}");
}

#[test]
fn damage_to_the_last_group_is_a_torn_tail_unless_a_checkpoint_needs_it() {
    let disk = SimDisk::new();
    let log = open(&disk).unwrap();
    append(&log).unwrap();
    let first = log.sync().unwrap();
    append(&log).unwrap();
    let second = log.sync().unwrap();
    // The log is still open, so no closing group vouches for the last one.
    let damaged = disk.fork();
    let name = damaged.list().unwrap().into_iter().find(|name| name.ends_with(".log")).unwrap();
    damaged.flip(&name, 512 + first.0 + 100, 3);
    let refused =
        SegmentLog::open(Arc::new(damaged.fork()), SegmentLogOptions { must_reach: second, ..options() });
    assert!(matches!(refused, Err(LogError::Damaged { offset, .. }) if offset == first.0));
    let log = open(&damaged).unwrap();
    assert_eq!(log.cut(), Some(first));
    assert_holds(&log, 0, 1);
    drop(log);
    assert_eq!(open(&damaged).unwrap().cut(), None);
    let empty =
        SegmentLog::open(Arc::new(SimDisk::new()), SegmentLogOptions { must_reach: first, ..options() });
    assert!(matches!(empty, Err(LogError::Damaged { offset: 0, .. })));
}

#[test]
fn a_missing_segment_is_damage_and_checkpointed_ones_are_not_read() {
    let disk = SimDisk::new();
    filled(&disk, 40);
    let segments: Vec<_> = disk.list().unwrap().into_iter().filter(|name| name.ends_with(".log")).collect();
    assert!(segments.len() > 3);
    let copy = disk.fork();
    copy.remove(&segments[1]).unwrap();
    assert!(matches!(open(&copy), Err(LogError::Damaged { .. })));
    let copy = disk.fork();
    copy.flip(&segments[0], 580, 1);
    assert!(matches!(open(&copy), Err(LogError::Damaged { .. })));
    let checkpointed = SegmentLogOptions { checkpoint: Timestamp(350), ..options() };
    assert_holds(&SegmentLog::open(Arc::new(copy), checkpointed).unwrap(), 35, 40);
}

#[test]
fn after_a_failed_operation_nothing_more_is_acknowledged() {
    for n in 1..60 {
        let disk = SimDisk::new();
        let log = open(&disk).unwrap();
        append(&log).unwrap();
        log.sync().unwrap();
        let events = events(&log);
        disk.fail_at(n);
        let mut acknowledged = 1;
        let failed = (0..20).any(|_| append(&log).is_err() || log.sync().map(|_| acknowledged += 1).is_err());
        if failed {
            let last = events.iter().find(|event| matches!(event, DurableEvent::Failed(_)));
            assert!(last.is_some() && events.try_recv().is_err());
            assert!(matches!(append(&log), Err(AppendError::Failed(_))));
            assert!(log.durable().0 / 10 >= acknowledged);
        }
        drop(log);
        disk.power_loss(n);
        assert!(open(&disk).unwrap().head().sequence >= acknowledged);
    }
}

#[test]
fn a_full_disk_refuses_appends_until_there_is_space() {
    let disk = SimDisk::new();
    let log = open(&disk).unwrap();
    disk.set_free_space(0);
    let mut appended = 0;
    let refused = (0..10_000).find_map(|_| match append(&log) {
        Ok(_) => {
            appended += 1;
            log.sync().map(|_| None).unwrap_or_else(|error| panic!("{error}"))
        }
        Err(error) => Some(error),
    });
    assert_eq!(refused, Some(AppendError::DiskFull));
    assert!(log.stats().disk_full);
    assert_holds(&log, 0, appended);
    disk.set_free_space(1 << 20);
    for _ in 0..30 {
        append(&log).unwrap();
        log.sync().unwrap();
    }
    assert_holds(&log, 0, appended + 30);
}

#[test]
fn a_record_larger_than_a_segment_gets_one_of_its_own() {
    let disk = SimDisk::new();
    let log = open(&disk).unwrap();
    let large = vec![7; 100_000];
    log.append(log.head(), Timestamp(1), &large).unwrap();
    log.append(log.head(), Timestamp(2), b"small").unwrap();
    log.sync().unwrap();
    drop(log);
    disk.power_loss(1);
    assert_eq!(tail(&open(&disk).unwrap(), 0), [(1, large), (2, b"small".to_vec())]);
}

#[derive(Debug, Clone)]
enum Action {
    Append(u8),
    Sync,
    Trim(u8),
    Restart,
    Crash(u64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (1..6u8).prop_map(Action::Append),
        3 => Just(Action::Sync),
        1 => any::<u8>().prop_map(Action::Trim),
        1 => Just(Action::Restart),
        2 => any::<u64>().prop_map(Action::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_lives_agree_with_a_vector(actions in prop::collection::vec(action(), 1..60)) {
        let disk = SimDisk::new();
        let mut log = Some(open(&disk).unwrap());
        let (mut synced, mut trimmed, mut reach) = (0, 0, LogPosition(0));
        for action in actions {
            let open_log = log.as_ref().unwrap();
            match action {
                Action::Append(count) => (0..count).for_each(|_| { append(open_log).unwrap(); }),
                Action::Sync => {
                    reach = open_log.sync().unwrap();
                    synced = open_log.head().sequence;
                }
                Action::Trim(part) => {
                    trimmed = trimmed.max(synced * u64::from(part) / 255);
                    open_log.trim(Timestamp(trimmed * 10)).unwrap();
                }
                Action::Restart => {
                    synced = open_log.head().sequence;
                    drop(log.take());
                }
                Action::Crash(seed) => {
                    let ordered = open_log.head().sequence;
                    disk.cut_at(1);
                    drop(log.take());
                    disk.power_loss(seed);
                    let reopened = open(&disk).unwrap();
                    prop_assert!((synced..=ordered).contains(&reopened.head().sequence));
                    synced = reopened.head().sequence;
                    log = Some(reopened);
                }
            }
            let reopened = log.take().map_or_else(
                || SegmentLog::open(Arc::new(disk.clone()), SegmentLogOptions {
                    must_reach: reach, checkpoint: Timestamp(trimmed * 10), ..options()
                }),
                Ok,
            ).unwrap();
            if reopened.head().sequence == synced {
                assert_holds(&reopened, trimmed, synced);
            }
            log = Some(reopened);
        }
    }
}
