//! Extrovertly: users, what they write, and the missions that they take on.

use hull::prelude::*;
use rand::RngExt;
use schema::extrovertly::{
    Achievement, Difficulty, JournalEntry, Mission, MissionStatus, User, UserAchievement, UserMission,
    UserProfile,
};

use super::words::*;
use super::{DAY, Sampled, TableRows, World, date, number, pick, some, table, title, word};

/// Rounds of missions: so many has each user.
const MISSIONS_OF_USER: u64 = 3;

pub(super) const TABLES: [TableRows; 7] = [
    table::<User>(),
    table::<UserProfile>(),
    table::<JournalEntry>(),
    table::<Mission>(),
    table::<UserMission>(),
    table::<Achievement>(),
    table::<UserAchievement>(),
];

impl Sampled for User {
    const DAYS: (f64, f64) = (0.0, 30.0);

    fn count(world: &World) -> u64 {
        world.users
    }

    /// The points are those of the missions that the user completed.
    fn row(world: &World, n: u64, at: f64) -> Option<User> {
        let rng = &mut world.rng::<User>(n);
        let (first, last) = (pick(rng, FIRST_NAMES), pick(rng, LAST_NAMES));
        let streak = number(rng, 0..20);
        let points = (0..MISSIONS_OF_USER).filter_map(|round| {
            let taken = world.get::<UserMission>(round * world.users + n)?;
            let mission = mission_of(world, round * world.users + n);
            (taken.status == MissionStatus::Completed).then(|| points_of(mission))
        });
        Some(User {
            email: format!("{}.{}{n}@example.com", first.to_lowercase(), last.to_lowercase()),
            username: format!("{}{n}", first.to_lowercase()),
            first_name: first.to_owned(),
            last_name: Some(last.to_owned()),
            avatar_url: None,
            date_of_birth: Some(date(at - DAY * number(rng, 19 * 365..55 * 365))),
            last_login_at: Some(at + DAY * number(rng, 0..270)),
            is_active: rng.random_ratio(9, 10),
            preferences: rng.random_ratio(1, 3).then(|| Value::object([("theme", word(rng, THEMES))])),
            confidence_level: number(rng, 10..100) / 10.0,
            total_points: points.sum(),
            streak_days: streak,
            longest_streak: streak + number(rng, 0..30),
        })
    }
}

impl Sampled for UserProfile {
    const DAYS: (f64, f64) = User::DAYS;

    fn count(world: &World) -> u64 {
        world.users
    }

    fn row(world: &World, n: u64, _: f64) -> Option<UserProfile> {
        let rng = &mut world.rng::<UserProfile>(n);
        Some(UserProfile {
            user_id: world.id(n),
            bio: Some(format!("Working on it: {}.", word(rng, GOALS).to_lowercase())),
            social_goals: Some(some(rng, GOALS, 2)),
            comfort_levels: Some(Value::object([
                ("groups", number(rng, 1..6)),
                ("strangers", number(rng, 1..6)),
            ])),
            interests: Some(some(rng, INTERESTS, 3)),
            social_contexts: None,
        })
    }
}

impl Sampled for JournalEntry {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        6 * world.users
    }

    fn row(world: &World, n: u64, _: f64) -> Option<JournalEntry> {
        let rng = &mut world.rng::<JournalEntry>(n);
        let content = format!("{} {}. {}", pick(rng, OPENINGS), pick(rng, PEOPLE), pick(rng, ENDINGS));
        Some(JournalEntry {
            user_id: world.id(n % world.users),
            word_count: Some(content.split_whitespace().count() as f64),
            content,
            mood: word(rng, MOODS),
            reflection_prompt: rng.random_ratio(1, 2).then(|| word(rng, PROMPTS)),
            tags: Some(some(rng, TAGS, 2)),
            is_private: rng.random_ratio(2, 3),
        })
    }
}

fn points_of(mission: u64) -> f64 {
    10.0 * (mission % 3 + 1) as f64
}

/// The mission that an assignment is about.
fn mission_of(world: &World, assignment: u64) -> u64 {
    let (user, round) = world.user_and_round(assignment);
    world.other(user, round, Mission::count(world))
}

impl Sampled for Mission {
    const DAYS: (f64, f64) = (30.0, 40.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.02, 12)
    }

    fn row(world: &World, n: u64, _: f64) -> Option<Mission> {
        let (name, description, category, time) = MISSIONS[n as usize % MISSIONS.len()];
        Some(Mission {
            title: match n as usize / MISSIONS.len() {
                0 => name.to_owned(),
                round => format!("{name}, part {}", round + 1),
            },
            description: description.to_owned(),
            difficulty: match n % 3 {
                0 => Difficulty::Beginner,
                1 => Difficulty::Intermediate,
                _ => Difficulty::Advanced,
            },
            category: category.to_owned(),
            points: points_of(n),
            time_estimate: Some(time.to_owned()),
            tips: Some(some(&mut world.rng::<Mission>(n), TIPS, 2)),
            requirements: None,
            is_active: true,
        })
    }
}

impl Sampled for UserMission {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        MISSIONS_OF_USER * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<UserMission> {
        let rng = &mut world.rng::<UserMission>(n);
        let status = pick(
            rng,
            &[
                MissionStatus::Assigned,
                MissionStatus::InProgress,
                MissionStatus::Completed,
                MissionStatus::Completed,
                MissionStatus::Skipped,
            ],
        );
        let completed = status == MissionStatus::Completed;
        let started = completed || status == MissionStatus::InProgress;
        Some(UserMission {
            user_id: world.id(n % world.users),
            mission_id: world.id(mission_of(world, n)),
            status,
            assigned_at: at,
            started_at: started.then_some(at + DAY),
            completed_at: completed.then_some(at + 3.0 * DAY),
            notes: completed.then(|| word(rng, ENDINGS)),
            difficulty_rating: completed.then(|| number(rng, 1..6)),
            satisfaction_rating: completed.then(|| number(rng, 1..6)),
        })
    }
}

impl Sampled for Achievement {
    const DAYS: (f64, f64) = (30.0, 31.0);

    fn count(_: &World) -> u64 {
        ACHIEVEMENTS.len() as u64
    }

    fn row(world: &World, n: u64, _: f64) -> Option<Achievement> {
        let rng = &mut world.rng::<Achievement>(n);
        Some(Achievement {
            title: title(ACHIEVEMENTS, n),
            description: "Earned by doing it, not by doing it well.".to_owned(),
            icon: word(rng, ICONS),
            category: Some(word(rng, CATEGORIES)),
            requirements: Value::object([("count", number(rng, 1..20))]),
            points_reward: 10.0 * number(rng, 1..10),
            is_active: true,
        })
    }
}

impl Sampled for UserAchievement {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        2 * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<UserAchievement> {
        let (user, round) = world.user_and_round(n);
        let achievement = world.other(user, round, Achievement::count(world));
        let steps = number(&mut world.rng::<UserAchievement>(n), 1..20);
        Some(UserAchievement {
            user_id: world.id(user),
            achievement_id: world.id(achievement),
            earned_at: at,
            progress: steps,
            max_progress: steps,
        })
    }
}
