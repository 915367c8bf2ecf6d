use hull_model::Table;

#[derive(Table)]
#[table("events")]
#[index(by_place(city, hall, seat))]
struct Event {
    city: String,
    hall: String,
    seat: f64,
    note: String,
}

#[derive(Table)]
#[table("users")]
struct User {
    name: String,
}

fn leading_fields() {
    let _ = Event::by_place.range().distinct(Event::city);
    let _ = Event::by_place.range().distinct((Event::city, Event::hall));
    let _ = Event::by_place.range().eq(Event::city, "Rome").distinct((Event::hall, Event::seat));
    let _ = Event::by_place.range().gt(Event::city, "Rome").distinct(Event::city);
}

fn not_the_first_field() {
    let _ = Event::by_place.range().distinct(Event::hall);
}

fn a_gap() {
    let _ = Event::by_place.range().distinct((Event::city, Event::seat));
}

fn a_field_with_an_equality() {
    let _ = Event::by_place.range().eq(Event::city, "Rome").distinct(Event::city);
}

fn another_field_than_the_bounds() {
    let _ = Event::by_place.range().gt(Event::city, "Rome").distinct((Event::city, Event::hall));
}

fn a_field_of_another_table() {
    let _ = Event::by_place.range().distinct(User::name);
}

fn a_name() {
    let _ = Event::by_place.range().distinct("city");
}

fn main() {}
