//! The coach's conversations and their messages. Each table is read along its indexes and takes new documents; lists are newest first.

pub(super) mod conversations {
    //! `coachConversations:*`.

    use hull::prelude::*;
    use schema::extrovertly::{CoachConversation, User};

    use crate::table_functions::{documents, list_by, page_by};

    documents!(CoachConversation);
    list_by! {
        /// A user's conversations.
        list_by_user = CoachConversation::by_user_id(user_id: Id<User>)
    }
    list_by! {
        /// The conversations of a session.
        list_by_session = CoachConversation::by_session_id(session_id: String)
    }

    page_by! {
        /// A user's conversations in pages.
        list_by_user_paginated = CoachConversation::by_user_id(user_id: Id<User>)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("coachConversations").with(functions![
            create,
            get,
            list,
            list_by_user,
            list_by_session,
            list_by_user_paginated
        ])
    }
}

pub(super) mod messages {
    //! `coachMessages:*`.

    use hull::prelude::*;
    use schema::extrovertly::{CoachConversation, CoachMessage, Sender};

    use crate::table_functions::{documents, list_by, page_by};

    documents!(CoachMessage);
    list_by! {
        /// The messages of a conversation.
        list_by_conversation = CoachMessage::by_conversation_time(conversation_id: Id<CoachConversation>)
    }
    list_by! {
        /// What users wrote, or the coach.
        list_by_sender = CoachMessage::by_sender(sender: Sender)
    }

    page_by! {
        /// The messages of a conversation in pages.
        list_by_conversation_paginated = CoachMessage::by_conversation_time(conversation_id: Id<CoachConversation>)
    }

    pub(in super::super) fn module() -> Module {
        Module::new("coachMessages").with(functions![
            create,
            get,
            list,
            list_by_conversation,
            list_by_sender,
            list_by_conversation_paginated
        ])
    }
}
