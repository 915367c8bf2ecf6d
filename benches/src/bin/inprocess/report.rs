//! Counting operations over a window of time, and the table at the end.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use benches::process::Watched;
use serde::Serialize;

use crate::Failure;

/// Counts what the clients of one part do.
#[derive(Default)]
pub(crate) struct Counter {
    operations: AtomicU64,
    stopping: AtomicBool,
}

impl Counter {
    /// One more operation is durable.
    pub(crate) fn add(&self, operations: u64) {
        self.operations.fetch_add(operations, Ordering::Relaxed);
    }

    /// Whether clients should end.
    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Lets the clients run for a second, then measures, then stops them.
    pub(crate) fn measure(&self, name: &str, window: Duration) -> Figures {
        let own = Watched::own();
        std::thread::sleep(Duration::from_secs(1));
        let (started, before, cpu) =
            (Instant::now(), self.operations.load(Ordering::Relaxed), own.cpu_seconds());
        let (mut last, mut slowest, mut resident) = (before, f64::INFINITY, own.resident_mib());
        let mut tick = started;
        while started.elapsed() < window {
            let left = window.saturating_sub(started.elapsed());
            std::thread::sleep(left.min(Duration::from_secs(1)));
            let now = self.operations.load(Ordering::Relaxed);
            let rate = (now - last) as f64 / tick.elapsed().as_secs_f64();
            if tick.elapsed() > Duration::from_millis(500) {
                slowest = slowest.min(rate);
                eprintln!("  {name}: {rate:.0}/s, {:.0} MiB", own.resident_mib());
            }
            (last, tick) = (now, Instant::now());
            resident = resident.max(own.resident_mib());
        }
        let seconds = started.elapsed().as_secs_f64();
        let operations = self.operations.load(Ordering::Relaxed) - before;
        let cpu = own.cpu_seconds() - cpu;
        self.stopping.store(true, Ordering::Relaxed);
        Figures {
            name: name.to_owned(),
            per_second: operations as f64 / seconds,
            slowest_second: slowest,
            cpu_microseconds: cpu * 1e6 / operations.max(1) as f64,
            operations,
            syncs_per_second: None,
            retries: None,
            resident_mib: resident,
        }
    }
}

/// What was measured of one part.
#[derive(Serialize)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) per_second: f64,
    pub(crate) slowest_second: f64,
    pub(crate) cpu_microseconds: f64,
    pub(crate) operations: u64,
    pub(crate) syncs_per_second: Option<f64>,
    pub(crate) retries: Option<u64>,
    pub(crate) resident_mib: f64,
}

/// All parts of a run.
#[derive(Default, Serialize)]
pub(crate) struct Report {
    parts: Vec<Figures>,
}

impl Report {
    pub(crate) fn add(&mut self, figures: Figures) {
        self.parts.push(figures);
    }

    /// Prints the table, and writes the file if one is wanted.
    pub(crate) fn finish(&self, json: Option<&Path>) -> Result<(), Failure> {
        println!(
            "{:<44} {:>9} {:>9} {:>8} {:>8} {:>8} {:>7}",
            "", "per s", "slowest s", "CPU us", "syncs/s", "retries", "MiB"
        );
        for part in &self.parts {
            let optional = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0}"));
            println!(
                "{:<44} {:>9.0} {:>9.0} {:>8.2} {:>8} {:>8} {:>7.0}",
                part.name,
                part.per_second,
                part.slowest_second,
                part.cpu_microseconds,
                optional(part.syncs_per_second),
                optional(part.retries.map(|retries| retries as f64)),
                part.resident_mib,
            );
        }
        if let Some(path) = json {
            std::fs::write(path, serde_json::to_string_pretty(self)?)?;
        }
        Ok(())
    }
}
