//! From files to a server: batches of rows, read on a thread of their own while the one before is sent.

use serde::Deserialize;
use tokio::sync::mpsc;

use super::source::Source;
use super::visit::{refused, visit};
use crate::error::Failure;
use crate::formats::rows::is_blank;

/// A batch is sent when it has so many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// More blank lines than this between two rows end a batch, rather than being sent.
const MOST_BLANK: u64 = 4096;
/// Batches that wait to be sent.
const WAITING: usize = 2;

/// Rows of one table.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Which table of the source.
    pub(crate) table: usize,
    /// The number of the first line.
    pub(crate) first: u64,
    /// One row a line; an empty line stands for a row that is left out.
    pub(crate) body: Vec<u8>,
    /// How many rows are in it.
    pub(crate) rows: u64,
    /// Rows that can't be documents.
    pub(crate) refused: Vec<Refused>,
}

/// A row that is not imported.
#[derive(Debug, Deserialize)]
pub(crate) struct Refused {
    /// Its line, or its place among the rows.
    pub(crate) row: u64,
    /// The stable code.
    pub(crate) code: String,
    /// Where in the document.
    #[serde(default)]
    pub(crate) path: String,
    /// What is wrong.
    pub(crate) message: String,
    /// What stands in the file.
    #[serde(skip)]
    pub(crate) text: String,
}

/// What was sent of a batch: a server's answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Sent {
    /// Rows that the server refused.
    #[serde(default)]
    pub(crate) refused: Vec<Refused>,
}

impl Batch {
    fn new(table: usize, first: u64) -> Batch {
        Batch {
            table,
            first,
            body: Vec::with_capacity(BATCH_BYTES + (64 << 10)),
            rows: 0,
            refused: Vec::new(),
        }
    }

    /// The text of a row in it.
    pub(crate) fn text_of(&self, row: u64) -> String {
        let at = usize::try_from(row.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let line = self.body.split(|byte| *byte == b'\n').nth(at).unwrap_or_default();
        String::from_utf8_lossy(line).into_owned()
    }
}

/// Reads the source on a thread of its own. With `skip_invalid`, rows that can't be documents are set aside; without,
/// the first one ends it.
pub(crate) fn send(source: Source, skip_invalid: bool) -> mpsc::Receiver<Result<Batch, Failure>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        if let Err(failure) = read(&source, skip_invalid, &sender) {
            // When nobody listens any more, nobody wants to know.
            let _ = sender.blocking_send(Err(failure));
        }
    });
    receiver
}

fn read(
    source: &Source,
    skip_invalid: bool,
    sender: &mpsc::Sender<Result<Batch, Failure>>,
) -> Result<(), Failure> {
    let hand_over = |batch: Batch| sender.blocking_send(Ok(batch)).map_err(|_| Failure::Interrupted);
    for (at, table) in source.tables.iter().enumerate() {
        let mut batch = Batch::new(at, 1);
        let mut next = 1;
        // Bytes of the rows in it that are refused.
        let mut aside = 0;
        visit(&source.path, table, skip_invalid, &mut |row| {
            if row.number.saturating_sub(next) > MOST_BLANK && !batch.body.is_empty() {
                aside = 0;
                hand_over(std::mem::replace(&mut batch, Batch::new(at, row.number)))?;
            }
            if batch.body.is_empty() && batch.refused.is_empty() {
                (batch.first, next) = (row.number, row.number);
            }
            // Lines that were blank, or left out, keep the others at their numbers.
            while next < row.number {
                batch.body.push(b'\n');
                next += 1;
            }
            match row.bad {
                None => {
                    batch.body.extend_from_slice(row.text);
                    batch.rows += 1;
                }
                Some(bad) if skip_invalid => {
                    aside += row.text.len() + bad.message.len();
                    batch.refused.push(Refused {
                        row: row.number,
                        code: bad.code.to_owned(),
                        path: String::new(),
                        message: bad.message,
                        text: String::from_utf8_lossy(row.text).into_owned(),
                    });
                }
                Some(bad) => return Err(refused(table, row.number, bad.code, "", &bad.message)),
            }
            batch.body.push(b'\n');
            next += 1;
            if batch.body.len() + aside >= BATCH_BYTES || batch.refused.len() >= 1000 {
                aside = 0;
                return hand_over(std::mem::replace(&mut batch, Batch::new(at, next)));
            }
            Ok(())
        })?;
        if !is_blank(&batch.body) || !batch.refused.is_empty() {
            hand_over(batch)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Format;

    fn batches(text: &str) -> Vec<Batch> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, text).unwrap();
        let mut source = Source::open(&path, Some(Format::Jsonl), Some("t")).unwrap();
        source.tables[0].file = "rows".to_owned();
        let mut receiver = send(source, true);
        let mut all = Vec::new();
        while let Some(batch) = receiver.blocking_recv() {
            all.push(batch.unwrap());
        }
        all
    }

    #[test]
    fn blank_lines_are_not_gathered() {
        let all = batches(&format!("{{}}\n{}{{\"a\":1}}\n\n{{}}\n", "\n".repeat(100_000)));
        let sent: Vec<(u64, &[u8])> = all.iter().map(|batch| (batch.first, &*batch.body)).collect();
        assert_eq!(sent, [(1, &b"{}\n"[..]), (100_002, b"{\"a\":1}\n\n{}\n")]);
        assert_eq!(all[1].text_of(100_004), "{}");
    }

    #[test]
    fn refused_rows_are_not_gathered() {
        let all = batches(&format!("{}\n", "x".repeat(BATCH_BYTES)).repeat(3));
        let refused: Vec<u64> = all.iter().flat_map(|b| b.refused.iter().map(|row| row.row)).collect();
        assert_eq!((all.len(), refused), (3, vec![1, 2, 3]));
    }
}
