//! The functions of the scenarios: what there is to practise, and each step of a user, which is one mutation over the
//! user's progress and the metrics of the whole app.

mod content;
mod journeys;
mod migration;
mod rows;

use hull::prelude::*;

/// The application's modules, which share one name towards frontends.
pub(crate) fn modules() -> [Module; 3] {
    [content::module(), journeys::module(), migration::module()]
}
