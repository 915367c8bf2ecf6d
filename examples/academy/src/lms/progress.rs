//! `progress:*`: which content items a user has completed. A user is named by a string, as the document has it.

use std::collections::{BTreeMap, BTreeSet};

use hull::functions::DatabaseReader;
use hull::prelude::*;
use schema::lms::{ContentItem, Course, Progress};

use super::chapters::chapters_of;
use super::content_items::items_of;
use crate::{not_found, refused};

/// How much of something is done; `percentage` is a whole number from 0 to 100.
#[derive(Clone, Object)]
struct Share {
    completed: u32,
    total: u32,
    percentage: u32,
}

/// How much of a course is done.
#[derive(Object)]
struct CourseShare {
    course_id: Id<Course>,
    completed: u32,
    total: u32,
    percentage: u32,
}

/// How much is done of all courses that a user has begun.
#[derive(Object)]
struct OverallShare {
    completed: u32,
    total: u32,
    percentage: u32,
    courses: Vec<CourseShare>,
}

/// Marks a content item of a course as completed by a user, or takes that back.
#[mutation]
async fn mark_completed(
    ctx: &MutationCtx,
    user_id: String,
    course_id: Id<Course>,
    content_item_id: Id<ContentItem>,
    completed: bool,
) -> Result<Id<Progress>> {
    let item =
        ctx.db.get(content_item_id).await?.ok_or_else(|| not_found("content item", content_item_id))?;
    let chapter = ctx.db.get(item.chapter_id).await?.ok_or_else(|| not_found("chapter", item.chapter_id))?;
    if chapter.course_id != course_id {
        return Err(refused(
            "OtherCourse",
            format!("{content_item_id} belongs to course {}, not to {course_id}", chapter.course_id),
        ));
    }
    let known = ctx.db.query::<Progress>().with_index(Progress::by_userId_contentItemId, |q| {
        q.eq(Progress::user_id, user_id.clone()).eq(Progress::content_item_id, content_item_id)
    });
    let completed_at = completed.then(|| ctx.now());
    let progress_percentage = Some(if completed { 100.0 } else { 0.0 });
    if let Some(known) = known.unique().await? {
        if known.completed != completed {
            let patch = Patch::new()
                .set(Progress::completed, completed)
                .set(Progress::completed_at, completed_at)
                .set(Progress::progress_percentage, progress_percentage);
            ctx.db.patch(known._id, patch).await?;
        }
        return Ok(known._id);
    }
    ctx.db
        .insert(Progress {
            user_id,
            course_id,
            chapter_id: Some(item.chapter_id),
            content_item_id: Some(content_item_id),
            completed,
            completed_at,
            progress_percentage,
        })
        .await
}

/// What a user has completed of a course, item by item.
#[query]
async fn get_user_progress(
    ctx: &QueryCtx,
    user_id: String,
    course_id: Id<Course>,
) -> Result<Vec<Doc<Progress>>> {
    in_course(&ctx.db, user_id, course_id).await
}

/// How much of a course a user has completed: `{ completed, total, percentage }`.
#[query]
async fn get_user_course_progress(ctx: &QueryCtx, user_id: String, course_id: Id<Course>) -> Result<Share> {
    let rows = in_course(&ctx.db, user_id, course_id).await?;
    share(&ctx.db, course_id, &rows).await
}

/// The same over every course that a user has begun, and for each of them.
#[query]
async fn get_user_overall_progress(ctx: &QueryCtx, user_id: String) -> Result<OverallShare> {
    let rows = ctx
        .db
        .query::<Progress>()
        .with_index(Progress::by_userId_courseId, |q| q.eq(Progress::user_id, user_id))
        .collect()
        .await?;
    let mut by_course: BTreeMap<Id<Course>, Vec<Doc<Progress>>> = BTreeMap::new();
    for row in rows {
        by_course.entry(row.course_id).or_default().push(row);
    }
    let (mut completed, mut total, mut courses) = (0, 0, Vec::new());
    for (course_id, rows) in by_course {
        let share = share(&ctx.db, course_id, &rows).await?;
        completed += share.completed;
        total += share.total;
        courses.push(CourseShare {
            course_id,
            completed: share.completed,
            total: share.total,
            percentage: share.percentage,
        });
    }
    Ok(OverallShare { completed, total, percentage: percentage(completed, total), courses })
}

async fn in_course(
    db: &DatabaseReader,
    user_id: String,
    course_id: Id<Course>,
) -> Result<Vec<Doc<Progress>>> {
    db.query::<Progress>()
        .with_index(Progress::by_userId_courseId, |q| {
            q.eq(Progress::user_id, user_id).eq(Progress::course_id, course_id)
        })
        .collect()
        .await
}

/// Items that were removed since count neither as completed nor in total.
async fn share(db: &DatabaseReader, course_id: Id<Course>, rows: &[Doc<Progress>]) -> Result<Share> {
    let done: BTreeSet<_> =
        rows.iter().filter(|row| row.completed).filter_map(|row| row.content_item_id).collect();
    let (mut completed, mut total) = (0, 0);
    for chapter in chapters_of(db, course_id).await? {
        for item in items_of(db, chapter._id).await? {
            total += 1;
            completed += u32::from(done.contains(&item._id));
        }
    }
    Ok(Share { completed, total, percentage: percentage(completed, total) })
}

fn percentage(completed: u32, total: u32) -> u32 {
    if total == 0 { 0 } else { (f64::from(completed) * 100.0 / f64::from(total)).round() as u32 }
}

pub(super) fn module() -> Module {
    Module::new("progress").with(functions![
        mark_completed,
        get_user_progress,
        get_user_course_progress,
        get_user_overall_progress
    ])
}
