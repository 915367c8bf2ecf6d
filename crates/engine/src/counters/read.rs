//! What a transaction asks of counters: counts, sums, extremes, places and rankings of a range of an index, at its
//! snapshot and with its own writes.
//!
//! An answer depends on the range of the index that it is about: on the presence of what is in it, and, for sums and
//! extremes, on the field. Nobody depends on a counter, so two writers never meet in one.

use std::sync::Arc;

use hull_model::{KeyRange, NumberKind};
use hull_value::{DocumentId, Timestamp, Value, read_sort_key};

use super::counter::{Answer, Counter, Differences, Place};
use super::ranking::{Ranked, Ranking};
use super::total::{Number, Total, number_of, ordered, overflow};
use super::tree::{Change, Hole};
use super::{CounterSpec, each_change};
use crate::catalog::{IndexInfo, TableInfo};
use crate::document::Document;
use crate::error::TxError;
use crate::fields::{FieldMask, Projection};
use crate::key::{Key, key, successor};
use crate::scan::Order;
use crate::transaction::Transaction;

/// A group of a ranked index: the documents whose declared fields are the same.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedGroup {
    /// The values of the declared fields; `None` for a field that is absent.
    pub values: Vec<Option<Value>>,
    /// How many documents it has.
    pub count: u64,
    /// The sum of the field that is added up, if one is.
    pub sum: Option<Number>,
}

/// An index of a table, with what it counts.
struct Aggregated {
    table: Arc<TableInfo>,
    spec: CounterSpec,
    /// Absent where they know nothing of the snapshot.
    counter: Option<Arc<Counter>>,
    /// What the transaction has changed.
    own: Vec<Change>,
}

impl Aggregated {
    fn mask(&self) -> FieldMask {
        let field = self.spec.sum.as_ref().and_then(|(field, _)| field.fields().first());
        match field {
            Some(field) => self.table.fields.read(Projection::Fields(&[field])),
            None => FieldMask::PRESENCE,
        }
    }
}

/// A range of keys as slices.
fn slices(range: &KeyRange) -> (&[u8], Option<&[u8]>) {
    (&range.start, range.end.as_deref())
}

impl Transaction {
    /// How many documents are in a range of an index that counts. A table that is not there is empty. Depends on which
    /// documents are in the range, and on none of their fields.
    pub fn count_range(&mut self, table: &str, index: &str, range: &KeyRange) -> Result<u64, TxError> {
        let Some(counted) = self.counted(table, index, Wanted::Count)? else { return Ok(0) };
        self.depend_on_range(&counted, slices(range), FieldMask::PRESENCE);
        self.count_in(&counted, slices(range))
    }

    /// How many documents are in a range of an index, if any index over the same fields counts; it need not be this one.
    /// Otherwise `None`, and nothing is read.
    pub fn count_range_if_counted(
        &mut self,
        table: &str,
        index: &str,
        range: &KeyRange,
    ) -> Result<Option<u64>, TxError> {
        let Some(info) = self.catalog.table(table) else { return Ok(None) };
        let Ok(over) = info.index(index) else { return Ok(None) };
        let other = info.aggregates.iter().find(|other| other.spec.keyspace == over.spec.keyspace);
        let Some(name) = other.map(|other| other.name.clone()) else { return Ok(None) };
        self.count_range(table, &name, range).map(Some)
    }

    /// The sum of the field that an index adds up, over the documents of a range that have it: exact, and rounded once.
    /// NaN where a NaN or both infinities are in it; zero where there is nothing. Depends on which documents are in the
    /// range, and on this field of theirs.
    pub fn sum_range(
        &mut self,
        table: &str,
        index: &str,
        range: &KeyRange,
    ) -> Result<Option<Number>, TxError> {
        let Some(counted) = self.counted(table, index, Wanted::Sum)? else { return Ok(None) };
        self.depend_on_range(&counted, slices(range), counted.mask());
        let total = self.total(&counted, slices(range))?;
        total.sum(counted.spec.kind()).map(Some).ok_or_else(|| overflow(table, index))
    }

    /// The least number of the field that an index adds up, over the documents of a range, or, in descending order, the
    /// greatest; `None` where there is none. Numbers are ordered as values are: -0.0 is below 0.0, and a NaN beyond the
    /// infinity of its sign. Depends on what a sum depends on.
    pub fn extreme_range(
        &mut self,
        table: &str,
        index: &str,
        range: &KeyRange,
        order: Order,
    ) -> Result<Option<Number>, TxError> {
        let Some(counted) = self.counted(table, index, Wanted::Sum)? else { return Ok(None) };
        self.depend_on_range(&counted, slices(range), counted.mask());
        let kind = counted.spec.kind();
        let extreme = self.extreme(&counted, slices(range), order == Order::Desc)?;
        Ok(extreme.map(|ordered| number_of(ordered, kind)))
    }

    /// How many documents of a range come before this one in an order; `None` if it is not in the range. Depends on which
    /// documents are in the range up to it.
    pub fn rank_of(
        &mut self,
        table: &str,
        index: &str,
        (range, order): (&KeyRange, Order),
        id: DocumentId,
    ) -> Result<Option<u64>, TxError> {
        let Some(counted) = self.counted(table, index, Wanted::Count)? else { return Ok(None) };
        if id.table != counted.table.number {
            return Ok(None);
        }
        let spec = index_of(&counted.table, &counted.spec)?.spec.clone();
        let fields: Vec<&str> =
            spec.fields.iter().filter_map(|field| field.fields().first()).map(String::as_str).collect();
        let mask = counted.table.fields.read(Projection::Fields(&fields));
        self.settle(&counted.table, mask, &id.internal.0);
        let Some(read) = self.read(&counted.table, mask, &id.internal.0)? else { return Ok(None) };
        let k = spec.key_of(&read.document, &mut Vec::new());
        if !range.contains(&k) {
            return Ok(None);
        }
        let behind = successor(&k);
        let (before, looked_at) = match order {
            Order::Asc => ((&range.start[..], Some(&k[..])), (&range.start[..], Some(&behind[..]))),
            Order::Desc => ((&behind[..], range.end.as_deref()), (&k[..], range.end.as_deref())),
        };
        self.depend_on_range(&counted, looked_at, FieldMask::PRESENCE);
        self.count_in(&counted, before).map(Some)
    }

    /// The document of a range that so many others come before, in an order. Depends on which documents are in the range up
    /// to it, and on it as a whole; if there is none, on which documents are in the range.
    pub fn document_at(
        &mut self,
        table: &str,
        index: &str,
        (range, order): (&KeyRange, Order),
        offset: u64,
    ) -> Result<Option<Document>, TxError> {
        let Some(counted) = self.counted(table, index, Wanted::Count)? else { return Ok(None) };
        let (start, end) = slices(range);
        let count = self.count_in(&counted, (start, end))?;
        if offset >= count {
            self.depend_on_range(&counted, (start, end), FieldMask::PRESENCE);
            return Ok(None);
        }
        let ascending = if order == Order::Desc { count - 1 - offset } else { offset };
        let Some(k) = self.key_at(&counted, (start, end), ascending)? else {
            return Err(TxError::Damaged(format!("the counters of index {table}.{index} are wrong")));
        };
        let behind = successor(&k);
        let looked_at = match order {
            Order::Asc => (start, Some(&behind[..])),
            Order::Desc => (&k[..], end),
        };
        self.depend_on_range(&counted, looked_at, FieldMask::PRESENCE);
        let id = &k[k.len().saturating_sub(16)..];
        self.settle(&counted.table, FieldMask::ALL, id);
        Ok(self.read(&counted.table, FieldMask::ALL, id)?.map(|read| read.document))
    }

    /// The first groups of a ranked index in the order of their sums, or of their counts where nothing is added up; those
    /// that are equal in it are in the order of their fields. Sums are ordered as values are. Depends on which documents are
    /// in the index, and on the field that is added up.
    pub fn ranking(
        &mut self,
        table: &str,
        index: &str,
        order: Order,
        limit: usize,
    ) -> Result<Vec<RankedGroup>, TxError> {
        let Some(counted) = self.counted(table, index, Wanted::Ranking)? else { return Ok(Vec::new()) };
        self.depend_on_range(&counted, (&[], None), counted.mask());
        let (descending, kind) = (order == Order::Desc, counted.spec.number_kind());
        let ts = self.snapshot.ts();
        let known = counted.counter.as_ref().map(|c| c.first_groups(ts, (limit, descending), &counted.own));
        let groups: Vec<Ranked> = match known {
            Some(Ok(groups)) => groups,
            _ => {
                let mut all = Ranking::default();
                self.engine.rows(&counted.table, &counted.spec, (&[], None), ts, &mut |k, row| {
                    all.change(&Change { key: key(k), before: None, after: Some(row) }, kind);
                    true
                })?;
                all.first(limit, descending, counted.own.into_iter(), kind)
            }
        };
        groups.into_iter().map(|(k, total)| group(table, index, &k, &total, kind)).collect()
    }

    /// How many documents a table has; one that is not there has none. Depends on which documents there are.
    pub fn table_count(&mut self, table: &str) -> Result<u64, TxError> {
        self.note_read()?;
        let Some(table) = self.table_named(table) else { return Ok(0) };
        self.reads.add_range(table.by_id, FieldMask::PRESENCE, &[], None);
        let ts = self.snapshot.ts();
        let mut count = match table.store.counters.count.at(ts) {
            Some(count) => count,
            None => {
                let mut count = 0;
                self.engine.keys(&table, table.by_id, (&[], None), ts, &mut |_| {
                    count += 1;
                    true
                })?;
                count
            }
        };
        for pending in self.writes.list.iter().filter(|pending| pending.table.by_id == table.by_id) {
            let before = pending.base.as_ref().is_some_and(|base| base.document.is_some());
            count += i64::from(pending.new.is_some()) - i64::from(before);
        }
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// An index that must do what is wanted; `None` if there is no such table.
    fn counted(&mut self, table: &str, index: &str, wanted: Wanted) -> Result<Option<Aggregated>, TxError> {
        self.note_read()?;
        let Some(table) = self.table_named(table) else { return Ok(None) };
        table.index(index)?;
        let aggregate = table.aggregates.iter().find(|aggregate| aggregate.name == index);
        let spec = aggregate.map(|aggregate| aggregate.spec.clone()).filter(|spec| wanted.is_done_by(spec));
        let Some(spec) = spec else {
            let (lacks, declare) = wanted.lacking();
            return Err(TxError::NotAggregated {
                table: table.name.clone(),
                index: index.into(),
                lacks,
                declare,
            });
        };
        let mut counted = Aggregated { table, spec, counter: None, own: Vec::new() };
        self.settle_all(&counted.table.clone(), counted.spec.keyspace, counted.mask());
        let ts = self.snapshot.ts();
        counted.counter = counted.table.store.counters.of(&counted.spec).filter(|c| c.reaches(ts));
        if self.writes.touches_table(counted.table.by_id) {
            for pending in self.writes.list.iter().filter(|p| p.table.by_id == counted.table.by_id) {
                let old = pending.base.as_ref().and_then(|base| base.document.as_ref());
                let own = &mut counted.own;
                each_change(&counted.table, &counted.spec, old, pending.new.as_ref(), |change| {
                    own.push(change)
                });
            }
        }
        Ok(Some(counted))
    }

    fn depend_on_range(
        &mut self,
        counted: &Aggregated,
        (start, end): (&[u8], Option<&[u8]>),
        mask: FieldMask,
    ) {
        self.reads.add_range(counted.spec.keyspace, mask, start, end);
    }

    /// The rows of a range that the counters don't know, or all of it.
    fn holes(range: (&[u8], Option<&[u8]>)) -> Vec<Hole> {
        vec![(key(range.0), range.1.map(key))]
    }

    fn count_in(&self, counted: &Aggregated, range: (&[u8], Option<&[u8]>)) -> Result<u64, TxError> {
        let counting = CounterSpec { sum: None, ..counted.spec.clone() };
        let total = self.total_of(counted, &counting, range)?;
        u64::try_from(total.count).map_err(|_| TxError::Damaged("a range has less than no rows".into()))
    }

    fn total(&self, counted: &Aggregated, range: (&[u8], Option<&[u8]>)) -> Result<Total, TxError> {
        self.total_of(counted, &counted.spec, range)
    }

    /// The total of a range; of what the counters don't know `reading` is read.
    fn total_of(
        &self,
        counted: &Aggregated,
        reading: &CounterSpec,
        range: (&[u8], Option<&[u8]>),
    ) -> Result<Total, TxError> {
        if range.1.is_some_and(|end| end <= range.0) {
            return Ok(Total::default());
        }
        let (ts, kind) = (self.snapshot.ts(), counted.spec.kind());
        let Answer { mut value, holes, .. } = match &counted.counter {
            Some(counter) => counter.total(ts, range, &counted.own),
            None => {
                let mut value = Total::default();
                let in_range = |change: &&Change| {
                    change.key[..] >= *range.0 && range.1.is_none_or(|end| change.key[..] < *end)
                };
                for change in counted.own.iter().filter(in_range) {
                    if let Some(row) = change.before {
                        value.remove(row, kind);
                    }
                    if let Some(row) = change.after {
                        value.add(row, kind);
                    }
                }
                Answer { value, holes: Self::holes(range), differences: Differences::new() }
            }
        };
        for (start, end) in &holes {
            let range = (&start[..], end.as_ref().map(|end| &end[..]));
            self.engine.rows(&counted.table, reading, range, ts, &mut |_, row| {
                value.add(row, kind);
                true
            })?;
        }
        Ok(value)
    }

    fn extreme(
        &self,
        counted: &Aggregated,
        range: (&[u8], Option<&[u8]>),
        greatest: bool,
    ) -> Result<Option<u64>, TxError> {
        if range.1.is_some_and(|end| end <= range.0) {
            return Ok(None);
        }
        let (ts, kind) = (self.snapshot.ts(), counted.spec.kind());
        let Answer { mut value, holes, differences } = match &counted.counter {
            Some(counter) => counter.extreme(ts, range, greatest, &counted.own),
            None => {
                let nothing = Counter::new(counted.spec.clone(), Timestamp(0));
                nothing.extreme(ts, range, greatest, &counted.own)
            }
        };
        for (start, end) in &holes {
            let range = (&start[..], end.as_ref().map(|end| &end[..]));
            self.engine.rows(&counted.table, &counted.spec, range, ts, &mut |k, row| {
                if let Some(bits) = row.number().filter(|_| !differences.contains_key(k)) {
                    let number = ordered(bits, kind);
                    let more = |known: u64| if greatest { known.max(number) } else { known.min(number) };
                    value = Some(value.map_or(number, more));
                }
                true
            })?;
        }
        Ok(value)
    }

    /// The key of the row of a range that so many others come before, in ascending order.
    fn key_at(
        &self,
        counted: &Aggregated,
        (start, end): (&[u8], Option<&[u8]>),
        offset: u64,
    ) -> Result<Option<Key>, TxError> {
        let ts = self.snapshot.ts();
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let place = match &counted.counter {
            Some(counter) => {
                let before = self.count_in(counted, (&[], Some(start)))?;
                counter.select(ts, offset.saturating_add_unsigned(before), &counted.own)
            }
            None => Err(super::counter::NotKnown),
        };
        let place = match place {
            Ok(Some(place)) => place,
            Ok(None) => return Ok(None),
            Err(_) => {
                let nothing = Counter::new(counted.spec.clone(), Timestamp(0));
                let answer = nothing.total(ts, (start, end), &counted.own);
                let leaf = (key(start), end.map(key));
                Place { leaf, before: offset, differences: answer.differences }
            }
        };
        self.key_in(counted, place)
    }

    /// The key of a row in a leaf.
    fn key_in(&self, counted: &Aggregated, place: Place) -> Result<Option<Key>, TxError> {
        let Place { leaf: (start, end), before, differences } = place;
        let range = (&start[..], end.as_ref().map(|end| &end[..]));
        // Rows that are seen and are not there at the snapshot come in between.
        let bound = end.as_ref().map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let new = differences.range::<Key, _>((std::ops::Bound::Included(&start), bound));
        let mut new = new.filter(|(_, d)| d.seen.is_some() && d.then.is_none()).map(|(k, _)| k).peekable();
        let (mut left, mut found) = (before, None);
        let mut pass = |k: &[u8]| {
            if left == 0 {
                found = Some(key(k));
            }
            left -= 1;
            found.is_none()
        };
        let counting = CounterSpec { sum: None, ..counted.spec.clone() };
        let more = self.engine.rows(&counted.table, &counting, range, self.snapshot.ts(), &mut |k, _| {
            while let Some(other) = new.next_if(|other| other[..] < *k) {
                if !pass(other) {
                    return false;
                }
            }
            let gone = differences.get(k).is_some_and(|d| d.seen.is_none());
            gone || pass(k)
        })?;
        if more {
            for other in new {
                if !pass(other) {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// What an index must do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Count,
    Sum,
    Ranking,
}

impl Wanted {
    fn is_done_by(self, spec: &CounterSpec) -> bool {
        match self {
            Wanted::Count => true,
            Wanted::Sum => spec.sum.is_some(),
            Wanted::Ranking => spec.ranked,
        }
    }

    fn lacking(self) -> (&'static str, &'static str) {
        match self {
            Wanted::Count => ("does not count", "`#[count(…)]` or `#[sum(…)]`"),
            Wanted::Sum => ("does not add up a field", "`#[sum(…)]`"),
            Wanted::Ranking => {
                ("does not rank its groups", "the option `ranked` of `#[count(…)]` or `#[sum(…)]`")
            }
        }
    }
}

fn index_of<'a>(table: &'a TableInfo, spec: &CounterSpec) -> Result<&'a IndexInfo, TxError> {
    let index = table.indexes.iter().find(|index| index.spec.keyspace == spec.keyspace);
    index.ok_or_else(|| TxError::Damaged(format!("an index of table {} is not there", table.name)))
}

/// A group as it is told.
fn group(
    table: &str,
    index: &str,
    k: &[u8],
    total: &Total,
    kind: Option<NumberKind>,
) -> Result<RankedGroup, TxError> {
    let damaged =
        |error: hull_value::KeyError| TxError::Damaged(format!("a key of index {table}.{index}: {error}"));
    let (mut rest, mut values) = (k, Vec::new());
    while !rest.is_empty() {
        values.push(read_sort_key(&mut rest).map_err(damaged)?);
    }
    let sum = kind.map(|kind| total.sum(kind).ok_or_else(|| overflow(table, index))).transpose()?;
    Ok(RankedGroup { values, count: u64::try_from(total.count).unwrap_or_default(), sum })
}
