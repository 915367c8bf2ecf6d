//! What an operator can set: the command line of every Hull server, and the same settings as `HULL_…` variables.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

/// The command line of a server binary.
#[derive(Debug, Parser)]
#[command(
    about = "A Hull server: its documents, its functions and the websocket that keeps clients up to date",
    after_help = "Examples:
  # Serve on http://127.0.0.1:3210, with the data in ./hull-data
  cargo run --release

  # Another port, another directory, at most 4 GiB of memory for data
  cargo run --release -- --port 8080 --data-dir /var/lib/hull --memory-budget 4GiB
  HULL_PORT=8080 HULL_DATA_DIR=/var/lib/hull HULL_MEMORY_BUDGET=4GiB cargo run --release

  # A key for internal functions and tools
  cargo run --release -- keys create

  # A live query in the terminal
  cargo run --release -- watch journalEntries:list '{}'

  # Types of the functions and tables for a TypeScript client
  cargo run --release -- codegen --out convex/_generated

Logs go to standard error: RUST_LOG=debug says more, HULL_LOG_FORMAT=json writes JSON lines."
)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// What a server binary can do beside serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create, list or revoke admin keys
    Keys(KeysCommand),
    /// Show a live query in the terminal, each time its answer changes
    Watch(WatchCommand),
    /// Write TypeScript types of the functions and tables, for clients; needs no running server
    Codegen(CodegenCommand),
}

/// `codegen …`
#[derive(Debug, Args)]
pub(crate) struct CodegenCommand {
    /// The folder that gets `api.d.ts`, `api.js`, `dataModel.d.ts` and `server.d.ts`
    #[arg(long, default_value = "convex/_generated", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Write nothing, and end with exit code 8 when a file is missing or not up to date
    #[arg(long)]
    pub(crate) check: bool,
}

/// `keys …`
#[derive(Debug, Args)]
pub(crate) struct KeysCommand {
    #[command(subcommand)]
    pub(crate) action: KeysAction,
    #[command(flatten)]
    pub(crate) directory: DataDirectory,
}

/// What can be done with admin keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Print a new admin key, once: only its hash is kept. Works while a server runs on the directory
    Create {
        /// The key's name, the part before `|`; one is made up unless given
        #[arg(long)]
        name: Option<String>,
    },
    /// Print the names of the keys and when they were made
    List,
    /// Make a key invalid
    Revoke {
        /// The key's name
        name: String,
    },
}

/// Which data directory a command is about.
#[derive(Debug, Args)]
pub(crate) struct DataDirectory {
    /// The directory that holds the data
    #[arg(long, global = true, env = "HULL_DATA_DIR", default_value = "./hull-data", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}

/// `watch …`
#[derive(Debug, Args)]
pub(crate) struct WatchCommand {
    /// The query, as `module:function`
    pub(crate) path: String,
    /// Its arguments, as a JSON object
    #[arg(default_value = "{}")]
    pub(crate) args: String,
    /// The server
    #[arg(long, env = "HULL_URL", default_value = "http://127.0.0.1:3210")]
    pub(crate) url: String,
    /// An admin key, for internal queries
    #[arg(long, env = "HULL_ADMIN_KEY", hide_env_values = true)]
    pub(crate) admin_key: Option<String>,
    /// Stop after this many answers
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// How a server runs. [`Settings::default`] is what the command line gives without arguments.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// The address to listen on; 0.0.0.0 is every IPv4 address of the machine
    #[arg(long, env = "HULL_HOST", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// The port to listen on; 0 takes any free one
    #[arg(long, env = "HULL_PORT", default_value_t = 3210)]
    pub port: u16,
    /// The directory that holds the data; made when it is not there
    #[arg(long, env = "HULL_DATA_DIR", default_value = "./hull-data", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Memory for data: 512MiB, 4GiB, or bytes
    #[arg(long, env = "HULL_MEMORY_BUDGET", default_value = "1GiB", value_name = "SIZE", value_parser = budget)]
    pub memory_budget: ByteSize,
    /// When a commit is answered: strict, once it is synced to disk; relaxed, once the operating system has it
    /// (synced at least every 50 ms: killing the process loses nothing, losing power may lose the last moment)
    #[arg(long, env = "HULL_DURABILITY", default_value = "strict", value_name = "strict|relaxed")]
    pub durability: Durability,
    /// Leave a new data directory empty instead of filling it with sample data
    #[arg(long, env = "HULL_NO_SAMPLE", value_parser = clap::builder::FalseyValueParser::new())]
    pub no_sample: bool,
    /// How much sample data a new data directory gets: about 5 thousand, 100 thousand or 1 million documents
    /// [default: small]
    #[arg(long, env = "HULL_SAMPLE", value_name = "small|medium|large", hide_possible_values = true)]
    pub sample: Option<SampleSize>,
}

impl CommandLine {
    /// Reads the process's arguments; ends the process when they are wrong, or ask for help. The settings of sample data
    /// are for applications that have some.
    pub(crate) fn of_process(has_sample: bool) -> CommandLine {
        let mut command = CommandLine::command();
        if !has_sample {
            command =
                command.mut_arg("sample", |arg| arg.hide(true)).mut_arg("no_sample", |arg| arg.hide(true));
        }
        let line =
            CommandLine::from_arg_matches(&command.get_matches_mut()).unwrap_or_else(|error| error.exit());
        if line.settings.sample.is_some() && !has_sample {
            let error =
                command.error(ErrorKind::UnknownArgument, "--sample: this application has no sample data");
            error.exit();
        }
        line
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 3210,
            data_dir: PathBuf::from("./hull-data"),
            memory_budget: ByteSize(1 << 30),
            durability: Durability::Strict,
            no_sample: false,
            sample: None,
        }
    }
}

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// Synced to disk.
    Strict,
    /// With the operating system, and synced at least every 50 ms.
    Relaxed,
}

/// How much sample data there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SampleSize {
    /// About 5,000 documents.
    #[default]
    Small,
    /// About 100,000 documents.
    Medium,
    /// About 1,000,000 documents.
    Large,
}

impl fmt::Display for SampleSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SampleSize::Small => "small",
            SampleSize::Medium => "medium",
            SampleSize::Large => "large",
        })
    }
}

/// A number of bytes, written `512MiB`, `4GiB`, `64KiB`, `1TiB` or plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(
    /// The bytes.
    pub u64,
);

const UNITS: [(&str, u64); 9] = [
    ("tib", 1 << 40),
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("kib", 1 << 10),
    ("tb", 1_000_000_000_000),
    ("gb", 1_000_000_000),
    ("mb", 1_000_000),
    ("kb", 1_000),
    ("b", 1),
];

/// The least memory that a server can keep its working data in.
const LEAST_BUDGET: ByteSize = ByteSize(16 << 20);

/// Reads a memory budget that a server can work with.
fn budget(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse().map_err(|error: ByteSizeError| error.to_string())?;
    if size.0 < LEAST_BUDGET.0 {
        return Err(format!("{size} is too little; give at least {LEAST_BUDGET}"));
    }
    Ok(size)
}

/// A size that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size; write 512MiB, 4GiB or a number of bytes")]
pub struct ByteSizeError(String);

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<ByteSize, ByteSizeError> {
        let bad = || ByteSizeError(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        let (digits, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| Some((lower.strip_suffix(name)?, *unit)))
            .unwrap_or((&lower, 1));
        let count: u64 = digits.trim().parse().map_err(|_| bad())?;
        count.checked_mul(unit).map(ByteSize).ok_or_else(bad)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, unit) in [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= unit && self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_command_line() {
        let CommandLine { settings, command } = CommandLine::parse_from(["server"]);
        assert!(command.is_none());
        assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
    }

    #[test]
    fn settings_and_subcommands_are_read() {
        let line = CommandLine::parse_from([
            "server",
            "--port",
            "0",
            "--memory-budget",
            "512MiB",
            "--durability",
            "relaxed",
            "--no-sample",
            "--sample",
            "large",
        ]);
        assert_eq!(line.settings.port, 0);
        assert_eq!(line.settings.memory_budget, ByteSize(512 << 20));
        assert_eq!(line.settings.durability, Durability::Relaxed);
        assert!(line.settings.no_sample);
        assert_eq!(line.settings.sample, Some(SampleSize::Large));
        assert!(CommandLine::try_parse_from(["server", "--sample", "huge"]).is_err());
        let line = CommandLine::parse_from(["server", "keys", "create", "--data-dir", "/x"]);
        assert!(matches!(line.command, Some(Command::Keys(_))));
        let line = CommandLine::parse_from(["server", "watch", "a:b", "{}", "--url", "http://h"]);
        assert!(matches!(line.command, Some(Command::Watch(WatchCommand { path, .. })) if path == "a:b"));
        let line = CommandLine::parse_from(["server", "codegen", "--out", "x", "--check"]);
        let out = PathBuf::from("x");
        assert!(
            matches!(line.command, Some(Command::Codegen(CodegenCommand { out: given, check: true })) if given == out)
        );
    }

    #[test]
    fn a_budget_is_enough_to_work_with() {
        assert_eq!(budget("16MiB"), Ok(ByteSize(16 << 20)));
        assert_eq!(budget("512").unwrap_err(), "512 is too little; give at least 16MiB");
        assert!(CommandLine::try_parse_from(["server", "--memory-budget", "5"]).is_err());
    }

    #[test]
    fn sizes_are_read_and_printed() {
        for (text, bytes) in
            [("512MiB", 512 << 20), ("1GiB", 1 << 30), ("2 gib", 2 << 30), ("10MB", 10_000_000), ("77", 77)]
        {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "x", "1XB", "-1", "1.5GiB", "99999999999TiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert_eq!(ByteSize(512 << 20).to_string(), "512MiB");
        assert_eq!(ByteSize(1000).to_string(), "1000");
    }
}
