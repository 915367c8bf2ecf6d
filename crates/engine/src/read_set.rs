//! The read set: the key intervals that a transaction's answers depend on.
//!
//! An interval covers exactly the keys that were yielded or proven absent: a scan that stopped early depends on
//! nothing behind the last key it gave out.

use crate::key::{Key, Keyspace, compare, key, same, successor};

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

/// A half-open interval of keys in one keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The keyspace.
    pub keyspace: Keyspace,
    /// The first key.
    pub start: Key,
    /// The end.
    pub end: End,
}

impl Interval {
    /// Whether `k`, a key of the same keyspace, lies inside.
    #[inline]
    pub fn contains(&self, k: &[u8]) -> bool {
        match &self.end {
            End::Point => same(k, &self.start),
            End::Before(end) => compare(k, &self.start).is_ge() && compare(k, end).is_lt(),
            End::Unbounded => compare(k, &self.start).is_ge(),
        }
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

    /// The intervals; disjoint and sorted once [`ReadSet::seal`] was called.
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Adds one key.
    pub fn add_point(&mut self, keyspace: Keyspace, point: &[u8]) {
        let near = self.intervals.len().saturating_sub(8);
        if self.intervals[near..].iter().any(|i| i.keyspace == keyspace && i.contains(point)) {
            return;
        }
        self.push(Interval { keyspace, start: key(point), end: End::Point });
    }

    /// Adds the half-open range from `start` to `end`; `None` is unbounded.
    pub fn add_range(&mut self, keyspace: Keyspace, start: &[u8], end: Option<&[u8]>) {
        if end.is_some_and(|e| e <= start) {
            return;
        }
        self.push(Interval {
            keyspace,
            start: key(start),
            end: end.map_or(End::Unbounded, |e| End::Before(key(e))),
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
        keyspace: Keyspace,
        start: &[u8],
        last: &Key,
    ) -> Growing {
        match self.growing(at) {
            Some((at, Interval { end: End::Before(end), .. })) => {
                *end = last.clone().into_successor();
                at
            }
            _ => self.grow(at, keyspace, start, End::Before(successor(last))),
        }
    }

    #[inline]
    /// Sets what a scan covers by now: from `last` to `end`.
    pub(crate) fn grow_down(
        &mut self,
        at: Option<Growing>,
        keyspace: Keyspace,
        last: &Key,
        end: Option<&[u8]>,
    ) -> Growing {
        match self.growing(at) {
            Some((at, Interval { start, .. })) => {
                *start = last.clone();
                at
            }
            _ => self.grow(at, keyspace, last, end.map_or(End::Unbounded, |end| End::Before(key(end)))),
        }
    }

    /// Sets what a scan covers, replacing what it covered before.
    pub(crate) fn grow(
        &mut self,
        at: Option<Growing>,
        keyspace: Keyspace,
        start: &[u8],
        end: End,
    ) -> Growing {
        match self.growing(at) {
            Some((at, interval)) => {
                interval.start = key(start);
                interval.end = end;
                at
            }
            None => self.push(Interval { keyspace, start: key(start), end }),
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

    /// Sorts and merges the intervals.
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
        all.sort_by(|a, b| a.keyspace.cmp(&b.keyspace).then_with(|| a.start.cmp(&b.start)));
        let mut merged: Vec<Interval> = Vec::with_capacity(all.len());
        for next in all {
            if let Some(last) = merged.last_mut()
                && last.keyspace == next.keyspace
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
        self.intervals = merged;
    }

    /// The interval that holds `k`, if there is one.
    #[inline]
    pub fn find(&self, keyspace: Keyspace, k: &[u8]) -> Option<&Interval> {
        if self.sealed && self.intervals.len() > 8 {
            let after = self.intervals.partition_point(|i| (i.keyspace, &i.start[..]) <= (keyspace, k));
            return self.intervals[..after].last().filter(|i| i.keyspace == keyspace && i.contains(k));
        }
        self.intervals.iter().find(|i| i.keyspace == keyspace && i.contains(k))
    }

    /// Adds all intervals of another read set.
    pub fn extend(&mut self, other: &ReadSet) {
        self.sealed = false;
        self.intervals.extend(other.intervals.iter().cloned());
    }

    /// Roughly how many bytes of memory this takes.
    pub fn memory(&self) -> usize {
        self.intervals.iter().map(|i| size_of::<Interval>() + i.start.len().saturating_sub(40)).sum::<usize>()
            + size_of::<Self>()
    }
}
