use hull_model::{Object, Table};

#[derive(Table)]
struct JournalEntry {
    content: String,
}

#[derive(Table)]
#[table("moods")]
#[index(by_mod(mod_))]
struct Mood {
    mood: String,
    intensity: f64,
}

#[derive(Table)]
#[table("goals")]
#[index(by_id(title))]
struct Goal {
    title: String,
}

#[derive(Table)]
#[table("names")]
struct Name(String);

#[derive(Object)]
enum Shape {
    Circle { radius: f64 },
}

#[derive(Object)]
#[hull(rename_al = "snake_case")]
struct Size {
    width: f64,
}

#[derive(Object)]
struct Twice {
    user_id: String,
    #[hull(rename = "userId")]
    user: String,
}

#[derive(Table)]
#[table("events")]
#[index(by_city(address.city))]
struct Event {
    address: Size,
}

fn main() {}
