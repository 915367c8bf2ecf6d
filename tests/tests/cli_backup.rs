//! The promise: a backup is whole or is none, a directory made from it holds its moment, and a damaged store is made anew
//! from the backup and the log, with everything that was acknowledged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::cli::{Ended, command, on, run};
use tests::server::Server;

fn send(server: &Server, bodies: std::ops::Range<u32>) {
    for body in bodies {
        let args = json!({ "channel": "c", "body": body.to_string() }).to_string();
        on(&server.data(), &["run", "messages:send", &args]).ok();
    }
}

fn messages(directory: &Path) -> String {
    on(directory, &["data", "messages", "--format", "jsonl"]).ok()
}

fn backups(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn a_backup_is_restored_into_a_new_directory() {
    let mut server = Server::start();
    let folder = TempDir::new().unwrap();
    let (backup, restored) = (folder.path().join("backups"), folder.path().join("restored"));
    send(&server, 0..4);
    let then = messages(&server.data());
    on(&server.data(), &["backup", backup.to_str().unwrap()]).ok();
    send(&server, 4..6);
    // Of a directory that no server holds, too; the newest is meant.
    server.terminate();
    let now = messages(&server.data());
    let said = on(&server.data(), &["backup", backup.to_str().unwrap(), "--json"]).ok();
    let said: Value = serde_json::from_str(&said).unwrap();
    let found = backups(&backup);
    assert_eq!(found.len(), 2);
    assert_eq!(said["path"], json!(found[1]));
    on(&restored, &["restore", backup.to_str().unwrap()]).ok();
    assert_eq!(messages(&restored), now);
    let said = on(&restored, &["restore", backup.to_str().unwrap()]).failed(1);
    assert!(said.contains("restored"), "{said}");
    let older = folder.path().join("older");
    on(&older, &["restore", found[0].to_str().unwrap()]).ok();
    assert_eq!(messages(&older), then);
    // A damaged backup is refused, and nothing is made of it.
    let mut bytes = std::fs::read(&found[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = folder.path().join("damaged");
    std::fs::write(&damaged, bytes).unwrap();
    on(&folder.path().join("none"), &["restore", damaged.to_str().unwrap()]).failed(1);
    assert!(on(&folder.path().join("none"), &["tables"]).failed(1).contains("holds no database"));
}

#[test]
fn a_damaged_store_is_made_anew() {
    let mut server = Server::start();
    let folder = TempDir::new().unwrap();
    let backup = folder.path().join("backups");
    let backup = backup.to_str().unwrap();
    send(&server, 0..3);
    on(&server.data(), &["backup", backup]).ok();
    send(&server, 3..6);
    let all = messages(&server.data());
    let rebuild =
        |directory: &Path, args: &[&str]| -> Ended { on(directory, &[&["rebuild"], args].concat()) };
    let held = rebuild(&server.data(), &["--backup", backup]).failed(1);
    assert!(held.contains("in use"), "{held}");
    server.kill();
    // The whole store is gone.
    std::fs::remove_dir_all(server.data().join("store")).unwrap();
    let said = rebuild(&server.data(), &["--backup", backup, "--json"]).ok();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["source"], "backup", "{said}");
    assert_eq!(said["unfilledIndexes"], json!([["messages", "search_body"]]), "{said}");
    server.launch();
    assert_eq!(messages(&server.data()), all);
    // The start has filled what the log does not have.
    on(&server.data(), &["verify"]).ok();
    assert!(!on(&server.data(), &["tables"]).ok().contains("being filled"));
    server.terminate();
    let said = rebuild(&server.data(), &["--compact"]).ok();
    assert!(said.contains("the old store, which is whole"), "{said}");
    server.launch();
    assert_eq!(messages(&server.data()), all);
    let nowhere = run(command().args(["restore", backup]).current_dir(folder.path())).failed(2);
    assert!(nowhere.contains("--data-dir"), "{nowhere}");
}

#[test]
fn what_is_stored_is_verified() {
    let mut server = Server::start();
    send(&server, 0..3);
    let said = on(&server.data(), &["verify"]).ok();
    assert!(said.lines().any(|line| line == "messages\t3\t0\t0\t0\t0"), "{said}");
    server.terminate();
    let report: Value = serde_json::from_str(&on(&server.data(), &["verify", "--json"]).ok()).unwrap();
    assert_eq!(report["clean"], true);
    let tables = report["tables"].as_array().unwrap();
    let messages = tables.iter().find(|table| table["name"] == "messages").unwrap();
    let indexes: Vec<&str> =
        messages["indexes"].as_array().unwrap().iter().map(|index| index["name"].as_str().unwrap()).collect();
    assert_eq!(indexes, ["by_creation_time", "by_channel", "search_body"]);
}
