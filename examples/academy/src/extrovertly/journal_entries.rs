//! `journalEntries:*`: what users write about their days.

use hull::functions::SearchQuery;
use hull::prelude::*;
use schema::extrovertly::{JournalEntry, User};

use super::not_found;
use super::search::{Found, marked};
use crate::table_functions::{page_by, pages, size};

/// A user's entries, newest first.
#[query]
pub async fn get_user_journal_entries(ctx: &QueryCtx, user_id: Id<User>) -> Result<Vec<Doc<JournalEntry>>> {
    ctx.db
        .query::<JournalEntry>()
        .with_index(JournalEntry::by_user_date, |q| q.eq(JournalEntry::user_id, user_id))
        .order(Order::Desc)
        .collect()
        .await
}

pages!(JournalEntry);
page_by! {
    /// A user's entries in pages, newest first.
    get_user_journal_entries_paginated = JournalEntry::by_user_date(user_id: Id<User>)
}
page_by! {
    /// All entries of one mood in pages, newest first.
    list_by_mood_paginated = JournalEntry::by_mood(mood: String)
}

/// What a user wrote about something, best match first: 50 entries unless `limit` says otherwise; only private ones, or
/// only public ones, where that is asked for.
#[query]
pub async fn search_content(
    ctx: &QueryCtx,
    user_id: Id<User>,
    search_term: String,
    is_private: Option<bool>,
    limit: Option<u32>,
) -> Result<Vec<Doc<JournalEntry>>> {
    searched(ctx, user_id, search_term, is_private).take(size(limit)).await
}

/// What a user wrote about something, in pages, best match first, with the parts of the contents that match: for a search
/// while one types.
#[query]
pub async fn search_content_paginated(
    ctx: &QueryCtx,
    user_id: Id<User>,
    search_term: String,
    is_private: Option<bool>,
    pagination_opts: PaginationOptions,
) -> Result<PaginationResult<Found<Doc<JournalEntry>>>> {
    let found = searched(ctx, user_id, search_term.clone(), is_private).paginate(pagination_opts).await?;
    Ok(marked(found, &search_term, |entry| &entry.content))
}

fn searched(
    ctx: &QueryCtx,
    user_id: Id<User>,
    term: String,
    is_private: Option<bool>,
) -> SearchQuery<'_, JournalEntry> {
    ctx.db.query::<JournalEntry>().with_search_index(JournalEntry::search_content, |q| {
        let of_user = q.search(term).eq(JournalEntry::user_id, user_id);
        match is_private {
            Some(is_private) => of_user.eq(JournalEntry::is_private, is_private),
            None => of_user,
        }
    })
}

/// A new entry with its fields.
#[mutation]
pub async fn create(ctx: &MutationCtx, #[hull(flatten)] entry: JournalEntry) -> Result<Id<JournalEntry>> {
    ctx.db.insert(entry).await
}

/// One entry, or null.
#[query]
pub async fn get(ctx: &QueryCtx, id: Id<JournalEntry>) -> Result<Nullable<Doc<JournalEntry>>> {
    Ok(ctx.db.get(id).await?.into())
}

/// The newest entries of everybody, 50 unless `limit` says otherwise.
#[query]
pub async fn list(ctx: &QueryCtx, limit: Option<u32>) -> Result<Vec<Doc<JournalEntry>>> {
    ctx.db.query::<JournalEntry>().order(Order::Desc).take(limit.unwrap_or(50) as usize).await
}

/// All entries of one mood, newest first.
#[query]
pub async fn list_by_mood(ctx: &QueryCtx, mood: String) -> Result<Vec<Doc<JournalEntry>>> {
    ctx.db
        .query::<JournalEntry>()
        .with_index(JournalEntry::by_mood, |q| q.eq(JournalEntry::mood, mood))
        .order(Order::Desc)
        .collect()
        .await
}

/// Changes the fields that are given.
#[mutation]
pub async fn update(
    ctx: &MutationCtx,
    id: Id<JournalEntry>,
    content: Option<String>,
    mood: Option<String>,
    reflection_prompt: Option<String>,
    tags: Option<Vec<String>>,
    is_private: Option<bool>,
    word_count: Option<f64>,
) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("journal entry", id))?;
    ctx.db
        .patch(
            id,
            Patch::new()
                .set_some(JournalEntry::content, content)
                .set_some(JournalEntry::mood, mood)
                .set_some(JournalEntry::reflection_prompt, reflection_prompt)
                .set_some(JournalEntry::tags, tags)
                .set_some(JournalEntry::is_private, is_private)
                .set_some(JournalEntry::word_count, word_count),
        )
        .await
}

/// Removes an entry.
#[mutation]
pub async fn remove(ctx: &MutationCtx, id: Id<JournalEntry>) -> Result<()> {
    ctx.db.get(id).await?.ok_or_else(|| not_found("journal entry", id))?;
    ctx.db.delete(id).await
}

pub(super) fn module() -> Module {
    Module::new("journalEntries").with(functions![
        get_user_journal_entries,
        get_user_journal_entries_paginated,
        list_paginated,
        list_by_mood_paginated,
        search_content,
        search_content_paginated,
        create,
        get,
        list,
        list_by_mood,
        update,
        remove
    ])
}
