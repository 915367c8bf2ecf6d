//! The database as functions see it: a typed front door, and an untyped one by table name.

mod aggregate;
mod conditions;
mod expression;
mod extent;
mod page;
mod query;
mod reader;
mod scan;
mod search;
mod shape;
mod table;
mod table_aggregate;
mod table_query;
mod table_search;
mod union;
mod writer;

pub use aggregate::{InOrder, Ranked, Ranking};
pub use conditions::Conditions;
pub use expression::{EvalError, Expression, field, literal, undefined};
pub use query::{Documents, Order, Query};
pub use reader::DatabaseReader;
pub use search::SearchQuery;
pub use shape::{Fields, Shape, Whole};
pub use table::{TableReader, TableWriter};
pub use table_query::{TableDocuments, TableQuery};
pub use table_search::{SearchConditions, TableSearchQuery};
pub use writer::{DatabaseWriter, Vars};
