//! `hull verify`: checksums, every index against its documents, every document against the schema.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::args::VerifyCommand;
use crate::error::Failure;
use crate::output;
use crate::progress::Progress;
use crate::target::Target;

/// Verifies, and makes indexes anew where that was asked for.
pub(super) async fn run(target: &Target, command: VerifyCommand, as_json: bool) -> Result<(), Failure> {
    let mut report = verify(target).await?;
    if command.rebuild_indexes && report["clean"] == false {
        let mut rebuilt = false;
        for (table, index) in damaged_indexes(&report) {
            eprintln!("making index {index} of {table} anew");
            let part = |name: &str| utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
            let address = format!("/api/hull/indexes/{}/{}/rebuild", part(&table), part(&index));
            target.client().post::<Value>(&address, &json!({})).await?;
            rebuilt = true;
        }
        if rebuilt {
            report = verify(target).await?;
        }
    }
    say(&report, as_json)?;
    match report["clean"].as_bool() {
        Some(true) => Ok(()),
        _ => Err(Failure::Found(
            "something is wrong: indexes are made anew with --rebuild-indexes; for damaged documents stop the server and \
             use `hull rebuild`"
                .to_owned(),
        )),
    }
}

async fn verify(target: &Target) -> Result<Value, Failure> {
    let mut lines = target.client().lines("/api/hull/verify").await?;
    let mut progress = Progress::new("verified", None);
    let mut before = (String::new(), 0);
    let mut report = Value::Null;
    loop {
        let line = lines.next().await?.to_vec();
        let (word, said) = lines.control(&line)?;
        match &*word {
            "progress" => {
                let table = said[1].as_str().unwrap_or_default();
                let part = said[2].as_str().map_or(table.to_owned(), |index| format!("{table}.{index}"));
                if part != before.0 {
                    progress.begin(&part);
                    before = (part, 0);
                }
                let count = said[3].as_u64().unwrap_or_default();
                progress.add(count.saturating_sub(before.1));
                before.1 = count;
            }
            "report" => report = said[1].clone(),
            _ => break,
        }
    }
    progress.finish();
    Ok(report)
}

/// Indexes that their documents can mend.
fn damaged_indexes(report: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for table in report["tables"].as_array().into_iter().flatten() {
        for index in table["indexes"].as_array().into_iter().flatten() {
            if index["missing"] != 0 || index["orphaned"] != 0 {
                let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
                found.push((name(table), name(index)));
            }
        }
    }
    found
}

fn say(report: &Value, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::line(report.to_string());
    }
    let mut rows = Vec::new();
    for table in report["tables"].as_array().into_iter().flatten() {
        let sum = |name: &str| -> u64 {
            table["indexes"].as_array().into_iter().flatten().filter_map(|index| index[name].as_u64()).sum()
        };
        rows.push(vec![
            table["name"].as_str().unwrap_or_default().to_owned(),
            table["documents"].to_string(),
            table["damaged"].to_string(),
            table["invalid"].to_string(),
            sum("missing").to_string(),
            sum("orphaned").to_string(),
        ]);
    }
    output::table(
        &["table", "documents", "damaged", "invalid", "missing in indexes", "orphaned in indexes"],
        &rows,
    )?;
    for finding in report["findings"].as_array().into_iter().flatten() {
        let part = |name: &str| finding[name].as_str().unwrap_or_default();
        output::line(format!("{} {} {}: {}", part("table"), part("index"), part("id"), part("detail")))?;
    }
    Ok(())
}
