//! The keys of an index alone, without a look at the documents.

use std::ops::Bound;

use hull_value::Timestamp;

use super::{Chunk, Residency, TableStore};
use crate::catalog::TableInfo;
use crate::engine::Inner;
use crate::error::TxError;
use crate::key::{Key, Keyspace, key, storage_end, storage_key, successor};

/// Keys that are looked at in one step, during which nobody writes to the table.
const CHUNK: usize = 1024;
const CHUNK_BYTES: usize = 1 << 20;

impl TableStore {
    /// Appends the next keys of a range of `keyspace`, which is `by_id` or an index, at `ts`, and whether there is a row
    /// under each: where there is none, storage's is hidden.
    fn keys(
        &self,
        keyspace: Keyspace,
        (start, end): (&[u8], Option<&[u8]>),
        ts: Timestamp,
        keys: &mut Vec<(Key, bool)>,
    ) -> Chunk {
        let state = self.state.read();
        let complete = state.residency == Residency::Complete;
        let range = (Bound::Included(start), end.map_or(Bound::Unbounded, Bound::Excluded));
        if keyspace == self.by_id {
            let all = state.documents.range::<[u8], _>(range).filter_map(|(k, at)| {
                let version = state.slots.get(*at)?.at(ts)?;
                Some((k.clone(), version.document.is_some()))
            });
            keys.extend(all.filter(|(_, present)| *present || !complete).take(CHUNK));
        } else if let Some(index) = state.indexes.iter().find(|i| i.spec.keyspace == keyspace) {
            let all = index.entries.range::<[u8], _>(range);
            let all = all.filter_map(|(k, entry)| Some((k.clone(), entry.at(ts)?)));
            keys.extend(all.filter(|(_, present)| *present || !complete).take(CHUNK));
        }
        Chunk { exhausted: keys.len() < CHUNK, complete }
    }
}

impl Inner {
    /// Hands the keys of a range of an index at `ts` to `each`, in ascending order, as long as it returns true; returns
    /// whether it did to the end.
    pub(crate) fn keys(
        &self,
        table: &TableInfo,
        keyspace: Keyspace,
        (start, end): (&[u8], Option<&[u8]>),
        ts: Timestamp,
        each: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<bool, TxError> {
        let mut from = key(start);
        let mut keys = Vec::new();
        while end.is_none_or(|end| from[..] < *end) {
            keys.clear();
            let chunk = table.store.keys(keyspace, (&from, end), ts, &mut keys);
            let mut covered = keys.last().filter(|_| !chunk.exhausted).map(|(k, _)| k.clone());
            let mut stored = Vec::new();
            if !chunk.complete {
                // Storage is read after the overlay, and only as far as the overlay's chunk reaches.
                let low = storage_key(keyspace, &from);
                let high = match (&covered, end) {
                    (Some(last), _) => storage_key(keyspace, &successor(last)),
                    (None, Some(end)) => storage_key(keyspace, end),
                    (None, None) => storage_end(keyspace),
                };
                let found = self.storage.range(&low, Some(&high), false, CHUNK, CHUNK_BYTES)?;
                if let Some((last, _)) = found.entries.last().filter(|_| found.more) {
                    covered = Some(key(&last[4..]));
                }
                stored = found.entries;
            }
            let mut stored = stored.iter().map(|(k, _)| &k[4..]).peekable();
            for (k, present) in &keys {
                if covered.as_ref().is_some_and(|last| k > last) {
                    break;
                }
                while let Some(other) = stored.next_if(|other| *other <= &k[..]) {
                    if *other != k[..] && !each(other) {
                        return Ok(false);
                    }
                }
                if *present && !each(k) {
                    return Ok(false);
                }
            }
            for other in stored {
                if !each(other) {
                    return Ok(false);
                }
            }
            match covered {
                Some(last) => from = successor(&last),
                None => return Ok(true),
            }
        }
        Ok(true)
    }
}
