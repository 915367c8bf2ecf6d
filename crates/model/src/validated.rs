//! Which validator a Rust type stands for.

use std::collections::BTreeMap;

use hull_value::{Bytes, CommitTs, DocumentId, Id, Nullable, Packed, Value};

use crate::{Table, Validator, v};

/// A Rust type that stands for a validator. `#[derive(Object)]` and `#[derive(Table)]` implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a field or an argument: it stands for no validator",
    label = "no validator for this type",
    note = "allowed are String, f64, bool, i64, i32, u32, u16, u8, Bytes, Id<T>, Value, Vec<T>, BTreeMap<String, T>, \
            Option<T> (may be absent), Nullable<T> (may be null), and types with `#[derive(Object)]`"
)]
pub trait Validated {
    /// Whether a field of this type may be absent: only for `Option<T>`.
    const OPTIONAL: bool = false;

    /// The validator that accepts exactly the values of this type.
    fn validator() -> Validator;
}

macro_rules! validated {
    ($($type:ty => $validator:expr;)*) => {
        $(impl Validated for $type {
            fn validator() -> Validator {
                $validator
            }
        })*
    };
}

validated! {
    () => v::null();
    bool => v::boolean();
    f64 => v::number();
    i64 => v::int64();
    i32 => v::number();
    u32 => v::number();
    u16 => v::number();
    u8 => v::number();
    String => v::string();
    &str => v::string();
    Bytes => v::bytes();
    CommitTs => v::commit_ts();
    DocumentId => v::string();
    Value => v::any();
    Packed => v::any();
}

impl<T: Table> Validated for Id<T> {
    fn validator() -> Validator {
        v::id(T::NAME)
    }
}

impl<T: Validated> Validated for Vec<T> {
    fn validator() -> Validator {
        v::array(Validator::of::<T>())
    }
}

impl<T: Validated> Validated for BTreeMap<String, T> {
    fn validator() -> Validator {
        v::record(v::string(), Validator::of::<T>())
    }
}

impl<T: Validated> Validated for Option<T> {
    const OPTIONAL: bool = true;

    fn validator() -> Validator {
        T::validator()
    }
}

impl<T: Validated> Validated for Nullable<T> {
    fn validator() -> Validator {
        v::nullable(Validator::of::<T>())
    }
}
