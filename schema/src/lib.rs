//! Every table of the example applications, as typed definitions and nothing else; one module a document.

pub mod extrovertly;

use hull_model::Schema;

/// The tables of all documents.
pub fn schema() -> Schema {
    extrovertly::schema()
}
