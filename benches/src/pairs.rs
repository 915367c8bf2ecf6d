//! The accounts of transfers, drawn before a run, so that drawing costs nothing while it is measured.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How many pairs are drawn; a client walks through them from a place of its own.
pub const PAIRS: usize = 1 << 20;

/// Draws [`PAIRS`] pairs of distinct accounts: uniformly, or by a Zipf distribution with this exponent.
pub fn draw(accounts: u32, zipf: Option<f64>, seed: u64) -> Vec<(u32, u32)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut total = 0.0;
    let cumulative: Vec<f64> = (1..=accounts)
        .map(|rank| {
            total += f64::from(rank).powf(-zipf.unwrap_or(0.0));
            total
        })
        .collect();
    let mut draw = || match zipf {
        None => random.random_range(0..accounts),
        Some(_) => {
            let point = random.random::<f64>() * total;
            (cumulative.partition_point(|edge| *edge <= point) as u32).min(accounts - 1)
        }
    };
    (0..PAIRS)
        .map(|_| {
            let from = draw();
            let mut to = draw();
            while to == from && accounts > 1 {
                to = draw();
            }
            (from, to)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_puts_one_account_into_two_thirds_of_the_transfers() {
        let pairs = draw(100_000, Some(1.5), 1);
        let hot = pairs.iter().filter(|(from, to)| *from == 0 || *to == 0).count() as f64 / PAIRS as f64;
        assert!((0.6..0.7).contains(&hot), "{hot}");
        assert!(pairs.iter().all(|(from, to)| from != to));
    }
}
