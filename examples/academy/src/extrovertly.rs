//! The functions of the Extrovertly application, one module a table.

mod journal_entries;
mod missions;
mod user_missions;
mod user_profiles;
mod users;

use hull::prelude::*;

use crate::not_found;

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
