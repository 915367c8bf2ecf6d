use std::time::SystemTime;

use hull_model::Table;

#[derive(Table)]
#[table("events")]
struct Event {
    at: SystemTime,
}

fn main() {}
