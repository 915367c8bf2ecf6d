//! [`Compared`]: what something large was compared with last, for things that many compare with the same other.

use std::sync::atomic::{AtomicU64, Ordering};

/// Goes with something that never changes: a number that tells it apart from everything else of this process, and how
/// its last comparison came out. All who are told a result were mostly told the same one before, and to find that two
/// long lists differ at their end takes a look at both.
#[derive(Debug)]
pub struct Compared {
    number: u64,
    /// The other's number, doubled, and one more if they are the same.
    last: AtomicU64,
}

impl Compared {
    /// Of something new.
    pub fn new() -> Compared {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        Compared { number: NUMBERS.fetch_add(1, Ordering::Relaxed), last: AtomicU64::new(0) }
    }

    /// The number; positive, and below 2^53 for as long as a process lives.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What `compare` says of the two, which is asked only if this was compared with something else since.
    pub fn same(&self, other: &Compared, compare: impl FnOnce() -> bool) -> bool {
        let known = self.last.load(Ordering::Relaxed);
        if known >> 1 == other.number {
            return known & 1 == 1;
        }
        let same = compare();
        self.last.store((other.number << 1) | u64::from(same), Ordering::Relaxed);
        same
    }
}

impl Default for Compared {
    fn default() -> Compared {
        Compared::new()
    }
}

impl Clone for Compared {
    /// A copy is something new.
    fn clone(&self) -> Compared {
        Compared::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_made_once_in_a_row() {
        let (a, b, c) = (Compared::new(), Compared::new(), Compared::new());
        assert!(a.same(&b, || true) && a.same(&b, || false));
        assert!(!a.same(&c, || false) && !a.same(&c, || true));
        assert!(!a.same(&b, || false), "it knows the last one only");
        assert!(b.number() != a.number() && a.clone().number() != a.number());
    }
}
