//! Searching: the documents that have a term of a request and lie within its filters, best first.
//!
//! A search depends on its terms, each within the filters: a commit that adds, changes or removes a document there, or
//! that no longer lies there, is noticed. Beyond that it depends on the documents it hands out, as far as its caller looks
//! at them. The statistics that ranks are made of (how many documents there are, how long they are and how many have a
//! term) are read at the snapshot and depended on by nobody: else any two writers would meet in them. So between two
//! commits that match, the order of what was found may be that of the first. A search that goes on from a position ranks by
//! the statistics that the position has, so that what comes behind it is what came behind it before.

use std::collections::BTreeMap;
use std::sync::Arc;

use hull_value::{DocumentId, FieldPath, InternalId, ValueRef, write_sort_key};

use super::place::{Ranks, hit_of};
use super::posting::{Columns, SearchDoc, SearchSpec, filter_hash};
use super::score::{CANDIDATES, Hit, Merge, Ranking, Weight};
use super::statistics::Statistics;
use super::store::TermRange;
use super::token::tokens;
use crate::catalog::TableInfo;
use crate::document::Document;
use crate::error::TxError;
use crate::fields::{FieldMask, Projection};
use crate::key::prefix_end;
use crate::transaction::Transaction;
use crate::within::Within;
use crate::writes::Writes;

/// Tokens of a text that are searched for; the others are not looked at.
pub(super) const MAX_TOKENS: usize = 16;
/// Terms of the index that one search looks at.
const MAX_TERMS: usize = 64;
/// Conditions on filter fields.
const MAX_FILTERS: usize = 8;
/// What a term is worth that only begins as the last token does.
const PREFIX_BOOST: f64 = 0.5;

/// What to search for.
#[derive(Clone, Copy, Debug)]
pub struct SearchRequest<'a> {
    /// The table.
    pub table: &'a str,
    /// The search index.
    pub index: &'a str,
    /// The field whose text is searched, which must be that of the index; `None` says that it is.
    pub field: Option<&'a str>,
    /// The text: a document matches that has one of its tokens, or one that begins as the last of them.
    pub text: &'a str,
    /// Filter fields of the index, and what each must equal; `None` is absence.
    pub filters: &'a [(&'a str, Option<ValueRef<'a>>)],
}

/// A document that was found, and its rank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchHit {
    /// The document.
    pub id: DocumentId,
    /// Its score by BM25, a multiple of 2⁻³².
    pub score: f64,
    /// Its creation time in milliseconds.
    pub creation_time: f64,
}

/// A search under way. It belongs to the transaction that made it, and shows what that had written by then.
#[derive(Debug)]
pub struct Search {
    table: Option<Arc<TableInfo>>,
    /// The filters as they are, since two values may have the same hash: the fields with the sort keys of their values.
    filters: Vec<(FieldPath, Vec<u8>)>,
    ranking: Ranking,
    ranks: Ranks,
    after: Option<Hit>,
    until: Option<Hit>,
    last: Option<Hit>,
    mask: FieldMask,
}

impl Transaction {
    /// Begins a search. A table that is not there is empty, and a text without a token is found nowhere.
    ///
    /// Of the text the first 16 distinct tokens count, the last of them also as the beginning of a term, and 64 terms
    /// of the index at most: those that are tokens first, then the others in the order of their bytes.
    pub fn search(&mut self, request: &SearchRequest<'_>) -> Result<Search, TxError> {
        self.search_from(request, None)
    }

    /// Begins a search that is to go on from a position of an earlier one for the same, or to end at it: with the ranks of
    /// that one, by the statistics of its time. What [`Search::position`] didn't give counts as none.
    pub fn search_from(
        &mut self,
        request: &SearchRequest<'_>,
        position: Option<&[u8]>,
    ) -> Result<Search, TxError> {
        self.note_read()?;
        let mut search = Search {
            table: None,
            filters: Vec::new(),
            ranking: Ranking::default(),
            ranks: Ranks::default(),
            after: None,
            until: None,
            last: None,
            mask: FieldMask::ALL,
        };
        if request.filters.len() > MAX_FILTERS {
            return Err(TxError::TooManySearchFilters { given: request.filters.len(), limit: MAX_FILTERS });
        }
        let Some(table) = self.table_named(request.table) else { return Ok(search) };
        let spec = table.search(request.index)?.spec.clone();
        let filters = request.check(&spec)?;
        let width = spec.filter_fields.len();
        for ((at, _), (_, value)) in filters.iter().zip(request.filters) {
            let mut sort_key = Vec::new();
            write_sort_key(*value, &mut sort_key);
            search.filters.extend(spec.filter_fields.get(*at).map(|field| (field.clone(), sort_key)));
        }
        let fields = std::iter::once(&spec.search_field).chain(spec.filter_fields.iter());
        let looked_at: Vec<&[u8]> =
            fields.filter_map(|field| Some(field.fields().first()?.as_bytes())).collect();
        self.settle_all(&table, spec.keyspace, table.fields.changed(&looked_at));
        let terms = Terms::of(request.text);
        let within = Within::new(filters.iter().map(|(at, hash)| ((8 * (width - at)) as u16, *hash)));
        for (start, end) in terms.intervals() {
            let (keyspace, within) = (spec.keyspace, within.clone());
            self.reads.add_within(keyspace, FieldMask::ALL, &start, end.as_deref(), within);
        }
        let ranks = position.and_then(Ranks::of_position);
        (search.ranking, search.ranks) = self.rank(&table, &spec, &terms, &filters, ranks)?;
        search.table = Some(table);
        Ok(search)
    }

    /// The next document of a search, as it is by now.
    pub fn next_found(&mut self, search: &mut Search) -> Result<Option<Document>, TxError> {
        let Some(table) = search.table.clone() else { return Ok(None) };
        while let Some(hit) = search.ranking.next() {
            if search.after.is_some_and(|after| hit.rank(&after).is_le()) {
                continue;
            }
            if search.until.is_some_and(|until| hit.rank(&until).is_gt()) {
                search.table = None;
                return Ok(None);
            }
            search.last = Some(hit);
            let key = hit.key();
            match self.read_found(&table, search.mask, &key)? {
                Some(read) if search.holds(&read.document) => return Ok(Some(read.document)),
                Some(_) => {}
                // It was deleted since the search began.
                None if self.writes.find(table.by_id, &key).is_some() => {}
                None => {
                    return Err(TxError::Damaged(format!(
                        "a search index of table {} names a document that is not there",
                        table.name
                    )));
                }
            }
        }
        if search.ranking.has_more() {
            return Err(TxError::TooManySearchResults(CANDIDATES));
        }
        Ok(None)
    }

    /// Ranks the documents that match, by these ranks or those of the snapshot.
    fn rank(
        &self,
        table: &Arc<TableInfo>,
        spec: &SearchSpec,
        terms: &Terms,
        filters: &[(usize, u64)],
        ranks: Option<Ranks>,
    ) -> Result<(Ranking, Ranks), TxError> {
        let Some(last) = &terms.last else { return Ok(Default::default()) };
        let (engine, ts) = (&self.engine, self.snapshot.ts());
        let own = Own::of(&self.writes, table, spec, terms);
        let stored = engine.search_statistics(table, spec, ts)?;
        let statistics = Statistics {
            documents: stored.documents.saturating_add_signed(own.documents),
            length: stored.length.saturating_add_signed(own.length),
        };
        let fixed = ranks.is_some();
        let ranks = ranks.unwrap_or(Ranks { statistics, frequencies: Vec::new() });
        let mut scorer = Scorer { fixed, ranks, own: &own, merge: Merge::default(), weights: Vec::new() };
        for token in &terms.exact {
            let mut found = false;
            engine.postings(
                table,
                spec,
                TermRange::Exact(token),
                filters,
                ts,
                &mut |term, frequency, columns| {
                    found = true;
                    scorer.add(term, frequency, 1.0, Some(columns));
                    true
                },
            )?;
            if !found {
                scorer.add(token, 0, 1.0, None);
            }
        }
        let mut unstored = own.frequencies.range(last.clone()..).map(|(term, _)| &**term).peekable();
        let is_new = |term: &str| !terms.exact.iter().any(|token| **token == *term);
        engine.postings(
            table,
            spec,
            TermRange::Longer(last),
            filters,
            ts,
            &mut |term, frequency, columns| {
                while let Some(own) = unstored.next_if(|own| *own <= term) {
                    if own != term && is_new(own) {
                        scorer.add(own, 0, PREFIX_BOOST, None);
                    }
                }
                if is_new(term) {
                    scorer.add(term, frequency, PREFIX_BOOST, Some(columns));
                }
                !scorer.is_full()
            },
        )?;
        for own in unstored.take_while(|own| own.starts_with(&**last)).filter(|own| is_new(own)) {
            scorer.add(own, 0, PREFIX_BOOST, None);
        }
        Ok(scorer.finish(filters))
    }
}

impl SearchRequest<'_> {
    /// The filters as places among the fields of an index and hashes.
    fn check(&self, spec: &SearchSpec) -> Result<Vec<(usize, u64)>, TxError> {
        let (table, index) = (self.table.to_owned(), self.index.to_owned());
        if let Some(field) = self.field
            && field != spec.search_field.to_string()
        {
            let (given, expected) = (field.to_owned(), spec.search_field.to_string());
            return Err(TxError::IncorrectSearchField { table, index, given, expected });
        }
        let mut filters = Vec::with_capacity(self.filters.len());
        for (given, value) in self.filters {
            let Some(at) = spec.filter_fields.iter().position(|known| known.to_string() == *given) else {
                let known: Vec<String> = spec.filter_fields.iter().map(ToString::to_string).collect();
                let (given, known) = ((*given).to_owned(), known.join(", "));
                return Err(TxError::IncorrectFilterField { table, index, given, known });
            };
            filters.push((at, filter_hash(*value)));
        }
        Ok(filters)
    }
}

impl Search {
    /// The same search for a caller who looks at no more of the documents than this; to be said before it is begun.
    #[must_use]
    pub fn select(mut self, projection: Projection<'_>) -> Self {
        if let Some(table) = &self.table {
            self.mask = table.fields.read(projection);
        }
        self
    }

    /// The same search without what comes up to and including the position `after`, and without what comes behind the
    /// position `until`; to be said before it is begun. They are positions as [`Search::position`] gives them; others
    /// count as none.
    #[must_use]
    pub fn between(mut self, after: Option<&[u8]>, until: Option<&[u8]>) -> Self {
        self.after = after.and_then(hit_of);
        self.until = until.and_then(hit_of);
        self
    }

    /// The position of the document that was yielded last, and what ranks are made of: in ascending order of its bytes as
    /// the search goes on. It holds also for a later search for the same, among whose documents that one need not be:
    /// [`Transaction::search_from`].
    pub fn position(&self) -> Option<Vec<u8>> {
        self.last.as_ref().map(|last| self.ranks.position(last))
    }

    /// What was yielded last, and its rank.
    pub fn last(&self) -> Option<SearchHit> {
        let (hit, table) = (self.last?, self.table.as_ref()?);
        let id = DocumentId { table: table.number, internal: InternalId(hit.key()) };
        Some(SearchHit { id, score: hit.score(), creation_time: hit.creation_time })
    }

    /// Whether a document lies within the filters.
    fn holds(&self, document: &Document) -> bool {
        let object = document.value.as_object();
        let mut sort_key = Vec::new();
        self.filters.iter().all(|(field, wanted)| {
            sort_key.clear();
            write_sort_key(object.and_then(|object| object.get_path(field)), &mut sort_key);
            sort_key == *wanted
        })
    }
}

/// What is searched for.
#[derive(Debug)]
pub(super) struct Terms {
    /// The tokens.
    pub(super) exact: Vec<Box<str>>,
    /// That of them which is also the beginning of others.
    pub(super) last: Option<Box<str>>,
}

impl Terms {
    pub(super) fn of(text: &str) -> Self {
        let mut terms = Terms { exact: Vec::new(), last: None };
        for token in tokens(text) {
            if terms.exact.len() == MAX_TOKENS {
                break;
            }
            if !terms.exact.iter().any(|known| **known == *token.term) {
                terms.exact.push(Box::from(&*token.term));
            }
            terms.last = Some(Box::from(&*token.term));
        }
        terms
    }

    /// Whether a term is one of those searched for.
    pub(super) fn matches(&self, term: &str) -> bool {
        self.last.as_ref().is_some_and(|last| term.starts_with(&**last))
            || self.exact.iter().any(|token| **token == *term)
    }

    /// The keys that a commit changes where it adds or removes a document that has one of these terms.
    fn intervals(&self) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> {
        let last = self.last.as_deref();
        let exact = self.exact.iter().filter(move |token| last.is_none_or(|last| !token.starts_with(last)));
        let exact = exact.map(|token| {
            let end = |byte| [token.as_bytes(), &[byte]].concat();
            (end(0), Some(end(1)))
        });
        let prefix =
            last.map(|last| (last.as_bytes().to_vec(), prefix_end(last.as_bytes()).map(|k| k.to_vec())));
        exact.chain(prefix)
    }
}

/// What a transaction has written itself: it takes the place of what the index has of the same documents.
#[derive(Debug, Default)]
struct Own {
    /// The documents that were written, sorted.
    written: Vec<u128>,
    /// What they are by now.
    new: Vec<(u128, SearchDoc)>,
    /// By how much there are more documents with each of the terms searched for.
    frequencies: BTreeMap<Box<str>, i64>,
    /// By how much there are more documents that have text.
    documents: i64,
    /// By how much their texts are longer.
    length: i64,
}

impl Own {
    fn of(writes: &Writes, table: &TableInfo, spec: &SearchSpec, terms: &Terms) -> Self {
        let mut own = Own::default();
        if !writes.touches_table(table.by_id) {
            return own;
        }
        for pending in writes.list.iter().filter(|pending| pending.table.by_id == table.by_id) {
            let Ok(id) = pending.key[..].try_into().map(u128::from_be_bytes) else { continue };
            own.written.push(id);
            let old = pending.base.as_ref().and_then(|base| base.document.as_ref());
            if let Some(old) = old.map(|old| spec.read(old)) {
                own.count(&old, terms, -1);
            }
            if let Some(new) = pending.new.as_ref().map(|new| spec.read(new)) {
                own.count(&new, terms, 1);
                own.new.push((id, new));
            }
        }
        own.written.sort_unstable();
        own.new.sort_unstable_by_key(|(id, _)| *id);
        own
    }

    fn count(&mut self, document: &SearchDoc, terms: &Terms, by: i64) {
        self.documents += by * i64::from(document.has_text);
        self.length += by * i64::from(document.length);
        for (term, _) in document.terms.iter().filter(|(term, _)| terms.matches(term)) {
            *self.frequencies.entry(term.clone()).or_default() += by;
        }
    }
}

/// Adds up what terms are worth.
struct Scorer<'a> {
    /// Whether the ranks are those of an earlier search; else they are found on the way.
    fixed: bool,
    ranks: Ranks,
    own: &'a Own,
    merge: Merge,
    /// The terms that were added.
    weights: Vec<(Box<str>, Weight)>,
}

impl Scorer<'_> {
    fn is_full(&self) -> bool {
        self.weights.len() == MAX_TERMS
    }

    /// Adds a term, if a document has it, and there may be more.
    fn add(&mut self, term: &str, stored: u64, boost: f64, columns: Option<&Columns>) {
        let own = self.own.frequencies.get(term).copied().unwrap_or_default();
        let frequency = stored.saturating_add_signed(own);
        if frequency == 0 || self.is_full() {
            return;
        }
        let frequency = if self.fixed {
            self.ranks.frequency(term)
        } else {
            self.ranks.frequencies.push((term.into(), u32::try_from(frequency).unwrap_or(u32::MAX)));
            frequency
        };
        let weight = Weight::new(self.ranks.statistics, frequency, boost);
        self.weights.push((term.into(), weight));
        if let Some(columns) = columns {
            self.merge.add_term(weight, columns, &self.own.written);
        }
    }

    fn finish(mut self, filters: &[(usize, u64)]) -> (Ranking, Ranks) {
        let within = |document: &SearchDoc| {
            filters.iter().all(|(at, hash)| document.filters.get(*at).is_some_and(|own| own == hash))
        };
        let own =
            self.own.new.iter().filter(|(_, document)| within(document)).filter_map(|(id, document)| {
                let worth = |(term, weight): &(Box<str>, Weight)| {
                    document.posting(term).map(|posting| weight.units(posting.frequency, posting.length))
                };
                let mut found = self.weights.iter().filter_map(worth).peekable();
                found.peek()?;
                Some(Hit { id: *id, units: found.sum(), creation_time: document.creation_time })
            });
        self.merge.add(own.collect());
        (self.merge.finish(), self.ranks)
    }
}
