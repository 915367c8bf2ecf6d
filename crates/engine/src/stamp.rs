//! Stamps: documents that are finished under the commit lock, with the timestamp of their commit in them.
//!
//! A placeholder is the greatest int64 where the table's validator says `v.commitTs()`. Every read of the transaction
//! that wrote it sees it as that number; what is logged, stored and seen by others has the timestamp.

use hull_model::{Placeholders, TableMapping};
use hull_value::{CommitTs, Timestamp};

use crate::document::Document;
use crate::error::CommitError;
use crate::writes::Pending;

/// A write of a document with placeholders.
pub(crate) struct Stamped {
    pending: Pending,
    placeholders: Placeholders,
}

/// Takes the writes with placeholders out of a list.
pub(crate) fn take(list: &mut Vec<Pending>, tables: &dyn TableMapping) -> Vec<Stamped> {
    if !list.iter().any(|pending| pending.table.stamped) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut others = Vec::with_capacity(list.len());
    for pending in list.drain(..) {
        match placeholders(&pending, tables) {
            Some(placeholders) => found.push(Stamped { pending, placeholders }),
            None => others.push(pending),
        }
    }
    *list = others;
    found
}

fn placeholders(pending: &Pending, tables: &dyn TableMapping) -> Option<Placeholders> {
    let validator = pending.table.validator.as_ref().filter(|_| pending.table.stamped)?;
    validator.placeholders(pending.new.as_ref()?.value.as_ref(), tables)
}

impl Stamped {
    /// The write with the timestamp in it. Called under the commit lock.
    pub(crate) fn finish(mut self, ts: Timestamp) -> Result<Pending, CommitError> {
        if let Some(document) = self.pending.new.take() {
            let filled = self.placeholders.fill(document.value.as_ref(), CommitTs::from(ts));
            let value = filled.map_err(|error| CommitError::Refused(error.to_string()))?;
            self.pending.new = Some(Document { value, ..document });
        }
        Ok(self.pending)
    }
}
