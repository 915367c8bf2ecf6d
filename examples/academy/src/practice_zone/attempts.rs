//! `practiceAttempts:*`: what learners answered, and what it says about them and the item.

use hull::prelude::*;
use schema::extrovertly::User;
use schema::practice_zone::{PracticeAttempt, PracticeItem, PracticeProject, PracticeUserSkill};

use super::glicko::Rating;
use crate::not_found;
use crate::table_functions::{documents, list_by};

documents!(PracticeAttempt);
list_by! {
    /// A user's attempts, newest first.
    list_by_user = PracticeAttempt::by_user(user_id: Id<User>)
}
list_by! {
    /// The attempts at an item, newest first.
    list_by_item = PracticeAttempt::by_item(item_id: Id<PracticeItem>)
}
list_by! {
    /// The attempts within a project, newest first.
    list_by_project = PracticeAttempt::by_project(project_id: Id<PracticeProject>)
}

/// What an attempt changed.
#[derive(Object)]
struct Recorded {
    attempt_id: Id<PracticeAttempt>,
    /// The item's rating and its deviation now.
    elo: f64,
    elo_deviation: f64,
    /// The user's skills that the item trains.
    skills: Vec<SkillRating>,
}

/// A user's rating in a skill now.
#[derive(Object)]
struct SkillRating {
    skill_id: String,
    rating: f64,
    deviation: f64,
}

/// Keeps an attempt and moves the ratings by Glicko (Glickman 1999): each skill that the item's template names is
/// compared with the item as it was before, the item with the mean of these skills. A correct answer is the learner's
/// win, any other the item's. A skill that the user did not have begins at 1500 with a deviation of 350. A template
/// without skills compares the item with such a beginner.
#[mutation]
async fn record(ctx: &MutationCtx, #[hull(flatten)] attempt: PracticeAttempt) -> Result<Recorded> {
    let (user_id, item_id) = (attempt.user_id, attempt.item_id);
    ctx.db.get(user_id).await?.ok_or_else(|| not_found("user", user_id))?;
    let item = ctx.db.get(item_id).await?.ok_or_else(|| not_found("practice item", item_id))?;
    let template = ctx.db.get(item.template_id).await?;
    let mut trained = template.map(|template| Doc::into_value(template).skills).unwrap_or_default();
    trained.sort();
    trained.dedup();
    let known = ctx
        .db
        .query()
        .with_index(PracticeUserSkill::by_user, |q| q.eq(PracticeUserSkill::user_id, user_id))
        .filter(|skill| trained.contains(&skill.skill_id))
        .collect()
        .await?;

    let item_before = Rating { rating: item.elo, deviation: item.elo_deviation };
    let won = if attempt.correct { 1.0 } else { 0.0 };
    let (mut before, mut skills) = (Vec::new(), Vec::new());
    for skill_id in &trained {
        let skill = known.iter().find(|skill| skill.skill_id == *skill_id);
        let rating =
            skill.map_or(Rating::NEW, |skill| Rating { rating: skill.rating, deviation: skill.deviation });
        before.push(rating);
        let Rating { rating, deviation } = rating.after(item_before, won);
        match skill {
            Some(skill) => {
                let patch = Patch::new()
                    .set(PracticeUserSkill::rating, rating)
                    .set(PracticeUserSkill::deviation, deviation)
                    .set(PracticeUserSkill::last_updated, ctx.now());
                ctx.db.patch(skill._id, patch).await?;
            }
            None => {
                let (skill_id, last_updated) = (skill_id.clone(), ctx.now());
                let skill = PracticeUserSkill { user_id, skill_id, rating, deviation, last_updated };
                ctx.db.insert(skill).await?;
            }
        }
        skills.push(SkillRating { skill_id: skill_id.clone(), rating, deviation });
    }
    let Rating { rating: elo, deviation: elo_deviation } =
        item_before.after(Rating::mean(&before), 1.0 - won);
    let patch = Patch::new().set(PracticeItem::elo, elo).set(PracticeItem::elo_deviation, elo_deviation);
    ctx.db.patch(item_id, patch).await?;
    Ok(Recorded { attempt_id: ctx.db.insert(attempt).await?, elo, elo_deviation, skills })
}

pub(super) fn module() -> Module {
    Module::new("practiceAttempts").with(functions![
        create,
        get,
        list,
        list_by_user,
        list_by_item,
        list_by_project,
        record
    ])
}
