//! Verifying a search index: its blocks against what the documents say, posting by posting, and its statistics.
//!
//! Documents come in the order of their ids and postings in that of their terms, so neither is looked up by the other.
//! Both are walked once and summed up, by hashes, for each of many parts of the documents; only the parts whose sums
//! differ are walked again and compared one by one. So it takes two walks where nothing is wrong, and memory that does
//! not grow with the index.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use hull_value::{DocumentId, InternalId};

use super::{Finding, NAMED, VerifiedIndex, VerifyProgress, Verifying, parse};
use crate::catalog::TableInfo;
use crate::error::HoldError;
use crate::key::{storage_end, storage_key};
use crate::search::{DocKey, Posting, SearchDoc, SearchInfo, Statistics, walk_block};
use crate::storage::StorageError;

/// The parts that documents are summed up by.
const PARTS: usize = 1 << 14;
/// Postings that are compared one by one at once.
const AT_ONCE: u64 = 100_000;

fn part_of(id: &DocKey) -> usize {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish() as usize % PARTS
}

fn hash_of(term: &str, id: &DocKey, posting: Posting<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let Posting { frequency, length, creation_time, filters } = posting;
    (term, id, frequency, length, creation_time.to_bits(), filters).hash(&mut hasher);
    hasher.finish()
}

/// The postings of a part: how many, and the sum of their hashes, which does not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    postings: u64,
    hashes: u64,
}

impl Sum {
    fn add(&mut self, hash: u64) {
        self.postings += 1;
        self.hashes = self.hashes.wrapping_add(hash);
    }
}

/// What a walk of the blocks tells, beside the postings.
#[derive(Debug, Default)]
struct Walked {
    /// What is wrong with blocks and keys themselves.
    wrong: Vec<String>,
    statistics: Option<Vec<u8>>,
}

/// A search index under verification.
struct Searching<'a> {
    table: &'a TableInfo,
    search: &'a SearchInfo,
    name: &'a str,
}

impl Verifying<'_> {
    /// Verifies a search index. `damaged` says that there are documents that cannot be read; they have postings that
    /// nothing can be said about.
    pub(super) fn search(
        &mut self,
        table: &TableInfo,
        search: &SearchInfo,
        damaged: bool,
    ) -> Result<VerifiedIndex, HoldError> {
        let name = search.names.first().map_or("", String::as_str);
        let on = Searching { table, search, name };
        let mut verified = VerifiedIndex { name: name.into(), ..VerifiedIndex::default() };
        let mut expected = vec![Sum::default(); PARTS];
        let mut statistics = Statistics::default();
        self.expected(&on, &mut |id, doc| {
            statistics = statistics.replaced(None, doc.has_text.then_some(doc.length));
            for (term, frequency) in &doc.terms {
                if let Some(part) = expected.get_mut(part_of(id)) {
                    part.add(hash_of(term, id, doc.posting_of(*frequency)));
                }
            }
        })?;
        let mut found = vec![Sum::default(); PARTS];
        let walked = self.stored(&on, true, &mut |term, id, posting| {
            if let Some(part) = found.get_mut(part_of(id)) {
                part.add(hash_of(term, id, posting));
            }
        })?;
        verified.entries = found.iter().map(|sum| sum.postings).sum();
        for detail in walked.wrong {
            self.find(&mut verified.orphaned, on.about(None, detail));
        }
        let row = walked
            .statistics
            .map_or_else(Statistics::default, |row| Statistics::stored(&row, self.held.ts()));
        if row != statistics && !damaged {
            let detail = format!(
                "the statistics count {} documents with {} tokens, the documents are {} with {}",
                row.documents, row.length, statistics.documents, statistics.length
            );
            self.find(&mut verified.orphaned, on.about(None, detail));
        }
        let differing: Vec<usize> =
            (0..PARTS).filter(|part| expected.get(*part) != found.get(*part)).collect();
        let postings = |part: usize| {
            let of = |sums: &[Sum]| sums.get(part).map_or(0, |sum| sum.postings);
            (of(&expected), of(&found))
        };
        let mut rest = &differing[..];
        while !rest.is_empty() {
            let mut size = 0;
            let fits = rest.iter().take_while(|part| {
                let (expected, found) = postings(**part);
                size += expected.max(found);
                size <= AT_ONCE
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            rest = later;
            self.compare(&on, now, &mut verified)?;
            if verified.missing.min(verified.orphaned) > NAMED
                || verified.missing + verified.orphaned > 4 * NAMED
            {
                break;
            }
        }
        // Enough is named.
        for part in rest {
            let (expected, found) = postings(*part);
            verified.missing += expected.saturating_sub(found);
            verified.orphaned += found.saturating_sub(expected).max(u64::from(expected == found));
        }
        Ok(verified)
    }

    /// Compares the postings of these parts one by one.
    fn compare(
        &mut self,
        on: &Searching<'_>,
        parts: &[usize],
        verified: &mut VerifiedIndex,
    ) -> Result<(), HoldError> {
        let mut wanted = vec![false; PARTS];
        for part in parts {
            if let Some(wanted) = wanted.get_mut(*part) {
                *wanted = true;
            }
        }
        let is_wanted = |id: &DocKey| wanted.get(part_of(id)) == Some(&true);
        let mut open: BTreeMap<(Box<str>, DocKey), u64> = BTreeMap::new();
        self.expected(on, &mut |id, doc| {
            if is_wanted(id) {
                let hash = |(term, n): &(Box<str>, u32)| hash_of(term, id, doc.posting_of(*n));
                open.extend(doc.terms.iter().map(|term| ((term.0.clone(), *id), hash(term))));
            }
        })?;
        let mut wrong: Vec<(Box<str>, DocKey, bool)> = Vec::new();
        self.stored(on, false, &mut |term, id, posting| {
            if is_wanted(id) {
                let expected = open.remove(&(Box::from(term), *id));
                if expected != Some(hash_of(term, id, posting)) {
                    wrong.push((term.into(), *id, expected.is_some()));
                }
            }
        })?;
        for (term, id, is_expected) in wrong {
            let detail = match is_expected {
                true => format!("the posting of the term \"{term}\" is not what its document says"),
                // Counted with the documents.
                false if self.is_damaged(on, &id)? => continue,
                false => format!("there is a posting of the term \"{term}\" that no document has"),
            };
            self.find(&mut verified.orphaned, on.about(Some(&id), detail));
        }
        for (term, id) in open.into_keys() {
            let detail = format!("the term \"{term}\" of the document is not in the index");
            self.find(&mut verified.missing, on.about(Some(&id), detail));
        }
        Ok(())
    }

    /// Hands on what the index has to know of the documents that it covers.
    fn expected(
        &mut self,
        on: &Searching<'_>,
        each: &mut dyn FnMut(&DocKey, &SearchDoc),
    ) -> Result<(), HoldError> {
        let keyspace = on.table.by_id;
        let (mut from, end) = (storage_key(keyspace, b""), storage_end(keyspace));
        loop {
            let chunk = self.range(&from, &end)?;
            for (stored_key, stored) in &chunk.entries {
                let k = stored_key.get(4..).unwrap_or_default();
                // What cannot be read is counted with the documents.
                if let (Ok(document), Ok(id)) = (parse(on.table, k, stored), k.try_into())
                    && on.search.covers(&document)
                {
                    each(id, &on.search.spec.read(&document));
                }
            }
            match chunk.next {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
    }

    /// Hands on what is stored.
    fn stored(
        &mut self,
        on: &Searching<'_>,
        tell: bool,
        each: &mut dyn FnMut(&str, &DocKey, Posting<'_>),
    ) -> Result<Walked, HoldError> {
        let keyspace = on.search.spec.keyspace;
        let width = on.search.spec.filter_fields.len();
        let (mut from, end) = (storage_key(keyspace, b""), storage_end(keyspace));
        let mut walked = Walked::default();
        let mut last: Option<(Box<str>, DocKey)> = None;
        let mut entries = 0;
        loop {
            let chunk = self.range(&from, &end)?;
            for (stored_key, value) in chunk.entries {
                let k = stored_key.get(4..).unwrap_or_default();
                match k {
                    b"s" => {
                        walked.statistics = Some(value);
                        continue;
                    }
                    [b'p', ..] => {}
                    _ => {
                        walked.wrong.push("there is a key that is none of a search index".into());
                        continue;
                    }
                }
                let mut in_order = true;
                let read = walk_block(&value, width, &mut |term, id, posting| {
                    let before = last.as_ref().map(|(term, id)| (&**term, id));
                    in_order &= before.is_none_or(|before| before < (term, id));
                    match &mut last {
                        Some((same, last)) if **same == *term => *last = *id,
                        last => *last = Some((term.into(), *id)),
                    }
                    entries += 1;
                    each(term, id, posting);
                });
                if read.is_err() {
                    walked.wrong.push("a block of postings cannot be read".into());
                } else if !in_order {
                    walked.wrong.push("a block has postings that belong before others".into());
                }
            }
            if chunk.damaged.is_some() {
                walked.wrong.push("a block of postings fails its checksum".into());
            }
            if tell {
                let (table, index) = (on.table.name.clone(), on.name.into());
                (self.progress)(VerifyProgress::Index { table, index, entries });
            }
            match chunk.next {
                Some(next) => from = next,
                None => return Ok(walked),
            }
        }
    }

    /// Whether the document is there and cannot be read.
    fn is_damaged(&self, on: &Searching<'_>, id: &DocKey) -> Result<bool, HoldError> {
        match self.held.get(&storage_key(on.table.by_id, id)) {
            Err(HoldError::Storage(StorageError::Checksum { .. })) => Ok(true),
            found => Ok(found?.is_some_and(|stored| parse(on.table, id, &stored).is_err())),
        }
    }
}

impl Searching<'_> {
    fn about(&self, id: Option<&DocKey>, detail: String) -> Finding {
        let id = id.map(|id| DocumentId { table: self.table.number, internal: InternalId(*id) });
        Finding { table: self.table.name.clone(), index: Some(self.name.into()), id, detail }
    }
}
