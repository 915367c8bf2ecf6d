//! The functions of the Extrovertly application, a module for each table.

mod achievements;
mod coach;
mod dashboard;
mod events;
pub mod journal_entries;
pub mod leaderboard;
mod missions;
pub mod search;
mod tracking;
mod user_missions;
mod user_profiles;
pub mod users;

use hull::prelude::*;

use crate::not_found;

/// The application's modules, as frontends name them.
pub(crate) fn modules() -> [Module; 16] {
    [
        users::module(),
        user_profiles::module(),
        journal_entries::module(),
        missions::module(),
        user_missions::module(),
        events::all::module(),
        events::attendees::module(),
        achievements::all::module(),
        achievements::earned::module(),
        coach::conversations::module(),
        coach::messages::module(),
        tracking::progress::module(),
        tracking::insights::module(),
        tracking::moods::module(),
        tracking::goals::module(),
        dashboard::module(),
    ]
}
