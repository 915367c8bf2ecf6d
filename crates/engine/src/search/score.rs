//! Ranking: the best documents by BM25 (Robertson and Zaragoza, 2009), from postings alone.
//!
//! A document's score is the sum, over the terms it has, of
//!
//! ```text
//! boost · ln(1 + (N − n + ½) / (n + ½)) · f · (k₁ + 1) / (f + k₁ · (1 − b + b · length / average))       k₁ = 1.2, b = 0.75
//! ```
//! with N documents that have text, n of them with the term, and f occurrences in this one. Each summand is rounded to a
//! multiple of 2⁻³², so that sums are exact, whatever their order: the same state always gives the same ranks.
//!
//! Postings come term by term, ascending by id; those of all terms are merged two by two, the shortest first, until three
//! lists are left, and of these the best are kept in one walk.

use std::cmp::{Ordering, Reverse};

use super::posting::{Columns, DocKey};
use super::statistics::Statistics;

/// So many of the documents that match can be reached.
pub(super) const CANDIDATES: usize = 1024;

const K1: f64 = 1.2;
const B: f64 = 0.75;
/// Units of a score.
const SCALE: f64 = (1_u64 << 32) as f64;

/// A document that matches, with the sum of its terms so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hit {
    /// Its id, big endian.
    pub(super) id: u128,
    pub(super) units: u64,
    pub(super) creation_time: f64,
}

impl Hit {
    pub(super) fn key(&self) -> DocKey {
        self.id.to_be_bytes()
    }

    /// The half of the id by which almost any two differ.
    #[inline]
    fn high(&self) -> u64 {
        (self.id >> 64) as u64
    }

    pub(super) fn score(&self) -> f64 {
        self.units as f64 / SCALE
    }

    /// The order of results: from the highest score to the lowest, then from the newest to the oldest, then by id from
    /// the highest to the lowest.
    #[inline]
    pub(super) fn rank(&self, other: &Self) -> Ordering {
        let score = other.units.cmp(&self.units);
        score
            .then_with(|| other.creation_time.total_cmp(&self.creation_time))
            .then_with(|| other.id.cmp(&self.id))
    }
}

/// What a term is worth: `weight · f / (f + fixed + by_length · length)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    weight: f64,
    fixed: f64,
    by_length: f64,
}

impl Weight {
    /// The weight of a term that so many documents have, with a boost.
    pub(super) fn new(statistics: Statistics, document_frequency: u64, boost: f64) -> Self {
        let n = document_frequency as f64;
        let all = statistics.documents.max(document_frequency) as f64;
        let average = (statistics.length as f64 / all).max(f64::MIN_POSITIVE);
        let rarity = (1.0 + (all - n + 0.5) / (n + 0.5)).ln();
        let weight = boost * rarity * (K1 + 1.0) * SCALE;
        Self { weight, fixed: K1 * (1.0 - B), by_length: K1 * B / average }
    }

    /// What a term is worth that occurs so often in a text of so many tokens.
    #[inline]
    pub(super) fn units(self, frequency: u32, length: u32) -> u64 {
        let (frequency, length) = (f64::from(frequency), f64::from(length));
        (self.weight * frequency / (frequency + self.fixed + self.by_length * length) + 0.5) as u64
    }
}

/// Takes the postings of one term after the other, and merges them in the end.
#[derive(Debug, Default)]
pub(super) struct Merge {
    /// Each ascending by id.
    runs: Vec<Vec<Hit>>,
}

impl Merge {
    /// Adds the postings of a term, but for the documents `without`, which are sorted.
    pub(super) fn add_term(&mut self, weight: Weight, columns: &Columns, without: &[u128]) {
        let mut run = Vec::new();
        let times = columns.creation_times.iter();
        let postings = columns.ids.iter().zip(&columns.frequencies).zip(&columns.lengths).zip(times);
        run.extend(postings.map(|(((id, frequency), length), creation_time)| Hit {
            id: u128::from_be_bytes(*id),
            units: weight.units(*frequency, *length),
            creation_time: *creation_time,
        }));
        if !without.is_empty() {
            run.retain(|hit| without.binary_search(&hit.id).is_err());
        }
        self.add(run);
    }

    /// Adds hits that are sorted by id, none twice.
    pub(super) fn add(&mut self, run: Vec<Hit>) {
        self.runs.push(run);
    }

    /// Merges the two shortest runs of those that are sorted by length, the shortest last.
    fn merge_last(&mut self) {
        let (Some(a), Some(b)) = (self.runs.pop(), self.runs.pop()) else { return };
        let mut merged = Vec::with_capacity(a.len() + b.len());
        merge(&a, &b, |hit| merged.push(hit));
        let at = self.runs.partition_point(|run| run.len() > merged.len());
        self.runs.insert(at, merged);
    }

    /// The best of all hits.
    pub(super) fn finish(mut self) -> Ranking {
        self.runs.sort_unstable_by_key(|run| Reverse(run.len()));
        while self.runs.len() > 3 {
            self.merge_last();
        }
        let mut best = Best::default();
        let mut longest = self.runs.into_iter();
        let (a, b) = (longest.next().unwrap_or_default(), longest.next().unwrap_or_default());
        let third = longest.next().unwrap_or_default();
        // The shortest of three is most often much shorter: where it is next is easy to guess.
        let (mut rest, mut next) = (&third[..], third.first().map_or(u128::MAX, |hit| hit.id));
        merge(&a, &b, |mut hit| {
            while next <= hit.id {
                let Some((first, behind)) = rest.split_first() else { break };
                (rest, next) = (behind, behind.first().map_or(u128::MAX, |hit| hit.id));
                if first.id == hit.id {
                    hit.units += first.units;
                } else {
                    best.offer(*first);
                }
            }
            best.offer(hit);
        });
        rest.iter().for_each(|hit| best.offer(*hit));
        best.finish()
    }
}

/// Walks two lists that are ascending by id; a document of both has the sum of its scores.
#[inline]
fn merge(a: &[Hit], b: &[Hit], mut each: impl FnMut(Hit)) {
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        if x.high() == y.high() {
            let order = x.id.cmp(&y.id);
            each(match order {
                Ordering::Less => *x,
                Ordering::Greater => *y,
                Ordering::Equal => Hit { units: x.units + y.units, ..*x },
            });
            i += usize::from(order.is_le());
            j += usize::from(order.is_ge());
            continue;
        }
        // Which comes first is a toss, so it decides over a place and not over a jump.
        let first = x.high() < y.high();
        each(*[y, x][usize::from(first)]);
        i += usize::from(first);
        j += usize::from(!first);
    }
    a.get(i..).unwrap_or_default().iter().chain(b.get(j..).unwrap_or_default()).for_each(|hit| each(*hit));
}

/// The best hits seen so far, and some more.
#[derive(Debug, Default)]
struct Best {
    kept: Vec<Hit>,
    /// What is below this is none of the best.
    floor: u64,
    seen: usize,
}

impl Best {
    #[inline]
    fn offer(&mut self, hit: Hit) {
        self.seen += 1;
        if hit.units < self.floor {
            return;
        }
        self.kept.push(hit);
        if self.kept.len() == 4 * CANDIDATES {
            self.prune();
        }
    }

    fn prune(&mut self) {
        if self.kept.len() > CANDIDATES {
            let (_, last, _) = self.kept.select_nth_unstable_by(CANDIDATES - 1, Hit::rank);
            self.floor = last.units;
            self.kept.truncate(CANDIDATES);
        }
    }

    fn finish(mut self) -> Ranking {
        self.prune();
        Ranking { more: self.seen > self.kept.len(), hits: self.kept, sorted: 0, next: 0, step: FIRST_STEP }
    }
}

/// So many are sorted at first: most want no more.
const FIRST_STEP: usize = 32;

/// The best hits in their order, sorted as far as they are asked for.
#[derive(Debug, Default)]
pub(super) struct Ranking {
    hits: Vec<Hit>,
    sorted: usize,
    next: usize,
    step: usize,
    more: bool,
}

impl Ranking {
    /// Whether more match than can be reached.
    pub(super) fn has_more(&self) -> bool {
        self.more
    }
}

impl Iterator for Ranking {
    type Item = Hit;

    fn next(&mut self) -> Option<Hit> {
        if self.next == self.sorted {
            let rest = self.hits.get_mut(self.sorted..).unwrap_or_default();
            let step = self.step.min(rest.len());
            if step < rest.len() {
                rest.select_nth_unstable_by(step, Hit::rank);
            }
            rest.get_mut(..step).unwrap_or_default().sort_unstable_by(Hit::rank);
            self.sorted += step;
            self.step *= 8;
        }
        let hit = self.hits.get(self.next).copied();
        self.next += usize::from(hit.is_some());
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};
    use std::collections::BTreeMap;

    #[test]
    fn the_best_of_many_terms_are_those_of_a_plain_sum() {
        let mut rng = SmallRng::seed_from_u64(5);
        // Some differ in their halves only.
        let wide = |id: u128| ((id / 2) << 64) | (id % 2);
        for round in 0..200 {
            let terms = rng.random_range(0..40);
            let most = [5, 60, 3000][round % 3];
            let (mut merge, mut sums) = (Merge::default(), BTreeMap::new());
            let without: Vec<u128> = (0..rng.random_range(0..5)).map(|n| n * 7).collect();
            for _ in 0..terms {
                let statistics = Statistics { documents: 5000, length: 60_000 };
                let weight = Weight::new(statistics, rng.random_range(1..5000), 1.0);
                let mut columns = Columns::default();
                for id in 0..most {
                    if rng.random_range(0..3) == 0 {
                        let (frequency, length) = (rng.random_range(1..4), rng.random_range(4..8));
                        columns.ids.push(wide(id).to_be_bytes());
                        columns.frequencies.push(frequency);
                        columns.lengths.push(length);
                        columns.creation_times.push((id / 3) as f64);
                        if !without.contains(&id) {
                            *sums.entry(id).or_insert(0) += weight.units(frequency, length);
                        }
                    }
                }
                let without: Vec<u128> = without.iter().map(|id| wide(*id)).collect();
                merge.add_term(weight, &columns, &without);
            }
            let hit = |(id, units): (&u128, &u64)| Hit {
                id: wide(*id),
                units: *units,
                creation_time: (id / 3) as f64,
            };
            let mut expected: Vec<Hit> = sums.iter().map(hit).collect();
            expected.sort_by(Hit::rank);
            let ranking = merge.finish();
            assert_eq!(ranking.has_more(), expected.len() > CANDIDATES);
            expected.truncate(CANDIDATES);
            assert_eq!(ranking.collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn equal_scores_are_ordered_by_creation_and_then_by_id_from_the_last_to_the_first() {
        let mut merge = Merge::default();
        let hit = |id, units, creation_time| Hit { id, units, creation_time };
        let run = vec![hit(1, 5, 1.0), hit(2, 5, 2.0), hit(3, 5, 1.0), hit(4, 6, 0.0)];
        merge.add(run);
        assert_eq!(merge.finish().map(|hit| hit.id).collect::<Vec<_>>(), [4, 2, 3, 1]);
    }
}
