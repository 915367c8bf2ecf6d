//! The schema language as data: validators, tables, indexes, and the typed tokens over them.
//!
//! A table is declared with the builder ([`define_table`], [`v`]) or with `#[derive(Table)]`; both make the same
//! [`TableDef`]. This crate reads and writes no documents: it says what a document may be, in which order the
//! indexes keep it, and which key range a typed condition stands for.

mod aggregate;
mod amount;
mod bounds;
mod check;
mod commit_ts;
mod doc;
mod error;
mod field_value;
mod function;
mod json_schema;
mod leading;
mod patch;
mod range;
mod schema;
mod schema_json;
mod search;
mod selected;
mod subset;
mod table;
mod token;
pub mod v;
mod validated;
mod validator;
mod validator_json;

pub use aggregate::{
    Aggregate, CountIndex, CountingIndex, GroupTypes, IndexOf, NumberKind, Ranked, RankedIndex, SumIndex,
    Summed, SummingIndex, Unranked,
};
pub use amount::{Amount, Incrementable};
pub use bounds::{IndexBounds, KeyRange};
pub use check::{ValidationError, ValidationErrorKind};
pub use commit_ts::Placeholders;
pub use doc::{Doc, DocParts, Table};
pub use error::{SchemaError, SchemaErrors};
pub use field_value::FieldValue;
pub use function::{Function, FunctionKind, FunctionPaths, Visibility};
pub use leading::Leading;
pub use patch::{Patch, Settable, Unsettable};
pub use range::{
    BoundField, Bounded, DistinctRange, IndexRange, IntoBounds, IntoIndexRead, NextField, NoField, Only,
    Unbounded,
};
pub use schema::Schema;
pub use schema_json::SchemaJsonError;
pub use search::{FilterField, SearchFilters, SearchTerms, SearchText};
pub use selected::{Columns, Selected, Selection};
pub use table::{CREATION_TIME_FIELD, ID_FIELD, IndexDef, SearchIndexDef, TableDef, define_table};
pub use token::{End, Field, FieldName, FieldOf, Index, SearchIndex, Then, system};
pub use validated::Validated;
pub use validator::{FieldValidator, TableMapping, Validator};
pub use validator_json::ValidatorJsonError;

pub use hull_macros::{Object, Table};
pub use hull_value as value;

/// What the macros expand to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::doc::{decode_field, decode_tag, no_variant, object_of};
    pub use hull_value::{Decode, DecodeError, Encode, Encoder, FieldKey, Id, ObjectRef, Value, ValueRef};
}
