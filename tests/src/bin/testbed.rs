//! The server that the tests drive.

use std::process::ExitCode;

fn main() -> ExitCode {
    hull::main(tests::app::app())
}
