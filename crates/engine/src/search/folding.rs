//! The part of a checkpoint that stores the postings of search indexes: after the documents, index by index.
//!
//! Guarantee: when the last batch of a checkpoint to C is in storage, its blocks are the postings at C of every search
//! index that is still there, and its statistics are those at C. After a failed batch everything is folded once more.

use std::sync::Arc;

use hull_value::Timestamp;

use super::fold::{Filled, Fold};
use super::statistics::Statistics;
use super::store::Position;
use crate::key::Keyspace;
use crate::overlay::TableStore;
use crate::storage::{Batch, MAX_BATCH_KEYS, Storage, StorageError};

/// The folds of a checkpoint under way.
#[derive(Debug, Default)]
pub(crate) struct Folding {
    /// The search indexes of which storage lacked something when the checkpoint began.
    all: Vec<(Arc<TableStore>, Keyspace)>,
    /// How many of them are folded.
    folded: usize,
    current: Option<Current>,
}

/// The fold of one index.
#[derive(Debug)]
struct Current {
    fold: Fold,
    /// Which posting was handed to the fold last.
    last: Option<Position>,
}

impl Folding {
    /// The folds of all these tables that are to be made, and the bytes that they will store, roughly.
    pub(crate) fn begin(tables: &[Arc<TableStore>]) -> (Self, u64) {
        let mut bytes = 0;
        let mut folding = Self::default();
        for table in tables {
            for search in table.searches() {
                if let Some(unstored) = search.take_unstored() {
                    bytes += unstored;
                    folding.all.push((table.clone(), search.spec.keyspace));
                }
            }
        }
        (folding, bytes)
    }

    /// Begins once more.
    pub(crate) fn repeat(&mut self) {
        (self.folded, self.current) = (0, None);
    }

    /// Whether nothing is left to be stored.
    pub(crate) fn is_done(&self) -> bool {
        self.folded == self.all.len()
    }

    /// Adds to `batch` what it has room for; returns whether nothing is left.
    pub(crate) fn fill(
        &mut self,
        storage: &dyn Storage,
        reached: Timestamp,
        ts: Timestamp,
        batch: &mut Batch,
    ) -> Result<bool, StorageError> {
        while let Some((table, keyspace)) = self.all.get(self.folded) {
            // Room for the statistics, and for the caller's rows.
            if batch.len() + 4 > MAX_BATCH_KEYS || !batch.has_room(512) {
                return Ok(false);
            }
            // What was dropped since is not stored any more.
            let Some(search) = table.search(*keyspace) else {
                (self.folded, self.current) = (self.folded + 1, None);
                continue;
            };
            let width = search.spec.filter_fields.len();
            let begin = || Current { fold: Fold::new(*keyspace, width), last: None };
            let first = self.current.is_none();
            let Current { fold, last } = self.current.get_or_insert_with(begin);
            match fold.fill(storage, batch)? {
                Filled::Hungry if first || last.is_some() => {
                    *last = search.to_fold(last.as_ref(), reached, ts, &mut |(term, id, posting)| {
                        fold.change(term, id, posting);
                    });
                    if last.is_none() {
                        fold.finish();
                    }
                }
                Filled::Hungry => fold.finish(),
                Filled::Full => return Ok(false),
                Filled::Done => {
                    let (now, before) = search.statistics_to_store(ts);
                    Statistics::put(*keyspace, now, before, batch);
                    (self.folded, self.current) = (self.folded + 1, None);
                }
            }
        }
        Ok(true)
    }

    /// Lets the overlays go of what storage has now, at `ts`.
    pub(crate) fn settle(&self, ts: Timestamp) {
        for (table, keyspace) in &self.all {
            if let Some(search) = table.search(*keyspace) {
                search.settle(ts);
            }
        }
    }
}
