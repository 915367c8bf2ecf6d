//! Folds: increments of fields, which are finished under the commit lock from the newest version of their document.
//!
//! Guarantee: an increment reads nothing, so it conflicts with nobody, and what commits is exact: the newest value plus
//! the amounts, checked as every write is and logged as it stands. A transaction that looks at the field, or writes the
//! document in an ordinary way, has *settled* the increment before: it becomes an ordinary write of what the snapshot
//! holds, and the read set has the document. Where the sum breaks a rule nothing is committed
//! ([`CommitError::Fold`]); the transaction then runs again without folds, and learns why where it can handle it.
//!
//! The newest version needs no read of storage under the lock. Storage holds nothing newer than a registered snapshot, so
//! as long as the transaction lives every later version of a document is in the overlay, and where the overlay has none
//! the version that was seen at the snapshot is the newest.

use std::collections::HashMap;
use std::sync::Arc;

use hull_model::{Amount, TableMapping};
use hull_value::{DocumentId, Timestamp, ValueRef};

use crate::catalog::TableInfo;
use crate::document::Document;
use crate::edit::{check_field, check_size};
use crate::error::{CommitError, TxError};
use crate::fields::FieldMask;
use crate::key::{Key, Keyspace, key};
use crate::overlay::Found;
use crate::slot::Version;
use crate::transaction::{Read, Transaction};
use crate::writes::{Pending, Writes};

/// The increments of one document.
#[derive(Debug)]
pub(crate) struct Fold {
    table: Arc<TableInfo>,
    /// The version at the snapshot. That it was looked at is not in the read set.
    seen: Read,
    /// In their order.
    steps: Vec<(Box<str>, Amount)>,
    /// What the steps make of the version at the snapshot.
    sum: Document,
    /// The fields of the steps.
    mask: FieldMask,
}

impl Fold {
    /// The write that this is where nothing has been committed since the snapshot.
    pub(crate) fn at_snapshot(&self) -> Pending {
        self.pending(self.seen.clone(), self.sum.clone())
    }

    fn pending(&self, base: Read, new: Document) -> Pending {
        let Read { document, slot, ts } = base;
        Pending {
            table: self.table.clone(),
            key: key(&document.id.internal.0),
            slot,
            base: Some(Version { ts, document: Some(document) }),
            new: Some(new),
            blind: false,
        }
    }

    /// The write that this is on top of the newest version. Called under the commit lock.
    pub(crate) fn finish(self, tables: &dyn TableMapping) -> Result<Pending, CommitError> {
        let newest = match self.table.store.get(&self.seen.document.id.internal.0, Timestamp(u64::MAX)) {
            Found::Here(_, _, ts) if ts == self.seen.ts => self.seen.clone(),
            Found::AskStorage => self.seen.clone(),
            Found::Here(slot, Some(document), ts) => Read { document, slot: Some(slot), ts },
            Found::Here(_, None, _) | Found::Absent => return Err(CommitError::Fold),
        };
        if newest.ts == self.seen.ts {
            return Ok(self.at_snapshot());
        }
        let sum = self.steps.iter().try_fold(newest.document.clone(), |document, (field, amount)| {
            increased(&self.table, tables, &document, field, *amount)
        });
        Ok(self.pending(newest, sum.map_err(|_| CommitError::Fold)?))
    }
}

/// All folds of a transaction. One whose document has an ordinary write is settled, and counts no more until that write
/// is rolled back.
#[derive(Debug, Default)]
pub(crate) struct Folds {
    of: HashMap<(Keyspace, Key), Fold>,
    /// The document of each step, in the order of the steps.
    steps: Vec<(Keyspace, Key)>,
}

impl Folds {
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many steps there are, to roll back to.
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    fn get(&self, keyspace: Keyspace, k: &[u8]) -> Option<&Fold> {
        if self.is_empty() { None } else { self.of.get(&(keyspace, Key::from_slice(k))) }
    }

    fn add(&mut self, table: Arc<TableInfo>, seen: Read, step: (Box<str>, Amount), sum: Document) {
        let mask = table.fields.changed(&[step.0.as_bytes()]);
        let place = (table.by_id, key(&seen.document.id.internal.0));
        self.steps.push(place.clone());
        match self.of.entry(place) {
            std::collections::hash_map::Entry::Occupied(mut fold) => {
                let fold = fold.get_mut();
                fold.steps.push(step);
                fold.sum = sum;
                fold.mask.0 |= mask.0;
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Fold { table, seen, steps: vec![step], sum, mask });
            }
        }
    }

    /// Takes back all steps but the first so many.
    pub(crate) fn truncate(&mut self, steps: usize) {
        for place in self.steps.drain(steps.min(self.steps.len())..).rev() {
            let Some(fold) = self.of.get_mut(&place) else { continue };
            fold.steps.pop();
            if fold.steps.is_empty() {
                self.of.remove(&place);
                continue;
            }
            fold.mask = FieldMask(0);
            fold.sum = fold.seen.document.clone();
            for (field, amount) in &fold.steps {
                fold.mask.0 |= fold.table.fields.changed(&[field.as_bytes()]).0;
                // It went well before.
                fold.sum = add(&fold.sum, field, *amount).unwrap_or_else(|_| fold.sum.clone());
            }
        }
    }
}

impl Writes {
    /// The folds that are not settled, in the order of their first steps.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = &Fold> {
        let open = |place: &&(Keyspace, Key)| self.find(place.0, &place.1).is_none();
        let mut places: Vec<_> = self.folds.steps.iter().filter(open).collect();
        if places.len() > 1 {
            let mut known = std::collections::HashSet::new();
            places.retain(|place| known.insert(*place));
        }
        places.into_iter().filter_map(|place| self.folds.of.get(place))
    }

    /// Takes out the folds that are not settled.
    pub(crate) fn take_folds(&mut self) -> Vec<Fold> {
        if self.folds.is_empty() {
            return Vec::new();
        }
        let folds = std::mem::take(&mut self.folds);
        let (steps, mut of) = (folds.steps, folds.of);
        steps
            .into_iter()
            .filter(|place| self.find(place.0, &place.1).is_none())
            .filter_map(|place| of.remove(&place))
            .collect()
    }
}

impl Transaction {
    /// Adds `amount` to a top-level field of a document; a field that is absent counts as zero. Nothing is read by it,
    /// so it conflicts with no other write; unless this transaction reads the field as well, or writes the document.
    ///
    /// The field must hold a number of the amount's kind. An int64 that overflows is an error.
    pub fn increment(&mut self, id: DocumentId, field: &str, amount: Amount) -> Result<(), TxError> {
        self.check_writable()?;
        const OPERATION: &str = "Increment";
        let Some(table) = self.table_numbered(id.table) else {
            return Err(TxError::NonexistentDocument { operation: OPERATION, id });
        };
        let k = id.internal.0;
        if !self.without_folds && self.writes.find(table.by_id, &k).is_none() {
            let seen = match self.writes.folds.get(table.by_id, &k) {
                Some(fold) => Some((fold.seen.clone(), fold.sum.clone())),
                None => self.find(&table, &k)?.map(|seen| (seen.clone(), seen.document)),
            };
            if let Some((seen, sum)) = seen
                && let Ok(sum) = increased(&table, &*self.catalog, &sum, field, amount)
            {
                self.count_write(sum.size as usize)?;
                self.writes.epoch += 1;
                self.writes.folds.add(table, seen, (field.into(), amount), sum);
                return Ok(());
            }
        }
        // As an ordinary read and write: the answer depends on the document.
        let (table, old) = self.existing(id, OPERATION)?;
        check_field(field, None, &old.document)?;
        let new = increased(&table, &*self.catalog, &old.document, field, amount)?;
        self.count_write(new.size as usize)?;
        if new.value != old.document.value {
            self.put(table, old, Some(new));
        }
        Ok(())
    }

    /// From now on increments are ordinary reads and writes: for a transaction that runs again after
    /// [`CommitError::Fold`].
    pub fn without_folds(&mut self) {
        self.without_folds = true;
    }

    /// Settles the increments of one document, if a read of so much of it looks at them.
    #[inline]
    pub(crate) fn settle(&mut self, table: &TableInfo, mask: FieldMask, k: &[u8]) {
        if !self.writes.folds.is_empty() {
            self.settle_one(table, mask, k);
        }
    }

    fn settle_one(&mut self, table: &TableInfo, mask: FieldMask, k: &[u8]) {
        if let Some(fold) = self.writes.folds.get(table.by_id, k)
            && fold.mask.meets(mask)
            && self.writes.find(table.by_id, k).is_none()
        {
            let pending = fold.at_snapshot();
            self.reads.add_point(table.by_id, k);
            self.writes.add(pending);
        }
    }

    /// Settles every increment of a table that decides where documents lie in an index, or that a read of so much of
    /// any document of the table looks at. To be called before an index is read otherwise than by a scan.
    pub(crate) fn settle_all(&mut self, table: &TableInfo, keyspace: Keyspace, mask: FieldMask) {
        if self.writes.folds.is_empty() {
            return;
        }
        let index = table.indexes.iter().find(|index| index.spec.keyspace == keyspace);
        let met = |fold: &&Fold| {
            let moves = |(field, _): &(Box<str>, Amount)| {
                index.is_some_and(|index| index.spec.depends_on(&[field.as_bytes()]))
            };
            fold.table.by_id == table.by_id && (fold.mask.meets(mask) || fold.steps.iter().any(moves))
        };
        let keys: Vec<_> =
            self.writes.unsettled().filter(met).map(|fold| fold.seen.document.id.internal.0).collect();
        for k in keys {
            self.settle_one(table, FieldMask::ALL, &k);
        }
    }

    /// Settles the increments of documents that a scan has found and looks at so much of.
    pub(crate) fn settle_found(&mut self, table: &TableInfo, mask: FieldMask, found: &[Option<Read>]) {
        if self.writes.folds.is_empty() {
            return;
        }
        for read in found.iter().flatten() {
            self.settle_one(table, mask, &read.document.id.internal.0);
        }
    }
}

/// The document with the amount added to a field, checked by every rule that the change could break.
fn increased(
    table: &TableInfo,
    tables: &dyn TableMapping,
    document: &Document,
    field: &str,
    amount: Amount,
) -> Result<Document, TxError> {
    check_field(field, None, document)?;
    let sum = add(document, field, amount)?;
    let value = sum.value.as_object().and_then(|object| object.get(field));
    if let Some(validator) = &table.validator
        && !validator.keeps(&[(field, value)], tables)
    {
        validator.check_document(sum.value.as_ref(), tables).map_err(|error| TxError::SchemaEnforcement {
            table: table.name.clone(),
            error: Box::new(error),
        })?;
    }
    check_size(&sum)?;
    Ok(sum)
}

/// The document with the amount added to a field.
fn add(document: &Document, field: &str, amount: Amount) -> Result<Document, TxError> {
    let held = document.value.as_object().and_then(|object| object.get(field));
    let refused = |reason| TxError::InvalidIncrement { id: document.id, field: field.to_owned(), reason };
    let sum = match (held, amount) {
        (None, Amount::Float64(amount)) => ValueRef::Float64(amount),
        (None, Amount::Int64(amount)) => ValueRef::Int64(amount),
        (Some(ValueRef::Float64(held)), Amount::Float64(amount)) => ValueRef::Float64(held + amount),
        (Some(ValueRef::Int64(held)), Amount::Int64(amount)) => match held.checked_add(amount) {
            Some(sum) => ValueRef::Int64(sum),
            None => return Err(refused(format!("{held} + {amount} does not fit into an int64"))),
        },
        (Some(held), amount) => {
            return Err(refused(format!(
                "it holds the {} {held:?}, and the amount is the {} {amount}; both must be numbers of one kind",
                held.kind(),
                amount.kind()
            )));
        }
    };
    let merged = document.value.merge_and_measure(&[(field, Some(sum))]);
    let (value, growth) = merged.map_err(|error| TxError::InvalidDocument(error.to_string()))?;
    let size = document.size.saturating_add_signed(i32::try_from(growth).unwrap_or(i32::MAX));
    Ok(Document { value, size, ..document.clone() })
}
