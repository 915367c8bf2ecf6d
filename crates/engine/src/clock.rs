//! The clock and the source of randomness: handed in, so that a test can replay a schedule from a seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hull_value::{InternalId, Timestamp};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Tells the wall clock time.
pub trait Clock: Send + Sync {
    /// Nanoseconds since the epoch.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64))
    }
}

/// A clock that only a test moves.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicU64::new(start.0))
    }

    /// Moves the clock forward by so many nanoseconds.
    pub fn advance(&self, nanoseconds: u64) {
        self.0.fetch_add(nanoseconds, Ordering::SeqCst);
    }

    /// Sets the clock.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Draws the random part of ids.
#[derive(Debug)]
pub(crate) struct Entropy(Mutex<SmallRng>);

impl Entropy {
    /// Seeded with `seed`, or from the operating system.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(Mutex::new(match seed {
            Some(seed) => SmallRng::seed_from_u64(seed),
            None => rand::make_rng(),
        }))
    }

    fn draw(&self) -> u128 {
        let mut rng = self.0.lock();
        (u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64())
    }
}

/// Makes the ids of one transaction: ULIDs of its start, growing with every insert.
#[derive(Debug, Default)]
pub(crate) struct IdMaker {
    last: Option<u128>,
}

impl IdMaker {
    pub(crate) fn next(&mut self, now: Timestamp, entropy: &Entropy) -> InternalId {
        let id = match self.last {
            Some(last) => last.wrapping_add(1),
            None => ulid::Ulid::from_parts(now.0 / 1_000_000, entropy.draw() & ((1 << 80) - 1)).0,
        };
        self.last = Some(id);
        InternalId(id.to_be_bytes())
    }
}
