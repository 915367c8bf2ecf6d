//! Document ids, in Convex's textual form: lowercase Crockford base32 of the table number (LEB128), the 16 inner
//! bytes (a ULID here, so that ids grow with time) and a footer of two bytes, little endian: the Fletcher-16 sum,
//! modulo 256, of all bytes before it, XOR version 0. A text is accepted only if it is exactly what writing its id gives.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

/// The number of a table, as ids carry it; never zero in an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableNumber(pub u32);

/// What tells the documents of a table apart: the bytes of a ULID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InternalId(pub [u8; 16]);

impl InternalId {
    /// The id of this millisecond (since the epoch, 48 bits) and 80 random bits, the lowest of `random`.
    pub fn new(millis: u64, random: u128) -> Self {
        InternalId(ulid::Ulid::from_parts(millis, random).to_bytes())
    }

    /// The millisecond in it.
    pub fn millis(&self) -> u64 {
        ulid::Ulid::from_bytes(self.0).timestamp_ms()
    }
}

/// The id of a document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId {
    /// The number of its table.
    pub table: TableNumber,
    /// Which document of the table.
    pub internal: InternalId,
}

/// Why a text is not a document id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not as long as an id of its table number.
    #[error("an id has 31 to 37 characters, this one has {0}, or its table number does not fit that length")]
    Length(usize),
    /// A character is not of the alphabet.
    #[error("not a lowercase base32 character at position {0}")]
    Base32(usize),
    /// The table number is zero or does not fit 32 bits.
    #[error("bad table number")]
    TableNumber,
    /// The footer does not fit the rest: mistyped, or of another version.
    #[error("wrong checksum or version")]
    Checksum,
    /// Readable, but not how this id is written.
    #[error("not in canonical form")]
    NonCanonical,
}

impl IdError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            IdError::Length(_) => "InvalidIdLength",
            IdError::Base32(_) => "InvalidIdBase32",
            IdError::TableNumber => "InvalidIdTableNumber",
            IdError::Checksum => "InvalidIdChecksum",
            IdError::NonCanonical => "NonCanonicalId",
        }
    }
}

/// The longest text of an id.
pub const MAX_ID_LEN: usize = 37;
const MIN_ID_LEN: usize = 31;
const MAX_ID_BYTES: usize = 5 + 16 + 2;
/// Five bytes are eight characters.
const GROUPS: usize = MAX_ID_BYTES.div_ceil(5);
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const NO_DIGIT: u8 = 0xff;
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut i = 0;
    while i < 32 {
        digits[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    digits
};

/// The text of an id, on the stack.
pub(crate) struct IdText {
    bytes: [u8; GROUPS * 8],
    len: usize,
}

impl IdText {
    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

fn fletcher16(bytes: &[u8]) -> [u8; 2] {
    bytes.iter().fold([0u8, 0u8], |[low, high], byte| {
        let low = low.wrapping_add(*byte);
        [low, high.wrapping_add(low)]
    })
}

impl DocumentId {
    pub(crate) fn text(&self) -> IdText {
        // Zeros behind the footer fill the last group.
        let mut bytes = [0u8; GROUPS * 5];
        let mut len = 0;
        let mut number = self.table.0;
        while number >= 0x80 {
            bytes[len] = number as u8 | 0x80;
            len += 1;
            number >>= 7;
        }
        bytes[len] = number as u8;
        len += 1;
        bytes[len..len + 16].copy_from_slice(&self.internal.0);
        len += 16;
        let footer = fletcher16(&bytes[..len]);
        bytes[len..len + 2].copy_from_slice(&footer);
        len += 2;

        let mut text = IdText { bytes: [0; GROUPS * 8], len: (len * 8).div_ceil(5) };
        let (groups, _) = bytes.as_chunks::<5>();
        let (places, _) = text.bytes.as_chunks_mut::<8>();
        for ([a, b, c, d, e], place) in groups.iter().zip(places) {
            let forty = u64::from_be_bytes([0, 0, 0, *a, *b, *c, *d, *e]);
            for (at, character) in place.iter_mut().enumerate() {
                *character = ALPHABET[(forty >> (35 - 5 * at) & 31) as usize];
            }
        }
        text
    }

    fn parse(text: &[u8]) -> Result<Self, IdError> {
        if !(MIN_ID_LEN..=MAX_ID_LEN).contains(&text.len()) {
            return Err(IdError::Length(text.len()));
        }
        let mut bytes = [0u8; MAX_ID_BYTES];
        let mut slots = bytes.iter_mut();
        let (mut bits, mut held, mut len) = (0u32, 0u32, 0);
        for (i, character) in text.iter().enumerate() {
            let digit = DIGITS[usize::from(*character)];
            if digit == NO_DIGIT {
                return Err(IdError::Base32(i));
            }
            bits = (bits << 5 | u32::from(digit)) & 0xffff;
            held += 5;
            if held >= 8 {
                held -= 8;
                if let Some(slot) = slots.next() {
                    *slot = (bits >> held) as u8;
                    len += 1;
                }
            }
        }
        let all = &bytes[..len];
        let mut number = 0u64;
        let mut table_len = 0;
        for (i, byte) in all.iter().take(5).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                table_len = i + 1;
                break;
            }
        }
        let number = u32::try_from(number).map_err(|_| IdError::TableNumber)?;
        if table_len == 0 || number == 0 {
            return Err(IdError::TableNumber);
        }
        let Some((body, footer)) = all.split_last_chunk::<2>() else {
            return Err(IdError::Length(text.len()));
        };
        let internal: [u8; 16] = body[table_len..].try_into().map_err(|_| IdError::Length(text.len()))?;
        if fletcher16(body) != *footer {
            return Err(IdError::Checksum);
        }
        let id = DocumentId { table: TableNumber(number), internal: InternalId(internal) };
        if id.text().as_str().as_bytes() != text {
            return Err(IdError::NonCanonical);
        }
        Ok(id)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text().as_str())
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl FromStr for DocumentId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        DocumentId::parse(text.as_bytes())
    }
}

/// The id of a document of table `T`. Which table its number means is for the catalog to say.
pub struct Id<T: ?Sized>(DocumentId, PhantomData<fn(&T)>);

impl<T: ?Sized> Id<T> {
    /// The id without its type.
    pub fn document_id(self) -> DocumentId {
        self.0
    }
}

impl<T: ?Sized> From<DocumentId> for Id<T> {
    fn from(id: DocumentId) -> Self {
        Id(id, PhantomData)
    }
}

impl<T: ?Sized> From<Id<T>> for DocumentId {
    fn from(id: Id<T>) -> Self {
        id.0
    }
}

impl<T: ?Sized> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Id<T> {}

impl<T: ?Sized> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: ?Sized> Eq for Id<T> {}

impl<T: ?Sized> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: ?Sized> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T: ?Sized> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T: ?Sized> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: ?Sized> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<T: ?Sized> FromStr for Id<T> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(|id: DocumentId| Id(id, PhantomData))
    }
}
