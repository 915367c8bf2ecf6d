//! What there is to practise: tracks, their projects, scenarios, and the templates that items are made from.

pub(super) mod tracks {
    //! `practiceTracks:*`.

    use hull::prelude::*;
    use schema::practice_zone::{PracticeTrack, TrackStatus};

    use crate::table_functions::{documents, get_by, list_by};

    documents!(PracticeTrack);
    get_by! {
        /// The track of this name, or null.
        get_by_slug = PracticeTrack::by_slug(slug: String)
    }
    list_by! {
        /// The tracks of a level, newest first.
        list_by_level = PracticeTrack::by_level(level: f64)
    }
    list_by! {
        /// The tracks of one status, newest first.
        list_by_status = PracticeTrack::by_status(status: TrackStatus)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("practiceTracks").with(functions![
            create,
            get,
            list,
            get_by_slug,
            list_by_level,
            list_by_status
        ])
    }
}

pub(super) mod projects {
    //! `practiceProjects:*`.

    use hull::prelude::*;
    use schema::practice_zone::{PracticeProject, PracticeTrack, ReleaseStatus};

    use crate::table_functions::{documents, get_by, list_by};

    documents!(PracticeProject);
    get_by! {
        /// The newest version of the project of this name, or null.
        get_by_slug = PracticeProject::by_slug(slug: String)
    }
    list_by! {
        /// The projects of a track, newest first.
        list_by_track = PracticeProject::by_track(track_id: Id<PracticeTrack>)
    }
    list_by! {
        /// The projects of one status, newest first.
        list_by_status = PracticeProject::by_status(status: ReleaseStatus)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("practiceProjects").with(functions![
            create,
            get,
            list,
            get_by_slug,
            list_by_track,
            list_by_status
        ])
    }
}

pub(super) mod scenarios {
    //! `practiceScenarios:*`.

    use hull::prelude::*;
    use schema::practice_zone::{PracticeScenario, PracticeTrack, ScenarioStatus};

    use crate::table_functions::{documents, get_by, list_by};

    documents!(PracticeScenario);
    get_by! {
        /// The scenario of this name, or null.
        get_by_slug = PracticeScenario::by_slug(slug: String)
    }
    list_by! {
        /// The scenarios of a track, newest first.
        list_by_track = PracticeScenario::by_track(track_id: Id<PracticeTrack>)
    }
    list_by! {
        /// The scenarios of one status, newest first.
        list_by_status = PracticeScenario::by_status(status: ScenarioStatus)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("practiceScenarios").with(functions![
            create,
            get,
            list,
            get_by_slug,
            list_by_track,
            list_by_status
        ])
    }
}

pub(super) mod templates {
    //! `practiceItemTemplates:*`.

    use hull::prelude::*;
    use schema::practice_zone::{PracticeItemTemplate, ReleaseStatus};

    use crate::table_functions::{documents, list_by};

    documents!(PracticeItemTemplate);
    list_by! {
        /// The templates of a type such as "multiple-choice", newest first.
        list_by_type = PracticeItemTemplate::by_type(r#type: String)
    }
    list_by! {
        /// The templates of one status, newest first.
        list_by_status = PracticeItemTemplate::by_status(status: ReleaseStatus)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("practiceItemTemplates").with(functions![create, get, list, list_by_type, list_by_status])
    }
}
