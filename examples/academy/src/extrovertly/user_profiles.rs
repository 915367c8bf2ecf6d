//! `userProfiles:*`: what users tell about themselves.

use hull::prelude::*;
use schema::extrovertly::{User, UserProfile};

use super::not_found;

/// A new profile with its fields.
#[mutation]
async fn create(ctx: &MutationCtx, #[hull(flatten)] profile: UserProfile) -> Result<Id<UserProfile>> {
    ctx.db.insert(profile).await
}

/// One profile, or null.
#[query]
async fn get(ctx: &QueryCtx, id: Id<UserProfile>) -> Result<Nullable<Doc<UserProfile>>> {
    Ok(ctx.db.get(id).await?.into())
}

/// The profile of a user, or null.
#[query]
async fn get_by_user(ctx: &QueryCtx, user_id: Id<User>) -> Result<Nullable<Doc<UserProfile>>> {
    let profiles = ctx
        .db
        .query::<UserProfile>()
        .with_index(UserProfile::by_user_id, |q| q.eq(UserProfile::user_id, user_id));
    Ok(profiles.first().await?.into())
}

/// The newest profiles first, 50 unless `limit` says otherwise.
#[query]
async fn list(ctx: &QueryCtx, limit: Option<u32>) -> Result<Vec<Doc<UserProfile>>> {
    ctx.db.query::<UserProfile>().order(Order::Desc).take(limit.unwrap_or(50) as usize).await
}

/// Changes the fields that are given.
#[mutation]
async fn update(
    ctx: &MutationCtx,
    id: Id<UserProfile>,
    bio: Option<String>,
    social_goals: Option<Vec<String>>,
    comfort_levels: Option<Value>,
    interests: Option<Vec<String>>,
    social_contexts: Option<Value>,
) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("user profile", id))?;
    ctx.db
        .patch(
            id,
            Patch::new()
                .set_some(UserProfile::bio, bio)
                .set_some(UserProfile::social_goals, social_goals)
                .set_some(UserProfile::comfort_levels, comfort_levels)
                .set_some(UserProfile::interests, interests)
                .set_some(UserProfile::social_contexts, social_contexts),
        )
        .await
}

/// Removes a profile.
#[mutation]
async fn remove(ctx: &MutationCtx, id: Id<UserProfile>) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("user profile", id))?;
    ctx.db.delete(id).await
}

pub(super) fn module() -> Module {
    Module::new("userProfiles").with(functions![create, get, get_by_user, list, update, remove])
}
