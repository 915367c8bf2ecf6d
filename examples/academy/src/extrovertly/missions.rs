//! `missions:*`: the small challenges that users can take on.

use hull::functions::{Query, SearchQuery};
use hull::prelude::*;
use schema::extrovertly::{Difficulty, Mission};

use super::not_found;
use super::search::{Found, marked};
use crate::table_functions::size;

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

/// Missions whose title has these words, best match first: 50 unless `limit` says otherwise; of this difficulty and this
/// category where they are given.
#[query]
async fn search_missions(
    ctx: &QueryCtx,
    search_term: String,
    difficulty: Option<Difficulty>,
    category: Option<String>,
    limit: Option<u32>,
) -> Result<Vec<Doc<Mission>>> {
    searched(ctx, search_term, difficulty, category).take(size(limit)).await
}

/// Missions whose title has these words, in pages, best match first, with the parts of the titles that match: for a search
/// while one types.
#[query]
async fn search_missions_paginated(
    ctx: &QueryCtx,
    search_term: String,
    difficulty: Option<Difficulty>,
    category: Option<String>,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<Found<Doc<Mission>>>> {
    let found = searched(ctx, search_term.clone(), difficulty, category).paginate(pagination_opts).await?;
    Ok(marked(found, &search_term, |mission| &mission.title))
}

fn searched(
    ctx: &QueryCtx,
    term: String,
    difficulty: Option<Difficulty>,
    category: Option<String>,
) -> SearchQuery<'_, Mission> {
    ctx.db.query::<Mission>().with_search_index(Mission::search_missions, |q| {
        let mut search = q.search(term);
        if let Some(difficulty) = difficulty {
            search = search.eq(Mission::difficulty, difficulty);
        }
        if let Some(category) = category {
            search = search.eq(Mission::category, category);
        }
        search
    })
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
    Module::new("missions").with(functions![
        create,
        get,
        list,
        list_paginated,
        search_missions,
        search_missions_paginated,
        update,
        remove
    ])
}
