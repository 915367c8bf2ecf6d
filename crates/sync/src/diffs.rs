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
            let hashes = self.hashes.get().unwrap_or_else(|| {
                // One after the other, never inside of each other: somebody may be on the way from new to old.
                let before = old_diffs.hashes.get_or_init(|| RowHashes::of(old));
                self.hashes.get_or_init(|| before.carry(new, &made.origins))
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

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// As when one client becomes somebody else and another the first one, and both look at what is their own.
    #[test]
    fn two_results_are_compared_in_both_directions_at_once() {
        let rows =
            |last| Packed::from_json(&format!("[{}{last}]", r#""a row of the list","#.repeat(8))).unwrap();
        let (a, b) = (rows(1), rows(2));
        for _ in 0..3_000 {
            let (of_a, of_b, both) = (Diffs::default(), Diffs::default(), Barrier::new(2));
            let (there, back) = std::thread::scope(|scope| {
                let there = scope.spawn(|| {
                    both.wait();
                    of_b.between((1, &a, &of_a), (2, &b)).0
                });
                both.wait();
                (of_a.between((2, &b, &of_b), (1, &a)).0, there.join().unwrap())
            });
            assert!(there.is_some() && back.is_some());
        }
    }
}
