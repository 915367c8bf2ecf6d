//! Starting with many documents: how long sled's own open takes, and when Hull has answered its first query.
//!
//! A directory is filled and closed, then a process writes to it until it is killed. Each time bare sled opens a copy of
//! the store, and a new process opens the directory, reads ten documents through an index and one of them by its id.

use std::error::Error;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use benches::process::Watched;
use clap::{Parser, ValueEnum};
use hull::model::{IndexBounds, Schema, define_table, v};
use hull_engine::{DirOptions, Engine, Order, ReadAt};
use hull_value::{Encode, Encoder, Packed, ValueRef};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;

/// The time from a start to the first answer, after a clean end and after a kill.
#[derive(Parser)]
struct Settings {
    /// How many documents there are.
    #[arg(long, default_value_t = 1_000_000)]
    documents: u32,
    /// Bytes of memory that Hull may use, in MiB.
    #[arg(long, default_value_t = 1024)]
    memory_mib: u64,
    /// How long documents are inserted before the process that does is killed.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Where a directory for the data is made, and removed at the end.
    #[arg(long, default_value = "/tmp")]
    directory: PathBuf,
    /// What a process does that this program has started.
    #[arg(long, hide = true)]
    role: Option<Role>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Fill,
    Write,
    Sled,
    Open,
}

/// About 300 bytes.
struct Row {
    n: f64,
}

impl Encode for Row {
    fn encode<E: Encoder>(&self, e: &mut E) {
        e.begin_object();
        e.key("body");
        e.string(&format!("{:>220}", self.n));
        e.key("n");
        e.float64(self.n);
        e.end_object();
    }
}

fn main() -> Result<(), Failure> {
    let settings = Settings::parse();
    match settings.role {
        None => measure(&settings),
        Some(Role::Fill) => {
            let engine = open(&settings)?;
            for start in (0..settings.documents).step_by(100) {
                insert(&engine, start, 100.min(settings.documents - start))?;
            }
            engine.shutdown();
            Ok(())
        }
        Some(Role::Write) => {
            let engine = open(&settings)?;
            for n in settings.documents.. {
                insert(&engine, n, 1)?;
            }
            Ok(())
        }
        Some(Role::Sled) => {
            let started = Instant::now();
            let cache = settings.memory_mib << 16;
            let path = settings.directory.join("store");
            let db = sled::Config::new().path(path).cache_capacity(cache).flush_every_ms(None).open()?;
            let (opened, cpu) = (started.elapsed().as_secs_f64(), Watched::own().cpu_seconds());
            println!("  sled's own open of a copy: {opened:.2} s, {cpu:.2} s of CPU");
            drop(db);
            Ok(())
        }
        Some(Role::Open) => first_query(&settings),
    }
}

fn measure(settings: &Settings) -> Result<(), Failure> {
    let directory = tempfile::Builder::new().prefix("hull-start-").tempdir_in(&settings.directory)?;
    let (data, copy) = (directory.path().join("data"), directory.path().join("copy"));
    let started = Instant::now();
    finish(start(settings, Role::Fill, &data)?)?;
    println!("{} documents, filled in {:.0} s", settings.documents, started.elapsed().as_secs_f64());
    for way in ["after a clean end", "after kill -9 under load"] {
        println!("{way}:");
        copy_files(&data.join("store"), &copy.join("store"))?;
        finish(start(settings, Role::Sled, &copy)?)?;
        finish(start(settings, Role::Open, &data)?)?;
        std::fs::remove_dir_all(&copy)?;
        if way.contains("clean") {
            let mut writer = start(settings, Role::Write, &data)?;
            std::thread::sleep(Duration::from_secs_f64(settings.seconds));
            writer.kill()?;
            writer.wait()?;
        }
    }
    Ok(())
}

fn start(settings: &Settings, role: Role, directory: &Path) -> Result<Child, Failure> {
    let name = role.to_possible_value().ok_or("a role without a name")?;
    Ok(Command::new(std::env::current_exe()?)
        .args(["--role", name.get_name(), "--documents", &settings.documents.to_string()])
        .args(["--memory-mib", &settings.memory_mib.to_string(), "--directory"])
        .arg(directory)
        .spawn()?)
}

fn finish(mut child: Child) -> Result<(), Failure> {
    if child.wait()?.success() { Ok(()) } else { Err("a process that was started has failed".into()) }
}

fn copy_files(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)?.flatten() {
        if entry.metadata()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn open(settings: &Settings) -> Result<Engine, Failure> {
    let options = DirOptions { memory_budget: settings.memory_mib << 20, ..DirOptions::default() };
    let engine = Engine::open_dir(&settings.directory, options)?;
    let table = define_table("rows").field("n", v::number()).field("body", v::string()).index("by_n", ["n"]);
    engine.apply_schema(&Schema::new().table(table), &mut |_| {})?;
    Ok(engine)
}

fn insert(engine: &Engine, start: u32, count: u32) -> Result<(), Failure> {
    std::thread::sleep(engine.back_pressure());
    let mut transaction = engine.begin();
    for n in start..start + count {
        transaction.insert("rows", &Packed::encode(&Row { n: f64::from(n) })?)?;
    }
    engine.commit(transaction)?;
    Ok(())
}

fn first_query(settings: &Settings) -> Result<(), Failure> {
    let started = Instant::now();
    let engine = open(settings)?;
    let opened = started.elapsed();
    let (from, to) = (f64::from(settings.documents / 2), f64::from(settings.documents / 2 + 10));
    let range = IndexBounds::all()
        .lower(Bound::Included(Some(ValueRef::Float64(from))))
        .upper(Bound::Excluded(Some(ValueRef::Float64(to))))
        .to_key_range();
    let mut transaction = engine.begin_read(ReadAt::Durable)?;
    let mut scan = transaction.scan("rows", "by_n", &range, Order::Asc)?;
    let mut found = Vec::new();
    while let Some(document) = transaction.next(&mut scan)? {
        found.push(document.id);
    }
    if found.len() != 10 || transaction.get(found[0])?.is_none() {
        return Err(format!("{} of 10 documents were found", found.len()).into());
    }
    let (answered, cpu) = (started.elapsed(), Watched::own().cpu_seconds());
    drop(transaction);
    let (own, metrics) = (Watched::own(), engine.metrics());
    println!(
        "  Hull: open {:.2} s, first query answered after {:.2} s, {cpu:.2} s of CPU, {:.0} MiB resident; {:.1} MiB of log, {:.1} MiB replayed",
        opened.as_secs_f64(),
        answered.as_secs_f64(),
        own.resident_mib(),
        mib(metrics.log_bytes),
        mib(metrics.dirty_bytes),
    );
    std::thread::sleep(Duration::from_secs(10));
    let metrics = engine.metrics();
    println!(
        "  10 s later: {:.0} MiB resident, {:.0} of them in documents and indexes, {} of {} tables complete",
        own.resident_mib(),
        mib(metrics.overlay_bytes),
        metrics.resident_tables,
        metrics.tables,
    );
    engine.shutdown();
    Ok(())
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
