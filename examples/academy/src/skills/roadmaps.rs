//! `roadmaps:*`: roadmaps, and the skill that each was made of.

use hull::prelude::*;
use schema::skill_deconstruction::{Roadmap, SkillDeconstruction};

use crate::not_found;

/// A roadmap, of a skill where one is given.
#[mutation]
async fn create(
    ctx: &MutationCtx,
    skill_deconstruction_id: Option<Id<SkillDeconstruction>>,
) -> Result<Id<Roadmap>> {
    let is_deconstructed = Some(skill_deconstruction_id.is_some());
    ctx.db.insert(Roadmap { skill_deconstruction_id, is_deconstructed }).await
}

/// One roadmap, or null.
#[query]
async fn get(ctx: &QueryCtx, id: Id<Roadmap>) -> Result<Nullable<Doc<Roadmap>>> {
    Ok(ctx.db.get(id).await?.into())
}

/// Ties a roadmap to the skill that it was made of.
#[mutation]
async fn deconstruct(
    ctx: &MutationCtx,
    id: Id<Roadmap>,
    skill_deconstruction_id: Id<SkillDeconstruction>,
) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("roadmap", id))?;
    let skill = ctx.db.get(skill_deconstruction_id).await?;
    skill.ok_or_else(|| not_found("skill", skill_deconstruction_id))?;
    let patch = Patch::new()
        .set(Roadmap::skill_deconstruction_id, skill_deconstruction_id)
        .set(Roadmap::is_deconstructed, true);
    ctx.db.patch(id, patch).await
}

/// The roadmaps of a skill.
#[query]
async fn list_by_skill(
    ctx: &QueryCtx,
    skill_deconstruction_id: Id<SkillDeconstruction>,
) -> Result<Vec<Doc<Roadmap>>> {
    ctx.db
        .query::<Roadmap>()
        .with_index(Roadmap::idx_roadmaps_skill_deconstruction, |q| {
            q.eq(Roadmap::skill_deconstruction_id, skill_deconstruction_id)
        })
        .collect()
        .await
}

pub(super) fn module() -> Module {
    Module::new("roadmaps").with(functions![create, get, deconstruct, list_by_skill])
}
