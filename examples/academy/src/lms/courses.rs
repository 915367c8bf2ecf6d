//! `courses:*`: courses, and a course with everything in it.

use hull::prelude::*;
use schema::lms::{Chapter, ContentItem, Course, CourseStatus};

use super::chapters::{chapters_of, remove_chapter};
use super::content_items::items_of;
use crate::not_found;
use crate::table_functions::size;

/// A course to begin with: a draft that nobody sees, unless it says otherwise.
#[mutation]
async fn create_course(
    ctx: &MutationCtx,
    name: String,
    description: Option<String>,
    thumbnail_url: Option<String>,
    status: Option<CourseStatus>,
    created_by: Option<String>,
    is_published: Option<bool>,
) -> Result<Id<Course>> {
    let now = ctx.now();
    ctx.db
        .insert(Course {
            name,
            description,
            created_at: now,
            updated_at: now,
            thumbnail_url,
            status: Some(status.unwrap_or(CourseStatus::Draft)),
            created_by,
            is_published: Some(is_published.unwrap_or(false)),
        })
        .await
}

/// Changes the fields that are given.
#[mutation]
async fn update_course(
    ctx: &MutationCtx,
    id: Id<Course>,
    name: Option<String>,
    description: Option<String>,
    thumbnail_url: Option<String>,
    status: Option<CourseStatus>,
    is_published: Option<bool>,
) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("course", id))?;
    let patch = Patch::new()
        .set_some(Course::name, name)
        .set_some(Course::description, description)
        .set_some(Course::thumbnail_url, thumbnail_url)
        .set_some(Course::status, status)
        .set_some(Course::is_published, is_published)
        .set(Course::updated_at, ctx.now());
    ctx.db.patch(id, patch).await
}

/// One course, or null.
#[query]
async fn get(ctx: &QueryCtx, id: Id<Course>) -> Result<Nullable<Doc<Course>>> {
    Ok(ctx.db.get(id).await?.into())
}

/// The newest courses first; of one status where it is given.
#[query]
async fn list(ctx: &QueryCtx, status: Option<CourseStatus>, limit: Option<u32>) -> Result<Vec<Doc<Course>>> {
    let courses = ctx.db.query::<Course>();
    let courses = match status {
        Some(status) => courses.with_index(Course::by_status, |q| q.eq(Course::status, status)),
        None => courses,
    };
    courses.order(Order::Desc).take(size(limit)).await
}

/// The newest courses that somebody made.
#[query]
async fn list_by_creator(ctx: &QueryCtx, created_by: String, limit: Option<u32>) -> Result<Vec<Doc<Course>>> {
    let courses =
        ctx.db.query::<Course>().with_index(Course::by_createdBy, |q| q.eq(Course::created_by, created_by));
    courses.order(Order::Desc).take(size(limit)).await
}

/// A chapter with its content items.
#[derive(Object)]
struct ChapterWithItems {
    chapter: Doc<Chapter>,
    content_items: Vec<Doc<ContentItem>>,
}

/// A course with its chapters, each with its content items, all in their order.
#[derive(Object)]
struct CourseWithStructure {
    course: Doc<Course>,
    chapters: Vec<ChapterWithItems>,
}

/// A course with chapters and content items nested, or null.
#[query]
async fn get_course_with_structure(
    ctx: &QueryCtx,
    course_id: Id<Course>,
) -> Result<Nullable<CourseWithStructure>> {
    let Some(course) = ctx.db.get(course_id).await? else { return Ok(None.into()) };
    let mut chapters = Vec::new();
    for chapter in chapters_of(&ctx.db, course_id).await? {
        let content_items = items_of(&ctx.db, chapter._id).await?;
        chapters.push(ChapterWithItems { chapter, content_items });
    }
    Ok(Some(CourseWithStructure { course, chapters }).into())
}

/// Removes a course with its chapters and content items. Progress stays: it is the learner's.
#[mutation]
async fn delete_course(ctx: &MutationCtx, id: Id<Course>) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("course", id))?;
    for chapter in chapters_of(&ctx.db, id).await? {
        remove_chapter(&ctx.db, chapter._id).await?;
    }
    ctx.db.delete(id).await
}

pub(super) fn module() -> Module {
    Module::new("courses").with(functions![
        create_course,
        update_course,
        get,
        list,
        list_by_creator,
        get_course_with_structure,
        delete_course
    ])
}
