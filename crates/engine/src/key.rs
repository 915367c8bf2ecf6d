//! Keys: every index of every table is a numbered keyspace of byte keys in one order.
//!
//! In storage a key is written as `0x01000000 + keyspace (4 bytes, big endian) ++ key`. A `by_id` keyspace is keyed by the 16
//! inner bytes of the id; any other index by the sort keys of its fields, then of `_creationTime`, then the 16 bytes.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use smallvec::SmallVec;

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

/// A key inside a keyspace, ordered as its bytes. Keys of up to 40 bytes are kept inline.
#[derive(Default, PartialEq, Eq, Hash)]
pub struct Key(SmallVec<[u8; 40]>);

impl Key {
    /// The empty key, the lowest of all.
    pub fn new() -> Self {
        Self::default()
    }

    /// A key of these bytes.
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self(SmallVec::from_slice(bytes))
    }

    /// Replaces the bytes.
    pub(crate) fn set(&mut self, bytes: &[u8]) {
        self.0.clear();
        self.0.extend_from_slice(bytes);
    }

    /// Replaces the bytes with those of the smallest key above `bytes`.
    pub(crate) fn set_successor(&mut self, bytes: &[u8]) {
        self.set(bytes);
        self.0.push(0);
    }
}

impl Clone for Key {
    // Copies at once; a `SmallVec` would copy byte by byte.
    fn clone(&self) -> Self {
        Self::from_slice(&self.0)
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

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A key from bytes.
pub(crate) fn key(bytes: &[u8]) -> Key {
    Key::from_slice(bytes)
}

/// The smallest key above `bytes`.
pub(crate) fn successor(bytes: &[u8]) -> Key {
    let mut k = Key::new();
    k.set_successor(bytes);
    k
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
    let mut end = Key::from_slice(&prefix[..=last]);
    if let Some(byte) = end.0.last_mut() {
        *byte += 1;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_as_their_bytes() {
        let mut all: Vec<Vec<u8>> = Vec::new();
        for length in [0, 1, 7, 8, 9, 15, 16, 17, 24, 41] {
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
            }
        }
    }
}
