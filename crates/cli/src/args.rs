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
  8    `codegen --check`: generated files are not up to date
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
    /// Put data in: a snapshot, or the rows of one table
    #[command(after_help = "Examples:
  hull import backup.zip
  hull import backup.zip --replace-all -y
  hull import users.jsonl --table users --append
  hull import users.csv --table users --replace --skip-invalid refused.jsonl
  hull import backup.zip --replace --dry-run

Without a mode every table must be empty. --append adds, in batches that hold whatever happens later; --replace and
--replace-all put the file in place of what is there, in one step: readers see all of the old or all of the new, and a
bad row, a crash or Ctrl-C leaves the old. Ids, creation times and references survive.

In a jsonl or json file a number is a float64 and {\"$integer\": …} an int64, as Convex reads them; in a snapshot 123 is
an int64 and 123.0 a float64. In a CSV file a cell is a number where it can be read as one, unless the header names a
type, as that of `hull export --format csv` does.")]
    Import(ImportCommand),
    /// Write a backup into a folder, and keep the log from there on
    #[command(after_help = "Examples:
  hull backup /var/backups/hull --data-dir ./hull-data
  hull backup /var/backups/hull --url https://db.example.com --admin-key 'ops|…'

The file is checksummed, sorted and read back before it counts. With it and the log, `hull rebuild` brings back
everything that was acknowledged; with it alone, `hull restore` brings back the moment of the backup.")]
    Backup(BackupCommand),
    /// Make a new data directory from a backup
    #[command(after_help = "Example:
  hull restore /var/backups/hull --data-dir ./restored")]
    Restore(RestoreCommand),
    /// Make the store of a data directory anew: from a backup and the log, or to give space back
    #[command(after_help = "Examples:
  hull rebuild --data-dir ./hull-data --backup /var/backups/hull
  hull rebuild --data-dir ./hull-data --compact

No server may run on the directory. The log is never changed, and the old store is moved aside. Without a backup the log
must reach back to the beginning, or the old store be whole; else it says what can't be recovered.")]
    Rebuild(RebuildCommand),
    /// Check everything that is stored: checksums, indexes against documents, documents against the schema
    #[command(after_help = "Examples:
  hull verify --data-dir ./hull-data
  hull verify --rebuild-indexes")]
    Verify(VerifyCommand),
    /// Write TypeScript types of the functions and tables of a running server, for clients
    #[command(after_help = "Examples:
  hull codegen --out convex/_generated
  hull codegen --out convex/_generated --check
  hull codegen --url http://127.0.0.1:3210 --admin-key 'ops|…'

The files are those of Convex's static code generation, so `useQuery(api.messages.list, { channel })` is checked and its
result has a type. A file that is up to date is left alone. Without a server, the application's own binary does the same:
cargo run --release -- codegen --out convex/_generated")]
    Codegen(CodegenCommand),
    /// Print what the functions of a running server take and return, as `npx convex function-spec` does
    #[command(after_help = "Examples:
  hull function-spec
  hull function-spec --url http://127.0.0.1:3210 --admin-key 'ops|…' > spec.json")]
    FunctionSpec,
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

/// `backup …`
#[derive(Debug, Args)]
pub(crate) struct BackupCommand {
    /// The folder that gets the file
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

/// `restore …`
#[derive(Debug, Args)]
pub(crate) struct RestoreCommand {
    /// A backup, or a folder whose newest backup is meant
    pub(crate) backup: PathBuf,
}

/// `rebuild …`
#[derive(Debug, Args)]
pub(crate) struct RebuildCommand {
    /// A backup, or a folder whose newest backup is meant
    #[arg(long, value_name = "PATH")]
    pub(crate) backup: Option<PathBuf>,
    /// Only from the directory's own store, which must be whole: it takes no more space than its data needs
    #[arg(long, conflicts_with = "backup")]
    pub(crate) compact: bool,
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

/// `verify …`
#[derive(Debug, Args)]
pub(crate) struct VerifyCommand {
    /// Make the indexes that are wrong anew, and verify again
    #[arg(long)]
    pub(crate) rebuild_indexes: bool,
}

/// `import …`
#[derive(Debug, Args)]
pub(crate) struct ImportCommand {
    /// A snapshot (zip, or its files in a folder), or rows of one table (jsonl, json, csv)
    pub(crate) file: PathBuf,
    /// The table that the rows are for; of a snapshot, the one table that is imported
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Option<String>,
    /// What the file is; its name says so unless given
    #[arg(long, value_enum)]
    pub(crate) format: Option<ImportFormat>,
    /// Add to what is there
    #[arg(long, conflicts_with_all = ["replace", "replace_all"])]
    pub(crate) append: bool,
    /// Put the tables of the file in place of those that are there
    #[arg(long, conflicts_with = "replace_all")]
    pub(crate) replace: bool,
    /// The same, and empty or delete all other tables
    #[arg(long)]
    pub(crate) replace_all: bool,
    /// Check everything and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Leave out rows that are refused, and write them to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) skip_invalid: Option<PathBuf>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// A snapshot
    Zip,
    /// One object a line
    #[value(alias = "jsonLines")]
    Jsonl,
    /// An array of objects, at most 16 MiB
    #[value(alias = "jsonArray")]
    Json,
    /// Comma-separated values with a header
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
