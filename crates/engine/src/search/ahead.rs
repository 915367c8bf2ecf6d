//! The blocks of an index in their order, read from storage some at a time.

use std::collections::VecDeque;

use super::block::BLOCKS;
use crate::key::{Keyspace, storage_key};
use crate::storage::{Entry, Storage, StorageError};

/// The blocks that follow each other from one place on, as far as they have been read.
#[derive(Debug)]
pub(super) struct Ahead {
    keyspace: Keyspace,
    blocks: VecDeque<Entry>,
    /// Whether storage may have more behind them.
    more: bool,
    chunk: usize,
}

const LARGEST_CHUNK: usize = 16;
const CHUNK_BYTES: usize = 128 << 10;

impl Ahead {
    pub(super) fn new(keyspace: Keyspace) -> Self {
        Self { keyspace, blocks: VecDeque::new(), more: false, chunk: 1 }
    }

    /// Moves to the block that a key belongs to: the last one at or below it. When there is none, to the first block.
    pub(super) fn seek(&mut self, storage: &dyn Storage, key: &[u8]) -> Result<(), StorageError> {
        if self.is_near(key)
            || self.blocks.front().is_some_and(|(front, _)| &front[..] <= key) && {
                self.fetch(storage)?;
                self.is_near(key)
            }
        {
            return Ok(());
        }
        self.chunk = 1;
        self.blocks.clear();
        let low = storage_key(self.keyspace, &[BLOCKS]);
        let high = [key, &[0]].concat();
        let found = storage.range(&low, Some(&high), true, 1, CHUNK_BYTES)?;
        self.blocks.extend(found.entries);
        self.more = true;
        if self.blocks.is_empty() {
            self.fetch(storage)?;
        }
        Ok(())
    }

    /// Takes the block at hand; the next one is at hand then.
    pub(super) fn take(&mut self, storage: &dyn Storage) -> Result<Option<Entry>, StorageError> {
        if self.blocks.len() < 2 {
            self.fetch(storage)?;
        }
        Ok(self.blocks.pop_front())
    }

    /// The block at hand, which the next call of [`Ahead::take`] returns.
    pub(super) fn front(&self) -> Option<&Entry> {
        self.blocks.front()
    }

    /// Moves to the block that a key belongs to, if what has been read says which one that is.
    fn is_near(&mut self, key: &[u8]) -> bool {
        while self.blocks.get(1).is_some_and(|(next, _)| &next[..] <= key) {
            self.blocks.pop_front();
        }
        let known = self.blocks.len() > 1 || !self.more;
        known && self.blocks.front().is_some_and(|(front, _)| &front[..] <= key)
    }

    fn fetch(&mut self, storage: &dyn Storage) -> Result<(), StorageError> {
        if !self.more {
            return Ok(());
        }
        let start = match self.blocks.back() {
            Some((last, _)) => [&last[..], &[0]].concat(),
            None => storage_key(self.keyspace, &[BLOCKS]),
        };
        let end = storage_key(self.keyspace, &[BLOCKS + 1]);
        let found = storage.range(&start, Some(&end), false, self.chunk, CHUNK_BYTES)?;
        self.chunk = (self.chunk * 2).min(LARGEST_CHUNK);
        self.more = found.more;
        self.blocks.extend(found.entries);
        Ok(())
    }
}
