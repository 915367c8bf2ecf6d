//! The `hull` command that the tests drive.

use std::process::ExitCode;

fn main() -> ExitCode {
    hull_cli::main()
}
