//! Keys: every index of every table is a numbered keyspace of byte keys in one order.
//!
//! In storage a key is written as `0x01000000 + keyspace (4 bytes, big endian) ++ key`. A `by_id` keyspace is keyed by the 16
//! inner bytes of the id; any other index by the sort keys of its fields, then of `_creationTime`, then the 16 bytes.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// The number of one keyspace: an index of a table, or one of the engine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyspace(pub u32);

impl Keyspace {
    /// The engine's own notes in storage, such as the last checkpoint; not in the log.
    pub(crate) const META: Keyspace = Keyspace(0);
    /// Tables, indexes and the schema.
    pub const CATALOG: Keyspace = Keyspace(1);
    /// Answers to mutations of a session, keyed by session (16 bytes) and slot (2 bytes).
    pub const SESSIONS: Keyspace = Keyspace(2);
    /// Hashes of admin keys, keyed by name.
    pub const ADMIN_KEYS: Keyspace = Keyspace(3);
    /// Whatever a crate above keeps for itself, keyed by names of its choice.
    pub const NOTES: Keyspace = Keyspace(4);
    /// What checkpoints replace while snapshots are held; neither in the log nor in a backup.
    pub(crate) const UNDO: Keyspace = Keyspace(15);
    /// The first number given to an index of a user table.
    pub(crate) const FIRST_USER: Keyspace = Keyspace(16);

    /// Whether this keyspace belongs to the engine and not to a table.
    pub fn is_system(self) -> bool {
        self < Self::FIRST_USER
    }
}

/// A key inside a keyspace, ordered as its bytes. Keys of up to 46 bytes are kept inline.
#[derive(Clone)]
pub struct Key(Bytes);

/// Copying the inline form is a few moves of a whole, whatever its length.
#[derive(Clone)]
enum Bytes {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Vec<u8>),
}

const INLINE: usize = 46;
const _: () = assert!(size_of::<Key>() == 48);

impl Key {
    /// The empty key, the lowest of all.
    pub fn new() -> Self {
        Self(Bytes::Inline { len: 0, bytes: [0; INLINE] })
    }

    /// A key of these bytes.
    #[inline]
    pub fn from_slice(slice: &[u8]) -> Self {
        let mut bytes = [0; INLINE];
        match bytes.get_mut(..slice.len()) {
            Some(place) => {
                place.copy_from_slice(slice);
                Self(Bytes::Inline { len: slice.len() as u8, bytes })
            }
            None => Self(Bytes::Heap(slice.to_vec())),
        }
    }

    /// The smallest key above this one.
    #[inline]
    pub(crate) fn into_successor(mut self) -> Self {
        match &mut self.0 {
            Bytes::Inline { len, bytes } => match bytes.get_mut(usize::from(*len)) {
                Some(next) => {
                    *next = 0;
                    *len += 1;
                }
                None => self.0 = Bytes::Heap([&bytes[..], &[0]].concat()),
            },
            Bytes::Heap(bytes) => bytes.push(0),
        }
        self
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        same(self, other)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self[..].hash(state);
    }
}

impl Ord for Key {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self, other)
    }
}

impl PartialOrd for Key {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares bytes as slices compare, eight at a time: a call of `memcmp` costs more than most keys need.
#[inline]
pub(crate) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let ((a_words, a_rest), (b_words, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (x, y) in a_words.iter().zip(b_words) {
        if x != y {
            return u64::from_be_bytes(*x).cmp(&u64::from_be_bytes(*y));
        }
    }
    if a_words.len() == b_words.len() {
        return a_rest.cmp(b_rest);
    }
    let same = 8 * a_words.len().min(b_words.len());
    a[same..].cmp(&b[same..])
}

/// Whether bytes are the same; most that differ do so at their ends.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.last() == b.last() && compare(a, b).is_eq()
}

impl Deref for Key {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Bytes::Heap(bytes) => bytes,
        }
    }
}

impl Borrow<[u8]> for Key {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A key from bytes.
pub(crate) fn key(bytes: &[u8]) -> Key {
    Key::from_slice(bytes)
}

/// The smallest key above `bytes`.
pub(crate) fn successor(bytes: &[u8]) -> Key {
    Key::from_slice(bytes).into_successor()
}

/// What is added to keyspaces in storage, where the first bytes 0x00 and 0xFF are not ours.
const STORED: u32 = 0x0100_0000;

/// The storage key of `key` in `keyspace`.
pub(crate) fn storage_key(keyspace: Keyspace, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + key.len());
    out.extend_from_slice(&(STORED + keyspace.0).to_be_bytes());
    out.extend_from_slice(key);
    out
}

/// The first storage key above every key of `keyspace`.
pub(crate) fn storage_end(keyspace: Keyspace) -> Vec<u8> {
    (STORED + keyspace.0 + 1).to_be_bytes().to_vec()
}

/// The first key above every key that begins with `prefix`; `None` when there is none.
pub(crate) fn prefix_end(prefix: &[u8]) -> Option<Key> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    if let Some(byte) = end.last_mut() {
        *byte += 1;
    }
    Some(key(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_as_their_bytes() {
        let mut all: Vec<Vec<u8>> = Vec::new();
        for length in [0, 1, 7, 8, 9, 15, 16, 17, 24, 45, 46, 47] {
            all.push(vec![7; length]);
            for at in 0..length {
                for byte in [0, 6, 8, 255] {
                    let mut bytes = vec![7; length];
                    bytes[at] = byte;
                    all.push(bytes);
                }
            }
        }
        for a in &all {
            for b in &all {
                assert_eq!(key(a).cmp(&key(b)), a.cmp(b), "{a:?} {b:?}");
                assert_eq!(key(a) == key(b), a == b, "{a:?} {b:?}");
            }
            assert_eq!(successor(a)[..], [&a[..], &[0]].concat());
        }
    }
}
