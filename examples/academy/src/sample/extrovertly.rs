//! Extrovertly: users, what they write, and the missions that they take on.

use hull::prelude::*;
use rand::RngExt;
use rand::rngs::StdRng;
use schema::extrovertly::{
    Achievement, Difficulty, JournalEntry, Mission, MissionStatus, User, UserAchievement, UserMission,
    UserProfile,
};

use super::journal_words::{CLOSINGS, DETAILS, FEELINGS, HAPPENED, OPENINGS};
use super::social_words::{ACHIEVEMENTS, BIOS, MISSIONS, NOTES, TWISTS};
use super::text::{Story, often};
use super::words::*;
use super::{DAY, Sampled, TableRows, World, date, number, pick, some, table, word};

/// Rounds of missions: so many has each user.
const MISSIONS_OF_USER: u64 = 6;

pub(super) const TABLES: [TableRows; 7] = [
    table::<User>(),
    table::<UserProfile>(),
    table::<JournalEntry>(),
    table::<Mission>(),
    table::<UserMission>(),
    table::<Achievement>(),
    table::<UserAchievement>(),
];

/// What a user is called: the first that chance decides of the row.
fn name(rng: &mut StdRng) -> (&'static str, &'static str) {
    (pick(rng, FIRST_NAMES), pick(rng, LAST_NAMES))
}

/// `Ada Adler`, the user of this number.
pub(super) fn name_of(world: &World, user: u64) -> String {
    let (first, last) = name(&mut world.rng::<User>(user));
    format!("{first} {last}")
}

impl Sampled for User {
    const DAYS: (f64, f64) = (0.0, 30.0);

    fn count(world: &World) -> u64 {
        world.users
    }

    /// The points are those of the missions that the user completed.
    fn row(world: &World, n: u64, at: f64) -> Option<User> {
        let rng = &mut world.rng::<User>(n);
        let (first, last) = name(rng);
        let streak = number(rng, 0..20);
        let points = (0..MISSIONS_OF_USER).filter_map(|round| {
            let taken = round * world.users + n;
            let done = status_of(&mut world.rng::<UserMission>(taken)) == MissionStatus::Completed;
            done.then(|| points_of(mission_of(world, taken)))
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
        let story = Story::new(rng);
        let bio = pick(rng, BIOS);
        Some(UserProfile {
            user_id: world.id(n),
            bio: Some(story.tell(rng, bio)),
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
        24 * world.users
    }

    /// An opening, what happened in up to three sentences, perhaps a detail, how it felt, and mostly what stays: all about one person,
    /// one place and one mood.
    fn row(world: &World, n: u64, _: f64) -> Option<JournalEntry> {
        let rng = &mut world.rng::<JournalEntry>(n);
        let story = Story::new(rng);
        let mood = rng.random_range(0..MOODS.len());
        let mut patterns = vec![pick(rng, OPENINGS)];
        let sentences = pick(rng, &[0, 1, 1, 2, 2, 3]);
        patterns.extend(some_of(rng, HAPPENED, sentences));
        if rng.random_ratio(1, 3) {
            patterns.push(pick(rng, DETAILS));
        }
        patterns.push(pick(rng, FEELINGS[mood]));
        if rng.random_ratio(3, 5) {
            patterns.push(pick(rng, CLOSINGS));
        }
        let sentences: Vec<String> = patterns.into_iter().map(|pattern| story.tell(rng, pattern)).collect();
        let content = sentences.join(" ");
        let mut tags = vec![story.person.tag.to_owned()];
        tags.extend(rng.random_ratio(1, 2).then(|| word(rng, &["courage", "rest", "gratitude", "practice"])));
        Some(JournalEntry {
            user_id: world.id(n % world.users),
            word_count: Some(content.split_whitespace().count() as f64),
            content,
            mood: MOODS[mood].to_owned(),
            reflection_prompt: rng.random_ratio(1, 3).then(|| word(rng, PROMPTS)),
            tags: Some(tags),
            is_private: rng.random_ratio(2, 3),
        })
    }
}

/// Some of a list, each once, in any order.
fn some_of(rng: &mut StdRng, from: &'static [&'static str], count: usize) -> Vec<&'static str> {
    use rand::seq::IndexedRandom;
    from.sample(rng, count).copied().collect()
}

/// How hard a mission is, from 0 to 2: a twist makes it a little harder.
fn level_of(mission: u64) -> u64 {
    let round = MISSIONS.len() as u64;
    (mission % round + mission / round) % 3
}

fn points_of(mission: u64) -> f64 {
    10.0 * (level_of(mission) + 1) as f64
}

/// The mission that an assignment is about.
fn mission_of(world: &World, assignment: u64) -> u64 {
    let (user, round) = world.user_and_round(assignment);
    world.other(user, round, Mission::count(world))
}

impl Sampled for Mission {
    const DAYS: (f64, f64) = (30.0, 40.0);

    fn count(world: &World) -> u64 {
        let known = MISSIONS.len() * TWISTS.len();
        world.per_user(0.02, 108).min(known as u64)
    }

    fn row(world: &World, n: u64, _: f64) -> Option<Mission> {
        let (name, description, category, time) = MISSIONS[n as usize % MISSIONS.len()];
        let (twist, more) = TWISTS[n as usize / MISSIONS.len() % TWISTS.len()];
        Some(Mission {
            title: format!("{name}{twist}"),
            description: format!("{description}{more}"),
            difficulty: match level_of(n) {
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

/// How far an assignment is: the first that chance decides of the row.
fn status_of(rng: &mut StdRng) -> MissionStatus {
    pick(
        rng,
        &[
            MissionStatus::Assigned,
            MissionStatus::InProgress,
            MissionStatus::Completed,
            MissionStatus::Completed,
            MissionStatus::Skipped,
        ],
    )
}

impl Sampled for UserMission {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        MISSIONS_OF_USER * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<UserMission> {
        let rng = &mut world.rng::<UserMission>(n);
        let status = status_of(rng);
        let completed = status == MissionStatus::Completed;
        let started = completed || status == MissionStatus::InProgress;
        let story = Story::new(rng);
        let notes = completed && rng.random_ratio(3, 4);
        Some(UserMission {
            user_id: world.id(n % world.users),
            mission_id: world.id(mission_of(world, n)),
            status,
            assigned_at: at,
            started_at: started.then_some(at + DAY),
            completed_at: completed.then_some(at + 3.0 * DAY),
            notes: notes.then(|| {
                let pattern = often(rng, NOTES);
                story.tell(rng, pattern)
            }),
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
        let (title, description, category, icon) = ACHIEVEMENTS[n as usize % ACHIEVEMENTS.len()];
        Some(Achievement {
            title: title.to_owned(),
            description: description.to_owned(),
            icon: icon.to_owned(),
            category: Some(category.to_owned()),
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
