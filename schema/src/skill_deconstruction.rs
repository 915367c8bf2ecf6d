//! Skill deconstruction: a skill taken apart into levels and milestones, and how far a learner is with them.
//!
//! The document is SQL. Its types map like this:
//!
//! | SQL | here |
//! |---|---|
//! | `id UUID PRIMARY KEY DEFAULT gen_random_uuid()` | `_id`, which every document has |
//! | `UUID … REFERENCES table(id)` | `v.id("table")` |
//! | `TEXT`, `VARCHAR(n)` | `v.string()`; the length stands beside the field |
//! | `CHECK (column IN (…))` | a union of the literals |
//! | `INTEGER` | `v.number()` |
//! | `BOOLEAN` | `v.boolean()` |
//! | `TIMESTAMP WITH TIME ZONE` | `v.number()`: milliseconds since the epoch |
//! | `JSONB` | the objects of the structure that the document shows, in its camelCase |
//! | a column without `NOT NULL` | `v.optional(…)`: absent for `NULL` |
//!
//! Tables and columns are in snake_case on the wire. Constraints are written beside their fields, word for word.
#![allow(missing_docs, reason = "the names are the document's own, and so are the comments")]

use hull_model::value::Id;
use hull_model::{Object, Schema, Table};

/// All four tables, in the document's order.
pub fn schema() -> Schema {
    Schema::new()
        .of::<SkillDeconstruction>()
        .of::<MilestoneProgress>()
        .of::<PracticeActivity>()
        .of::<Roadmap>()
}

/// Stores the AI-generated skill deconstruction data with levels, milestones, and practice prompts.
#[derive(Clone, Debug, PartialEq, Table)]
#[table("skill_deconstructions", rename_all = "snake_case")]
#[index(idx_skill_deconstructions_type_name(skill_type, skill_name))] // efficient querying by skill type and name
#[index(idx_skill_deconstructions_created_at(created_at))]
pub struct SkillDeconstruction {
    /// TEXT NOT NULL. Skill deconstruction query and skill name combination should be unique (optional, for caching).
    pub user_query: String,
    /// VARCHAR(255) NOT NULL.
    pub skill_name: String,
    /// VARCHAR(50) NOT NULL CHECK (skill_type IN ('physical', 'abstract')).
    pub skill_type: SkillType,
    /// JSONB NOT NULL.
    pub deconstruction_data: DeconstructionData,
    /// DEFAULT NOW().
    pub created_at: Option<f64>,
    /// DEFAULT NOW().
    pub updated_at: Option<f64>,
}

/// Skill type must be either 'physical' or 'abstract'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum SkillType {
    Physical,
    Abstract,
}

/// The JSONB structure for `deconstruction_data`.
#[derive(Clone, Debug, PartialEq, Object)]
pub struct DeconstructionData {
    pub levels: Vec<Level>,
    pub total_estimated_time: f64,
    /// Such as "beginner".
    pub difficulty: String,
}

#[derive(Clone, Debug, PartialEq, Object)]
pub struct Level {
    pub level: f64,
    pub title: String,
    pub description: String,
    pub milestones: Vec<Milestone>,
}

#[derive(Clone, Debug, PartialEq, Object)]
pub struct Milestone {
    /// What `milestone_progress.milestone_id` names, such as "milestone_1".
    pub id: String,
    pub title: String,
    pub description: String,
    pub do_this_now: DoThisNow,
    pub estimated_time: f64,
    pub icon: String,
}

#[derive(Clone, Debug, PartialEq, Object)]
pub struct DoThisNow {
    pub prompt: String,
    pub reps: f64,
    pub sets: f64,
    pub success_criteria: String,
}

/// Tracks individual milestone completion and practice activity status.
#[derive(Clone, Debug, PartialEq, Table)]
#[table("milestone_progress", rename_all = "snake_case")]
// Indexes for efficient progress tracking
#[index(idx_milestone_progress_status(status))]
#[index(idx_milestone_progress_skill_deconstruction(skill_deconstruction_id))]
#[index(idx_milestone_progress_completed_at(completed_at))]
// Composite Indexes: Index on (skill_deconstruction_id, milestone_id) for unique constraint enforcement. The name is
// the one that PostgreSQL gives to the index of a UNIQUE constraint.
#[index(milestone_progress_skill_deconstruction_id_milestone_id_key(skill_deconstruction_id, milestone_id))]
pub struct MilestoneProgress {
    /// NOT NULL REFERENCES skill_deconstructions(id) ON DELETE CASCADE; UNIQUE(skill_deconstruction_id, milestone_id):
    /// Each milestone can only have one progress record per skill deconstruction.
    pub skill_deconstruction_id: Id<SkillDeconstruction>,
    /// VARCHAR(100) NOT NULL; UNIQUE(skill_deconstruction_id, milestone_id).
    pub milestone_id: String,
    /// VARCHAR(50) NOT NULL DEFAULT 'not_started' CHECK (status IN ('not_started', 'in_progress', 'completed',
    /// 'failed')).
    pub status: MilestoneStatus,
    pub started_at: Option<f64>,
    pub completed_at: Option<f64>,
    /// DEFAULT 0.
    pub practice_attempts: Option<f64>,
    /// DEFAULT 0.
    pub practice_completions: Option<f64>,
    pub notes: Option<String>,
    /// DEFAULT NOW().
    pub created_at: Option<f64>,
    /// DEFAULT NOW().
    pub updated_at: Option<f64>,
}

/// Milestone status must be one of the defined status values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum MilestoneStatus {
    NotStarted,
    InProgress,
    Completed,
    Failed,
}

/// Tracks individual practice activity completions with detailed feedback.
#[derive(Clone, Debug, PartialEq, Table)]
#[table("practice_activities", rename_all = "snake_case")]
// Indexes for activity tracking
#[index(idx_practice_activities_completed(completed))]
#[index(idx_practice_activities_milestone_progress(milestone_progress_id))]
#[index(idx_practice_activities_completed_at(completed_at))]
pub struct PracticeActivity {
    /// NOT NULL REFERENCES milestone_progress(id) ON DELETE CASCADE.
    pub milestone_progress_id: Id<MilestoneProgress>,
    /// VARCHAR(50) NOT NULL CHECK (activity_type IN ('code_challenge', 'physical_practice', 'reading',
    /// 'video_watch')).
    pub activity_type: ActivityType,
    /// VARCHAR(255) NOT NULL.
    pub title: String,
    pub description: Option<String>,
    /// DEFAULT FALSE.
    pub completed: Option<bool>,
    /// in minutes.
    pub completion_time: Option<f64>,
    /// CHECK (difficulty_rating >= 1 AND difficulty_rating <= 5): Difficulty rating must be between 1 and 5.
    pub difficulty_rating: Option<f64>,
    pub user_notes: Option<String>,
    /// DEFAULT NOW().
    pub created_at: Option<f64>,
    pub completed_at: Option<f64>,
}

/// Practice activity type must be one of the defined activity types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Object)]
pub enum ActivityType {
    CodeChallenge,
    PhysicalPractice,
    Reading,
    VideoWatch,
}

/// Existing table enhancement: the document gives these two new columns and none of the existing ones.
#[derive(Clone, Debug, PartialEq, Table)]
#[table("roadmaps", rename_all = "snake_case")]
#[index(idx_roadmaps_skill_deconstruction(skill_deconstruction_id))] // efficient lookup
pub struct Roadmap {
    /// REFERENCES skill_deconstructions(id) (SET NULL on delete).
    pub skill_deconstruction_id: Option<Id<SkillDeconstruction>>,
    /// DEFAULT FALSE.
    pub is_deconstructed: Option<bool>,
}
