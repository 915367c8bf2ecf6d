//! The diffs that lead to a result from earlier ones, each found once and shared by all who are told it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hull_value::Packed;

use crate::diff::{RowHashes, make};

/// From how many earlier results diffs are kept: clients that take what they are told have the same one, and each that
/// is slow may have another.
const KEPT: usize = 8;

/// The diffs that lead to one result.
#[derive(Debug, Default)]
pub(crate) struct Diffs {
    /// The hashes of the result, once a diff from it or to it was wanted.
    hashes: OnceLock<RowHashes>,
    /// What is sent, by the number of the earlier result; none where the full value is shorter.
    from: Mutex<Vec<(u64, Option<Arc<str>>)>>,
}

impl Diffs {
    /// The diff from one result, with its number and its diffs, to the one that this belongs to: the fields of a QueryDiff
    /// from `result` on, without log lines and journal. None where the full value is shorter. Also whether it was found
    /// only now: those who want the same one meanwhile wait for it.
    pub(crate) fn between(
        &self,
        (old_number, old, old_diffs): (u64, &Packed, &Diffs),
        (number, new): (u64, &Packed),
    ) -> (Option<Arc<str>>, bool) {
        let mut from = self.from.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, diff)) = from.iter().find(|(base, _)| *base == old_number) {
            return (diff.clone(), false);
        }
        let diff = make(old, new).map(|made| {
            let hashes = self.hashes.get_or_init(|| {
                old_diffs.hashes.get_or_init(|| RowHashes::of(old)).carry(new, &made.origins)
            });
            Arc::from(format!(r#","result":{number},"hash":"{}","diff":{}"#, hashes.whole(), made.patch))
        });
        if from.len() == KEPT {
            from.remove(0);
        }
        from.push((old_number, diff.clone()));
        (diff, true)
    }
}
