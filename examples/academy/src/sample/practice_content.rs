//! The Practice Zone: what there is to practise.

use std::collections::BTreeMap;

use hull::prelude::*;
use rand::RngExt;
use schema::practice_zone::{
    AiEvaluation, DifficultyBand, ItemStatus, ModelHints, PracticeActivity, PracticeItem,
    PracticeItemTemplate, PracticeProject, PracticeScenario, PracticeTrack, ReleaseStatus, Rubric,
    ScenarioStatus, ScenarioVariables, TrackStatus, Visibility,
};

use super::words::*;
use super::{Sampled, TableRows, World, number, pick, some, table, title, word};

/// Steps of a project.
const STEPS: u64 = 4;

pub(super) const TABLES: [TableRows; 6] = [
    table::<PracticeTrack>(),
    table::<PracticeItemTemplate>(),
    table::<PracticeProject>(),
    table::<PracticeScenario>(),
    table::<PracticeItem>(),
    table::<PracticeActivity>(),
];

/// The name of a thing in an address.
fn slug(title: &str) -> String {
    title.to_lowercase().replace(',', "").replace(' ', "-")
}

pub(super) fn params(name: &str, value: impl Into<Value>) -> BTreeMap<String, Value> {
    BTreeMap::from([(name.to_owned(), value.into())])
}

/// The one who made a thing.
pub(super) fn author<T: Table>(world: &World, n: u64) -> u64 {
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
