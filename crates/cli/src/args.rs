//! The command line, and its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXIT_CODES: &str = "Exit codes:
  0    done
  1    the server or the data directory refused, or failed
  2    the command line can't be understood
  3    no connection to the server, or it was lost
  4    a file can't be read, written or imported
  5    not confirmed, so nothing was done
  6    `verify` found something wrong
  7    a function answered with an error
  130  interrupted

Where the data is: --url and --admin-key, or the variables HULL_URL and HULL_ADMIN_KEY, or Convex's own
CONVEX_SELF_HOSTED_URL and CONVEX_SELF_HOSTED_ADMIN_KEY; or --data-dir or HULL_DATA_DIR, with or without a server running
on it; without any of them ./hull-data, where a server keeps its data by default.";

/// `hull …`
#[derive(Debug, Parser)]
#[command(
    name = "hull",
    version,
    about = "Looks at the data of a Hull server or of a data directory, takes it out and puts it in",
    after_help = EXIT_CODES,
    disable_help_subcommand = true
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print results, and errors, as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Where the data is.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// A server
    #[arg(long, global = true, value_name = "URL", conflicts_with = "data_dir")]
    pub(crate) url: Option<String>,
    /// An admin key of that server (`hull keys create`)
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) admin_key: Option<String>,
    /// A data directory; where a server runs on it, that server is asked
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the tables, how many documents they hold, and their indexes
    #[command(after_help = "Examples:
  hull tables --data-dir ./hull-data
  hull tables --url http://127.0.0.1:3210 --admin-key 'ops|…' --json")]
    Tables,
    /// Show the documents of a table, the newest first; without a table, list the tables
    #[command(after_help = "Examples:
  hull data users
  hull data users --limit 10 --order asc --where isActive=true
  hull data users --where 'name=\"3\"' --where 'stats.level=2' --format jsonl

A value after `=` is read as JSON where it is JSON (true, 2, \"3\", null, {\"$integer\": …}), else as a string. All
conditions must hold. An index whose fields all have one is used.")]
    Data(DataCommand),
    /// Show one document
    #[command(after_help = "Example:
  hull get 01k9e2vwm1f7f9p1h6a7v9j5e13c0b4")]
    Get {
        /// Its `_id`
        id: String,
    },
    /// Run a query or a mutation, internal ones too
    #[command(after_help = "Examples:
  hull run missions:list
  hull run missions:create '{\"title\": \"Say hello\"}'
  hull run missions:list '{}' --watch")]
    Run(RunCommand),
    /// Take all data out, or some tables, as of one moment, while writes go on
    #[command(after_help = "Examples:
  hull export --path backup.zip
  hull export --path users.csv --table users --format csv
  hull export --path tables --format jsonl --url http://127.0.0.1:3210 --admin-key 'ops|…'

zip is the layout of Convex's snapshot exports, dir the same files in a folder. jsonl and csv are one file a table, in a
folder; with one --table they are one file. The header of a CSV file names types, and nested fields are flattened to
`address.street:string`; arrays are JSON. An existing file is never overwritten.")]
    Export(ExportCommand),
    /// Create, list or revoke admin keys
    #[command(after_help = "Examples:
  hull keys create --name ops --data-dir ./hull-data
  hull keys list
  hull keys revoke ops")]
    Keys {
        #[command(subcommand)]
        action: KeysAction,
    },
}

/// `data …`
#[derive(Debug, Args)]
pub(crate) struct DataCommand {
    /// The table
    pub(crate) table: Option<String>,
    /// At most so many documents
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) limit: u64,
    /// By creation time
    #[arg(long, value_enum, default_value_t = Order::Desc)]
    pub(crate) order: Order,
    /// Only documents whose field has this value; may be given more than once
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub(crate) conditions: Vec<String>,
    /// How to print them
    #[arg(long, value_enum, default_value_t = DataFormat::Pretty)]
    pub(crate) format: DataFormat,
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// The oldest first
    Asc,
    /// The newest first
    Desc,
}

/// How documents are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataFormat {
    /// A table for people; long values are cut
    Pretty,
    /// One document a line, in export form
    #[value(alias = "jsonLines")]
    Jsonl,
    /// One array of documents, in export form
    #[value(alias = "jsonArray")]
    Json,
}

/// `export …`
#[derive(Debug, Args)]
pub(crate) struct ExportCommand {
    /// Where to: a file that is not there yet, or a folder
    #[arg(long, value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Only this table; may be given more than once
    #[arg(long = "table", value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    /// What to write
    #[arg(long, value_enum, default_value_t = ExportFormat::Zip)]
    pub(crate) format: ExportFormat,
}

/// What an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// A snapshot in Convex's layout
    Zip,
    /// The same files in a folder
    Dir,
    /// JSON Lines, a file for each table
    #[value(alias = "jsonLines")]
    Jsonl,
    /// CSV, a file for each table
    Csv,
}

/// `run …`
#[derive(Debug, Args)]
pub(crate) struct RunCommand {
    /// The function, as `module:function`
    pub(crate) function: String,
    /// Its arguments, as a JSON object
    #[arg(default_value = "{}")]
    pub(crate) args: String,
    /// Show a query's answer each time it changes, until Ctrl-C
    #[arg(long, short)]
    pub(crate) watch: bool,
    /// With --watch: stop after this many answers
    #[arg(long, value_name = "N", requires = "watch")]
    pub(crate) count: Option<u64>,
}

/// What can be done with admin keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Print a new admin key, once: only its hash is kept
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
