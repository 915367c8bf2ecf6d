//! Ratings after an attempt: Glicko, which is Elo with a measurement error.
//!
//! The formulas are those of Mark Glickman, "Parameter estimation in large dynamic paired comparison experiments"
//! (Applied Statistics 48, 1999) and "The Glicko system", with one attempt as the rating period. The learner plays
//! against the item and wins with a correct answer; the item's result is the opposite. With q = ln 10 / 400:
//!
//! ```text
//! g(RD) = 1 / √(1 + 3 q² RD² / π²)
//! E     = 1 / (1 + 10^(−g(RDⱼ) (r − rⱼ) / 400))
//! 1/d²  = q² g(RDⱼ)² E (1 − E)
//! r′    = r + q / (1/RD² + 1/d²) · g(RDⱼ) (s − E)
//! RD′   = √(1 / (1/RD² + 1/d²))
//! ```
//!
//! Who is new has 1500 with a deviation of 350, which is also what the document says of new items. A deviation never
//! falls below 30, so that ratings keep moving. It does not grow with time: an item stays as hard as it is, and what a
//! learner forgets is the review deck's business.

use std::f64::consts::{LN_10, PI};

const Q: f64 = LN_10 / 400.0;
const LEAST_DEVIATION: f64 = 30.0;

/// A strength and how far it may be off, in Elo points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rating {
    pub(super) rating: f64,
    pub(super) deviation: f64,
}

impl Rating {
    /// Of whom nothing is known.
    pub(super) const NEW: Rating = Rating { rating: 1500.0, deviation: 350.0 };

    /// The mean of several, or [`Rating::NEW`] of none.
    pub(super) fn mean(all: &[Rating]) -> Rating {
        if all.is_empty() {
            return Rating::NEW;
        }
        let count = all.len() as f64;
        Rating {
            rating: all.iter().map(|one| one.rating).sum::<f64>() / count,
            deviation: all.iter().map(|one| one.deviation).sum::<f64>() / count,
        }
    }

    /// The rating after one comparison; `score` is 1 for a win and 0 for a loss.
    pub(super) fn after(self, opponent: Rating, score: f64) -> Rating {
        let g = 1.0 / (1.0 + 3.0 * (Q * opponent.deviation / PI).powi(2)).sqrt();
        let expected = 1.0 / (1.0 + 10f64.powf(-g * (self.rating - opponent.rating) / 400.0));
        let information = self.deviation.powi(-2) + (Q * g).powi(2) * expected * (1.0 - expected);
        Rating {
            rating: self.rating + Q / information * g * (score - expected),
            deviation: (1.0 / information).sqrt().max(LEAST_DEVIATION),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The factors of the example in "The Glicko system": a player of 1500 ± 200 against 1400 ± 30, 1550 ± 100 and
    /// 1700 ± 300 has g = 0.9955, 0.9531, 0.7242 and E = 0.639, 0.432, 0.303.
    #[test]
    fn one_comparison_follows_the_paper() {
        let player = Rating { rating: 1500.0, deviation: 200.0 };
        for (rating, deviation, g, expected) in
            [(1400.0, 30.0, 0.9955, 0.639), (1550.0, 100.0, 0.9531, 0.432), (1700.0, 300.0, 0.7242, 0.303)]
        {
            let precision = 1.0 / 200.0f64.powi(2) + Q * Q * g * g * expected * (1.0 - expected);
            for score in [0.0, 1.0] {
                let after = player.after(Rating { rating, deviation }, score);
                let gain = Q / precision * g * (score - expected);
                assert!((after.rating - 1500.0 - gain).abs() < 0.2, "{after:?} after {gain}");
                assert!((after.deviation - precision.powf(-0.5)).abs() < 0.05, "{after:?}");
            }
        }
    }

    #[test]
    fn a_thousand_comparisons_find_the_strength_and_keep_moving() {
        let item = Rating { rating: 1500.0, deviation: 30.0 };
        let mut learner = Rating::NEW;
        // Three of four right is the expectation at 400 · log₁₀ 3 ≈ 191 points above.
        for n in 0..1000 {
            learner = learner.after(item, if n % 4 == 0 { 0.0 } else { 1.0 });
        }
        assert!((learner.rating - 1691.0).abs() < 25.0, "{learner:?}");
        assert_eq!(learner.deviation, LEAST_DEVIATION);
        assert_eq!(Rating::mean(&[]), Rating::NEW);
    }
}
