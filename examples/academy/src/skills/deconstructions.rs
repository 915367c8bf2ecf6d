//! `skillDeconstructions:*`: skills taken apart into levels and milestones.

use std::collections::BTreeSet;

use hull::prelude::*;
use schema::skill_deconstruction::{
    DeconstructionData, MilestoneProgress, Roadmap, SkillDeconstruction, SkillType,
};

use super::practice::activities_of;
use crate::table_functions::size;
use crate::{not_found, refused};

/// A skill with its levels and milestones, whose ids are told apart by their names.
#[mutation]
async fn create(
    ctx: &MutationCtx,
    user_query: String,
    skill_name: String,
    skill_type: SkillType,
    deconstruction_data: DeconstructionData,
) -> Result<Id<SkillDeconstruction>> {
    let mut seen = BTreeSet::new();
    for milestone in deconstruction_data.levels.iter().flat_map(|level| &level.milestones) {
        if !seen.insert(&milestone.id) {
            return Err(refused("MilestoneTwice", format!("two milestones are named {:?}", milestone.id)));
        }
    }
    let now = Some(ctx.now());
    ctx.db
        .insert(SkillDeconstruction {
            user_query,
            skill_name,
            skill_type,
            deconstruction_data,
            created_at: now,
            updated_at: now,
        })
        .await
}

/// One skill, or null.
#[query]
async fn get(ctx: &QueryCtx, id: Id<SkillDeconstruction>) -> Result<Nullable<Doc<SkillDeconstruction>>> {
    Ok(ctx.db.get(id).await?.into())
}

/// The newest skills first.
#[query]
async fn list(ctx: &QueryCtx, limit: Option<u32>) -> Result<Vec<Doc<SkillDeconstruction>>> {
    let all = ctx
        .db
        .query::<SkillDeconstruction>()
        .with_index(SkillDeconstruction::idx_skill_deconstructions_created_at, |q| q);
    all.order(Order::Desc).take(size(limit)).await
}

/// The skills of a type; those of one name where it is given. This is where an answer that was made before is found.
#[query]
async fn list_by_type(
    ctx: &QueryCtx,
    skill_type: SkillType,
    skill_name: Option<String>,
    limit: Option<u32>,
) -> Result<Vec<Doc<SkillDeconstruction>>> {
    let skills = ctx.db.query::<SkillDeconstruction>();
    let index = SkillDeconstruction::idx_skill_deconstructions_type_name;
    let skills = match skill_name {
        Some(name) => skills.with_index(index, |q| {
            q.eq(SkillDeconstruction::skill_type, skill_type).eq(SkillDeconstruction::skill_name, name)
        }),
        None => skills.with_index(index, |q| q.eq(SkillDeconstruction::skill_type, skill_type)),
    };
    skills.order(Order::Desc).take(size(limit)).await
}

/// Removes a skill, the progress made on it (CASCADE DELETE), and roadmaps' references to it (SET NULL).
#[mutation]
async fn remove(ctx: &MutationCtx, id: Id<SkillDeconstruction>) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("skill", id))?;
    let progress = ctx
        .db
        .query::<MilestoneProgress>()
        .with_index(MilestoneProgress::idx_milestone_progress_skill_deconstruction, |q| {
            q.eq(MilestoneProgress::skill_deconstruction_id, id)
        })
        .collect()
        .await?;
    for row in progress {
        for activity in activities_of(&ctx.db, row._id).await? {
            ctx.db.delete(activity._id).await?;
        }
        ctx.db.delete(row._id).await?;
    }
    let roadmaps = ctx
        .db
        .query::<Roadmap>()
        .with_index(Roadmap::idx_roadmaps_skill_deconstruction, |q| {
            q.eq(Roadmap::skill_deconstruction_id, id)
        })
        .collect()
        .await?;
    for roadmap in roadmaps {
        ctx.db.patch(roadmap._id, Patch::new().unset(Roadmap::skill_deconstruction_id)).await?;
    }
    ctx.db.delete(id).await
}

pub(super) fn module() -> Module {
    Module::new("skillDeconstructions").with(functions![create, get, list, list_by_type, remove])
}
