//! `videos:*`: the video library, which is independent of courses.

use hull::prelude::*;
use schema::lms::{Video, VideoStatus};

use crate::table_functions::size;
use crate::{not_found, refused};

/// What is known of a video when its address is pasted.
#[derive(Object)]
struct NewVideo {
    youtube_video_id: String,
    title: String,
    url: String,
    thumbnail_url: Option<String>,
    channel_title: Option<String>,
    duration_in_seconds: Option<f64>,
    published_at: Option<f64>,
    transcript: Option<String>,
}

/// Adds a video, `pending` until it is processed. A YouTube id is in the library once.
#[mutation]
async fn create_video(ctx: &MutationCtx, #[hull(flatten)] video: NewVideo) -> Result<Id<Video>> {
    let known = ctx.db.query::<Video>().with_index(Video::by_youtubeVideoId, |q| {
        q.eq(Video::youtube_video_id, video.youtube_video_id.clone())
    });
    if let Some(known) = known.first().await? {
        return Err(refused(
            "VideoExists",
            format!("{} is in the library as {}", video.youtube_video_id, known._id),
        ));
    }
    ctx.db
        .insert(Video {
            youtube_video_id: video.youtube_video_id,
            title: video.title,
            url: video.url,
            thumbnail_url: video.thumbnail_url,
            channel_title: video.channel_title,
            duration_in_seconds: video.duration_in_seconds,
            published_at: video.published_at,
            transcript: video.transcript,
            notes: Value::Null,
            quiz: Value::Null,
            created_at: ctx.now(),
            updated_at: None,
            status: Some(VideoStatus::Pending),
            error_message: None,
        })
        .await
}

/// One video, or null.
#[query]
async fn get(ctx: &QueryCtx, id: Id<Video>) -> Result<Nullable<Doc<Video>>> {
    Ok(ctx.db.get(id).await?.into())
}

/// The video with this YouTube id, or null.
#[query]
async fn get_by_youtube_video_id(ctx: &QueryCtx, youtube_video_id: String) -> Result<Nullable<Doc<Video>>> {
    let found = ctx
        .db
        .query::<Video>()
        .with_index(Video::by_youtubeVideoId, |q| q.eq(Video::youtube_video_id, youtube_video_id));
    Ok(found.first().await?.into())
}

/// The newest videos first.
#[query]
async fn list(ctx: &QueryCtx, limit: Option<u32>) -> Result<Vec<Doc<Video>>> {
    ctx.db.query::<Video>().order(Order::Desc).take(size(limit)).await
}

/// The newest videos of a status.
#[query]
async fn get_videos_by_status(
    ctx: &QueryCtx,
    status: VideoStatus,
    limit: Option<u32>,
) -> Result<Vec<Doc<Video>>> {
    let videos = ctx.db.query::<Video>().with_index(Video::by_status, |q| q.eq(Video::status, status));
    videos.order(Order::Desc).take(size(limit)).await
}

/// Puts a video that failed back in the queue.
#[mutation]
async fn retry_failed_video(ctx: &MutationCtx, video_id: Id<Video>) -> Result<()> {
    let video = ctx.db.get(video_id).await?.ok_or_else(|| not_found("video", video_id))?;
    if video.status != Some(VideoStatus::Failed) {
        return Err(refused(
            "NotFailed",
            format!("only a failed video can be tried again, and {video_id} has not failed"),
        ));
    }
    let pending = Patch::new()
        .set(Video::status, VideoStatus::Pending)
        .unset(Video::error_message)
        .set(Video::updated_at, ctx.now());
    ctx.db.patch(video_id, pending).await
}

pub(super) fn module() -> Module {
    Module::new("videos").with(functions![
        create_video,
        get,
        get_by_youtube_video_id,
        list,
        get_videos_by_status,
        retry_failed_video
    ])
}
