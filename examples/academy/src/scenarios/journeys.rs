//! What users do with scenarios. Each function changes the user's progress and the app's metrics in one mutation, so
//! that the two never disagree.

use hull::prelude::*;
use schema::extrovertly::User;
use schema::scenarios::{Scenario, ScenarioMetadata, UserSavedScenario, UserScenarioProgress};

use super::rows::{find_progress, metadata, progress};
use crate::refused;
use crate::table_functions::size;

/// A user tries a scenario, and doesn't finish it.
#[mutation]
async fn attempt(ctx: &MutationCtx, user_id: Id<User>, scenario_id: Id<Scenario>) -> Result<()> {
    used(ctx, user_id, scenario_id, false).await
}

/// A user completes a scenario: an attempt and a use more.
#[mutation]
async fn complete(ctx: &MutationCtx, user_id: Id<User>, scenario_id: Id<Scenario>) -> Result<()> {
    used(ctx, user_id, scenario_id, true).await
}

async fn used(
    ctx: &MutationCtx,
    user_id: Id<User>,
    scenario_id: Id<Scenario>,
    completed: bool,
) -> Result<()> {
    let metadata = metadata(ctx, scenario_id).await?;
    let progress = progress(ctx, user_id, scenario_id).await?;
    let now = ctx.now();
    let more = f64::from(u8::from(completed));
    let mut change = Patch::new()
        .set(UserScenarioProgress::times_attempted, progress.times_attempted + 1.0)
        .set(UserScenarioProgress::times_completed, progress.times_completed + more)
        .set(UserScenarioProgress::last_attempt_at, now)
        .set(UserScenarioProgress::updated_at, now);
    if completed {
        change = change.set(UserScenarioProgress::last_completed_at, now);
    }
    ctx.db.patch(progress._id, change).await?;
    let (uses, attempts) = (metadata.total_times_used + more, metadata.total_attempts + 1.0);
    let change = Patch::new()
        .set(ScenarioMetadata::total_times_used, uses)
        .set(ScenarioMetadata::total_attempts, attempts)
        .set(ScenarioMetadata::completion_rate, 100.0 * uses / attempts)
        .set(ScenarioMetadata::updated_at, now);
    ctx.db.patch(metadata._id, change).await
}

/// A user saves a scenario, or no longer does. Doing it twice changes nothing.
#[mutation]
async fn set_saved(
    ctx: &MutationCtx,
    user_id: Id<User>,
    scenario_id: Id<Scenario>,
    saved: bool,
) -> Result<()> {
    let metadata = metadata(ctx, scenario_id).await?;
    let progress = progress(ctx, user_id, scenario_id).await?;
    if progress.is_saved == saved {
        return Ok(());
    }
    let now = ctx.now();
    let change = Patch::new()
        .set(UserScenarioProgress::is_saved, saved)
        .set(UserScenarioProgress::saved_at, saved.then_some(now))
        .set(UserScenarioProgress::updated_at, now);
    ctx.db.patch(progress._id, change).await?;
    let step = if saved { 1.0 } else { -1.0 };
    let change = Patch::new()
        .set(ScenarioMetadata::amount_saved_count, metadata.amount_saved_count + step)
        .set(ScenarioMetadata::updated_at, now);
    ctx.db.patch(metadata._id, change).await?;
    if saved {
        ctx.db.insert(UserSavedScenario { user_id, scenario_id, saved_at: now }).await?;
        return Ok(());
    }
    let trail = ctx
        .db
        .query::<UserSavedScenario>()
        .with_index(UserSavedScenario::user_saved_scenarios_user_id_scenario_id_pk, |q| {
            q.eq(UserSavedScenario::user_id, user_id).eq(UserSavedScenario::scenario_id, scenario_id)
        });
    match trail.unique().await? {
        Some(row) => ctx.db.delete(row._id).await,
        None => Ok(()),
    }
}

/// A user gives a scenario 1 to 5 stars, or other stars than before.
#[mutation]
async fn rate(ctx: &MutationCtx, user_id: Id<User>, scenario_id: Id<Scenario>, rating: u8) -> Result<()> {
    if !(1..=5).contains(&rating) {
        return Err(refused("InvalidRating", format!("a rating is 1 to 5 stars, and {rating} is not")));
    }
    let metadata = metadata(ctx, scenario_id).await?;
    let progress = progress(ctx, user_id, scenario_id).await?;
    let (now, stars) = (ctx.now(), f64::from(rating));
    let change =
        Patch::new().set(UserScenarioProgress::user_rating, stars).set(UserScenarioProgress::updated_at, now);
    ctx.db.patch(progress._id, change).await?;
    let before = metadata.average_rating.unwrap_or(0.0) * metadata.ratings_count;
    let count = metadata.ratings_count + f64::from(u8::from(progress.user_rating.is_none()));
    let sum = before - progress.user_rating.unwrap_or(0.0) + stars;
    let change = Patch::new()
        .set(ScenarioMetadata::average_rating, sum / count)
        .set(ScenarioMetadata::ratings_count, count)
        .set(ScenarioMetadata::updated_at, now);
    ctx.db.patch(metadata._id, change).await
}

/// A user's private notes on a scenario.
#[mutation]
async fn set_notes(
    ctx: &MutationCtx,
    user_id: Id<User>,
    scenario_id: Id<Scenario>,
    notes: String,
) -> Result<()> {
    metadata(ctx, scenario_id).await?;
    let progress = progress(ctx, user_id, scenario_id).await?;
    let change = Patch::new()
        .set(UserScenarioProgress::user_notes, notes)
        .set(UserScenarioProgress::updated_at, ctx.now());
    ctx.db.patch(progress._id, change).await
}

/// What a user did with a scenario, or null.
#[query]
async fn progress_of(
    ctx: &QueryCtx,
    user_id: Id<User>,
    scenario_id: Id<Scenario>,
) -> Result<Nullable<Doc<UserScenarioProgress>>> {
    Ok(find_progress(&ctx.db, user_id, scenario_id).await?.into())
}

/// What a user did with all scenarios, the newest begun first.
#[query]
async fn progress_of_user(
    ctx: &QueryCtx,
    user_id: Id<User>,
    limit: Option<u32>,
) -> Result<Vec<Doc<UserScenarioProgress>>> {
    let rows =
        ctx.db.query::<UserScenarioProgress>().with_index(UserScenarioProgress::user_progress_idx, |q| {
            q.eq(UserScenarioProgress::user_id, user_id)
        });
    rows.order(Order::Desc).take(size(limit)).await
}

/// The scenarios that a user has saved.
#[query]
async fn saved_by_user(ctx: &QueryCtx, user_id: Id<User>, limit: Option<u32>) -> Result<Vec<Doc<Scenario>>> {
    let saved =
        ctx.db.query::<UserScenarioProgress>().with_index(UserScenarioProgress::saved_scenarios_idx, |q| {
            q.eq(UserScenarioProgress::user_id, user_id).eq(UserScenarioProgress::is_saved, true)
        });
    let mut scenarios = Vec::new();
    for row in saved.order(Order::Desc).take(size(limit)).await? {
        scenarios.extend(ctx.db.get(row.scenario_id).await?);
    }
    Ok(scenarios)
}

/// Who has saved a scenario, and when: the audit trail.
#[query]
async fn saved_by(
    ctx: &QueryCtx,
    scenario_id: Id<Scenario>,
    limit: Option<u32>,
) -> Result<Vec<Doc<UserSavedScenario>>> {
    let trail = ctx.db.query::<UserSavedScenario>().with_index(UserSavedScenario::scenario_saved_idx, |q| {
        q.eq(UserSavedScenario::scenario_id, scenario_id)
    });
    trail.order(Order::Desc).take(size(limit)).await
}

pub(super) fn module() -> Module {
    Module::new("scenarios").with(functions![
        attempt,
        complete,
        set_saved,
        rate,
        set_notes,
        progress_of,
        progress_of_user,
        saved_by_user,
        saved_by
    ])
}
