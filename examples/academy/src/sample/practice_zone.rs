//! The Practice Zone: what there is to practise, and what users did with it.

use std::collections::BTreeMap;

use hull::prelude::*;
use rand::RngExt;
use schema::practice_zone::{
    AiEvaluation, AttemptMetadata, ContentType, CreationStatus, CreationType, DifficultyBand, FlagStatus,
    ItemStatus, ModelHints, PracticeActivity, PracticeAttempt, PracticeCalibrationRun, PracticeCreation,
    PracticeItem, PracticeItemTemplate, PracticeModerationFlag, PracticeProject, PracticeReviewCard,
    PracticeScenario, PracticeTrack, PracticeUserPreferences, PracticeUserSkill, ReleaseStatus, Rubric,
    RubricScores, ScenarioStatus, ScenarioVariables, TimeBudget, TrackStatus, Visibility,
};

use super::words::*;
use super::{DAY, Sampled, TableRows, World, number, pick, some, table, title, word};

/// Attempts of each user.
const ATTEMPTS: u64 = 4;
/// Steps of a project.
const STEPS: u64 = 4;

pub(super) const TABLES: [TableRows; 13] = [
    table::<PracticeTrack>(),
    table::<PracticeItemTemplate>(),
    table::<PracticeProject>(),
    table::<PracticeScenario>(),
    table::<PracticeItem>(),
    table::<PracticeActivity>(),
    table::<PracticeAttempt>(),
    table::<PracticeUserSkill>(),
    table::<PracticeReviewCard>(),
    table::<PracticeUserPreferences>(),
    table::<PracticeCreation>(),
    table::<PracticeCalibrationRun>(),
    table::<PracticeModerationFlag>(),
];

/// The name of a thing in an address.
fn slug(title: &str) -> String {
    title.to_lowercase().replace(',', "").replace(' ', "-")
}

fn params(name: &str, value: impl Into<Value>) -> BTreeMap<String, Value> {
    BTreeMap::from([(name.to_owned(), value.into())])
}

/// The one who made a thing.
fn author<T: Table>(world: &World, n: u64) -> u64 {
    world.hash(T::NAME, n) % world.users
}

impl Sampled for PracticeTrack {
    const DAYS: (f64, f64) = (30.0, 31.0);

    fn count(_: &World) -> u64 {
        TRACKS.len() as u64
    }

    fn row(world: &World, n: u64, _: f64) -> Option<PracticeTrack> {
        let rng = &mut world.rng::<PracticeTrack>(n);
        let name = title(TRACKS, n);
        Some(PracticeTrack {
            slug: slug(&name),
            description: format!("{name}, from the first prompt to a finished piece."),
            title: name,
            level: (n % 3 + 1) as f64,
            icon: Some(word(rng, ICONS)),
            order: n as f64,
            tags: some(rng, TAGS, 2),
            status: TrackStatus::Live,
        })
    }
}

impl Sampled for PracticeItemTemplate {
    const DAYS: (f64, f64) = (31.0, 35.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.01, 8)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<PracticeItemTemplate> {
        let rng = &mut world.rng::<PracticeItemTemplate>(n);
        let (form, name) = [
            ("multiple-choice", "Choose the better prompt"),
            ("prompt-draft", "Draft a prompt"),
            ("output-review", "Find the mistake"),
            ("tool-choice", "Choose the tool"),
        ][n as usize % 4];
        Some(PracticeItemTemplate {
            r#type: form.to_owned(),
            title: name.to_owned(),
            description: "One question, answered within minutes.".to_owned(),
            schema: params("type", "object"),
            rubric: Rubric {
                rubric_id: format!("rubric-{n}"),
                weights: params("clarity", number(rng, 1..4)),
                max_score: 10.0,
            },
            ai_evaluation: AiEvaluation {
                enabled: n % 2 == 1,
                model_hints: (n % 2 == 1)
                    .then(|| ModelHints { provider: "any".to_owned(), model: "small".to_owned() }),
            },
            recommended_time: number(rng, 2..10),
            skills: some(rng, PRACTICE_SKILLS, 2),
            author_id: world.id(author::<PracticeItemTemplate>(world, n)),
            created_at: at,
            updated_at: at,
            status: ReleaseStatus::Live,
        })
    }
}

impl Sampled for PracticeProject {
    const DAYS: (f64, f64) = (35.0, 40.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.02, 12)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<PracticeProject> {
        let rng = &mut world.rng::<PracticeProject>(n);
        let name = title(PROJECTS, n);
        let author = world.id(author::<PracticeProject>(world, n));
        Some(PracticeProject {
            track_id: world.id(n % PracticeTrack::count(world)),
            slug: slug(&name),
            version: "1.0.0".to_owned(),
            summary: format!("{name}, in four steps."),
            title: name,
            est_time_minutes: number(rng, 15..90),
            default_difficulty: number(rng, 1..6),
            badge_id: None,
            recommended_skills: some(rng, PRACTICE_SKILLS, 2),
            status: if n % 10 == 9 { ReleaseStatus::Draft } else { ReleaseStatus::Live },
            release_notes: None,
            created_by: author,
            updated_by: author,
            created_at: at,
            updated_at: at,
            visibility: pick(
                rng,
                &[Visibility::Core, Visibility::Core, Visibility::Seasonal, Visibility::Ugc],
            ),
        })
    }
}

impl Sampled for PracticeScenario {
    const DAYS: (f64, f64) = (40.0, 45.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.025, 10)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<PracticeScenario> {
        let rng = &mut world.rng::<PracticeScenario>(n);
        let (industry, audience) = (word(rng, INDUSTRIES), word(rng, AUDIENCES));
        let name = title(PROJECTS, n);
        Some(PracticeScenario {
            track_id: world.id(n % PracticeTrack::count(world)),
            slug: format!("{}-{}", slug(&industry), slug(&name)),
            narrative: format!("A company in {industry} wants to reach {audience}."),
            title: name,
            variables: ScenarioVariables { industry, audience, goal: word(rng, PROJECTS), hooks: None },
            difficulty_hint: Some(number(rng, 1..6)),
            tags: some(rng, TAGS, 2),
            created_by: world.id(author::<PracticeScenario>(world, n)),
            created_at: at,
            status: ScenarioStatus::Live,
        })
    }
}

impl Sampled for PracticeItem {
    const DAYS: (f64, f64) = (45.0, 55.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.25, 40)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<PracticeItem> {
        let rng = &mut world.rng::<PracticeItem>(n);
        let (difficulty_band, middle) = match n % 3 {
            0 => (DifficultyBand::Foundation, 1_250.0),
            1 => (DifficultyBand::Core, 1_500.0),
            _ => (DifficultyBand::Challenge, 1_750.0),
        };
        Some(PracticeItem {
            template_id: world.id(n % PracticeItemTemplate::count(world)),
            scenario_id: rng.random_ratio(2, 3).then(|| world.id(n % PracticeScenario::count(world))),
            params: params("topic", word(rng, PROJECTS)),
            version: "1.0.0".to_owned(),
            elo: middle + number(rng, 0..200) - 100.0,
            elo_deviation: number(rng, 50..200),
            difficulty_band,
            tags: some(rng, TAGS, 1),
            created_by: world.id(author::<PracticeItem>(world, n)),
            created_at: at,
            status: match n % 12 {
                10 => ItemStatus::Experimental,
                11 => ItemStatus::Retired,
                _ => ItemStatus::Live,
            },
        })
    }
}

impl Sampled for PracticeActivity {
    const DAYS: (f64, f64) = (55.0, 60.0);

    fn count(world: &World) -> u64 {
        STEPS * PracticeProject::count(world)
    }

    fn row(world: &World, n: u64, _: f64) -> Option<PracticeActivity> {
        let rng = &mut world.rng::<PracticeActivity>(n);
        Some(PracticeActivity {
            project_id: world.id(n / STEPS),
            order: (n % STEPS + 1) as f64,
            template_id: world.id(n % PracticeItemTemplate::count(world)),
            scenario_id: Some(world.id(n / STEPS % PracticeScenario::count(world))),
            params: params("topic", word(rng, PROJECTS)),
            required: n % STEPS < 3,
            time_estimate: number(rng, 5..20),
            difficulty_override: None,
            skills: some(rng, PRACTICE_SKILLS, 1),
            version: "1.0.0".to_owned(),
        })
    }
}

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
