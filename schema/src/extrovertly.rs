//! Extrovertly: an app that builds social confidence with journals, missions, events and a coach.
#![allow(missing_docs, reason = "the names are the document's own, and so are the comments")]

use hull_model::value::{Id, Value};
use hull_model::{Object, Schema, Table};

/// All fifteen tables, in the document's order.
pub fn schema() -> Schema {
    Schema::new()
        .of::<User>()
        .of::<UserProfile>()
        .of::<JournalEntry>()
        .of::<Mission>()
        .of::<UserMission>()
        .of::<Event>()
        .of::<EventAttendee>()
        .of::<Achievement>()
        .of::<UserAchievement>()
        .of::<CoachConversation>()
        .of::<CoachMessage>()
        .of::<ProgressTracking>()
        .of::<WeeklyInsight>()
        .of::<MoodTracking>()
        .of::<SocialGoal>()
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("users")]
#[index(by_email(email))] // email lookups
#[index(by_username(username))] // username lookups
#[index(by_confidence_level(confidence_level))] // confidence-based queries
#[count(by_total_points(total_points))] // the leaderboard, and who is where on it
pub struct User {
    pub email: String,
    pub username: String,
    pub first_name: String,
    pub last_name: Option<String>,
    pub avatar_url: Option<String>,
    /// ISO date string.
    pub date_of_birth: Option<String>,
    /// Timestamp.
    pub last_login_at: Option<f64>,
    pub is_active: bool,
    /// JSONB equivalent.
    pub preferences: Option<Value>,
    /// 1.0 to 10.0.
    pub confidence_level: f64,
    pub total_points: f64,
    pub streak_days: f64,
    pub longest_streak: f64,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("userProfiles")]
#[index(by_user_id(user_id))] // user profile lookups
pub struct UserProfile {
    pub user_id: Id<User>,
    pub bio: Option<String>,
    pub social_goals: Option<Vec<String>>,
    /// JSONB equivalent.
    pub comfort_levels: Option<Value>,
    pub interests: Option<Vec<String>>,
    /// JSONB equivalent.
    pub social_contexts: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("journalEntries")]
#[count(by_user_id(user_id))] // user's journal entries
#[index(by_user_date(user_id))] // chronological journal entries: creation time closes every index
#[index(by_mood(mood))] // mood-based queries
#[search(search_content(content), filter(user_id, is_private))] // full-text search on journal content
pub struct JournalEntry {
    pub user_id: Id<User>,
    pub content: String,
    pub mood: String,
    pub reflection_prompt: Option<String>,
    pub tags: Option<Vec<String>>,
    pub is_private: bool,
    pub word_count: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("missions")]
#[index(by_difficulty(difficulty))] // difficulty-based filtering
#[index(by_category(category))] // category-based filtering
#[index(by_difficulty_category(difficulty, category))] // combined difficulty/category queries
#[search(search_missions(title), filter(difficulty, category))] // full-text search on mission titles
pub struct Mission {
    pub title: String,
    pub description: String,
    pub difficulty: Difficulty,
    pub category: String,
    pub points: f64,
    pub time_estimate: Option<String>,
    pub tips: Option<Vec<String>>,
    /// JSONB equivalent.
    pub requirements: Option<Value>,
    pub is_active: bool,
}

/// How hard a mission is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum Difficulty {
    Beginner,
    Intermediate,
    Advanced,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("userMissions")]
#[index(by_user_id(user_id))] // user's missions
#[count(by_user_status(user_id, status))] // user's missions by status
#[index(by_mission_id(mission_id))] // mission participants
#[index(by_user_mission(user_id, mission_id))] // unique constraint on user-mission pairs
pub struct UserMission {
    pub user_id: Id<User>,
    pub mission_id: Id<Mission>,
    pub status: MissionStatus,
    /// Timestamp.
    pub assigned_at: f64,
    /// Timestamp.
    pub started_at: Option<f64>,
    /// Timestamp.
    pub completed_at: Option<f64>,
    pub notes: Option<String>,
    /// 1-5.
    pub difficulty_rating: Option<f64>,
    /// 1-5.
    pub satisfaction_rating: Option<f64>,
}

/// How far a user is with a mission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum MissionStatus {
    Assigned,
    InProgress,
    Completed,
    Skipped,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("events")]
#[index(by_date(date))] // date-based event queries
#[index(by_category(category))] // category-based filtering
#[index(by_comfort_level(comfort_level))] // comfort level filtering
#[index(by_organizer(organizer_id))] // organizer's events
#[index(by_date_category(date, category))] // combined date/category queries
#[search(search_events(title))] // full-text search on event titles
pub struct Event {
    pub title: String,
    pub description: String,
    /// ISO date string.
    pub date: String,
    /// ISO time string.
    pub time: String,
    pub location: Option<String>,
    pub category: String,
    pub comfort_level: ComfortLevel,
    pub max_attendees: Option<f64>,
    /// Decimal as number.
    pub price: f64,
    pub organizer_id: Option<Id<User>>,
    pub organizer_name: Option<String>,
    /// JSONB equivalent.
    pub social_context: Option<Value>,
    pub tags: Option<Vec<String>>,
    pub image_url: Option<String>,
    pub is_active: bool,
}

/// How much comfort with people an event asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum ComfortLevel {
    Low,
    Medium,
    High,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("eventAttendees")]
#[index(by_event_id(event_id))] // event attendees
#[index(by_user_id(user_id))] // user's event participation
#[count(by_event_status(event_id, status))] // event attendees by status
#[count(by_user_status(user_id, status))] // user's events by status
pub struct EventAttendee {
    pub event_id: Id<Event>,
    pub user_id: Id<User>,
    pub status: AttendeeStatus,
    /// Timestamp.
    pub rsvp_at: f64,
    /// Timestamp.
    pub attended_at: Option<f64>,
    pub feedback: Option<String>,
    /// 1-5.
    pub rating: Option<f64>,
}

/// Whether a user comes to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum AttendeeStatus {
    Interested,
    Going,
    NotGoing,
    Attended,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("achievements")]
#[index(by_category(category))] // category-based achievement queries
#[index(by_points(points_reward))] // points-based sorting
pub struct Achievement {
    pub title: String,
    pub description: String,
    pub icon: String,
    pub category: Option<String>,
    /// JSONB equivalent.
    pub requirements: Value,
    pub points_reward: f64,
    pub is_active: bool,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("userAchievements")]
#[index(by_user_id(user_id))] // user's achievements
#[index(by_achievement_id(achievement_id))] // achievement earners
#[index(by_user_achievement(user_id, achievement_id))] // unique constraint on user-achievement pairs
pub struct UserAchievement {
    pub user_id: Id<User>,
    pub achievement_id: Id<Achievement>,
    /// Timestamp.
    pub earned_at: f64,
    pub progress: f64,
    pub max_progress: f64,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("coachConversations")]
#[index(by_user_id(user_id))] // user's coaching sessions
#[index(by_session_id(session_id))] // session lookups
#[index(by_user_session(user_id, session_id))] // user-session pairs
pub struct CoachConversation {
    pub user_id: Id<User>,
    pub session_id: String,
    /// Timestamp.
    pub ended_at: Option<f64>,
    pub session_summary: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("coachMessages")]
#[index(by_conversation_id(conversation_id))] // conversation messages
#[index(by_conversation_time(conversation_id))] // chronological order: creation time closes every index
#[index(by_sender(sender))] // sender-based filtering
pub struct CoachMessage {
    pub conversation_id: Id<CoachConversation>,
    pub content: String,
    pub sender: Sender,
    pub message_type: MessageType,
    /// JSONB equivalent.
    pub metadata: Option<Value>,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum Sender {
    User,
    Coach,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum MessageType {
    Text,
    Scenario,
    Advice,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("progressTracking")]
#[index(by_user_id(user_id))] // user's progress data
#[index(by_user_date(user_id, tracking_date))] // chronological progress tracking
#[index(by_date(tracking_date))] // date-based progress queries
#[sum(points_by_user(user_id), points_earned, ranked)] // who earned most
pub struct ProgressTracking {
    pub user_id: Id<User>,
    /// ISO date string.
    pub tracking_date: String,
    /// 1.0 to 10.0.
    pub confidence_level: Option<f64>,
    pub mood: Option<String>,
    pub activities_completed: f64,
    pub journal_entries: f64,
    pub events_attended: f64,
    pub missions_completed: f64,
    pub points_earned: f64,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("weeklyInsights")]
#[index(by_user_id(user_id))] // user's insights
#[index(by_user_week(user_id, week_start_date))] // weekly insight lookups
#[index(by_insight_type(insight_type))] // insight type filtering
pub struct WeeklyInsight {
    pub user_id: Id<User>,
    /// ISO date string.
    pub week_start_date: String,
    pub insight_type: String,
    pub title: String,
    pub description: String,
    /// JSONB equivalent.
    pub data: Option<Value>,
    pub is_read: bool,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("moodTracking")]
#[index(by_user_id(user_id))] // user's mood entries
#[index(by_user_date(user_id))] // chronological mood tracking: creation time closes every index
#[index(by_mood(mood))] // mood-based analysis
pub struct MoodTracking {
    pub user_id: Id<User>,
    pub mood: String,
    /// 1-10.
    pub intensity: Option<f64>,
    pub context: Option<String>,
    pub triggers: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("socialGoals")]
#[index(by_user_id(user_id))] // user's goals
#[count(by_user_status(user_id, status))] // user's goals by status
#[index(by_category(category))] // category-based goal queries
#[search(search_goals(title), filter(user_id, status))] // full-text search on goal titles
pub struct SocialGoal {
    pub user_id: Id<User>,
    pub title: String,
    pub description: Option<String>,
    pub category: Option<String>,
    pub target_value: Option<f64>,
    pub current_value: f64,
    /// ISO date string.
    pub target_date: Option<String>,
    pub status: GoalStatus,
}

/// How far a user is with a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum GoalStatus {
    Active,
    Completed,
    Paused,
    Cancelled,
}
