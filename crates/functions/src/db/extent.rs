//! Which part of an index a query reads, and how: one range, several merged, the first document of each group, or what a
//! search finds.
//!
//! A place between two documents is, for one range, the key of the document before it; for several, the rest of that key
//! behind the equalities, which stands for a place in each; for groups, the values of the group before it, all of which
//! lies before the place; for a search, the rank of the document before it.

use hull_engine::{
    BY_ID, Distinct, Document, Order, Projection, Scan, Search, Stretch, Transaction, TxError, Union,
};
use hull_model::{IndexBounds, KeyRange};
use hull_value::FieldPath;

use super::search::Searched;
use super::union::stretches;
use crate::error::{Error, Result};
use crate::pages::Fingerprint;
use crate::run::transaction_error;

/// What a query asks for.
pub(super) enum Extent {
    /// One range.
    Range(IndexBounds),
    /// Several ranges, merged.
    Union(Vec<IndexBounds>),
    /// Of one range the first document for each value of so many fields behind the equalities.
    Distinct(IndexBounds, usize),
    /// What a search finds.
    Search(Searched),
}

/// The same as keys.
pub(super) enum Keys {
    Range(KeyRange),
    /// With how many equalities each has.
    Union(Vec<Stretch>, usize),
    /// With how many fields of a key tell groups apart.
    Distinct(KeyRange, usize),
    Search(Searched),
}

/// What is read and how far reading has come. It belongs to the transaction that it was begun in.
pub(super) enum Walk {
    Range(Scan),
    /// With how many equalities each range has.
    Union(Union, usize),
    Distinct(Distinct),
    Search(Search),
}

impl Extent {
    /// With another range.
    pub(super) fn and(self, more: IndexBounds) -> Result<Extent> {
        match self {
            Extent::Range(first) => Ok(Extent::Union(vec![first, more])),
            Extent::Union(mut ranges) => {
                ranges.push(more);
                Ok(Extent::Union(ranges))
            }
            Extent::Distinct(..) | Extent::Search(_) => Err(distinct_union()),
        }
    }

    /// The keys in the index.
    pub(super) fn into_keys(self, table: &str, index: &str) -> Result<Keys> {
        Ok(match self {
            Extent::Range(bounds) => Keys::Range(bounds.to_key_range()),
            Extent::Union(ranges) => {
                let equal = ranges.first().map_or(0, IndexBounds::equalities);
                // A key by id is the id.
                let equal = if index == BY_ID { 0 } else { equal };
                Keys::Union(stretches(table, index, &ranges)?, equal)
            }
            Extent::Distinct(bounds, fields) => {
                Keys::Distinct(bounds.to_key_range(), bounds.equalities() + fields)
            }
            Extent::Search(searched) => Keys::Search(searched),
        })
    }
}

pub(super) fn distinct_union() -> Error {
    Error::system("InvalidDistinct", "The ranges of a union can't be distinct by a field.")
}

impl Keys {
    /// Whether this is a search: it has no ranges of an index, an order of its own, and pages that are never split.
    pub(super) fn is_search(&self) -> bool {
        matches!(self, Keys::Search(_))
    }

    /// The ranges, each by itself.
    pub(super) fn ranges(&self) -> Vec<&KeyRange> {
        match self {
            Keys::Range(range) | Keys::Distinct(range, _) => vec![range],
            Keys::Union(stretches, _) => stretches.iter().map(|stretch| &stretch.range).collect(),
            Keys::Search(_) => Vec::new(),
        }
    }

    pub(super) fn fingerprint(
        &self,
        table: &str,
        index: &str,
        fields: Option<&[FieldPath]>,
        order: Order,
    ) -> Fingerprint {
        match self {
            Keys::Range(range) => Fingerprint::of(table, index, fields, range, order, &[]),
            Keys::Union(stretches, equal) => {
                let equal = (*equal as u64).to_be_bytes();
                let mut parts: Vec<&[u8]> = vec![b"\0union", &equal];
                for Stretch { range, .. } in stretches {
                    // No end is told from an empty one by its place: it comes last.
                    parts.push(&range.start);
                    parts.extend(range.end.as_deref());
                }
                Fingerprint::of(table, index, fields, &KeyRange::all(), order, &parts)
            }
            Keys::Distinct(range, groups) => {
                let groups = (*groups as u64).to_be_bytes();
                Fingerprint::of(table, index, fields, range, order, &[b"\0distinct", &groups])
            }
            Keys::Search(searched) => searched.fingerprint(table, index, fields),
        }
    }

    /// Begins to read; a search with the ranks of the place that it is to go on from, if any.
    pub(super) fn begin(
        &self,
        tx: &mut Transaction,
        (table, index, order): (&str, &str, Order),
        projection: Projection<'_>,
        place: Option<&[u8]>,
    ) -> Result<Walk> {
        let mut scan = |range: &KeyRange| -> Result<Scan> {
            let scan = tx.scan(table, index, range, order).map_err(transaction_error)?;
            Ok(scan.select(projection))
        };
        Ok(match self {
            Keys::Range(range) => Walk::Range(scan(range)?),
            Keys::Distinct(range, fields) => Walk::Distinct(scan(range)?.distinct(*fields)),
            Keys::Union(stretches, equal) => {
                let union = tx.union(table, index, stretches, order).map_err(transaction_error)?;
                Walk::Union(union.select(projection), *equal)
            }
            Keys::Search(searched) => Walk::Search(searched.begin(tx, (table, index), projection, place)?),
        })
    }
}

impl Walk {
    /// The same between two places; to be said before it is begun.
    pub(super) fn between(self, after: Option<&[u8]>, until: Option<&[u8]>) -> Walk {
        match self {
            Walk::Range(scan) => Walk::Range(scan.between(after, until)),
            Walk::Union(union, equal) => Walk::Union(union.between(after, until), equal),
            Walk::Distinct(distinct) => Walk::Distinct(distinct.between(after, until)),
            Walk::Search(search) => Walk::Search(search.between(after, until)),
        }
    }

    /// The place behind a document; of a search it is that which was found last.
    pub(super) fn place(&self, document: &Document) -> Vec<u8> {
        match self {
            Walk::Range(scan) => scan.key_of(document),
            Walk::Distinct(distinct) => distinct.group_of(document),
            Walk::Search(search) => search.position(),
            Walk::Union(union, equal) => union.key_of(document).map(|mut key| {
                let prefix = KeyRange::group(&key, *equal).map_or(0, |group| group.start.len());
                key.split_off(prefix)
            }),
        }
        .unwrap_or_default()
    }

    /// Hands out the next `limit` documents, as long as `each` returns true; returns whether it did and there may be more.
    pub(super) fn for_each(
        &mut self,
        tx: &mut Transaction,
        limit: usize,
        mut each: impl FnMut(&Document) -> bool,
    ) -> std::result::Result<bool, TxError> {
        match self {
            Walk::Range(scan) => tx.for_each(scan, limit, each),
            Walk::Union(union, _) => union.for_each(tx, limit, each),
            Walk::Distinct(distinct) => distinct.for_each(tx, limit, each),
            Walk::Search(search) => {
                for _ in 0..limit {
                    match tx.next_found(search)? {
                        Some(document) if each(&document) => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
        }
    }
}
