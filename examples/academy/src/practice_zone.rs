//! The functions of the Practice Zone: tables that only hold what they are given in `content`, `creators` and
//! `learners`, and a module for each table with rules of its own.

mod activities;
mod attempts;
mod content;
mod creators;
mod glicko;
mod items;
mod learners;
mod review_deck;
mod sm2;

use hull::prelude::*;

/// The application's modules, as frontends name them.
pub(crate) fn modules() -> [Module; 13] {
    [
        content::tracks::module(),
        content::projects::module(),
        activities::module(),
        content::scenarios::module(),
        content::templates::module(),
        items::module(),
        attempts::module(),
        learners::skills::module(),
        review_deck::module(),
        learners::preferences::module(),
        creators::creations::module(),
        creators::calibration::module(),
        creators::flags::module(),
    ]
}
