//! An index entry of the overlay: from when on a document has a key, and from when on it no longer has it.

use hull_value::Timestamp;

/// What an index entry takes, with its place in the map: 72 bytes, in nodes that are 50 to 70 % full.
pub(super) const ENTRY_BYTES: usize = 128;

/// An index entry: whether the document of `slot` has this key, from when on.
#[derive(Debug)]
pub(super) struct Entry {
    /// The number of the document's slot.
    pub(super) slot: u32,
    pub(super) since: Timestamp,
    #[allow(clippy::box_collection, reason = "almost always absent, and there are many entries")]
    older: Option<Box<Vec<(Timestamp, bool)>>>,
    pub(super) present: bool,
    pub(super) dirty: bool,
}

impl Entry {
    pub(super) fn new(slot: u32, since: Timestamp, present: bool, dirty: bool) -> Self {
        Self { slot, since, older: None, present, dirty }
    }

    #[inline]
    pub(super) fn at(&self, ts: Timestamp) -> Option<bool> {
        self.since_at(ts).map(|(_, present)| present)
    }

    /// Whether the document had the key at `ts`, and since when.
    #[inline]
    pub(super) fn since_at(&self, ts: Timestamp) -> Option<(Timestamp, bool)> {
        if self.since <= ts {
            return Some((self.since, self.present));
        }
        self.older.as_ref().and_then(|o| o.iter().rev().find(|(since, _)| *since <= ts)).copied()
    }

    pub(super) fn push(&mut self, since: Timestamp, present: bool, floor: Timestamp) {
        if self.since > floor {
            self.older.get_or_insert_default().push((self.since, self.present));
            self.trim(floor);
        } else {
            // The one version that a snapshot at the floor may see.
            self.older = Some(Box::new(vec![(self.since, self.present)]));
        }
        (self.since, self.present) = (since, present);
    }

    pub(super) fn trim(&mut self, floor: Timestamp) {
        if self.since <= floor {
            self.older = None;
        } else if let Some(older) = &mut self.older {
            let drop = older.partition_point(|(since, _)| *since <= floor).saturating_sub(1);
            older.drain(..drop);
        }
    }

    pub(super) fn is_settled(&self, ts: Timestamp) -> bool {
        !self.dirty && self.older.is_none() && self.since <= ts
    }
}
