//! `hull export`: everything as of one timestamp, in Convex's snapshot layout, or one file a table.
//!
//! | format | what is written |
//! |---|---|
//! | `zip` | `_tables/documents.jsonl`, then `<table>/documents.jsonl` in export form and `<table>/generated_schema.jsonl` |
//! | `dir` | the same files in a folder |
//! | `jsonl` | `<table>.jsonl` in the form that a plain import reads: an int64 is `{"$integer": …}` |
//! | `csv` | `<table>.csv` with a header that names types (`columns.rs`) |
//!
//! `jsonl` and `csv` of one table are one file. Documents are in order of creation time, then id.

use std::io::{BufReader, BufWriter, Seek, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use hull_value::Packed;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::args::{ExportCommand, ExportFormat};
use crate::error::Failure;
use crate::formats::archive::Archive;
use crate::formats::bounded::read_line;
use crate::formats::columns::Survey;
use crate::output;
use crate::progress::Progress;
use crate::target::Target;

const README: &str = "A snapshot of the tables of a Hull database, in the layout of Convex's snapshot exports.

`_tables/documents.jsonl` lists the tables and their numbers. Each table has a folder: `documents.jsonl` holds one
document a line, in order of creation, where `123` is an int64 and `123.0` a float64; `generated_schema.jsonl` says so.

`hull import` and `npx convex import` read this file.
";
/// What `generated_schema.jsonl` holds.
const UNIFORM: &[u8] = b"\"uniform\"\n";

/// Takes the data out.
pub(super) async fn run(target: &Target, command: ExportCommand, as_json: bool) -> Result<(), Failure> {
    let format = command.format;
    let form = if format == ExportFormat::Jsonl { "wire" } else { "export" };
    let mut address = format!("/api/hull/export?form={form}");
    for table in &command.tables {
        address.push_str(&format!("&table={}", utf8_percent_encode(table, NON_ALPHANUMERIC)));
    }
    let path = final_path(&command);
    let one_file = is_one_file(&command);
    // Whether the path is free is seen before anything is asked for.
    let archive = match format {
        ExportFormat::Zip => Archive::zip(&path)?,
        ExportFormat::Jsonl | ExportFormat::Csv if one_file => Archive::single(&path)?,
        _ => Archive::folder(&path)?,
    };
    let mut lines = target.client().lines(&address).await?;
    let mut progress = Progress::new("exported", None);
    let mut writer = Writer { archive, format, table: None, spool: None };
    let (mut tables, mut documents) = (0u64, 0u64);
    loop {
        let line = lines.next().await?;
        if line.first() == Some(&b'{') {
            writer.row(line)?;
            documents += 1;
            progress.add(1);
            continue;
        }
        let line = line.to_vec();
        let (word, said) = lines.control(&line)?;
        match &*word {
            "tables" => writer.begin(said[1].as_array().map(Vec::as_slice).unwrap_or_default())?,
            "table" => {
                writer.table(said[1].as_str().unwrap_or_default())?;
                progress.begin(said[1].as_str().unwrap_or_default());
                tables += 1;
            }
            _ => break,
        }
    }
    writer.end_table()?;
    let path = writer.archive.finish()?;
    progress.finish();
    output::line(if as_json {
        json!({ "path": path, "tables": tables, "documents": documents }).to_string()
    } else {
        format!("{documents} documents of {tables} tables are in {}", path.display())
    })
}

fn is_one_file(command: &ExportCommand) -> bool {
    command.tables.len() == 1 && !is_folder(command)
}

fn is_folder(command: &ExportCommand) -> bool {
    command.path.is_dir() || command.path.to_string_lossy().ends_with('/')
}

/// A ZIP for a folder gets a name of its own in it.
fn final_path(command: &ExportCommand) -> PathBuf {
    if command.format == ExportFormat::Zip && is_folder(command) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        return command.path.join(format!("snapshot_{now}.zip"));
    }
    command.path.clone()
}

/// Writes one format.
struct Writer {
    archive: Archive,
    format: ExportFormat,
    table: Option<String>,
    spool: Option<Spool>,
}

/// The documents of a table before its columns are known, in a file without a name.
struct Spool {
    file: BufWriter<std::fs::File>,
    survey: Survey,
}

impl Writer {
    fn is_snapshot(&self) -> bool {
        matches!(self.format, ExportFormat::Zip | ExportFormat::Dir)
    }

    /// The tables that will come, `[name, number]` each.
    fn begin(&mut self, tables: &[serde_json::Value]) -> Result<(), Failure> {
        if !self.is_snapshot() {
            return Ok(());
        }
        self.archive.begin("README.md")?;
        self.archive.write(README.as_bytes())?;
        self.archive.begin("_tables/documents.jsonl")?;
        for table in tables {
            let name = &table[0];
            self.archive.write(format!("{{\"name\":{name},\"id\":{}}}\n", table[1]).as_bytes())?;
        }
        Ok(())
    }

    fn table(&mut self, name: &str) -> Result<(), Failure> {
        self.end_table()?;
        self.table = Some(name.to_owned());
        match self.format {
            ExportFormat::Zip | ExportFormat::Dir => self.archive.begin(&format!("{name}/documents.jsonl")),
            ExportFormat::Jsonl => self.archive.begin(&format!("{name}.jsonl")),
            ExportFormat::Csv => {
                let file = tempfile::tempfile().map_err(|error| Failure::io("a temporary file", error))?;
                self.spool = Some(Spool { file: BufWriter::new(file), survey: Survey::default() });
                self.archive.begin(&format!("{name}.csv"))
            }
        }
    }

    fn row(&mut self, line: &[u8]) -> Result<(), Failure> {
        if let Some(spool) = &mut self.spool {
            spool.survey.see(&document(line)?).map_err(|why| too_many(self.table.as_deref(), &why))?;
            let written = spool.file.write_all(line).and_then(|()| spool.file.write_all(b"\n"));
            return written.map_err(|error| Failure::io("a temporary file", error));
        }
        self.archive.write(line)?;
        self.archive.write(b"\n")
    }

    fn end_table(&mut self) -> Result<(), Failure> {
        let Some(name) = self.table.take() else { return Ok(()) };
        if self.is_snapshot() {
            self.archive.begin(&format!("{name}/generated_schema.jsonl"))?;
            return self.archive.write(UNIFORM);
        }
        match self.spool.take() {
            Some(spool) => self.csv(spool),
            None => Ok(()),
        }
    }

    /// Writes the spooled documents in their columns.
    fn csv(&mut self, spool: Spool) -> Result<(), Failure> {
        let failed = |error| Failure::io("a temporary file", error);
        let mut file = spool.file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.rewind().map_err(failed)?;
        let columns = spool.survey.columns();
        let csv_failed = |error: csv::Error| failed(std::io::Error::other(error));
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(columns.header()).map_err(csv_failed)?;
        let (mut lines, mut line, mut cells) = (BufReader::new(file), Vec::new(), Vec::new());
        loop {
            let more = read_line(&mut lines, &mut line).map_err(failed)?;
            if more {
                columns.cells(&document(&line)?, &mut cells);
                writer.write_record(&cells).map_err(csv_failed)?;
            }
            writer.flush().map_err(failed)?;
            if !more || writer.get_ref().len() > 64 << 10 {
                let full = std::mem::replace(&mut writer, csv::Writer::from_writer(Vec::new()));
                let text = full.into_inner().map_err(|error| failed(error.into_error()))?;
                self.archive.write(&text)?;
            }
            if !more {
                return Ok(());
            }
        }
    }
}

fn document(line: &[u8]) -> Result<Packed, Failure> {
    let text = String::from_utf8_lossy(line);
    Packed::from_export_json(&text).map_err(|error| {
        Failure::input(error.code(), format!("the server sent a document that is none: {error}"))
    })
}

fn too_many(table: Option<&str>, why: &str) -> Failure {
    Failure::input("CsvTooManyColumns", format!("{} can't be a CSV file: {why}", table.unwrap_or_default()))
}
