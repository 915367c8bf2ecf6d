//! What the data set promises: the same bytes, the sizes, valid rows, references that resolve, counts that are right.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use hull::value::ValueRef;
use schema::extrovertly::{
    AttendeeStatus, CoachConversation, CoachMessage, Event, EventAttendee, JournalEntry, Mission,
    MissionStatus, User, UserMission,
};
use schema::practice_zone::{PracticeAttempt, PracticeCalibrationRun, PracticeItem};
use schema::scenarios::{Scenario, ScenarioMetadata, UserSavedScenario, UserScenarioProgress};
use schema::skill_deconstruction::{MilestoneProgress, PracticeActivity};

use super::*;

/// Numbers as a new directory gives them: by place in the schema.
struct Numbers(Vec<String>);

impl Numbers {
    fn of_schema() -> Numbers {
        Numbers(schema::schema().tables.iter().map(|table| table.name.clone()).collect())
    }
}

impl TableMapping for Numbers {
    fn table_of(&self, number: TableNumber) -> Option<&str> {
        self.0.get(number.0.checked_sub(10_001)? as usize).map(String::as_str)
    }

    fn number_of(&self, table: &str) -> Option<TableNumber> {
        let place = self.0.iter().position(|name| name == table)?;
        Some(TableNumber(10_001 + place as u32))
    }
}

fn rows(size: SampleSize) -> impl Iterator<Item = (&'static str, Packed)> {
    make(size, &Numbers::of_schema()).rows
}

fn documents<T: Table>(size: SampleSize) -> Vec<Doc<T>> {
    rows(size).filter(|row| row.0 == T::NAME).map(|row| Doc::decode(row.1.as_ref()).unwrap()).collect()
}

/// FNV-1a over tables and rows.
fn fingerprint(rows: impl Iterator<Item = (&'static str, Packed)>) -> u64 {
    rows.fold(0xcbf2_9ce4_8422_2325, |hash, (table, row)| {
        let bytes = table.bytes().chain(row.bytes().iter().copied());
        bytes.fold(hash, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    })
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let small = |seed| fingerprint(seeded(seed, SampleSize::Small, &Numbers::of_schema()).rows);
    assert_eq!(small(SEED), small(SEED));
    assert_ne!(small(SEED), small(SEED + 1));
    assert_eq!(small(SEED), FINGERPRINT, "change it when the data set is meant to change");
}

#[test]
fn sizes_are_what_they_say() {
    let near = |count: u64, about: u64| count.abs_diff(about) * 10 <= about;
    for size in [SampleSize::Small, SampleSize::Medium] {
        let count = rows(size).count() as u64;
        assert!(near(count, users_and_documents(size).1), "{size}: {count}");
        assert!(count >= 5_000, "{size}: {count}");
    }
    // What leaves numbers out does so by chance, alike in all sizes.
    let numbers = |size| {
        let world = World::new(SEED, users_and_documents(size).0, &Numbers::of_schema());
        tables().map(|table| (table.rows)(&world).size_hint().1.unwrap() as u64).sum::<u64>()
    };
    assert!(numbers(SampleSize::Large).abs_diff(10 * numbers(SampleSize::Medium)) * 50 < 1_000_000);
}

#[test]
fn every_row_is_valid_and_every_reference_resolves() {
    let numbers = Numbers::of_schema();
    let schema = schema::schema();
    let mut ids: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (table, row) in rows(SampleSize::Small) {
        let document = &schema.get(table).unwrap().document;
        if let Err(error) = document.check_document(row.as_ref(), &numbers) {
            panic!("{table}: {error}");
        }
        let Some(ValueRef::String(id)) = row.as_object().unwrap().get("_id") else {
            panic!("{table}: no id")
        };
        assert!(ids.entry(table).or_default().insert(id.to_owned()), "{table}: {id} twice");
    }
    let filled: Vec<&str> = ids.keys().copied().collect();
    let mut declared: Vec<&str> = numbers.0.iter().map(String::as_str).collect();
    declared.sort_unstable();
    assert_eq!(filled, declared, "all 43 tables");

    let mut references = 0;
    for (table, row) in rows(SampleSize::Small) {
        walk(row.as_ref(), &mut |text| {
            let Ok(id) = text.parse::<DocumentId>() else { return };
            references += 1;
            assert!(ids[numbers.table_of(id.table).unwrap()].contains(text), "{table}: {text}");
        });
    }
    assert!(references > 10_000, "{references}");
}

fn walk(value: ValueRef<'_>, seen: &mut dyn FnMut(&str)) {
    match value {
        ValueRef::String(text) => seen(text),
        ValueRef::Array(items) => items.iter().for_each(|item| walk(item, seen)),
        ValueRef::Object(fields) => fields.iter().for_each(|(_, value)| walk(value, seen)),
        _ => {}
    }
}

#[test]
fn what_counts_rows_has_counted_them() {
    let size = SampleSize::Small;
    let progress = documents::<UserScenarioProgress>(size);
    assert_eq!(documents::<Scenario>(size).len(), documents::<ScenarioMetadata>(size).len());
    for metadata in documents::<ScenarioMetadata>(size) {
        let own: Vec<_> = progress.iter().filter(|row| row.scenario_id == metadata.scenario_id).collect();
        assert_eq!(metadata.amount_saved_count, own.iter().filter(|row| row.is_saved).count() as f64);
        assert_eq!(metadata.total_attempts, own.iter().map(|row| row.times_attempted).sum::<f64>());
        assert_eq!(metadata.total_times_used, own.iter().map(|row| row.times_completed).sum::<f64>());
        assert_eq!(metadata.ratings_count, own.iter().filter(|row| row.user_rating.is_some()).count() as f64);
    }
    let saved = documents::<UserSavedScenario>(size);
    assert_eq!(saved.len(), progress.iter().filter(|row| row.is_saved).count());

    let attempts = documents::<PracticeAttempt>(size);
    let runs = documents::<PracticeCalibrationRun>(size);
    assert_eq!(runs.len(), documents::<PracticeItem>(size).len());
    assert_eq!(runs.iter().map(|run| run.attempts).sum::<f64>(), attempts.len() as f64);
    for run in runs {
        let own: Vec<_> = attempts.iter().filter(|attempt| attempt.item_id == run.item_id).collect();
        assert_eq!(run.attempts, own.len() as f64);
        let mean = own.iter().map(|attempt| attempt.score).sum::<f64>() / run.attempts.max(1.0);
        assert!((run.mean_score - mean).abs() < 1e-9);
    }

    let practices = documents::<PracticeActivity>(size);
    for milestone in documents::<MilestoneProgress>(size) {
        let own: Vec<_> = practices.iter().filter(|row| row.milestone_progress_id == milestone._id).collect();
        let done = own.iter().filter(|row| row.completed == Some(true)).count();
        assert_eq!(milestone.practice_attempts, Some(own.len() as f64));
        assert_eq!(milestone.practice_completions, Some(done as f64));
    }

    let missions = documents::<Mission>(size);
    let taken = documents::<UserMission>(size);
    for user in documents::<User>(size) {
        let own = taken.iter().filter(|row| row.user_id == user._id);
        let done = own.filter(|row| row.status == MissionStatus::Completed);
        let points =
            done.map(|row| missions.iter().find(|mission| mission._id == row.mission_id).unwrap().points);
        assert_eq!(user.total_points, points.sum::<f64>());
    }
}

#[test]
fn texts_read_as_if_somebody_had_written_them() {
    for (table, row) in rows(SampleSize::Small) {
        walk(row.as_ref(), &mut |text| {
            assert!(!text.contains(['{', '}']), "{table}: a name is left in {text}")
        });
    }
    let patterns =
        [journal_words::OPENINGS, journal_words::HAPPENED, journal_words::DETAILS, journal_words::CLOSINGS]
            .into_iter();
    let patterns: BTreeSet<&str> =
        patterns.chain(journal_words::FEELINGS.iter().copied()).flatten().copied().collect();
    assert!(patterns.len() >= 300, "{}", patterns.len());

    let entries = documents::<JournalEntry>(SampleSize::Small);
    let texts: BTreeSet<&str> = entries.iter().map(|entry| entry.content.as_str()).collect();
    assert_eq!(texts.len(), entries.len(), "no entry is there twice");
    let sentences: BTreeSet<&str> =
        texts.iter().flat_map(|text| text.split(['.', '?'])).map(str::trim).collect();
    assert!(sentences.len() > entries.len(), "{} sentences in {} entries", sentences.len(), entries.len());
    assert!(entries.iter().all(|entry| entry.content.starts_with(char::is_uppercase)));

    // Words are used as in any language (Zipf's law): few of them make half of the text, most of them are rare.
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for word in texts
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
    {
        *uses.entry(word.to_lowercase()).or_default() += 1;
    }
    let mut counts: Vec<usize> = uses.values().copied().collect();
    counts.sort_unstable_by_key(|&count| std::cmp::Reverse(count));
    let all: usize = counts.iter().sum();
    let share = |counts: &[usize]| counts.iter().sum::<usize>() as f64 / all as f64;
    assert!(counts.len() > 1_000, "{} words", counts.len());
    assert!((0.03..0.12).contains(&share(&counts[..1])), "the most frequent: {}", share(&counts[..1]));
    assert!((0.4..0.7).contains(&share(&counts[..50])), "the fifty most frequent: {}", share(&counts[..50]));
    assert!(
        share(&counts[counts.len() / 2..]) < 0.1,
        "the rare half: {}",
        share(&counts[counts.len() / 2..])
    );
}

#[test]
fn titles_are_distinct_in_every_size() {
    let world = World::new(SEED, users_and_documents(SampleSize::Large).0, &Numbers::of_schema());
    let distinct = |titles: Vec<String>| titles.iter().collect::<BTreeSet<_>>().len() == titles.len();
    let titles = |n| world.get::<Event>(n).unwrap().title;
    assert!(distinct((0..<Event as Sampled>::count(&world)).map(titles).collect()));
    let titles = |n| world.get::<Mission>(n).unwrap().title;
    assert!(distinct((0..<Mission as Sampled>::count(&world)).map(titles).collect()));
}

#[test]
fn what_happens_happens_in_its_order() {
    let size = SampleSize::Small;
    let events: BTreeMap<_, _> =
        documents::<Event>(size).into_iter().map(|event| (event._id, event)).collect();
    let answers = documents::<EventAttendee>(size);
    let mut pairs = BTreeSet::new();
    for answer in &answers {
        let event = &events[&answer.event_id];
        assert!(event._creation_time < answer.rsvp_at && date(answer.rsvp_at) < event.date);
        assert_eq!(answer.attended_at.is_some(), answer.status == AttendeeStatus::Attended);
        assert!(answer.attended_at.is_none_or(|at| date(at) == event.date));
        assert!(pairs.insert((answer.event_id, answer.user_id)), "a user answers an event once");
    }
    let popular =
        events.keys().map(|id| answers.iter().filter(|answer| answer.event_id == *id).count()).max();
    assert!(popular > Some(4), "some events are popular: {popular:?}");

    let conversations = documents::<CoachConversation>(size);
    let messages = documents::<CoachMessage>(size);
    for conversation in conversations {
        let own: Vec<_> = messages.iter().filter(|one| one.conversation_id == conversation._id).collect();
        assert!(own.iter().all(|one| one._creation_time > conversation._creation_time));
        assert!(own.iter().all(|one| Some(one._creation_time) < conversation.ended_at));
        assert!(
            own.is_sorted_by(
                |one, next| one._creation_time < next._creation_time && one.sender != next.sender
            )
        );
    }
}

const FINGERPRINT: u64 = 4_028_830_504_150_608_967;
