//! A flexible learning management system: a video library, courses of chapters with mixed content, and users' progress.
//!
//! The document writes TypeScript types: `string`, `number`, `boolean` and `any` are `v.string()`, `v.number()`,
//! `v.boolean()` and `v.any()`, `Id<"videos">` is `v.id("videos")`, `field?` is `v.optional(…)`, and a union of
//! literals stays one. All new fields are optional to support existing data.
#![allow(missing_docs, reason = "the names are the document's own, and so are the comments")]

use hull_model::value::{Id, Value};
use hull_model::{Object, Schema, Table};

/// All five tables, in the document's order.
pub fn schema() -> Schema {
    Schema::new().of::<Video>().of::<Course>().of::<Chapter>().of::<ContentItem>().of::<Progress>()
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("videos")]
#[index(by_youtubeVideoId(youtube_video_id))] // Find by YouTube ID
#[index(by_status(status))] // Filter by processing status
pub struct Video {
    // Existing fields
    pub youtube_video_id: String,
    pub title: String,
    pub url: String,
    pub thumbnail_url: Option<String>,
    pub channel_title: Option<String>,
    pub duration_in_seconds: Option<f64>,
    pub published_at: Option<f64>,
    pub transcript: Option<String>,
    pub notes: Value,
    pub quiz: Value,
    pub created_at: f64,

    // NEW FIELDS
    /// Last update timestamp.
    pub updated_at: Option<f64>,
    pub status: Option<VideoStatus>,
    /// Error details if processing fails.
    pub error_message: Option<String>,
}

/// How far the processing of a video is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum VideoStatus {
    Pending,
    Processing,
    Completed,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("courses")]
#[index(by_status(status))] // Filter by course status
#[index(by_createdBy(created_by))] // Get courses by user
pub struct Course {
    // Existing fields
    pub name: String,
    pub description: Option<String>,
    pub created_at: f64,
    pub updated_at: f64,

    // NEW FIELDS
    /// Course thumbnail.
    pub thumbnail_url: Option<String>,
    pub status: Option<CourseStatus>,
    /// User ID who created.
    pub created_by: Option<String>,
    /// Publication status.
    pub is_published: Option<bool>,
}

/// How far a course is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum CourseStatus {
    Draft,
    Generating,
    Ready,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("chapters")]
#[index(by_courseId(course_id))] // Get chapters by course
#[index(by_courseId_order(course_id, order))] // Get ordered chapters
#[index(by_videoId(video_id))] // Find chapters using a video
pub struct Chapter {
    pub course_id: Id<Course>,
    /// Optional - backward compatibility.
    pub video_id: Option<Id<Video>>,
    pub name: String,
    pub description: Option<String>,
    pub order: f64,
    pub created_at: f64,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("contentItems")]
#[index(by_chapterId(chapter_id))] // Get content by chapter
#[index(by_chapterId_order(chapter_id, order))] // Get ordered content
pub struct ContentItem {
    pub chapter_id: Id<Chapter>,
    pub r#type: ContentItemType,
    pub order: f64,

    // Content-specific fields (populated based on type)
    /// For video type.
    pub video_id: Option<Id<Video>>,
    /// For text type.
    pub text_content: Option<String>,
    /// For quiz type.
    pub quiz_data: Option<Value>,
    /// For assignment type.
    pub assignment_data: Option<Value>,
    /// For resource type.
    pub resource_url: Option<String>,
    /// For resource type.
    pub resource_title: Option<String>,

    pub created_at: f64,
}

/// What a content item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum ContentItemType {
    Video,
    Text,
    Quiz,
    Assignment,
    Resource,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("progress")]
#[index(by_userId_courseId(user_id, course_id))] // Get user's course progress
#[index(by_userId_contentItemId(user_id, content_item_id))] // Get specific content progress
pub struct Progress {
    pub user_id: String,
    pub course_id: Id<Course>,
    pub chapter_id: Option<Id<Chapter>>,
    pub content_item_id: Option<Id<ContentItem>>,
    pub completed: bool,
    pub completed_at: Option<f64>,
    pub progress_percentage: Option<f64>,
}
