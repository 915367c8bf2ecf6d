//! `hull data TABLE` and `hull get ID`. Documents are in export form: `123` is an int64, `123.0` a float64.

use std::collections::BTreeSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::args::{DataCommand, DataFormat, Order};
use crate::error::Failure;
use crate::output;
use crate::target::Target;

/// The documents that are asked for at once.
const PAGE: u64 = 1_000;

#[derive(Deserialize)]
struct Page {
    documents: Vec<Box<RawValue>>,
    cursor: Option<String>,
}

/// Shows one document.
pub(super) async fn get(target: &Target, id: &str) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Answer {
        document: Box<RawValue>,
    }
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
    let answer: Answer = target.client().get(&format!("/api/hull/documents/{id}")).await?;
    output::line(answer.document.get())
}

/// Shows the documents of a table.
pub(super) async fn page(target: &Target, command: DataCommand, json: bool) -> Result<(), Failure> {
    let format = if json { DataFormat::Json } else { command.format };
    let conditions: Result<Vec<Value>, Failure> =
        command.conditions.iter().map(|text| condition(text)).collect();
    let conditions = Value::from(conditions?).to_string();
    let table = utf8_percent_encode(command.table.as_deref().unwrap_or_default(), NON_ALPHANUMERIC);
    let order = if command.order == Order::Asc { "asc" } else { "desc" };
    let address = format!(
        "/api/hull/tables/{table}/documents?order={order}&where={}",
        utf8_percent_encode(&conditions, NON_ALPHANUMERIC)
    );
    let mut left = command.limit;
    let mut cursor: Option<String> = None;
    let mut shown: Vec<Box<RawValue>> = Vec::new();
    let mut first = true;
    while left > 0 {
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page: Page = target.client().get(&format!("{address}&limit={}{after}", left.min(PAGE))).await?;
        left = left.saturating_sub(page.documents.len() as u64);
        for document in page.documents {
            match format {
                DataFormat::Jsonl => output::line(document.get())?,
                DataFormat::Json => {
                    output::line(format!("{}{}", if first { "[\n" } else { "," }, document.get()))?;
                }
                DataFormat::Pretty => shown.push(document),
            }
            first = false;
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    match format {
        DataFormat::Json => output::line(if first { "[\n]" } else { "]" }),
        DataFormat::Jsonl => Ok(()),
        DataFormat::Pretty => pretty(&shown),
    }
}

/// `field=value` as `[field, value]`.
fn condition(text: &str) -> Result<Value, Failure> {
    let (field, value) = text
        .split_once('=')
        .filter(|(field, _)| !field.is_empty())
        .ok_or_else(|| Failure::Usage(format!("`{text}` is not a condition: write --where field=value")))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok(Value::from(vec![Value::String(field.to_owned()), value]))
}

/// A table with a column for every field that a document has: the id first, the creation time last.
fn pretty(documents: &[Box<RawValue>]) -> Result<(), Failure> {
    type Fields = std::collections::BTreeMap<String, Box<RawValue>>;
    let documents: Vec<Fields> =
        documents.iter().filter_map(|document| serde_json::from_str(document.get()).ok()).collect();
    let names: BTreeSet<&str> =
        documents.iter().flat_map(|document| document.keys().map(String::as_str)).collect();
    let own = names.iter().copied().filter(|name| !name.starts_with('_'));
    let header: Vec<&str> =
        std::iter::once("_id").chain(own).chain(std::iter::once("_creationTime")).collect();
    let cell = |value: &RawValue| {
        serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned())
    };
    let rows: Vec<Vec<String>> = documents
        .iter()
        .map(|document| {
            header
                .iter()
                .map(|name| document.get(*name).map(|value| cell(value)).unwrap_or_default())
                .collect()
        })
        .collect();
    output::table(&header, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_conditions_are_json_where_they_are_json() {
        assert_eq!(condition("a=1").unwrap(), json!(["a", 1]));
        assert_eq!(condition("a.b=x y").unwrap(), json!(["a.b", "x y"]));
        assert_eq!(condition("a=\"1\"").unwrap(), json!(["a", "1"]));
        assert_eq!(condition("a=b=c").unwrap(), json!(["a", "b=c"]));
        assert!(condition("=1").is_err() && condition("a").is_err());
    }
}
