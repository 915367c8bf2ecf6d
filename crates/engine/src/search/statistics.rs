//! How many documents of a search index have text, and how long their texts are in all.
//!
//! The row under `s` in the keyspace of a search index: the timestamp of the checkpoint that wrote it, the number of
//! documents and the sum of their lengths in tokens then; and the same three numbers as of the complete checkpoint
//! before. Each has 8 bytes, little endian. So the row may be in any batch of its checkpoint: until the last one has said
//! that the checkpoint was reached, the second half holds.

use std::collections::VecDeque;

use hull_value::Timestamp;

use crate::key::{Keyspace, storage_key};
use crate::storage::{Batch, Storage, StorageError};

/// Statistics of a search index, as ranking needs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Documents that have text.
    pub(crate) documents: u64,
    /// The tokens of all their texts.
    pub(crate) length: u64,
}

/// What one checkpoint says of a search index's statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) ts: Timestamp,
    pub(crate) statistics: Statistics,
}

fn row_key(keyspace: Keyspace) -> Vec<u8> {
    storage_key(keyspace, b"s")
}

impl Statistics {
    /// These after a document of length `old`, if any, has become one of length `new`, if any.
    pub(crate) fn replaced(self, old: Option<u32>, new: Option<u32>) -> Self {
        let (gone, come) = (old.map_or(0, u64::from), new.map_or(0, u64::from));
        Self {
            documents: (self.documents + u64::from(new.is_some())).saturating_sub(u64::from(old.is_some())),
            length: (self.length + come).saturating_sub(gone),
        }
    }

    /// What storage holds for an index, when storage stands at `reached`; all zero where nothing is stored.
    pub(crate) fn load(
        storage: &dyn Storage,
        keyspace: Keyspace,
        reached: Timestamp,
    ) -> Result<Self, StorageError> {
        let row = storage.get(&row_key(keyspace))?;
        Ok(row.map_or(Self::default(), |row| Self::stored(&row, reached)))
    }

    /// What a row says, when storage stands at `reached`.
    pub(crate) fn stored(row: &[u8], reached: Timestamp) -> Self {
        let number = |at: usize| {
            row.get(at * 8..at * 8 + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
        };
        let first = if number(0) <= reached.0 { 0 } else { 3 };
        Self { documents: number(first + 1), length: number(first + 2) }
    }

    /// Stores `now`, and with it what the complete checkpoint before said.
    pub(crate) fn put(keyspace: Keyspace, now: Stored, before: Stored, batch: &mut Batch) {
        let numbers = [now, before].into_iter().flat_map(|Stored { ts, statistics }| {
            [ts.0, statistics.documents, statistics.length].into_iter().flat_map(u64::to_le_bytes)
        });
        batch.put(row_key(keyspace), numbers.collect());
    }
}

/// Statistics at every timestamp that may still be asked for.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// As of the time before the first change.
    base: Statistics,
    /// As of each change, oldest first.
    changes: VecDeque<(Timestamp, Statistics)>,
}

/// What a change takes.
pub(crate) const CHANGE_BYTES: usize = size_of::<(Timestamp, Statistics)>();

impl History {
    /// A history that begins with this.
    pub(crate) fn new(base: Statistics) -> Self {
        Self { base, changes: VecDeque::new() }
    }

    /// As of `ts`.
    pub(crate) fn at(&self, ts: Timestamp) -> Statistics {
        let after = self.changes.partition_point(|(since, _)| *since <= ts);
        after.checked_sub(1).and_then(|at| self.changes.get(at)).map_or(self.base, |(_, found)| *found)
    }

    /// From `ts` on, which no earlier change is newer than, these hold. What nobody at `floor` or above can see goes.
    pub(crate) fn push(&mut self, ts: Timestamp, statistics: Statistics, floor: Timestamp) {
        match self.changes.back_mut().filter(|(since, _)| *since == ts) {
            Some(last) => last.1 = statistics,
            None => self.changes.push_back((ts, statistics)),
        }
        self.trim(floor);
    }

    /// Forgets what nobody at `floor` or above can see.
    pub(crate) fn trim(&mut self, floor: Timestamp) {
        while let Some((_, statistics)) = self.changes.pop_front_if(|(since, _)| *since <= floor) {
            self.base = statistics;
        }
    }

    /// The newest.
    pub(crate) fn newest(&self) -> Statistics {
        self.changes.back().map_or(self.base, |(_, newest)| *newest)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.changes.len() * CHANGE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryStorage;

    fn statistics(documents: u64) -> Statistics {
        Statistics { documents, length: 10 * documents }
    }

    #[test]
    fn every_timestamp_from_the_floor_on_has_its_statistics() {
        let mut history = History::new(statistics(1));
        for (n, floor) in [(10, 0), (20, 5), (30, 10), (30, 25), (40, 25)] {
            history.push(Timestamp(n), statistics(n), Timestamp(floor));
        }
        for (ts, found) in [(25, 20), (29, 20), (30, 30), (39, 30), (40, 40), (99, 40)] {
            assert_eq!(history.at(Timestamp(ts)), statistics(found), "at {ts}");
        }
        assert_eq!((history.newest(), history.changes.len()), (statistics(40), 2));
        history.trim(Timestamp(40));
        assert_eq!((history.at(Timestamp(40)), history.bytes()), (statistics(40), 0));
    }

    #[test]
    fn documents_come_go_and_change() {
        let begun = statistics(0).replaced(None, Some(4)).replaced(None, Some(0));
        assert_eq!(begun, Statistics { documents: 2, length: 4 });
        assert_eq!(begun.replaced(Some(4), Some(9)), Statistics { documents: 2, length: 9 });
        assert_eq!(begun.replaced(Some(4), None), Statistics { documents: 1, length: 0 });
    }

    #[test]
    fn a_row_of_a_checkpoint_that_was_not_reached_says_what_was_before() {
        let storage = MemoryStorage::new();
        let k = Keyspace(20);
        let load = |reached| Statistics::load(&storage, k, Timestamp(reached)).unwrap();
        assert_eq!(load(9), statistics(0));
        let mut batch = Batch::new();
        let stored = |n| Stored { ts: Timestamp(n), statistics: statistics(n) };
        Statistics::put(k, stored(30), stored(20), &mut batch);
        storage.apply(batch).unwrap();
        assert_eq!((load(29), load(30), load(31)), (statistics(20), statistics(30), statistics(30)));
    }
}
