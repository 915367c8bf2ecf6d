//! `hull codegen [--out DIR] [--check]` and `hull function-spec`: what clients need to know about the functions.

use hull_server::Generated;
use serde_json::{Value, json};

use crate::args::CodegenCommand;
use crate::error::Failure;
use crate::output;
use crate::target::Target;

/// Writes or checks the generated files.
pub(super) async fn run(target: &Target, command: &CodegenCommand, as_json: bool) -> Result<(), Failure> {
    let generated: Generated = target.client().get("/api/hull/codegen").await?;
    let files = if command.check { generated.check(&command.out) } else { generated.write(&command.out) }?;
    if as_json {
        let file = |path: &std::path::Path, changed| json!({ "path": path, "changed": changed });
        let files: Vec<Value> = files.iter().map(|written| file(&written.path, written.changed)).collect();
        return output::line(Value::from(files).to_string());
    }
    files.iter().try_for_each(|file| output::line(file.to_string()))
}

/// Prints what the functions take and return.
pub(super) async fn spec(target: &Target, as_json: bool) -> Result<(), Failure> {
    let spec: Value = target.client().get("/api/hull/function-spec").await?;
    let pretty = serde_json::to_string_pretty(&spec).unwrap_or_else(|_| spec.to_string());
    output::line(if as_json { spec.to_string() } else { pretty })
}
