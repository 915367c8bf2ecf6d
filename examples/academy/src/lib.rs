//! The functions of the example applications over the tables of `schema`.

mod extrovertly;
mod practice_zone;
pub mod sample;
mod table_functions;

use hull::prelude::*;

/// All tables and functions.
pub fn app() -> App {
    extrovertly::modules()
        .into_iter()
        .chain(practice_zone::modules())
        .fold(App::new().schema(schema::schema()), App::module)
}

/// The error of a function that was given the id of a document that does not exist (any more).
fn not_found(what: &str, id: impl std::fmt::Display) -> Error {
    ConvexError::new(Value::object([
        ("code", "NotFound".to_owned()),
        ("message", format!("there is no {what} {id}")),
    ]))
    .into()
}
