//! Practice Zone: tracks, projects, versioned activities, reusable scenarios, parametric templates, calibrated items
//! and what learners do with them.
//!
//! Where the document lists every value of a string in a comment, the field is the union of these literals; a list that
//! ends in `…`, "e.g." or "etc." stays a string. Where it writes `v.object({})` for free-form data (`params`,
//! `schema`, `weights`, `draftData`), which would accept nothing but `{}`, the field is a record of any value.
#![allow(missing_docs, reason = "the names are the document's own, and so are the comments")]

use std::collections::BTreeMap;

use hull_model::value::{Id, Value};
use hull_model::{Object, Schema, Table};

use crate::extrovertly::User;

/// All thirteen tables, in the document's order.
pub fn schema() -> Schema {
    Schema::new()
        .of::<PracticeTrack>()
        .of::<PracticeProject>()
        .of::<PracticeActivity>()
        .of::<PracticeScenario>()
        .of::<PracticeItemTemplate>()
        .of::<PracticeItem>()
        .of::<PracticeAttempt>()
        .of::<PracticeUserSkill>()
        .of::<PracticeReviewCard>()
        .of::<PracticeUserPreferences>()
        .of::<PracticeCreation>()
        .of::<PracticeCalibrationRun>()
        .of::<PracticeModerationFlag>()
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceTracks")]
#[index(by_slug(slug))]
#[index(by_level(level))]
#[index(by_status(status))]
pub struct PracticeTrack {
    /// e.g. "content", "analytics".
    pub slug: String,
    pub title: String,
    pub description: String,
    /// level 1-3.
    pub level: f64,
    pub icon: Option<String>,
    pub order: f64,
    pub tags: Vec<String>,
    pub status: TrackStatus,
}

/// Whether learners see a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum TrackStatus {
    Draft,
    Live,
    Archived,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceProjects")]
#[index(by_slug(slug))]
#[index(by_track(track_id))]
#[index(by_status(status))]
pub struct PracticeProject {
    pub track_id: Id<PracticeTrack>,
    pub slug: String,
    /// semver e.g. "1.0.0".
    pub version: String,
    pub title: String,
    pub summary: String,
    pub est_time_minutes: f64,
    /// 1-5.
    pub default_difficulty: f64,
    pub badge_id: Option<String>,
    pub recommended_skills: Vec<String>,
    pub status: ReleaseStatus,
    pub release_notes: Option<String>,
    pub created_by: Id<User>,
    pub updated_by: Id<User>,
    pub created_at: f64,
    pub updated_at: f64,
    pub visibility: Visibility,
}

/// Whether learners get a project, or items are made from a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum ReleaseStatus {
    Draft,
    Live,
    Deprecated,
}

/// What a project belongs to: the core, a season, or what users made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum Visibility {
    Core,
    Seasonal,
    Ugc,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceActivities")]
#[index(by_project(project_id))]
#[index(by_template(template_id))]
pub struct PracticeActivity {
    pub project_id: Id<PracticeProject>,
    pub order: f64,
    pub template_id: Id<PracticeItemTemplate>,
    pub scenario_id: Option<Id<PracticeScenario>>,
    /// resolved template params. Free-form: `v.object({})` in the document, a record of any value here.
    pub params: BTreeMap<String, Value>,
    pub required: bool,
    /// minutes.
    pub time_estimate: f64,
    pub difficulty_override: Option<f64>,
    /// targeted skills.
    pub skills: Vec<String>,
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceScenarios")]
#[index(by_slug(slug))]
#[index(by_track(track_id))]
#[index(by_status(status))]
pub struct PracticeScenario {
    pub track_id: Id<PracticeTrack>,
    /// e.g. "content-startup-launch".
    pub slug: String,
    pub title: String,
    /// user-facing context.
    pub narrative: String,
    /// reusable key/value pairs.
    pub variables: ScenarioVariables,
    pub difficulty_hint: Option<f64>,
    pub tags: Vec<String>,
    pub created_by: Id<User>,
    pub created_at: f64,
    pub status: ScenarioStatus,
}

#[derive(Clone, Debug, PartialEq, Object)]
pub struct ScenarioVariables {
    pub industry: String,
    pub audience: String,
    pub goal: String,
    pub hooks: Option<Vec<String>>,
}

/// Whether a scenario is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum ScenarioStatus {
    Draft,
    Live,
    Retired,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceItemTemplates")]
#[index(by_type(r#type))]
#[index(by_status(status))]
pub struct PracticeItemTemplate {
    /// "multiple-choice" | "prompt-draft" | …
    pub r#type: String,
    pub title: String,
    pub description: String,
    /// JSON schema of params. Free-form: `v.object({})` in the document, a record of any value here.
    pub schema: BTreeMap<String, Value>,
    /// scoring rubric used by evaluator.
    pub rubric: Rubric,
    pub ai_evaluation: AiEvaluation,
    pub recommended_time: f64,
    pub skills: Vec<String>,
    pub author_id: Id<User>,
    pub created_at: f64,
    pub updated_at: f64,
    pub status: ReleaseStatus,
}

#[derive(Clone, Debug, PartialEq, Object)]
pub struct Rubric {
    pub rubric_id: String,
    /// Free-form: `v.object({})` in the document, a record of any value here.
    pub weights: BTreeMap<String, Value>,
    pub max_score: f64,
}

#[derive(Clone, Debug, PartialEq, Object)]
pub struct AiEvaluation {
    pub enabled: bool,
    pub model_hints: Option<ModelHints>,
}

#[derive(Clone, Debug, PartialEq, Object)]
pub struct ModelHints {
    pub provider: String,
    pub model: String,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceItems")]
#[index(by_template(template_id))]
#[index(by_scenario(scenario_id))]
#[index(by_status(status))]
pub struct PracticeItem {
    pub template_id: Id<PracticeItemTemplate>,
    pub scenario_id: Option<Id<PracticeScenario>>,
    /// Free-form: `v.object({})` in the document, a record of any value here.
    pub params: BTreeMap<String, Value>,
    pub version: String,
    /// current calibration.
    pub elo: f64,
    /// standard error estimate.
    pub elo_deviation: f64,
    pub difficulty_band: DifficultyBand,
    pub tags: Vec<String>,
    pub created_by: Id<User>,
    pub created_at: f64,
    pub status: ItemStatus,
}

/// How hard an item is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum DifficultyBand {
    Foundation,
    Core,
    Challenge,
}

/// Whether learners get an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum ItemStatus {
    Live,
    Retired,
    Experimental,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceAttempts")]
#[index(by_user(user_id))]
#[index(by_item(item_id))]
#[index(by_project(project_id))]
pub struct PracticeAttempt {
    pub user_id: Id<User>,
    pub item_id: Id<PracticeItem>,
    pub project_id: Option<Id<PracticeProject>>,
    pub response: Value,
    pub rubric_scores: Option<RubricScores>,
    pub score: f64,
    pub correct: bool,
    pub time_ms: f64,
    pub started_at: f64,
    pub completed_at: f64,
    pub feedback: Option<String>,
    pub ai_feedback: Option<AiFeedback>,
    pub metadata: Option<AttemptMetadata>,
}

#[derive(Clone, Debug, PartialEq, Object)]
pub struct RubricScores {
    pub clarity: f64,
    pub constraints: f64,
    pub iteration: f64,
    pub tool: f64,
}

#[derive(Clone, Debug, PartialEq, Object)]
pub struct AiFeedback {
    pub summary: String,
    pub suggestions: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Object)]
pub struct AttemptMetadata {
    pub mode: String,
    pub difficulty_band: String,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceUserSkills")]
#[index(by_user(user_id))]
#[index(by_skill(skill_id))]
pub struct PracticeUserSkill {
    pub user_id: Id<User>,
    /// "generative_ai", "planning", etc.
    pub skill_id: String,
    /// Elo value.
    pub rating: f64,
    /// measurement error.
    pub deviation: f64,
    pub last_updated: f64,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceReviewDeck")]
#[index(by_user(user_id))]
#[index(by_due(due_at))]
pub struct PracticeReviewCard {
    pub user_id: Id<User>,
    pub item_id: Id<PracticeItem>,
    pub due_at: f64,
    /// SM-2 style scheduling.
    pub stability: f64,
    pub difficulty: f64,
    pub lapse_count: f64,
    pub created_at: f64,
    pub updated_at: f64,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceUserPreferences")]
#[index(by_user(user_id))]
pub struct PracticeUserPreferences {
    pub user_id: Id<User>,
    /// industries/topics.
    pub interests: Vec<String>,
    /// role targets.
    pub goals: Vec<String>,
    pub time_budget: TimeBudget,
    pub challenge_mode: bool,
    pub notifications: Option<bool>,
    pub coach_notes: Option<String>,
    pub updated_at: f64,
}

/// How much time a user has for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum TimeBudget {
    Short,
    Standard,
    Deep,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceCreations")]
#[index(by_author(author_id))]
#[index(by_status(status))]
pub struct PracticeCreation {
    pub author_id: Id<User>,
    pub r#type: CreationType,
    /// original reference for remix.
    pub base_id: Option<Id<PracticeProject>>,
    /// Free-form: `v.object({})` in the document, a record of any value here.
    pub draft_data: BTreeMap<String, Value>,
    pub status: CreationStatus,
    pub moderation_state: Option<String>,
    pub submitted_at: Option<f64>,
    pub reviewed_at: Option<f64>,
    pub reviewer_id: Option<Id<User>>,
    pub notes: Option<String>,
}

/// What a creator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum CreationType {
    Project,
    Item,
}

/// How far a creation is on its way to learners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum CreationStatus {
    Draft,
    Pending,
    Published,
    Rejected,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceCalibrationRuns")]
#[index(by_item(item_id))]
#[index(by_settled(settled))]
pub struct PracticeCalibrationRun {
    pub item_id: Id<PracticeItem>,
    pub attempts: f64,
    pub mean_score: f64,
    pub standard_error: f64,
    pub last_run_at: f64,
    pub settled: bool,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("practiceModerationFlags")]
#[index(by_content(content_id))]
#[index(by_status(status))]
pub struct PracticeModerationFlag {
    pub content_type: ContentType,
    pub content_id: Id<PracticeItem>,
    pub reporter_id: Id<User>,
    pub reason: String,
    pub notes: Option<String>,
    pub status: FlagStatus,
    pub created_at: f64,
    pub resolved_at: Option<f64>,
}

/// What was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum ContentType {
    Item,
    Project,
    Creation,
}

/// How far a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum FlagStatus {
    Open,
    Resolved,
    Dismissed,
}
