//! The `hull` command: data out of a server or a data directory, and into it.
//!
//! Guarantee: it speaks HTTP to a server's admin routes, whichever way in was chosen (`target.rs`). Results go to
//! standard output, everything else to standard error; the exit code says how it ended (`error.rs`).

mod args;
mod commands;
mod error;
mod formats;
mod import;
mod output;
mod progress;
mod target;
mod tls;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::CommandLine;
use crate::error::Failure;

/// Does what the command line of this process says; returns how it ended.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    let json = line.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::io("a runtime", error).report(json),
    };
    let done = runtime.block_on(obey(line));
    // A thread that still reads a file must not keep the process.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

/// Does it, unless it is interrupted.
async fn obey(line: CommandLine) -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::io("the signals", error));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let undo = commands::Undo::default();
    let done = tokio::select! {
        biased;
        done = commands::run(line, &undo) => return done,
        _ = interrupt.recv() => Err(Failure::Interrupted),
        _ = terminate.recv() => Err(Failure::Interrupted),
    };
    tokio::select! {
        () = undo.run() => {}
        _ = interrupt.recv() => {}
    }
    done
}
