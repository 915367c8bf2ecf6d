//! Data in and out: a server takes rows by `hull import` and gives them by `hull export`, while other clients use it.
//!
//! Afterwards bare sled takes the same keys and values, in the order in which they came, in batches of 500 keys: the
//! document, two index entries and that of `by_creation_time` for each row. Memory is the most that was resident,
//! by `/proc`. A stall is what a client waits for one answer; two clients ask for one every 10 ms each.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use benches::process::Watched;
use clap::Parser;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

use self::other::{ACCOUNTS, Client, Other};

mod other;
mod sled_side;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;

/// Import and export beside bare sled, with other clients at work.
#[derive(Parser)]
struct Settings {
    /// How many rows of about 300 bytes there are.
    #[arg(long, default_value_t = 200_000)]
    rows: u64,
    /// The server's memory budget, in MiB.
    #[arg(long, default_value_t = 256)]
    memory_mib: u64,
    /// The `hull` program; the one beside this program unless given.
    #[arg(long)]
    hull: Option<PathBuf>,
    /// The `bench-server` program; the one beside this program unless given.
    #[arg(long)]
    server: Option<PathBuf>,
    /// Where a directory for everything is made, and removed at the end.
    #[arg(long, default_value = "/tmp")]
    directory: PathBuf,
    /// In a process that this program has started: give sled the rows of the export in the directory.
    #[arg(long, hide = true)]
    sled: bool,
    /// What sled's page cache may take, in MiB.
    #[arg(long, hide = true, default_value_t = 16)]
    cache_mib: u64,
    /// Sync only after the last batch.
    #[arg(long, hide = true)]
    sync_once: bool,
}

fn main() -> Result<(), Failure> {
    let settings = Settings::parse();
    if settings.sled { sled_side::run(&settings) } else { measure(&settings) }
}

fn measure(settings: &Settings) -> Result<(), Failure> {
    let beside = std::env::current_exe()?;
    let hull = settings.hull.clone().unwrap_or_else(|| beside.with_file_name("hull"));
    let server = settings.server.clone().unwrap_or_else(|| beside.with_file_name("bench-server"));
    let directory = tempfile::Builder::new().prefix("hull-transport-").tempdir_in(&settings.directory)?;
    let root = directory.path();
    let (rows, exported) = (root.join("rows.jsonl"), root.join("exported.jsonl"));
    let bytes = write_rows(&rows, settings.rows)?;
    println!(
        "{} rows of {} bytes, a budget of {} MiB, load average {}",
        settings.rows,
        bytes / settings.rows.max(1),
        settings.memory_mib,
        std::fs::read_to_string("/proc/loadavg")?.split(' ').next().unwrap_or_default(),
    );
    let data = root.join("data");
    let (mut child, address) = start_server(&server, &data, settings.memory_mib)?;
    let measured =
        with_server(settings, Watched::pid(child.id()), &address, &hull, &data, (&rows, &exported));
    if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    }
    child.wait()?;
    measured?;
    let (small, large) = ((settings.memory_mib / 16).max(8), settings.memory_mib);
    for (cache, once) in [(small, false), (large, false), (large, true)] {
        let mut command = Command::new(&beside);
        command.args(["--sled", "--cache-mib", &cache.to_string(), "--directory"]).arg(root);
        if once {
            command.arg("--sync-once");
        }
        if !command.status()?.success() {
            return Err("sled has failed".into());
        }
    }
    Ok(())
}

fn with_server(
    settings: &Settings,
    server: Watched,
    address: &str,
    hull: &Path,
    data: &Path,
    (rows, exported): (&Path, &Path),
) -> Result<(), Failure> {
    let seed = format!(r#"{{"start":0,"count":{ACCOUNTS},"initial":1000000}}"#);
    Client::new(address)?.call("mutation", "seed:seed_range", &seed)?;
    let stop = Arc::new(AtomicBool::new(false));
    let others = [Other::start(address, "mutation", &stop)?, Other::start(address, "query", &stop)?];
    println!(
        "{:<22}{:>8}{:>10}{:>12}{:>13}{:>10}{:>26}{:>26}",
        "",
        "seconds",
        "rows/s",
        "server MiB",
        "over budget",
        "hull MiB",
        "mutation p50/p99/max ms",
        "query p50/p99/max ms"
    );
    let phase = |name: &str, rows: u64, args: &[&str], path: &Path| -> Result<(), Failure> {
        server.forget_peak()?;
        others.iter().for_each(Other::clear);
        let started = Instant::now();
        let peak = if args.is_empty() {
            std::thread::sleep(Duration::from_secs(3));
            0.0
        } else {
            let mut command = Command::new(hull);
            command.args(args).arg(path).arg("--data-dir").arg(data).stdout(Stdio::null());
            finish(command.stderr(Stdio::null()).spawn()?)?
        };
        let seconds = started.elapsed().as_secs_f64();
        // What still waits for its answer counts, too.
        std::thread::sleep(Duration::from_millis(500));
        let mib = server.peak_mib();
        let over = mib - settings.memory_mib as f64;
        let rate = rows as f64 / seconds;
        let waits = others.iter().map(Other::summary).collect::<String>();
        println!("{name:<22}{seconds:>8.2}{rate:>10.0}{mib:>12.0}{over:>13.0}{peak:>10.0}{waits}");
        Ok(())
    };
    let n = settings.rows;
    let zip = exported.with_extension("zip");
    let export = ["export", "--table", "records", "--format"];
    phase("no transport", 0, &[], rows)?;
    phase("import", n, &["import", "--table", "records", "-y"], rows)?;
    phase("export jsonl", n, &[&export[..], &["jsonl", "--path"]].concat(), exported)?;
    // The first export waits until storage has what was imported.
    let again = exported.with_file_name("again.jsonl");
    phase("export jsonl, again", n, &[&export[..], &["jsonl", "--path"]].concat(), &again)?;
    phase("export zip", n, &[&export[..], &["zip", "--path"]].concat(), &zip)?;
    phase("import --append", n, &["import", "--append", "--table", "records", "-y"], rows)?;
    let both = exported.with_file_name("both.jsonl");
    phase("export jsonl, both", 2 * n, &[&export[..], &["jsonl", "--path"]].concat(), &both)?;
    stop.store(true, Ordering::Relaxed);
    others.into_iter().try_for_each(Other::join)
}

/// Starts the server; returns its address once it serves.
fn start_server(program: &Path, data: &Path, memory_mib: u64) -> Result<(Child, String), Failure> {
    let mut child = Command::new(program)
        .args(["--port", "0", "--no-sample", "--memory-budget", &format!("{memory_mib}MiB"), "--data-dir"])
        .arg(data)
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    for line in lines.by_ref() {
        if let Some(address) = line?.strip_prefix("Hull serves http://") {
            let address = address.to_owned();
            // The rest of its greeting is read, so that it never waits for that.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok((child, address));
        }
    }
    child.wait()?;
    Err("the server has not started".into())
}

/// Waits for a program; returns the most memory in MiB that it had.
fn finish(mut child: Child) -> Result<f64, Failure> {
    let (watched, mut peak) = (Watched::pid(child.id()), 0.0_f64);
    loop {
        peak = peak.max(watched.peak_mib());
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(peak),
            Some(status) => return Err(format!("`hull` ended with {status}").into()),
            None => std::thread::sleep(Duration::from_millis(3)),
        }
    }
}

/// The same rows each time; returns their bytes.
fn write_rows(path: &Path, rows: u64) -> Result<u64, Failure> {
    let mut random = SmallRng::seed_from_u64(1);
    let mut file = BufWriter::new(File::create(path)?);
    for _ in 0..rows {
        let mut body = String::new();
        while body.len() < 230 {
            body.push_str(["a ", "table ", "of ", "rows ", "and ", "words "][random.random_range(0..6)]);
        }
        let (user, name) = (random.random_range(0..10_000), random.next_u64());
        writeln!(file, r#"{{"user":{user},"name":"name {name:016x}","body":"{body}"}}"#)?;
    }
    file.flush()?;
    Ok(file.get_ref().metadata()?.len())
}
