//! `users:*`: the people who use the application.

use hull::prelude::*;
use schema::extrovertly::User;

use super::not_found;
use crate::table_functions::pages;

/// A new user, with the application's starting values.
#[mutation]
pub async fn create_user(
    ctx: &MutationCtx,
    email: String,
    username: String,
    first_name: String,
    last_name: Option<String>,
) -> Result<Id<User>> {
    ctx.db
        .insert(User {
            email,
            username,
            first_name,
            last_name,
            avatar_url: None,
            date_of_birth: None,
            last_login_at: None,
            is_active: true,
            preferences: None,
            confidence_level: 3.0,
            total_points: 0.0,
            streak_days: 0.0,
            longest_streak: 0.0,
        })
        .await
}

/// A new user with all fields given.
#[mutation]
pub async fn create(ctx: &MutationCtx, #[hull(flatten)] user: User) -> Result<Id<User>> {
    ctx.db.insert(user).await
}

/// One user, or null.
#[query]
pub async fn get(ctx: &QueryCtx, id: Id<User>) -> Result<Nullable<Doc<User>>> {
    Ok(ctx.db.get(id).await?.into())
}

/// The user with this email address, or null.
#[query]
pub async fn get_by_email(ctx: &QueryCtx, email: String) -> Result<Nullable<Doc<User>>> {
    Ok(ctx.db.query::<User>().with_index(User::by_email, |q| q.eq(User::email, email)).first().await?.into())
}

/// The user with this name, or null.
#[query]
pub async fn get_by_username(ctx: &QueryCtx, username: String) -> Result<Nullable<Doc<User>>> {
    Ok(ctx
        .db
        .query::<User>()
        .with_index(User::by_username, |q| q.eq(User::username, username))
        .first()
        .await?
        .into())
}

/// The newest users first, 50 unless `limit` says otherwise.
#[query]
pub async fn list(ctx: &QueryCtx, limit: Option<u32>) -> Result<Vec<Doc<User>>> {
    ctx.db.query::<User>().order(Order::Desc).take(limit.unwrap_or(50) as usize).await
}

pages!(User);

/// Changes the fields that are given.
#[mutation]
pub async fn update(
    ctx: &MutationCtx,
    id: Id<User>,
    email: Option<String>,
    username: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    avatar_url: Option<String>,
    confidence_level: Option<f64>,
    is_active: Option<bool>,
) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("user", id))?;
    ctx.db
        .patch(
            id,
            Patch::new()
                .set_some(User::email, email)
                .set_some(User::username, username)
                .set_some(User::first_name, first_name)
                .set_some(User::last_name, last_name)
                .set_some(User::avatar_url, avatar_url)
                .set_some(User::confidence_level, confidence_level)
                .set_some(User::is_active, is_active),
        )
        .await
}

/// Removes a user, and what belongs to nobody else: the profile, the journal and the missions assigned.
#[mutation]
pub async fn remove(ctx: &MutationCtx, id: Id<User>) -> Result<()> {
    use schema::extrovertly::{JournalEntry, UserMission, UserProfile};
    ctx.db.get(id).await?.ok_or_else(|| not_found("user", id))?;
    for profile in ctx
        .db
        .query()
        .with_index(UserProfile::by_user_id, |q| q.eq(UserProfile::user_id, id))
        .collect()
        .await?
    {
        ctx.db.delete(profile._id).await?;
    }
    for entry in ctx
        .db
        .query()
        .with_index(JournalEntry::by_user_id, |q| q.eq(JournalEntry::user_id, id))
        .collect()
        .await?
    {
        ctx.db.delete(entry._id).await?;
    }
    for mission in ctx
        .db
        .query()
        .with_index(UserMission::by_user_id, |q| q.eq(UserMission::user_id, id))
        .collect()
        .await?
    {
        ctx.db.delete(mission._id).await?;
    }
    ctx.db.delete(id).await
}

pub(super) fn module() -> Module {
    super::leaderboard::of_users(Module::new("users").with(functions![
        create_user,
        create,
        get,
        get_by_email,
        get_by_username,
        list,
        list_paginated,
        update,
        remove
    ]))
}
