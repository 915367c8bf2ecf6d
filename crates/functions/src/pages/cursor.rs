//! A place between the rows of a query, and which query it belongs to.
//!
//! A position is written as `00` (the end) or `01` and the key of the row before it in its index; a cursor is the
//! query's fingerprint (16 bytes) and a position, sealed. A position is no snapshot: it stays what it is while documents
//! come and go, and never expires.

use hull_engine::Order;
use hull_model::KeyRange;
use hull_value::{Encode, Encoder, FieldPath};
use sha2::{Digest, Sha256};

use super::seal::{Seal, Sealed};
use crate::error::{ConvexError, Error, Result};

const FINGERPRINT: usize = 16;

/// What tells queries apart: the first bytes of a SHA-256 over the table, the index and its fields, the range, the
/// order, and what else there is to tell: nothing where one range is read. Filters and selected fields are no part of it: they change no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; FINGERPRINT]);

impl Fingerprint {
    pub(crate) fn of(
        table: &str,
        index: &str,
        fields: Option<&[FieldPath]>,
        range: &KeyRange,
        order: Order,
        more: &[&[u8]],
    ) -> Fingerprint {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        add(table.as_bytes());
        add(index.as_bytes());
        add(&[u8::from(fields.is_some()), u8::from(order == Order::Desc), u8::from(range.end.is_some())]);
        add(&range.start);
        add(range.end.as_deref().unwrap_or_default());
        for field in fields.unwrap_or_default() {
            add(field.to_string().as_bytes());
        }
        more.iter().for_each(|part| add(part));
        let mut fingerprint = [0; FINGERPRINT];
        fingerprint.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        Fingerprint(fingerprint)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    /// Takes one off the front of `bytes`.
    pub(crate) fn read(bytes: &mut &[u8]) -> Option<Fingerprint> {
        let (fingerprint, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(Fingerprint(*fingerprint))
    }
}

/// A place in a query's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// Behind the row of this key.
    After(Vec<u8>),
    /// Behind everything, also what is yet to come.
    End,
}

impl Position {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Position::End => out.push(0),
            Position::After(key) => {
                out.push(1);
                out.extend_from_slice(key);
            }
        }
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Position> {
        match bytes.split_first()? {
            (0, []) => Some(Position::End),
            (1, key) => Some(Position::After(key.to_vec())),
            _ => None,
        }
    }

    /// The key of the row before; none at the end.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        match self {
            Position::After(key) => Some(key),
            Position::End => None,
        }
    }

    /// The cursor for this position in a query: the same each time.
    pub(crate) fn seal(&self, seal: &Seal, query: Fingerprint) -> Result<String> {
        let mut bytes = Vec::new();
        query.write(&mut bytes);
        self.write(&mut bytes);
        seal.seal(Sealed::Cursor, &bytes)
    }

    /// The position that a cursor for this query stands for.
    pub(crate) fn open(seal: &Seal, query: Fingerprint, cursor: &str) -> Result<Position> {
        let bytes = seal.open(Sealed::Cursor, cursor).ok_or_else(|| {
            invalid_cursor("the cursor was not made by this database, or is incomplete".to_owned())
        })?;
        let mut rest = &bytes[..];
        let found = Fingerprint::read(&mut rest);
        match Position::read(rest) {
            Some(position) if found == Some(query) => Ok(position),
            _ => Err(invalid_cursor(
                "the cursor is of another query: of another table, index, range or order. Begin again without a cursor"
                    .to_owned(),
            )),
        }
    }
}

/// What the official clients look for: the word in the message, and the data. `usePaginatedQuery` begins again then.
struct InvalidCursor;

impl Encode for InvalidCursor {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.begin_object();
        e.key("isConvexSystemError");
        e.boolean(true);
        e.key("paginationError");
        e.string("InvalidCursor");
        e.end_object();
    }
}

pub(crate) fn invalid_cursor(why: String) -> Error {
    ConvexError::with_message(InvalidCursor, format!("InvalidCursor: {why}.")).into()
}
