//! Version chains: what documents are to a search index from when on, each chain in a place with a number.

use std::collections::HashMap;
use std::sync::Arc;

use hull_value::Timestamp;
use smallvec::{SmallVec, smallvec};

use super::posting::{DocKey, SearchDoc};

/// What a document is to the index; `None` when that is nothing.
pub(super) type Version = Option<Arc<SearchDoc>>;

/// The versions of one document, oldest first, never none. A chain says nothing of the time before its first version:
/// that is in storage.
#[derive(Debug)]
pub(super) struct Chain {
    id: DocKey,
    pub(super) versions: SmallVec<[(Timestamp, Version); 1]>,
}

/// What a chain takes beside its versions, with its place in the map.
pub(super) const CHAIN_BYTES: usize = size_of::<Option<Chain>>() + 40;

/// What a version takes.
pub(super) fn version_bytes(version: &Version) -> usize {
    version.as_ref().map_or(0, |doc| {
        let terms: usize = doc.terms.iter().map(|(term, _)| 40 + term.len()).sum();
        size_of::<SearchDoc>() + 16 + terms + 8 * doc.filters.len()
    })
}

impl Chain {
    /// The version that is seen at `ts`, and since when it is; `None` when storage decides. Says whether it is the newest.
    #[inline]
    pub(super) fn at(&self, ts: Timestamp) -> Option<(Timestamp, &Version, bool)> {
        let place = self.versions.iter().rposition(|(since, _)| *since <= ts)?;
        let (since, version) = self.versions.get(place)?;
        Some((*since, version, place + 1 == self.versions.len()))
    }

    pub(super) fn newest_ts(&self) -> Timestamp {
        self.versions.last().map_or(Timestamp(0), |(ts, _)| *ts)
    }

    /// Adds a version, which no other is newer than; returns the bytes of the one before.
    pub(super) fn push(&mut self, ts: Timestamp, version: Version) -> usize {
        match self.versions.last_mut() {
            Some(last) if last.0 == ts => {
                let before = std::mem::replace(&mut last.1, version);
                version_bytes(&before)
            }
            last => {
                let bytes = last.map_or(0, |(_, before)| version_bytes(before));
                self.versions.push((ts, version));
                bytes
            }
        }
    }

    /// Drops the versions that nothing at or above `floor` can see; returns their bytes.
    pub(super) fn trim(&mut self, floor: Timestamp) -> usize {
        let seen = self.versions.partition_point(|(since, _)| *since <= floor);
        self.versions.drain(..seen.saturating_sub(1)).map(|(_, version)| version_bytes(&version)).sum()
    }

    pub(super) fn bytes(&self) -> usize {
        self.versions.iter().map(|(_, version)| version_bytes(version)).sum()
    }
}

/// The chains of all documents that are here.
#[derive(Debug, Default)]
pub(super) struct Chains {
    places: Vec<Option<Chain>>,
    free: Vec<u32>,
    numbers: HashMap<DocKey, u32>,
}

impl Chains {
    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// How many places there are.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// The chain of this document, if it is still in this place.
    #[inline]
    pub(super) fn get(&self, at: u32, id: &DocKey) -> Option<&Chain> {
        self.places.get(at as usize)?.as_ref().filter(|chain| chain.id == *id)
    }

    /// The place of a document, and its chain.
    pub(super) fn find(&mut self, id: &DocKey) -> Option<(u32, &mut Chain)> {
        let at = *self.numbers.get(id)?;
        Some((at, self.places.get_mut(at as usize)?.as_mut()?))
    }

    /// The chain in a place.
    pub(super) fn place(&mut self, at: usize) -> Option<&mut Chain> {
        self.places.get_mut(at)?.as_mut()
    }

    /// Gives a document that is not here its first version, and a place.
    pub(super) fn insert(&mut self, id: DocKey, ts: Timestamp, version: Version) -> u32 {
        let chain = Chain { id, versions: smallvec![(ts, version)] };
        let at = self.free.pop().unwrap_or(self.places.len() as u32);
        match self.places.get_mut(at as usize) {
            Some(place) => *place = Some(chain),
            None => self.places.push(Some(chain)),
        }
        self.numbers.insert(id, at);
        at
    }

    /// Takes out what is in a place. When nothing is left there are no places either.
    pub(super) fn remove(&mut self, at: usize) -> Option<Chain> {
        let chain = self.places.get_mut(at)?.take()?;
        self.numbers.remove(&chain.id);
        self.free.push(at as u32);
        if self.numbers.is_empty() {
            *self = Self::default();
        }
        Some(chain)
    }
}
