//! What is known about a learner: ratings by skill, and preferences.

pub(super) mod skills {
    //! `practiceUserSkills:*`. `practiceAttempts:record` keeps the ratings.

    use hull::prelude::*;
    use schema::extrovertly::User;
    use schema::practice_zone::PracticeUserSkill;

    use crate::table_functions::{documents, list_by};

    documents!(PracticeUserSkill);
    list_by! {
        /// A user's skills, newest first.
        list_by_user = PracticeUserSkill::by_user(user_id: Id<User>)
    }
    list_by! {
        /// Everybody's rating in a skill, newest first.
        list_by_skill = PracticeUserSkill::by_skill(skill_id: String)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("practiceUserSkills").with(functions![create, get, list, list_by_user, list_by_skill])
    }
}

pub(super) mod preferences {
    //! `practiceUserPreferences:*`.

    use hull::prelude::*;
    use schema::extrovertly::User;
    use schema::practice_zone::PracticeUserPreferences;

    use crate::table_functions::{documents, get_by};

    documents!(PracticeUserPreferences);
    get_by! {
        /// What a user said last, or null.
        get_by_user = PracticeUserPreferences::by_user(user_id: Id<User>)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("practiceUserPreferences").with(functions![create, get, list, get_by_user])
    }
}
