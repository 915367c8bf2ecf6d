//! The commands, one file each, and what an interrupt has to undo.

mod backup;
mod codegen;
mod data;
mod export;
mod import;
mod keys;
mod run;
mod tables;
mod verify;

use std::sync::Arc;

use hull_server::AdminClient;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::args::{Command, CommandLine};
use crate::error::Failure;
use crate::target::Target;

/// What is left to do when a command is interrupted.
#[derive(Clone, Default)]
pub(crate) struct Undo {
    target: Arc<Mutex<Option<Target>>>,
    import: Arc<std::sync::Mutex<Option<(AdminClient, String)>>>,
    appended: Arc<std::sync::Mutex<Option<u64>>>,
}

impl Undo {
    /// An import was begun.
    pub(crate) fn set_import(&self, client: &AdminClient, id: &str) {
        if let Ok(mut import) = self.import.lock() {
            *import = Some((client.clone(), id.to_owned()));
        }
    }

    /// So many rows of it stay whatever follows.
    pub(crate) fn set_appended(&self, rows: u64) {
        if let Ok(mut appended) = self.appended.lock() {
            *appended = Some(rows);
        }
    }

    /// The import is done.
    pub(crate) fn forget_import(&self) {
        if let Ok(mut import) = self.import.lock() {
            *import = None;
        }
    }

    /// Cancels the import that was begun. One that the server has ended itself needs nothing; one that can't be reached
    /// ends by itself when it has heard nothing for a while.
    pub(crate) async fn cancel_import(&self) {
        let begun = self.import.lock().ok().and_then(|mut import| import.take());
        if let Some((client, id)) = begun {
            let _ = client.delete::<Value>(&format!("/api/hull/import/{id}")).await;
        }
    }

    /// Undoes it.
    pub(crate) async fn run(&self) {
        self.cancel_import().await;
        if let Some(rows) = self.appended.lock().ok().and_then(|appended| *appended) {
            eprintln!("{}", import::stay(rows, false));
        }
        if let Some(target) = self.target.lock().await.take() {
            // The interrupt is what is reported.
            let _ = target.close().await;
        }
    }
}

/// Does what the command line says.
pub(crate) async fn run(line: CommandLine, undo: &Undo) -> Result<(), Failure> {
    let json = line.json;
    if matches!(line.command, Command::Restore(_) | Command::Rebuild(_)) {
        return offline(line).await;
    }
    let mut held = undo.target.lock().await;
    let target = held.insert(Target::open(&line.place).await?);
    let done = match line.command {
        Command::Tables => tables::run(target, json).await,
        Command::Data(command) if command.table.is_none() => tables::run(target, json).await,
        Command::Data(command) => data::page(target, command, json).await,
        Command::Get { id } => data::get(target, &id).await,
        Command::Run(command) => run::run(target, command, json).await,
        Command::Export(command) => export::run(target, command, json).await,
        Command::Import(command) => import::run(target, command, json, undo).await,
        Command::Backup(command) => backup::backup(target, command, json).await,
        Command::Verify(command) => verify::run(target, command, json).await,
        Command::Restore(_) | Command::Rebuild(_) => Ok(()),
        Command::Codegen(command) => codegen::run(target, &command, json).await,
        Command::FunctionSpec => codegen::spec(target, json).await,
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

/// Works on a directory that nobody holds; on a thread of its own, so that an interrupt is heard.
async fn offline(line: CommandLine) -> Result<(), Failure> {
    let work = tokio::task::spawn_blocking(move || match &line.command {
        Command::Restore(command) => backup::restore(&line.place, command, line.json),
        Command::Rebuild(command) => backup::rebuild(&line.place, command, line.json),
        _ => Ok(()),
    });
    work.await.map_err(|error| Failure::io("a thread", std::io::Error::other(error)))?
}
