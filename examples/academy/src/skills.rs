//! The functions of the skill deconstruction engine: skills taken apart into levels and milestones, and a learner's way
//! through them.

mod deconstructions;
mod milestones;
mod practice;
mod roadmaps;

use hull::prelude::*;

/// The application's modules, as frontends name them.
pub(crate) fn modules() -> [Module; 4] {
    [deconstructions::module(), milestones::module(), practice::module(), roadmaps::module()]
}
