//! The documents that are listed under a term, ascending by id: in chunks, so that one can be put between many others.

use smallvec::SmallVec;

use super::posting::DocKey;

/// A document under a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: DocKey,
    /// The place of its chain.
    pub(super) at: u32,
    /// How often its newest version has the term; zero when it does not.
    pub(super) frequency: u32,
}

/// What a document takes in a list.
pub(super) const LISTED_BYTES: usize = size_of::<Listed>() + 8;
/// What a chunk has at most; few in tests.
const CHUNK: usize = if cfg!(test) { 8 } else { 512 };

/// The documents of a term. No chunk is empty.
#[derive(Debug, Default)]
pub(super) struct List {
    chunks: SmallVec<[Vec<Listed>; 1]>,
    len: usize,
}

impl List {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lists a document, or says something else of it; returns whether it was not listed before.
    pub(super) fn set(&mut self, listed: Listed) -> bool {
        let behind =
            self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| first.id <= listed.id));
        let number = behind.saturating_sub(1);
        let Some(chunk) = self.chunks.get_mut(number) else {
            self.chunks.push(vec![listed]);
            self.len = 1;
            return true;
        };
        // Ids grow with time, mostly.
        let place = match chunk.last() {
            Some(last) if last.id < listed.id => Err(chunk.len()),
            _ => chunk.binary_search_by_key(&listed.id, |other| other.id),
        };
        let place = match place {
            Ok(place) => {
                chunk[place] = listed;
                return false;
            }
            Err(place) => place,
        };
        self.len += 1;
        if chunk.len() < CHUNK {
            chunk.insert(place, listed);
        } else if place == chunk.len() {
            self.chunks.insert(number + 1, vec![listed]);
        } else {
            let mut upper = chunk.split_off(CHUNK / 2);
            match place.checked_sub(CHUNK / 2) {
                Some(place) => upper.insert(place, listed),
                None => chunk.insert(place, listed),
            }
            self.chunks.insert(number + 1, upper);
        }
        true
    }

    /// The documents behind `after`, or all of them.
    pub(super) fn behind(&self, after: Option<DocKey>) -> impl Iterator<Item = &Listed> {
        let first = after.map_or(0, |after| {
            let behind =
                self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| first.id <= after));
            behind.saturating_sub(1)
        });
        let chunks = self.chunks.get(first..).unwrap_or_default();
        let skipped = after
            .zip(chunks.first())
            .map_or(0, |(after, chunk)| chunk.partition_point(|listed| listed.id <= after));
        chunks.iter().flatten().skip(skipped)
    }

    /// Keeps those documents alone.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Listed) -> bool) {
        for chunk in &mut self.chunks {
            chunk.retain(&mut keep);
            if chunk.capacity() > 2 * chunk.len() + 8 {
                chunk.shrink_to_fit();
            }
        }
        self.chunks.retain(|chunk| !chunk.is_empty());
        self.len = self.chunks.iter().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn a_list_is_an_ordered_map() {
        for seed in 0..20 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let (mut list, mut map) = (List::default(), BTreeMap::new());
            let mut grown = 0;
            for _ in 0..300 {
                let number = if rng.random_bool(0.3) {
                    grown += 1;
                    1000 + grown
                } else {
                    rng.random_range(0..1000_u128)
                };
                let id = number.to_be_bytes();
                let listed = Listed { id, at: rng.random_range(0..9), frequency: rng.random_range(0..9) };
                assert_eq!(list.set(listed), map.insert(id, listed).is_none());
                if rng.random_bool(0.02) {
                    list.retain(|listed| listed.at > 3);
                    map.retain(|_, listed| listed.at > 3);
                }
                let after = rng.random_range(0..1400_u128).to_be_bytes();
                let expected: Vec<_> =
                    map.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded)).collect();
                let found: Vec<_> = list.behind(Some(after)).collect();
                assert_eq!(found, expected.into_iter().map(|(_, listed)| listed).collect::<Vec<_>>());
                assert_eq!(list.behind(None).collect::<Vec<_>>(), map.values().collect::<Vec<_>>());
                assert_eq!((list.len(), list.is_empty()), (map.len(), map.is_empty()));
            }
        }
    }
}
