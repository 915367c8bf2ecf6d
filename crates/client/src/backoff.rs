//! How long to wait before the next try: doubled each time from 100 ms (1 s where the server asked to come later) up to
//! 15 s, and spread by half in both directions, so that the clients of a server that was away do not come all at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const FIRST_WHEN_BUSY: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
pub(crate) struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// The pause before the next try. `random` is evenly spread over all numbers.
    pub(crate) fn next(&mut self, busy: bool, random: u32) -> Duration {
        let first = if busy { FIRST_WHEN_BUSY } else { FIRST };
        let pause = self.last.map_or(first, |last| (last * 2).max(first)).min(LONGEST);
        self.last = Some(pause);
        pause.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX))
    }

    /// All is well again.
    pub(crate) fn reset(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(backoff: &mut Backoff, count: usize) -> Vec<u128> {
        (0..count).map(|_| backoff.next(false, 0).as_millis()).collect()
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_begin_anew_when_all_was_well() {
        let mut backoff = Backoff::default();
        let expected = [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 7_500, 7_500];
        assert_eq!(pauses(&mut backoff, 10), expected);
        backoff.reset();
        assert_eq!(pauses(&mut backoff, 2), expected[..2]);
    }

    #[test]
    fn pauses_are_spread_by_half() {
        for (random, ms) in [(0, 50), (u32::MAX, 150)] {
            assert_eq!(Backoff::default().next(false, random), Duration::from_millis(ms));
        }
    }

    #[test]
    fn a_busy_server_is_left_alone_for_longer() {
        let mut backoff = Backoff::default();
        assert_eq!(pauses(&mut backoff, 1), [50]);
        assert_eq!(backoff.next(true, 0).as_millis(), 500);
        assert_eq!(backoff.next(true, 0).as_millis(), 1_000);
    }
}
