//! Whether every value that one validator accepts is accepted by another.
//!
//! The answer is conservative: `true` is certain, `false` means that it is not known. So a table whose documents
//! match one validator need not be read again for another that contains it.

use hull_value::Value;

use crate::{Validator, v};

impl Validator {
    /// Whether every value that this validator accepts is certainly accepted by the other.
    pub fn is_subset_of(&self, other: &Validator) -> bool {
        match (self, other) {
            (_, Validator::Any) => true,
            (Validator::Union(members), other) => members.iter().all(|m| m.is_subset_of(other)),
            (one, Validator::Union(members)) => {
                let halves = |value: bool| members.iter().any(|m| v::literal(value).is_subset_of(m));
                members.iter().any(|m| one.is_subset_of(m))
                    || (*one == Validator::Boolean && halves(true) && halves(false))
            }
            (Validator::Literal(value), other) => match (value, other) {
                (value, Validator::Literal(other)) => value == other,
                (Value::String(_), Validator::String)
                | (Value::Float64(_), Validator::Number)
                | (Value::Int64(_), Validator::Int64 | Validator::CommitTs)
                | (Value::Boolean(_), Validator::Boolean) => true,
                _ => false,
            },
            (Validator::Id(_), Validator::String) => true,
            (Validator::Int64, Validator::CommitTs) | (Validator::CommitTs, Validator::Int64) => true,
            (Validator::Array(a), Validator::Array(b)) => a.is_subset_of(b),
            (Validator::Record(k1, v1), Validator::Record(k2, v2)) => {
                k1.is_subset_of(k2) && v1.is_subset_of(v2)
            }
            (Validator::Object(a), Validator::Object(b)) => {
                let kept = a.iter().all(|(name, field)| {
                    b.get(name).is_some_and(|other| {
                        field.validator.is_subset_of(&other.validator) && (other.optional || !field.optional)
                    })
                });
                kept && b.iter().all(|(name, field)| field.optional || a.contains_key(name))
            }
            (Validator::Object(fields), Validator::Record(keys, values)) => {
                fields.iter().all(|(name, field)| {
                    v::literal(name.as_str()).is_subset_of(keys) && field.validator.is_subset_of(values)
                })
            }
            (a, b) => a == b,
        }
    }
}
