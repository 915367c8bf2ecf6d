//! `practiceItems:*`: calibrated questions, and which of them a learner should see next.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use hull::prelude::*;
use schema::extrovertly::User;
use schema::practice_zone::{
    ItemStatus, PracticeAttempt, PracticeItem, PracticeItemTemplate, PracticeScenario,
    PracticeUserPreferences, PracticeUserSkill,
};

use super::glicko::Rating;
use crate::table_functions::{documents, list_by, size};

/// The newest live items, of which the next ones are selected.
const POOL: usize = 1000;
/// The user's newest attempts: what was correct among them does not come again.
const RECENT: usize = 100;
/// How far below a learner an item is that 75 of 100 answer right: 400 · log₁₀(0.75 / 0.25).
const COMFORT: f64 = 190.848_501_887_864_97;

documents!(PracticeItem);
list_by! {
    /// The items made from a template, newest first.
    list_by_template = PracticeItem::by_template(template_id: Id<PracticeItemTemplate>)
}
list_by! {
    /// The items within a scenario, newest first.
    list_by_scenario = PracticeItem::by_scenario(scenario_id: Id<PracticeScenario>)
}
list_by! {
    /// The items of one status, newest first.
    list_by_status = PracticeItem::by_status(status: ItemStatus)
}

/// The items that suit a user best, the most fitting first: 50 unless `limit` says otherwise, at most 1,000.
///
/// The best item is one that the user answers right three times of four, as in Klinkenberg, Straatemeier and van der
/// Maas, "Computer adaptive practice of Maths ability using a new item response model for on the fly ability and
/// difficulty estimation" (2011); in challenge mode, every second time. That is the item whose rating is nearest to the
/// mean of the user's skills less 191 points, or to the mean itself. With `skillId`, the user's rating in this skill
/// counts and only items whose template names it.
///
/// It chooses among the 1,000 newest live items, without those that the user answered right within the last 100
/// attempts.
#[query]
async fn select_next_items(
    ctx: &QueryCtx,
    user_id: Id<User>,
    skill_id: Option<String>,
    limit: Option<u32>,
) -> Result<Vec<Doc<PracticeItem>>> {
    let target = target(ctx, user_id, skill_id.as_deref()).await?;
    let attempts = ctx
        .db
        .query()
        .with_index(PracticeAttempt::by_user, |q| q.eq(PracticeAttempt::user_id, user_id))
        .order(Order::Desc)
        .take(RECENT)
        .await?;
    let known: BTreeSet<Id<PracticeItem>> =
        attempts.into_iter().filter(|attempt| attempt.correct).map(|attempt| attempt.item_id).collect();
    let mut items = ctx
        .db
        .query()
        .with_index(PracticeItem::by_status, |q| q.eq(PracticeItem::status, ItemStatus::Live))
        .order(Order::Desc)
        .take(POOL)
        .await?;
    items.retain(|item| !known.contains(&item._id));
    if let Some(skill) = skill_id {
        let mut trains: BTreeMap<Id<PracticeItemTemplate>, bool> = BTreeMap::new();
        for item in &items {
            if let Entry::Vacant(unknown) = trains.entry(item.template_id) {
                let template = ctx.db.get(item.template_id).await?;
                unknown.insert(template.is_some_and(|template| template.skills.contains(&skill)));
            }
        }
        items.retain(|item| trains.get(&item.template_id) == Some(&true));
    }
    items.sort_by(|a, b| (a.elo - target).abs().total_cmp(&(b.elo - target).abs()));
    items.truncate(size(limit));
    Ok(items)
}

/// The rating of the item that suits a user best.
async fn target(ctx: &QueryCtx, user_id: Id<User>, skill: Option<&str>) -> Result<f64> {
    let skills = ctx
        .db
        .query()
        .with_index(PracticeUserSkill::by_user, |q| q.eq(PracticeUserSkill::user_id, user_id))
        .filter(|known| skill.is_none_or(|skill| known.skill_id == skill))
        .collect()
        .await?;
    let ratings: Vec<Rating> =
        skills.iter().map(|skill| Rating { rating: skill.rating, deviation: skill.deviation }).collect();
    let preferences = ctx
        .db
        .query()
        .with_index(PracticeUserPreferences::by_user, |q| q.eq(PracticeUserPreferences::user_id, user_id))
        .order(Order::Desc)
        .first()
        .await?;
    let challenge = preferences.is_some_and(|preferences| preferences.challenge_mode);
    Ok(Rating::mean(&ratings).rating - if challenge { 0.0 } else { COMFORT })
}

pub(super) fn module() -> Module {
    Module::new("practiceItems").with(functions![
        create,
        get,
        list,
        list_by_template,
        list_by_scenario,
        list_by_status,
        select_next_items
    ])
}
