//! Damage of a search index is found and named; what a backup, a rebuild or a compaction makes has its search indexes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::path::Path;

use common::search::*;
use common::{Disk, object, wait_durable};
use hull_engine::storage::{Entry, Storage};
use hull_engine::{
    DirOptions, Document, Engine, Finding, OpenError, RebuildError, RebuildSource, compact, rebuild, restore,
    write_backup,
};
use hull_value::{DocumentId, Packed, Value};
use rand::SeedableRng;
use rand::rngs::SmallRng;

/// The keyspaces of the documents and of the first search index of `t`, as storage has them.
const DOCUMENTS: [u8; 4] = [1, 0, 0, 16];
const SEARCH: [u8; 4] = [1, 0, 0, 19];

struct Damaged {
    disk: Disk,
    engine: Engine,
    ids: Vec<DocumentId>,
}

impl Damaged {
    /// Documents with the same words but for one.
    fn new(documents: u32) -> Self {
        let disk = Disk::new();
        let engine = disk.open(1).unwrap();
        engine.apply_schema(&one(), &mut |_| {}).unwrap();
        let mut tx = engine.begin();
        let ids = (0..documents).map(|n| tx.insert("t", &numbered(n, "ann")).unwrap()).collect();
        engine.commit(tx).unwrap();
        wait_durable(&engine);
        engine.checkpoint().unwrap();
        Self { disk, engine, ids }
    }

    fn stored(&self, keyspace: [u8; 4]) -> Vec<Entry> {
        let end = [keyspace[0], keyspace[1], keyspace[2], keyspace[3] + 1];
        self.disk.storage.range(&keyspace, Some(&end), false, usize::MAX, usize::MAX).unwrap().entries
    }

    fn document(&self, n: usize) -> Entry {
        let entry = self.stored(DOCUMENTS).into_iter().find(|(k, _)| k.ends_with(&self.ids[n].internal.0));
        entry.unwrap()
    }

    /// Puts other fields where a document is stored.
    fn overwrite(&self, n: usize, fields: &Packed) {
        let (key, stored) = self.document(n);
        let old = Packed::from_bytes(&stored[8..]).unwrap();
        let [id, time] = ["_id", "_creationTime"].map(|name| (name, old.as_object().unwrap().get(name)));
        let value = fields.merge(&[time, id]).unwrap();
        change(&self.disk.storage, &key, Some([&stored[..8], value.bytes()].concat()));
    }

    /// Missing and orphaned postings, and what is said of them.
    fn wrong(&self) -> (u64, u64, Vec<Finding>) {
        let report = verify(&self.engine);
        let search = found(&report, "search_0");
        let about = report.findings.into_iter().filter(|f| f.index.as_deref() == Some("search_0"));
        (search.missing, search.orphaned, about.collect())
    }
}

fn numbered(n: u32, user: &str) -> Packed {
    let body = [("text".to_owned(), Value::String(format!("the same words, and {n}")))];
    object(&[("user", user.into()), ("body", Value::Object(body.into()))])
}

/// What is said, with the number of the document it is said of.
fn said<'a>(findings: &'a [Finding], ids: &[DocumentId]) -> Vec<(Option<usize>, &'a str)> {
    let number = |finding: &Finding| finding.id.map(|id| ids.iter().position(|i| *i == id).unwrap());
    findings.iter().map(|f| (number(f), &*f.detail)).collect()
}

#[test]
fn a_posting_that_is_missing_or_extra_or_wrong_is_named() {
    let world = Damaged::new(500);
    assert_eq!(world.wrong(), (0, 0, vec![]));
    assert_eq!(found(&verify(&world.engine), "search_0").entries, 500 * 5);
    // A text that differs in one word: that one is missing, the other one extra.
    world.overwrite(7, &numbered(1000, "ann"));
    // Another value to filter by: what is stored for each of its words is wrong.
    world.overwrite(20, &numbered(20, "bob"));
    let (missing, orphaned, findings) = world.wrong();
    assert_eq!((missing, orphaned), (1, 6));
    let mut said = said(&findings, &world.ids);
    said.sort();
    let wrong = |term: &str| format!("the posting of the term \"{term}\" is not what its document says");
    let of = ["20", "and", "same", "the", "words"].map(wrong);
    let mut expected: Vec<(Option<usize>, &str)> = of.iter().map(|detail| (Some(20), &**detail)).collect();
    expected.push((Some(7), "the term \"1000\" of the document is not in the index"));
    expected.push((Some(7), "there is a posting of the term \"7\" that no document has"));
    expected.sort();
    assert_eq!(said, expected);
    // A document that is gone, and one that cannot be read, which is not the fault of the index.
    change(&world.disk.storage, &world.document(30).0, None);
    let (key, stored) = world.document(31);
    change(&world.disk.storage, &key, Some(stored[..9].to_vec()));
    let (missing, orphaned, _) = world.wrong();
    assert_eq!((missing, orphaned), (1, 11));
}

#[test]
fn damaged_blocks_and_statistics_are_found() {
    let world = Damaged::new(500);
    let blocks = world.stored(SEARCH);
    let (statistics, blocks) = blocks.split_last().unwrap();
    assert!(statistics.0.ends_with(b"s") && blocks.len() > 3);
    let storage = &world.disk.storage;
    let restored = |entry: &Entry| {
        change(storage, &entry.0, Some(entry.1.clone()));
        assert_eq!(world.wrong(), (0, 0, vec![]));
    };
    // Each block that is gone, cut short, in the place of another, or there twice.
    for (at, block) in blocks.iter().enumerate() {
        change(storage, &block.0, None);
        let (missing, orphaned, findings) = world.wrong();
        assert!(missing > 0 && orphaned == 0 && findings.len() as u64 == missing.min(100), "{missing}");
        let other = &blocks[(at + 1) % blocks.len()].1;
        change(storage, &block.0, Some(other.clone()));
        let (missing, orphaned, _) = world.wrong();
        assert!(missing > 0 && orphaned > 0);
        change(storage, &block.0, Some(block.1[..block.1.len() - 1].to_vec()));
        let (missing, orphaned, findings) = world.wrong();
        assert!(missing > 0 && orphaned == 1 && findings[0].detail == "a block of postings cannot be read");
        restored(block);
    }
    let mut low = statistics.1.clone();
    low[8] ^= 1;
    change(storage, &statistics.0, Some(low));
    let (missing, orphaned, findings) = world.wrong();
    let detail = "the statistics count 501 documents with 2500 tokens, the documents are 500 with 2500";
    assert_eq!((missing, orphaned, &*findings[0].detail), (0, 1, detail));
    restored(statistics);
    let strange = [&SEARCH[..], b"x"].concat();
    change(storage, &strange, Some(vec![]));
    assert_eq!(world.wrong().2[0].detail, "there is a key that is none of a search index");
    change(storage, &strange, None);
    // All is gone: what is made anew is whole.
    for (key, _) in blocks {
        change(storage, key, None);
    }
    let (missing, orphaned, findings) = world.wrong();
    assert_eq!((missing, orphaned, findings.len()), (2500, 0, 100));
    world.engine.rebuild_index("t", "search_0", &mut |_| {}).unwrap();
    assert_eq!(world.wrong(), (0, 0, vec![]));
    check(&world.engine, 1);
}

fn unlocked<T>(mut work: impl FnMut() -> Result<T, RebuildError>) -> T {
    loop {
        match work() {
            Err(RebuildError::Open(OpenError::Locked { .. })) => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
}

fn open(directory: &Path) -> Engine {
    let options = DirOptions { memory_budget: 64 << 20, ..DirOptions::default() };
    loop {
        match Engine::open_dir(directory, options) {
            Err(OpenError::Locked { .. }) => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
}

/// Opens as a server does, and looks whether the index is whole.
fn comes_back(directory: &Path, expected: &[Document], fills: bool) {
    let engine = open(directory);
    let mut told = 0;
    engine.apply_schema(&one(), &mut |_| told += 1).unwrap();
    assert_eq!(told > 0, fills);
    assert_eq!(documents(&engine), expected);
    check(&engine, 1);
    write(&engine, &mut SmallRng::seed_from_u64(9), 30);
    check(&engine, 1);
    engine.shutdown();
}

#[test]
fn what_is_restored_rebuilt_or_compacted_has_its_search_indexes() {
    let root = tempfile::tempdir().unwrap();
    let [original, backup] = ["original", "backup"].map(|name| root.path().join(name));
    let mut rng = SmallRng::seed_from_u64(5);
    let engine = open(&original);
    engine.apply_schema(&one(), &mut |_| {}).unwrap();
    insert(&engine, &mut rng, 400);
    wait_durable(&engine);
    let hold = engine.hold().unwrap();
    write_backup(&hold, &mut std::fs::File::create(&backup).unwrap(), &mut |_, _| {}).unwrap();
    drop(hold);
    let backed_up = documents(&engine);
    for _ in 0..10 {
        write(&engine, &mut rng, 30);
    }
    let expected = documents(&engine);
    wait_durable(&engine);
    engine.shutdown();
    drop(engine);
    let restored = root.path().join("restored");
    restore(&backup, &restored, &mut |_| {}).unwrap();
    comes_back(&restored, &backed_up, false);
    // After a clean end storage has everything, and the copy of its blocks is right.
    let done = unlocked(|| compact(&original, &mut |_| {}));
    assert_eq!((done.records, &done.unfilled[..]), (0, &[][..]));
    // From the log, with a backup or without, the index is filled by the start.
    let unfilled = [("t".to_owned(), "search_0".to_owned())];
    let done = unlocked(|| rebuild(&original, Some(&backup), &mut |_| {}));
    assert!(matches!(done.source, RebuildSource::Backup(_)) && done.unfilled == unfilled);
    // Until then it cannot be read, and writers go on.
    let engine = open(&original);
    write(&engine, &mut rng, 30);
    let expected_later = documents(&engine);
    let report = verify(&engine);
    assert_eq!((found(&report, "search_0").entries, report.findings), (0, vec![]));
    engine.shutdown();
    drop(engine);
    let done = unlocked(|| rebuild(&original, None, &mut |_| {}));
    assert_eq!((done.source, &done.unfilled[..]), (RebuildSource::Log, &unfilled[..]));
    assert_ne!(expected, expected_later);
    comes_back(&original, &expected_later, true);
}
