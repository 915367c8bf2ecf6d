//! Scenarios: content, what users did with it, and the metrics that sum that up.

use hull::prelude::*;
use rand::RngExt;
use schema::extrovertly::User;
use schema::scenarios::{
    Scenario, ScenarioAttempt, ScenarioMetadata, ScenarioOutcome, UserSavedScenario, UserScenarioProgress,
};

use super::words::*;
use super::{DAY, Sampled, TableRows, World, number, pick, some, table, title, word};

/// Scenarios that each user has tried.
const TRIED: u64 = 3;

pub(super) const TABLES: [TableRows; 6] = [
    table::<Scenario>(),
    table::<ScenarioMetadata>(),
    table::<UserScenarioProgress>(),
    table::<UserSavedScenario>(),
    table::<ScenarioAttempt>(),
    table::<ScenarioOutcome>(),
];

impl Sampled for Scenario {
    const DAYS: (f64, f64) = (30.0, 50.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.1, 12)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<Scenario> {
        let rng = &mut world.rng::<Scenario>(n);
        let level = pick(rng, &["A2", "B1", "B2", "C1"]);
        let author = rng.random_ratio(1, 3).then(|| world.id(rng.random_range(0..world.users)));
        Some(Scenario {
            title: title(SCENARIOS, n),
            description: "Two minutes of talk with somebody whom you do not know.".to_owned(),
            role: word(rng, ROLES),
            difficulty: word(rng, &["easy", "medium", "hard"]),
            instructions: word(rng, TIPS),
            context: format!("You meet {}.", pick(rng, PEOPLE)),
            expected_outcome: Some(word(rng, ENDINGS)),
            learning_goal: Some(word(rng, GOALS)),
            learning_objectives: Some(some(rng, GOALS, 2)),
            persona: Some(Value::object([("name", word(rng, FIRST_NAMES)), ("mood", word(rng, MOODS))])),
            comfort_indicators: None,
            difficulty_rating: Some(number(rng, 1..6)),
            cefr_level: Some(level.to_owned()),
            cefr_recommendation: None,
            visibility: if author.is_some() { "private" } else { "public" }.to_owned(),
            created_by_user_id: author,
            is_active: true,
            created_at: at,
            updated_at: at,
        })
    }
}

impl Sampled for ScenarioMetadata {
    const DAYS: (f64, f64) = Scenario::DAYS;

    fn count(world: &World) -> u64 {
        Scenario::count(world)
    }

    /// The sum over what users did.
    fn row(world: &World, n: u64, at: f64) -> Option<ScenarioMetadata> {
        let (mut saved, mut used, mut attempts) = (0.0, 0.0, 0.0);
        let (mut stars, mut ratings, mut last) = (0.0, 0.0, at);
        let rows = world.rows_about(n, Scenario::count(world), TRIED);
        for progress in rows.filter_map(|row| world.get::<UserScenarioProgress>(row)) {
            saved += f64::from(u8::from(progress.is_saved));
            used += progress.times_completed;
            attempts += progress.times_attempted;
            if let Some(rating) = progress.user_rating {
                stars += rating;
                ratings += 1.0;
            }
            last = progress.updated_at.max(last);
        }
        Some(ScenarioMetadata {
            scenario_id: world.id(n),
            amount_saved_count: saved,
            total_times_used: used,
            total_attempts: attempts,
            average_rating: (ratings > 0.0).then(|| stars / ratings),
            ratings_count: ratings,
            completion_rate: (attempts > 0.0).then(|| 100.0 * used / attempts),
            average_time_spent: Some(number(&mut world.rng::<ScenarioMetadata>(n), 40..400)),
            created_at: at,
            updated_at: last,
        })
    }
}

impl Sampled for UserScenarioProgress {
    const DAYS: (f64, f64) = (60.0, 290.0);

    fn count(world: &World) -> u64 {
        TRIED * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<UserScenarioProgress> {
        let rng = &mut world.rng::<UserScenarioProgress>(n);
        let (user, round) = world.user_and_round(n);
        let attempted = number(rng, 1..8);
        let completed = (attempted * number(rng, 0..11) / 10.0).floor();
        let saved = rng.random_ratio(2, 5);
        let last = at + DAY * number(rng, 0..10);
        Some(UserScenarioProgress {
            user_id: world.id(user),
            scenario_id: world.id(world.other(user, round, Scenario::count(world))),
            is_saved: saved,
            saved_at: saved.then_some(at),
            times_completed: completed,
            times_attempted: attempted,
            last_attempt_at: Some(last),
            last_completed_at: (completed > 0.0).then_some(last),
            user_rating: (completed > 0.0 && rng.random_ratio(2, 3)).then(|| number(rng, 1..6)),
            user_notes: rng.random_ratio(1, 5).then(|| word(rng, ENDINGS)),
            created_at: at,
            updated_at: last,
        })
    }
}

impl Sampled for UserSavedScenario {
    const DAYS: (f64, f64) = UserScenarioProgress::DAYS;

    fn count(world: &World) -> u64 {
        UserScenarioProgress::count(world)
    }

    /// One for each row of progress that says so.
    fn row(world: &World, n: u64, _: f64) -> Option<UserSavedScenario> {
        let UserScenarioProgress { user_id, scenario_id, saved_at, .. } = world.get(n)?;
        Some(UserSavedScenario { user_id, scenario_id, saved_at: saved_at? })
    }
}

/// What the two old tables hold alike, not migrated yet and so in no metrics.
fn old(world: &World, n: u64) -> (Id<User>, Id<Scenario>, bool, bool) {
    let rng = &mut world.rng::<ScenarioOutcome>(n);
    let (user, scenario) = (rng.random_range(0..world.users), rng.random_range(0..Scenario::count(world)));
    (world.id(user), world.id(scenario), rng.random_ratio(1, 3), rng.random_ratio(1, 2))
}

impl Sampled for ScenarioAttempt {
    const DAYS: (f64, f64) = (55.0, 60.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.25, 8)
    }

    fn row(world: &World, n: u64, _: f64) -> Option<ScenarioAttempt> {
        let (user_id, scenario_id, saved, completed) = old(world, n);
        Some(ScenarioAttempt { scenario_id, user_id, saved, completed })
    }
}

impl Sampled for ScenarioOutcome {
    const DAYS: (f64, f64) = ScenarioAttempt::DAYS;

    fn count(world: &World) -> u64 {
        ScenarioAttempt::count(world)
    }

    fn row(world: &World, n: u64, _: f64) -> Option<ScenarioOutcome> {
        let (user_id, scenario_id, saved, completed) = old(world, n);
        Some(ScenarioOutcome { scenario_id, user_id, saved, completed })
    }
}
