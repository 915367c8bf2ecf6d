//! Bare sled's side: the keys and values that Hull stores for the exported rows, in batches of 500 keys.
//!
//! hull-engine replaces the call that sled flushes with by `fdatasync` in this whole program, so a flush here is as
//! real as in Hull.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::Instant;

use hull_engine as _;
use hull_value::{DocumentId, RowForm, parse_row, write_sort_key};

use crate::{Failure, Settings};

/// A key and its value.
type Entry = (Vec<u8>, Vec<u8>);

/// Keys in a batch.
const BATCH: usize = 500;

/// Gives a new sled what Hull stores for the exported rows, and prints how long that takes.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let (mut batches, mut rows, mut current) = (Vec::new(), 0u64, Vec::with_capacity(BATCH));
    for line in BufReader::new(File::open(settings.directory.join("exported.jsonl"))?).lines() {
        rows += 1;
        for entry in entries(&line?)? {
            current.push(entry);
            if current.len() == BATCH {
                batches.push(std::mem::replace(&mut current, Vec::with_capacity(BATCH)));
            }
        }
    }
    batches.push(current);
    let directory = tempfile::tempdir_in(&settings.directory)?;
    let config = sled::Config::new().path(directory.path()).flush_every_ms(None);
    let db = config.cache_capacity(settings.cache_mib << 20).open()?;
    let started = Instant::now();
    for entries in batches {
        let mut batch = sled::Batch::default();
        entries.into_iter().for_each(|(key, value)| batch.insert(key, value));
        db.apply_batch(batch)?;
        if !settings.sync_once {
            db.flush()?;
        }
    }
    db.flush()?;
    let seconds = started.elapsed().as_secs_f64();
    let name = format!("sled, cache {} MiB", settings.cache_mib);
    let rate = rows as f64 / seconds;
    let sync = if settings.sync_once { "one sync at the end" } else { "a sync for each batch" };
    println!("{name:<22}{seconds:>8.2}{rate:>10.0}   {sync}");
    Ok(())
}

/// A row's keys and values, as the engine's `key.rs`, `document.rs` and `storage/sled.rs` define them.
fn entries(line: &str) -> Result<[Entry; 4], Failure> {
    let document = parse_row(line.as_bytes(), RowForm::Wire)?;
    let object = document.as_object().ok_or("no object")?;
    let id: DocumentId = object.get("_id").and_then(|id| id.as_str()).ok_or("no _id")?.parse()?;
    let key = |keyspace: u32, field: Option<&str>| {
        let mut key = (0x0100_0000 + keyspace).to_be_bytes().to_vec();
        if let Some(field) = field {
            write_sort_key(object.get(field), &mut key);
            if field != "_creationTime" {
                write_sort_key(object.get("_creationTime"), &mut key);
            }
        }
        key.extend_from_slice(&id.internal.0);
        key
    };
    // A checksum, a flag, and a timestamp for the document.
    let stored = [&[0; 5 + 8], document.bytes()].concat();
    let index = |keyspace, field| (key(keyspace, Some(field)), vec![0; 5]);
    Ok([(key(16, None), stored), index(17, "_creationTime"), index(18, "user"), index(19, "name")])
}
