//! Sums without rounding: what is added and taken away again leaves nothing, and the order of additions is of no account.
//!
//! A sum is one signed whole number in two's complement, whose lowest bit is worth 2^-1074 for floats (the least float
//! there is, so every finite float is a whole number of it) and 1 for integers. It keeps the 64-bit limbs that it
//! needs, mostly one to three. Rounding happens once, when a sum is read: to the nearest float, ties to even.

use smallvec::SmallVec;

/// A sum of floats, or of integers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exact {
    /// Which limb the first of `limbs` is; those below are zero.
    base: usize,
    /// Lowest first; the highest bit of the last is the sign. Nothing at all is zero.
    limbs: SmallVec<[u64; 2]>,
}

/// What stands above a number: its sign, repeated.
fn sign_of(limb: u64) -> u64 {
    if limb >> 63 == 1 { u64::MAX } else { 0 }
}

impl Exact {
    /// Adds a finite float, or takes it away.
    pub(crate) fn add_float(&mut self, value: f64, negate: bool) {
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as usize;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, place) =
            if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let shifted = i128::from(mantissa) << (place % 64);
        self.add(if (bits >> 63 == 1) == negate { shifted } else { -shifted }, place / 64);
    }

    /// Adds an integer, or takes it away.
    pub(crate) fn add_integer(&mut self, value: i64, negate: bool) {
        let value = i128::from(value);
        self.add(if negate { -value } else { value }, 0);
    }

    /// Adds another sum, or takes it away.
    pub(crate) fn add_sum(&mut self, other: &Exact, negate: bool) {
        let last = other.limbs.len().wrapping_sub(1);
        for (i, limb) in other.limbs.iter().enumerate() {
            // All but the highest are without a sign.
            let value = if i == last { i128::from(*limb as i64) } else { i128::from(*limb) };
            self.add(if negate { -value } else { value }, other.base + i);
        }
    }

    /// Adds a number of up to 127 bits whose lowest bit is that of the limb `at`.
    fn add(&mut self, value: i128, at: usize) {
        if value == 0 {
            return;
        }
        if self.limbs.is_empty() {
            self.base = at;
            self.limbs.push(0);
        }
        if at < self.base {
            self.limbs.insert_many(0, std::iter::repeat_n(0, self.base - at));
            self.base = at;
        }
        let first = at - self.base;
        while self.limbs.len() < first + 2 {
            self.limbs.push(sign_of(self.limbs.last().copied().unwrap_or_default()));
        }
        let (low, high) = (value as u64, (value >> 64) as u64);
        let above = sign_of(high);
        let before = sign_of(self.limbs.last().copied().unwrap_or_default());
        let mut carry = false;
        for (i, limb) in self.limbs.iter_mut().enumerate().skip(first) {
            let operand = match i - first {
                0 => low,
                1 => high,
                _ => above,
            };
            let (sum, over) = limb.overflowing_add(operand);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over || over_again;
        }
        let after = sign_of(self.limbs.last().copied().unwrap_or_default());
        if before == above && after != before {
            self.limbs.push(before);
        }
        self.trim();
    }

    /// Lets go of limbs that say nothing, so that equal sums are equal.
    fn trim(&mut self) {
        while let [.., below, last] = self.limbs[..]
            && last == sign_of(below)
        {
            self.limbs.pop();
        }
        let zeros = self.limbs.iter().take_while(|limb| **limb == 0).count();
        if zeros == self.limbs.len() {
            *self = Exact::default();
        } else if zeros > 0 {
            self.limbs.drain(..zeros);
            self.base += zeros;
        }
    }

    /// The nearest float, infinite if the sum is beyond the greatest; ties to even, zero is positive.
    pub(crate) fn to_float(&self) -> f64 {
        let Some(last) = self.limbs.last() else { return 0.0 };
        let negative = sign_of(*last) != 0;
        let mut magnitude = self.clone();
        if negative {
            magnitude = Exact::default();
            magnitude.add_sum(self, true);
        }
        let Some((top, limb)) = magnitude.limbs.iter().enumerate().rev().find(|(_, limb)| **limb != 0) else {
            return 0.0;
        };
        let highest = (magnitude.base + top) * 64 + 63 - limb.leading_zeros() as usize;
        let bits = if highest < 53 {
            // Every such float is there, and its bits are the number.
            magnitude.bits(0, 53)
        } else {
            let mut shift = highest - 52;
            let mut mantissa = magnitude.bits(shift, 53);
            let half = magnitude.bits(shift - 1, 1) == 1;
            if half && (mantissa & 1 == 1 || magnitude.has_bits_below(shift - 1)) {
                mantissa += 1;
                if mantissa >> 53 == 1 {
                    (mantissa, shift) = (mantissa >> 1, shift + 1);
                }
            }
            let exponent = shift as u64 + 1;
            if exponent >= 0x7ff { 0x7ff << 52 } else { exponent << 52 | (mantissa & ((1 << 52) - 1)) }
        };
        f64::from_bits(bits | u64::from(negative) << 63)
    }

    /// The sum of integers, if it is an int64.
    pub(crate) fn to_integer(&self) -> Option<i64> {
        i64::try_from(self.to_wide()?).ok()
    }

    /// The sum of integers, if it has no more than 128 bits.
    pub(crate) fn to_wide(&self) -> Option<i128> {
        match (self.base, &self.limbs[..]) {
            (_, []) => Some(0),
            (0, [low]) => Some(i128::from(*low as i64)),
            (0, [low, high]) => Some(i128::from(*high as i64) << 64 | i128::from(*low)),
            (1, [high]) => Some(i128::from(*high as i64) << 64),
            _ => None,
        }
    }

    /// So many bits, at most 64, from this one up.
    fn bits(&self, from: usize, count: usize) -> u64 {
        let limb =
            |at: usize| at.checked_sub(self.base).and_then(|i| self.limbs.get(i)).copied().unwrap_or(0);
        let (at, shift) = (from / 64, from % 64);
        let wide = u128::from(limb(at + 1)) << 64 | u128::from(limb(at));
        (wide >> shift) as u64 & (u64::MAX >> (64 - count))
    }

    fn has_bits_below(&self, end: usize) -> bool {
        self.limbs.iter().enumerate().any(|(i, limb)| {
            let first = (self.base + i) * 64;
            match end.checked_sub(first) {
                None | Some(0) => false,
                Some(64..) => *limb != 0,
                Some(part) => *limb & ((1 << part) - 1) != 0,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> f64 {
        let mut exact = Exact::default();
        values.iter().for_each(|value| exact.add_float(*value, false));
        exact.to_float()
    }

    /// A generator of numbers; xorshift of Marsaglia.
    fn next(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    #[test]
    fn one_float_is_itself() {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        let mut floats = vec![0.0, 1.0, 0.5, f64::MIN_POSITIVE, f64::MAX, 5e-324, 1e-310, 2.5e-308, 1e300];
        floats.extend((0..20_000).map(|_| f64::from_bits(next(&mut state))).filter(|f| f.is_finite()));
        for float in floats {
            assert_eq!(sum(&[float]), float);
            assert_eq!(sum(&[-float]).to_bits(), if float == 0.0 { 0 } else { (-float).to_bits() });
            let mut exact = Exact::default();
            exact.add_float(float, false);
            exact.add_float(1e17, false);
            exact.add_float(float, true);
            exact.add_float(1e17, true);
            assert_eq!(exact, Exact::default());
        }
    }

    #[test]
    fn two_floats_add_up_as_the_processor_adds_them() {
        let mut state = 0x0123_4567_89ab_cdef;
        for _ in 0..200_000 {
            let a = f64::from_bits(next(&mut state));
            let near = (a.to_bits() & !(0x3f << 52)) | (next(&mut state) & ((0x3f << 52) | 0xfff));
            for b in [f64::from_bits(next(&mut state)), f64::from_bits(near), -f64::from_bits(near)] {
                if a.is_finite() && b.is_finite() {
                    assert_eq!(sum(&[a, b]), a + b, "{a:e} {b:e}");
                }
            }
        }
    }

    #[test]
    fn what_cancels_leaves_the_rest() {
        assert_eq!(sum(&[1e300, 1.0, -1e300]), 1.0);
        assert_eq!(sum(&[1e300, 1e200, 1e100, 1e-300, -1e200, -1e300, -1e100]), 1e-300);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum(&[-f64::MAX, -f64::MAX]), f64::NEG_INFINITY);
        assert_eq!(sum(&[-0.0, -0.0]).to_bits(), 0);
        // Ties go to the even neighbour, and anything beyond a tie goes up.
        assert_eq!(sum(&[9_007_199_254_740_992.0, 1.0]), 9_007_199_254_740_992.0);
        assert_eq!(sum(&[9_007_199_254_740_992.0, 1.0, 1e-300]), 9_007_199_254_740_994.0);
    }

    #[test]
    fn integers_add_up_beyond_their_range() {
        let mut state = 77;
        let (mut exact, mut expected) = (Exact::default(), 0_i128);
        for round in 0..50_000 {
            let value = (next(&mut state) as i64) >> (round % 64);
            exact.add_integer(value, round % 3 == 0);
            expected += if round % 3 == 0 { -i128::from(value) } else { i128::from(value) };
            assert_eq!(exact.to_wide(), Some(expected));
            assert_eq!(exact.to_integer(), i64::try_from(expected).ok());
        }
        let mut twice = exact.clone();
        twice.add_sum(&exact, false);
        assert_eq!(twice.to_wide(), Some(2 * expected));
        twice.add_sum(&exact, true);
        assert_eq!(twice, exact);
        let mut big = Exact::default();
        big.add_integer(i64::MAX, false);
        big.add_integer(1, false);
        assert_eq!(big.to_integer(), None);
        big.add_integer(-1, false);
        assert_eq!(big.to_integer(), Some(i64::MAX));
    }
}
