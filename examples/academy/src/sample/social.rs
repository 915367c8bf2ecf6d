//! Extrovertly: events, the coach, and what the application observes of its users.

use hull::prelude::*;
use rand::RngExt;
use schema::extrovertly::{
    AttendeeStatus, CoachConversation, CoachMessage, ComfortLevel, Event, EventAttendee, GoalStatus,
    MessageType, MoodTracking, ProgressTracking, Sender, SocialGoal, WeeklyInsight,
};

use super::words::*;
use super::{DAY, Sampled, TableRows, World, date, number, pick, some, table, title, word};

/// Messages of a conversation.
const MESSAGES: u64 = 4;
/// Between two messages, in milliseconds.
const PAUSE: f64 = 40_000.0;

pub(super) const TABLES: [TableRows; 8] = [
    table::<Event>(),
    table::<EventAttendee>(),
    table::<CoachConversation>(),
    table::<CoachMessage>(),
    table::<ProgressTracking>(),
    table::<WeeklyInsight>(),
    table::<MoodTracking>(),
    table::<SocialGoal>(),
];

impl Sampled for Event {
    const DAYS: (f64, f64) = (40.0, 60.0);

    fn count(world: &World) -> u64 {
        world.per_user(0.05, 12)
    }

    fn row(world: &World, n: u64, at: f64) -> Option<Event> {
        let rng = &mut world.rng::<Event>(n);
        let organizer = rng.random_range(0..world.users);
        Some(Event {
            title: title(EVENTS, n),
            description: "Come alone or with a friend; somebody will say hello.".to_owned(),
            date: date(at + DAY * number(rng, 20..200)),
            time: format!("{:02}:{:02}", rng.random_range(9..21), pick(rng, &[0, 15, 30])),
            location: Some(word(rng, PLACES)),
            category: word(rng, CATEGORIES),
            comfort_level: pick(rng, &[ComfortLevel::Low, ComfortLevel::Medium, ComfortLevel::High]),
            max_attendees: rng.random_ratio(1, 4).then(|| 100.0 + number(rng, 0..100)),
            price: pick(rng, &[0.0, 0.0, 5.0, 12.5]),
            organizer_id: Some(world.id(organizer)),
            organizer_name: None,
            social_context: None,
            tags: Some(some(rng, INTERESTS, 2)),
            image_url: None,
            is_active: true,
        })
    }
}

impl Sampled for EventAttendee {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        2 * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<EventAttendee> {
        let rng = &mut world.rng::<EventAttendee>(n);
        let (user, round) = world.user_and_round(n);
        let status = pick(
            rng,
            &[
                AttendeeStatus::Interested,
                AttendeeStatus::Going,
                AttendeeStatus::NotGoing,
                AttendeeStatus::Attended,
            ],
        );
        let came = status == AttendeeStatus::Attended;
        Some(EventAttendee {
            event_id: world.id(world.other(user, round, Event::count(world))),
            user_id: world.id(user),
            status,
            rsvp_at: at,
            attended_at: came.then_some(at + 5.0 * DAY),
            feedback: came.then(|| word(rng, ENDINGS)),
            rating: came.then(|| number(rng, 1..6)),
        })
    }
}

impl Sampled for CoachConversation {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<CoachConversation> {
        let rng = &mut world.rng::<CoachConversation>(n);
        Some(CoachConversation {
            user_id: world.id(n),
            session_id: format!("session-{:016x}", rng.random::<u64>()),
            ended_at: Some(at + PAUSE * MESSAGES as f64),
            session_summary: rng.random_ratio(2, 3).then(|| format!("Next: {}", word(rng, GOALS))),
        })
    }
}

impl Sampled for CoachMessage {
    const DAYS: (f64, f64) = CoachConversation::DAYS;

    fn count(world: &World) -> u64 {
        MESSAGES * world.users
    }

    fn row(world: &World, n: u64, _: f64) -> Option<CoachMessage> {
        let rng = &mut world.rng::<CoachMessage>(n);
        let asked = n.is_multiple_of(2);
        Some(CoachMessage {
            conversation_id: world.id(n / MESSAGES),
            content: if asked {
                format!("{} {}. What now?", pick(rng, OPENINGS), pick(rng, PEOPLE))
            } else {
                word(rng, TIPS)
            },
            sender: if asked { Sender::User } else { Sender::Coach },
            message_type: match asked {
                true => MessageType::Text,
                false => pick(rng, &[MessageType::Advice, MessageType::Scenario]),
            },
            metadata: (!asked).then(|| Value::object([("confidence", number(rng, 50..100) / 100.0)])),
        })
    }
}

impl Sampled for ProgressTracking {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        4 * world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<ProgressTracking> {
        let rng = &mut world.rng::<ProgressTracking>(n);
        let (journal, events, missions) = (number(rng, 0..3), number(rng, 0..2), number(rng, 0..3));
        Some(ProgressTracking {
            user_id: world.id(n % world.users),
            tracking_date: date(at),
            confidence_level: Some(number(rng, 10..100) / 10.0),
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
        world.users
    }

    fn row(world: &World, n: u64, at: f64) -> Option<WeeklyInsight> {
        let rng = &mut world.rng::<WeeklyInsight>(n);
        let more = number(rng, 1..40);
        Some(WeeklyInsight {
            user_id: world.id(n),
            week_start_date: date(at - 7.0 * DAY),
            insight_type: word(rng, &["mood", "missions", "streak"]),
            title: format!("{} this week", word(rng, MOODS)),
            description: format!("You did {more} percent more than the week before."),
            data: Some(Value::object([("change", more)])),
            is_read: rng.random_ratio(1, 2),
        })
    }
}

impl Sampled for MoodTracking {
    const DAYS: (f64, f64) = (60.0, 300.0);

    fn count(world: &World) -> u64 {
        3 * world.users
    }

    fn row(world: &World, n: u64, _: f64) -> Option<MoodTracking> {
        let rng = &mut world.rng::<MoodTracking>(n);
        Some(MoodTracking {
            user_id: world.id(n % world.users),
            mood: word(rng, MOODS),
            intensity: Some(number(rng, 1..11)),
            context: Some(format!("Met {}", pick(rng, PEOPLE))),
            triggers: rng.random_ratio(1, 2).then(|| some(rng, TAGS, 1)),
        })
    }
}

impl Sampled for SocialGoal {
    const DAYS: (f64, f64) = (60.0, 200.0);

    fn count(world: &World) -> u64 {
        2 * world.users
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
        Some(SocialGoal {
            user_id: world.id(n % world.users),
            title: word(rng, GOALS),
            description: None,
            category: Some(word(rng, CATEGORIES)),
            target_value: Some(target),
            current_value: if done { target } else { (target * number(rng, 0..90) / 100.0).floor() },
            target_date: Some(date(at + DAY * number(rng, 30..100))),
            status,
        })
    }
}
