//! [`RowHashes`]: the hash of a result with those of its rows, handed on from result to result for rows that stay.
//!
//! The *rows* of a value are the elements of a list; of an object, for each field the elements of its list or the
//! field's value; of anything else the value itself. So those of a list of documents are the documents, and so are
//! those of a page of a paginated query.

use hull_value::{ArrayRef, ObjectRef, Packed, ValueRef};

use super::align::Origin;
use super::apply::{Form, PatchError};
use super::hash::ValueHash;
use super::steps::origins_of_steps;

/// For each row of a new value, the row of the old one that it equals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowOrigins(Vec<Option<u32>>);

/// The hashes of a value and of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowHashes {
    whole: ValueHash,
    rows: Box<[ValueHash]>,
}

impl RowHashes {
    /// Hashes all of a value.
    pub fn of(value: &Packed) -> Self {
        Self::with(value, |_| None)
    }

    /// The hashes of a value that comes from the one with these hashes: only rows that were not there are looked at.
    pub fn carry(&self, value: &Packed, origins: &RowOrigins) -> Self {
        Self::with(value, |row| {
            let origin = origins.0.get(row).copied().flatten()?;
            self.rows.get(origin as usize).copied()
        })
    }

    /// The hash of the value.
    pub fn whole(&self) -> ValueHash {
        self.whole
    }

    fn with(value: &Packed, known: impl Fn(usize) -> Option<ValueHash>) -> Self {
        let mut rows = Vec::new();
        let mut next = |row: ValueRef<'_>| {
            let hash = known(rows.len()).unwrap_or_else(|| ValueHash::of(row));
            rows.push(hash);
            hash
        };
        let whole = match value.as_ref() {
            ValueRef::Array(list) => ValueHash::of_list(list.iter().map(next)),
            ValueRef::Object(fields) => ValueHash::of_object(fields.iter().map(|(key, field)| match field {
                ValueRef::Array(list) => (key, ValueHash::of_list(list.iter().map(&mut next))),
                other => (key, next(other)),
            })),
            other => next(other),
        };
        RowHashes { whole, rows: rows.into() }
    }
}

/// How many rows a value has in the place of a field.
pub(super) fn rows_of_field(field: ValueRef<'_>) -> usize {
    field.as_array().map_or(1, |list| list.len())
}

impl RowOrigins {
    /// The origins of a value that is equal to the old one.
    pub(super) fn all_same(value: ValueRef<'_>) -> Self {
        let mut origins = Self::default();
        match value {
            ValueRef::Object(fields) => {
                fields.iter().for_each(|(_, field)| origins.same(origins.0.len(), rows_of_field(field)));
            }
            other => origins.same(0, rows_of_field(other)),
        }
        origins
    }

    /// The next rows equal the old ones from `first` on.
    pub(super) fn same(&mut self, first: usize, count: usize) {
        self.0.extend((first..first + count).map(|row| u32::try_from(row).ok()));
    }

    /// The next rows were not there.
    pub(super) fn new_rows(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, None);
    }

    /// The next rows are those of a list whose old rows begin with `first`.
    pub(super) fn list(&mut self, first: usize, origins: &[Origin]) {
        self.0.extend(origins.iter().map(|origin| match origin {
            Origin::Old { index, same: true, .. } => u32::try_from(first + index).ok(),
            _ => None,
        }));
    }

    /// The origins of a value; `lists` has those of its lists that changed, in the order of their fields.
    pub(super) fn of_values(old: ValueRef<'_>, new: ValueRef<'_>, lists: &[Vec<Origin>]) -> Self {
        let mut origins = Self::default();
        let mut lists = lists.iter().map(Vec::as_slice);
        match (old, new) {
            (ValueRef::Object(old), ValueRef::Object(new)) => {
                each_field(old, new, |_, first, was, field| match (was, field) {
                    (Some(was), field) if was == field => origins.same(first, rows_of_field(was)),
                    (Some(ValueRef::Array(_)), ValueRef::Array(_)) => {
                        origins.list(first, lists.next().unwrap_or_default());
                    }
                    (_, field) => origins.new_rows(rows_of_field(field)),
                });
            }
            (ValueRef::Array(_), ValueRef::Array(_)) => origins.list(0, lists.next().unwrap_or_default()),
            (_, other) => origins.new_rows(rows_of_field(other)),
        }
        origins
    }

    /// The origins of the value that a patch made out of `old`.
    pub fn of_patch(old: &Packed, patch: &Packed, new: &Packed) -> Result<Self, PatchError> {
        let mut origins = Self::default();
        match (Form::read(patch.as_ref())?, old.as_ref(), new.as_ref()) {
            (Form::Same, _, value) => return Ok(Self::all_same(value)),
            (Form::List(steps), ValueRef::Array(old), _) => {
                origins.list(0, &origins_of_steps(old.len(), steps)?);
            }
            (Form::Fields { set, patch, .. }, ValueRef::Object(old), ValueRef::Object(new)) => {
                origins.fields(old, set, patch, new)?;
            }
            _ => {}
        }
        Ok(origins)
    }

    fn fields(
        &mut self,
        old: ObjectRef<'_>,
        set: Option<ObjectRef<'_>>,
        patch: Option<ObjectRef<'_>>,
        new: ObjectRef<'_>,
    ) -> Result<(), PatchError> {
        let (mut set, mut patch) = (set.map(|set| set.fields()), patch.map(|patch| patch.fields()));
        let mut done = Ok(());
        each_field(old, new, |key, first, was, field| {
            let is_set = set.as_mut().is_some_and(|set| set.find(key).is_some());
            match (was, patch.as_mut().and_then(|patch| patch.find(key))) {
                (Some(ValueRef::Array(list)), Some(patch)) => {
                    let patched = self.patched(first, list, patch, field);
                    if done.is_ok() {
                        done = patched;
                    }
                }
                (Some(was), None) if !is_set => self.same(first, rows_of_field(was)),
                _ => self.new_rows(rows_of_field(field)),
            }
        });
        done
    }

    fn patched(
        &mut self,
        first: usize,
        old: ArrayRef<'_>,
        patch: ValueRef<'_>,
        new: ValueRef<'_>,
    ) -> Result<(), PatchError> {
        match Form::read(patch)? {
            Form::Same => self.same(first, old.len()),
            Form::List(steps) => self.list(first, &origins_of_steps(old.len(), steps)?),
            _ => self.new_rows(rows_of_field(new)),
        }
        Ok(())
    }
}

/// Calls `each` with the fields of a new object: the key, how many rows come before those of the old object's field,
/// that field, and the new one.
fn each_field<'a>(
    old: ObjectRef<'a>,
    new: ObjectRef<'a>,
    mut each: impl FnMut(&'a str, usize, Option<ValueRef<'a>>, ValueRef<'a>),
) {
    let mut first = 0;
    let mut old = old.iter().peekable();
    for (key, field) in new.iter() {
        while let Some((_, gone)) = old.next_if(|(name, _)| *name < key) {
            first += rows_of_field(gone);
        }
        let was = old.next_if(|(name, _)| *name == key).map(|(_, field)| field);
        each(key, first, was, field);
        first += was.map_or(0, rows_of_field);
    }
}
