//! The sample data set: believable, and the same for the same seed.

mod words;

use hull::Caller;
use hull::prelude::*;
use hull::value::Packed;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use schema::extrovertly::{Difficulty, JournalEntry, Mission, MissionStatus, User, UserMission, UserProfile};

use words::*;

const SEED: u64 = 0x48_75_6c_6c;
const USERS: usize = 40;
const ENTRIES_A_USER: usize = 6;
const MISSIONS_A_USER: usize = 3;
/// 2026-01-01T00:00:00Z, in milliseconds.
const EPOCH: f64 = 1_767_225_600_000.0;
const DAY: f64 = 86_400_000.0;

/// Fills a new data directory through the application's own functions.
pub async fn load(app: Caller) -> Result<()> {
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut missions: Vec<Id<Mission>> = Vec::new();
    for (number, &mission) in MISSIONS.iter().enumerate() {
        missions
            .push(id(app.mutation("missions:create", &self::mission(&mut rng, number, mission)).await?)?);
    }
    for number in 0..USERS {
        let user = user(&mut rng, number);
        let user: Id<User> = id(app.mutation("users:create", &user).await?)?;
        app.mutation("userProfiles:create", &profile(&mut rng, user)).await?;
        for _ in 0..ENTRIES_A_USER {
            app.mutation("journalEntries:create", &entry(&mut rng, user)).await?;
        }
        for &mission in missions.sample(&mut rng, MISSIONS_A_USER) {
            app.mutation("userMissions:create", &assignment(&mut rng, user, mission)).await?;
        }
    }
    Ok(())
}

fn id<T>(result: Packed) -> Result<Id<T>> {
    Ok(Id::decode(result.as_ref())?)
}

fn pick<'a, T>(rng: &mut StdRng, from: &'a [T]) -> &'a T {
    // Every list of words holds some.
    from.choose(rng).unwrap_or(&from[0])
}

fn some(rng: &mut StdRng, from: &[&str], count: usize) -> Vec<String> {
    from.sample(rng, count).map(|&s| s.to_owned()).collect()
}

fn user(rng: &mut StdRng, number: usize) -> User {
    let first = *pick(rng, FIRST_NAMES);
    let last = *pick(rng, LAST_NAMES);
    let streak = rng.random_range(0..20);
    User {
        email: format!("{}.{}{number}@example.com", first.to_lowercase(), last.to_lowercase()),
        username: format!("{}{number}", first.to_lowercase()),
        first_name: first.to_owned(),
        last_name: Some(last.to_owned()),
        avatar_url: None,
        date_of_birth: Some(format!(
            "{}-{:02}-{:02}",
            rng.random_range(1970..2006),
            rng.random_range(1..13),
            rng.random_range(1..29)
        )),
        last_login_at: Some(EPOCH + DAY * f64::from(rng.random_range(0..300))),
        is_active: rng.random_ratio(9, 10),
        preferences: None,
        confidence_level: f64::from(rng.random_range(10..100)) / 10.0,
        total_points: f64::from(rng.random_range(0..50) * 10),
        streak_days: f64::from(streak),
        longest_streak: f64::from(streak + rng.random_range(0..30)),
    }
}

fn profile(rng: &mut StdRng, user_id: Id<User>) -> UserProfile {
    UserProfile {
        user_id,
        bio: Some(format!("Working on it: {}.", pick(rng, GOALS).to_lowercase())),
        social_goals: Some(some(rng, GOALS, 2)),
        comfort_levels: None,
        interests: Some(some(rng, INTERESTS, 3)),
        social_contexts: None,
    }
}

fn entry(rng: &mut StdRng, user_id: Id<User>) -> JournalEntry {
    let content = format!("{} {}. {}", pick(rng, OPENINGS), pick(rng, PEOPLE), pick(rng, ENDINGS));
    JournalEntry {
        user_id,
        word_count: Some(content.split_whitespace().count() as f64),
        content,
        mood: (*pick(rng, MOODS)).to_owned(),
        reflection_prompt: rng.random_ratio(1, 2).then(|| (*pick(rng, PROMPTS)).to_owned()),
        tags: Some(some(rng, TAGS, 2)),
        is_private: rng.random_ratio(2, 3),
    }
}

fn mission(rng: &mut StdRng, number: usize, words: (&str, &str, &str, &str)) -> Mission {
    let (title, description, category, time) = words;
    let difficulty = match number % 3 {
        0 => Difficulty::Beginner,
        1 => Difficulty::Intermediate,
        _ => Difficulty::Advanced,
    };
    Mission {
        title: title.to_owned(),
        description: description.to_owned(),
        difficulty,
        category: category.to_owned(),
        points: f64::from(10 * (number as u32 % 3 + 1)),
        time_estimate: Some(time.to_owned()),
        tips: Some(some(rng, TIPS, 2)),
        requirements: None,
        is_active: true,
    }
}

fn assignment(rng: &mut StdRng, user_id: Id<User>, mission_id: Id<Mission>) -> UserMission {
    let assigned_at = EPOCH + DAY * f64::from(rng.random_range(0..250));
    let (status, started, completed) = match rng.random_range(0..4) {
        0 => (MissionStatus::Assigned, false, false),
        1 => (MissionStatus::InProgress, true, false),
        2 => (MissionStatus::Completed, true, true),
        _ => (MissionStatus::Skipped, false, false),
    };
    UserMission {
        user_id,
        mission_id,
        status,
        assigned_at,
        started_at: started.then_some(assigned_at + DAY),
        completed_at: completed.then_some(assigned_at + 3.0 * DAY),
        notes: None,
        difficulty_rating: completed.then(|| f64::from(rng.random_range(1..6))),
        satisfaction_rating: completed.then(|| f64::from(rng.random_range(1..6))),
    }
}
