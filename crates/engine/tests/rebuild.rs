//! Whatever happens to the store, a backup and the log bring back everything that was acknowledged; and a backup alone
//! makes the state it was taken of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use hull_engine::storage::Entry;
use hull_engine::{
    BackupInfo, DirOptions, Engine, Hold, OpenError, RebuildError, RebuildSource, Rebuilt, compact, rebuild,
    restore, verify_backup, write_backup,
};
use hull_model::{Schema, define_table, v};
use hull_value::{DocumentId, ValueRef};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

fn test_schema(with_index: bool) -> Schema {
    let table = define_table("t").field("k", v::number()).field("pad", v::string()).index("by_k", ["k"]);
    Schema::new().table(if with_index { table.index("by_pad", ["pad"]) } else { table })
}

/// The engine's threads may hold on to the directory for a moment after it was dropped.
fn unlocked<T>(mut work: impl FnMut() -> Result<T, RebuildError>) -> Result<T, RebuildError> {
    loop {
        match work() {
            Err(RebuildError::Open(OpenError::Locked { .. })) => std::thread::yield_now(),
            other => return other,
        }
    }
}

fn rebuilt(directory: &Path, backup: Option<&Path>) -> Result<Rebuilt, RebuildError> {
    unlocked(|| rebuild(directory, backup, &mut |_| {}))
}

fn try_open(directory: &Path) -> Result<Engine, OpenError> {
    let options = DirOptions { memory_budget: 64 << 20, ..DirOptions::default() };
    loop {
        match Engine::open_dir(directory, options) {
            Err(OpenError::Locked { .. }) => std::thread::yield_now(),
            other => return other,
        }
    }
}

fn open(directory: &Path) -> Engine {
    try_open(directory).unwrap()
}

/// Everything that is stored: documents, index entries, catalog.
fn held_keys(hold: &Hold) -> Vec<Entry> {
    let mut keys = hold.keys();
    let mut all = Vec::new();
    loop {
        let chunk = keys.next_chunk().unwrap();
        if chunk.is_empty() {
            return all;
        }
        all.extend(chunk);
    }
}

fn all_keys(directory: &Path) -> Vec<Entry> {
    let engine = open(directory);
    let keys = held_keys(&engine.hold().unwrap());
    engine.shutdown();
    keys
}

fn write(engine: &Engine, ids: &mut Vec<DocumentId>, rng: &mut SmallRng, commits: u32, longest: usize) {
    for _ in 0..commits {
        let mut tx = engine.begin();
        for _ in 0..rng.random_range(1..8) {
            let k = f64::from(rng.random_range(0..50));
            let pad = "p".repeat(rng.random_range(0..longest));
            match rng.random_range(0..5) {
                0 if !ids.is_empty() => {
                    tx.delete(ids.swap_remove(rng.random_range(0..ids.len()))).unwrap();
                }
                1 if !ids.is_empty() => {
                    let id = ids[rng.random_range(0..ids.len())];
                    tx.patch(id, &[("k", Some(ValueRef::Float64(k)))]).unwrap();
                }
                _ => {
                    let fields = object(&[("k", k.into()), ("pad", pad.as_str().into())]);
                    ids.push(tx.insert("t", &fields).unwrap());
                }
            }
        }
        engine.commit(tx).unwrap();
    }
    wait_durable(engine);
}

fn back_up(engine: &Engine, file: &Path) -> BackupInfo {
    let hold = engine.hold().unwrap();
    let mut out = fs::File::create(file).unwrap();
    let info = write_backup(&hold, &mut out, &mut |_, _| {}).unwrap();
    out.sync_all().unwrap();
    hold.note_backup().unwrap();
    assert_eq!(verify_backup(&mut fs::File::open(file).unwrap()).unwrap(), info);
    info
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &target);
        } else {
            fs::copy(file.path(), target).unwrap();
        }
    }
}

fn files_of(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for file in fs::read_dir(directory).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_dir() {
            files.extend(files_of(&file.path()));
        } else {
            files.push(file.path());
        }
    }
    files.sort();
    files
}

/// A directory with a backup, and acknowledged commits since: some in the store, some only in the log.
struct Damaged {
    root: tempfile::TempDir,
    rng: SmallRng,
    expected: Vec<Entry>,
}

impl Damaged {
    fn new(seed: u64) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (original, backup) = (root.path().join("original"), root.path().join("backup"));
        let (mut rng, mut ids) = (SmallRng::seed_from_u64(seed), Vec::new());
        let engine = open(&original);
        engine.apply_schema(&test_schema(true), &mut |_| {}).unwrap();
        write(&engine, &mut ids, &mut rng, 60, 6000);
        back_up(&engine, &backup);
        write(&engine, &mut ids, &mut rng, 30, 300);
        // What is dropped and cleaned up after the backup does not come back.
        engine.apply_schema(&test_schema(false), &mut |_| {}).unwrap();
        write(&engine, &mut ids, &mut rng, 30, 30_000);
        engine.checkpoint().unwrap();
        while engine.maintain().unwrap() {}
        write(&engine, &mut ids, &mut rng, 30, 300);
        let mut damaged = Self { root, rng, expected: Vec::new() };
        // As after a crash: nothing is stored at the end.
        drop(engine);
        assert_eq!(rebuilt(&original, Some(Path::new("none"))).unwrap_err().code(), "RebuildIo");
        copy(&original, &damaged.root.path().join("crashed"));
        damaged.expected = {
            let copied = damaged.root.path().join("healthy");
            copy(&damaged.root.path().join("crashed"), &copied);
            all_keys(&copied)
        };
        assert!(damaged.expected.len() > 200);
        damaged
    }

    fn case(&self) -> PathBuf {
        let case = self.root.path().join("case");
        if case.exists() {
            fs::remove_dir_all(&case).unwrap();
        }
        copy(&self.root.path().join("crashed"), &case);
        case
    }

    fn check(&self, case: &Path, name: &str) {
        let done = rebuilt(case, Some(&self.root.path().join("backup")));
        let done = done.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(matches!(done.source, RebuildSource::Backup(_)) && done.records > 0);
        assert!(all_keys(case) == self.expected, "{name}");
    }
}

#[test]
fn everything_acknowledged_comes_back_after_any_bit_of_the_store_has_flipped() {
    let mut damaged = Damaged::new(1);
    let mut refused = 0;
    for n in 0..25 {
        let case = damaged.case();
        let files = files_of(&case.join("store"));
        let sizes: Vec<u64> = files.iter().map(|f| fs::metadata(f).unwrap().len()).collect();
        let mut at = damaged.rng.random_range(0..sizes.iter().sum::<u64>());
        let mut which = 0;
        while at >= sizes[which] {
            at -= sizes[which];
            which += 1;
        }
        let mut bytes = fs::read(&files[which]).unwrap();
        bytes[at as usize] ^= 1 << damaged.rng.random_range(0..8);
        fs::write(&files[which], bytes).unwrap();
        if n < 8
            && let Err(error) = try_open(&case)
        {
            let text = error.to_string();
            assert!(text.contains("`hull rebuild`") && text.contains("`hull restore`"), "{text}");
            refused += 1;
        }
        damaged.check(&case, &format!("bit flip {n} in {} at {at}", files[which].display()));
    }
    assert!(refused > 0);
}

#[test]
fn everything_acknowledged_comes_back_after_a_file_of_the_store_is_gone() {
    let damaged = Damaged::new(2);
    for file in files_of(&damaged.case().join("store")) {
        let case = damaged.case();
        fs::remove_file(&file).unwrap();
        damaged.check(&case, &format!("without {}", file.display()));
    }
    let case = damaged.case();
    fs::remove_dir_all(case.join("store")).unwrap();
    damaged.check(&case, "without the store");
    // The log of so small a database reaches back to its beginning.
    let case = damaged.case();
    fs::remove_dir_all(case.join("store")).unwrap();
    assert_eq!(rebuilt(&case, None).unwrap().source, RebuildSource::Log);
    assert!(all_keys(&case) == damaged.expected);
    let case = damaged.case();
    assert_eq!(unlocked(|| compact(&case, &mut |_| {})).unwrap().source, RebuildSource::Store);
    assert!(all_keys(&case) == damaged.expected);
    // Nor does a rebuild without the log lose what it would need.
    let case = damaged.case();
    fs::remove_dir_all(case.join("log")).unwrap();
    let error = rebuilt(&case, Some(&damaged.root.path().join("backup"))).unwrap_err();
    assert_eq!(error.code(), "NoLog");
}

#[test]
fn a_crash_while_stores_are_swapped_leaves_the_old_or_the_new_one() {
    let damaged = Damaged::new(3);
    let case = damaged.case();
    rebuilt(&case, Some(&damaged.root.path().join("backup"))).unwrap();
    let swapped = |names: &[(&str, &str)]| {
        let again = damaged.root.path().join("again");
        if again.exists() {
            fs::remove_dir_all(&again).unwrap();
        }
        copy(&case, &again);
        for (from, to) in names {
            fs::rename(again.join(from), again.join(to)).unwrap();
        }
        again
    };
    for names in [
        &[("store", "store.new"), ("store.old", "store")][..],
        &[("store", "store.ready"), ("store.old", "store")],
        &[("store", "store.ready")],
    ] {
        assert!(all_keys(&swapped(names)) == damaged.expected, "{names:?}");
    }
    let interrupted = swapped(&[("store", "store.new")]);
    assert_eq!(try_open(&interrupted).unwrap_err().code(), "DataDamaged");
    rebuilt(&interrupted, Some(&damaged.root.path().join("backup"))).unwrap();
    assert!(all_keys(&interrupted) == damaged.expected);
}

#[test]
fn a_backup_is_restored_into_an_empty_directory_and_refused_when_any_bit_differs() {
    let root = tempfile::tempdir().unwrap();
    let (original, backup) = (root.path().join("original"), root.path().join("backup"));
    let (mut rng, mut ids) = (SmallRng::seed_from_u64(4), Vec::new());
    let engine = open(&original);
    engine.apply_schema(&test_schema(true), &mut |_| {}).unwrap();
    write(&engine, &mut ids, &mut rng, 60, 6000);
    let info = back_up(&engine, &backup);
    let expected = held_keys(&engine.hold().unwrap());
    assert_eq!(info.keys as usize, expected.len());
    write(&engine, &mut ids, &mut rng, 10, 300);
    assert_eq!(restore(&backup, &original, &mut |_| {}).unwrap_err().code(), "DirectoryNotEmpty");
    drop(engine);

    let copied = root.path().join("copied");
    assert_eq!(restore(&backup, &copied, &mut |_| {}).unwrap(), info);
    assert!(all_keys(&copied) == expected);
    let engine = open(&copied);
    write(&engine, &mut ids.split_off(ids.len()), &mut rng, 10, 300);
    drop(engine);
    let written = all_keys(&copied);
    // The new directory goes on from the backup, so it can be rebuilt from it.
    fs::remove_dir_all(copied.join("store")).unwrap();
    rebuilt(&copied, Some(&backup)).unwrap();
    assert!(all_keys(&copied) == written && written != expected);
    // But a later backup of the old directory is not one of the new one.
    let engine = open(&original);
    let later = root.path().join("later");
    back_up(&engine, &later);
    drop(engine);
    assert_eq!(rebuilt(&copied, Some(&later)).unwrap_err().code(), "ForeignBackup");

    let bytes = fs::read(&backup).unwrap();
    for n in 0..300 {
        let mut bad = bytes.clone();
        match n % 3 {
            0 => bad.truncate(rng.random_range(0..bytes.len())),
            1 => bad.push(rng.random()),
            _ => {
                let at = if n < 100 { n } else { rng.random_range(0..bytes.len()) };
                bad[at] ^= 1 << rng.random_range(0..8);
            }
        }
        let error = verify_backup(&mut &bad[..]).unwrap_err();
        assert!(["BackupDamaged", "NotABackup"].contains(&error.code()), "{error}");
        if n < 6 {
            let (file, target) = (root.path().join("bad"), root.path().join("never"));
            fs::write(&file, &bad).unwrap();
            assert_eq!(restore(&file, &target, &mut |_| {}).unwrap_err().code(), error.code());
            assert!(!target.exists());
        }
    }
}

/// Fills more than a segment of the log, and takes a checkpoint.
fn fill(engine: &Engine) {
    for _ in 0..50 {
        let mut tx = engine.begin();
        tx.insert("big", &object(&[("pad", "p".repeat(200_000).as_str().into())])).unwrap();
        engine.commit(tx).unwrap();
        // A group of its own, so that segments fill up the same way every time.
        wait_durable(engine);
    }
    engine.checkpoint().unwrap();
}

#[test]
fn the_log_is_kept_since_the_last_backup_and_what_is_missing_is_named() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data");
    let [first, second, third] = ["first", "second", "third"].map(|name| root.path().join(name));
    let engine = open(&path);
    fill(&engine);
    let trimmed = engine.metrics().log_segments;
    back_up(&engine, &first);
    fill(&engine);
    fill(&engine);
    let kept = engine.metrics().log_segments;
    assert!(kept > trimmed, "{kept} segments kept after the backup, {trimmed} before");
    let noted = back_up(&engine, &second).ts;
    fill(&engine);
    assert_eq!(engine.metrics().last_backup, noted);
    engine.shutdown();
    drop(engine);
    // It is known after a restart.
    let engine = open(&path);
    fill(&engine);
    assert_eq!(engine.metrics().last_backup, noted);
    back_up(&engine, &third);
    assert!(engine.metrics().last_backup > noted);
    engine.shutdown();
    drop(engine);
    let expected = all_keys(&path);

    let done = rebuilt(&path, None).unwrap();
    assert_eq!(done.source, RebuildSource::Store);
    fs::remove_dir_all(done.moved_aside.unwrap()).unwrap();
    assert!(all_keys(&path) == expected);

    let error = rebuilt(&path, Some(&first)).unwrap_err();
    assert_eq!(error.code(), "BackupTooOld");
    rebuilt(&path, Some(&second)).unwrap();
    assert!(all_keys(&path) == expected);
    fs::write(path.join("store/db"), "no store").unwrap();
    let error = rebuilt(&path, None).unwrap_err();
    assert_eq!(error.code(), "Unrecoverable");
    assert!(error.to_string().contains("without a backup nothing that was committed up to 20"), "{error}");
    fs::remove_file(path.join("store/db")).unwrap();
    assert_eq!(rebuilt(&path, None).unwrap_err().code(), "Unrecoverable");
    rebuilt(&path, Some(&third)).unwrap();
    assert!(all_keys(&path) == expected);
}

#[test]
fn a_compacted_store_is_smaller_and_holds_the_same() {
    let root = tempfile::tempdir().unwrap();
    let mut rng = SmallRng::seed_from_u64(6);
    let engine = open(root.path());
    engine.apply_schema(&test_schema(true), &mut |_| {}).unwrap();
    let mut ids = Vec::new();
    for _ in 0..40 {
        let mut tx = engine.begin();
        for _ in 0..500 {
            let pad = "p".repeat(rng.random_range(0..300));
            let fields =
                object(&[("k", f64::from(rng.random_range(0..50)).into()), ("pad", pad.as_str().into())]);
            if ids.len() < 2000 {
                ids.push(tx.insert("t", &fields).unwrap());
            } else {
                tx.replace(ids[rng.random_range(0..ids.len())], &fields).unwrap();
            }
        }
        engine.commit(tx).unwrap();
        wait_durable(&engine);
        engine.checkpoint().unwrap();
    }
    engine.shutdown();
    drop(engine);
    let expected = all_keys(root.path());
    let done = unlocked(|| compact(root.path(), &mut |_| {})).unwrap();
    // By how much depends on when sled reused what.
    assert!(4 * done.bytes_after < 3 * done.bytes_before, "{done:?}");
    assert!(all_keys(root.path()) == expected);
}
