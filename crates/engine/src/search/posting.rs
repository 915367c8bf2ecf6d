//! Postings: what a search index knows of a document under one of its terms.
//!
//! A posting is derived from its document alone and has all that a query filters and orders by. The hash of a filter
//! field's value is the first 8 bytes, big endian, of the SHA-256 of the value's sort key
//! ([`write_sort_key`]); a field that is absent has a sort key, and so a hash, of its own, which is not that of null. It is
//! stored, so it never changes.

use std::ops::Range;
use std::sync::Arc;

use hull_value::{FieldPath, ValueRef, write_sort_key};
use sha2::{Digest, Sha256};

use super::token::tokens;
use crate::document::Document;
use crate::key::Keyspace;

/// The internal part of a document's id, by which postings of a term are ordered.
pub(crate) type DocKey = [u8; 16];

/// What a search index looks at in a document, and where it keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SearchSpec {
    /// The index's keyspace.
    pub(crate) keyspace: Keyspace,
    /// The field whose text is searched.
    pub(crate) search_field: FieldPath,
    /// The fields that a search may be narrowed by.
    pub(crate) filter_fields: Arc<[FieldPath]>,
}

/// What a document is to one search index.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SearchDoc {
    /// The distinct terms in ascending order of their bytes, and how often each occurs.
    pub(crate) terms: Box<[(Box<str>, u32)]>,
    /// How many tokens the text has, repetitions counted.
    pub(crate) length: u32,
    /// `_creationTime`.
    pub(crate) creation_time: f64,
    /// For each filter field the hash of its value.
    pub(crate) filters: Box<[u64]>,
    /// Whether the search field holds a string. A document where it does not counts for no statistics.
    pub(crate) has_text: bool,
}

/// One posting but for its term and id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Posting<'a> {
    /// How often the term occurs in the text.
    pub(crate) frequency: u32,
    /// How many tokens the text has.
    pub(crate) length: u32,
    /// `_creationTime` of the document.
    pub(crate) creation_time: f64,
    /// For each filter field the hash of its value.
    pub(crate) filters: &'a [u64],
}

/// Postings of one term, column by column, ascending by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Columns {
    /// The documents.
    pub(crate) ids: Vec<DocKey>,
    /// How often the term occurs in each.
    pub(crate) frequencies: Vec<u32>,
    /// How many tokens each has.
    pub(crate) lengths: Vec<u32>,
    /// `_creationTime` of each.
    pub(crate) creation_times: Vec<f64>,
    /// The hashes of the first document's filter values, then those of the second, and so on.
    pub(crate) filters: Vec<u64>,
}

impl SearchSpec {
    /// What `document` is to the index.
    pub(crate) fn read(&self, document: &Document) -> SearchDoc {
        let object = document.value.as_object();
        let value = |path: &FieldPath| object.and_then(|object| object.get_path(path));
        let text = match value(&self.search_field) {
            Some(ValueRef::String(text)) => Some(text),
            _ => None,
        };
        let mut found: Vec<_> = tokens(text.unwrap_or("")).map(|token| token.term).collect();
        let length = u32::try_from(found.len()).unwrap_or(u32::MAX);
        found.sort_unstable();
        let same = found.chunk_by(|a, b| a == b);
        let terms = same.filter_map(|same| Some((Box::from(&**same.first()?), same.len() as u32)));
        SearchDoc {
            terms: terms.collect(),
            length,
            creation_time: document.creation_time,
            filters: self.filter_fields.iter().map(|field| filter_hash(value(field))).collect(),
            has_text: text.is_some(),
        }
    }
}

/// The hash of a filter field's value, or of its absence.
pub(crate) fn filter_hash(value: Option<ValueRef<'_>>) -> u64 {
    let mut sort_key = Vec::new();
    write_sort_key(value, &mut sort_key);
    let digest = Sha256::digest(&sort_key);
    digest.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
}

impl SearchDoc {
    /// The posting of this document under `term`, when it has the term.
    pub(crate) fn posting(&self, term: &str) -> Option<Posting<'_>> {
        let at = self.terms.binary_search_by(|(own, _)| (**own).cmp(term)).ok()?;
        self.terms.get(at).map(|(_, frequency)| self.posting_of(*frequency))
    }

    /// The posting of this document under a term of this frequency.
    pub(crate) fn posting_of(&self, frequency: u32) -> Posting<'_> {
        Posting { frequency, length: self.length, creation_time: self.creation_time, filters: &self.filters }
    }
}

impl Posting<'_> {
    /// Whether both are the same, bit by bit.
    pub(crate) fn is_same(&self, other: &Posting<'_>) -> bool {
        (self.frequency, self.length, self.creation_time.to_bits(), self.filters)
            == (other.frequency, other.length, other.creation_time.to_bits(), other.filters)
    }
}

impl Columns {
    /// How many postings there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Forgets the postings and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.ids.clear();
        self.frequencies.clear();
        self.lengths.clear();
        self.creation_times.clear();
        self.filters.clear();
    }

    /// Appends the postings at these places of `other`, but their filter values.
    pub(crate) fn extend_from(&mut self, other: &Columns, places: &[u16]) {
        fn pick<T: Copy + Default>(from: &[T], places: &[u16], to: &mut Vec<T>) {
            to.extend(places.iter().map(|at| from.get(usize::from(*at)).copied().unwrap_or_default()));
        }
        pick(&other.ids, places, &mut self.ids);
        pick(&other.frequencies, places, &mut self.frequencies);
        pick(&other.lengths, places, &mut self.lengths);
        pick(&other.creation_times, places, &mut self.creation_times);
    }

    /// Appends a run of postings of `other`, but their filter values.
    pub(crate) fn extend_run(&mut self, other: &Columns, run: Range<usize>) {
        self.ids.extend_from_slice(other.ids.get(run.clone()).unwrap_or_default());
        self.frequencies.extend_from_slice(other.frequencies.get(run.clone()).unwrap_or_default());
        self.lengths.extend_from_slice(other.lengths.get(run.clone()).unwrap_or_default());
        self.creation_times.extend_from_slice(other.creation_times.get(run).unwrap_or_default());
    }

    /// The first place from `at` on whose id is not below `id`; the end when there is none. Near places are found fast.
    pub(crate) fn below(&self, at: usize, id: Option<&DocKey>) -> usize {
        let Some(id) = id else { return self.len() };
        let ids = self.ids.get(at..).unwrap_or_default();
        let mut step = 1;
        while ids.get(step - 1).is_some_and(|own| own < id) {
            step *= 2;
        }
        let near = ids.get(step / 2..step.min(ids.len())).unwrap_or_default();
        at + step / 2 + near.partition_point(|own| own < id)
    }

    /// Adds a posting at the end.
    pub(crate) fn push(&mut self, id: DocKey, posting: Posting<'_>) {
        self.ids.push(id);
        self.frequencies.push(posting.frequency);
        self.lengths.push(posting.length);
        self.creation_times.push(posting.creation_time);
        self.filters.extend_from_slice(posting.filters);
    }

    /// The posting at `at`, in an index of `width` filter fields.
    pub(crate) fn get(&self, at: usize, width: usize) -> Option<(DocKey, Posting<'_>)> {
        let posting = Posting {
            frequency: *self.frequencies.get(at)?,
            length: *self.lengths.get(at)?,
            creation_time: *self.creation_times.get(at)?,
            filters: self.filters.get(at * width..(at + 1) * width)?,
        };
        Some((*self.ids.get(at)?, posting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hull_value::{DocumentId, InternalId, Packed, TableNumber, Value};

    fn document(fields: &[(&str, Value)]) -> Document {
        let fields = fields.iter().map(|(name, value)| (name.to_string(), value.clone()));
        let value = Packed::encode(&Value::Object(fields.collect())).unwrap();
        let id = DocumentId { table: TableNumber(10_001), internal: InternalId([7; 16]) };
        Document::new(id, 1_700_000_000_000.25, value)
    }

    fn spec() -> SearchSpec {
        SearchSpec {
            keyspace: Keyspace(16),
            search_field: "message.text".parse().unwrap(),
            filter_fields: ["channel", "message.kind"].iter().map(|f| f.parse().unwrap()).collect(),
        }
    }

    fn text(text: &str) -> Value {
        Value::String(text.into())
    }

    #[test]
    fn a_document_is_read_into_terms_and_hashes() {
        let message = Value::Object([("text".to_string(), text("To be, or not to be"))].into());
        let doc = spec().read(&document(&[("channel", text("general")), ("message", message)]));
        let terms: Vec<_> = doc.terms.iter().map(|(term, frequency)| (&**term, *frequency)).collect();
        assert_eq!(terms, [("be", 2), ("not", 1), ("or", 1), ("to", 2)]);
        assert_eq!((doc.length, doc.creation_time, doc.has_text), (6, 1_700_000_000_000.25, true));
        assert_eq!(*doc.filters, [filter_hash(Some(ValueRef::String("general"))), filter_hash(None)]);
        assert_eq!(doc.posting("be").unwrap(), doc.posting_of(2));
        assert_eq!(doc.posting("bee"), None);
    }

    #[test]
    fn a_document_without_text_has_filters_and_no_terms() {
        for value in
            [Value::Null, text("no object"), Value::Object([("text".into(), Value::Int64(3))].into())]
        {
            let doc = spec().read(&document(&[("message", value)]));
            assert_eq!((doc.terms.len(), doc.length, doc.has_text, doc.filters.len()), (0, 0, false, 2));
        }
        let empty = Value::Object([("text".to_string(), text(""))].into());
        let doc = spec().read(&document(&[("message", empty)]));
        assert_eq!((doc.terms.len(), doc.length, doc.has_text), (0, 0, true));
    }

    #[test]
    fn hashes_of_filter_values_never_change() {
        // SHA-256 of the sort keys, by another implementation.
        assert_eq!(filter_hash(Some(ValueRef::String("general"))), 0x8d44_a504_acac_edbe);
        assert_eq!(filter_hash(Some(ValueRef::Null)), 0x084f_ed08_b978_af4d);
        assert_eq!(filter_hash(None), 0x4bf5_122f_3445_54c5);
    }

    #[test]
    fn columns_give_back_what_was_pushed() {
        let mut columns = Columns::default();
        let posting = |n: u64| (n as u32, n as f64, [n, n + 1]);
        for n in 0..3 {
            let (number, creation_time, filters) = posting(n);
            let posting = Posting { frequency: number, length: number + 9, creation_time, filters: &filters };
            columns.push([n as u8; 16], posting);
        }
        let (id, second) = columns.get(1, 2).unwrap();
        assert_eq!((id, second.frequency, second.length, second.filters), ([1; 16], 1, 10, &[1, 2][..]));
        assert_eq!((columns.len(), columns.get(3, 2)), (3, None));
        let below = |at: usize, id: u8| columns.below(at, Some(&[id; 16]));
        assert_eq!([below(0, 0), below(0, 1), below(0, 2), below(0, 3), below(1, 9)], [0, 1, 2, 3, 3]);
        assert_eq!([below(2, 1), below(3, 1), columns.below(1, None)], [2, 3, 3]);
        columns.clear();
        assert!(columns.is_empty() && columns == Columns::default());
    }
}
