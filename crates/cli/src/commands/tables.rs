//! `hull tables`

use serde_json::Value;

use crate::error::Failure;
use crate::output;
use crate::target::Target;

/// Lists the tables.
pub(super) async fn run(target: &Target, json: bool) -> Result<(), Failure> {
    let answer: Value = target.client().get("/api/hull/tables").await?;
    if json {
        return output::line(answer["tables"].to_string());
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let joined = |fields: &Value| list(fields).iter().map(text).collect::<Vec<_>>().join(", ");
    let index = |index: &Value| {
        let fields = match index["searchField"].as_str() {
            Some(field) if list(&index["filterFields"]).is_empty() => field.to_owned(),
            Some(field) => format!("{field}; {}", joined(&index["filterFields"])),
            None => joined(&index["fields"]),
        };
        let state = if index["backfilling"] == true { " (being filled)" } else { "" };
        format!("{}({fields}){state}", text(&index["name"]))
    };
    let rows: Vec<Vec<String>> = list(&answer["tables"])
        .iter()
        .map(|table| {
            let indexes: Vec<String> =
                list(&table["indexes"]).iter().chain(list(&table["searchIndexes"])).map(index).collect();
            vec![
                text(&table["name"]),
                table["documents"].to_string(),
                table["number"].to_string(),
                indexes.join(" "),
            ]
        })
        .collect();
    output::table(&["table", "documents", "number", "indexes"], &rows)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
