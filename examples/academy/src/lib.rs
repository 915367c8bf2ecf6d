//! The functions of the example applications over the tables of `schema`.

mod extrovertly;
pub mod sample;

use hull::prelude::*;

/// All tables and functions.
pub fn app() -> App {
    extrovertly::modules().into_iter().fold(App::new().schema(schema::schema()), App::module)
}
