//! Slots: the version chains of a table's documents, side by side in blocks of memory.
//!
//! Versions are ordered by timestamp. A chain says nothing of the time before its first version: that is in storage.
//! Slots live under the lock of their table and have none of their own, so that a reader pays for one lock, however
//! many documents it reads. An index entry names its document's slot by number; whoever has read a document may keep
//! its [`SlotId`] to write to it, which stops to be valid when the slot is taken out of the table.

use std::collections::VecDeque;

use hull_value::Timestamp;

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
pub(crate) struct Slot {
    newest: Version,
    #[allow(clippy::box_collection, reason = "mostly absent, and there are many slots")]
    older: Option<Box<VecDeque<Version>>>,
    /// Tells one use of this place from the next; zero while there is none.
    stamp: u32,
    /// Storage lacks the newest version.
    pub(crate) dirty: bool,
}

/// The bytes of the new version, the growth in all, and the bytes that became history.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pushed {
    pub(crate) added: usize,
    pub(crate) grown: isize,
    pub(crate) superseded: usize,
}

/// What a slot takes beside its versions, with its place in the map, whose nodes are 50 to 70 % full.
pub(crate) const SLOT_BYTES: usize = 120;

impl Slot {
    /// The newest version at or below `ts`.
    #[inline]
    pub(crate) fn at(&self, ts: Timestamp) -> Option<&Version> {
        if self.newest.ts <= ts {
            return Some(&self.newest);
        }
        let older = self.older.as_ref()?;
        let after = older.partition_point(|v| v.ts <= ts);
        after.checked_sub(1).and_then(|i| older.get(i))
    }

    pub(crate) fn newest(&self) -> &Version {
        &self.newest
    }

    /// Whether there is one version, no newer than `ts`, and storage has it.
    pub(crate) fn is_settled(&self, ts: Timestamp) -> bool {
        !self.dirty && self.older.is_none() && self.newest.ts <= ts
    }

    /// Adds a version, which must be newer than all others, and trims what nothing at or above `floor` can see.
    pub(crate) fn push(&mut self, version: Version, floor: Timestamp) -> Pushed {
        let before = std::mem::replace(&mut self.newest, version);
        let superseded = before.bytes();
        let added = self.newest.bytes();
        if self.newest.ts <= floor && self.older.is_none() {
            return Pushed { added, grown: added as isize - superseded as isize, superseded };
        }
        self.older.get_or_insert_default().push_back(before);
        Pushed { added, grown: added as isize - self.trim(floor) as isize, superseded }
    }

    /// Drops the versions that nothing at or above `floor` can see; returns their bytes.
    pub(crate) fn trim(&mut self, floor: Timestamp) -> usize {
        let Some(older) = &mut self.older else { return 0 };
        let drop = if self.newest.ts <= floor {
            older.len()
        } else {
            older.partition_point(|v| v.ts <= floor).saturating_sub(1)
        };
        let freed = older.drain(..drop).map(|v| v.bytes()).sum();
        if older.is_empty() {
            self.older = None;
        }
        freed
    }

    /// The bytes of all versions.
    pub(crate) fn bytes(&self) -> usize {
        self.older.iter().flat_map(|older| older.iter()).chain([&self.newest]).map(Version::bytes).sum()
    }
}

/// A slot, by its number and by the use it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotId {
    pub(crate) at: u32,
    stamp: u32,
}

/// All slots of a table.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    blocks: Vec<Block>,
    /// The blocks that have room.
    roomy: Vec<u32>,
    last_stamp: u32,
}

/// Slots next to each other. Their places are given out again, and the memory is freed once all of them are free.
#[derive(Debug, Default)]
struct Block {
    slots: Vec<Slot>,
    free: Vec<u16>,
}

/// How many slots a block has: 2 to this power.
const BLOCK_BITS: u32 = 9;

impl Block {
    fn is_full(&self) -> bool {
        self.free.is_empty() && self.slots.len() == 1 << BLOCK_BITS
    }
}

impl Slots {
    /// Puts a first version into a slot of its own.
    pub(crate) fn insert(&mut self, newest: Version, dirty: bool) -> SlotId {
        self.last_stamp = self.last_stamp.wrapping_add(1).max(1);
        let stamp = self.last_stamp;
        let slot = Slot { newest, older: None, stamp, dirty };
        let number = self.roomy.last().copied().unwrap_or(self.blocks.len() as u32);
        if self.roomy.is_empty() {
            self.roomy.push(number);
            self.blocks.push(Block::default());
        }
        let mut within = 0;
        if let Some(block) = self.blocks.get_mut(number as usize) {
            within = block.free.pop().map_or(block.slots.len() as u32, u32::from);
            match block.slots.get_mut(within as usize) {
                Some(place) => *place = slot,
                None => block.slots.push(slot),
            }
            if block.is_full() {
                self.roomy.pop();
            }
        }
        SlotId { at: number << BLOCK_BITS | within, stamp }
    }

    /// The slot of this number, which must be in use.
    #[inline]
    pub(crate) fn get(&self, at: u32) -> Option<&Slot> {
        self.blocks.get((at >> BLOCK_BITS) as usize)?.slots.get((at & ((1 << BLOCK_BITS) - 1)) as usize)
    }

    /// The slot of this number, to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self, at: u32) -> Option<&mut Slot> {
        let block = self.blocks.get_mut((at >> BLOCK_BITS) as usize)?;
        block.slots.get_mut((at & ((1 << BLOCK_BITS) - 1)) as usize)
    }

    /// The slot, if it is still what was read.
    pub(crate) fn kept(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.get_mut(id.at).filter(|slot| slot.stamp == id.stamp)
    }

    /// What names this slot to a later write.
    #[inline]
    pub(crate) fn id(at: u32, slot: &Slot) -> SlotId {
        SlotId { at, stamp: slot.stamp }
    }

    /// Frees a slot.
    pub(crate) fn remove(&mut self, at: u32) {
        let (number, within) = (at >> BLOCK_BITS, at & ((1 << BLOCK_BITS) - 1));
        let Some(block) = self.blocks.get_mut(number as usize) else { return };
        let full = block.is_full();
        let Some(slot) = block.slots.get_mut(within as usize) else { return };
        if std::mem::take(&mut slot.stamp) == 0 {
            return;
        }
        // Nothing is seen in a free slot.
        slot.newest = Version { ts: Timestamp(u64::MAX), document: None };
        slot.older = None;
        if full {
            self.roomy.push(number);
        }
        block.free.push(within as u16);
        if block.free.len() == block.slots.len() {
            *block = Block::default();
        }
    }

    /// Takes out everything; ids of before stay invalid.
    pub(crate) fn take(&mut self) -> Slots {
        let next = Slots { last_stamp: self.last_stamp, ..Slots::default() };
        std::mem::replace(self, next)
    }
}
