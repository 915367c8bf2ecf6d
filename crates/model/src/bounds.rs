//! A condition on an index as bytes: the one half-open key range `[start, end)` that it stands for.
//!
//! An index key is the sort keys of its fields in order, `_creationTime` last, then the document's id. A sort key of
//! variable length (string, bytes, array, object) ends with 0x00, and a longer value of the same kind may go on with
//! 0xFF there; so the keys after "exactly this value" begin at its sort key followed by 0xFF. A sort key of fixed
//! length has no such neighbour, and the keys after it begin at its successor.

use std::ops::Bound;

use hull_value::{ValueRef, read_sort_key, sort_key, write_sort_key};

/// The first tag of sort keys whose length varies; all such tags are above those of fixed length.
const FIRST_VARIABLE_TAG: u8 = 0x10;

/// Keys from `start` to just before `end`; without `end`, to the last one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyRange {
    /// The first key inside.
    pub start: Vec<u8>,
    /// The first key after, if there is one.
    pub end: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> KeyRange {
        KeyRange { start: Vec::new(), end: None }
    }

    /// Whether the key is inside.
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= self.start.as_slice() && self.end.as_ref().is_none_or(|end| key < end.as_slice())
    }

    /// Whether no key can be inside.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// The keys of an index whose first `fields` values, one at least, are those that `key` begins with; they all begin
    /// with `start`. None if `key` is no such key.
    pub fn group(key: &[u8], fields: usize) -> Option<KeyRange> {
        let (mut rest, mut last) = (key, 0);
        for _ in 0..fields {
            last = key.len() - rest.len();
            read_sort_key(&mut rest).ok()?;
        }
        let start = key.get(..key.len() - rest.len()).filter(|start| !start.is_empty())?.to_vec();
        let end = Some(after(start.clone(), last));
        Some(KeyRange { start, end })
    }
}

/// Equalities on the first fields of an index, then at most one lower and one upper bound on the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexBounds {
    prefix: Vec<u8>,
    /// How many equalities there are.
    equal: usize,
    /// Where the sort key of the last equality begins.
    last: usize,
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
}

impl Default for IndexBounds {
    fn default() -> IndexBounds {
        IndexBounds::all()
    }
}

impl IndexBounds {
    /// The whole index.
    pub fn all() -> IndexBounds {
        IndexBounds {
            prefix: Vec::new(),
            equal: 0,
            last: 0,
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
        }
    }

    /// Adds an equality on the next field; `None` stands for an absent field.
    #[must_use]
    pub fn eq(mut self, value: Option<ValueRef<'_>>) -> IndexBounds {
        self.last = self.prefix.len();
        self.equal += 1;
        write_sort_key(value, &mut self.prefix);
        self
    }

    /// Sets the lower bound on the field after the equalities.
    #[must_use]
    pub fn lower(mut self, bound: Bound<Option<ValueRef<'_>>>) -> IndexBounds {
        self.lower = bound.map(sort_key);
        self
    }

    /// Sets the upper bound on the field after the equalities.
    #[must_use]
    pub fn upper(mut self, bound: Bound<Option<ValueRef<'_>>>) -> IndexBounds {
        self.upper = bound.map(sort_key);
        self
    }

    /// What the keys that meet the condition begin with: the sort keys of the equalities.
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// How many fields have an equality.
    pub fn equalities(&self) -> usize {
        self.equal
    }

    /// The keys that meet the condition.
    pub fn to_key_range(&self) -> KeyRange {
        let joined = |key: &[u8]| [self.prefix.as_slice(), key].concat();
        let at = self.prefix.len();
        let start = match &self.lower {
            Bound::Unbounded => self.prefix.clone(),
            Bound::Included(key) => joined(key),
            Bound::Excluded(key) => after(joined(key), at),
        };
        let end = match &self.upper {
            Bound::Unbounded if self.prefix.is_empty() => None,
            Bound::Unbounded => Some(after(self.prefix.clone(), self.last)),
            Bound::Included(key) => Some(after(joined(key), at)),
            Bound::Excluded(key) => Some(joined(key)),
        };
        KeyRange { start, end }
    }
}

/// The least key above all that begin with this one, whose last sort key starts at `last`.
fn after(mut key: Vec<u8>, last: usize) -> Vec<u8> {
    if key.get(last).is_some_and(|tag| *tag >= FIRST_VARIABLE_TAG) {
        key.push(0xFF);
        return key;
    }
    // A tag is never 0xFF, so a byte that can grow is found.
    while let Some(byte) = key.pop() {
        if byte < 0xFF {
            key.push(byte + 1);
            break;
        }
    }
    key
}
