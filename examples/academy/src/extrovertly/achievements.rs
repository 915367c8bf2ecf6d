//! Achievements, and who earned them. Each table is read along its indexes and takes new documents; lists are newest first.

pub(super) mod all {
    //! `achievements:*`.

    use hull::prelude::*;
    use schema::extrovertly::Achievement;

    use crate::table_functions::{documents, list_by};

    documents!(Achievement);
    list_by! {
        /// The achievements of a category.
        list_by_category = Achievement::by_category(category: String)
    }
    list_by! {
        /// The achievements worth so many points.
        list_by_points = Achievement::by_points(points_reward: f64)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("achievements").with(functions![create, get, list, list_by_category, list_by_points])
    }
}

pub(super) mod earned {
    //! `userAchievements:*`.

    use hull::prelude::*;
    use schema::extrovertly::{Achievement, User, UserAchievement};

    use crate::table_functions::{documents, list_by, page_by};

    documents!(UserAchievement);
    list_by! {
        /// A user's achievements.
        list_by_user = UserAchievement::by_user_id(user_id: Id<User>)
    }
    list_by! {
        /// Who earned an achievement.
        list_by_achievement = UserAchievement::by_achievement_id(achievement_id: Id<Achievement>)
    }

    page_by! {
        /// A user's achievements in pages.
        list_by_user_paginated = UserAchievement::by_user_id(user_id: Id<User>)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("userAchievements").with(functions![
            create,
            get,
            list,
            list_by_user,
            list_by_achievement,
            list_by_user_paginated
        ])
    }
}
