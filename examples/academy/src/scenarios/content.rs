//! Scenarios themselves, and the app-wide metrics of each.

use hull::prelude::*;
use schema::scenarios::{Scenario, ScenarioMetadata};

use super::rows::{find_metadata, metadata};
use crate::not_found;
use crate::table_functions::size;

/// A new scenario, with its row of metrics.
#[mutation]
async fn create(ctx: &MutationCtx, #[hull(flatten)] scenario: Scenario) -> Result<Id<Scenario>> {
    let id = ctx.db.insert(scenario).await?;
    metadata(ctx, id).await?;
    Ok(id)
}

/// One scenario, or null.
#[query]
async fn get(ctx: &QueryCtx, id: Id<Scenario>) -> Result<Nullable<Doc<Scenario>>> {
    Ok(ctx.db.get(id).await?.into())
}

/// The newest scenarios first.
#[query]
async fn list(ctx: &QueryCtx, limit: Option<u32>) -> Result<Vec<Doc<Scenario>>> {
    ctx.db.query::<Scenario>().order(Order::Desc).take(size(limit)).await
}

/// Changes what is given of a scenario's content.
#[mutation]
async fn update(
    ctx: &MutationCtx,
    id: Id<Scenario>,
    title: Option<String>,
    description: Option<String>,
    instructions: Option<String>,
    visibility: Option<String>,
    is_active: Option<bool>,
) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("scenario", id))?;
    let patch = Patch::new()
        .set_some(Scenario::title, title)
        .set_some(Scenario::description, description)
        .set_some(Scenario::instructions, instructions)
        .set_some(Scenario::visibility, visibility)
        .set_some(Scenario::is_active, is_active)
        .set(Scenario::updated_at, ctx.now());
    ctx.db.patch(id, patch).await
}

/// The app-wide metrics of a scenario, or null.
#[query]
async fn metadata_of(ctx: &QueryCtx, scenario_id: Id<Scenario>) -> Result<Nullable<Doc<ScenarioMetadata>>> {
    Ok(find_metadata(&ctx.db, scenario_id).await?.into())
}

/// A scenario with its metrics.
#[derive(Object)]
struct Ranked {
    scenario: Doc<Scenario>,
    metadata: Doc<ScenarioMetadata>,
}

/// The scenarios that most users have saved, with their metrics.
#[query]
async fn most_saved(ctx: &QueryCtx, limit: Option<u32>) -> Result<Vec<Ranked>> {
    let all = ctx.db.query::<ScenarioMetadata>().with_index(ScenarioMetadata::amount_saved_count_idx, |q| q);
    let mut ranked = Vec::new();
    for metadata in all.order(Order::Desc).take(size(limit)).await? {
        if let Some(scenario) = ctx.db.get(metadata.scenario_id).await? {
            ranked.push(Ranked { scenario, metadata });
        }
    }
    Ok(ranked)
}

pub(super) fn module() -> Module {
    Module::new("scenarios").with(functions![create, get, list, update, metadata_of, most_saved])
}
