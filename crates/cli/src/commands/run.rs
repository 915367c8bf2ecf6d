//! `hull run module:function '{…}' [--watch]`
//!
//! The answer is printed in the form that arguments are written in: `{"$integer": …}`, `{"$bytes": …}`.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::args::RunCommand;
use crate::error::Failure;
use crate::output;
use crate::target::Target;

/// Runs a function, or watches a query.
pub(super) async fn run(target: &Target, command: RunCommand, as_json: bool) -> Result<(), Failure> {
    let client = target.with_functions().await?;
    if command.watch {
        return Ok(hull_server::watch(&client, &command.function, &command.args, command.count).await?);
    }
    let args: Box<RawValue> = serde_json::from_str::<serde_json::Map<String, Value>>(&command.args)
        .and_then(|_| RawValue::from_string(command.args.trim().to_owned()))
        .map_err(|error| Failure::Usage(format!("the arguments are not a JSON object: {error}")))?;
    let body = format!(
        "{{\"path\":{},\"args\":{args},\"format\":\"convex_encoded_json\"}}",
        json!(command.function)
    );
    let answer: Value = client.upload("/api/function", body.into_bytes()).await?;
    for logged in answer["logLines"].as_array().into_iter().flatten() {
        eprintln!("{}", logged.as_str().unwrap_or_default());
    }
    if answer["status"] == "success" {
        let value = &answer["value"];
        let pretty = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
        return output::line(if as_json { value.to_string() } else { pretty });
    }
    let message = answer["errorMessage"].as_str().unwrap_or_default();
    Err(Failure::Function(match answer.get("errorData") {
        Some(data) => format!("{message}\n{data}"),
        None => message.to_owned(),
    }))
}
