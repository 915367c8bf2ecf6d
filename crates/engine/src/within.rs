//! What the end of a key must say for an interval to hold it.
//!
//! Keys of a search index end in eight bytes for each of its filter fields. A search with filters depends on the keys of
//! a term that have certain bytes there, wherever in the interval they lie.

use std::sync::Arc;

/// Conditions on a key, counted from its end: almost always none, which takes no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Within(Option<Arc<Vec<(u16, u64)>>>);

impl Within {
    /// The conditions that the eight bytes which begin so many bytes before a key's end are, in big endian, this number.
    pub fn new(conditions: impl IntoIterator<Item = (u16, u64)>) -> Self {
        let mut conditions: Vec<_> = conditions.into_iter().collect();
        conditions.sort_unstable();
        conditions.dedup();
        Self((!conditions.is_empty()).then(|| Arc::new(conditions)))
    }

    /// The conditions, by their place.
    pub fn conditions(&self) -> &[(u16, u64)] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Whether there is no condition.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a key meets every condition.
    #[inline]
    pub fn holds(&self, k: &[u8]) -> bool {
        self.is_empty() || self.conditions().iter().all(|(from_end, value)| at(k, *from_end) == Some(*value))
    }

    /// Whether every key that meets the other conditions meets these.
    pub(crate) fn is_implied_by(&self, other: &Self) -> bool {
        self.conditions().iter().all(|condition| other.conditions().contains(condition))
    }
}

/// The eight bytes of a key that begin so far before its end.
pub(crate) fn at(k: &[u8], from_end: u16) -> Option<u64> {
    let start = k.len().checked_sub(usize::from(from_end))?;
    k.get(start..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}
