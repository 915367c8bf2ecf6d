//! Convex values: total order, key bytes, ids, JSON forms and size rules.
//!
//! The universal currency is [`Packed`], a canonical binary form of one value: equal values have equal bytes.
//! [`ValueRef`] reads it in place; [`Encode`] and [`Decode`] go between it and Rust types without a tree in
//! between; [`Value`] is the tree for those who want one. Nothing here does input, output or async work.

mod bytes;
mod commit_ts;
mod compared;
mod decode;
mod document;
mod encode;
mod guard;
mod id;
mod json_in;
mod json_lines;
mod json_out;
mod json_rows;
mod names;
mod packed;
mod packed_encoder;
mod raw;
mod serde_forms;
mod sort_key;
mod timestamp;
mod value;
mod view;

pub use bytes::{Bytes, Nullable};
pub use commit_ts::CommitTs;
pub use compared::Compared;
pub use decode::{Decode, DecodeError};
pub use document::{
    DocumentError, MAX_DOCUMENT_NESTING, MAX_DOCUMENT_SIZE, check_document, check_document_limits,
};
pub use encode::{Encode, Encoder};
pub use guard::{MAX_ARRAY_LEN, MAX_NESTING, MAX_OBJECT_FIELDS, MAX_VALUE_SIZE, ValueError};
pub use id::{DocumentId, Id, IdError, InternalId, MAX_ID_LEN, TableNumber};
pub use json_in::JsonError;
pub use json_lines::{MAX_ROW_BYTES, RowError, RowForm, parse_row};
pub use json_out::{JsonEncoder, JsonForm, to_json, write_json};
pub use json_rows::JsonRows;
pub use names::{
    FieldKey, FieldNameError, FieldPath, FieldPathError, IdentifierError, MAX_FIELD_NAME_LEN,
    MAX_IDENTIFIER_LEN, check_field_name, check_identifier,
};
pub use packed::{Packed, PackedError};
pub use packed_encoder::PackedEncoder;
pub use sort_key::{KeyError, read_sort_key, sort_key, write_sort_key};
pub use timestamp::{Timestamp, TimestampError};
pub use value::Value;
pub use view::{ArrayIter, ArrayRef, Fields, ObjectIter, ObjectRef, ValueRef};
