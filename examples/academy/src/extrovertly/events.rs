//! Events, and who comes to them. Each table is read along its indexes and takes new documents; lists are newest first.

pub(super) mod all {
    //! `events:*`.

    use hull::functions::SearchQuery;
    use hull::prelude::*;
    use schema::extrovertly::{ComfortLevel, Event, User};

    use crate::extrovertly::search::{Found, marked};
    use crate::table_functions::{documents, list_by, page_by, pages};

    documents!(Event);
    pages!(Event);
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

    page_by! {
        /// The events of a category in pages.
        list_by_category_paginated = Event::by_category(category: String)
    }
    page_by! {
        /// The events that ask for so much comfort with people, in pages.
        list_by_comfort_level_paginated = Event::by_comfort_level(comfort_level: ComfortLevel)
    }

    /// The events from a day on (`2025-01-31`) in pages, the earliest first.
    #[query]
    async fn list_from_date_paginated(
        ctx: &QueryCtx,
        date: String,
        pagination_opts: PaginationOptions,
    ) -> Result<PaginationResult<Doc<Event>>> {
        let events = ctx.db.query().with_index(Event::by_date, |q| q.gte(Event::date, date));
        events.paginate(pagination_opts).await
    }

    /// All events whose title has these words, best match first; of this category and this comfort level where they are
    /// given.
    #[query]
    async fn search_events(
        ctx: &QueryCtx,
        search_term: String,
        category: Option<String>,
        comfort_level: Option<ComfortLevel>,
    ) -> Result<Vec<Doc<Event>>> {
        searched(ctx, search_term, category, comfort_level).collect().await
    }

    /// Events whose title has these words, in pages, best match first, with the parts of the titles that match: for a
    /// search while one types.
    #[query]
    async fn search_events_paginated(
        ctx: &QueryCtx,
        search_term: String,
        category: Option<String>,
        comfort_level: Option<ComfortLevel>,
        pagination_opts: PaginationOptions,
    ) -> Result<PaginationResult<Found<Doc<Event>>>> {
        let found = searched(ctx, search_term.clone(), category, comfort_level);
        Ok(marked(found.paginate(pagination_opts).await?, &search_term, |event| &event.title))
    }

    /// The filters look at what was found.
    fn searched(
        ctx: &QueryCtx,
        term: String,
        category: Option<String>,
        comfort_level: Option<ComfortLevel>,
    ) -> SearchQuery<'_, Event> {
        let mut found = ctx.db.query::<Event>().with_search_index(Event::search_events, |q| q.search(term));
        if let Some(category) = category {
            found = found.filter(move |event| event.category == category);
        }
        if let Some(comfort_level) = comfort_level {
            found = found.filter(move |event| event.comfort_level == comfort_level);
        }
        found
    }

    pub(in super::super) fn module() -> Module {
        Module::new("events").with(functions![
            create,
            get,
            list,
            list_by_date,
            list_by_category,
            list_by_comfort_level,
            list_by_organizer,
            list_paginated,
            list_by_category_paginated,
            list_by_comfort_level_paginated,
            list_from_date_paginated,
            search_events,
            search_events_paginated
        ])
    }
}

pub(super) mod attendees {
    //! `eventAttendees:*`.

    use hull::prelude::*;
    use schema::extrovertly::{Event, EventAttendee, User};

    use crate::table_functions::{documents, list_by, page_by};

    documents!(EventAttendee);
    list_by! {
        /// Who comes to an event.
        list_by_event = EventAttendee::by_event_id(event_id: Id<Event>)
    }
    list_by! {
        /// A user's events.
        list_by_user = EventAttendee::by_user_id(user_id: Id<User>)
    }

    page_by! {
        /// Who comes to an event, in pages.
        list_by_event_paginated = EventAttendee::by_event_id(event_id: Id<Event>)
    }
    page_by! {
        /// A user's events in pages.
        list_by_user_paginated = EventAttendee::by_user_id(user_id: Id<User>)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("eventAttendees").with(functions![
            create,
            get,
            list,
            list_by_event,
            list_by_user,
            list_by_event_paginated,
            list_by_user_paginated
        ])
    }
}
