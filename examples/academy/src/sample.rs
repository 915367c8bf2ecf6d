//! The sample data set: believable, over all 43 tables, and the same for the same seed.
//!
//! Guarantee: a row is a pure function of the seed, the size, its table and its number there. So rows are made one after
//! the other in constant memory, a reference to a row needs its number alone, and what counts rows (metrics of a
//! scenario, attempts at a milestone, points of a user) makes them again to count them.

mod event_words;
mod events;
mod extrovertly;
mod journal_words;
mod lms;
mod phrases;
mod practice_content;
mod practice_zone;
mod scenarios;
mod skills;
mod social;
mod social_words;
mod text;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use hull::model::TableMapping;
use hull::prelude::*;
use hull::value::{DocumentId, InternalId, TableNumber};
use hull::{Sample, SampleSize};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

const SEED: u64 = 0x48_75_6c_6c;
/// 2025-01-01T00:00:00Z, in milliseconds: the data set begins here and ends 300 days later.
const EPOCH: f64 = 1_735_689_600_000.0;
const DAY: f64 = 86_400_000.0;

/// The rows of a table.
type Rows = Box<dyn Iterator<Item = (&'static str, Packed)> + Send>;
/// A table of the data set, and what makes its rows.
#[derive(Clone, Copy)]
struct TableRows {
    name: &'static str,
    rows: fn(&World) -> Rows,
}

/// The data set of this size, for tables with these numbers.
pub fn make(size: SampleSize, numbers: &dyn TableMapping) -> Sample {
    seeded(SEED, size, numbers)
}

fn seeded(seed: u64, size: SampleSize, numbers: &dyn TableMapping) -> Sample {
    let (users, about) = users_and_documents(size);
    let world = World::new(seed, users, numbers);
    Sample { about, rows: Box::new(tables().flat_map(move |table| (table.rows)(&world))) }
}

/// A user has about a hundred documents.
fn users_and_documents(size: SampleSize) -> (u64, u64) {
    match size {
        SampleSize::Small => (48, 5_500),
        SampleSize::Medium => (1_000, 100_000),
        SampleSize::Large => (10_000, 1_000_000),
    }
}

fn tables() -> impl Iterator<Item = TableRows> {
    let all = [
        extrovertly::TABLES.as_slice(),
        &events::TABLES,
        &social::TABLES,
        &practice_content::TABLES,
        &practice_zone::TABLES,
        &scenarios::TABLES,
        &skills::TABLES,
        &lms::TABLES,
    ];
    all.into_iter().flatten().copied()
}

/// A table of the data set.
trait Sampled: Table + Sized {
    /// The days, from the first of the data set, between which its documents are made, one after the other.
    const DAYS: (f64, f64);
    /// How many numbers its rows have.
    fn count(world: &World) -> u64;
    /// The row of this number, made at this time. Some tables leave numbers out.
    fn row(world: &World, n: u64, at: f64) -> Option<Self>;
    /// When the row of this number is made, in whole milliseconds: evenly over its days, unless another row decides.
    fn made(world: &World, n: u64) -> f64 {
        world.spread::<Self>(n)
    }
}

/// A table's entry in the list of its application.
const fn table<T: Sampled>() -> TableRows {
    TableRows { name: T::NAME, rows: World::rows::<T> }
}

/// What all rows are made from.
#[derive(Clone)]
struct World {
    seed: u64,
    users: u64,
    numbers: Arc<BTreeMap<&'static str, TableNumber>>,
}

impl World {
    fn new(seed: u64, users: u64, numbers: &dyn TableMapping) -> World {
        let known = tables().filter_map(|table| Some((table.name, numbers.number_of(table.name)?)));
        World { seed, users, numbers: Arc::new(known.collect()) }
    }

    /// So many for each user, and no fewer than `least`.
    fn per_user(&self, share: f64, least: u64) -> u64 {
        ((self.users as f64 * share) as u64).max(least)
    }

    /// A number that only seed, table and row decide.
    fn hash(&self, table: &str, n: u64) -> u64 {
        let of_table = table.bytes().fold(mix(self.seed), |hash, byte| mix(hash ^ u64::from(byte)));
        mix(of_table ^ mix(n))
    }

    /// What chance decides of a row.
    fn rng<T: Table>(&self, n: u64) -> StdRng {
        StdRng::seed_from_u64(self.hash(T::NAME, n))
    }

    fn id<T: Sampled>(&self, n: u64) -> Id<T> {
        let hash = self.hash(T::NAME, n);
        let random = u128::from(mix(hash ^ 1)) << 64 | u128::from(mix(hash ^ 2));
        let internal = InternalId::new(T::made(self, n) as u64, random);
        // A table without a number is one that the server does not have: its rows are refused.
        let table = self.numbers.get(T::NAME).copied().unwrap_or(TableNumber(0));
        Id::from(DocumentId { table, internal })
    }

    /// The time of a row whose table fills evenly over its days.
    fn spread<T: Sampled>(&self, n: u64) -> f64 {
        let (from, to) = T::DAYS;
        let passed = (n as f64 + 0.5) / T::count(self).max(1) as f64;
        (EPOCH + DAY * (from + (to - from) * passed)).floor()
    }

    fn get<T: Sampled>(&self, n: u64) -> Option<T> {
        T::row(self, n, T::made(self, n))
    }

    fn rows<T: Sampled>(&self) -> Rows {
        let world = self.clone();
        let rows = (0..T::count(self)).filter_map(move |n| {
            let document = Doc::new(world.id::<T>(n), T::made(&world, n), world.get::<T>(n)?);
            // Small, with names that the schema has checked: nothing that can't be written.
            Some((T::NAME, Packed::encode(&document).ok()?))
        });
        Box::new(rows)
    }

    /// The user and the round of a row where each of `rounds` goes over all users; the other thing that such a row is
    /// about is [`World::other`].
    fn user_and_round(&self, n: u64) -> (u64, u64) {
        (n % self.users, n / self.users)
    }

    /// Which of `count` others a user meets in a round.
    fn other(&self, user: u64, round: u64, count: u64) -> u64 {
        (user + 7 * round) % count
    }

    /// The rows in which one of `count` others is met, in `rounds` rounds.
    fn rows_about(&self, other: u64, count: u64, rounds: u64) -> impl Iterator<Item = u64> + '_ {
        (0..rounds).flat_map(move |round| {
            let first = (other + 7 * round * (count - 1)) % count;
            (first..self.users).step_by(count as usize).map(move |user| round * self.users + user)
        })
    }
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// One of a list that has some.
fn pick<T: Copy>(rng: &mut StdRng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())]
}

fn word(rng: &mut StdRng, from: &[&str]) -> String {
    pick(rng, from).to_owned()
}

fn some(rng: &mut StdRng, from: &[&str], count: usize) -> Vec<String> {
    from.sample(rng, count).map(|&s| s.to_owned()).collect()
}

/// A whole number from a range, as the float that documents hold.
fn number(rng: &mut StdRng, range: std::ops::Range<u32>) -> f64 {
    f64::from(rng.random_range(range))
}

/// A title of a list; after the list's end with a number, so that each is another.
fn title(titles: &[&str], n: u64) -> String {
    let title = titles[n as usize % titles.len()];
    match n as usize / titles.len() {
        0 => title.to_owned(),
        round => format!("{title}, part {}", round + 1),
    }
}

/// `2025-01-31`.
fn date(at: f64) -> String {
    hull::server::utc(at / 1000.0).chars().take(10).collect()
}

#[cfg(test)]
mod tests;
