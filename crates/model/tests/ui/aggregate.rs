use hull_model::{CountingIndex, IndexOf, RankedIndex, SummingIndex, Table};

#[derive(Table)]
#[table("journalEntries")]
#[index(by_mood(mood))]
#[count(by_user(user))]
#[sum(points_by_user(user), points)]
struct JournalEntry {
    user: String,
    mood: String,
    points: Option<f64>,
}

#[derive(Table)]
#[table("moods")]
#[count(by_mood(mood))]
#[sum(of_mood(mood), mood)]
struct Mood {
    mood: String,
}

#[derive(Table)]
#[table("a")]
#[sum(by_user(user))]
struct NoField {
    user: String,
}

#[derive(Table)]
#[table("b")]
#[count(by_user(user), sorted)]
struct UnknownOption {
    user: String,
}

#[derive(Table)]
#[table("c")]
#[sum(by_user(user), point)]
struct MissingField {
    user: String,
    points: f64,
}

fn index<I: IndexOf<JournalEntry>>(_: I) {}
fn count<I: CountingIndex<JournalEntry>>(_: I) {}
fn sum<I: SummingIndex<JournalEntry>>(_: I) {}
fn ranking<I: RankedIndex<JournalEntry>>(_: I) {}

fn index_of_another_table() {
    index(Mood::by_mood);
}

fn count_of_an_ordinary_index() {
    count(JournalEntry::by_mood);
}

fn sum_of_a_count() {
    sum(JournalEntry::by_user);
}

fn ranking_of_what_is_not_ranked() {
    ranking(JournalEntry::points_by_user);
}

fn main() {}
