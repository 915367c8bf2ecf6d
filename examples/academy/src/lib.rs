//! The functions of the example applications over the tables of `schema`.

pub mod extrovertly;
mod lms;
mod practice_zone;
pub mod sample;
mod scenarios;
mod skills;
mod table_functions;

use hull::prelude::*;

/// All tables and functions.
pub fn app() -> App {
    extrovertly::modules()
        .into_iter()
        .chain(practice_zone::modules())
        .chain(lms::modules())
        .chain(scenarios::modules())
        .chain(skills::modules())
        .fold(App::new().schema(schema::schema()), App::module)
}

/// The error of a function that was given the id of a document that does not exist (any more).
fn not_found(what: &str, id: impl std::fmt::Display) -> Error {
    refused("NotFound", format!("there is no {what} {id}"))
}

/// The error of a function that refuses what it was asked for: a code for programs, a sentence for people.
fn refused(code: &str, message: String) -> Error {
    ConvexError::new(Value::object([("code", code.to_owned()), ("message", message)])).into()
}
