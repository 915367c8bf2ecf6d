//! Scenarios: what there is to practise, how the app as a whole uses it, and how far each user is.
//!
//! The document is Drizzle's `pgTable`. Its types map like this:
//!
//! | Drizzle | here |
//! |---|---|
//! | `id: text('id').primaryKey()` | `_id`, which every document has |
//! | `text`, `uuid` with `.references(() => table.id)` | `v.id("table")` |
//! | `uuid` that is a user's ("userId for user-created") | `v.id("users")` |
//! | `text` | `v.string()` |
//! | an enum whose values the document does not list | `v.string()` |
//! | `json().$type<string[]>()` | `v.array(v.string())` |
//! | `json` | `v.any()` |
//! | `integer`, `real` | `v.number()` |
//! | `boolean` | `v.boolean()` |
//! | `timestamp` | `v.number()`: milliseconds since the epoch |
//! | a column without `.notNull()` | `v.optional(…)`: absent for null |
//! | a primary key that is not `id` | its fields, and an index under the name that its tools give to the key |
//!
//! Tables have their SQL names, fields their TypeScript names. Keys, references and defaults are written beside their
//! fields, word for word.
#![allow(missing_docs, reason = "the names are the document's own, and so are the comments")]

use hull_model::value::{Id, Value};
use hull_model::{Schema, Table};

use crate::extrovertly::User;

/// The four tables in the document's order, and the two old ones that its migration reads.
pub fn schema() -> Schema {
    Schema::new()
        .of::<Scenario>()
        .of::<ScenarioMetadata>()
        .of::<UserScenarioProgress>()
        .of::<UserSavedScenario>()
        .of::<ScenarioAttempt>()
        .of::<ScenarioOutcome>()
}

/// Core content. Purpose: Pure content. No metrics, no user data. Can be cached/pre-loaded.
#[derive(Clone, Debug, PartialEq, Table)]
#[table("scenarios")]
pub struct Scenario {
    // Immutable content
    pub title: String,
    pub description: String,
    /// scenarioRoleEnum('role').
    pub role: String,
    /// scenarioDifficultyEnum('difficulty').
    pub difficulty: String,

    // Detailed content
    pub instructions: String,
    pub context: String,
    pub expected_outcome: Option<String>,
    pub learning_goal: Option<String>,
    pub learning_objectives: Option<Vec<String>>,
    pub persona: Option<Value>,
    pub comfort_indicators: Option<Value>,

    // Metadata about the scenario itself
    pub difficulty_rating: Option<f64>,
    pub cefr_level: Option<String>,
    pub cefr_recommendation: Option<String>,

    // Ownership & visibility
    /// null for built-in, userId for user-created.
    pub created_by_user_id: Option<Id<User>>,
    /// scenarioVisibilityEnum('visibility').
    pub visibility: String,
    pub is_active: bool,

    // Timestamps
    /// defaultNow().
    pub created_at: f64,
    /// defaultNow().
    pub updated_at: f64,
}

/// App-wide metrics. Purpose: Fast queries for "trending scenarios", "most saved", "top rated". Denormalized for
/// performance.
///
/// Updates: Incremented whenever a user completes a scenario → `totalTimesUsed++`; a user saves/unsaves →
/// `amountSavedCount++` or `--`; a user rates a scenario → update `averageRating` & `ratingsCount`.
#[derive(Clone, Debug, PartialEq, Table)]
#[table("scenario_metadata")]
#[index(scenario_metadata_pkey(scenario_id))] // one row per scenario: its primary key
#[index(amount_saved_count_idx(amount_saved_count))] // O(1) "top scenarios" queries: ORDER BY amountSavedCount DESC
pub struct ScenarioMetadata {
    // One row per scenario
    /// primaryKey(), references(() => scenarios.id, { onDelete: 'cascade' }).
    pub scenario_id: Id<Scenario>,

    // Aggregate engagement metrics
    /// sum of all user saves. default(0).
    pub amount_saved_count: f64,
    /// sum of all user completions. default(0).
    pub total_times_used: f64,
    /// sum of all attempts. default(0).
    pub total_attempts: f64,

    // Quality metrics
    /// 1-5 stars, null if no ratings.
    pub average_rating: Option<f64>,
    /// default(0).
    pub ratings_count: f64,

    // Computed efficiency
    /// percentage: completed / attempted.
    pub completion_rate: Option<f64>,
    /// seconds.
    pub average_time_spent: Option<f64>,

    // Timestamps
    /// defaultNow().
    pub created_at: f64,
    /// defaultNow().
    pub updated_at: f64,
}

/// User-specific data. Purpose: Individual user journeys. "User X has done this 3 times, saved it, rated it 4 stars."
#[derive(Clone, Debug, PartialEq, Table)]
#[table("user_scenario_progress")]
#[index(user_scenario_progress_user_id_scenario_id_pk(user_id, scenario_id))] // the primary key
#[index(user_progress_idx(user_id))]
#[index(scenario_progress_idx(scenario_id))]
#[index(saved_scenarios_idx(user_id, is_saved))]
pub struct UserScenarioProgress {
    /// references(() => users.id, { onDelete: 'cascade' }); primaryKey({ columns: [table.userId, table.scenarioId] }).
    pub user_id: Id<User>,
    /// references(() => scenarios.id, { onDelete: 'cascade' }); primaryKey({ columns: [table.userId,
    /// table.scenarioId] }).
    pub scenario_id: Id<Scenario>,

    // User engagement
    /// default(false).
    pub is_saved: bool,
    pub saved_at: Option<f64>,

    // User progress
    /// default(0).
    pub times_completed: f64,
    /// default(0).
    pub times_attempted: f64,
    pub last_attempt_at: Option<f64>,
    pub last_completed_at: Option<f64>,

    // User feedback
    /// 1-5 stars, nullable if not rated.
    pub user_rating: Option<f64>,
    /// private notes.
    pub user_notes: Option<String>,

    // Timestamps
    /// defaultNow().
    pub created_at: f64,
    /// defaultNow().
    pub updated_at: f64,
}

/// Denormalized audit trail. Optional: If you want to see WHEN each user saved each scenario. Purpose: Use only if you
/// need to query "all users who saved this" for notifications/features. Otherwise, query `user_scenario_progress WHERE
/// isSaved = true`.
#[derive(Clone, Debug, PartialEq, Table)]
#[table("user_saved_scenarios")]
#[index(user_saved_scenarios_user_id_scenario_id_pk(user_id, scenario_id))] // the primary key
#[index(user_saved_idx(user_id))]
#[index(scenario_saved_idx(scenario_id))]
pub struct UserSavedScenario {
    /// references(() => users.id, { onDelete: 'cascade' }); primaryKey({ columns: [table.userId, table.scenarioId] }).
    pub user_id: Id<User>,
    /// references(() => scenarios.id, { onDelete: 'cascade' }); primaryKey({ columns: [table.userId,
    /// table.scenarioId] }).
    pub scenario_id: Id<Scenario>,
    /// defaultNow().
    pub saved_at: f64,
}

/// An old table: every attempt creates a new row. The document names the fields that its queries and its migration
/// read.
#[derive(Clone, Debug, PartialEq, Table)]
#[table("scenario_attempts")]
pub struct ScenarioAttempt {
    pub scenario_id: Id<Scenario>,
    pub user_id: Id<User>,
    pub saved: bool,
    pub completed: bool,
}

/// An old table: every outcome creates a new row. The document names the fields that its queries and its migration
/// read.
#[derive(Clone, Debug, PartialEq, Table)]
#[table("scenario_outcomes")]
pub struct ScenarioOutcome {
    pub scenario_id: Id<Scenario>,
    pub user_id: Id<User>,
    pub saved: bool,
    pub completed: bool,
}
