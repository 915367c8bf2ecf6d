//! `contentItems:*`: what a chapter is made of. Each type has a field of its own that must be there.

use hull::functions::DatabaseReader;
use hull::prelude::*;
use schema::lms::{Chapter, ContentItem, ContentItemType, Video};

use crate::{not_found, refused};

/// A content item without its time of creation.
#[derive(Object)]
struct NewContentItem {
    chapter_id: Id<Chapter>,
    r#type: ContentItemType,
    order: f64,
    video_id: Option<Id<Video>>,
    text_content: Option<String>,
    quiz_data: Option<Value>,
    assignment_data: Option<Value>,
    resource_url: Option<String>,
    resource_title: Option<String>,
}

/// A content item of a chapter that exists.
#[mutation]
async fn create(ctx: &MutationCtx, #[hull(flatten)] item: NewContentItem) -> Result<Id<ContentItem>> {
    insert(ctx, item).await
}

/// The same under its longer name.
#[mutation]
async fn create_content_item(
    ctx: &MutationCtx,
    #[hull(flatten)] item: NewContentItem,
) -> Result<Id<ContentItem>> {
    insert(ctx, item).await
}

async fn insert(ctx: &MutationCtx, item: NewContentItem) -> Result<Id<ContentItem>> {
    let chapter_id = item.chapter_id;
    ctx.db.get(chapter_id).await?.ok_or_else(|| not_found("chapter", chapter_id))?;
    let item = ContentItem {
        chapter_id,
        r#type: item.r#type,
        order: item.order,
        video_id: item.video_id,
        text_content: item.text_content,
        quiz_data: item.quiz_data,
        assignment_data: item.assignment_data,
        resource_url: item.resource_url,
        resource_title: item.resource_title,
        created_at: ctx.now(),
    };
    if let Some(video) = item.video_id {
        ctx.db.get(video).await?.ok_or_else(|| not_found("video", video))?;
    }
    check(&item)?;
    ctx.db.insert(item).await
}

/// Changes the fields that are given. The item's type stays.
#[mutation]
async fn update_content_item(
    ctx: &MutationCtx,
    id: Id<ContentItem>,
    order: Option<f64>,
    video_id: Option<Id<Video>>,
    text_content: Option<String>,
    quiz_data: Option<Value>,
    assignment_data: Option<Value>,
    resource_url: Option<String>,
    resource_title: Option<String>,
) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("content item", id))?;
    if let Some(video) = video_id {
        ctx.db.get(video).await?.ok_or_else(|| not_found("video", video))?;
    }
    let patch = Patch::new()
        .set_some(ContentItem::order, order)
        .set_some(ContentItem::video_id, video_id)
        .set_some(ContentItem::text_content, text_content)
        .set_some(ContentItem::quiz_data, quiz_data)
        .set_some(ContentItem::assignment_data, assignment_data)
        .set_some(ContentItem::resource_url, resource_url)
        .set_some(ContentItem::resource_title, resource_title);
    ctx.db.patch(id, patch).await
}

/// Removes a content item.
#[mutation]
async fn delete_content_item(ctx: &MutationCtx, id: Id<ContentItem>) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("content item", id))?;
    ctx.db.delete(id).await
}

/// The content of a chapter, in its order.
#[query]
async fn get_content_items_by_chapter(
    ctx: &QueryCtx,
    chapter_id: Id<Chapter>,
) -> Result<Vec<Doc<ContentItem>>> {
    items_of(&ctx.db, chapter_id).await
}

/// The content of a chapter, in its order.
pub(super) async fn items_of(db: &DatabaseReader, chapter_id: Id<Chapter>) -> Result<Vec<Doc<ContentItem>>> {
    db.query::<ContentItem>()
        .with_index(ContentItem::by_chapterId_order, |q| q.eq(ContentItem::chapter_id, chapter_id))
        .collect()
        .await
}

/// An item has the content that its type stands for.
fn check(item: &ContentItem) -> Result<()> {
    let (there, field) = match item.r#type {
        ContentItemType::Video => (item.video_id.is_some(), "videoId"),
        ContentItemType::Text => (item.text_content.is_some(), "textContent"),
        ContentItemType::Quiz => (item.quiz_data.is_some(), "quizData"),
        ContentItemType::Assignment => (item.assignment_data.is_some(), "assignmentData"),
        ContentItemType::Resource => (item.resource_url.is_some(), "resourceUrl"),
    };
    if there { Ok(()) } else { Err(refused("ContentMissing", format!("an item of this type needs {field}"))) }
}

pub(super) fn module() -> Module {
    Module::new("contentItems").with(functions![
        create,
        create_content_item,
        update_content_item,
        delete_content_item,
        get_content_items_by_chapter
    ])
}
