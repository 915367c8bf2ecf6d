//! What goes to standard output: lines, JSON, tables for people.
//!
//! Guarantee: that nobody reads it any more (`hull data | head`) ends the command quietly.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};

use crate::error::Failure;

/// The longest text of a cell for people.
const LONGEST_CELL: usize = 60;

/// Prints a line.
pub(crate) fn line(text: impl AsRef<str>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_ref().as_bytes()).and_then(|()| out.write_all(b"\n"));
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => written.map_err(|error| Failure::io("standard output", error)),
    }
}

/// Prints a table: borders on a terminal, tab-separated lines without a header elsewhere.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    if !std::io::stdout().is_terminal() {
        for row in rows {
            let cells: Vec<_> = row.iter().map(|cell| visible(cell)).collect();
            line(cells.join("\t"))?;
        }
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| shortened(&visible(cell))));
    }
    line(table.to_string())
}

/// Line feeds, tabs and what steers a terminal as escapes, so that a row stays a line and a cell a cell.
fn visible(cell: &str) -> Cow<'_, str> {
    if !cell.contains(char::is_control) {
        return Cow::Borrowed(cell);
    }
    let mut shown = String::with_capacity(cell.len() + 8);
    for c in cell.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

fn shortened(cell: &str) -> String {
    match cell.char_indices().nth(LONGEST_CELL) {
        Some((end, _)) => format!("{}…", cell.get(..end).unwrap_or_default()),
        None => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stays_a_cell_and_steers_no_terminal() {
        assert_eq!(visible("a\tb\nc\u{1b}[2Jé"), "a\\tb\\nc\\u{1b}[2Jé");
        assert_eq!(visible("plain ü"), "plain ü");
    }
}
