//! What is known of some rows of an index: how many there are, and of one number field the sum and the extremes.

use hull_model::NumberKind;
use hull_value::{ObjectRef, ValueRef};

use super::CounterSpec;
use super::exact::Exact;
use crate::document::Document;
use crate::error::TxError;

/// A number that an aggregate gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Of a field of 64-bit floats.
    Float64(f64),
    /// Of a field of 64-bit integers.
    Int64(i64),
}

impl From<Number> for ValueRef<'static> {
    fn from(number: Number) -> Self {
        match number {
            Number::Float64(n) => ValueRef::Float64(n),
            Number::Int64(n) => ValueRef::Int64(n),
        }
    }
}

/// A row of an index that is there: without a number where its document has none, or where nothing is added up.
/// The number is the bits of a float or of an integer, as the counter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    Plain,
    Number(u64),
}

impl Row {
    /// What a document is to a counter.
    pub(crate) fn of(document: &Document, spec: &CounterSpec) -> Row {
        let Some((field, kind)) = &spec.sum else { return Row::Plain };
        let object: Option<ObjectRef<'_>> = document.value.as_object();
        match (object.and_then(|object| object.get_path(field)), kind) {
            (Some(ValueRef::Float64(n)), NumberKind::Float64) => Row::Number(n.to_bits()),
            (Some(ValueRef::Int64(n)), NumberKind::Int64) => Row::Number(n as u64),
            _ => Row::Plain,
        }
    }

    pub(crate) fn number(self) -> Option<u64> {
        match self {
            Row::Plain => None,
            Row::Number(bits) => Some(bits),
        }
    }
}

/// Bits whose order is that of the numbers: of floats the order of values, in which -0.0 is below 0.0 and NaN is above
/// the infinity of its sign.
pub(crate) fn ordered(bits: u64, kind: NumberKind) -> u64 {
    match kind {
        NumberKind::Int64 => bits ^ 1 << 63,
        NumberKind::Float64 if bits >> 63 == 1 => !bits,
        NumberKind::Float64 => bits ^ 1 << 63,
    }
}

/// The number of such bits.
pub(crate) fn number_of(ordered: u64, kind: NumberKind) -> Number {
    let plain = ordered ^ 1 << 63;
    match kind {
        NumberKind::Int64 => Number::Int64(plain as i64),
        NumberKind::Float64 if ordered >> 63 == 0 => Number::Float64(f64::from_bits(!ordered)),
        NumberKind::Float64 => Number::Float64(f64::from_bits(plain)),
    }
}

/// The numbers of some rows.
#[derive(Clone, Debug, Default)]
struct Numbers {
    sum: Exact,
    /// How many there are, those that are not finite among them.
    count: i64,
    nan: i64,
    infinite: [i64; 2],
    /// The least and the greatest as ordered bits; of no account when there are none, or when this is stale.
    extremes: Option<(u64, u64)>,
}

/// What is known of some rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Total {
    /// How many rows there are.
    pub(crate) count: i64,
    numbers: Option<Box<Numbers>>,
}

impl Total {
    /// Adds a row.
    pub(crate) fn add(&mut self, row: Row, kind: NumberKind) {
        self.change(row, kind, false);
        if let (Some(bits), Some(numbers)) = (row.number(), &mut self.numbers) {
            let bits = ordered(bits, kind);
            let (least, greatest) = numbers.extremes.unwrap_or((bits, bits));
            numbers.extremes = Some((least.min(bits), greatest.max(bits)));
        }
    }

    /// Takes a row away, as far as count and sum are concerned; returns whether it was the least, and whether it was the
    /// greatest, which then is no longer known.
    pub(crate) fn remove(&mut self, row: Row, kind: NumberKind) -> [bool; 2] {
        self.change(row, kind, true);
        let (Some(bits), Some(numbers)) = (row.number(), &mut self.numbers) else { return [false; 2] };
        if numbers.count == 0 {
            numbers.extremes = None;
        }
        let bits = ordered(bits, kind);
        numbers.extremes.map_or([false; 2], |(least, greatest)| [bits <= least, bits >= greatest])
    }

    fn change(&mut self, row: Row, kind: NumberKind, negate: bool) {
        let one = if negate { -1 } else { 1 };
        self.count += one;
        let Some(bits) = row.number() else { return };
        let numbers = self.numbers.get_or_insert_default();
        numbers.count += one;
        match kind {
            NumberKind::Int64 => numbers.sum.add_integer(bits as i64, negate),
            NumberKind::Float64 => match f64::from_bits(bits) {
                float if float.is_nan() => numbers.nan += one,
                float if float.is_infinite() => numbers.infinite[usize::from(float < 0.0)] += one,
                float => numbers.sum.add_float(float, negate),
            },
        }
    }

    /// Adds the rows of another total.
    pub(crate) fn merge(&mut self, other: &Total) {
        self.count += other.count;
        let Some(theirs) = &other.numbers else { return };
        let ours = self.numbers.get_or_insert_default();
        ours.sum.add_sum(&theirs.sum, false);
        ours.count += theirs.count;
        ours.nan += theirs.nan;
        ours.infinite[0] += theirs.infinite[0];
        ours.infinite[1] += theirs.infinite[1];
        ours.extremes = match (ours.extremes, theirs.extremes) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (ours, theirs) => ours.or(theirs),
        };
    }

    /// The least and the greatest number as ordered bits, if there are numbers.
    pub(crate) fn extremes(&self) -> Option<(u64, u64)> {
        self.numbers.as_ref().and_then(|numbers| numbers.extremes)
    }

    /// Sets the extremes to those of other totals.
    pub(crate) fn set_extremes<'a>(&mut self, others: impl Iterator<Item = &'a Total>) {
        let extremes = others.filter_map(Total::extremes);
        let extremes = extremes.reduce(|(a, b), (c, d)| (a.min(c), b.max(d)));
        if let Some(numbers) = &mut self.numbers {
            numbers.extremes = extremes;
        }
    }

    /// The sum. NaN if a NaN or both infinities are in it, infinite if one is or if it is beyond the greatest float;
    /// of nothing it is zero. `None`: it is no int64.
    pub(crate) fn sum(&self, kind: NumberKind) -> Option<Number> {
        let Some(numbers) = &self.numbers else {
            return Some(match kind {
                NumberKind::Float64 => Number::Float64(0.0),
                NumberKind::Int64 => Number::Int64(0),
            });
        };
        if kind == NumberKind::Int64 {
            return numbers.sum.to_integer().map(Number::Int64);
        }
        let [above, below] = numbers.infinite.map(|count| count > 0);
        Some(Number::Float64(match (numbers.nan > 0 || above && below, above, below) {
            (true, ..) => f64::NAN,
            (_, true, _) => f64::INFINITY,
            (_, _, true) => f64::NEG_INFINITY,
            _ => numbers.sum.to_float(),
        }))
    }

    /// What the rows are ranked by: their sum, or, where nothing is added up, their count. Sums of floats are ordered as
    /// [`ordered`] says.
    pub(crate) fn rank(&self, kind: Option<NumberKind>) -> i128 {
        match kind {
            None => i128::from(self.count),
            Some(NumberKind::Int64) => {
                let numbers = self.numbers.as_ref();
                // As many integers as make more than 128 bits don't fit into memory.
                numbers.map_or(0, |numbers| numbers.sum.to_wide().unwrap_or_default())
            }
            Some(NumberKind::Float64) => match self.sum(NumberKind::Float64) {
                Some(Number::Float64(sum)) => i128::from(ordered(sum.to_bits(), NumberKind::Float64)),
                _ => 0,
            },
        }
    }
}

/// The error for a sum of integers that is no int64.
pub(crate) fn overflow(table: &str, index: &str) -> TxError {
    TxError::SumOverflow { table: table.into(), index: index.into() }
}
