//! `userMissions:*`: which user took on which mission, and how it went.

use hull::functions::Query;
use hull::prelude::*;
use schema::extrovertly::{Mission, MissionStatus, User, UserMission};

use super::not_found;
use crate::table_functions::page_by;

/// Assigns a mission to a user, from now on.
#[mutation]
async fn assign_mission(
    ctx: &MutationCtx,
    user_id: Id<User>,
    mission_id: Id<Mission>,
) -> Result<Id<UserMission>> {
    ctx.db
        .insert(UserMission {
            user_id,
            mission_id,
            status: MissionStatus::Assigned,
            assigned_at: ctx.now(),
            started_at: None,
            completed_at: None,
            notes: None,
            difficulty_rating: None,
            satisfaction_rating: None,
        })
        .await
}

/// A new assignment with its fields.
#[mutation]
async fn create(ctx: &MutationCtx, #[hull(flatten)] assignment: UserMission) -> Result<Id<UserMission>> {
    ctx.db.insert(assignment).await
}

/// One assignment, or null.
#[query]
async fn get(ctx: &QueryCtx, id: Id<UserMission>) -> Result<Nullable<Doc<UserMission>>> {
    Ok(ctx.db.get(id).await?.into())
}

/// A user's assignments, newest first; of one status where it is given.
#[query]
async fn list(
    ctx: &QueryCtx,
    user_id: Id<User>,
    status: Option<MissionStatus>,
) -> Result<Vec<Doc<UserMission>>> {
    assignments(ctx, user_id, status).collect().await
}

/// A user's assignments in pages, newest first; of one status where it is given.
#[query]
async fn list_paginated(
    ctx: &QueryCtx,
    user_id: Id<User>,
    status: Option<MissionStatus>,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<Doc<UserMission>>> {
    assignments(ctx, user_id, status).paginate(pagination_opts).await
}

fn assignments(ctx: &QueryCtx, user_id: Id<User>, status: Option<MissionStatus>) -> Query<'_, UserMission> {
    let assignments = ctx.db.query::<UserMission>();
    let assignments = match status {
        Some(status) => assignments.with_index(UserMission::by_user_status, |q| {
            q.eq(UserMission::user_id, user_id).eq(UserMission::status, status)
        }),
        None => assignments.with_index(UserMission::by_user_id, |q| q.eq(UserMission::user_id, user_id)),
    };
    assignments.order(Order::Desc)
}

page_by! {
    /// Who took on this mission, in pages, the newest first.
    list_by_mission_paginated = UserMission::by_mission_id(mission_id: Id<Mission>)
}

/// Who took on this mission, the oldest first.
#[query]
async fn list_by_mission(ctx: &QueryCtx, mission_id: Id<Mission>) -> Result<Vec<Doc<UserMission>>> {
    ctx.db
        .query::<UserMission>()
        .with_index(UserMission::by_mission_id, |q| q.eq(UserMission::mission_id, mission_id))
        .collect()
        .await
}

/// Moves an assignment on. The time of the first start and of the completion is kept; completing a mission for the
/// first time gives the user its points, however many of the user's missions are completed at the same time.
#[mutation]
async fn set_status(ctx: &MutationCtx, id: Id<UserMission>, status: MissionStatus) -> Result<()> {
    let assignment = ctx.db.get(id).await?.ok_or_else(|| not_found("assignment", id))?;
    let mut patch = Patch::new().set(UserMission::status, status);
    if status == MissionStatus::InProgress && assignment.started_at.is_none() {
        patch = patch.set(UserMission::started_at, ctx.now());
    }
    if status == MissionStatus::Completed && assignment.completed_at.is_none() {
        patch = patch.set(UserMission::completed_at, ctx.now());
        let mission = ctx.db.get(assignment.mission_id).await?;
        // Whether there is the user, and nothing else about it: so no two mutations that give points wait for each other.
        let users = ctx.db.query::<User>().with_index(User::by_id, |q| q.eq(User::_id, assignment.user_id));
        if let (Some(mission), true) = (mission, users.exists().await?) {
            ctx.db.increment(assignment.user_id, User::total_points, mission.points).await?;
        }
    }
    ctx.db.patch(id, patch).await
}

/// Changes the fields that are given.
#[mutation]
async fn update(
    ctx: &MutationCtx,
    id: Id<UserMission>,
    notes: Option<String>,
    difficulty_rating: Option<f64>,
    satisfaction_rating: Option<f64>,
) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("assignment", id))?;
    ctx.db
        .patch(
            id,
            Patch::new()
                .set_some(UserMission::notes, notes)
                .set_some(UserMission::difficulty_rating, difficulty_rating)
                .set_some(UserMission::satisfaction_rating, satisfaction_rating),
        )
        .await
}

/// Removes an assignment.
#[mutation]
async fn remove(ctx: &MutationCtx, id: Id<UserMission>) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("assignment", id))?;
    ctx.db.delete(id).await
}

pub(super) fn module() -> Module {
    Module::new("userMissions").with(functions![
        assign_mission,
        create,
        get,
        list,
        list_paginated,
        list_by_mission,
        list_by_mission_paginated,
        set_status,
        update,
        remove
    ])
}
