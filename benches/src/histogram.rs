//! A histogram of latencies with a relative error below two percent, at a few nanoseconds a sample.

use std::time::Duration;

/// Sub-buckets in each power of two.
const SUB: u32 = 64;
const SUB_BITS: u32 = 6;

/// Counts of durations, from one nanosecond to centuries.
#[derive(Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (64 * SUB) as usize], total: 0, max: 0 }
    }
}

impl Histogram {
    /// Adds one sample.
    pub fn record(&mut self, sample: Duration) {
        let nanos = sample.as_nanos().min(u128::from(u64::MAX)) as u64;
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    /// How many samples there are.
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Forgets every sample.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
        self.max = 0;
    }

    /// The duration that the given share (0.0 to 1.0) of the samples does not exceed, in milliseconds.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let wanted = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return value(index).min(self.max) as f64 / 1e6;
            }
        }
        self.max as f64 / 1e6
    }

    /// The largest sample in milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.max as f64 / 1e6
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < u64::from(SUB) {
        return nanos as usize;
    }
    let magnitude = 63 - nanos.leading_zeros();
    let shift = magnitude - SUB_BITS;
    let sub = (nanos >> shift) as u32 & (SUB - 1);
    ((shift + 1) * SUB + sub) as usize
}

fn value(bucket: usize) -> u64 {
    let (row, sub) = (bucket as u32 / SUB, bucket as u32 % SUB);
    if row == 0 { u64::from(sub) } else { u64::from(SUB + sub) << (row - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_value_within_two_percent() {
        for nanos in (0..64).map(|shift| 1u64 << shift).chain([3, 77, 1_000, 12_345, 999_999, 123_456_789]) {
            let low = value(bucket(nanos));
            assert!(low <= nanos && (nanos - low) as f64 <= nanos as f64 * 0.02, "{nanos} is read as {low}");
        }
    }

    #[test]
    fn quantiles_are_in_order() {
        let mut histogram = Histogram::default();
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis));
        }
        assert_eq!(histogram.len(), 1000);
        assert!((histogram.quantile_ms(0.5) - 500.0).abs() < 10.0);
        assert!((histogram.quantile_ms(0.99) - 990.0).abs() < 20.0);
        assert_eq!(histogram.max_ms(), 1000.0);
    }
}
