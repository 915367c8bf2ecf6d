//! `videoProcessing:*`: what the background job that processes videos tells; internal, so a frontend can't call it.

use hull::prelude::*;
use schema::lms::{Video, VideoStatus};

use crate::not_found;

/// Moves a video on; a failure says why.
#[internal_mutation]
async fn update_video_status(
    ctx: &MutationCtx,
    video_id: Id<Video>,
    status: VideoStatus,
    error_message: Option<String>,
) -> Result<()> {
    ctx.db.get(video_id).await?.ok_or_else(|| not_found("video", video_id))?;
    let patch = Patch::new()
        .set(Video::status, status)
        .set(Video::error_message, error_message)
        .set(Video::updated_at, ctx.now());
    ctx.db.patch(video_id, patch).await
}

/// Keeps the notes and the quiz that were made of a video.
#[internal_mutation]
async fn update_video_content(
    ctx: &MutationCtx,
    video_id: Id<Video>,
    notes: Value,
    quiz: Value,
    status: VideoStatus,
) -> Result<()> {
    ctx.db.get(video_id).await?.ok_or_else(|| not_found("video", video_id))?;
    let patch = Patch::new()
        .set(Video::notes, notes)
        .set(Video::quiz, quiz)
        .set(Video::status, status)
        .unset(Video::error_message)
        .set(Video::updated_at, ctx.now());
    ctx.db.patch(video_id, patch).await
}

pub(super) fn module() -> Module {
    Module::new("videoProcessing").with(functions![update_video_status, update_video_content])
}
