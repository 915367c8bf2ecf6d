//! `chapters:*`: the parts of a course.

use hull::functions::{DatabaseReader, DatabaseWriter};
use hull::prelude::*;
use schema::lms::{Chapter, Course, Video};

use super::content_items::items_of;
use crate::not_found;

/// A chapter of a course that exists.
#[mutation]
async fn create_chapter(
    ctx: &MutationCtx,
    course_id: Id<Course>,
    video_id: Option<Id<Video>>,
    name: String,
    description: Option<String>,
    order: f64,
) -> Result<Id<Chapter>> {
    ctx.db.get(course_id).await?.ok_or_else(|| not_found("course", course_id))?;
    let created_at = ctx.now();
    ctx.db.insert(Chapter { course_id, video_id, name, description, order, created_at }).await
}

/// Changes the fields that are given.
#[mutation]
async fn update_chapter(
    ctx: &MutationCtx,
    id: Id<Chapter>,
    name: Option<String>,
    description: Option<String>,
    order: Option<f64>,
) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("chapter", id))?;
    let patch = Patch::new()
        .set_some(Chapter::name, name)
        .set_some(Chapter::description, description)
        .set_some(Chapter::order, order);
    ctx.db.patch(id, patch).await
}

/// The chapters of a course, in their order.
#[query]
async fn get_chapters_by_course(ctx: &QueryCtx, course_id: Id<Course>) -> Result<Vec<Doc<Chapter>>> {
    chapters_of(&ctx.db, course_id).await
}

/// The chapters that show a video directly.
#[query]
async fn get_chapters_by_video(ctx: &QueryCtx, video_id: Id<Video>) -> Result<Vec<Doc<Chapter>>> {
    ctx.db
        .query::<Chapter>()
        .with_index(Chapter::by_videoId, |q| q.eq(Chapter::video_id, video_id))
        .collect()
        .await
}

/// Removes a chapter with its content items.
#[mutation]
async fn delete_chapter(ctx: &MutationCtx, id: Id<Chapter>) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("chapter", id))?;
    remove_chapter(&ctx.db, id).await
}

/// The chapters of a course, in their order.
pub(super) async fn chapters_of(db: &DatabaseReader, course_id: Id<Course>) -> Result<Vec<Doc<Chapter>>> {
    db.query::<Chapter>()
        .with_index(Chapter::by_courseId_order, |q| q.eq(Chapter::course_id, course_id))
        .collect()
        .await
}

/// Removes a chapter with its content items.
pub(super) async fn remove_chapter(db: &DatabaseWriter, id: Id<Chapter>) -> Result<()> {
    for item in items_of(db, id).await? {
        db.delete(item._id).await?;
    }
    db.delete(id).await
}

pub(super) fn module() -> Module {
    Module::new("chapters").with(functions![
        create_chapter,
        update_chapter,
        get_chapters_by_course,
        get_chapters_by_video,
        delete_chapter
    ])
}
