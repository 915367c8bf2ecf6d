//! A condition on an index by the names of its fields, checked against the index when the query runs.

use std::ops::Bound;

use hull_model::IndexBounds;
use hull_value::{Encode, FieldPath, Packed, ValueError, ValueRef};

use super::extent::{Extent, distinct_union};
use super::writer::invalid_value;
use crate::error::{Error, Result};

/// Conditions on the fields of an index, by name: `eq` on the first ones, then at most one lower and one upper bound.
#[derive(Default)]
pub struct Conditions {
    list: Vec<(String, Kind, std::result::Result<Option<Packed>, ValueError>)>,
    distinct: Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Eq,
    Gt,
    Gte,
    Lt,
    Lte,
}

macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(mut self, field: &str, value: impl Encode) -> Conditions {
            self.list.push((field.to_owned(), Kind::$kind, Packed::encode(&value).map(Some)));
            self
        })*
    };
}

impl Conditions {
    conditions! {
        /// The field equals the value.
        eq => Eq;
        /// The field is greater.
        gt => Gt;
        /// The field is greater or equal.
        gte => Gte;
        /// The field is less, which absence is, too.
        lt => Lt;
        /// The field is less or equal.
        lte => Lte;
    }

    /// The field is absent: an equality.
    #[must_use]
    pub fn absent(mut self, field: &str) -> Conditions {
        self.list.push((field.to_owned(), Kind::Eq, Ok(None)));
        self
    }

    /// The field is there: a lower bound.
    #[must_use]
    pub fn present(mut self, field: &str) -> Conditions {
        self.list.push((field.to_owned(), Kind::Gt, Ok(None)));
        self
    }

    /// The first document alone, in the query's order, for each value of these fields: the next ones of the index behind
    /// those with an equality.
    #[must_use]
    pub fn distinct<'a>(mut self, fields: impl IntoIterator<Item = &'a str>) -> Conditions {
        self.distinct = Some(fields.into_iter().map(str::to_owned).collect());
        self
    }

    /// What a query that has this condition alone reads of an index.
    pub(super) fn extent(&self, index: &str, fields: &[FieldPath]) -> Result<Extent> {
        let bounds = self.all(index, fields)?;
        let Some(by) = &self.distinct else { return Ok(Extent::Range(bounds)) };
        let open: Vec<String> = fields.iter().skip(bounds.equalities()).map(ToString::to_string).collect();
        if by.is_empty() || !open.starts_with(by) {
            let message = format!(
                "distinct() takes the next fields of the index {index} behind those with an equality, from the first on: \
                 {open:?}, not {by:?}."
            );
            return Err(Error::system("InvalidDistinct", message));
        }
        Ok(Extent::Distinct(bounds, by.len()))
    }

    /// The condition as one of several that are merged.
    pub(super) fn bounds(&self, index: &str, fields: &[FieldPath]) -> Result<IndexBounds> {
        if self.distinct.is_some() {
            return Err(distinct_union());
        }
        self.all(index, fields)
    }

    fn all(&self, index: &str, fields: &[FieldPath]) -> Result<IndexBounds> {
        let mut bounds = IndexBounds::all();
        let (mut lower, mut upper) = (false, false);
        let position = |field: &str| {
            fields.iter().position(|known| known.to_string() == field).ok_or_else(|| {
                Error::system("FieldNotInIndex", format!("The field {field} is not in the index {index}."))
            })
        };
        let mut equal: Vec<(usize, Option<ValueRef<'_>>)> = Vec::new();
        for (field, kind, value) in &self.list {
            let at = position(field)?;
            if *kind == Kind::Eq {
                if equal.iter().any(|(known, _)| *known == at) {
                    return Err(already_bound(field));
                }
                equal.push((at, packed(value)?));
            }
        }
        equal.sort_by_key(|(at, _)| *at);
        for (expected, (at, value)) in equal.iter().enumerate() {
            if *at != expected {
                return Err(out_of_order(index));
            }
            bounds = bounds.eq(*value);
        }
        let mut bounded = None;
        for (field, kind, value) in self.list.iter().filter(|(_, kind, _)| *kind != Kind::Eq) {
            let at = position(field)?;
            if *bounded.get_or_insert(at) != at {
                let message = "An index range can't have bounds on more than one field.";
                return Err(Error::system("BoundsOnMultipleFields", message));
            }
            if at != equal.len() {
                return Err(out_of_order(index));
            }
            let side = if matches!(kind, Kind::Gt | Kind::Gte) { &mut lower } else { &mut upper };
            if std::mem::replace(side, true) {
                return Err(already_bound(field));
            }
            let value = packed(value)?;
            bounds = match kind {
                Kind::Gt => bounds.lower(Bound::Excluded(value)),
                Kind::Gte => bounds.lower(Bound::Included(value)),
                Kind::Lt => bounds.upper(Bound::Excluded(value)),
                _ => bounds.upper(Bound::Included(value)),
            };
        }
        Ok(bounds)
    }
}

fn packed(value: &std::result::Result<Option<Packed>, ValueError>) -> Result<Option<ValueRef<'_>>> {
    match value {
        Ok(value) => Ok(value.as_ref().map(Packed::as_ref)),
        Err(error) => Err(invalid_value(error.clone())),
    }
}

fn already_bound(field: &str) -> Error {
    Error::system("AlreadyDefinedBound", format!("The field {field} already has a bound of this kind."))
}

fn out_of_order(index: &str) -> Error {
    let message = format!("The fields of the index {index} must be used in its order, without a gap.");
    Error::system("InvalidIndexRange", message)
}
