//! The rows of a scan that are at hand: a chunk of what it will hand out.
//!
//! An index key is made of its document, so most chunks are without keys, which are half of what a walk over an index
//! would have to fetch from memory; the few that are asked for are made again.

use crate::catalog::TableInfo;
use crate::document::Document;
use crate::key::{Key, Keyspace, key};
use crate::transaction::Read;

/// The room that a key begins with, so that most are made in one go.
const KEY_BYTES: usize = 64;

/// A chunk of a scan.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// What is seen under each key; `None` hides what storage holds there.
    pub(crate) reads: Vec<Option<Read>>,
    /// The key of each, or nothing at all: then every row has a document that tells it.
    pub(crate) keys: Vec<Key>,
}

impl Rows {
    pub(crate) fn clear(&mut self) {
        self.reads.clear();
        self.keys.clear();
    }

    /// The key of a row.
    pub(crate) fn key(&self, at: usize, table: &TableInfo, keyspace: Keyspace) -> Option<Key> {
        if !self.keys.is_empty() {
            return self.keys.get(at).cloned();
        }
        key_of(&self.reads.get(at)?.as_ref()?.document, table, keyspace)
    }

    /// Takes all rows out, each with its key.
    pub(crate) fn take(&mut self, table: &TableInfo, keyspace: Keyspace) -> Vec<(Key, Option<Read>)> {
        if self.keys.is_empty() {
            self.keys = (0..self.reads.len()).filter_map(|at| self.key(at, table, keyspace)).collect();
        }
        std::mem::take(&mut self.keys).into_iter().zip(std::mem::take(&mut self.reads)).collect()
    }

    pub(crate) fn push(&mut self, k: Key, read: Option<Read>) {
        self.keys.push(k);
        self.reads.push(read);
    }
}

/// The key of a document in `by_id` or another index of its table.
pub(crate) fn key_of(document: &Document, table: &TableInfo, keyspace: Keyspace) -> Option<Key> {
    if keyspace == table.by_id {
        return Some(key(&document.id.internal.0));
    }
    let index = table.indexes.iter().find(|index| index.spec.keyspace == keyspace)?;
    Some(index.spec.key_of(document, &mut Vec::with_capacity(KEY_BYTES)))
}
