//! Events, and who comes to them. Each table is read along its indexes and takes new documents; lists are newest first.

pub(super) mod all {
    //! `events:*`.

    use hull::prelude::*;
    use schema::extrovertly::{ComfortLevel, Event, User};

    use crate::table_functions::{documents, list_by};

    documents!(Event);
    list_by! {
        /// The events of a day.
        list_by_date = Event::by_date(date: String)
    }
    list_by! {
        /// The events of a category.
        list_by_category = Event::by_category(category: String)
    }
    list_by! {
        /// The events that ask for so much comfort with people.
        list_by_comfort_level = Event::by_comfort_level(comfort_level: ComfortLevel)
    }
    list_by! {
        /// An organizer's events.
        list_by_organizer = Event::by_organizer(organizer_id: Id<User>)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("events").with(functions![
            create,
            get,
            list,
            list_by_date,
            list_by_category,
            list_by_comfort_level,
            list_by_organizer
        ])
    }
}

pub(super) mod attendees {
    //! `eventAttendees:*`.

    use hull::prelude::*;
    use schema::extrovertly::{Event, EventAttendee, User};

    use crate::table_functions::{documents, list_by};

    documents!(EventAttendee);
    list_by! {
        /// Who comes to an event.
        list_by_event = EventAttendee::by_event_id(event_id: Id<Event>)
    }
    list_by! {
        /// A user's events.
        list_by_user = EventAttendee::by_user_id(user_id: Id<User>)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("eventAttendees").with(functions![create, get, list, list_by_event, list_by_user])
    }
}
