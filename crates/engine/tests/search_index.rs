//! The life of a search index: made over documents while others write them, dropped, made anew, imported.
//!
//! Whatever happens, its postings are those of the documents: counted here by words, and compared one by one by
//! verifying, which `search_verify.rs` shows to find every damage.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::search::*;
use common::{Disk, object, wait_durable};
use hull_engine::storage::{Fault, FaultyStorage, MemoryStorage, Storage};
use hull_engine::{
    CommitError, Engine, ImportMode, ImportOptions, ImportRow, ImportTable, Progress, SearchRequest,
    VerifyReport,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Appends rows that bring their own creation times, before, among and after those that are there.
fn append(engine: &Engine, rng: &mut SmallRng) {
    let options = ImportOptions { mode: ImportMode::Append, ..ImportOptions::default() };
    import(engine, options, rng, 5);
}

fn import(engine: &Engine, options: ImportOptions, rng: &mut SmallRng, rows: u64) {
    let tables = [ImportTable { name: "t".into(), number: None }];
    let mut import = engine.begin_import(options, &tables).unwrap();
    let rows = (1..=rows).map(|number| {
        let mut fields = fields(rng);
        if rng.random_bool(0.5) {
            let time = 1_700_000_000_000.0 + f64::from(rng.random_range(-50_000..50_000));
            fields.push(("_creationTime", time.into()));
        }
        ImportRow { number, value: object(&fields) }
    });
    import.push("t", rows.collect::<Vec<_>>()).unwrap();
    import.finish().unwrap();
}

fn request(index: &str) -> SearchRequest<'_> {
    SearchRequest { table: "t", index, field: None, text: "word1", filters: &[] }
}

fn step(engine: &Engine, rng: &mut SmallRng) {
    for _ in 0..rng.random_range(0..4) {
        wait_durable(engine);
        if rng.random_bool(0.7) {
            engine.checkpoint_step().unwrap();
        } else {
            engine.maintain().unwrap();
        }
    }
}

#[test]
fn an_index_made_while_others_write_has_every_posting_once() {
    for seed in 0..4 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let disk = Disk::new();
        let engine = disk.open(seed).unwrap();
        engine.apply_schema(&schema(&[]), &mut |_| {}).unwrap();
        insert(&engine, &mut rng, 1000);
        let (mut pages, mut codes) = (Vec::new(), Vec::new());
        let mut late = None;
        engine
            .apply_schema(&one(), &mut |progress| {
                let Progress::Filling { documents, .. } = progress else { panic!("{progress:?}") };
                pages.push(documents);
                // Nobody reads what is being filled.
                let read = engine.begin().search(&request("search_0"));
                codes.push(read.err().map(|error| error.code()));
                // Whoever began before the page was filled does not know what to maintain.
                if let Some(late) = late.take() {
                    assert!(matches!(engine.commit(late), Err(CommitError::Conflict(_))));
                }
                for _ in 0..rng.random_range(0..6) {
                    write(&engine, &mut rng, 8);
                }
                append(&engine, &mut rng);
                step(&engine, &mut rng);
                // As far as it is filled, it is right.
                assert_eq!(verify(&engine).findings, []);
                let mut tx = engine.begin();
                tx.delete(random_id(&engine, &mut rng).unwrap()).unwrap();
                tx.insert("t", &object(&fields(&mut rng))).unwrap();
                late = Some(tx);
            })
            .unwrap();
        assert!(pages.len() >= 4 && pages.is_sorted(), "{pages:?}");
        assert_eq!(codes.pop(), Some(None), "the last page was told when it was filled");
        assert!(codes.iter().all(|code| *code == Some("IndexBackfillingError")), "{codes:?}");
        drop(late);
        check(&engine, 1);
        // From now on it is maintained as any other.
        for _ in 0..20 {
            write(&engine, &mut rng, 8);
            step(&engine, &mut rng);
        }
        check(&engine, 1);
    }
}

#[test]
fn a_crash_between_two_pages_loses_a_page_at_most() {
    for seed in 0..3 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let disk = Disk::new();
        let engine = disk.open(seed).unwrap();
        engine.apply_schema(&schema(&[]), &mut |_| {}).unwrap();
        insert(&engine, &mut rng, 1000);
        let mut crashed = Vec::new();
        engine
            .apply_schema(&one(), &mut |progress| {
                let Progress::Filling { documents, .. } = progress else { panic!("{progress:?}") };
                write(&engine, &mut rng, 8);
                step(&engine, &mut rng);
                wait_durable(&engine);
                let storage = Arc::new(copy(&*disk.storage));
                let faulty = Arc::new(FaultyStorage::new(storage.clone()));
                let log = Arc::new(disk.log.after_power_loss(0));
                crashed.push((documents, Disk { storage, faulty, log, clock: disk.clock.clone() }));
            })
            .unwrap();
        for (filled, disk) in crashed {
            let engine = disk.open(seed + 1).unwrap();
            let before = documents(&engine).len() as u64;
            let mut told = 0;
            // Writers come before the fill goes on.
            write(&engine, &mut rng, 8);
            let mut go_on = |progress| {
                if let Progress::Filling { documents, .. } = progress {
                    told = documents;
                }
            };
            engine.apply_schema(&one(), &mut go_on).unwrap();
            assert!(told + filled <= before + 20, "{filled} before the crash, {told} after, of {before}");
            check(&engine, 1);
        }
    }
}

fn copy(storage: &dyn Storage) -> MemoryStorage {
    let copied = MemoryStorage::new();
    for (key, value) in storage.range(&[], None, false, usize::MAX, usize::MAX).unwrap().entries {
        change(&copied, &key, Some(value));
    }
    copied
}

#[test]
fn an_index_that_is_dropped_while_a_checkpoint_runs_leaves_nothing() {
    for seed in 0..8 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut disk = Disk::new();
        let mut engine = disk.open(seed).unwrap();
        engine.apply_schema(&one(), &mut |_| {}).unwrap();
        insert(&engine, &mut rng, 300);
        wait_durable(&engine);
        engine.checkpoint().unwrap();
        insert(&engine, &mut rng, 300);
        wait_durable(&engine);
        // Let it be somewhere in its keys, or in its postings.
        for _ in 0..rng.random_range(0..8) {
            engine.checkpoint_step().unwrap();
        }
        engine.apply_schema(&schema(&[]), &mut |_| {}).unwrap();
        let mut more = rng.random_range(5..40);
        while more > 0 {
            more -= 1;
            wait_durable(&engine);
            match rng.random_range(0..10) {
                0..4 => drop(engine.checkpoint_step().unwrap()),
                4..7 => drop(engine.maintain().unwrap()),
                7 | 8 => write(&engine, &mut rng, 8),
                _ => {
                    drop(engine);
                    disk.lose_power(&mut rng);
                    engine = disk.open(seed + 100 + more).unwrap();
                }
            }
        }
        for _ in 0..3 {
            wait_durable(&engine);
            engine.checkpoint().unwrap();
            while engine.maintain().unwrap() {}
        }
        assert_eq!(engine.begin().search(&request("search_0")).unwrap_err().code(), "IndexNotFoundError");
        let report = verify(&engine);
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(found_names(&report), ["by_creation_time", "by_user"]);
        // One of the same name is another one.
        engine.apply_schema(&one(), &mut |_| {}).unwrap();
        check(&engine, 1);
    }
}

fn found_names(report: &VerifyReport) -> Vec<&str> {
    let t = report.tables.iter().find(|t| t.name == "t").unwrap();
    t.indexes.iter().map(|i| &*i.name).collect()
}

#[test]
fn an_import_brings_its_own_postings() {
    for (seed, mode) in [(1, ImportMode::Replace), (2, ImportMode::ReplaceAll), (3, ImportMode::Append)] {
        let mut rng = SmallRng::seed_from_u64(seed);
        let disk = Disk::new();
        let engine = disk.open(seed).unwrap();
        engine.apply_schema(&one(), &mut |_| {}).unwrap();
        insert(&engine, &mut rng, 300);
        import(&engine, ImportOptions { mode, ..ImportOptions::default() }, &mut rng, 1200);
        let count = documents(&engine).len();
        assert_eq!(count, if mode == ImportMode::Append { 1500 } else { 1200 });
        check(&engine, 1);
        write(&engine, &mut rng, 8);
        // What was replaced goes, and an import that is given up leaves nothing.
        let options = ImportOptions { mode: ImportMode::Replace, dry_run: true, ..ImportOptions::default() };
        import(&engine, options, &mut rng, 700);
        for _ in 0..3 {
            wait_durable(&engine);
            engine.checkpoint().unwrap();
            while engine.maintain().unwrap() {}
        }
        check(&engine, 1);
        assert!(verify(&engine).is_clean());
    }
}

#[test]
fn whatever_happens_the_postings_are_those_of_the_documents() {
    let schemas: [&[&[&str]]; 5] =
        [&[], &[&[]], &[&["user"]], &[&["user"], &[]], &[&["body.kind", "user"], &["user"]]];
    for seed in 0..8 {
        let mut rng = SmallRng::seed_from_u64(1000 + seed);
        let mut disk = Disk::new();
        let mut engine = disk.open(seed).unwrap();
        let mut declared = schemas[rng.random_range(1..5)];
        engine.apply_schema(&schema(declared), &mut |_| {}).unwrap();
        let mut holds = Vec::new();
        for round in 0..80 {
            disk.clock.advance(rng.random_range(0..3_000_000_000));
            match rng.random_range(0..32) {
                0..11 => write(&engine, &mut rng, 40),
                11..14 => search(&engine, &mut rng, declared.len()),
                14..22 => step(&engine, &mut rng),
                22 => {
                    declared = schemas[rng.random_range(0..5)];
                    let mut between = |_: Progress| {
                        write(&engine, &mut rng, 8);
                        step(&engine, &mut rng);
                    };
                    engine.apply_schema(&schema(declared), &mut between).unwrap();
                }
                23 => {
                    let name = format!("search_{}", rng.random_range(0..3));
                    let mut between = |_: Progress| write(&engine, &mut rng, 8);
                    let rebuilt = engine.rebuild_index("t", &name, &mut between);
                    assert_eq!(rebuilt.is_ok(), declared.len() > name[7..].parse().unwrap());
                }
                24 => append(&engine, &mut rng),
                25 => {
                    let options = ImportOptions { mode: ImportMode::Replace, ..ImportOptions::default() };
                    import(&engine, options, &mut rng, 100);
                }
                26 if holds.len() < 2 => {
                    wait_durable(&engine);
                    let expected = postings(&documents(&engine));
                    holds.push((engine.hold().unwrap(), expected, declared.len()));
                }
                27 => {
                    // What is held stays as it was.
                    if let Some((hold, expected, searches)) = holds.pop() {
                        let report = engine.verify(&hold, &mut |_| {}).unwrap();
                        assert_eq!(report.findings, [], "seed {seed}, round {round}");
                        for n in 0..searches {
                            assert_eq!(found(&report, &format!("search_{n}")).entries, expected);
                        }
                    }
                }
                28 => {
                    holds.clear();
                    wait_durable(&engine);
                    drop(engine);
                    disk.lose_power(&mut rng);
                    engine = disk.open(seed + 100 + round).unwrap();
                }
                29 | 30 => {
                    let fault = if rng.random() { Fault::Before } else { Fault::After };
                    disk.faulty.fail_at(rng.random_range(1..30), fault);
                    for _ in 0..6 {
                        // What fails is made up for later.
                        let _ = (engine.checkpoint_step(), engine.maintain());
                    }
                    disk.faulty.heal();
                }
                _ => check(&engine, declared.len()),
            }
        }
        drop(holds);
        check(&engine, declared.len());
        for _ in 0..12 {
            wait_durable(&engine);
            engine.checkpoint().unwrap();
            while engine.maintain().unwrap() {}
        }
        let report = verify(&engine);
        assert!(report.is_clean(), "seed {seed}: {:?}, {} stray keys", report.findings, report.stray_keys);
    }
}
