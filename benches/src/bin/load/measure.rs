//! One measured run: a warm-up, a window in which operations count, progress meanwhile, figures at the end.

use crate::{Common, Failure};
use benches::histogram::Histogram;
use benches::process::{ThreadTimes, Watched};
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What the clients of a run share.
#[derive(Default)]
pub(crate) struct Meter {
    measuring: Cell<bool>,
    stopping: Cell<bool>,
    operations: Cell<u64>,
    deliveries: Cell<u64>,
    delivered_bytes: Cell<u64>,
    failures: Cell<u64>,
    latency: RefCell<Histogram>,
    delivery: RefCell<Histogram>,
    broken: RefCell<Option<String>>,
}

impl Meter {
    /// Counts an operation that was acknowledged.
    pub(crate) fn operation(&self, took: Duration) {
        if self.measuring.get() {
            self.operations.set(self.operations.get() + 1);
            self.latency.borrow_mut().record(took);
        }
    }

    /// Counts an update that reached a subscriber.
    pub(crate) fn delivery(&self, took: Duration, bytes: usize) {
        if self.measuring.get() {
            self.deliveries.set(self.deliveries.get() + 1);
            self.delivered_bytes.set(self.delivered_bytes.get() + bytes as u64);
            self.delivery.borrow_mut().record(took);
        }
    }

    /// Counts an operation that the server refused, at any time of the run.
    pub(crate) fn failure(&self, text: &[u8]) {
        if self.failures.get() < 3 {
            eprintln!("refused: {}", String::from_utf8_lossy(&text[..text.len().min(400)]));
        }
        self.failures.set(self.failures.get() + 1);
    }

    /// Ends the run because a client can't go on.
    pub(crate) fn give_up(&self, reason: impl ToString) {
        self.broken.borrow_mut().get_or_insert(reason.to_string());
        self.stopping.set(true);
    }

    /// Whether clients should start nothing new.
    pub(crate) fn stopping(&self) -> bool {
        self.stopping.get()
    }
}

/// What a run came to.
#[derive(Serialize)]
pub(crate) struct Figures {
    scenario: String,
    relay: bool,
    settings: serde_json::Value,
    seconds: f64,
    operations: u64,
    rate: f64,
    failures: u64,
    latency_ms: Quantiles,
    deliveries: u64,
    deliveries_per_second: f64,
    bytes_per_delivery: f64,
    delivery_ms: Quantiles,
    /// CPU of the server, microseconds.
    server_us_per_operation: Option<f64>,
    server_us_per_delivery: Option<f64>,
    server_cores: Option<f64>,
    server_resident_mib: Option<f64>,
    server_resident_mib_max: Option<f64>,
    server_threads_us_per_operation: ThreadTimes,
    load_us_per_operation: f64,
    /// Cores that other processes of the machine kept busy: the run is quiet when this is near zero.
    others_cores: f64,
}

#[derive(Serialize)]
struct Quantiles {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

impl Quantiles {
    fn of(histogram: &Histogram) -> Self {
        let at = |share| histogram.quantile_ms(share);
        Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: histogram.max_ms() }
    }
}

/// Runs the window while the clients run as tasks of this thread.
pub(crate) async fn window(
    common: &Common,
    meter: &Rc<Meter>,
    scenario: &str,
    settings: serde_json::Value,
) -> Result<Figures, Failure> {
    let (server, own) = (common.server(), Watched::own());
    tokio::time::sleep(Duration::from_secs_f64(common.warmup)).await;
    meter.measuring.set(true);
    let started = Instant::now();
    let cpu = |watched: &Option<Watched>| watched.map(|watched| watched.cpu_seconds());
    let (server_before, own_before, busy_before) = (cpu(&server), own.cpu_seconds(), busy_seconds());
    let threads_before = server.map(|server| server.thread_times()).unwrap_or_default();
    let mut resident_max = 0f64;
    let mut before = 0;
    while started.elapsed().as_secs_f64() < common.duration && !meter.stopping() {
        let left = common.duration - started.elapsed().as_secs_f64();
        tokio::time::sleep(Duration::from_secs_f64(left.clamp(0.001, 1.0))).await;
        let resident = server.map_or(0.0, |server| server.resident_mib());
        resident_max = resident_max.max(resident);
        progress(started.elapsed(), meter.operations.get() - before, meter.deliveries.get(), resident);
        before = meter.operations.get();
    }
    let seconds = started.elapsed().as_secs_f64();
    let (server_after, own_after, busy_after) = (cpu(&server), own.cpu_seconds(), busy_seconds());
    let threads_after = server.map(|server| server.thread_times()).unwrap_or_default();
    meter.measuring.set(false);
    meter.stopping.set(true);
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    if let Some(broken) = meter.broken.borrow_mut().take() {
        return Err(broken.into());
    }
    let (operations, deliveries) = (meter.operations.get(), meter.deliveries.get());
    let server_cpu = server_after.zip(server_before).map(|(after, before)| after - before);
    let each = |cpu: f64, count: u64| cpu * 1e6 / count.max(1) as f64;
    let own_cpu = own_after - own_before;
    let threads = threads_after
        .into_iter()
        .map(|(name, after)| {
            let used = after - threads_before.get(&name).copied().unwrap_or(0.0);
            (name, each(used, operations))
        })
        .filter(|(_, used)| *used > 0.0)
        .collect();
    Ok(Figures {
        scenario: scenario.to_owned(),
        relay: common.relay,
        settings,
        seconds,
        operations,
        rate: operations as f64 / seconds,
        failures: meter.failures.get(),
        latency_ms: Quantiles::of(&meter.latency.borrow()),
        deliveries,
        deliveries_per_second: deliveries as f64 / seconds,
        bytes_per_delivery: meter.delivered_bytes.get() as f64 / deliveries.max(1) as f64,
        delivery_ms: Quantiles::of(&meter.delivery.borrow()),
        server_us_per_operation: server_cpu.map(|cpu| each(cpu, operations)),
        server_us_per_delivery: server_cpu.filter(|_| deliveries > 0).map(|cpu| each(cpu, deliveries)),
        server_cores: server_cpu.map(|cpu| cpu / seconds),
        server_resident_mib: server.map(|server| server.resident_mib()),
        server_resident_mib_max: server.map(|_| resident_max),
        server_threads_us_per_operation: threads,
        load_us_per_operation: each(own_cpu, operations),
        others_cores: ((busy_after - busy_before - own_cpu - server_cpu.unwrap_or(0.0)) / seconds).max(0.0),
    })
}

impl Figures {
    /// Prints the table, writes the JSON, and fails when the server refused anything.
    pub(crate) fn finish(&self, common: &Common) -> Result<(), Failure> {
        let row = |name: &str, value: String| println!("  {name:<28}{value:>16}");
        println!("{}{} {}", self.scenario, if self.relay { " (relay)" } else { "" }, self.settings);
        row("seconds", format!("{:.1}", self.seconds));
        row("operations", self.operations.to_string());
        row("operations/s", format!("{:.0}", self.rate));
        quantiles("latency", &self.latency_ms);
        if self.deliveries > 0 {
            row("deliveries", self.deliveries.to_string());
            row("deliveries/s", format!("{:.0}", self.deliveries_per_second));
            quantiles("delivery", &self.delivery_ms);
        }
        row("refused", self.failures.to_string());
        if let Some(cpu) = self.server_us_per_operation {
            row("server CPU us/operation", format!("{cpu:.2}"));
        }
        if let Some(cpu) = self.server_us_per_delivery {
            row("server CPU us/delivery", format!("{cpu:.2}"));
        }
        if self.deliveries > 0 {
            row("bytes/delivery", format!("{:.0}", self.bytes_per_delivery));
        }
        for (name, cpu) in &self.server_threads_us_per_operation {
            row(&format!("  of it {name}"), format!("{cpu:.2}"));
        }
        if let (Some(cores), Some(max)) = (self.server_cores, self.server_resident_mib_max) {
            row("server cores busy", format!("{cores:.2}"));
            row("server resident MiB, max", format!("{max:.0}"));
        }
        row("load CPU us/operation", format!("{:.2}", self.load_us_per_operation));
        row("cores busy elsewhere", format!("{:.2}", self.others_cores));
        if let Some(path) = &common.json {
            std::fs::write(path, serde_json::to_string_pretty(self)? + "\n")?;
        }
        if self.failures > 0 {
            return Err(format!("{} operations were refused", self.failures).into());
        }
        Ok(())
    }
}

fn quantiles(name: &str, values: &Quantiles) {
    let Quantiles { p50, p95, p99, max } = values;
    println!("  {:<28}p50 {p50:.2}  p95 {p95:.2}  p99 {p99:.2}  max {max:.1}", format!("{name} ms"));
}

fn progress(elapsed: Duration, operations: u64, deliveries: u64, resident: f64) {
    let mut err = std::io::stderr();
    let seconds = elapsed.as_secs_f64();
    let line = format!("{seconds:6.1} s  {operations:>8}/s  {deliveries:>10} delivered  {resident:>6.0} MiB");
    let _ = if err.is_terminal() { write!(err, "\r{line}") } else { writeln!(err, "{line}") };
}

/// CPU seconds that all processes of the machine have used.
fn busy_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|f| f.parse().ok())
        .collect();
    let busy: f64 = [0, 1, 2, 5, 6].iter().filter_map(|at| fields.get(*at)).sum();
    busy / 100.0
}
