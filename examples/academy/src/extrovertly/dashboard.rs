//! `dashboard:*`: how much there is, of a user and of everybody. Each number comes from a counter, however many documents it
//! stands for, and changes with the document that changes it.

use hull::prelude::*;
use schema::extrovertly::{
    AttendeeStatus, Event, EventAttendee, GoalStatus, JournalEntry, Mission, MissionStatus, SocialGoal, User,
    UserMission,
};

/// A user in numbers.
#[derive(Object, Clone, Debug, PartialEq)]
struct OfUser {
    /// Entries in the journal.
    journal_entries: u32,
    /// Missions that are assigned and not begun.
    missions_assigned: u32,
    /// Missions that have begun.
    missions_in_progress: u32,
    /// Missions that are done.
    missions_completed: u32,
    /// Events that the user goes to.
    events_going: u32,
    /// Events that the user has been to.
    events_attended: u32,
    /// Goals that are pursued.
    goals_active: u32,
}

/// How much a user has written, done and plans to do.
#[query]
async fn of_user(ctx: &QueryCtx, user_id: Id<User>) -> Result<OfUser> {
    let missions = async |status| {
        let of_status = ctx.db.count(UserMission::by_user_status, |q| {
            q.eq(UserMission::user_id, user_id).eq(UserMission::status, status)
        });
        of_status.await
    };
    let events = async |status| {
        let of_status = ctx.db.count(EventAttendee::by_user_status, |q| {
            q.eq(EventAttendee::user_id, user_id).eq(EventAttendee::status, status)
        });
        of_status.await
    };
    let goals = ctx.db.count(SocialGoal::by_user_status, |q| {
        q.eq(SocialGoal::user_id, user_id).eq(SocialGoal::status, GoalStatus::Active)
    });
    Ok(OfUser {
        journal_entries: ctx
            .db
            .count(JournalEntry::by_user_id, |q| q.eq(JournalEntry::user_id, user_id))
            .await?,
        missions_assigned: missions(MissionStatus::Assigned).await?,
        missions_in_progress: missions(MissionStatus::InProgress).await?,
        missions_completed: missions(MissionStatus::Completed).await?,
        events_going: events(AttendeeStatus::Going).await?,
        events_attended: events(AttendeeStatus::Attended).await?,
        goals_active: goals.await?,
    })
}

/// The application in numbers.
#[derive(Object, Clone, Debug, PartialEq)]
struct Totals {
    /// All users.
    users: u32,
    /// The entries of all journals.
    journal_entries: u32,
    /// Missions there are to choose from.
    missions: u32,
    /// Missions that users have taken on.
    missions_taken: u32,
    /// All events.
    events: u32,
    /// Answers to events.
    answers: u32,
}

/// How much there is of everything.
#[query]
async fn totals(ctx: &QueryCtx) -> Result<Totals> {
    Ok(Totals {
        users: ctx.db.table_count::<User>().await?,
        journal_entries: ctx.db.table_count::<JournalEntry>().await?,
        missions: ctx.db.table_count::<Mission>().await?,
        missions_taken: ctx.db.table_count::<UserMission>().await?,
        events: ctx.db.table_count::<Event>().await?,
        answers: ctx.db.table_count::<EventAttendee>().await?,
    })
}

pub(super) fn module() -> Module {
    Module::new("dashboard").with(functions![of_user, totals])
}
