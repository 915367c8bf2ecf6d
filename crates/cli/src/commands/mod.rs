//! The commands, one file each, and what an interrupt has to undo.

mod data;
mod export;
mod keys;
mod run;
mod tables;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::args::{Command, CommandLine};
use crate::error::Failure;
use crate::target::Target;

/// What is left to do when a command is interrupted.
#[derive(Clone, Default)]
pub(crate) struct Undo {
    target: Arc<Mutex<Option<Target>>>,
}

impl Undo {
    /// Undoes it.
    pub(crate) async fn run(&self) {
        if let Some(target) = self.target.lock().await.take() {
            // The interrupt is what is reported.
            let _ = target.close().await;
        }
    }
}

/// Does what the command line says.
pub(crate) async fn run(line: CommandLine, undo: &Undo) -> Result<(), Failure> {
    let mut held = undo.target.lock().await;
    let target = held.insert(Target::open(&line.place).await?);
    let json = line.json;
    let done = match line.command {
        Command::Tables => tables::run(target, json).await,
        Command::Data(command) if command.table.is_none() => tables::run(target, json).await,
        Command::Data(command) => data::page(target, command, json).await,
        Command::Get { id } => data::get(target, &id).await,
        Command::Run(command) => run::run(target, command, json).await,
        Command::Export(command) => export::run(target, command, json).await,
        Command::Keys { action } => keys::run(target, action, json).await,
    };
    if let Some(target) = held.take() {
        // What the command says counts more.
        let closed = target.close().await;
        done?;
        return closed;
    }
    done
}
