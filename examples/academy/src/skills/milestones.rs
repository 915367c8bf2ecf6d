//! `milestoneProgress:*`: how far a learner is with a milestone. There is one row for each milestone of a skill.

use hull::functions::DatabaseReader;
use hull::prelude::*;
use schema::skill_deconstruction::{MilestoneProgress, MilestoneStatus, SkillDeconstruction};

use crate::table_functions::{page_by, size};
use crate::{not_found, refused};

/// Begins a milestone, or begins it again after it was failed; the row of its progress.
#[mutation]
async fn start(
    ctx: &MutationCtx,
    skill_deconstruction_id: Id<SkillDeconstruction>,
    milestone_id: String,
) -> Result<Id<MilestoneProgress>> {
    let skill = ctx.db.get(skill_deconstruction_id).await?;
    let skill = skill.ok_or_else(|| not_found("skill", skill_deconstruction_id))?;
    let mut milestones = skill.deconstruction_data.levels.iter().flat_map(|level| &level.milestones);
    if !milestones.any(|milestone| milestone.id == milestone_id) {
        return Err(not_found("milestone of this skill named", &milestone_id));
    }
    let now = ctx.now();
    match find(&ctx.db, skill_deconstruction_id, &milestone_id).await? {
        Some(row) if row.status == MilestoneStatus::Completed => {
            Err(refused("AlreadyCompleted", format!("milestone {milestone_id} is completed")))
        }
        Some(row) => {
            let patch = Patch::new()
                .set(MilestoneProgress::status, MilestoneStatus::InProgress)
                .set(MilestoneProgress::started_at, row.started_at.unwrap_or(now))
                .set(MilestoneProgress::updated_at, now);
            ctx.db.patch(row._id, patch).await?;
            Ok(row._id)
        }
        None => {
            ctx.db
                .insert(MilestoneProgress {
                    skill_deconstruction_id,
                    milestone_id,
                    status: MilestoneStatus::InProgress,
                    started_at: Some(now),
                    completed_at: None,
                    practice_attempts: Some(0.0),
                    practice_completions: Some(0.0),
                    notes: None,
                    created_at: Some(now),
                    updated_at: Some(now),
                })
                .await
        }
    }
}

/// Completes a milestone that is in progress.
#[mutation]
async fn complete(ctx: &MutationCtx, id: Id<MilestoneProgress>, notes: Option<String>) -> Result<()> {
    end(ctx, id, MilestoneStatus::Completed, notes).await
}

/// Gives a milestone that is in progress up.
#[mutation]
async fn fail(ctx: &MutationCtx, id: Id<MilestoneProgress>, notes: Option<String>) -> Result<()> {
    end(ctx, id, MilestoneStatus::Failed, notes).await
}

async fn end(
    ctx: &MutationCtx,
    id: Id<MilestoneProgress>,
    status: MilestoneStatus,
    notes: Option<String>,
) -> Result<()> {
    let row = ctx.db.get(id).await?.ok_or_else(|| not_found("progress", id))?;
    if row.status != MilestoneStatus::InProgress {
        return Err(refused(
            "NotInProgress",
            format!("milestone {} is not in progress: start it first", row.milestone_id),
        ));
    }
    let now = ctx.now();
    let mut patch = Patch::new()
        .set(MilestoneProgress::status, status)
        .set_some(MilestoneProgress::notes, notes)
        .set(MilestoneProgress::updated_at, now);
    if status == MilestoneStatus::Completed {
        patch = patch.set(MilestoneProgress::completed_at, now);
    }
    ctx.db.patch(id, patch).await
}

/// One row, or null.
#[query]
async fn get(ctx: &QueryCtx, id: Id<MilestoneProgress>) -> Result<Nullable<Doc<MilestoneProgress>>> {
    Ok(ctx.db.get(id).await?.into())
}

/// How far the learner is with a skill, milestone by milestone.
#[query]
async fn list_by_skill(
    ctx: &QueryCtx,
    skill_deconstruction_id: Id<SkillDeconstruction>,
) -> Result<Vec<Doc<MilestoneProgress>>> {
    ctx.db
        .query::<MilestoneProgress>()
        .with_index(MilestoneProgress::idx_milestone_progress_skill_deconstruction, |q| {
            q.eq(MilestoneProgress::skill_deconstruction_id, skill_deconstruction_id)
        })
        .collect()
        .await
}

page_by! {
    /// How far the learner is with a skill, in pages, the newest milestone first.
    list_by_skill_paginated = MilestoneProgress::idx_milestone_progress_skill_deconstruction(skill_deconstruction_id: Id<SkillDeconstruction>)
}

/// The newest milestones of a status.
#[query]
async fn list_by_status(
    ctx: &QueryCtx,
    status: MilestoneStatus,
    limit: Option<u32>,
) -> Result<Vec<Doc<MilestoneProgress>>> {
    let rows = ctx
        .db
        .query::<MilestoneProgress>()
        .with_index(MilestoneProgress::idx_milestone_progress_status, |q| {
            q.eq(MilestoneProgress::status, status)
        });
    rows.order(Order::Desc).take(size(limit)).await
}

/// What was completed from a time on (milliseconds since the epoch), the latest first.
#[query]
async fn list_completed_since(
    ctx: &QueryCtx,
    since: f64,
    limit: Option<u32>,
) -> Result<Vec<Doc<MilestoneProgress>>> {
    let rows = ctx
        .db
        .query::<MilestoneProgress>()
        .with_index(MilestoneProgress::idx_milestone_progress_completed_at, |q| {
            q.gte(MilestoneProgress::completed_at, since)
        });
    rows.order(Order::Desc).take(size(limit)).await
}

async fn find(
    db: &DatabaseReader,
    skill: Id<SkillDeconstruction>,
    milestone: &str,
) -> Result<Option<Doc<MilestoneProgress>>> {
    db.query::<MilestoneProgress>()
        .with_index(MilestoneProgress::milestone_progress_skill_deconstruction_id_milestone_id_key, |q| {
            q.eq(MilestoneProgress::skill_deconstruction_id, skill)
                .eq(MilestoneProgress::milestone_id, milestone.to_owned())
        })
        .unique()
        .await
}

pub(super) fn module() -> Module {
    Module::new("milestoneProgress").with(functions![
        start,
        complete,
        fail,
        get,
        list_by_skill,
        list_by_skill_paginated,
        list_by_status,
        list_completed_since
    ])
}
