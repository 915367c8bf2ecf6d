//! A condition on an index whose form the compiler checks.
//!
//! `eq` takes the fields of the index from left to right; then at most one lower bound (`gt`, `gte`) and one upper
//! bound (`lt`, `lte`) on the next field. Any other form does not compile, and the message says what to write.

use std::marker::PhantomData;
use std::ops::Bound;

use hull_value::{Encode, Packed, ValueError};

use crate::{End, FieldName, FieldOf, FieldValue, IndexBounds, Leading, Then};

/// A condition on an index of table `T`; `Rest` lists the fields that `eq` has not taken yet, `Lower` and `Upper` say
/// whether a bound is set.
#[must_use]
pub struct IndexRange<T, Rest, Lower = Unbounded, Upper = Unbounded> {
    bounds: Result<IndexBounds, ValueError>,
    state: PhantomData<State<T, Rest, Lower, Upper>>,
}

/// A state that is `Send` and `Sync` whatever its parts are.
type State<T, Rest, Lower, Upper> = fn() -> (T, Rest, Lower, Upper);

/// This side of the range has no bound yet.
pub struct Unbounded;

/// This side of the range has its bound.
pub struct Bounded;

/// A bound was set on field `N`: only its other bound may follow.
pub struct Only<N>(PhantomData<fn() -> N>);

/// `eq` may be called with field `N`.
#[diagnostic::on_unimplemented(
    message = "`{N}` is not the next field of this index",
    label = "not the next field of the index",
    note = "`eq` takes the fields of an index from left to right, before any bound",
    note = "the fields that are left here: `{Self}`"
)]
pub trait NextField<N> {
    /// The fields that are left afterwards.
    type Rest;
}

impl<N: FieldName, R> NextField<N> for Then<N, R> {
    type Rest = R;
}

/// `gt`, `gte`, `lt` and `lte` may be called with field `N`.
#[diagnostic::on_unimplemented(
    message = "`{N}` can't have a bound here: it is not the next field of this index",
    label = "not the next field of the index",
    note = "write `eq` for each field before it; a lower and an upper bound must be on the same field",
    note = "the fields that are left here: `{Self}`"
)]
pub trait BoundField<N> {}

impl<N: FieldName, R> BoundField<N> for Then<N, R> {}
impl<N: FieldName> BoundField<N> for Only<N> {}

/// No field has this name.
pub enum NoField {}

// With a second implementation the compiler can't conclude which field is meant before it has seen the one that was
// given, and so reports a wrong one with the messages above. No token names these.
#[diagnostic::do_not_recommend]
impl<N, R> NextField<NoField> for Then<N, R> {
    type Rest = End;
}
#[diagnostic::do_not_recommend]
impl<N> NextField<NoField> for Only<N> {
    type Rest = End;
}
#[diagnostic::do_not_recommend]
impl<N> NextField<()> for Only<N> {
    type Rest = End;
}
#[diagnostic::do_not_recommend]
impl NextField<NoField> for End {
    type Rest = End;
}
#[diagnostic::do_not_recommend]
impl NextField<()> for End {
    type Rest = End;
}
#[diagnostic::do_not_recommend]
impl<N, R> BoundField<NoField> for Then<N, R> {}
#[diagnostic::do_not_recommend]
impl<N> BoundField<NoField> for Only<N> {}
#[diagnostic::do_not_recommend]
impl BoundField<NoField> for End {}
#[diagnostic::do_not_recommend]
impl BoundField<()> for End {}

/// This side of the range is still free.
#[diagnostic::on_unimplemented(
    message = "this range already has a bound on this side",
    label = "a second bound on the same side",
    note = "a range has at most one of `gt` and `gte`, and at most one of `lt` and `lte`"
)]
pub trait Free {}

impl Free for Unbounded {}

/// A condition on an index of table `T`, in any state.
pub trait IntoBounds<T> {
    /// The condition as data. Fails when a value given to it is no legal value (too deep, too large).
    fn into_bounds(self) -> Result<IndexBounds, ValueError>;
}

impl<T, Rest, L, U> IntoBounds<T> for IndexRange<T, Rest, L, U> {
    fn into_bounds(self) -> Result<IndexBounds, ValueError> {
        self.bounds
    }
}

/// What a query reads of an index of table `T`: a condition, or the first document of each group that meets it.
pub trait IntoIndexRead<T> {
    /// The condition as data, and how many fields behind its equalities tell the groups apart: 0 where every document is
    /// read. Fails as [`IntoBounds::into_bounds`] does.
    fn into_index_read(self) -> Result<(IndexBounds, usize), ValueError>;
}

impl<T, Rest, L, U> IntoIndexRead<T> for IndexRange<T, Rest, L, U> {
    fn into_index_read(self) -> Result<(IndexBounds, usize), ValueError> {
        self.bounds.map(|bounds| (bounds, 0))
    }
}

/// Of a condition on an index of table `T`, the first document of each group: made by [`IndexRange::distinct`].
#[must_use]
pub struct DistinctRange<T> {
    bounds: Result<IndexBounds, ValueError>,
    fields: usize,
    table: PhantomData<fn() -> T>,
}

impl<T> IntoIndexRead<T> for DistinctRange<T> {
    fn into_index_read(self) -> Result<(IndexBounds, usize), ValueError> {
        self.bounds.map(|bounds| (bounds, self.fields))
    }
}

impl<T, Rest> IndexRange<T, Rest> {
    pub(crate) fn new() -> Self {
        IndexRange { bounds: Ok(IndexBounds::all()), state: PhantomData }
    }
}

impl<T, Rest, L, U> IndexRange<T, Rest, L, U> {
    /// The field equals the value; `None` means that it is absent.
    pub fn eq<F: FieldOf<T>>(
        self,
        _field: F,
        value: impl FieldValue<F::Value>,
    ) -> IndexRange<T, <Rest as NextField<F::Name>>::Rest, L, U>
    where
        Rest: NextField<F::Name>,
    {
        self.and(value.into_field(), |bounds, value| bounds.eq(value.as_ref().map(Packed::as_ref)))
    }

    /// The field is greater than the value.
    pub fn gt<F: FieldOf<T>>(
        self,
        _field: F,
        value: impl FieldValue<F::Value>,
    ) -> IndexRange<T, Only<F::Name>, Bounded, U>
    where
        Rest: BoundField<F::Name>,
        L: Free,
    {
        self.and(value.into_field(), |bounds, value| {
            bounds.lower(Bound::Excluded(value.as_ref().map(Packed::as_ref)))
        })
    }

    /// The field is greater than the value or equals it.
    pub fn gte<F: FieldOf<T>>(
        self,
        _field: F,
        value: impl FieldValue<F::Value>,
    ) -> IndexRange<T, Only<F::Name>, Bounded, U>
    where
        Rest: BoundField<F::Name>,
        L: Free,
    {
        self.and(value.into_field(), |bounds, value| {
            bounds.lower(Bound::Included(value.as_ref().map(Packed::as_ref)))
        })
    }

    /// The field is less than the value. Absent fields and values of lesser types are less, too.
    pub fn lt<F: FieldOf<T>>(
        self,
        _field: F,
        value: impl FieldValue<F::Value>,
    ) -> IndexRange<T, Only<F::Name>, L, Bounded>
    where
        Rest: BoundField<F::Name>,
        U: Free,
    {
        self.and(value.into_field(), |bounds, value| {
            bounds.upper(Bound::Excluded(value.as_ref().map(Packed::as_ref)))
        })
    }

    /// The field is less than the value or equals it. Absent fields and values of lesser types are less, too.
    pub fn lte<F: FieldOf<T>>(
        self,
        _field: F,
        value: impl FieldValue<F::Value>,
    ) -> IndexRange<T, Only<F::Name>, L, Bounded>
    where
        Rest: BoundField<F::Name>,
        U: Free,
    {
        self.and(value.into_field(), |bounds, value| {
            bounds.upper(Bound::Included(value.as_ref().map(Packed::as_ref)))
        })
    }

    /// The first document alone, in the query's order, for each value of these fields: the next ones of the index behind
    /// those with `eq`, one or a tuple of them.
    pub fn distinct<F: Leading<T, Rest>>(self, _fields: F) -> DistinctRange<T> {
        DistinctRange { bounds: self.bounds, fields: F::COUNT, table: PhantomData }
    }

    fn and<V: Encode, R2, L2, U2>(
        self,
        value: V,
        add: impl FnOnce(IndexBounds, Option<Packed>) -> IndexBounds,
    ) -> IndexRange<T, R2, L2, U2> {
        let value = if value.is_missing() { Ok(None) } else { Packed::encode(&value).map(Some) };
        let bounds = self.bounds.and_then(|bounds| Ok(add(bounds, value?)));
        IndexRange { bounds, state: PhantomData }
    }
}
