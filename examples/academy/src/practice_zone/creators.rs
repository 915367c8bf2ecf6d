//! What creators and moderators work with: drafts, calibration runs of items, and reports.

pub(super) mod creations {
    //! `practiceCreations:*`.

    use hull::prelude::*;
    use schema::extrovertly::User;
    use schema::practice_zone::{CreationStatus, PracticeCreation};

    use crate::table_functions::{documents, list_by};

    documents!(PracticeCreation);
    list_by! {
        /// What a user made, newest first.
        list_by_author = PracticeCreation::by_author(author_id: Id<User>)
    }
    list_by! {
        /// The creations of one status, newest first.
        list_by_status = PracticeCreation::by_status(status: CreationStatus)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("practiceCreations").with(functions![create, get, list, list_by_author, list_by_status])
    }
}

pub(super) mod calibration {
    //! `practiceCalibrationRuns:*`.

    use hull::prelude::*;
    use schema::practice_zone::{PracticeCalibrationRun, PracticeItem};

    use crate::table_functions::{documents, list_by};

    documents!(PracticeCalibrationRun);
    list_by! {
        /// The runs of an item, newest first.
        list_by_item = PracticeCalibrationRun::by_item(item_id: Id<PracticeItem>)
    }
    list_by! {
        /// The runs that have settled, or that have not, newest first.
        list_by_settled = PracticeCalibrationRun::by_settled(settled: bool)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("practiceCalibrationRuns").with(functions![
            create,
            get,
            list,
            list_by_item,
            list_by_settled
        ])
    }
}

pub(super) mod flags {
    //! `practiceModerationFlags:*`.

    use hull::prelude::*;
    use schema::practice_zone::{FlagStatus, PracticeItem, PracticeModerationFlag};

    use crate::table_functions::{documents, list_by};

    documents!(PracticeModerationFlag);
    list_by! {
        /// The reports about an item, newest first.
        list_by_content = PracticeModerationFlag::by_content(content_id: Id<PracticeItem>)
    }
    list_by! {
        /// The reports of one status, newest first.
        list_by_status = PracticeModerationFlag::by_status(status: FlagStatus)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("practiceModerationFlags").with(functions![
            create,
            get,
            list,
            list_by_content,
            list_by_status
        ])
    }
}
