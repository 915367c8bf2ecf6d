//! `hull keys create|list|revoke`

use hull_server::utc;
use serde_json::{Value, json};

use crate::args::KeysAction;
use crate::error::Failure;
use crate::output;
use crate::target::Target;

/// Does what was asked with admin keys.
pub(super) async fn run(target: &Target, action: KeysAction, as_json: bool) -> Result<(), Failure> {
    let client = target.client();
    match action {
        KeysAction::Create { name } => {
            let key = client.create_key(name.as_deref()).await?;
            output::line(if as_json { json!({ "key": key }).to_string() } else { key })
        }
        KeysAction::List => {
            let keys = client.list_keys().await?;
            if as_json {
                let keys: Vec<Value> =
                    keys.iter().map(|(name, made)| json!({ "name": name, "made": made })).collect();
                return output::line(Value::from(keys).to_string());
            }
            let rows: Vec<Vec<String>> =
                keys.into_iter().map(|(name, made)| vec![name, utc(made / 1000.0)]).collect();
            output::table(&["key", "made"], &rows)
        }
        KeysAction::Revoke { name } => {
            client.revoke_key(&name).await?;
            let said = if as_json {
                json!({ "revoked": name }).to_string()
            } else {
                format!("{name} is no longer valid")
            };
            output::line(said)
        }
    }
}
