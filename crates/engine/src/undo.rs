//! Undo: what checkpoints replace in storage while snapshots are held.
//!
//! An entry in [`Keyspace::UNDO`] says what a storage key held before the checkpoint at C wrote it:
//! ```text
//! key   = the storage key, each 00 in it as 00 01, then 00 00, then C (8 bytes, big endian)
//! value = 00 when there was nothing under the key, 01 and the value, or 02 when the value was damaged
//! ```
//! so entries are ordered by storage key, then by C. Guarantee: an entry is in storage before the batch that makes it
//! needed, so whoever reads a range of storage first and its undo second sees the state at a held T: where a key has
//! entries above T, the oldest of them is what the key held at T.
//!
//! Undo is of use only to the process that wrote it; it need not survive, and what an earlier process left lies
//! below every timestamp that this one gives out.

use std::sync::atomic::Ordering;

use hull_value::Timestamp;

use crate::engine::Inner;
use crate::error::HoldError;
use crate::key::{Keyspace, storage_end, storage_key};
use crate::storage::{Batch, Chunk, MAX_BATCH_BYTES, MAX_BATCH_KEYS, StorageError};

const NOTHING: u8 = 0;
const SOMETHING: u8 = 1;
const DAMAGED: u8 = 2;

/// The place in the undo before every entry of `key` and of all keys above it.
fn place(key: &[u8]) -> Vec<u8> {
    let mut out = storage_key(Keyspace::UNDO, b"");
    out.reserve(key.len() + 16);
    for byte in key {
        out.push(*byte);
        if *byte == 0 {
            out.push(1);
        }
    }
    out
}

/// The key of an entry.
fn undo_key(key: &[u8], c: Timestamp) -> Vec<u8> {
    let mut out = place(key);
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&c.0.to_be_bytes());
    out
}

/// The storage key and the C of an entry.
fn parse(entry: &[u8]) -> Option<(Vec<u8>, Timestamp)> {
    let (escaped, c) = entry.get(4..)?.split_last_chunk::<8>()?;
    let escaped = escaped.strip_suffix(&[0, 0])?;
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        key.push(*byte);
        if *byte == 0 {
            bytes.next().filter(|next| **next == 1)?;
        }
    }
    Some((key, Timestamp(u64::from_be_bytes(*c))))
}

/// What the undo of a range says about a held snapshot.
pub(crate) struct Undone {
    /// Keys, ascending, with what they held.
    pub(crate) entries: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Up to where, when that is not the whole range.
    pub(crate) covered: Option<Vec<u8>>,
}

impl Inner {
    /// What the keys from `start` up to `end` held at `ts`, where that is no longer in storage: as far as fits into
    /// about `limit_bytes`, at least one key. To be called after the range was read from storage.
    pub(crate) fn undone(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        ts: Timestamp,
        limit_bytes: usize,
    ) -> Result<Undone, HoldError> {
        let mut undone = Undone { entries: Vec::new(), covered: None };
        if self.holds.undo_to() <= ts {
            return Ok(undone);
        }
        let mut from = place(start);
        let to = end.map_or_else(|| storage_end(Keyspace::UNDO), place);
        let mut bytes = 0;
        loop {
            let chunk = self.storage.range(&from, Some(&to), false, MAX_BATCH_KEYS, MAX_BATCH_BYTES)?;
            let mut last = None;
            for (entry, value) in chunk.entries {
                let damaged = || HoldError::Damaged("an entry of the undo cannot be read".into());
                let (key, c) = parse(&entry).ok_or_else(damaged)?;
                let decided = undone.entries.last().is_some_and(|(k, _)| *k == key);
                if c > ts && !decided {
                    let value = match value.split_first() {
                        Some((&SOMETHING, value)) => Some(value.to_vec()),
                        Some((&NOTHING, [])) => None,
                        Some((&DAMAGED, [])) => return Err(StorageError::Checksum { key }.into()),
                        _ => return Err(damaged()),
                    };
                    bytes += key.len() + value.as_ref().map_or(0, Vec::len);
                    undone.entries.push((key, value));
                }
                last = Some(entry);
            }
            let Some(mut last) = last.filter(|_| chunk.more) else { return Ok(undone) };
            if bytes >= limit_bytes || undone.entries.len() >= MAX_BATCH_KEYS {
                // All up to the last key that was decided; later ones may have entries behind the chunk.
                undone.covered = undone.entries.last().map(|(key, _)| [key, &[0][..]].concat());
                return Ok(undone);
            }
            last.push(0);
            from = last;
        }
    }

    /// Stores what a checkpoint's batch is about to replace, as far as a held snapshot needs it.
    pub(crate) fn store_undo(&self, batch: &Batch, c: Timestamp) -> Result<(), StorageError> {
        let Some(newest) = self.holds.newest_below(c) else { return Ok(()) };
        self.holds.note_undo(c);
        let mut undo = Batch::new();
        for (key, _) in batch.changes() {
            if key.starts_with(&storage_key(Keyspace::META, b"")) {
                continue;
            }
            // An older entry serves every hold; and a repeated batch finds what it has itself left in storage.
            let (low, high) = (undo_key(key, Timestamp(newest.0 + 1)), undo_key(key, Timestamp(c.0 + 1)));
            match self.storage.range(&low, Some(&high), false, 1, 0) {
                Ok(chunk) if chunk.entries.is_empty() => {}
                Ok(_) | Err(StorageError::Checksum { .. }) => continue,
                Err(error) => return Err(error),
            }
            let value = match self.storage.get(key) {
                Ok(Some(value)) => [&[SOMETHING], &value[..]].concat(),
                Ok(None) => vec![NOTHING],
                // Damage is for the holder to meet, and the checkpoint replaces it.
                Err(StorageError::Checksum { .. }) => vec![DAMAGED],
                Err(error) => return Err(error),
            };
            let entry = undo_key(key, c);
            if !undo.has_room(entry.len() + value.len()) {
                self.apply_undo(std::mem::take(&mut undo))?;
            }
            undo.put(entry, value);
        }
        self.apply_undo(undo)
    }

    /// Without room for undo the holds are lost, not the checkpoint.
    fn apply_undo(&self, undo: Batch) -> Result<(), StorageError> {
        match if undo.is_empty() { Ok(()) } else { self.write_unsynced(undo) } {
            Err(StorageError::DiskFull) => {
                self.holds.lose_all();
                Ok(())
            }
            other => other,
        }
    }

    /// Removes a batch of the undo that no hold needs any more; returns whether there is more to look at.
    pub(crate) fn sweep_undo(&self) -> Result<bool, StorageError> {
        if !self.holds.is_sweep_wanted() {
            return Ok(false);
        }
        let swept = self.sweep_batch();
        if swept.is_err() {
            self.holds.sweep_again();
        }
        swept
    }

    fn sweep_batch(&self) -> Result<bool, StorageError> {
        // One thread writes, and no checkpoint relies on an entry meanwhile.
        let _checkpoints = self.checkpoints.lock();
        let from = self.holds.sweep_from().unwrap_or_else(|| storage_key(Keyspace::UNDO, b""));
        let end = storage_end(Keyspace::UNDO);
        let chunk = self.to_remove(&from, &end)?;
        let next = chunk.entries.last().filter(|_| chunk.more).map(|(last, _)| [last, &[0][..]].concat());
        let mut batch = Batch::new();
        for (entry, _) in chunk.entries {
            if parse(&entry).is_none_or(|(_, c)| self.holds.newest_below(c).is_none()) {
                batch.delete(entry);
            }
        }
        if !batch.is_empty() {
            self.write(batch, true)?;
        }
        self.holds.swept(next);
        // A hold may have ended since this pass began.
        Ok(self.holds.is_sweep_wanted())
    }

    /// A batch's worth of the keys of a range, to be removed, whether or not their values can be read.
    pub(crate) fn to_remove(&self, start: &[u8], end: &[u8]) -> Result<Chunk, StorageError> {
        match self.storage.range(start, Some(end), false, MAX_BATCH_KEYS, MAX_BATCH_BYTES / 2) {
            Err(StorageError::Checksum { key }) if start <= &key[..] && &key[..] < end => {
                Ok(Chunk { entries: vec![(key, Vec::new())], more: true })
            }
            other => other,
        }
    }

    /// Up to where the log may be trimmed after a checkpoint at `ts`: not past a hold nor past the last backup.
    pub(crate) fn log_floor(&self, ts: Timestamp) -> Timestamp {
        let backup = match self.backup_ts.load(Ordering::Acquire) {
            0 => ts,
            backup => Timestamp(backup),
        };
        self.holds.oldest().map_or(ts, |oldest| oldest.min(ts)).min(backup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_ordered_by_key_then_by_timestamp() {
        let mut keys: Vec<Vec<u8>> = vec![Vec::new()];
        for _ in 0..4 {
            let longer: Vec<Vec<u8>> =
                keys.iter().flat_map(|k| [0, 1, 2, 255].map(|b| [&k[..], &[b][..]].concat())).collect();
            keys.extend(longer);
            keys.sort();
            keys.dedup();
        }
        let entries: Vec<Vec<u8>> =
            keys.iter().flat_map(|k| [0, 1, 256, u64::MAX].map(|c| undo_key(k, Timestamp(c)))).collect();
        assert!(entries.is_sorted());
        for (n, entry) in entries.iter().enumerate() {
            assert_eq!(parse(entry).unwrap().0, keys[n / 4]);
        }
        for pair in keys.windows(2) {
            let between = place(&pair[1]);
            assert!(undo_key(&pair[0], Timestamp(u64::MAX)) < between);
            assert!(between <= undo_key(&pair[1], Timestamp(0)));
        }
    }
}
