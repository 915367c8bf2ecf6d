//! The functions of the learning management system: videos, courses made of chapters and content items, progress.

mod chapters;
mod content_items;
mod courses;
mod progress;
mod video_processing;
mod videos;

use hull::prelude::*;

/// The application's modules, as frontends name them.
pub(crate) fn modules() -> [Module; 6] {
    [
        videos::module(),
        video_processing::module(),
        courses::module(),
        chapters::module(),
        content_items::module(),
        progress::module(),
    ]
}
