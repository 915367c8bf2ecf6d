//! The overlap check against brute force: one read set, and many in an interval index.

use std::collections::BTreeSet;

use hull_engine::{CommitKeys, IntervalIndex, Keyspace, ReadSet};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Read {
    Point(u32, Vec<u8>),
    Range(u32, Vec<u8>, Option<Vec<u8>>),
}

impl Read {
    fn covers(&self, keyspace: u32, key: &[u8]) -> bool {
        match self {
            Read::Point(k, p) => *k == keyspace && p == key,
            Read::Range(k, start, end) => {
                *k == keyspace && key >= &start[..] && end.as_ref().is_none_or(|end| key < &end[..])
            }
        }
    }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(0..4_u8, 0..4), prop::collection::vec(0..2_u8, 39..43)]
}

fn read() -> impl Strategy<Value = Read> {
    prop_oneof![
        (0..3_u32, key()).prop_map(|(k, p)| Read::Point(k, p)),
        (0..3_u32, key(), prop::option::weighted(0.8, key())).prop_map(|(k, s, e)| Read::Range(k, s, e)),
    ]
}

fn read_set(reads: &[Read], sealed: bool) -> ReadSet {
    let mut set = ReadSet::new();
    for read in reads {
        match read {
            Read::Point(k, p) => set.add_point(Keyspace(*k), p),
            Read::Range(k, s, e) => set.add_range(Keyspace(*k), s, e.as_deref()),
        }
    }
    if sealed {
        set.seal();
    }
    set
}

fn commit(keys: &[(u32, Vec<u8>)]) -> CommitKeys {
    let mut commit = CommitKeys::new();
    keys.iter().for_each(|(k, key)| commit.push(Keyspace(*k), key));
    commit
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_read_set_is_touched_exactly_when_a_read_covers_a_key(
        reads in prop::collection::vec(read(), 0..24),
        keys in prop::collection::vec((0..3_u32, key()), 0..4),
        sealed in any::<bool>(),
    ) {
        let set = read_set(&reads, sealed);
        let expected = keys.iter().any(|(k, key)| reads.iter().any(|r| r.covers(*k, key)));
        prop_assert_eq!(set.touches(&commit(&keys)), expected);
        prop_assert_eq!(set.conflict(&commit(&keys)).is_some(), expected);
        if sealed {
            let intervals = set.intervals();
            prop_assert!(intervals.windows(2).all(|w| (w[0].keyspace, &w[0].start) < (w[1].keyspace, &w[1].start)));
        }
    }

    #[test]
    fn an_interval_index_finds_exactly_the_touched_subscribers(
        steps in prop::collection::vec((prop::collection::vec(read(), 0..6), any::<bool>(), any::<u8>()), 1..40),
        keys in prop::collection::vec((0..3_u32, key()), 1..4),
    ) {
        let mut index = IntervalIndex::new();
        let mut live: Vec<(u32, ReadSet, Vec<Read>)> = Vec::new();
        for (n, (reads, remove, which)) in steps.into_iter().enumerate() {
            if remove && !live.is_empty() {
                let (s, set, _) = live.swap_remove(usize::from(which) % live.len());
                index.remove(&set, &s);
            } else {
                let set = read_set(&reads, which % 2 == 0);
                index.insert(&set, n as u32);
                live.push((n as u32, set, reads));
            }
            let mut found = BTreeSet::new();
            index.stab(&commit(&keys), |s| {
                found.insert(*s);
            });
            let expected: BTreeSet<u32> = live
                .iter()
                .filter(|(_, _, reads)| keys.iter().any(|(k, key)| reads.iter().any(|r| r.covers(*k, key))))
                .map(|(s, _, _)| *s)
                .collect();
            prop_assert_eq!(found, expected);
        }
        for (s, set, _) in live {
            index.remove(&set, &s);
        }
        prop_assert!(index.is_empty());
    }
}
