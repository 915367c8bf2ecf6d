//! How a user is doing: progress by day, insights by week, moods and goals. Each table is read along its indexes and takes new documents; lists are newest first.

pub(super) mod progress {
    //! `progressTracking:*`.

    use hull::prelude::*;
    use schema::extrovertly::{ProgressTracking, User};

    use crate::table_functions::{documents, list_by, page_by};

    documents!(ProgressTracking);
    list_by! {
        /// A user's days.
        list_by_user = ProgressTracking::by_user_id(user_id: Id<User>)
    }
    list_by! {
        /// Everybody's progress on a day.
        list_by_date = ProgressTracking::by_date(tracking_date: String)
    }

    page_by! {
        /// A user's days in pages.
        list_by_user_paginated = ProgressTracking::by_user_date(user_id: Id<User>)
    }

    pub(in super::super) fn module() -> Module {
        crate::extrovertly::leaderboard::of_progress(Module::new("progressTracking").with(functions![
            create,
            get,
            list,
            list_by_user,
            list_by_date,
            list_by_user_paginated
        ]))
    }
}

pub(super) mod insights {
    //! `weeklyInsights:*`.

    use hull::prelude::*;
    use schema::extrovertly::{User, WeeklyInsight};

    use crate::table_functions::{documents, list_by, page_by};

    documents!(WeeklyInsight);
    list_by! {
        /// A user's insights.
        list_by_user = WeeklyInsight::by_user_id(user_id: Id<User>)
    }
    list_by! {
        /// The insights of a type.
        list_by_insight_type = WeeklyInsight::by_insight_type(insight_type: String)
    }

    page_by! {
        /// A user's insights in pages.
        list_by_user_paginated = WeeklyInsight::by_user_id(user_id: Id<User>)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("weeklyInsights").with(functions![
            create,
            get,
            list,
            list_by_user,
            list_by_insight_type,
            list_by_user_paginated
        ])
    }
}

pub(super) mod moods {
    //! `moodTracking:*`.

    use hull::prelude::*;
    use schema::extrovertly::{MoodTracking, User};

    use crate::table_functions::{documents, list_by, page_by};

    documents!(MoodTracking);
    list_by! {
        /// A user's moods.
        list_by_user = MoodTracking::by_user_date(user_id: Id<User>)
    }
    list_by! {
        /// All entries of a mood.
        list_by_mood = MoodTracking::by_mood(mood: String)
    }

    page_by! {
        /// A user's moods in pages.
        list_by_user_paginated = MoodTracking::by_user_date(user_id: Id<User>)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("moodTracking").with(functions![
            create,
            get,
            list,
            list_by_user,
            list_by_mood,
            list_by_user_paginated
        ])
    }
}

pub(super) mod goals {
    //! `socialGoals:*`.

    use hull::functions::SearchQuery;
    use hull::prelude::*;
    use schema::extrovertly::{GoalStatus, SocialGoal, User};

    use crate::extrovertly::search::{Found, marked};
    use crate::table_functions::{documents, list_by, page_by, size};

    documents!(SocialGoal);
    list_by! {
        /// A user's goals.
        list_by_user = SocialGoal::by_user_id(user_id: Id<User>)
    }
    list_by! {
        /// The goals of a category.
        list_by_category = SocialGoal::by_category(category: String)
    }

    page_by! {
        /// A user's goals in pages.
        list_by_user_paginated = SocialGoal::by_user_id(user_id: Id<User>)
    }

    /// A user's goals whose title has these words, best match first: 50 unless `limit` says otherwise; of this status
    /// where it is given.
    #[query]
    async fn search_goals(
        ctx: &QueryCtx,
        user_id: Id<User>,
        search_term: String,
        status: Option<GoalStatus>,
        limit: Option<u32>,
    ) -> Result<Vec<Doc<SocialGoal>>> {
        searched(ctx, user_id, search_term, status).take(size(limit)).await
    }

    /// A user's goals whose title has these words, in pages, best match first, with the parts of the titles that match:
    /// for a search while one types.
    #[query]
    async fn search_goals_paginated(
        ctx: &QueryCtx,
        user_id: Id<User>,
        search_term: String,
        status: Option<GoalStatus>,
        pagination_opts: PaginationOptions,
    ) -> Result<PaginationResult<Found<Doc<SocialGoal>>>> {
        let found = searched(ctx, user_id, search_term.clone(), status).paginate(pagination_opts).await?;
        Ok(marked(found, &search_term, |goal| &goal.title))
    }

    fn searched(
        ctx: &QueryCtx,
        user_id: Id<User>,
        term: String,
        status: Option<GoalStatus>,
    ) -> SearchQuery<'_, SocialGoal> {
        ctx.db.query::<SocialGoal>().with_search_index(SocialGoal::search_goals, |q| {
            let of_user = q.search(term).eq(SocialGoal::user_id, user_id);
            match status {
                Some(status) => of_user.eq(SocialGoal::status, status),
                None => of_user,
            }
        })
    }

    pub(in super::super) fn module() -> Module {
        Module::new("socialGoals").with(functions![
            create,
            get,
            list,
            list_by_user,
            list_by_category,
            list_by_user_paginated,
            search_goals,
            search_goals_paginated
        ])
    }
}
