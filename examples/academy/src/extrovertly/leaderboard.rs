//! Who has most points: the queries of `users:*` and `progressTracking:*` over counters.

use hull::prelude::*;
use schema::extrovertly::{ProgressTracking, User};

use crate::table_functions::size;

/// A user's place among all.
#[derive(Object, Clone, Debug, PartialEq)]
pub struct Place {
    /// 1 for the user with most points.
    pub rank: u32,
    /// The user.
    pub user_id: Id<User>,
    /// What the user is called by others.
    pub username: String,
    /// The points of all missions that the user has completed.
    pub total_points: f64,
}

/// The users with most points, the best first: 10 unless `limit` says otherwise, at most 1,000.
#[query]
pub async fn leaderboard(ctx: &QueryCtx, limit: Option<u32>) -> Result<Vec<Place>> {
    let best = ctx.db.query::<User>().with_index(User::by_total_points, |q| q).order(Order::Desc);
    let best = best.select((User::username, User::total_points)).take(size(limit.or(Some(10)))).await?;
    let places = best.into_iter().zip(1..).map(|(row, rank)| {
        let (username, total_points) = row.values;
        Place { rank, user_id: row._id, username, total_points }
    });
    Ok(places.collect())
}

/// A user's place among all users, or null where there is no such user.
#[query]
pub async fn rank(ctx: &QueryCtx, id: Id<User>) -> Result<Nullable<Rank>> {
    let before = ctx.db.rank_of(User::by_total_points, |q| q, id).order(Order::Desc).await?;
    let of = ctx.db.table_count::<User>().await?;
    Ok(before.map(|before| Rank { rank: before + 1, of }).into())
}

/// A place, and of how many.
#[derive(Object, Clone, Debug, PartialEq)]
pub struct Rank {
    /// 1 for the user with most points.
    pub rank: u32,
    /// How many users there are.
    pub of: u32,
}

/// What a user has earned, by the days that were tracked.
#[derive(Object, Clone, Debug, PartialEq)]
struct Earned {
    /// The user.
    user_id: Id<User>,
    /// The points of all days.
    points: f64,
    /// How many days were tracked.
    days: u32,
}

/// Who earned most on the days that were tracked, the best first: 10 unless `limit` says otherwise, at most 1,000.
#[query]
async fn list_by_points_earned(ctx: &QueryCtx, limit: Option<u32>) -> Result<Vec<Earned>> {
    let best = ctx.db.ranking(ProgressTracking::points_by_user).order(Order::Desc);
    let best = best.take(size(limit.or(Some(10)))).await?;
    Ok(best
        .into_iter()
        .map(|user| Earned { user_id: user.group, points: user.total, days: user.count })
        .collect())
}

/// What a user's tracked days add up to.
#[derive(Object, Clone, Debug, PartialEq)]
struct Sum {
    /// How many days were tracked.
    days: u32,
    /// The points of all of them.
    points: f64,
    /// The points of the best day, if there is one.
    best_day: Nullable<f64>,
}

/// What a user's tracked days add up to.
#[query]
async fn sum_by_user(ctx: &QueryCtx, user_id: Id<User>) -> Result<Sum> {
    let (db, index) = (&ctx.db, ProgressTracking::points_by_user);
    Ok(Sum {
        days: db.count(index, |q| q.eq(ProgressTracking::user_id, user_id)).await?,
        points: db.sum(index, |q| q.eq(ProgressTracking::user_id, user_id)).await?,
        best_day: db.max(index, |q| q.eq(ProgressTracking::user_id, user_id)).await?.into(),
    })
}

/// Adds what is asked of users.
pub(super) fn of_users(module: Module) -> Module {
    module.with(functions![leaderboard, rank])
}

/// Adds what is asked of the days that were tracked.
pub(super) fn of_progress(module: Module) -> Module {
    module.with(functions![list_by_points_earned, sum_by_user])
}
