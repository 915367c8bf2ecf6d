//! `practiceReviewDeck:*`: when a learner sees an item again.

use hull::prelude::*;
use schema::extrovertly::User;
use schema::practice_zone::{PracticeItem, PracticeReviewCard};

use super::sm2::Standing;
use crate::table_functions::{documents, list_by, size};
use crate::{not_found, refused};

/// A day in milliseconds.
const DAY: f64 = 86_400_000.0;

documents!(PracticeReviewCard);
list_by! {
    /// A user's cards, newest first.
    list_by_user = PracticeReviewCard::by_user(user_id: Id<User>)
}

/// Everybody's cards that are due at `before` or were earlier, the longest overdue first: 50 unless `limit` says
/// otherwise, at most 1,000.
#[query]
async fn list_by_due(
    ctx: &QueryCtx,
    before: f64,
    limit: Option<u32>,
) -> Result<Vec<Doc<PracticeReviewCard>>> {
    let due =
        ctx.db.query().with_index(PracticeReviewCard::by_due, |q| q.lte(PracticeReviewCard::due_at, before));
    due.take(size(limit)).await
}

/// A user's cards that are due at `before`, which is now unless it is given, the longest overdue first: 50 unless
/// `limit` says otherwise, at most 1,000. Time alone does not run a subscription again: pass a later `before`.
///
/// Reads the user's whole deck, since the document has no index over the user and the time together.
#[query]
async fn due(
    ctx: &QueryCtx,
    user_id: Id<User>,
    before: Option<f64>,
    limit: Option<u32>,
) -> Result<Vec<Doc<PracticeReviewCard>>> {
    let before = before.unwrap_or_else(|| ctx.now());
    let deck = ctx
        .db
        .query()
        .with_index(PracticeReviewCard::by_user, |q| q.eq(PracticeReviewCard::user_id, user_id));
    let mut due = deck.filter(|card| card.due_at <= before).collect().await?;
    due.sort_by(|a, b| a.due_at.total_cmp(&b.due_at));
    due.truncate(size(limit));
    Ok(due)
}

/// A user's answer to an item, of `quality` 0 (no idea) to 5 (perfect): SM-2 schedules the card, which is made with the
/// first answer. Returns the card as it is now.
#[mutation]
async fn review(
    ctx: &MutationCtx,
    user_id: Id<User>,
    item_id: Id<PracticeItem>,
    quality: u8,
) -> Result<Nullable<Doc<PracticeReviewCard>>> {
    if quality > 5 {
        return Err(refused("InvalidQuality", format!("the quality of an answer is 0 to 5, not {quality}")));
    }
    ctx.db.get(user_id).await?.ok_or_else(|| not_found("user", user_id))?;
    ctx.db.get(item_id).await?.ok_or_else(|| not_found("practice item", item_id))?;
    let card = ctx
        .db
        .query()
        .with_index(PracticeReviewCard::by_user, |q| q.eq(PracticeReviewCard::user_id, user_id))
        .filter(|card| card.item_id == item_id)
        .first()
        .await?;
    let now = ctx.now();
    let (id, mut card) = match card {
        Some(card) => (Some(card._id), Doc::into_value(card)),
        None => (None, new_card(user_id, item_id, now)),
    };
    let after = Standing { stability: card.stability, difficulty: card.difficulty }.after(quality);
    card.lapse_count += if Standing::lapses(quality) { 1.0 } else { 0.0 };
    card.stability = after.stability;
    card.difficulty = after.difficulty;
    card.due_at = now + after.stability * DAY;
    card.updated_at = now;
    let id = match id {
        Some(id) => {
            ctx.db.replace(id, card).await?;
            id
        }
        None => ctx.db.insert(card).await?,
    };
    Ok(ctx.db.get(id).await?.into())
}

fn new_card(user_id: Id<User>, item_id: Id<PracticeItem>, now: f64) -> PracticeReviewCard {
    let Standing { stability, difficulty } = Standing::NEW;
    PracticeReviewCard {
        user_id,
        item_id,
        due_at: now,
        stability,
        difficulty,
        lapse_count: 0.0,
        created_at: now,
        updated_at: now,
    }
}

pub(super) fn module() -> Module {
    Module::new("practiceReviewDeck").with(functions![
        create,
        get,
        list,
        list_by_user,
        list_by_due,
        due,
        review
    ])
}
