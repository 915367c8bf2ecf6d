//! A slot: the version chain of one document.
//!
//! Versions are ordered by timestamp. A chain says nothing of the time before its first version: that is in storage.
//! A write that changes no index key touches only the slot, and whoever has read the document may keep the slot to
//! write to it; so a slot that was taken out of its table says so (`detached`), under its own lock.

use std::collections::VecDeque;

use hull_value::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use crate::document::Document;

/// One version: the document, or its absence, from `ts` on.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) ts: Timestamp,
    pub(crate) document: Option<Document>,
}

impl Version {
    fn bytes(&self) -> usize {
        size_of::<Version>() + self.document.as_ref().map_or(0, |d| d.value.bytes().len() + 16)
    }
}

/// The version chain of one document.
#[derive(Debug)]
pub(crate) struct Slot(Mutex<Chain>);

/// What a slot holds under its lock.
#[derive(Debug)]
pub(crate) struct Chain {
    newest: Version,
    older: VecDeque<Version>,
    /// Storage lacks the newest version.
    pub(crate) dirty: bool,
    /// The slot is no longer in its table.
    pub(crate) detached: bool,
}

/// The bytes of the new version, the growth in all, and the bytes that became history.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pushed {
    pub(crate) added: usize,
    pub(crate) grown: isize,
    pub(crate) superseded: usize,
}

/// What a slot takes beside its versions, with its place in the map, whose nodes are 50 to 70 % full.
pub(crate) const SLOT_BYTES: usize = 176;

impl Slot {
    pub(crate) fn new(first: Version, dirty: bool) -> Self {
        Self(Mutex::new(Chain { newest: first, older: VecDeque::new(), dirty, detached: false }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Chain> {
        self.0.lock()
    }

    /// The newest version at or below `ts`.
    pub(crate) fn at(&self, ts: Timestamp) -> Option<Version> {
        self.0.lock().at(ts).cloned()
    }
}

impl Chain {
    /// The newest version at or below `ts`.
    #[inline]
    pub(crate) fn at(&self, ts: Timestamp) -> Option<&Version> {
        if self.newest.ts <= ts {
            return Some(&self.newest);
        }
        let after = self.older.partition_point(|v| v.ts <= ts);
        after.checked_sub(1).and_then(|i| self.older.get(i))
    }

    pub(crate) fn newest(&self) -> &Version {
        &self.newest
    }

    /// Whether there is one version and it is no newer than `ts`.
    pub(crate) fn is_settled(&self, ts: Timestamp) -> bool {
        self.older.is_empty() && self.newest.ts <= ts
    }

    /// Adds a version, which must be newer than all others, and trims what nothing at or above `floor` can see.
    pub(crate) fn push(&mut self, version: Version, floor: Timestamp) -> Pushed {
        let before = std::mem::replace(&mut self.newest, version);
        let superseded = before.bytes();
        let added = self.newest.bytes();
        self.older.push_back(before);
        Pushed { added, grown: added as isize - self.trim(floor) as isize, superseded }
    }

    /// Drops the versions that nothing at or above `floor` can see; returns their bytes.
    pub(crate) fn trim(&mut self, floor: Timestamp) -> usize {
        if self.older.is_empty() {
            return 0;
        }
        let drop = if self.newest.ts <= floor {
            self.older.len()
        } else {
            self.older.partition_point(|v| v.ts <= floor).saturating_sub(1)
        };
        let freed = self.older.drain(..drop).map(|v| v.bytes()).sum();
        if self.older.is_empty() && self.older.capacity() > 4 {
            self.older = VecDeque::new();
        }
        freed
    }

    /// Every version, oldest first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &Version> {
        self.older.iter().chain(std::iter::once(&self.newest))
    }

    /// The bytes of all versions.
    pub(crate) fn bytes(&self) -> usize {
        self.versions().map(Version::bytes).sum()
    }
}
