//! The overlap check against brute force: one read set, and many in an interval index.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use hull_engine::{CommitKeys, End, FieldMask, Interval, IntervalIndex, Keyspace, ReadSet, Within};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Keys {
    Point(Vec<u8>),
    Range(Vec<u8>, Option<Vec<u8>>),
}

#[derive(Clone, Debug)]
struct Read {
    keyspace: u32,
    keys: Keys,
    mask: FieldMask,
    /// So many bytes before a key's end the eight bytes are these; of ranges alone.
    within: Vec<(u16, u64)>,
}

#[derive(Clone, Debug)]
struct Written {
    keyspace: u32,
    key: Vec<u8>,
    changed: FieldMask,
}

impl Read {
    fn meets(&self, written: &Written) -> bool {
        let key = &written.key;
        let holds = match &self.keys {
            Keys::Point(p) => p == key,
            Keys::Range(start, end) => key >= start && end.as_ref().is_none_or(|end| key < end),
        };
        let ends = self.within.iter().all(|(from_end, value)| {
            let tail = &key[key.len().saturating_sub(usize::from(*from_end))..];
            tail.len() == usize::from(*from_end) && tail.starts_with(&value.to_be_bytes())
        });
        self.keyspace == written.keyspace && holds && ends && self.mask.0 & written.changed.0 != 0
    }
}

/// Short ones, long ones, and terms that end in one or two numbers.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let term = (prop::collection::vec(0..3_u8, 0..3), prop::collection::vec(0..2_u64, 1..3));
    prop_oneof![
        prop::collection::vec(0..4_u8, 0..4),
        prop::collection::vec(0..2_u8, 39..43),
        term.prop_map(|(term, ends)| [term, ends.iter().flat_map(|end| end.to_be_bytes()).collect()].concat()),
    ]
}

/// Mostly nothing, otherwise conditions on the last two numbers, contradictions included.
fn within() -> impl Strategy<Value = Vec<(u16, u64)>> {
    let conditions = prop::collection::vec((prop_oneof![Just(8_u16), Just(16)], 0..2_u64), 1..3);
    prop_oneof![2 => Just(Vec::new()), 3 => conditions]
}

/// What reads look at: mostly everything, otherwise the presence with some of three fields.
fn read_mask() -> impl Strategy<Value = FieldMask> {
    prop_oneof![Just(FieldMask::ALL), (0..8_u64).prop_map(|fields| FieldMask(FieldMask::PRESENCE.0 | fields))]
}

fn read() -> impl Strategy<Value = Read> {
    let keys = prop_oneof![
        key().prop_map(Keys::Point),
        (key(), prop::option::weighted(0.8, key())).prop_map(|(s, e)| Keys::Range(s, e)),
    ];
    (0..3_u32, keys, read_mask(), within()).prop_map(|(keyspace, keys, mask, within)| match keys {
        Keys::Point(_) => Read { keyspace, keys, mask, within: Vec::new() },
        Keys::Range(..) => Read { keyspace, keys, mask, within },
    })
}

/// Keys that appear, disappear, or stay while some of four fields change.
fn written() -> impl Strategy<Value = Written> {
    let changed = prop_oneof![Just(FieldMask::ALL), (1..16_u64).prop_map(FieldMask)];
    (0..3_u32, key(), changed).prop_map(|(keyspace, key, changed)| Written { keyspace, key, changed })
}

fn read_set(reads: &[Read], sealed: bool) -> ReadSet {
    let mut set = ReadSet::new();
    for read in reads {
        let keyspace = Keyspace(read.keyspace);
        match &read.keys {
            Keys::Point(p) => set.add_point_of(keyspace, read.mask, p),
            Keys::Range(s, e) => {
                let within = Within::new(read.within.iter().copied());
                set.add_within(keyspace, read.mask, s, e.as_deref(), within);
            }
        }
    }
    if sealed {
        set.seal();
    }
    set
}

fn commit(keys: &[Written]) -> CommitKeys {
    let mut commit = CommitKeys::new();
    keys.iter().for_each(|w| commit.push(Keyspace(w.keyspace), w.changed, &w.key));
    commit
}

fn is_touched(reads: &[Read], keys: &[Written]) -> bool {
    keys.iter().any(|written| reads.iter().any(|read| read.meets(written)))
}

/// Whether an interval holds all that another does.
fn covers(by: &Interval, other: &Interval) -> bool {
    let reaches = match (&by.end, &other.end) {
        (End::Unbounded, _) | (_, End::Point) => true,
        (End::Before(end), End::Before(other)) => other <= end,
        _ => false,
    };
    let starts = Interval { within: Within::default(), ..by.clone() }.contains(&other.start);
    let conditions = other.within.conditions();
    let always = by.within.conditions().iter().all(|condition| conditions.contains(condition));
    reaches && starts && always && by.mask.holds(other.mask) && by.keyspace == other.keyspace
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_read_set_is_touched_exactly_when_a_read_looks_at_what_changed_under_a_key(
        reads in prop::collection::vec(read(), 0..40),
        keys in prop::collection::vec(written(), 0..4),
        sealed in any::<bool>(),
    ) {
        let set = read_set(&reads, sealed);
        let expected = is_touched(&reads, &keys);
        prop_assert_eq!(set.touches(&commit(&keys)), expected);
        prop_assert_eq!(set.conflict(&commit(&keys)).is_some(), expected);
        if sealed {
            let intervals = set.intervals();
            let place = |i: &Interval| (Reverse(i.mask), i.within.clone(), i.keyspace, i.start.clone());
            prop_assert!(intervals.windows(2).all(|w| place(&w[0]) < place(&w[1])));
            prop_assert!(intervals.iter().all(|i| !intervals.iter().any(|by| by != i && covers(by, i))));
        }
    }

    #[test]
    fn an_interval_index_finds_exactly_the_touched_subscribers(
        steps in prop::collection::vec((prop::collection::vec(read(), 0..6), any::<bool>(), any::<u8>()), 1..40),
        keys in prop::collection::vec(written(), 1..4),
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
                .filter(|(_, _, reads)| is_touched(reads, &keys))
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
