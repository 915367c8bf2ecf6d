//! The one row of metrics that a scenario has, and the one row of progress that a user has with it.

use hull::functions::DatabaseReader;
use hull::prelude::*;
use schema::extrovertly::User;
use schema::scenarios::{Scenario, ScenarioMetadata, UserScenarioProgress};

use crate::not_found;

/// The metrics of a scenario, where there are some.
pub(super) async fn find_metadata(
    db: &DatabaseReader,
    scenario_id: Id<Scenario>,
) -> Result<Option<Doc<ScenarioMetadata>>> {
    db.query::<ScenarioMetadata>()
        .with_index(ScenarioMetadata::scenario_metadata_pkey, |q| {
            q.eq(ScenarioMetadata::scenario_id, scenario_id)
        })
        .unique()
        .await
}

/// The metrics of a scenario that exists, made when they are missing.
pub(super) async fn metadata(ctx: &MutationCtx, scenario_id: Id<Scenario>) -> Result<Doc<ScenarioMetadata>> {
    if let Some(found) = find_metadata(&ctx.db, scenario_id).await? {
        return Ok(found);
    }
    ctx.db.get(scenario_id).await?.ok_or_else(|| not_found("scenario", scenario_id))?;
    let now = ctx.now();
    let id = ctx
        .db
        .insert(ScenarioMetadata {
            scenario_id,
            amount_saved_count: 0.0,
            total_times_used: 0.0,
            total_attempts: 0.0,
            average_rating: None,
            ratings_count: 0.0,
            completion_rate: None,
            average_time_spent: None,
            created_at: now,
            updated_at: now,
        })
        .await?;
    ctx.db.get(id).await?.ok_or_else(|| not_found("row of metrics", id))
}

/// What a user did with a scenario, where there is something.
pub(super) async fn find_progress(
    db: &DatabaseReader,
    user_id: Id<User>,
    scenario_id: Id<Scenario>,
) -> Result<Option<Doc<UserScenarioProgress>>> {
    db.query::<UserScenarioProgress>()
        .with_index(UserScenarioProgress::user_scenario_progress_user_id_scenario_id_pk, |q| {
            q.eq(UserScenarioProgress::user_id, user_id).eq(UserScenarioProgress::scenario_id, scenario_id)
        })
        .unique()
        .await
}

/// The progress of a user who exists, made when it is missing.
pub(super) async fn progress(
    ctx: &MutationCtx,
    user_id: Id<User>,
    scenario_id: Id<Scenario>,
) -> Result<Doc<UserScenarioProgress>> {
    if let Some(found) = find_progress(&ctx.db, user_id, scenario_id).await? {
        return Ok(found);
    }
    ctx.db.get(user_id).await?.ok_or_else(|| not_found("user", user_id))?;
    let now = ctx.now();
    let id = ctx
        .db
        .insert(UserScenarioProgress {
            user_id,
            scenario_id,
            is_saved: false,
            saved_at: None,
            times_completed: 0.0,
            times_attempted: 0.0,
            last_attempt_at: None,
            last_completed_at: None,
            user_rating: None,
            user_notes: None,
            created_at: now,
            updated_at: now,
        })
        .await?;
    ctx.db.get(id).await?.ok_or_else(|| not_found("row of progress", id))
}
