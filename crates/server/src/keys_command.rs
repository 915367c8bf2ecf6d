//! `keys …` of a server binary: admin keys of a data directory, with or without a server running on it.

use crate::client::ClientError;
use crate::local::Local;
use crate::settings::{KeysAction, KeysCommand};
use crate::terminal::say;

/// Does it, and says what came of it on standard output.
pub(crate) async fn run(command: KeysCommand) -> Result<(), Box<dyn std::error::Error>> {
    let local = Local::open(&command.directory.data_dir).await?;
    let done = perform(&local, command.action).await;
    local.close().await?;
    Ok(done?)
}

async fn perform(local: &Local, action: KeysAction) -> Result<(), ClientError> {
    let client = local.client();
    match action {
        KeysAction::Create { name } => say(&client.create_key(name.as_deref()).await?),
        KeysAction::List => {
            for (name, made) in client.list_keys().await? {
                say(&format!("{name}\t{}", crate::time::utc(made / 1000.0)));
            }
        }
        KeysAction::Revoke { name } => {
            client.revoke_key(&name).await?;
            say(&format!("{name} is no longer valid"));
        }
    }
    Ok(())
}
