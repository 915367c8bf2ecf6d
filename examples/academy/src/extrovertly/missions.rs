//! `missions:*`: the small challenges that users can take on.

use hull::functions::Query;
use hull::prelude::*;
use schema::extrovertly::{Difficulty, Mission};

use super::not_found;

/// A new mission with its fields.
#[mutation]
async fn create(ctx: &MutationCtx, #[hull(flatten)] mission: Mission) -> Result<Id<Mission>> {
    ctx.db.insert(mission).await
}

/// One mission, or null.
#[query]
async fn get(ctx: &QueryCtx, id: Id<Mission>) -> Result<Nullable<Doc<Mission>>> {
    Ok(ctx.db.get(id).await?.into())
}

/// Missions, the oldest first, of this difficulty and this category where they are given.
#[query]
async fn list(
    ctx: &QueryCtx,
    difficulty: Option<Difficulty>,
    category: Option<String>,
) -> Result<Vec<Doc<Mission>>> {
    matching(ctx, difficulty, category).collect().await
}

/// Missions in pages, the oldest first, of this difficulty and this category where they are given.
#[query]
async fn list_paginated(
    ctx: &QueryCtx,
    difficulty: Option<Difficulty>,
    category: Option<String>,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<Doc<Mission>>> {
    matching(ctx, difficulty, category).paginate(pagination_opts).await
}

fn matching(ctx: &QueryCtx, difficulty: Option<Difficulty>, category: Option<String>) -> Query<'_, Mission> {
    let missions = ctx.db.query::<Mission>();
    match (difficulty, category) {
        (Some(difficulty), Some(category)) => missions.with_index(Mission::by_difficulty_category, |q| {
            q.eq(Mission::difficulty, difficulty).eq(Mission::category, category)
        }),
        (Some(difficulty), None) => {
            missions.with_index(Mission::by_difficulty, |q| q.eq(Mission::difficulty, difficulty))
        }
        (None, Some(category)) => {
            missions.with_index(Mission::by_category, |q| q.eq(Mission::category, category))
        }
        (None, None) => missions,
    }
}

/// Changes the fields that are given.
#[mutation]
async fn update(
    ctx: &MutationCtx,
    id: Id<Mission>,
    title: Option<String>,
    description: Option<String>,
    difficulty: Option<Difficulty>,
    category: Option<String>,
    points: Option<f64>,
    time_estimate: Option<String>,
    tips: Option<Vec<String>>,
    requirements: Option<Value>,
    is_active: Option<bool>,
) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("mission", id))?;
    ctx.db
        .patch(
            id,
            Patch::new()
                .set_some(Mission::title, title)
                .set_some(Mission::description, description)
                .set_some(Mission::difficulty, difficulty)
                .set_some(Mission::category, category)
                .set_some(Mission::points, points)
                .set_some(Mission::time_estimate, time_estimate)
                .set_some(Mission::tips, tips)
                .set_some(Mission::requirements, requirements)
                .set_some(Mission::is_active, is_active),
        )
        .await
}

/// Removes a mission.
#[mutation]
async fn remove(ctx: &MutationCtx, id: Id<Mission>) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("mission", id))?;
    ctx.db.delete(id).await
}

pub(super) fn module() -> Module {
    Module::new("missions").with(functions![create, get, list, list_paginated, update, remove])
}
