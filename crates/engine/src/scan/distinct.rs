//! The first document of each group of keys, by a search for the end of each group instead of a walk through it.
//!
//! A group is the keys of an index whose first values are the same. The read set holds, for each group, what lies between
//! the group before it and its first key in the order of the scan: what comes and goes behind that key is not looked at.

use hull_model::KeyRange;

use super::Scan;
use crate::document::Document;
use crate::error::TxError;
use crate::key::{Key, key, successor};
use crate::transaction::Transaction;

/// The first documents of groups, under way. It belongs to the transaction that made its scan.
#[derive(Debug)]
pub struct Distinct {
    scan: Scan,
    fields: usize,
}

impl Scan {
    /// Of this scan, which has not been begun, the first document of each group with the same first `fields` values, one
    /// at least. Under `by_id` each document is a group.
    pub fn distinct(self, fields: usize) -> Distinct {
        Distinct { scan: self, fields: fields.max(1) }
    }
}

impl Distinct {
    /// The same of nothing but the groups behind the one that `after` begins with, up to and including that of `until`;
    /// to be said before it is begun.
    #[must_use]
    pub fn between(self, after: Option<&[u8]>, until: Option<&[u8]>) -> Self {
        let group = |k: Option<&[u8]>| k.map(|k| self.group(k));
        let (after, until) = (group(after), group(until));
        let (from, to) = match self.scan.reverse {
            false => (after.map(|(_, end)| end), until.map(|(_, end)| end)),
            true => (until.map(|(start, _)| start), after.map(|(start, _)| start)),
        };
        Distinct { scan: self.scan.within(from, to), ..self }
    }

    /// What the keys of a document's group begin with.
    pub fn group_of(&self, document: &Document) -> Option<Vec<u8>> {
        self.scan.key_of(document).map(|k| self.group(&k).0.to_vec())
    }

    /// The keys of the group of a key.
    fn group(&self, k: &[u8]) -> (Key, Key) {
        let by_id = self.scan.source.as_ref().is_some_and(|source| source.keyspace == source.table.by_id);
        match KeyRange::group(k, self.fields).filter(|_| !by_id) {
            Some(KeyRange { start, end: Some(end) }) => (key(&start), key(&end)),
            _ => (key(k), successor(k)),
        }
    }

    /// Hands the next `limit` documents to `each`, as long as it returns true; returns whether it did and there may be
    /// more. Each group counts as a read.
    pub fn for_each(
        &mut self,
        transaction: &mut Transaction,
        limit: usize,
        mut each: impl FnMut(&Document) -> bool,
    ) -> Result<bool, TxError> {
        let mut left = limit;
        while left > 0 {
            let scan = &mut self.scan;
            if !transaction.has_rows(scan, 1)? {
                return Ok(false);
            }
            let at = scan.next;
            scan.next += 1;
            let Some(Some(read)) = scan.rows.reads.get(at) else { continue };
            if !scan.wants(read) {
                continue;
            }
            let read = read.clone();
            scan.last_row = Some(at);
            transaction.cover(scan);
            transaction.count_document(&read.document)?;
            if let Some(k) = scan.last() {
                let (start, end) = self.group(&k);
                self.scan.skip(start, end);
                transaction.note_read()?;
            }
            let more = each(&read.document);
            transaction.remember(read);
            if !more {
                return Ok(false);
            }
            left -= 1;
        }
        Ok(true)
    }
}

impl Scan {
    /// Goes on behind a group of keys, as a scan of what is left.
    fn skip(&mut self, start: Key, end: Key) {
        self.drop_chunk();
        (self.last, self.growing) = (None, None);
        match self.reverse {
            true => self.whole.1 = Some(start),
            false => self.whole.0 = end,
        }
        if self.whole.1.as_ref().is_some_and(|end| *end <= self.whole.0) {
            self.whole.1 = Some(self.whole.0.clone());
        }
        (self.start, self.end) = self.whole.clone();
        self.exhausted = self.whole.1.as_ref() == Some(&self.whole.0);
        // The next row alone is wanted.
        self.chunk = 1;
    }
}
