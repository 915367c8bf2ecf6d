//! The way from the two old tables into the new ones. Internal: an operator calls it until it answers 0.
//!
//! As in the document, `scenario_outcomes` is what is aggregated: each row is an attempt, and a save and a completion
//! where it says so. `scenario_attempts` repeats it and is only dropped.

use hull::prelude::*;
use schema::extrovertly::User;
use schema::scenarios::{
    Scenario, ScenarioAttempt, ScenarioMetadata, ScenarioOutcome, UserSavedScenario, UserScenarioProgress,
};

use super::rows::{metadata, progress};
use crate::table_functions::size;

/// Old rows that a test or an import puts there.
#[internal_mutation]
async fn record_old_outcome(
    ctx: &MutationCtx,
    user_id: Id<User>,
    scenario_id: Id<Scenario>,
    saved: bool,
    completed: bool,
) -> Result<()> {
    ctx.db.insert(ScenarioAttempt { scenario_id, user_id, saved, completed }).await?;
    ctx.db.insert(ScenarioOutcome { scenario_id, user_id, saved, completed }).await?;
    Ok(())
}

/// Moves some old rows into progress and metrics and removes them; how many it removed. Rows of users or scenarios that
/// are gone are only removed.
#[internal_mutation]
async fn migrate(ctx: &MutationCtx, limit: Option<u32>) -> Result<u32> {
    let attempts = ctx.db.query::<ScenarioAttempt>().take(size(limit)).await?;
    for attempt in &attempts {
        ctx.db.delete(attempt._id).await?;
    }
    let outcomes = ctx.db.query::<ScenarioOutcome>().take(size(limit)).await?;
    for outcome in &outcomes {
        let known =
            ctx.db.get(outcome.user_id).await?.is_some() && ctx.db.get(outcome.scenario_id).await?.is_some();
        if known {
            fold(ctx, outcome).await?;
        }
        ctx.db.delete(outcome._id).await?;
    }
    Ok((attempts.len() + outcomes.len()) as u32)
}

async fn fold(ctx: &MutationCtx, outcome: &Doc<ScenarioOutcome>) -> Result<()> {
    let (user_id, scenario_id) = (outcome.user_id, outcome.scenario_id);
    let metadata = metadata(ctx, scenario_id).await?;
    let progress = progress(ctx, user_id, scenario_id).await?;
    let when = outcome._creation_time;
    let newly_saved = outcome.saved && !progress.is_saved;
    let completed = f64::from(u8::from(outcome.completed));
    let mut change = Patch::new()
        .set(UserScenarioProgress::times_attempted, progress.times_attempted + 1.0)
        .set(UserScenarioProgress::times_completed, progress.times_completed + completed)
        .set(UserScenarioProgress::last_attempt_at, when);
    if outcome.completed {
        change = change.set(UserScenarioProgress::last_completed_at, when);
    }
    if newly_saved {
        change = change.set(UserScenarioProgress::is_saved, true).set(UserScenarioProgress::saved_at, when);
        ctx.db.insert(UserSavedScenario { user_id, scenario_id, saved_at: when }).await?;
    }
    ctx.db.patch(progress._id, change).await?;
    let (uses, attempts) = (metadata.total_times_used + completed, metadata.total_attempts + 1.0);
    let saves = metadata.amount_saved_count + f64::from(u8::from(newly_saved));
    let change = Patch::new()
        .set(ScenarioMetadata::amount_saved_count, saves)
        .set(ScenarioMetadata::total_times_used, uses)
        .set(ScenarioMetadata::total_attempts, attempts)
        .set(ScenarioMetadata::completion_rate, 100.0 * uses / attempts);
    ctx.db.patch(metadata._id, change).await
}

pub(super) fn module() -> Module {
    Module::new("scenarios").with(functions![record_old_outcome, migrate])
}
