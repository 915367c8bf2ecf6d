//! The leading fields of what a range leaves open, by which its documents can be told apart in groups.

use crate::{Field, FieldName, Only, Then};

/// The first fields of `Open`, which is what a range of an index of table `T` leaves open: a field token, or a tuple of
/// up to four in the order of the index.
#[diagnostic::on_unimplemented(
    message = "these are not the next fields of this index",
    label = "not the next fields of the index",
    note = "write the fields of the index from left to right, behind those with `eq`: one, or a tuple of up to four",
    note = "behind a bound only the field with the bound can be named",
    note = "the fields that are left here: `{Open}`"
)]
pub trait Leading<T, Open> {
    /// How many fields these are.
    const COUNT: usize;
}

impl<T, N: FieldName, V, Rest> Leading<T, Then<N, Rest>> for Field<T, N, V> {
    const COUNT: usize = 1;
}

impl<T, N: FieldName, V> Leading<T, Only<N>> for Field<T, N, V> {
    const COUNT: usize = 1;
}

macro_rules! tuples {
    ($(($($name:ident $value:ident),+): $count:literal, $open:ty;)*) => {
        $(#[diagnostic::do_not_recommend]
        impl<T, $($name: FieldName, $value,)+ Rest> Leading<T, $open> for ($(Field<T, $name, $value>,)+) {
            const COUNT: usize = $count;
        })*
    };
}

tuples! {
    (N0 V0): 1, Then<N0, Rest>;
    (N0 V0, N1 V1): 2, Then<N0, Then<N1, Rest>>;
    (N0 V0, N1 V1, N2 V2): 3, Then<N0, Then<N1, Then<N2, Rest>>>;
    (N0 V0, N1 V1, N2 V2, N3 V3): 4, Then<N0, Then<N1, Then<N2, Then<N3, Rest>>>>;
}
