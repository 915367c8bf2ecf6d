//! Counters of indexes: what they answer in, what they cost an insert, and how long they are built after a start.
//!
//! A directory is filled several times, with the same index counting nothing, counting, adding up, and ranking its groups.
//! Then one with all of them is opened with room for the table in memory and without, and asked over a million rows.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring program ends at the first surprise"
)]

use std::hint::black_box;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use benches::process::Watched;
use clap::Parser;
use hull::model::{IndexBounds, Schema, TableDef, define_table, v};
use hull_engine::{DirOptions, Document, Engine, KeyRange, Limits, Order, ReadAt, Transaction};
use hull_value::{Encode, Encoder, Packed, ValueRef};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Counts over many rows.
#[derive(Parser)]
struct Settings {
    /// How many rows a range has; the table has a tenth more.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u32,
    /// How many inserts are measured, each a commit.
    #[arg(long, default_value_t = 150_000)]
    inserts: u32,
    /// The memory budget of the table that does not fit, in MiB.
    #[arg(long, default_value_t = 128)]
    small_mib: u64,
    /// Where directories are made, and removed at the end.
    #[arg(long, default_value = "/tmp")]
    directory: PathBuf,
}

/// Some 200 bytes, of one of 10,000 users.
struct Row(u32);

impl Encode for Row {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.begin_object();
        e.key("body");
        e.string(&format!("{:>120}", self.0));
        e.key("number");
        e.float64(self.0.into());
        e.key("points");
        e.float64(f64::from(self.0 % 97) / 4.0);
        e.key("user");
        e.string(&format!("user{}", self.0 % 10_000));
        e.end_object();
    }
}

fn table() -> TableDef {
    define_table("rows")
        .field("body", v::string())
        .field("number", v::number())
        .field("points", v::number())
        .field("user", v::string())
}

/// A name, and what it adds to the table.
type Declared = (&'static str, fn(TableDef) -> TableDef);

const DECLARED: [Declared; 5] = [
    ("an index on the number", |table| table.index("n", ["number"])),
    ("which counts", |table| table.aggregate_index("n", ["number"], None, false)),
    ("which adds up", |table| table.aggregate_index("n", ["number"], Some("points"), false)),
    ("an index on the user", |table| table.index("u", ["user"])),
    ("which adds up and ranks", |table| table.aggregate_index("u", ["user"], Some("points"), true)),
];

fn counted(table: TableDef) -> TableDef {
    let table = table.aggregate_index("n", ["number"], None, false);
    let table = table.aggregate_index("s", ["number"], Some("points"), false);
    table.aggregate_index("u", ["user"], Some("points"), true)
}

fn open(directory: &Path, memory_mib: u64) -> Engine {
    let options = DirOptions { memory_budget: memory_mib << 20, ..DirOptions::default() };
    Engine::open_dir(directory, options).unwrap()
}

/// Fills a directory; returns the rate, and the CPU of each row in microseconds.
fn fill(directory: &Path, table: TableDef, numbers: &[u32], commit: u32) -> (f64, f64) {
    let engine = open(directory, 2048);
    engine.apply_schema(&Schema::new().table(table), &mut |_| {}).unwrap();
    while engine.metrics().counters_building > 0 {
        std::thread::yield_now();
    }
    let (started, cpu) = (Instant::now(), Watched::own().cpu_seconds());
    for numbers in numbers.chunks(commit as usize) {
        std::thread::sleep(engine.back_pressure());
        let mut transaction = engine.begin();
        for number in numbers {
            transaction.insert("rows", &Packed::encode(&Row(*number)).unwrap()).unwrap();
        }
        engine.order(transaction).unwrap();
    }
    engine.sync_soon();
    while engine.durable() < engine.ordered() {
        std::thread::yield_now();
    }
    let rate = numbers.len() as f64 / started.elapsed().as_secs_f64();
    let cpu = (Watched::own().cpu_seconds() - cpu) * 1e6 / numbers.len() as f64;
    engine.shutdown();
    (rate, cpu)
}

fn range(start: u32, rows: u32) -> KeyRange {
    let end = start.saturating_add(rows);
    IndexBounds::all()
        .lower(Bound::Included(Some(ValueRef::Float64(start.into()))))
        .upper(Bound::Excluded(Some(ValueRef::Float64(end.into()))))
        .to_key_range()
}

/// The median and the 99th percentile of a question, in microseconds, each in a transaction of its own.
fn ask(engine: &Engine, name: &str, mut question: impl FnMut(&mut Transaction)) {
    let mut times: Vec<Duration> = (0..1000)
        .map(|_| {
            let mut transaction = engine.begin_read(ReadAt::Durable).unwrap();
            transaction.set_limits(Limits::none());
            let started = Instant::now();
            question(&mut transaction);
            started.elapsed()
        })
        .collect();
    // The first ones warm up.
    times.drain(..100);
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e6;
    println!("    {name:<34} median {:>8.1} us, 99 % {:>8.1} us", at(50), at(99));
}

fn questions(engine: &Engine, settings: &Settings) {
    let (rows, spare) = (settings.rows, settings.rows / 10);
    let random = &mut StdRng::seed_from_u64(7);
    let mut pick = || range(random.random_range(0..spare), rows);
    ask(engine, "count over the rows", |tx| {
        assert_eq!(black_box(tx.count_range("rows", "n", &pick()).unwrap()), u64::from(rows));
    });
    ask(engine, "sum over the rows", |tx| {
        black_box(tx.sum_range("rows", "s", &pick()).unwrap());
    });
    ask(engine, "max over the rows", |tx| {
        black_box(tx.extreme_range("rows", "s", &pick(), Order::Desc).unwrap());
    });
    let whole = KeyRange::all();
    let random = &mut StdRng::seed_from_u64(8);
    let mut place = || u64::from(random.random_range(0..rows));
    ask(engine, "the document at an offset", |tx| {
        black_box(tx.document_at("rows", "n", (&whole, Order::Asc), place()).unwrap().unwrap());
    });
    let ids: Vec<_> = {
        let mut tx = engine.begin_read(ReadAt::Durable).unwrap();
        tx.set_limits(Limits::none());
        let at =
            |tx: &mut Transaction, at: u64| tx.document_at("rows", "n", (&whole, Order::Asc), at).unwrap();
        (0..50).map(|n| at(&mut tx, n * u64::from(rows) / 50).unwrap().id).collect()
    };
    let mut next = ids.iter().cycle();
    ask(engine, "the place of a document", |tx| {
        let id = *next.next().unwrap();
        black_box(tx.rank_of("rows", "n", (&whole, Order::Asc), id).unwrap().unwrap());
    });
    ask(engine, "the sum of a user of 10,000", |tx| {
        let user = IndexBounds::all().eq(Some(ValueRef::String("user77"))).to_key_range();
        black_box(tx.sum_range("rows", "u", &user).unwrap());
    });
    ask(engine, "the ten users with most points", |tx| {
        assert_eq!(black_box(tx.ranking("rows", "u", Order::Desc, 10).unwrap()).len(), 10);
    });
    ask(engine, "the rows of the table", |tx| {
        black_box(tx.table_count("rows").unwrap());
    });
}

/// Counts by reading the index, as long as there are no counters.
fn scan(engine: &Engine, settings: &Settings) {
    let mut transaction = engine.begin_read(ReadAt::Durable).unwrap();
    transaction.set_limits(Limits::none());
    let started = Instant::now();
    let mut scan = transaction.scan("rows", "n", &range(0, settings.rows), Order::Asc).unwrap();
    let mut count = 0_u32;
    let each = |_: &Document| {
        count += 1;
        true
    };
    transaction.for_each(&mut scan, usize::MAX, each).unwrap();
    println!("    {count} rows read instead of counted: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
}

fn started(directory: &Path, memory_mib: u64, settings: &Settings) {
    println!("after a start with a budget of {memory_mib} MiB");
    let began = Instant::now();
    let engine = open(directory, memory_mib);
    println!("    open after {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    let asked = Instant::now();
    let mut transaction = engine.begin_read(ReadAt::Durable).unwrap();
    let count = transaction.count_range("rows", "n", &range(0, settings.rows)).unwrap();
    drop(transaction);
    println!("    the first count of {count}, by reading: {:.0} ms", asked.elapsed().as_secs_f64() * 1e3);
    let (mut loaded, mut before) = (None, 0.0);
    while engine.metrics().counters_building > 0 {
        if loaded.is_none() && engine.metrics().resident_tables > 0 {
            loaded = Some(began.elapsed());
            before = Watched::own().resident_mib();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let built = began.elapsed();
    if let Some(loaded) = loaded {
        let grown = (Watched::own().resident_mib() - before) * f64::from(1 << 20);
        println!(
            "    in memory after {:.1} s; three indexes counted {:.1} s later, with {:.1} bytes of memory a row in all",
            loaded.as_secs_f64(),
            (built - loaded).as_secs_f64(),
            grown / (f64::from(settings.rows) * 1.1)
        );
    } else {
        println!("    three indexes counted {:.1} s after the start", built.as_secs_f64());
    }
    let metrics = engine.metrics();
    println!("    tables in memory: {} of {}", metrics.resident_tables, metrics.tables);
    questions(&engine, settings);
    scan(&engine, settings);
    engine.shutdown();
}

fn main() {
    let settings = Settings::parse();
    let total = settings.rows + settings.rows / 10;
    let mut numbers: Vec<u32> = (0..total).collect();
    numbers.shuffle(&mut StdRng::seed_from_u64(1));
    for (name, declare) in DECLARED {
        let directory = tempfile::tempdir_in(&settings.directory).unwrap();
        let inserted = numbers.get(..settings.inserts as usize).unwrap_or(&numbers);
        let (rate, cpu) = fill(directory.path(), declare(table()), inserted, 1);
        println!("{name:<26} {rate:>9.0} inserts/s, {cpu:>6.2} us of CPU each");
    }
    let directory = tempfile::tempdir_in(&settings.directory).unwrap();
    fill(directory.path(), counted(table()), &numbers, 100);
    started(directory.path(), 4096, &settings);
    started(directory.path(), settings.small_mib, &settings);
}
