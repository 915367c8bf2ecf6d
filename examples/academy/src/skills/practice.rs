//! `practiceActivities:start|complete|fail` and what lists them: single pieces of practice for a milestone, which keeps
//! count of attempts and completions. (The Practice Zone's table of the same name has its functions beside these.)

use hull::functions::DatabaseReader;
use hull::prelude::*;
use schema::skill_deconstruction::{ActivityType, MilestoneProgress, PracticeActivity};

use crate::table_functions::size;
use crate::{not_found, refused};

/// Begins a piece of practice: one attempt more for its milestone.
#[mutation]
async fn start(
    ctx: &MutationCtx,
    milestone_progress_id: Id<MilestoneProgress>,
    activity_type: ActivityType,
    title: String,
    description: Option<String>,
) -> Result<Id<PracticeActivity>> {
    let milestone = ctx.db.get(milestone_progress_id).await?;
    let milestone = milestone.ok_or_else(|| not_found("progress", milestone_progress_id))?;
    let now = ctx.now();
    let attempts = milestone.practice_attempts.unwrap_or(0.0) + 1.0;
    let patch = Patch::new()
        .set(MilestoneProgress::practice_attempts, attempts)
        .set(MilestoneProgress::updated_at, now);
    ctx.db.patch(milestone_progress_id, patch).await?;
    ctx.db
        .insert(PracticeActivity {
            milestone_progress_id,
            activity_type,
            title,
            description,
            completed: Some(false),
            completion_time: None,
            difficulty_rating: None,
            user_notes: None,
            created_at: Some(now),
            completed_at: None,
        })
        .await
}

/// Completes a piece of practice, in so many minutes: one completion more for its milestone.
#[mutation]
async fn complete(
    ctx: &MutationCtx,
    id: Id<PracticeActivity>,
    completion_time: Option<u32>,
    difficulty_rating: Option<u8>,
    user_notes: Option<String>,
) -> Result<()> {
    let activity = open(ctx, id).await?;
    if let Some(rating) = difficulty_rating
        && !(1..=5).contains(&rating)
    {
        return Err(refused("InvalidRating", format!("a difficulty is 1 to 5, and {rating} is not")));
    }
    let now = ctx.now();
    let patch = Patch::new()
        .set(PracticeActivity::completed, true)
        .set(PracticeActivity::completed_at, now)
        .set_some(PracticeActivity::completion_time, completion_time.map(f64::from))
        .set_some(PracticeActivity::difficulty_rating, difficulty_rating.map(f64::from))
        .set_some(PracticeActivity::user_notes, user_notes);
    ctx.db.patch(id, patch).await?;
    let Some(milestone) = ctx.db.get(activity.milestone_progress_id).await? else { return Ok(()) };
    let completions = milestone.practice_completions.unwrap_or(0.0) + 1.0;
    let patch = Patch::new()
        .set(MilestoneProgress::practice_completions, completions)
        .set(MilestoneProgress::updated_at, now);
    ctx.db.patch(milestone._id, patch).await
}

/// A piece of practice did not work out: it stays open, its attempt stays counted, and the notes say why.
#[mutation]
async fn fail(ctx: &MutationCtx, id: Id<PracticeActivity>, user_notes: Option<String>) -> Result<()> {
    open(ctx, id).await?;
    let patch = Patch::new()
        .set(PracticeActivity::completed, false)
        .set_some(PracticeActivity::user_notes, user_notes);
    ctx.db.patch(id, patch).await
}

/// The practice for a milestone, oldest first.
#[query]
async fn list_by_milestone_progress(
    ctx: &QueryCtx,
    milestone_progress_id: Id<MilestoneProgress>,
) -> Result<Vec<Doc<PracticeActivity>>> {
    activities_of(&ctx.db, milestone_progress_id).await
}

/// The newest practice that is completed, or that is not.
#[query]
async fn list_by_completed(
    ctx: &QueryCtx,
    completed: bool,
    limit: Option<u32>,
) -> Result<Vec<Doc<PracticeActivity>>> {
    let rows = ctx
        .db
        .query::<PracticeActivity>()
        .with_index(PracticeActivity::idx_practice_activities_completed, |q| {
            q.eq(PracticeActivity::completed, completed)
        });
    rows.order(Order::Desc).take(size(limit)).await
}

/// The practice for a milestone, oldest first.
pub(super) async fn activities_of(
    db: &DatabaseReader,
    milestone: Id<MilestoneProgress>,
) -> Result<Vec<Doc<PracticeActivity>>> {
    db.query::<PracticeActivity>()
        .with_index(PracticeActivity::idx_practice_activities_milestone_progress, |q| {
            q.eq(PracticeActivity::milestone_progress_id, milestone)
        })
        .collect()
        .await
}

async fn open(ctx: &MutationCtx, id: Id<PracticeActivity>) -> Result<Doc<PracticeActivity>> {
    let activity = ctx.db.get(id).await?.ok_or_else(|| not_found("practice", id))?;
    if activity.completed == Some(true) {
        return Err(refused("AlreadyCompleted", format!("practice {id} is completed")));
    }
    Ok(activity)
}

pub(super) fn module() -> Module {
    Module::new("practiceActivities").with(functions![
        start,
        complete,
        fail,
        list_by_milestone_progress,
        list_by_completed
    ])
}
