//! `hull import`: a file or folder into the tables of a database.
//!
//! The source is read twice. The first reading counts its rows and finds what can't be read, so that a broken file
//! changes nothing; then the counts are shown and confirmed, and the rows sent. An import that is interrupted, or fails,
//! is cancelled on the server: a replacement has then not happened, and of an appended file the first batches stay.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::path::Path;

use hull_model::{Schema, Validator};
use hull_server::{AdminClient, ClientError};
use hull_value::{DocumentId, RowForm, parse_row};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Undo;
use crate::args::{ImportCommand, ImportFormat};
use crate::error::Failure;
use crate::formats::rows::form_name;
use crate::import::batches::Refused;
use crate::import::source::PlannedTable;
use crate::import::visit::{refused, visit};
use crate::import::{Batch, Format, Sent, Source, send};
use crate::output;
use crate::progress::Progress;
use crate::target::Target;

/// What an import that was begun would do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    import_id: String,
    tables: Vec<Existing>,
    #[serde(default)]
    others: Vec<Other>,
}

#[derive(Deserialize)]
struct Existing {
    name: String,
    existing: u64,
}

#[derive(Deserialize)]
struct Other {
    name: String,
    existing: u64,
    fate: String,
}

/// Puts data in.
pub(super) async fn run(
    target: &Target,
    command: ImportCommand,
    as_json: bool,
    undo: &Undo,
) -> Result<(), Failure> {
    let client = target.client();
    if let Some(path) = command.skip_invalid.as_deref().filter(|path| path.exists()) {
        return Err(occupied(path));
    }
    let mut source = Source::open(&command.file, command.format.map(format_of), command.table.as_deref())?;
    name_optional_fields(client, &mut source).await?;
    for (file, why) in &source.ignored {
        eprintln!("not imported: {file}: {why}");
    }
    let skip_invalid = command.skip_invalid.is_some();
    let source = tokio::task::spawn_blocking(move || survey(source, skip_invalid))
        .await
        .map_err(|error| Failure::io("reading", std::io::Error::other(error)))??;
    let mode = match (command.append, command.replace, command.replace_all) {
        (true, ..) => "append",
        (_, true, _) => "replace",
        (.., true) => "replaceAll",
        _ => "requireEmpty",
    };
    let tables: Vec<Value> = source
        .tables
        .iter()
        .map(|table| match table.number {
            Some(number) => json!({ "name": table.name, "number": number }),
            None => json!({ "name": table.name }),
        })
        .collect();
    let begin = json!({
        "mode": mode, "tables": tables, "skipInvalid": skip_invalid, "dryRun": command.dry_run,
    });
    let begun: Begun = client.post("/api/hull/import", &begin).await?;
    undo.set_import(client, &begun.import_id);
    let done = import(client, &command, mode, &source, &begun, undo).await;
    match &done {
        Ok(_) => undo.forget_import(),
        Err(_) => undo.cancel_import().await,
    }
    let summary = done?;
    if as_json {
        return output::line(summary.to_string());
    }
    for table in summary["tables"].as_array().into_iter().flatten() {
        let (name, rows) = (table["name"].as_str().unwrap_or_default(), &table["rows"]);
        let would = if command.dry_run { "would be imported" } else { "imported" };
        output::line(format!("{name}: {rows} documents {would}"))?;
    }
    Ok(())
}

async fn import(
    client: &AdminClient,
    command: &ImportCommand,
    mode: &str,
    source: &Source,
    begun: &Begun,
    undo: &Undo,
) -> Result<Value, Failure> {
    if !command.dry_run {
        confirm(&plan(mode, source, begun), command.yes).await?;
    }
    let mut aside = command.skip_invalid.as_deref().map(Aside::create).transpose()?;
    let total = source.tables.iter().map(|table| table.rows).sum();
    let mut progress = Progress::new("sent", Some(total));
    let mut batches = send(source.clone(), aside.is_some());
    let (mut current, mut reached) = (None, Reached::default());
    let stays = mode == "append" && !command.dry_run;
    if stays {
        undo.set_appended(0);
    }
    while let Some(batch) = batches.recv().await {
        let batch = batch?;
        let Some(table) = source.tables.get(batch.table) else { continue };
        if current != Some(batch.table) {
            progress.begin(&table.name);
            current = Some(batch.table);
        }
        progress.add(batch.rows);
        let sent = send_batch(client, &begun.import_id, table, batch, aside.as_mut(), &mut reached);
        sent.await.map_err(|failure| if stays { told_how_far(failure, &reached) } else { failure })?;
        if stays {
            undo.set_appended(reached.rows);
        }
    }
    progress.finish();
    let finish = format!("/api/hull/import/{}/finish", begun.import_id);
    let mut summary: Value = client.post(&finish, &json!({})).await?;
    if let Some(aside) = aside {
        summary["skipped"] = aside.finish()?.into();
    }
    Ok(summary)
}

/// How far an import has come.
#[derive(Default)]
struct Reached {
    /// So many rows, from the first one on, are in or set aside.
    rows: u64,
    /// Whether none behind them is in. Of a request without an answer nobody knows.
    exact: bool,
}

/// Sends a batch, and sets aside what is refused.
async fn send_batch(
    client: &AdminClient,
    import: &str,
    table: &PlannedTable,
    batch: Batch,
    aside: Option<&mut Aside>,
    reached: &mut Reached,
) -> Result<(), Failure> {
    let name = utf8_percent_encode(&table.name, NON_ALPHANUMERIC);
    let address = format!(
        "/api/hull/import/{import}/rows?table={name}&form={}&first={}",
        form_name(table.form),
        batch.first
    );
    let rows = batch.rows + batch.refused.len() as u64;
    let mut sent = Sent { refused: Vec::new() };
    let (kept, body) = match aside {
        Some(_) => (batch.body.clone(), batch.body),
        None => (Vec::new(), batch.body),
    };
    let batch = Batch { body: kept, ..batch };
    if batch.rows > 0 {
        sent = client.upload(&address, body).await.map_err(|error| {
            if let ClientError::Refused { answer, .. } = &error
                && let Some(applied) = answer["applied"].as_u64()
            {
                *reached = Reached { rows: applied, exact: true };
            }
            row_error(table, error)
        })?;
    }
    reached.rows += rows;
    aside.map_or(Ok(()), |aside| aside.add(table, &batch, &sent))
}

/// A row that the server refuses is named by its file.
fn row_error(table: &PlannedTable, error: ClientError) -> Failure {
    if let ClientError::Refused { code, message, answer, .. } = &error
        && let Some(row) = answer["row"].as_u64()
    {
        return refused(table, row, code, answer["path"].as_str().unwrap_or_default(), message);
    }
    error.into()
}

/// An appended file stays as far as it came.
fn told_how_far(failure: Failure, reached: &Reached) -> Failure {
    let code = failure.code().to_owned();
    let told = stay(reached.rows, reached.exact);
    let message = format!("{failure}\n{told}");
    match failure {
        Failure::Input { .. } => Failure::Input { code, message },
        Failure::Client(ClientError::Refused { status, answer, .. }) => {
            Failure::Client(ClientError::Refused { status, code, message, answer })
        }
        other => {
            eprintln!("{told}");
            other
        }
    }
}

/// What stays of an appended file, and how to go on.
pub(super) fn stay(rows: u64, exact: bool) -> String {
    let rows = if exact {
        format!("the first {rows} rows of the import are in")
    } else {
        format!(
            "at least the first {rows} rows of the import are in, and some behind them may be; `hull tables` counts \
             the documents"
        )
    };
    format!(
        "Appended rows stay: {rows}. To go on, mend the file, remove those rows from it and append the rest."
    )
}

/// What will happen, a line a table.
fn plan(mode: &str, source: &Source, begun: &Begun) -> String {
    let mut text = String::new();
    for table in &source.tables {
        let existing =
            begun.tables.iter().find(|known| known.name == table.name).map_or(0, |known| known.existing);
        let what = match (mode, existing) {
            (_, 0) | ("append", _) => format!("{} documents are added", table.rows),
            _ => format!("{} documents replace {existing}", table.rows),
        };
        text.push_str(&format!("  {}: {what}\n", table.name));
    }
    for other in &begun.others {
        let what = if other.fate == "deleted" { "the table is deleted" } else { "the table is emptied" };
        text.push_str(&format!("  {}: {} documents are deleted, {what}\n", other.name, other.existing));
    }
    text
}

async fn confirm(plan: &str, yes: bool) -> Result<(), Failure> {
    eprint!("{plan}");
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Declined(
            "not imported: nobody is there to confirm this; say it with -y".to_owned(),
        ));
    }
    eprint!("Import? [y/N] ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    match answer.await {
        Ok(Ok(line)) if matches!(line.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::Declined("not imported".to_owned())),
    }
}

/// The first reading: rows are counted and looked at; a table without a number takes that of its first row's `_id`.
fn survey(mut source: Source, skip_invalid: bool) -> Result<Source, Failure> {
    let path = source.path.clone();
    for table in &mut source.tables {
        let (mut rows, mut number) = (0, None);
        visit(&path, table, true, &mut |row| {
            match row.bad {
                Some(bad) if !skip_invalid => {
                    return Err(refused(table, row.number, bad.code, "", &bad.message));
                }
                Some(_) => {}
                None => {
                    rows += 1;
                    if rows == 1 {
                        number = number_in(row.text, table.form);
                    }
                }
            }
            Ok(())
        })?;
        table.rows = rows;
        table.number = table.number.or(number);
    }
    Ok(source)
}

fn number_in(line: &[u8], form: RowForm) -> Option<u32> {
    let document = parse_row(line, form).ok()?;
    let id: DocumentId = document.as_object()?.get("_id")?.as_str()?.parse().ok()?;
    Some(id.table.0)
}

/// An empty cell of a CSV file leaves an optional field out.
async fn name_optional_fields(client: &AdminClient, source: &mut Source) -> Result<(), Failure> {
    let schema: Value = client.get("/api/hull/schema").await?;
    let Ok(schema) = Schema::from_json(&schema) else { return Ok(()) };
    for table in &mut source.tables {
        if let Some(known) = schema.get(&table.name) {
            optional_fields(&known.document, &mut table.optional);
        }
    }
    Ok(())
}

fn optional_fields(document: &Validator, names: &mut BTreeSet<String>) {
    match document {
        Validator::Object(fields) => {
            let optional = fields.iter().filter(|(_, field)| field.optional);
            names.extend(optional.map(|(name, _)| name.clone()));
        }
        Validator::Union(members) => members.iter().for_each(|member| optional_fields(member, names)),
        _ => {}
    }
}

fn format_of(format: ImportFormat) -> Format {
    match format {
        ImportFormat::Zip => Format::Zip,
        ImportFormat::Jsonl => Format::Jsonl,
        ImportFormat::Json => Format::Json,
        ImportFormat::Csv => Format::Csv,
    }
}

fn occupied(path: &Path) -> Failure {
    let path = path.display();
    Failure::input(
        "PathOccupied",
        format!(
            "{path} is there already; refused rows go to a new file, so choose another for --skip-invalid"
        ),
    )
}

/// The file that refused rows go to: `{"file", "row", "code", "path", "message", "text"}`, one a line.
struct Aside {
    name: String,
    file: BufWriter<File>,
    rows: u64,
}

impl Aside {
    fn create(path: &Path) -> Result<Aside, Failure> {
        // It may be the very file that is read, so none that is there is written over.
        let file = File::create_new(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => occupied(path),
            _ => Failure::io(path.display(), error),
        })?;
        Ok(Aside { name: path.display().to_string(), file: BufWriter::new(file), rows: 0 })
    }

    fn add(&mut self, table: &PlannedTable, batch: &Batch, sent: &Sent) -> Result<(), Failure> {
        for row in &sent.refused {
            self.write(table, row, &batch.text_of(row.row))?;
        }
        for row in &batch.refused {
            self.write(table, row, &row.text)?;
        }
        Ok(())
    }

    fn write(&mut self, table: &PlannedTable, row: &Refused, text: &str) -> Result<(), Failure> {
        let line = json!({
            "file": table.file, "row": row.row, "code": row.code, "path": row.path, "message": row.message, "text": text,
        });
        self.rows += 1;
        writeln!(self.file, "{line}").map_err(|error| Failure::io(&self.name, error))
    }

    fn finish(mut self) -> Result<u64, Failure> {
        self.file.flush().map_err(|error| Failure::io(&self.name, error))?;
        if self.rows > 0 {
            eprintln!("{} rows were refused and are in {}", self.rows, self.name);
        }
        Ok(self.rows)
    }
}
