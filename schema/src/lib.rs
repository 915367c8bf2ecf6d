//! Every table of the example applications, as typed definitions and nothing else; one module a document.

pub mod extrovertly;
pub mod lms;
pub mod practice_zone;
pub mod scenarios;
pub mod skill_deconstruction;

use hull_model::Schema;

/// The tables of all documents. The modules share one table of users, [`extrovertly::User`].
pub fn schema() -> Schema {
    practice_zone::schema()
        .with(skill_deconstruction::schema())
        .with(extrovertly::schema())
        .with(scenarios::schema())
        .with(lms::schema())
}
