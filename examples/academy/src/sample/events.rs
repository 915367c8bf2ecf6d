//! Extrovertly: events, and who comes to them.

use rand::RngExt;
use schema::extrovertly::{AttendeeStatus, ComfortLevel, Event, EventAttendee};

use super::event_words::{ADDED, DISTRICTS, KINDS, Kind, QUALIFIERS, VENUES};
use super::extrovertly::name_of;
use super::social_words::FEEDBACK;
use super::text::{Story, often};
use super::{DAY, EPOCH, Sampled, TableRows, World, date, number, pick, table};

pub(super) const TABLES: [TableRows; 2] = [table::<Event>(), table::<EventAttendee>()];

/// How many events each user answers to.
const ANSWERS: u64 = 5;
/// The days on which the first event is announced and the last.
const ANNOUNCED: (f64, f64) = (20.0, 290.0);
/// The day on which the data set ends: what is later has not happened.
const TODAY: f64 = 300.0;

const COMFORT: [ComfortLevel; 3] = [ComfortLevel::Low, ComfortLevel::Medium, ComfortLevel::High];

/// What an event of this number is called, and the district that its title names. No two have the same title before all
/// kinds, qualifiers and districts are used up.
fn titled(n: u64) -> (&'static Kind, String, Option<&'static str>) {
    let (kinds, qualifiers) = (KINDS.len(), QUALIFIERS.len());
    let n = n as usize;
    // Each kind once in every round, but not in the order in which they stand; 7 shares no factor with their number.
    let (kind, round) = (&KINDS[n * 7 % kinds], n / kinds);
    let class = n % kinds + round % qualifiers;
    let name = format!("{}{}", kind.0, QUALIFIERS[class % qualifiers]);
    // How often this name was used before; for a third of the names the first one goes without a district.
    let turn = round / qualifiers + usize::from(!class.is_multiple_of(3));
    let district = (turn > 0).then(|| DISTRICTS[(turn + class) % DISTRICTS.len()]);
    let title = district.map_or(name.clone(), |place| format!("{name}, {place}"));
    (kind, title, district)
}

/// When an event is, in days from the first of the data set: two to seven weeks after it was announced.
fn day_of(world: &World, n: u64) -> f64 {
    let announced = (Event::made(world, n) - EPOCH) / DAY;
    (announced + 16.0 + (world.hash("day of an event", n) % 32) as f64).floor()
}

impl Sampled for Event {
    const DAYS: (f64, f64) = ANNOUNCED;

    fn count(world: &World) -> u64 {
        world.per_user(0.4, 320)
    }

    fn row(world: &World, n: u64, _: f64) -> Option<Event> {
        let rng = &mut world.rng::<Event>(n);
        let organizer = rng.random_range(0..world.users);
        let (&(_, category, comfort, about, tags), title, district) = titled(n);
        let story = Story::new(rng);
        let added = often(rng, ADDED);
        let added = story.tell(rng, added);
        let venue = pick(rng, VENUES);
        let place = district.unwrap_or_else(|| pick(rng, DISTRICTS));
        let day = day_of(world, n);
        // Most events of a kind ask for as much comfort as any other of it.
        let comfort = if rng.random_ratio(4, 5) { comfort } else { 1 };
        Some(Event {
            title,
            description: format!("{about} {added}"),
            date: date(EPOCH + DAY * day),
            time: format!("{:02}:{:02}", rng.random_range(9..21), pick(rng, &[0, 0, 15, 30])),
            location: Some(format!("{venue}, {place}")),
            category: category.to_owned(),
            comfort_level: COMFORT[comfort],
            max_attendees: rng.random_ratio(1, 2).then(|| 5.0 * number(rng, 2..12)),
            price: pick(rng, &[0.0, 0.0, 0.0, 3.0, 5.0, 12.5]),
            organizer_id: Some(world.id(organizer)),
            organizer_name: Some(name_of(world, organizer)),
            social_context: None,
            tags: Some(tags.map(str::to_owned).to_vec()),
            image_url: None,
            is_active: day >= TODAY || rng.random_ratio(9, 10),
        })
    }
}

impl Sampled for EventAttendee {
    const DAYS: (f64, f64) = (60.0, TODAY);

    fn count(world: &World) -> u64 {
        ANSWERS * world.users
    }

    /// An answer to an event that was announced in the two weeks before, and a popular one in half of the cases.
    fn row(world: &World, n: u64, at: f64) -> Option<EventAttendee> {
        let rng = &mut world.rng::<EventAttendee>(n);
        let (user, events) = (n % world.users, Event::count(world));
        let share = ((at - EPOCH) / DAY - ANNOUNCED.0) / (ANNOUNCED.1 - ANNOUNCED.0);
        let newest = ((share.min(1.0) * events as f64) as u64).saturating_sub(1).min(events - 1);
        let earlier = newest.saturating_sub(rng.random_range(0..=events / 40));
        let event = if rng.random_ratio(1, 2) { earlier - earlier % 6 } else { earlier };
        let day = day_of(world, event);
        let status = match (day < TODAY, rng.random_range(0..10)) {
            (true, 0..6) => AttendeeStatus::Attended,
            (true, _) | (false, 0) => AttendeeStatus::NotGoing,
            (false, 1..5) => AttendeeStatus::Interested,
            (false, _) => AttendeeStatus::Going,
        };
        let came = status == AttendeeStatus::Attended;
        let told = came && rng.random_ratio(2, 3);
        Some(EventAttendee {
            event_id: world.id(event),
            user_id: world.id(user),
            status,
            rsvp_at: at,
            attended_at: came.then_some(EPOCH + DAY * (day + 0.75)),
            feedback: told.then(|| {
                let story = Story::new(rng);
                let pattern = often(rng, FEEDBACK);
                story.tell(rng, pattern)
            }),
            rating: came.then(|| pick(rng, &[2.0, 3.0, 4.0, 4.0, 5.0, 5.0])),
        })
    }
}
