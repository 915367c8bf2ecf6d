//! The read set: the key intervals that a transaction's answers depend on.
//!
//! An interval covers exactly the keys that were yielded or proven absent: a scan that stopped early depends on
//! nothing behind the last key it gave out. Its mask says what was looked at under these keys.

use crate::fields::FieldMask;
use crate::key::{Key, Keyspace, compare, key, same, successor};
use crate::within::Within;

/// Where an interval ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The interval holds its start and nothing else.
    Point,
    /// The interval holds every key from its start up to, not including, this one.
    Before(Key),
    /// The interval holds every key from its start on.
    Unbounded,
}

/// A half-open interval of keys in one keyspace, and what was looked at under them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The keyspace.
    pub keyspace: Keyspace,
    /// The first key.
    pub start: Key,
    /// The end.
    pub end: End,
    /// What was looked at.
    pub mask: FieldMask,
    /// What the keys must end in to count.
    pub within: Within,
}

impl Interval {
    /// Whether `k`, a key of the same keyspace, lies inside.
    #[inline]
    pub fn contains(&self, k: &[u8]) -> bool {
        self.spans(k) && self.within.holds(k)
    }

    /// Whether `k` lies between the start and the end.
    #[inline]
    fn spans(&self, k: &[u8]) -> bool {
        match &self.end {
            End::Point => same(k, &self.start),
            End::Before(end) => compare(k, &self.start).is_ge() && compare(k, end).is_lt(),
            End::Unbounded => compare(k, &self.start).is_ge(),
        }
    }

    /// Whether another looks at the same and has the same conditions.
    fn is_akin(&self, other: &Self) -> bool {
        self.mask == other.mask && self.within == other.within
    }

    /// The end as an exclusive bound; `None` is unbounded.
    fn exclusive_end(&self) -> Option<Key> {
        match &self.end {
            End::Point => Some(successor(&self.start)),
            End::Before(end) => Some(end.clone()),
            End::Unbounded => None,
        }
    }
}

/// A handle to an interval that a scan is still growing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growing {
    position: usize,
    generation: u32,
}

/// Set of key intervals read by a transaction.
#[derive(Clone, Debug, Default)]
pub struct ReadSet {
    pub(crate) intervals: Vec<Interval>,
    generation: u32,
    sealed: bool,
    compact_at: usize,
}

impl ReadSet {
    /// An empty read set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The intervals. Once [`ReadSet::seal`] was called, those of a mask and of the same conditions lie side by side, wider
    /// masks first, and are sorted and disjoint.
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Adds one key and all that is under it.
    pub fn add_point(&mut self, keyspace: Keyspace, point: &[u8]) {
        self.add_point_of(keyspace, FieldMask::ALL, point);
    }

    /// Adds one key of which so much was looked at.
    pub fn add_point_of(&mut self, keyspace: Keyspace, mask: FieldMask, point: &[u8]) {
        let near = self.intervals.len().saturating_sub(8);
        let covers = |i: &Interval| i.keyspace == keyspace && i.mask.holds(mask) && i.contains(point);
        if self.intervals[near..].iter().any(covers) {
            return;
        }
        self.push(Interval { keyspace, start: key(point), end: End::Point, mask, within: Within::default() });
    }

    /// Adds the half-open range from `start` to `end`, of which so much was looked at; `None` is unbounded.
    pub fn add_range(&mut self, keyspace: Keyspace, mask: FieldMask, start: &[u8], end: Option<&[u8]>) {
        self.add_within(keyspace, mask, start, end, Within::default());
    }

    /// Adds those keys of a half-open range that meet some conditions.
    pub fn add_within(
        &mut self,
        keyspace: Keyspace,
        mask: FieldMask,
        start: &[u8],
        end: Option<&[u8]>,
        within: Within,
    ) {
        if end.is_some_and(|e| e <= start) {
            return;
        }
        self.push(Interval {
            keyspace,
            start: key(start),
            end: end.map_or(End::Unbounded, |e| End::Before(key(e))),
            mask,
            within,
        });
    }

    fn push(&mut self, interval: Interval) -> Growing {
        self.sealed = false;
        if self.intervals.capacity() == 0 {
            self.intervals.reserve(8);
        }
        self.intervals.push(interval);
        Growing { position: self.intervals.len() - 1, generation: self.generation }
    }

    #[inline]
    /// Sets what a scan covers by now: from `start` to just behind `last`.
    pub(crate) fn grow_up(
        &mut self,
        at: Option<Growing>,
        (keyspace, mask): (Keyspace, FieldMask),
        start: &[u8],
        last: &Key,
    ) -> Growing {
        match self.growing(at) {
            Some((at, Interval { end: End::Before(end), .. })) => {
                *end = last.clone().into_successor();
                at
            }
            _ => self.grow(at, (keyspace, mask), start, End::Before(successor(last))),
        }
    }

    #[inline]
    /// Sets what a scan covers by now: from `last` to `end`.
    pub(crate) fn grow_down(
        &mut self,
        at: Option<Growing>,
        (keyspace, mask): (Keyspace, FieldMask),
        last: &Key,
        end: Option<&[u8]>,
    ) -> Growing {
        match self.growing(at) {
            Some((at, Interval { start, .. })) => {
                *start = last.clone();
                at
            }
            _ => {
                let end = end.map_or(End::Unbounded, |end| End::Before(key(end)));
                self.grow(at, (keyspace, mask), last, end)
            }
        }
    }

    /// Sets what a scan covers, replacing what it covered before.
    pub(crate) fn grow(
        &mut self,
        at: Option<Growing>,
        (keyspace, mask): (Keyspace, FieldMask),
        start: &[u8],
        end: End,
    ) -> Growing {
        match self.growing(at) {
            Some((at, interval)) => {
                interval.start = key(start);
                interval.end = end;
                at
            }
            None => self.push(Interval { keyspace, start: key(start), end, mask, within: Within::default() }),
        }
    }

    #[inline]
    /// The interval that a scan grows, unless merging has swallowed it.
    fn growing(&mut self, at: Option<Growing>) -> Option<(Growing, &mut Interval)> {
        let at = at.filter(|at| at.generation == self.generation)?;
        self.intervals.get_mut(at.position).map(|interval| (at, interval))
    }

    /// How many intervals there are after merging, told exactly only when there are more than `limit`.
    pub(crate) fn count(&mut self, limit: usize) -> usize {
        if self.intervals.len() > limit.max(self.compact_at) {
            self.seal();
            // Merging again only pays once the set has grown by a good part of the limit.
            self.compact_at = self.intervals.len() + 64.min(limit.saturating_sub(self.intervals.len()));
        }
        self.intervals.len()
    }

    /// From now on everything that was read counts as looked at as a whole.
    pub(crate) fn widen(&mut self) {
        self.sealed = false;
        self.intervals.iter_mut().for_each(|interval| interval.mask = FieldMask::ALL);
    }

    /// Sorts the intervals, merges those of a mask and the same conditions, and leaves out those that one of a wider mask
    /// or of fewer conditions covers.
    pub fn seal(&mut self) {
        if self.sealed {
            return;
        }
        self.sealed = true;
        if self.intervals.len() < 2 {
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        let mut all = std::mem::take(&mut self.intervals);
        all.sort_by(|a, b| {
            let place = b.mask.cmp(&a.mask).then_with(|| a.within.cmp(&b.within));
            let place = place.then_with(|| a.keyspace.cmp(&b.keyspace));
            place.then_with(|| a.start.cmp(&b.start))
        });
        let mut merged: Vec<Interval> = Vec::with_capacity(all.len());
        for next in all {
            if let Some(last) = merged.last_mut()
                && (last.mask, last.keyspace) == (next.mask, next.keyspace)
                && last.within == next.within
            {
                if last.start == next.start && next.end == End::Point {
                    // Holds when `last` is not empty, and no interval is.
                    continue;
                }
                match last.exclusive_end() {
                    None => continue,
                    Some(end) if next.start <= end => {
                        match next.exclusive_end() {
                            None => last.end = End::Unbounded,
                            Some(other) if other > end => last.end = End::Before(other),
                            Some(_) => {}
                        }
                        continue;
                    }
                    Some(_) => {}
                }
            }
            merged.push(next);
        }
        if let (Some(first), Some(last)) = (merged.first(), merged.last())
            && !first.is_akin(last)
        {
            let covered: Vec<bool> = merged.iter().map(|i| is_covered(&merged, i)).collect();
            let mut covered = covered.into_iter();
            merged.retain(|_| !covered.next().unwrap_or_default());
        }
        self.intervals = merged;
    }

    /// An interval that holds `k` and looks at something of what changed there, if there is one.
    #[inline]
    pub fn find(&self, keyspace: Keyspace, changed: FieldMask, k: &[u8]) -> Option<&Interval> {
        if self.sealed && self.intervals.len() > 8 {
            let met = groups(&self.intervals)
                .filter(|group| group.first().is_some_and(|i| i.mask.meets(changed) && i.within.holds(k)));
            return met.filter_map(|group| holder(group, keyspace, k)).next();
        }
        self.intervals.iter().find(|i| i.keyspace == keyspace && i.mask.meets(changed) && i.contains(k))
    }

    /// Adds all intervals of another read set.
    pub fn extend(&mut self, other: &ReadSet) {
        self.sealed = false;
        self.intervals.extend(other.intervals.iter().cloned());
    }

    /// Roughly how many bytes of memory this takes.
    pub fn memory(&self) -> usize {
        let of = |i: &Interval| {
            size_of::<Interval>() + i.start.len().saturating_sub(40) + size_of_val(i.within.conditions())
        };
        self.intervals.iter().map(of).sum::<usize>() + size_of::<Self>()
    }
}

/// The groups of sealed intervals that have a mask and conditions in common: mostly one.
fn groups(intervals: &[Interval]) -> impl Iterator<Item = &[Interval]> {
    let mut rest = intervals;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let akin = match rest.last() {
            Some(last) if last.is_akin(first) => rest.len(),
            _ => rest.partition_point(|i| {
                let place = first.mask.cmp(&i.mask).then_with(|| i.within.cmp(&first.within));
                place.is_le()
            }),
        };
        let (group, others) = rest.split_at(akin);
        rest = others;
        Some(group)
    })
}

/// The interval of a group between whose ends `k` lies.
#[inline]
fn holder<'a>(group: &'a [Interval], keyspace: Keyspace, k: &[u8]) -> Option<&'a Interval> {
    let after = group.partition_point(|i| (i.keyspace, &i.start[..]) <= (keyspace, k));
    group[..after].last().filter(|i| i.keyspace == keyspace && i.spans(k))
}

/// Whether one of these intervals, sealed but for this, covers another with a wider mask or fewer conditions.
fn is_covered(intervals: &[Interval], interval: &Interval) -> bool {
    let others =
        groups(intervals).take_while(|group| group.first().is_some_and(|by| by.mask >= interval.mask));
    let wider = others.filter(|group| {
        let by = group.first();
        by.is_some_and(|by| {
            by.mask.holds(interval.mask) && by.within.is_implied_by(&interval.within) && !by.is_akin(interval)
        })
    });
    wider.filter_map(|group| holder(group, interval.keyspace, &interval.start)).any(|by| {
        match by.exclusive_end() {
            None => true,
            Some(end) => interval.exclusive_end().is_some_and(|other| other <= end),
        }
    })
}
