//! Reading the rows of one table, whatever they are in.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use hull_value::{RowForm, parse_row};
use serde_json::value::RawValue;

use super::source::{Format, Part, PlannedTable, named};
use crate::error::Failure;
use crate::formats::bounded::read_line;
use crate::formats::csv_rows::CsvRows;
use crate::formats::rows::{BadFile, BadRow, is_blank};
use crate::formats::zip_in::Zip;

/// The longest JSON array.
const MAX_ARRAY: u64 = 16 << 20;

/// A row that was read.
pub(crate) struct Row<'a> {
    /// Its line, or its place among the rows, from 1.
    pub(crate) number: u64,
    /// One line of JSON in the form of its table; what stands in the file when it is bad.
    pub(crate) text: &'a [u8],
    /// What is wrong with it.
    pub(crate) bad: Option<BadRow>,
}

type Each<'a> = dyn FnMut(Row<'_>) -> Result<(), Failure> + 'a;

/// Shows every row of a table. Lines of JSON are looked into only when `check` is set.
pub(crate) fn visit(
    source: &Path,
    table: &PlannedTable,
    check: bool,
    each: &mut Each<'_>,
) -> Result<(), Failure> {
    match &table.part {
        Part::Entry(at) => {
            let bad = |error: BadFile| named(source, error);
            let mut zip = Zip::open(source).map_err(bad)?;
            lines(zip.read(*at).map_err(bad)?, table, check, each)
        }
        Part::File(path, format) => {
            let file = File::open(path).map_err(|error| Failure::io(path.display(), error))?;
            match format {
                Format::Jsonl | Format::Zip => lines(BufReader::new(file), table, check, each),
                Format::Json => array(file, table, each),
                Format::Csv => records(file, table, each),
            }
        }
    }
}

fn lines(
    mut file: impl BufRead,
    table: &PlannedTable,
    check: bool,
    each: &mut Each<'_>,
) -> Result<(), Failure> {
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        let more = read_line(&mut file, &mut line).map_err(|error| {
            let code = if error.to_string().contains("longer than") { "LineTooLong" } else { "DamagedFile" };
            Failure::input(code, format!("{}, line {}: {error}", table.file, number + 1))
        })?;
        if !more {
            return Ok(());
        }
        number += 1;
        if is_blank(&line) {
            continue;
        }
        let bad = if check { parse_row(&line, table.form).err().map(BadRow::from) } else { None };
        each(Row { number, text: &line, bad })?;
    }
}

fn array(file: File, table: &PlannedTable, each: &mut Each<'_>) -> Result<(), Failure> {
    let mut text = Vec::new();
    let read = file.take(MAX_ARRAY + 1).read_to_end(&mut text);
    read.map_err(|error| Failure::io(&table.file, error))?;
    if text.len() as u64 > MAX_ARRAY {
        let why = format!(
            "{}: an array of more than {MAX_ARRAY} bytes; write one object a line (jsonl)",
            table.file
        );
        return Err(Failure::input("JsonArrayTooLarge", why));
    }
    let rows: Vec<&RawValue> = serde_json::from_slice(&text)
        .map_err(|error| Failure::input("NotJsonArray", format!("{}: not an array: {error}", table.file)))?;
    for (number, row) in (1..).zip(rows) {
        match parse_row(row.get().as_bytes(), table.form) {
            // On one line, however it stands in the file.
            Ok(document) => {
                let text = if table.form == RowForm::Export {
                    document.to_export_json()
                } else {
                    document.to_json()
                };
                each(Row { number, text: text.as_bytes(), bad: None })?;
            }
            Err(bad) => each(Row { number, text: row.get().as_bytes(), bad: Some(bad.into()) })?,
        }
    }
    Ok(())
}

fn records(file: File, table: &PlannedTable, each: &mut Each<'_>) -> Result<(), Failure> {
    let bad = |error: BadFile| Failure::input(error.code, format!("{}: {}", table.file, error.message));
    let mut rows = CsvRows::new(file, table.optional.clone()).map_err(bad)?;
    let mut number = 0;
    while let Some(row) = rows.next().map_err(bad)? {
        number += 1;
        match row {
            Ok(document) => each(Row { number, text: document.to_export_json().as_bytes(), bad: None })?,
            Err(bad) => each(Row { number, text: rows.text().as_bytes(), bad: Some(bad) })?,
        }
    }
    Ok(())
}

/// The error of a row, named by file, line and what is wrong.
pub(crate) fn refused(table: &PlannedTable, row: u64, code: &str, path: &str, message: &str) -> Failure {
    let at = if path.is_empty() { String::new() } else { format!(", at {path}") };
    Failure::input(format_code(code, row), format!("{}, row {row}{at}: {message} ({code})", table.file))
}

/// Convex's codes for a row that can't be read carry its number.
fn format_code(code: &str, row: u64) -> String {
    match code {
        "JsonInvalidRow" | "InvalidConvexValue" => format!("{code}({row})"),
        code => code.to_owned(),
    }
}
