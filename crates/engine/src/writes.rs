//! The writes of a transaction until it commits: its own reads see them, nobody else's do.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hull_value::Timestamp;

use crate::catalog::{Catalog, TableInfo};
use crate::document::Document;
use crate::fold::Folds;
use crate::key::{Key, Keyspace};
use crate::slot::{SlotId, Version};

/// A write of one document.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) table: Arc<TableInfo>,
    pub(crate) key: Key,
    pub(crate) slot: Option<SlotId>,
    /// What was read before writing; `None` for a new document and for a write that read nothing.
    pub(crate) base: Option<Version>,
    /// The document from now on; `None` when it is deleted.
    pub(crate) new: Option<Document>,
    /// Whether nothing was read before: then the write is never left out.
    pub(crate) blind: bool,
}

impl Pending {
    /// Whether committing this changes anything.
    pub(crate) fn is_effective(&self) -> bool {
        let before = self.base.as_ref().and_then(|b| b.document.as_ref());
        self.blind || before.map(|d| &d.value) != self.new.as_ref().map(|d| &d.value)
    }
}

/// An index entry that is added without a change of its document: the step of a backfill.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) table: Arc<TableInfo>,
    pub(crate) keyspace: Keyspace,
    pub(crate) slot: Option<SlotId>,
    pub(crate) ts: Timestamp,
    pub(crate) document: Document,
}

/// A point that a transaction's writes can be rolled back to. What was read stays read.
#[derive(Debug)]
pub struct Savepoint {
    pub(crate) writes: usize,
    pub(crate) undo: usize,
    pub(crate) folds: usize,
    pub(crate) catalog: Arc<Catalog>,
}

/// Beyond so many writes a map finds them.
const LINEAR: usize = 16;

/// All writes of a transaction.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    pub(crate) list: Vec<Pending>,
    pub(crate) filled: Vec<Filled>,
    pub(crate) folds: Folds,
    by_key: HashMap<(Keyspace, Key), usize>,
    undo: Vec<(usize, Option<Document>)>,
    /// Every key of every new version, once a scan has needed them.
    own: Option<BTreeMap<(Keyspace, Key), usize>>,
    tables: Vec<Keyspace>,
    /// Grows with every write, so that a scan under way notices.
    pub(crate) epoch: u64,
}

impl Writes {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.filled.is_empty() && self.folds.is_empty()
    }

    pub(crate) fn find(&self, keyspace: Keyspace, k: &[u8]) -> Option<usize> {
        if self.list.len() <= LINEAR {
            return self.list.iter().position(|p| p.table.by_id == keyspace && p.key[..] == *k);
        }
        self.by_key.get(&(keyspace, Key::from_slice(k))).copied()
    }

    pub(crate) fn touches_table(&self, keyspace: Keyspace) -> bool {
        self.tables.contains(&keyspace)
    }

    /// Adds the first write of a document.
    pub(crate) fn add(&mut self, pending: Pending) {
        self.epoch += 1;
        let at = self.list.len();
        if !self.tables.contains(&pending.table.by_id) {
            self.tables.push(pending.table.by_id);
        }
        self.list.push(pending);
        if self.list.len() == LINEAR + 1 {
            self.by_key =
                self.list.iter().enumerate().map(|(i, p)| ((p.table.by_id, p.key.clone()), i)).collect();
        } else if self.list.len() > LINEAR {
            self.by_key.insert((self.list[at].table.by_id, self.list[at].key.clone()), at);
        }
        if let Some(own) = &mut self.own {
            Self::index(own, &self.list[at], at);
        }
    }

    /// Writes a document again.
    pub(crate) fn change(&mut self, at: usize, new: Option<Document>) {
        self.epoch += 1;
        if let Some(own) = &mut self.own {
            Self::unindex(own, &self.list[at]);
        }
        let old = std::mem::replace(&mut self.list[at].new, new);
        self.undo.push((at, old));
        if let Some(own) = &mut self.own {
            Self::index(own, &self.list[at], at);
        }
    }

    fn keys(pending: &Pending, mut each: impl FnMut((Keyspace, Key))) {
        let Some(document) = &pending.new else { return };
        each((pending.table.by_id, pending.key.clone()));
        let mut buffer = Vec::new();
        for index in &pending.table.indexes {
            each((index.spec.keyspace, index.spec.key_of(document, &mut buffer)));
        }
    }

    fn index(own: &mut BTreeMap<(Keyspace, Key), usize>, pending: &Pending, at: usize) {
        Self::keys(pending, |k| {
            own.insert(k, at);
        });
    }

    fn unindex(own: &mut BTreeMap<(Keyspace, Key), usize>, pending: &Pending) {
        Self::keys(pending, |k| {
            own.remove(&k);
        });
    }

    /// The own documents in a range of keys of a keyspace, in ascending order.
    pub(crate) fn range(
        &mut self,
        keyspace: Keyspace,
        start: &[u8],
        end: Option<&[u8]>,
    ) -> Vec<(Key, usize)> {
        let list = &self.list;
        let own = self.own.get_or_insert_with(|| {
            let mut own = BTreeMap::new();
            for (at, pending) in list.iter().enumerate() {
                Self::index(&mut own, pending, at);
            }
            own
        });
        let first = (keyspace, Key::from_slice(start));
        let last = match end {
            Some(end) => (keyspace, Key::from_slice(end)),
            None => (Keyspace(keyspace.0.saturating_add(1)), Key::new()),
        };
        if last <= first {
            return Vec::new();
        }
        own.range(first..last).map(|((_, k), at)| (k.clone(), *at)).collect()
    }

    pub(crate) fn savepoint(&self, catalog: &Arc<Catalog>) -> Savepoint {
        Savepoint {
            writes: self.list.len(),
            undo: self.undo.len(),
            folds: self.folds.len(),
            catalog: catalog.clone(),
        }
    }

    /// Undoes everything since the savepoint.
    pub(crate) fn rollback_to(&mut self, to: &Savepoint) {
        self.epoch += 1;
        self.own = None;
        self.folds.truncate(to.folds);
        while self.undo.len() > to.undo {
            if let Some((at, old)) = self.undo.pop() {
                self.list[at].new = old;
            }
        }
        if self.list.len() > LINEAR {
            for pending in self.list.drain(to.writes.min(self.list.len())..) {
                self.by_key.remove(&(pending.table.by_id, pending.key));
            }
            // The map is built anew when the list passes the bound again.
            if self.list.len() <= LINEAR {
                self.by_key.clear();
            }
        } else {
            self.list.truncate(to.writes);
        }
    }
}
