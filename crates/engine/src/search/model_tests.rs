//! Folds and cursors against a map of postings.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

use super::block::MAX_BLOCK_BYTES;
use super::cursor::{Cursor, Terms};
use super::fold::{Filled, Fold};
use super::posting::{Columns, DocKey, Posting};
use super::rows::Rows;
use crate::key::{Keyspace, storage_end, storage_key};
use crate::storage::{Batch, Entry, MemoryStorage, Storage, StorageError};

const INDEX: Keyspace = Keyspace(77);

#[derive(Clone, Debug, PartialEq)]
struct Owned(u32, u32, f64, Vec<u64>);

type Model = BTreeMap<(String, DocKey), Owned>;
type Changes = BTreeMap<(String, DocKey), Option<Owned>>;

impl Owned {
    fn posting(&self) -> Posting<'_> {
        Posting { frequency: self.0, length: self.1, creation_time: self.2, filters: &self.3 }
    }
}

/// Which words, documents and values there are.
struct World {
    rng: SmallRng,
    words: Vec<String>,
    ids: Vec<DocKey>,
    width: usize,
    values: u64,
    /// Whether most postings are of a few words.
    skewed: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let words = rng.random_range(1..400);
        let words: BTreeSet<String> = (0..words).map(|_| word(&mut rng)).collect();
        let (mut time, mut last) = (1_700_000_000_000_u128, 0);
        let spread = [1, 1_000, 10_000_000][rng.random_range(0..3)];
        let ids = (0..rng.random_range(2..3000)).map(|_| {
            // Inserts of one transaction count up.
            last = if rng.random_bool(0.5) && last > 0 {
                last + 1
            } else {
                time += rng.random_range(0..spread);
                time << 80 | (u128::from(rng.next_u64()) << 16)
            };
            last.to_be_bytes()
        });
        let ids: BTreeSet<DocKey> = ids.collect();
        let width = [0, 1, 1, 2, 16][rng.random_range(0..5)];
        let values = [1, 3, 300, 100_000][rng.random_range(0..4)];
        let skewed = rng.random_bool(0.5);
        let (words, ids) = (words.into_iter().collect(), ids.into_iter().collect());
        Self { rng, words, ids, width, values, skewed }
    }

    fn word(&mut self) -> String {
        let n = self.words.len();
        let n = if self.skewed { n.min(3) } else { n };
        self.words[self.rng.random_range(0..n)].clone()
    }

    fn changes(&mut self) -> Changes {
        let n = [1, 20, 500, 4000][self.rng.random_range(0..4)];
        let removals = [0.0, 0.1, 0.9, 1.0][self.rng.random_range(0..4)];
        let low = self.rng.random_range(0..self.ids.len());
        let mut changes = Changes::new();
        for _ in 0..n {
            let id = self.ids[self.rng.random_range(low..self.ids.len())];
            let removed = self.rng.random_bool(removals);
            let time = (u128::from_be_bytes(id) >> 80) as f64;
            let time = [time, time.next_up(), time - 1.5, -0.0, f64::MAX][self.rng.random_range(0..5)];
            let filters = (0..self.width)
                .map(|_| self.rng.random_range(0..self.values).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let filters = filters.collect();
            let rare = self.rng.random_range(1..=u32::MAX);
            let frequency = if self.rng.random_bool(0.9) { 1 } else { rare };
            let longest = [2, 30, u32::MAX][self.rng.random_range(0..3)];
            let owned = Owned(frequency, self.rng.random_range(1..longest), time, filters);
            changes.insert((self.word(), id), (!removed).then_some(owned));
        }
        changes
    }
}

fn word(rng: &mut SmallRng) -> String {
    let alphabet = ['a', 'b', 'c', 'é', '東'];
    (0..rng.random_range(1..6)).map(|_| alphabet[rng.random_range(0..alphabet.len())]).collect()
}

/// Folds changes, handing each batch to `apply` until that says no.
fn fold(
    storage: &dyn Storage,
    width: usize,
    changes: &Changes,
    chunk: usize,
    mut apply: impl FnMut(Batch) -> bool,
) -> Result<(), StorageError> {
    let mut fold = Fold::new(INDEX, width);
    let mut changes = changes.iter();
    let mut batch = Batch::new();
    loop {
        match fold.fill(storage, &mut batch)? {
            Filled::Hungry => {
                let mut some = changes.by_ref().take(chunk).peekable();
                if some.peek().is_none() {
                    fold.finish();
                }
                for ((term, id), posting) in some {
                    fold.change(term, *id, posting.as_ref().map(Owned::posting));
                }
            }
            Filled::Full => {
                assert!(!batch.is_empty());
                if !apply(std::mem::take(&mut batch)) {
                    return Ok(());
                }
            }
            Filled::Done => {
                apply(batch);
                return Ok(());
            }
        }
    }
}

fn blocks(storage: &dyn Storage) -> Vec<Entry> {
    let (start, end) = (storage_key(INDEX, &[]), storage_end(INDEX));
    storage.range(&start, Some(&end), false, usize::MAX, usize::MAX).unwrap().entries
}

/// All postings, and that the blocks are as they should be.
fn stored(storage: &dyn Storage, width: usize) -> Model {
    let blocks = blocks(storage);
    for (at, (key, block)) in blocks.iter().enumerate() {
        assert!(block.len() <= MAX_BLOCK_BYTES, "{} bytes", block.len());
        let mut rows = Rows::new(width);
        rows.extend(block).unwrap();
        let place = |at| {
            let (term, id) = rows.place(at).unwrap();
            super::block::stored_posting_key(INDEX, term, &id)
        };
        assert!(*key <= place(0));
        assert!(blocks.get(at + 1).is_none_or(|(next, _)| place(rows.len() - 1) < *next));
    }
    read(storage, width, Terms::Prefix(""))
}

fn read(storage: &dyn Storage, width: usize, terms: Terms<'_>) -> Model {
    let mut model = Model::new();
    let mut cursor = Cursor::new(storage, INDEX, width, terms).with_filters();
    let mut columns = Columns::default();
    while let Some(term) = cursor.next_term().unwrap().map(str::to_string) {
        columns.clear();
        let count = cursor.read(&[], &[], &mut columns).unwrap();
        assert_eq!(count, columns.len() as u64);
        assert!(columns.ids.is_sorted());
        for at in 0..columns.len() {
            let (id, posting) = columns.get(at, width).unwrap();
            let Posting { frequency, length, creation_time, filters } = posting;
            let owned = Owned(frequency, length, creation_time, filters.to_vec());
            assert!(model.insert((term.clone(), id), owned).is_none());
        }
    }
    model
}

fn change(model: &mut Model, changes: &Changes) {
    for (place, posting) in changes {
        match posting {
            Some(posting) => model.insert(place.clone(), posting.clone()),
            None => model.remove(place),
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_folds_storage_has_what_the_model_has(seed in any::<u64>()) {
        let mut world = World::new(seed);
        let (storage, width) = (MemoryStorage::new(), world.width);
        let mut model = Model::new();
        for _ in 0..6 {
            let changes = world.changes();
            let chunk = [1, 7, 1000, 5000][world.rng.random_range(0..4)];
            if world.rng.random_bool(0.5) {
                // A fold that is given up after some batches, each of which leaves every posting old or new.
                let mut batches = world.rng.random_range(0..4);
                fold(&storage, width, &changes, chunk, |batch| {
                    batches -= 1;
                    if batches >= 0 {
                        storage.apply(batch).unwrap();
                    }
                    batches > 0
                })
                .unwrap();
                let mut found = stored(&storage, width);
                for (place, posting) in &changes {
                    let (old, here) = (model.get(place), found.remove(place));
                    prop_assert!(here.as_ref() == old || here == *posting, "{place:?}");
                    if let Some(old) = old {
                        found.insert(place.clone(), old.clone());
                    }
                }
                prop_assert!(found == model);
            }
            fold(&storage, width, &changes, chunk, |batch| {
                let keys: BTreeSet<_> = batch.changes().iter().map(|(key, _)| key).collect();
                assert_eq!(keys.len(), batch.len(), "a key twice in a batch");
                storage.apply(batch).unwrap();
                true
            })
            .unwrap();
            change(&mut model, &changes);
            prop_assert!(stored(&storage, width) == model);
            let before = blocks(&storage);
            fold(&storage, width, &changes, 999, |batch| {
                assert!(batch.is_empty(), "{} changes of what is there already", batch.len());
                true
            })
            .unwrap();
            prop_assert!(before == blocks(&storage));
        }
        // Nothing is left of an index without postings.
        let all = model.keys().map(|place| (place.clone(), None)).collect();
        fold(&storage, width, &all, 500, |batch| storage.apply(batch).is_ok()).unwrap();
        prop_assert!(blocks(&storage).is_empty());
    }

    #[test]
    fn a_cursor_finds_what_the_model_finds(seed in any::<u64>()) {
        let mut world = World::new(seed);
        let (storage, width) = (MemoryStorage::new(), world.width);
        let mut model = Model::new();
        for _ in 0..3 {
            let changes = world.changes();
            fold(&storage, width, &changes, 1000, |batch| storage.apply(batch).is_ok()).unwrap();
            change(&mut model, &changes);
        }
        for _ in 0..20 {
            let word = world.word();
            let prefix: String = word.chars().take(world.rng.random_range(0..3)).collect();
            let longer = [Terms::Longer(&word), Terms::Longer(&prefix)];
            let ranges = [Terms::Exact(&word), Terms::Prefix(&word), Terms::Prefix(&prefix)];
            for terms in ranges.into_iter().chain(longer) {
                let within = |term: &str| match terms {
                    Terms::Exact(exact) => term == exact,
                    Terms::Longer(prefix) => term.starts_with(prefix) && term != prefix,
                    Terms::Prefix(prefix) => term.starts_with(prefix),
                };
                let mut expected = model.clone();
                expected.retain(|(term, _), _| within(term));
                prop_assert!(read(&storage, width, terms) == expected);
                let ids: BTreeSet<DocKey> = expected.keys().map(|(_, id)| *id).collect();
                let share = [0.0, 0.01, 0.5][world.rng.random_range(0..3)];
                let mut hidden: Vec<DocKey> =
                    ids.into_iter().filter(|_| world.rng.random_bool(share)).collect();
                if world.rng.random_bool(0.5) {
                    // Documents newer than all in storage.
                    hidden.extend((0..3).map(|n| (u128::MAX - 9 + n).to_be_bytes()));
                }
                let some = expected.values().nth(world.rng.random_range(0..expected.len().max(1)));
                let wanted: Vec<(usize, u64)> = (0..width)
                    .filter(|_| world.rng.random_bool(0.5))
                    .map(|field| (field, some.map_or(1, |some| some.3[field])))
                    .collect();
                let mut cursor = Cursor::new(&storage, INDEX, width, terms);
                let mut columns = Columns::default();
                let mut words: BTreeSet<&str> = expected.keys().map(|(term, _)| &**term).collect();
                while let Some(term) = cursor.next_term().unwrap().map(str::to_string) {
                    prop_assert!(words.remove(&*term));
                    if world.rng.random_bool(0.2) {
                        continue;
                    }
                    columns.clear();
                    let count = cursor.read(&hidden, &wanted, &mut columns).unwrap();
                    let own = expected.iter().filter(|((own, id), _)| *own == term && hidden.binary_search(id).is_err());
                    let (mut left, mut expected_count) = (Columns::default(), 0);
                    for ((_, id), owned) in own {
                        expected_count += 1;
                        if wanted.iter().all(|(field, value)| owned.3[*field] == *value) {
                            left.push(*id, Posting { filters: &[], ..owned.posting() });
                        }
                    }
                    prop_assert_eq!(count, expected_count);
                    prop_assert!(columns == left);
                }
                prop_assert!(words.is_empty());
            }
        }
    }

    #[test]
    fn damaged_blocks_are_refused_and_never_panic(seed in any::<u64>()) {
        let mut world = World::new(seed);
        let (storage, width) = (MemoryStorage::new(), world.width);
        let changes = world.changes();
        fold(&storage, width, &changes, 1000, |batch| storage.apply(batch).is_ok()).unwrap();
        for (key, block) in blocks(&storage).into_iter().take(4) {
            for _ in 0..50 {
                let mut damaged = block.clone();
                match world.rng.random_range(0..3) {
                    0 => damaged.truncate(world.rng.random_range(0..block.len())),
                    1 => world.rng.fill_bytes(&mut damaged[2..]),
                    _ => {
                        let at = world.rng.random_range(0..block.len());
                        damaged[at] ^= 1 << world.rng.random_range(0..8);
                    }
                }
                let whole = Rows::new(width).extend(&damaged);
                let mut batch = Batch::new();
                batch.put(key.clone(), damaged);
                storage.apply(batch).unwrap();
                let mut cursor = Cursor::new(&storage, INDEX, width, Terms::Prefix("")).with_filters();
                let mut columns = Columns::default();
                while let Ok(Some(_)) = cursor.next_term() {
                    if let Err(error) = cursor.read(&[[9; 16]], &[], &mut columns) {
                        prop_assert!(whole.is_err());
                        let named = matches!(&error, StorageError::Checksum { key: named } if *named == key);
                        prop_assert!(named, "{error}");
                        break;
                    }
                }
                if whole.is_err() {
                    let all = world.changes();
                    let _ = fold(&storage, width, &all, 1000, |_| true);
                }
            }
            let mut batch = Batch::new();
            batch.put(key, block);
            storage.apply(batch).unwrap();
        }
    }
}

#[test]
fn other_formats_are_refused() {
    let storage = MemoryStorage::new();
    let owned = Owned(1, 1, 1.0, vec![5]);
    let changes = Changes::from([(("a".to_string(), [1; 16]), Some(owned))]);
    fold(&storage, 1, &changes, 10, |batch| storage.apply(batch).is_ok()).unwrap();
    let (_, block) = blocks(&storage).remove(0);
    let mut rows = Rows::new(1);
    assert_eq!(rows.extend(&block), Ok(()));
    let mut newer = block.clone();
    newer[0] = 2;
    assert!(Rows::new(1).extend(&newer).is_err());
    assert!(Rows::new(2).extend(&block).is_err());
}
