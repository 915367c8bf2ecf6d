//! The Practice Zone: what users did with what there is to practise.

use hull::prelude::*;
use rand::RngExt;
use schema::practice_zone::{
    AttemptMetadata, ContentType, CreationStatus, CreationType, FlagStatus, PracticeAttempt,
    PracticeCalibrationRun, PracticeCreation, PracticeItem, PracticeModerationFlag, PracticeProject,
    PracticeReviewCard, PracticeUserPreferences, PracticeUserSkill, RubricScores, TimeBudget,
};

use super::practice_content::{author, params};
use super::words::*;
use super::{DAY, Sampled, TableRows, World, number, pick, some, table, word};

/// Attempts of each user.
const ATTEMPTS: u64 = 4;

pub(super) const TABLES: [TableRows; 7] = [
    table::<PracticeAttempt>(),
    table::<PracticeUserSkill>(),
    table::<PracticeReviewCard>(),
    table::<PracticeUserPreferences>(),
    table::<PracticeCreation>(),
    table::<PracticeCalibrationRun>(),
    table::<PracticeModerationFlag>(),
];

impl Sampled for PracticeAttempt {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        ATTEMPTS * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<PracticeAttempt> {
        let rng = &mut world.rng::<PracticeAttempt>(n);
        let (user, round) = world.user_and_round(n);
        let item = world.other(user, round, PracticeItem::count(world));
        let score = number(rng, 2..11);
        let time = number(rng, 20_000..300_000);
        let band = ["foundation", "core", "challenge"][(item % 3) as usize];
        Some(PracticeAttempt {
            user_id: world.id(user),
            item_id: world.id(item),
            project_id: rng.random_ratio(1, 2).then(|| world.id(item % PracticeProject::count(world))),
            response: Value::object([("choice", pick(rng, &["a", "b", "c"]))]),
            rubric_scores: rng.random_ratio(1, 3).then(|| RubricScores {
                clarity: number(rng, 0..5),
                constraints: number(rng, 0..5),
                iteration: number(rng, 0..5),
                tool: number(rng, 0..5),
            }),
            score,
            correct: score >= 6.0,
            time_ms: time,
            started_at: at - time,
            completed_at: at,
            feedback: rng.random_ratio(1, 4).then(|| word(rng, TIPS)),
            ai_feedback: None,
            metadata: Some(AttemptMetadata { mode: "solo".to_owned(), difficulty_band: band.to_owned() }),
        })
    }
}

impl Sampled for PracticeUserSkill {
    const DAYS: (f64, f64) = (60.0, 290.0);

    fn count(world: &World) -> u64 {
        2 * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<PracticeUserSkill> {
        let rng = &mut world.rng::<PracticeUserSkill>(n);
        let (user, round) = world.user_and_round(n);
        let skill = world.other(user, round, PRACTICE_SKILLS.len() as u64);
        Some(PracticeUserSkill {
            user_id: world.id(user),
            skill_id: PRACTICE_SKILLS[skill as usize].to_owned(),
            rating: 1_300.0 + number(rng, 0..500),
            deviation: number(rng, 60..350),
            last_updated: at,
        })
    }
}

impl Sampled for PracticeReviewCard {
    const DAYS: (f64, f64) = (60.0, 290.0);

    fn count(world: &World) -> u64 {
        2 * world.users
    }

    /// A card of an item that the user has tried, with an interval that SM-2 gives.
    fn row(world: &World, n: u64, at: f64) -> Option<PracticeReviewCard> {
        let rng = &mut world.rng::<PracticeReviewCard>(n);
        let (user, round) = world.user_and_round(n);
        let days = pick(rng, &[1.0, 6.0, 15.0, 38.0]);
        Some(PracticeReviewCard {
            user_id: world.id(user),
            item_id: world.id(world.other(user, round, PracticeItem::count(world))),
            due_at: at + DAY * days,
            stability: days,
            difficulty: number(rng, 0..12) / 10.0,
            lapse_count: if days > 1.0 { 0.0 } else { number(rng, 0..3) },
            created_at: at,
            updated_at: at,
        })
    }
}

impl Sampled for PracticeUserPreferences {
    const DAYS: (f64, f64) = (60.0, 70.0);

    fn count(world: &World) -> u64 {
        world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<PracticeUserPreferences> {
        let rng = &mut world.rng::<PracticeUserPreferences>(n);
        Some(PracticeUserPreferences {
            user_id: world.id(n),
            interests: some(rng, INDUSTRIES, 2),
            goals: some(rng, ROLES, 1),
            time_budget: pick(rng, &[TimeBudget::Short, TimeBudget::Standard, TimeBudget::Deep]),
            challenge_mode: rng.random_ratio(1, 4),
            notifications: Some(rng.random_ratio(1, 2)),
            coach_notes: None,
            updated_at: at,
        })
    }
}

impl Sampled for PracticeCreation {
    const DAYS: (f64, f64) = (100.0, 280.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.25, 8)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<PracticeCreation> {
        let rng = &mut world.rng::<PracticeCreation>(n);
        let status = pick(
            rng,
            &[
                CreationStatus::Draft,
                CreationStatus::Pending,
                CreationStatus::Published,
                CreationStatus::Rejected,
            ],
        );
        let reviewed = matches!(status, CreationStatus::Published | CreationStatus::Rejected);
        let reviewer = rng.random_range(0..world.users);
        Some(PracticeCreation {
            author_id: world.id(author::<PracticeCreation>(world, n)),
            r#type: if n.is_multiple_of(2) { CreationType::Project } else { CreationType::Item },
            base_id: rng.random_ratio(1, 2).then(|| world.id(n % PracticeProject::count(world))),
            draft_data: params("title", word(rng, PROJECTS)),
            status,
            moderation_state: None,
            submitted_at: (status != CreationStatus::Draft).then_some(at + DAY),
            reviewed_at: reviewed.then_some(at + 3.0 * DAY),
            reviewer_id: reviewed.then(|| world.id(reviewer)),
            notes: (status == CreationStatus::Rejected).then(|| "Too close to another one.".to_owned()),
        })
    }
}

impl Sampled for PracticeCalibrationRun {
    const DAYS: (f64, f64) = (299.0, 300.0);

    fn count(world: &World) -> u64 {
        PracticeItem::count(world)
    }

    /// One for each item, over the attempts at it.
    fn row(world: &World, n: u64, at: f64) -> Option<PracticeCalibrationRun> {
        let rows = world.rows_about(n, PracticeItem::count(world), ATTEMPTS);
        let scores: Vec<f64> =
            rows.filter_map(|row| world.get::<PracticeAttempt>(row)).map(|attempt| attempt.score).collect();
        let count = scores.len() as f64;
        let mean = if scores.is_empty() { 0.0 } else { scores.iter().sum::<f64>() / count };
        let squares: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
        let standard_error = if count > 1.0 { (squares / (count - 1.0) / count).sqrt() } else { 0.0 };
        Some(PracticeCalibrationRun {
            item_id: world.id(n),
            attempts: count,
            mean_score: mean,
            standard_error,
            last_run_at: at,
            settled: count > 1.0 && standard_error < 1.0,
        })
    }
}

impl Sampled for PracticeModerationFlag {
    const DAYS: (f64, f64) = (100.0, 290.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.1, 5)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<PracticeModerationFlag> {
        let rng = &mut world.rng::<PracticeModerationFlag>(n);
        let status = pick(rng, &[FlagStatus::Open, FlagStatus::Resolved, FlagStatus::Dismissed]);
        let item = rng.random_range(0..PracticeItem::count(world));
        Some(PracticeModerationFlag {
            content_type: ContentType::Item,
            content_id: world.id(item),
            reporter_id: world.id(author::<PracticeModerationFlag>(world, n)),
            reason: word(rng, &["wrong answer", "unclear", "out of date"]),
            notes: None,
            status,
            created_at: at,
            resolved_at: (status != FlagStatus::Open).then_some(at + 2.0 * DAY),
        })
    }
}
