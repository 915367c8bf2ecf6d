use hull_model::value::Id;
use hull_model::{Patch, Selection, Table};

#[derive(Table)]
#[table("users")]
struct User {
    name: String,
}

#[derive(Table)]
#[table("journalEntries")]
#[index(by_user_mood(user_id, mood))]
struct JournalEntry {
    user_id: Id<User>,
    mood: String,
    note: Option<String>,
    words: f64,
}

fn wrong_field_order() {
    JournalEntry::by_user_mood.range().eq(JournalEntry::mood, "calm");
}

fn second_lower_bound(user: Id<User>) {
    JournalEntry::by_user_mood
        .range()
        .eq(JournalEntry::user_id, user)
        .gt(JournalEntry::mood, "a")
        .gte(JournalEntry::mood, "b");
}

fn bounds_on_two_fields(user: Id<User>) {
    JournalEntry::by_user_mood.range().gt(JournalEntry::user_id, user).lt(JournalEntry::mood, "b");
}

fn equality_after_a_bound(user: Id<User>) {
    JournalEntry::by_user_mood.range().gt(JournalEntry::user_id, user).eq(JournalEntry::mood, "b");
}

fn unknown_index() {
    JournalEntry::by_moood.range();
}

fn more_fields_than_the_index_has(user: Id<User>) {
    JournalEntry::by_user_mood
        .range()
        .eq(JournalEntry::user_id, user)
        .eq(JournalEntry::mood, "calm")
        .eq(JournalEntry::creation_time, 5.0)
        .eq(JournalEntry::words, 5.0);
}

fn field_of_another_table() {
    JournalEntry::by_user_mood.range().eq(User::name, "x");
}

fn wrong_value_type() {
    JournalEntry::by_user_mood.range().eq(JournalEntry::user_id, "not an id");
}

fn unset_of_a_required_field() {
    Patch::new().unset(JournalEntry::mood);
}

fn wrong_type_in_a_patch() {
    Patch::new().set(JournalEntry::words, "five");
}

fn patch_of_a_system_field() {
    Patch::new().set(JournalEntry::creation_time, 5.0);
}

fn select<S: Selection<JournalEntry>>(_: S) {}

fn selection_of_another_tables_field() {
    select((JournalEntry::mood, User::name));
}

fn selection_of_a_system_field() {
    select(JournalEntry::creation_time);
}

fn selection_by_name() {
    select("mood");
}

fn main() {}
