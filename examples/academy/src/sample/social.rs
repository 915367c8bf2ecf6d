//! Extrovertly: the coach, and what the application observes of its users.

use hull::prelude::*;
use rand::RngExt;
use schema::extrovertly::{
    CoachConversation, CoachMessage, GoalStatus, MessageType, MoodTracking, ProgressTracking, Sender,
    SocialGoal, WeeklyInsight,
};

use super::social_words::{GOAL_PLANS, INSIGHTS, NOTES, TALK};
use super::text::{Story, often};
use super::words::*;
use super::{DAY, Sampled, TableRows, World, date, number, pick, some, table, word};

/// Messages of a conversation.
const MESSAGES: u64 = TALK.len() as u64;
/// Between two messages, in milliseconds.
const PAUSE: f64 = 40_000.0;

pub(super) const TABLES: [TableRows; 6] = [
    table::<CoachConversation>(),
    table::<CoachMessage>(),
    table::<ProgressTracking>(),
    table::<WeeklyInsight>(),
    table::<MoodTracking>(),
    table::<SocialGoal>(),
];

impl Sampled for CoachConversation {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        2 * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<CoachConversation> {
        let rng = &mut world.rng::<CoachConversation>(n);
        // The first that chance decides, so that the messages know it too.
        let story = Story::new(rng);
        Some(CoachConversation {
            user_id: world.id(n % world.users),
            session_id: format!("session-{:016x}", rng.random::<u64>()),
            ended_at: Some(at + PAUSE * (MESSAGES + 1) as f64),
            session_summary: rng
                .random_ratio(2, 3)
                .then(|| story.tell(rng, "About {event}. Next step: {goal}.")),
        })
    }
}

impl Sampled for CoachMessage {
    const DAYS: (f64, f64) = CoachConversation::DAYS;

    fn count(world: &World) -> u64 {
        MESSAGES * CoachConversation::count(world)
    }

    fn made(world: &World, n: u64) -> f64 {
        CoachConversation::made(world, n / MESSAGES) + PAUSE * (n % MESSAGES + 1) as f64
    }

    /// User and coach take turns, about one occasion.
    fn row(world: &World, n: u64, _: f64) -> Option<CoachMessage> {
        let rng = &mut world.rng::<CoachMessage>(n);
        let story = Story::new(&mut world.rng::<CoachConversation>(n / MESSAGES));
        let turn = (n % MESSAGES) as usize;
        let asked = turn.is_multiple_of(2);
        let pattern = pick(rng, TALK[turn]);
        Some(CoachMessage {
            conversation_id: world.id(n / MESSAGES),
            content: story.tell(rng, pattern),
            sender: if asked { Sender::User } else { Sender::Coach },
            message_type: match turn {
                3 => MessageType::Scenario,
                5 => MessageType::Advice,
                _ => MessageType::Text,
            },
            metadata: (!asked).then(|| Value::object([("confidence", number(rng, 50..100) / 100.0)])),
        })
    }
}

impl Sampled for ProgressTracking {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        10 * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<ProgressTracking> {
        let rng = &mut world.rng::<ProgressTracking>(n);
        let (journal, events, missions) = (number(rng, 0..3), number(rng, 0..2), number(rng, 0..3));
        // Confidence rises a little from row to row of a user.
        let gained = (n / world.users) as f64 * 0.3;
        Some(ProgressTracking {
            user_id: world.id(n % world.users),
            tracking_date: date(at),
            confidence_level: Some(number(rng, 25..55) / 10.0 + gained),
            mood: Some(word(rng, MOODS)),
            activities_completed: journal + events + missions,
            journal_entries: journal,
            events_attended: events,
            missions_completed: missions,
            points_earned: 10.0 * missions,
        })
    }
}

impl Sampled for WeeklyInsight {
    const DAYS: (f64, f64) = (67.0, 300.0);

    fn count(world: &World) -> u64 {
        3 * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<WeeklyInsight> {
        let rng = &mut world.rng::<WeeklyInsight>(n);
        let (insight_type, title, description) = pick(rng, INSIGHTS);
        let percent = number(rng, 1..40);
        Some(WeeklyInsight {
            user_id: world.id(n % world.users),
            week_start_date: date(at - 7.0 * DAY),
            insight_type: insight_type.to_owned(),
            title: title.to_owned(),
            description: description.replace("{percent}", &percent.to_string()),
            data: Some(Value::object([("change", percent)])),
            is_read: rng.random_ratio(1, 2),
        })
    }
}

impl Sampled for MoodTracking {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        7 * world.users
    }

    fn row(world: &World, n: u64, _: f64) -> Option<MoodTracking> {
        let rng = &mut world.rng::<MoodTracking>(n);
        let story = Story::new(rng);
        let pattern = pick(
            rng,
            &["Met {person} {at}", "{length} {at}", "Talked about {topic}", "Before {event}", "Had {food}"],
        );
        Some(MoodTracking {
            user_id: world.id(n % world.users),
            mood: word(rng, MOODS),
            intensity: Some(number(rng, 1..11)),
            context: Some(story.tell(rng, pattern)),
            triggers: rng.random_ratio(1, 2).then(|| some(rng, TAGS, 1)),
        })
    }
}

impl Sampled for SocialGoal {
    const DAYS: (f64, f64) = (60.0, 200.0);

    fn count(world: &World) -> u64 {
        3 * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<SocialGoal> {
        let rng = &mut world.rng::<SocialGoal>(n);
        let target = number(rng, 2..12);
        let status = pick(
            rng,
            &[
                GoalStatus::Active,
                GoalStatus::Active,
                GoalStatus::Completed,
                GoalStatus::Paused,
                GoalStatus::Cancelled,
            ],
        );
        let done = status == GoalStatus::Completed;
        let story = Story::new(rng);
        let (title, description, category) = pick(rng, GOAL_PLANS);
        let title = story.tell(rng, title);
        let remark = often(rng, NOTES);
        Some(SocialGoal {
            user_id: world.id(n % world.users),
            title,
            description: Some(match done {
                true => format!(
                    "{description} {remark}",
                    description = story.tell(rng, description),
                    remark = story.tell(rng, remark)
                ),
                false => story.tell(rng, description),
            }),
            category: Some(category.to_owned()),
            target_value: Some(target),
            current_value: if done { target } else { (target * number(rng, 0..90) / 100.0).floor() },
            target_date: Some(date(at + DAY * number(rng, 30..100))),
            status,
        })
    }
}
