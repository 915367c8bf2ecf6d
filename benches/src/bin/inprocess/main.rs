//! The measured application without sockets: transfers, inserts and increments through the runner, durable, on real files; and
//! the same transfers on bare sled in the same run.

mod counter_side;
mod hull_side;
mod report;
mod sled_side;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use benches::pairs;
use clap::Parser;
use report::Report;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Transfers, inserts and increments in this process, beside bare sled.
#[derive(Parser)]
struct Settings {
    /// Tasks, or writers of sled.
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Transfers that each task keeps in flight.
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    /// Draws accounts by a Zipf distribution with this exponent; uniformly when absent.
    #[arg(long)]
    zipf: Option<f64>,
    /// How many accounts there are.
    #[arg(long, default_value_t = 100_000)]
    accounts: u32,
    /// How long each part is measured, after a second that is not.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Inserts distinct documents for so many minutes, after the transfers.
    #[arg(long, default_value_t = 0.0)]
    minutes: f64,
    /// Increments one document from all tasks, beside independent inserts.
    #[arg(long)]
    counter: bool,
    /// Leaves out transfers.
    #[arg(long)]
    without_transfers: bool,
    /// Leaves out sled.
    #[arg(long)]
    without_sled: bool,
    /// Bytes of memory that Hull may use, in MiB.
    #[arg(long, default_value_t = 1024)]
    memory_mib: u64,
    /// Where a directory for the data is made, and removed at the end.
    #[arg(long, default_value = "/tmp")]
    directory: PathBuf,
    /// Writes the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Settings {
    fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

fn main() -> Result<(), Failure> {
    let settings = Settings::parse();
    let mut report = Report::default();
    let pairs = Arc::new(pairs::draw(settings.accounts, settings.zipf, 1));
    if !settings.without_transfers {
        let hull = hull_side::transfers(&settings, &pairs)?;
        report.add(hull);
        if !settings.without_sled {
            for way in sled_side::WAYS {
                let sled = sled_side::transfers(&settings, &pairs, way)?;
                report.add(sled);
            }
        }
    }
    if settings.counter {
        report.add(counter_side::inserts(&settings)?);
        report.add(counter_side::increments(&settings)?);
    }
    if settings.minutes > 0.0 {
        report.add(hull_side::inserts(&settings)?);
    }
    report.finish(settings.json.as_deref())
}

/// A directory for the data of one part.
fn fresh(settings: &Settings) -> Result<tempfile::TempDir, Failure> {
    Ok(tempfile::Builder::new().prefix("hull-inprocess-").tempdir_in(&settings.directory)?)
}
