//! Indexes that count and add up what is in them: what they declare, and the tokens for them.
//!
//! An aggregate index is an ordinary index that knows, of any range of it, how many documents are in it, and of one
//! number field the sum, the least and the greatest value. One that is ranked keeps its groups, which are the documents
//! with equal declared fields, in the order of their sums, or counts.

use std::marker::PhantomData;

use hull_value::{Decode, DecodeError, FieldPath, ValueRef};

use crate::{Index, IndexRange, TableDef, Validator};

/// What an index keeps beside its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// The number field that is added up; without one, documents are counted and no more.
    pub sum: Option<FieldPath>,
    /// Whether the groups are kept in the order of their sums, or counts.
    pub ranked: bool,
}

/// Which numbers a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberKind {
    /// 64-bit floats: `v.number()`.
    Float64,
    /// 64-bit integers: `v.int64()`.
    Int64,
}

impl Validator {
    /// The kind of the numbers that a field may hold, if it holds nothing else; it may be absent or null.
    pub fn number_kind(&self, path: &FieldPath) -> Option<NumberKind> {
        let mut kinds = Vec::new();
        self.kinds(path.fields(), &mut kinds);
        kinds.retain(|kind| *kind != Kind::Null);
        match kinds.first() {
            Some(Kind::Number(kind)) if kinds.iter().all(|other| *other == Kind::Number(*kind)) => {
                Some(*kind)
            }
            _ => None,
        }
    }

    /// The kinds of all values that may stand at the path.
    fn kinds(&self, path: &[String], kinds: &mut Vec<Kind>) {
        let number = |kind| Kind::Number(kind);
        match (self, path.split_first()) {
            (Validator::Union(members), _) => members.iter().for_each(|member| member.kinds(path, kinds)),
            (Validator::Any, _) => kinds.push(Kind::Other),
            (Validator::Number | Validator::Literal(hull_value::Value::Float64(_)), None) => {
                kinds.push(number(NumberKind::Float64));
            }
            (
                Validator::Int64 | Validator::CommitTs | Validator::Literal(hull_value::Value::Int64(_)),
                None,
            ) => {
                kinds.push(number(NumberKind::Int64));
            }
            (Validator::Null, None) => kinds.push(Kind::Null),
            (_, None) => kinds.push(Kind::Other),
            (Validator::Object(fields), Some((head, rest))) => {
                if let Some(field) = fields.get(head) {
                    field.validator.kinds(rest, kinds);
                }
            }
            (Validator::Record(_, values), Some((_, rest))) => values.kinds(rest, kinds),
            // Nothing can stand there.
            (_, Some(_)) => {}
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number(NumberKind),
    Null,
    Other,
}

impl TableDef {
    /// Adds an index over these fields, given as dotted paths, that counts its documents and, where a field is given, adds
    /// that up. `ranked`: it keeps its groups in the order of their sums, or counts.
    #[must_use]
    pub fn aggregate_index<'a>(
        self,
        name: impl Into<String>,
        fields: impl IntoIterator<Item = &'a str>,
        sum: Option<&str>,
        ranked: bool,
    ) -> TableDef {
        let name = name.into();
        let mut table = self.index(name.clone(), fields);
        let path = sum.map(|sum| table.path(&name, sum));
        // A path that is none is a mistake by now.
        let sum = path.flatten();
        if let Some(index) = table.indexes.last_mut() {
            index.aggregate = Some(Aggregate { sum, ranked });
        }
        table
    }
}

/// An index of table `T`, of any sort, with its fields.
#[diagnostic::on_unimplemented(
    message = "this is not an index of `{T}`",
    label = "expected an index of `{T}`",
    note = "write `{T}::index_name`"
)]
pub trait IndexOf<T> {
    /// Its fields in order, the appended `_creationTime` included.
    type Fields;

    /// The wire name.
    fn name(&self) -> &'static str;

    /// The whole index, to be narrowed.
    fn range(&self) -> IndexRange<T, Self::Fields> {
        IndexRange::new()
    }
}

/// An index of table `T` that counts: declared with `#[count(…)]` or `#[sum(…)]`.
#[diagnostic::on_unimplemented(
    message = "this is not an index of `{T}` that counts",
    label = "expected a token of `#[count(…)]` or `#[sum(…)]` on `{T}`",
    note = "an index that is declared with `#[index(…)]` keeps no counters: write `#[count(…)]` instead, it can be used \
            in the same way"
)]
pub trait CountingIndex<T>: IndexOf<T> {}

/// An index of table `T` that adds up a field: declared with `#[sum(…)]`.
#[diagnostic::on_unimplemented(
    message = "this is not an index of `{T}` that adds up a field",
    label = "expected a token of `#[sum(…)]` on `{T}`",
    note = "write `#[sum(index_name(field, …), number_field)]`"
)]
pub trait SummingIndex<T>: CountingIndex<T> {
    /// The type of the field that is added up.
    type Summed: Summed;
}

/// An index of table `T` with ranked groups: declared with the option `ranked`.
#[diagnostic::on_unimplemented(
    message = "this is not a ranked index of `{T}`",
    label = "expected a token of `#[count(…, ranked)]` or `#[sum(…, ranked)]` on `{T}`",
    note = "add the option `ranked`, which keeps the groups in order"
)]
pub trait RankedIndex<T>: CountingIndex<T> {
    /// The values that the documents of a group share: the declared fields, as one value or a tuple.
    type Group;
    /// What groups are ranked by: the type of sums, or `u32` for counts.
    type Total;

    /// Reads the values of a group.
    #[doc(hidden)]
    fn group(values: &[Option<ValueRef<'_>>]) -> Result<Self::Group, DecodeError>;

    /// Reads what a group is ranked by.
    #[doc(hidden)]
    fn total(count: u32, sum: ValueRef<'_>) -> Result<Self::Total, DecodeError>;
}

/// A type whose values can be added up: `f64`, `i64`, the smaller whole numbers, and options of these.
#[diagnostic::on_unimplemented(
    message = "values of `{Self}` can't be added up",
    label = "not a number",
    note = "`#[sum(…)]` adds up a field of type f64, i64, i32, u32, u16, u8, or an Option of these"
)]
pub trait Summed {
    /// One value.
    type Value: Decode;
    /// A sum: `i64` where the values are, otherwise `f64`.
    type Total: Decode + Default;
}

macro_rules! summed {
    ($($type:ty => $total:ty),*) => {$(
        impl Summed for $type {
            type Value = $type;
            type Total = $total;
        }
    )*};
}

summed!(f64 => f64, i64 => i64, i32 => f64, u32 => f64, u16 => f64, u8 => f64);

impl<T: Summed> Summed for Option<T> {
    type Value = T::Value;
    type Total = T::Total;
}

/// The groups of an index are not kept in order.
pub struct Unranked;

/// The groups of an index are kept in order; `G` is the tuple of the types of their values.
pub struct Ranked<G>(PhantomData<fn() -> G>);

/// The types of the values of a group, as a tuple.
pub trait GroupTypes {
    /// The values: of one type the value, of several a tuple.
    type Values;

    /// Reads the values, which stand in the order of the index.
    #[doc(hidden)]
    fn read(values: &[Option<ValueRef<'_>>]) -> Result<Self::Values, DecodeError>;
}

fn value_at<T: Decode>(values: &[Option<ValueRef<'_>>], at: usize) -> Result<T, DecodeError> {
    T::decode_field("group", values.get(at).copied().flatten())
}

macro_rules! group_types {
    ($(($($type:ident $at:literal),*) => $values:ty, $join:expr;)*) => {$(
        impl<$($type: Decode),*> GroupTypes for ($($type,)*) {
            type Values = $values;

            fn read(values: &[Option<ValueRef<'_>>]) -> Result<Self::Values, DecodeError> {
                let join: fn($($type),*) -> Self::Values = $join;
                Ok(join($(value_at::<$type>(values, $at)?),*))
            }
        }
    )*};
}

group_types! {
    (A 0) => A, |a| a;
    (A 0, B 1) => (A, B), |a, b| (a, b);
    (A 0, B 1, C 2) => (A, B, C), |a, b, c| (a, b, c);
    (A 0, B 1, C 2, D 3) => (A, B, C, D), |a, b, c, d| (a, b, c, d);
}

/// An index of table `T` that counts; it can be used wherever an [`Index`] can. `G` says whether it is ranked.
pub struct CountIndex<T, Fields, G = Unranked> {
    name: &'static str,
    types: PhantomData<Counting<T, Fields, G>>,
}

/// An index of table `T` that adds up a field of type `V`; it can be used wherever an [`Index`] can. `G` says whether it is
/// ranked.
pub struct SumIndex<T, Fields, V, G = Unranked> {
    name: &'static str,
    types: PhantomData<Summing<T, Fields, V, G>>,
}

/// An index's types, without asking anything of them.
type Counting<T, Fields, G> = fn() -> (T, Fields, G);

/// The same with the type of what is added up.
type Summing<T, Fields, V, G> = fn() -> (T, Fields, V, G);

macro_rules! token {
    ($token:ident<$($type:ident),*> $(where $bound:ident: $trait:ident)?) => {
        impl<$($type),*> $token<$($type),*> {
            /// Made by the derive.
            #[doc(hidden)]
            pub const fn new(name: &'static str) -> Self
            $(where
                $bound: $trait)?
            {
                $token { name, types: PhantomData }
            }

            /// The wire name.
            pub const fn name(&self) -> &'static str {
                self.name
            }

            /// The whole index, to be narrowed.
            pub fn range(&self) -> IndexRange<T, Fields> {
                IndexRange::new()
            }
        }

        impl<$($type),*> Clone for $token<$($type),*> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($type),*> Copy for $token<$($type),*> {}

        impl<$($type),*> IndexOf<T> for $token<$($type),*> {
            type Fields = Fields;

            fn name(&self) -> &'static str {
                self.name
            }
        }

        impl<$($type),*> CountingIndex<T> for $token<$($type),*> {}
    };
}

token!(CountIndex<T, Fields, G>);
token!(SumIndex<T, Fields, V, G> where V: Summed);

impl<T, Fields> IndexOf<T> for Index<T, Fields> {
    type Fields = Fields;

    fn name(&self) -> &'static str {
        Index::name(self)
    }
}

impl<T, Fields, V: Summed, G> SummingIndex<T> for SumIndex<T, Fields, V, G> {
    type Summed = V;
}

impl<T, Fields, G: GroupTypes> RankedIndex<T> for CountIndex<T, Fields, Ranked<G>> {
    type Group = G::Values;
    type Total = u32;

    fn group(values: &[Option<ValueRef<'_>>]) -> Result<Self::Group, DecodeError> {
        G::read(values)
    }

    fn total(count: u32, _: ValueRef<'_>) -> Result<u32, DecodeError> {
        Ok(count)
    }
}

impl<T, Fields, V: Summed, G: GroupTypes> RankedIndex<T> for SumIndex<T, Fields, V, Ranked<G>> {
    type Group = G::Values;
    type Total = V::Total;

    fn group(values: &[Option<ValueRef<'_>>]) -> Result<Self::Group, DecodeError> {
        G::read(values)
    }

    fn total(_: u32, sum: ValueRef<'_>) -> Result<V::Total, DecodeError> {
        V::Total::decode(sum)
    }
}
