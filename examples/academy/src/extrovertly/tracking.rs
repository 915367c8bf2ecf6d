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
        Module::new("progressTracking").with(functions![
            create,
            get,
            list,
            list_by_user,
            list_by_date,
            list_by_user_paginated
        ])
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

    use hull::prelude::*;
    use schema::extrovertly::{SocialGoal, User};

    use crate::table_functions::{documents, list_by, page_by};

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

    pub(in super::super) fn module() -> Module {
        Module::new("socialGoals").with(functions![
            create,
            get,
            list,
            list_by_user,
            list_by_category,
            list_by_user_paginated
        ])
    }
}
