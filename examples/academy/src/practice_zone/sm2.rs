//! When a card comes up again: SM-2 (P. A. Woźniak, "Optimization of learning", 1990, chapter 3.2).
//!
//! SM-2 knows an interval and an easiness factor EF for each card; the table has `stability` and `difficulty`.
//! `stability` is the interval in days, 0 before the first review. `difficulty` is how far the factor is below its
//! start, 2.5 − EF: 0 for a new card, at most 1.2 (EF never falls below 1.3), negative for one that gets easier. The
//! number of repetitions need not be kept, since the intervals 1 and 6 tell the first two. What SM-2 says about
//! repeating cards until the end of the same day is left to the learner.

/// The easiness factor of a new card.
const START: f64 = 2.5;
/// The least easiness factor.
const LEAST: f64 = 1.3;
/// What rounding errors may add to an interval that is a whole number of days.
const NOISE: f64 = 1e-6;

/// How a card stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    /// The interval in days.
    pub(super) stability: f64,
    /// 2.5 − EF.
    pub(super) difficulty: f64,
}

impl Standing {
    /// Never reviewed.
    pub(super) const NEW: Standing = Standing { stability: 0.0, difficulty: 0.0 };

    /// Whether an answer of this quality means that the card was forgotten.
    pub(super) fn lapses(quality: u8) -> bool {
        quality < 3
    }

    /// After an answer of `quality` 0 (no idea) to 5 (perfect): below 3 the card starts over and keeps its factor,
    /// otherwise EF′ = EF + 0.1 − (5 − q)(0.08 + (5 − q) 0.02) and the interval is 1 day, then 6, then the last one
    /// times EF′, rounded up.
    pub(super) fn after(self, quality: u8) -> Standing {
        if Standing::lapses(quality) {
            return Standing { stability: 1.0, ..self };
        }
        let missing = 5.0 - f64::from(quality.min(5));
        let easiness = (START - self.difficulty + 0.1 - missing * (0.08 + missing * 0.02)).max(LEAST);
        let stability = match self.stability {
            days if days < 1.0 => 1.0,
            days if days < 6.0 => 6.0,
            days => (days * easiness - NOISE).ceil(),
        };
        Standing { stability, difficulty: START - easiness }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals(qualities: &[u8]) -> Vec<f64> {
        let mut card = Standing::NEW;
        let mut step = |quality: &u8| {
            card = card.after(*quality);
            card.stability
        };
        qualities.iter().map(&mut step).collect()
    }

    #[test]
    fn intervals_are_those_of_sm2() {
        // EF stays 2.5 with quality 4.
        assert_eq!(intervals(&[4, 4, 4, 4, 4]), [1.0, 6.0, 15.0, 38.0, 95.0]);
        // EF is 2.6, 2.7, 2.8, 2.9 with quality 5.
        assert_eq!(intervals(&[5, 5, 5, 5]), [1.0, 6.0, 17.0, 50.0]);
        // After a lapse it starts over: 1, then 6.
        assert_eq!(intervals(&[4, 4, 4, 2, 4, 4]), [1.0, 6.0, 15.0, 1.0, 6.0, 15.0]);
    }

    #[test]
    fn the_easiness_factor_has_a_floor() {
        let mut card = Standing::NEW.after(3);
        assert!((card.difficulty - 0.14).abs() < 1e-9, "EF = 2.36: {card:?}");
        for _ in 0..20 {
            card = card.after(3);
        }
        assert!((card.difficulty - 1.2).abs() < 1e-9, "EF = 1.3: {card:?}");
        assert_eq!(card.after(0).difficulty, card.difficulty, "a lapse keeps the factor");
    }
}
