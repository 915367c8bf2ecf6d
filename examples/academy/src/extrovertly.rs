//! The functions of the Extrovertly application, one module a table.

mod journal_entries;
mod missions;
mod user_missions;
mod user_profiles;
mod users;

use hull::prelude::*;

/// The application's modules, as frontends name them.
pub(crate) fn modules() -> [Module; 5] {
    [
        users::module(),
        user_profiles::module(),
        journal_entries::module(),
        missions::module(),
        user_missions::module(),
    ]
}

/// The error of a function that was given the id of a document that does not exist (any more).
fn not_found(what: &str, id: impl std::fmt::Display) -> Error {
    ConvexError::new(Value::object([
        ("code", "NotFound".to_owned()),
        ("message", format!("there is no {what} {id}")),
    ]))
    .into()
}
