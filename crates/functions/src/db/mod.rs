//! The database as functions see it: a typed front door, and an untyped one by table name.

mod expression;
mod page;
mod query;
mod reader;
mod scan;
mod shape;
mod table;
mod writer;

pub use expression::{EvalError, Expression, field, literal, undefined};
pub use query::{Documents, Order, Query};
pub use reader::DatabaseReader;
pub use shape::{Fields, Shape, Whole};
pub use table::{Conditions, TableDocuments, TableQuery, TableReader, TableWriter};
pub use writer::{DatabaseWriter, Vars};
