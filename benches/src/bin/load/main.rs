//! The load generator: it drives any server that speaks the Convex websocket protocol (or the relay), and says what
//! an operation cost that server in CPU.
//!
//! It shares its machine with the server, so it is built to be cheap: one thread, hand-framed messages, and answers
//! read no further than their type, request id and success.

mod connection;
mod diffs;
mod distinct;
mod fanout;
mod measure;
mod messages;
mod transfer;

use benches::process::{Watched, raise_file_limit};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What went wrong, in words for the terminal.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// Loads a server that speaks the Convex websocket protocol, and prints what it cost.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Transfers between accounts: 2 reads and 2 writes each.
    Transfer(transfer::Transfer),
    /// One insert at a time, seen by many subscribers of the same query.
    Fanout(fanout::Fanout),
    /// Many subscribers, each on rows of its own; a write touches one of them.
    Distinct(distinct::Distinct),
    /// A list of 500 rows of which one, the first or all change, told by diffs or in full.
    Diffs(diffs::Diffs),
}

/// What every scenario needs to know.
#[derive(Args, Clone)]
pub(crate) struct Common {
    /// The server: http, https-less ws, or host:port.
    #[arg(long, default_value = "http://127.0.0.1:3210")]
    pub url: String,
    /// The server is the bare relay: the same messages, no database.
    #[arg(long)]
    pub relay: bool,
    /// The websocket's path, where it isn't the protocol's own.
    #[arg(long)]
    pub path: Option<String>,
    /// Seconds of measuring.
    #[arg(long, default_value_t = 10.0)]
    pub duration: f64,
    /// Seconds before measuring starts.
    #[arg(long, default_value_t = 2.0)]
    pub warmup: f64,
    /// The server's process id; found by the port when the server is on this machine.
    #[arg(long)]
    pub server_pid: Option<u32>,
    /// Also write the figures to this file.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Where random choices start.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Common {
    /// The server's `host:port`.
    pub(crate) fn address(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// The path to connect to, `relay_path` when the server is the relay.
    pub(crate) fn path_or(&self, relay_path: &str) -> String {
        let usual = if self.relay { relay_path } else { "/api/1.48.0/sync" };
        self.path.clone().unwrap_or_else(|| usual.to_owned())
    }

    /// The server's process, when it can be seen from here.
    pub(crate) fn server(&self) -> Option<Watched> {
        if let Some(pid) = self.server_pid {
            return Some(Watched::pid(pid));
        }
        let port = self.address().rsplit(':').next()?.parse().ok()?;
        Watched::listening_on(port).inspect_err(|error| eprintln!("no server CPU in this run: {error}")).ok()
    }
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        match options.scenario {
            Scenario::Transfer(scenario) => scenario.run().await,
            Scenario::Fanout(scenario) => scenario.run().await,
            Scenario::Distinct(scenario) => scenario.run().await,
            Scenario::Diffs(scenario) => scenario.run().await,
        }
    })
}
