use hull_model::Table;
use hull_model::value::Id;

#[derive(Table)]
#[table("users")]
struct User {
    name: String,
}

#[derive(Table)]
#[table("journalEntries")]
#[search(search_content(content), filter(user_id))]
#[search(search_mood(mood))]
struct JournalEntry {
    user_id: Id<User>,
    content: String,
    mood: String,
}

fn no_filter_field_of_the_index() {
    JournalEntry::search_content.request().search("rain").eq(JournalEntry::mood, "calm");
}

fn an_index_without_filter_fields(user: Id<User>) {
    JournalEntry::search_mood.request().search("rain").eq(JournalEntry::user_id, user);
}

fn field_of_another_table() {
    JournalEntry::search_content.request().search("rain").eq(User::name, "x");
}

fn wrong_value_type() {
    JournalEntry::search_content.request().search("rain").eq(JournalEntry::user_id, "not an id");
}

fn main() {}
