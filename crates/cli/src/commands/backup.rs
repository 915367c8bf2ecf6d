//! `hull backup`, `hull restore` and `hull rebuild`.
//!
//! Guarantee: a backup has its name once every byte of it is on disk and was read back; only then the server keeps its
//! log from there on. Restoring and rebuilding work on a directory that no server holds.

use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use hull_server::offline::{self, RebuildProgress, RebuildSource, Rebuilt};
use serde_json::{Value, json};

use crate::args::{BackupCommand, Place, RebuildCommand, RestoreCommand};
use crate::error::Failure;
use crate::output;
use crate::progress::Progress;
use crate::target::{self, Target};

/// What the name of a backup ends with.
const ENDING: &str = "hullbackup";

/// Writes a backup into a folder.
pub(super) async fn backup(target: &Target, command: BackupCommand, as_json: bool) -> Result<(), Failure> {
    let client = target.client();
    let folder = &command.folder;
    let failed = |error| Failure::io(folder.display(), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let begun: Value = client.post("/api/hull/backup", &json!({})).await?;
    let (Some(id), Some(ts)) = (begun["backupId"].as_str(), begun["ts"].as_str()) else {
        return Err(client.unexpected("there is no backup in it").into());
    };
    let address = format!("/api/hull/backup/{id}");
    let fetch = async {
        let mut file =
            tempfile::Builder::new().prefix(".hull-backup-").tempfile_in(folder).map_err(failed)?;
        let mut pieces = client.stream(&address).await?;
        let mut progress = Progress::bytes("fetched");
        progress.begin("backup");
        while let Some(piece) = pieces.next().await? {
            file.write_all(&piece).map_err(failed)?;
            progress.add(piece.len() as u64);
        }
        progress.finish();
        file.as_file().sync_all().map_err(failed)?;
        let read = file.reopen().map_err(failed)?;
        let checked = offline::verify_backup(&mut BufReader::with_capacity(1 << 20, read));
        let info = checked.map_err(|error| Failure::input(error.code(), error.to_string()))?;
        // Timestamps are nanoseconds, so names sort by time.
        let path = folder.join(format!("{:0>20}.{ENDING}", ts));
        file.persist_noclobber(&path).map_err(|error| failed(error.error))?;
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok::<_, Failure>((path, info))
    };
    let (path, info) = match fetch.await {
        Ok(done) => done,
        Err(failure) => {
            // It would end by itself.
            let _ = client.delete::<Value>(&address).await;
            return Err(failure);
        }
    };
    client.post::<Value>(&format!("{address}/finish"), &json!({})).await?;
    output::line(if as_json {
        json!({ "path": path, "keys": info.keys, "bytes": info.bytes }).to_string()
    } else {
        format!(
            "{} keys, {} bytes are safe in {}; the log is kept from there on",
            info.keys,
            info.bytes,
            path.display()
        )
    })
}

/// Makes a data directory from a backup.
pub(super) fn restore(place: &Place, command: &RestoreCommand, as_json: bool) -> Result<(), Failure> {
    let directory = target::directory(place)?;
    let backup = newest(&command.backup)?;
    let info = offline::restore(&backup, &directory, &mut tell()).map_err(refused)?;
    output::line(if as_json {
        json!({ "directory": directory, "keys": info.keys, "bytes": info.bytes }).to_string()
    } else {
        format!("{} holds {} keys of {}", directory.display(), info.keys, backup.display())
    })
}

/// Makes the store of a data directory anew.
pub(super) fn rebuild(place: &Place, command: &RebuildCommand, as_json: bool) -> Result<(), Failure> {
    let directory = target::directory(place)?;
    let rebuilt = if command.compact {
        offline::compact(&directory, &mut tell())
    } else {
        let backup = command.backup.as_deref().map(newest).transpose()?;
        offline::rebuild(&directory, backup.as_deref(), &mut tell())
    };
    let Rebuilt { source, keys, records, unfilled, bytes_before, bytes_after, moved_aside, .. } =
        rebuilt.map_err(refused)?;
    let (word, from) = match source {
        RebuildSource::Backup(_) => ("backup", "the backup and the log"),
        RebuildSource::Log => ("log", "the log, which reaches back to the beginning"),
        RebuildSource::Store => ("store", "the old store, which is whole, and the log"),
    };
    if as_json {
        let rebuilt = json!({
            "source": word, "keys": keys, "records": records, "bytesBefore": bytes_before, "bytesAfter": bytes_after,
            "movedAside": moved_aside, "unfilledIndexes": unfilled,
        });
        return output::line(rebuilt.to_string());
    }
    output::line(format!(
        "{} is made anew from {from}: {keys} keys, {records} records of the log; {bytes_before} bytes before, \
         {bytes_after} now",
        directory.display()
    ))?;
    for (table, index) in unfilled {
        output::line(format!("the next start fills the search index {index} of {table}"))?;
    }
    match moved_aside {
        Some(old) => output::line(format!("the old store is in {} and can be deleted", old.display())),
        None => Ok(()),
    }
}

fn refused(error: impl Into<RefusedWork>) -> Failure {
    let RefusedWork(code, message) = error.into();
    Failure::Data { code, message }
}

/// What the engine says of work on a directory: a code and a sentence.
struct RefusedWork(&'static str, String);

impl From<offline::RebuildError> for RefusedWork {
    fn from(error: offline::RebuildError) -> RefusedWork {
        RefusedWork(error.code(), error.to_string())
    }
}

/// The file itself, or the newest backup in a folder.
fn newest(path: &Path) -> Result<PathBuf, Failure> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let entries = std::fs::read_dir(path).map_err(|error| Failure::io(path.display(), error))?;
    let backups = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = backups.filter(|file| file.extension().is_some_and(|ending| ending == ENDING)).max();
    newest.ok_or_else(|| Failure::input("NoBackup", format!("{}: there is no backup in it", path.display())))
}

/// Tells how far it is.
fn tell() -> impl FnMut(RebuildProgress) {
    let mut progress = Progress::bytes("done");
    let mut before = (0, "");
    move |now| {
        let (count, what) = match now {
            RebuildProgress::Verifying { bytes } => (bytes, "bytes of the backup read"),
            RebuildProgress::Storing { keys } => (keys, "keys stored"),
            RebuildProgress::Replaying { records } => (records, "records of the log applied"),
        };
        if before.1 != what {
            progress.begin(what);
            before = (0, what);
        }
        progress.add(count.saturating_sub(before.0));
        before.0 = count;
    }
}
