//! The one overlap check: does a commit touch what was read?
//!
//! It does where it changed a key inside an interval that was read, and of that key a part that was looked at.
//! [`ReadSet::touches`] decides conflicts and stale results; [`IntervalIndex`] answers the same question for many
//! read sets at once, at a cost that grows with what is touched. Both are tested against brute force.

use std::cmp::Ordering;
use std::collections::HashMap;

use hull_value::Timestamp;
use smallvec::SmallVec;

use crate::fields::FieldMask;
use crate::key::{Key, Keyspace, key};
use crate::read_set::{End, Interval, ReadSet};
use crate::within::at;

/// The keys that one commit changed, with what of them: for each document its id, its keys before and its keys after in
/// every index.
#[derive(Clone, Debug, Default)]
pub struct CommitKeys {
    /// When the commit took place.
    pub ts: Timestamp,
    /// For each key its keyspace, what changed, its length and its bytes: one allocation, since many commits are kept.
    packed: Vec<u8>,
    /// Bytes of older versions that this commit left behind, for the bound on history.
    pub(crate) superseded: u32,
}

impl CommitKeys {
    /// No keys yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No keys yet, with room for about so many.
    pub(crate) fn with_room(keys: usize) -> Self {
        Self { packed: Vec::with_capacity(keys * (16 + 34)), ..Self::default() }
    }

    /// Adds a key and what of it changed.
    pub fn push(&mut self, keyspace: Keyspace, changed: FieldMask, k: &[u8]) {
        self.push_with(keyspace, changed, |buffer| buffer.extend_from_slice(k));
    }

    /// Adds the key that `write` appends.
    pub(crate) fn push_with(
        &mut self,
        keyspace: Keyspace,
        changed: FieldMask,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut header = [0; 16];
        header[..4].copy_from_slice(&keyspace.0.to_le_bytes());
        header[4..12].copy_from_slice(&changed.0.to_le_bytes());
        self.packed.extend_from_slice(&header);
        let start = self.packed.len();
        write(&mut self.packed);
        let length = (self.packed.len() - start) as u32;
        self.packed[start - 4..start].copy_from_slice(&length.to_le_bytes());
    }

    /// All keys, with what of them changed.
    pub fn iter(&self) -> impl Iterator<Item = (Keyspace, FieldMask, &[u8])> {
        let mut rest = &self.packed[..];
        std::iter::from_fn(move || {
            let (keyspace, behind) = rest.split_first_chunk::<4>()?;
            let (changed, behind) = behind.split_first_chunk::<8>()?;
            let (length, behind) = behind.split_first_chunk::<4>()?;
            let (k, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = behind;
            let changed = FieldMask(u64::from_le_bytes(*changed));
            Some((Keyspace(u32::from_le_bytes(*keyspace)), changed, k))
        })
    }

    /// Whether the commit changed nothing.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + 16 + self.packed.capacity()
    }
}

/// What a conflict was about: the interval read (named by its start) that a later commit wrote into.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConflictKey {
    /// The keyspace of the interval.
    pub keyspace: Keyspace,
    /// The first key of the interval: of a document's id, or of an index range.
    pub key: Key,
}

impl ReadSet {
    /// Whether the commit changed something that was read.
    #[inline]
    pub fn touches(&self, commit: &CommitKeys) -> bool {
        commit.iter().any(|(keyspace, changed, k)| self.find(keyspace, changed, k).is_some())
    }

    /// The interval that the commit wrote into, if there is one.
    pub fn conflict(&self, commit: &CommitKeys) -> Option<ConflictKey> {
        commit.iter().find_map(|(keyspace, changed, k)| {
            self.find(keyspace, changed, k).map(|i| ConflictKey { keyspace, key: i.start.clone() })
        })
    }
}

/// The intervals of many read sets, each with the subscriber it belongs to.
#[derive(Debug)]
pub struct IntervalIndex<S> {
    keyspaces: HashMap<Keyspace, PerKeyspace<S>>,
}

/// Apart by what the reads look at, so that no time is lost on those that a commit does not concern.
#[derive(Debug)]
struct PerKeyspace<S> {
    plain: Vec<(FieldMask, Intervals<S>)>,
    within: Vec<PerPlaces<S>>,
}

/// Intervals with conditions at the same places of a key: what a key has there finds those that may hold it, however
/// many others there are.
#[derive(Debug)]
struct PerPlaces<S> {
    mask: FieldMask,
    /// How far before a key's end.
    places: SmallVec<[u16; 4]>,
    by_values: HashMap<Values, Intervals<S>>,
}

type Values = SmallVec<[u64; 4]>;

#[derive(Debug)]
struct Intervals<S> {
    points: HashMap<Key, SmallVec<[S; 2]>>,
    ranges: Treap<S>,
}

impl<S> Default for IntervalIndex<S> {
    fn default() -> Self {
        Self { keyspaces: HashMap::new() }
    }
}

impl<S> Default for PerKeyspace<S> {
    fn default() -> Self {
        Self { plain: Vec::new(), within: Vec::new() }
    }
}

impl<S> Default for Intervals<S> {
    fn default() -> Self {
        Self { points: HashMap::new(), ranges: Treap::default() }
    }
}

impl<S: Clone + PartialEq> IntervalIndex<S> {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds every interval of `reads` for `subscriber`.
    pub fn insert(&mut self, reads: &ReadSet, subscriber: S) {
        for interval in &reads.intervals {
            let per = self.keyspaces.entry(interval.keyspace).or_default();
            per.of(interval).insert(interval, subscriber.clone());
        }
    }

    /// Takes out what [`IntervalIndex::insert`] added for the same read set and subscriber.
    pub fn remove(&mut self, reads: &ReadSet, subscriber: &S) {
        for interval in &reads.intervals {
            let Some(per) = self.keyspaces.get_mut(&interval.keyspace) else { continue };
            per.remove(interval, subscriber);
            if per.plain.is_empty() && per.within.is_empty() {
                self.keyspaces.remove(&interval.keyspace);
            }
        }
    }

    /// Calls `hit` for every subscriber whose read set the commit touches; for one that it touches at several places,
    /// several times.
    pub fn stab(&self, commit: &CommitKeys, mut hit: impl FnMut(&S)) {
        for (keyspace, changed, k) in commit.iter() {
            let Some(per) = self.keyspaces.get(&keyspace) else { continue };
            for (_, intervals) in per.plain.iter().filter(|(mask, _)| mask.meets(changed)) {
                intervals.stab(k, &mut hit);
            }
            for group in per.within.iter().filter(|group| group.mask.meets(changed)) {
                let values: Option<Values> = group.places.iter().map(|place| at(k, *place)).collect();
                if let Some(intervals) = values.and_then(|values| group.by_values.get(&values)) {
                    intervals.stab(k, &mut hit);
                }
            }
        }
    }

    /// Whether no interval is held.
    pub fn is_empty(&self) -> bool {
        self.keyspaces.is_empty()
    }
}

impl<S: PartialEq> PerKeyspace<S> {
    /// Where an interval belongs.
    fn of(&mut self, interval: &Interval) -> &mut Intervals<S> {
        let mask = interval.mask;
        if interval.within.is_empty() {
            let at = self.plain.iter().position(|(known, _)| *known == mask).unwrap_or_else(|| {
                self.plain.push((mask, Intervals::default()));
                self.plain.len() - 1
            });
            return &mut self.plain[at].1;
        }
        let (places, values) = places_and_values(interval);
        let at = self.within.iter().position(|group| group.is(mask, &places)).unwrap_or_else(|| {
            self.within.push(PerPlaces { mask, places, by_values: HashMap::new() });
            self.within.len() - 1
        });
        self.within[at].by_values.entry(values).or_default()
    }

    fn remove(&mut self, interval: &Interval, subscriber: &S) {
        let mask = interval.mask;
        if interval.within.is_empty() {
            let Some(at) = self.plain.iter().position(|(known, _)| *known == mask) else { return };
            let (_, intervals) = &mut self.plain[at];
            intervals.remove(interval, subscriber);
            if intervals.is_empty() {
                self.plain.swap_remove(at);
            }
            return;
        }
        let (places, values) = places_and_values(interval);
        let Some(at) = self.within.iter().position(|group| group.is(mask, &places)) else { return };
        let group = &mut self.within[at];
        let Some(intervals) = group.by_values.get_mut(&values) else { return };
        intervals.remove(interval, subscriber);
        if intervals.is_empty() {
            group.by_values.remove(&values);
            if group.by_values.is_empty() {
                self.within.swap_remove(at);
            }
        }
    }
}

fn places_and_values(interval: &Interval) -> (SmallVec<[u16; 4]>, Values) {
    interval.within.conditions().iter().copied().unzip()
}

impl<S> PerPlaces<S> {
    fn is(&self, mask: FieldMask, places: &[u16]) -> bool {
        self.mask == mask && self.places[..] == *places
    }
}

impl<S: PartialEq> Intervals<S> {
    fn insert(&mut self, interval: &Interval, subscriber: S) {
        match &interval.end {
            End::Point => self.points.entry(interval.start.clone()).or_default().push(subscriber),
            End::Before(end) => self.ranges.insert(&interval.start, Some(end), subscriber),
            End::Unbounded => self.ranges.insert(&interval.start, None, subscriber),
        }
    }

    fn remove(&mut self, interval: &Interval, subscriber: &S) {
        match &interval.end {
            End::Point => {
                if let Some(list) = self.points.get_mut(&interval.start) {
                    if let Some(at) = list.iter().position(|s| s == subscriber) {
                        list.swap_remove(at);
                    }
                    if list.is_empty() {
                        self.points.remove(&interval.start);
                    }
                }
            }
            End::Before(end) => self.ranges.remove(&interval.start, Some(end), subscriber),
            End::Unbounded => self.ranges.remove(&interval.start, None, subscriber),
        }
    }

    fn stab(&self, k: &[u8], hit: &mut impl FnMut(&S)) {
        if !self.points.is_empty()
            && let Some(list) = self.points.get(&key(k))
        {
            list.iter().for_each(&mut *hit);
        }
        self.ranges.stab(self.ranges.root, k, hit);
    }

    fn is_empty(&self) -> bool {
        self.points.is_empty() && self.ranges.root == NIL
    }
}

const NIL: u32 = u32::MAX;

/// An interval tree: a treap ordered by (start, end) whose nodes know the furthest end below them.
#[derive(Debug)]
struct Treap<S> {
    nodes: Vec<Node<S>>,
    free: Vec<u32>,
    root: u32,
    seed: u32,
}

#[derive(Debug)]
struct Node<S> {
    start: Key,
    end: Option<Key>,
    subscribers: SmallVec<[S; 2]>,
    /// The node with the furthest end in this subtree.
    furthest: u32,
    priority: u32,
    left: u32,
    right: u32,
}

impl<S> Default for Treap<S> {
    fn default() -> Self {
        Self { nodes: Vec::new(), free: Vec::new(), root: NIL, seed: 0x9E37_79B9 }
    }
}

fn compare_ends(a: Option<&Key>, b: Option<&Key>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.cmp(b),
    }
}

impl<S: PartialEq> Treap<S> {
    fn compare(&self, start: &Key, end: Option<&Key>, node: u32) -> Ordering {
        let n = &self.nodes[node as usize];
        start.cmp(&n.start).then_with(|| compare_ends(end, n.end.as_ref()))
    }

    fn update(&mut self, t: u32) {
        let (left, right) = (self.nodes[t as usize].left, self.nodes[t as usize].right);
        let mut best = t;
        for child in [left, right] {
            if child != NIL {
                let candidate = self.nodes[child as usize].furthest;
                let (a, b) =
                    (self.nodes[candidate as usize].end.as_ref(), self.nodes[best as usize].end.as_ref());
                if compare_ends(a, b) == Ordering::Greater {
                    best = candidate;
                }
            }
        }
        self.nodes[t as usize].furthest = best;
    }

    /// Splits into the nodes below and the nodes above (start, end), which is in no node.
    fn split(&mut self, t: u32, start: &Key, end: Option<&Key>) -> (u32, u32) {
        if t == NIL {
            return (NIL, NIL);
        }
        if self.compare(start, end, t) == Ordering::Greater {
            let (low, high) = self.split(self.nodes[t as usize].right, start, end);
            self.nodes[t as usize].right = low;
            self.update(t);
            (t, high)
        } else {
            let (low, high) = self.split(self.nodes[t as usize].left, start, end);
            self.nodes[t as usize].left = high;
            self.update(t);
            (low, t)
        }
    }

    fn merge(&mut self, low: u32, high: u32) -> u32 {
        if low == NIL {
            return high;
        }
        if high == NIL {
            return low;
        }
        if self.nodes[low as usize].priority > self.nodes[high as usize].priority {
            let merged = self.merge(self.nodes[low as usize].right, high);
            self.nodes[low as usize].right = merged;
            self.update(low);
            low
        } else {
            let merged = self.merge(low, self.nodes[high as usize].left);
            self.nodes[high as usize].left = merged;
            self.update(high);
            high
        }
    }

    fn find(&self, start: &Key, end: Option<&Key>) -> u32 {
        let mut t = self.root;
        while t != NIL {
            match self.compare(start, end, t) {
                Ordering::Equal => break,
                Ordering::Less => t = self.nodes[t as usize].left,
                Ordering::Greater => t = self.nodes[t as usize].right,
            }
        }
        t
    }

    fn insert(&mut self, start: &Key, end: Option<&Key>, subscriber: S) {
        let found = self.find(start, end);
        if found != NIL {
            self.nodes[found as usize].subscribers.push(subscriber);
            return;
        }
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        let mut subscribers = SmallVec::new();
        subscribers.push(subscriber);
        let node = Node {
            start: start.clone(),
            end: end.cloned(),
            subscribers,
            furthest: 0,
            priority: self.seed,
            left: NIL,
            right: NIL,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        self.nodes[at as usize].furthest = at;
        let (low, high) = self.split(self.root, start, end);
        let low = self.merge(low, at);
        self.root = self.merge(low, high);
    }

    fn remove(&mut self, start: &Key, end: Option<&Key>, subscriber: &S) {
        let found = self.find(start, end);
        if found == NIL {
            return;
        }
        let list = &mut self.nodes[found as usize].subscribers;
        if let Some(at) = list.iter().position(|s| s == subscriber) {
            list.swap_remove(at);
        }
        if list.is_empty() {
            self.root = self.erase(self.root, start, end, found);
            self.free.push(found);
        }
    }

    fn erase(&mut self, t: u32, start: &Key, end: Option<&Key>, found: u32) -> u32 {
        if t == found {
            return self.merge(self.nodes[t as usize].left, self.nodes[t as usize].right);
        }
        if self.compare(start, end, t) == Ordering::Less {
            let child = self.erase(self.nodes[t as usize].left, start, end, found);
            self.nodes[t as usize].left = child;
        } else {
            let child = self.erase(self.nodes[t as usize].right, start, end, found);
            self.nodes[t as usize].right = child;
        }
        self.update(t);
        t
    }

    fn stab(&self, t: u32, k: &[u8], hit: &mut impl FnMut(&S)) {
        if t == NIL {
            return;
        }
        let node = &self.nodes[t as usize];
        if self.nodes[node.furthest as usize].end.as_ref().is_some_and(|end| &end[..] <= k) {
            return;
        }
        self.stab(node.left, k, hit);
        if &node.start[..] <= k {
            if node.end.as_ref().is_none_or(|end| k < &end[..]) {
                node.subscribers.iter().for_each(&mut *hit);
            }
            self.stab(node.right, k, hit);
        }
    }
}
