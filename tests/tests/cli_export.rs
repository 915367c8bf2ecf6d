//! The promise: what is exported comes back equal, from every format, with ids, creation times and references; a second
//! export of it is equal byte for byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::cli::{at, on};
use tests::server::Server;

/// Every type of value, as arguments are written.
const VALUES: &[&str] = &[
    "null",
    "true",
    "1",
    "-0.5",
    r#"{"$integer":"AQAAAAAAAAA="}"#,
    r#"{"$integer":"AAAAAAAAAIA="}"#,
    r#"{"$float":"AAAAAAAA8P8="}"#,
    r#"{"$float":"AAAAAAAA+H8="}"#,
    r#"{"$float":"AAAAAAAAAIA="}"#,
    r#"{"$bytes":""}"#,
    r#"{"$bytes":"AP8="}"#,
    r#""""#,
    r#""\"quoted\", comma\nand line""#,
    "[]",
    r#"[1,[{"$integer":"AQAAAAAAAAA="}],"x"]"#,
    "{}",
    r#"{"a":{"b":1,"two words":{"$bytes":"AQ=="}},"c":[]}"#,
];

fn filled() -> Server {
    let server = Server::start();
    for (n, value) in VALUES.iter().enumerate() {
        let args = format!(r#"{{"key":"{n}","value":{value}}}"#);
        on(&server.data(), &["run", "values:store", &args]).ok();
    }
    for n in 0..5 {
        let args = json!({ "channel": format!("c{}", n % 2), "body": n.to_string() }).to_string();
        on(&server.data(), &["run", "messages:send", &args]).ok();
    }
    server
}

fn files_of_zip(path: &Path) -> BTreeMap<String, String> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut files = BTreeMap::new();
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        files.insert(name, text);
    }
    files
}

fn everything(server: &Server) -> String {
    let tables = ["counters", "ledger", "messages", "stored"];
    tables.map(|table| on(&server.data(), &["data", table, "--format", "jsonl"]).ok()).concat()
}

#[test]
fn an_archive_is_convex_layout_to_the_letter() {
    let server = filled();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("backup.zip");
    let said = on(&server.data(), &["export", "--path", path.to_str().unwrap()]).ok();
    assert!(said.starts_with("22 documents of 4 tables are in "), "{said}");
    let files = files_of_zip(&path);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let table = |name: &str| [format!("{name}/documents.jsonl"), format!("{name}/generated_schema.jsonl")];
    let expected: Vec<String> = [vec!["README.md".to_owned(), "_tables/documents.jsonl".to_owned()]]
        .into_iter()
        .chain(["counters", "ledger", "messages", "stored"].map(|name| table(name).to_vec()))
        .flatten()
        .collect();
    assert_eq!(names, expected);
    assert_eq!(files["stored/generated_schema.jsonl"], "\"uniform\"\n");
    let tables: Vec<Value> =
        files["_tables/documents.jsonl"].lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(tables.len(), 4);
    assert!(tables.iter().all(|table| table["name"].is_string() && table["id"].as_u64() >= Some(10_001)));
    let stored: Vec<&str> = files["stored/documents.jsonl"].lines().collect();
    for (line, value) in stored.iter().zip([
        "null",
        "true",
        "1.0",
        "-0.5",
        "1",
        "-9223372036854775808",
        r#"{"$float":"AAAAAAAA8P8="}"#,
        r#"{"$float":"AAAAAAAA+H8="}"#,
        "-0.0",
        r#"{"$bytes":""}"#,
    ]) {
        assert!(line.ends_with(&format!("\"value\":{value}}}")), "{line}");
    }
    // It is never overwritten, and a folder gets a file of its own.
    on(&server.data(), &["export", "--path", path.to_str().unwrap()]).failed(4);
    on(&server.data(), &["export", "--path", folder.path().to_str().unwrap()]).ok();
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() == 2 && names[0] == "backup.zip" && names[1].starts_with("snapshot_"), "{names:?}");
}

#[test]
fn export_import_export_gives_equal_files() {
    let server = filled();
    let folder = TempDir::new().unwrap();
    let (first, second) = (folder.path().join("1.zip"), folder.path().join("2.zip"));
    on(&server.data(), &["export", "--path", first.to_str().unwrap()]).ok();
    let mut other = Server::start();
    let key = on(&other.data(), &["keys", "create"]).ok();
    let said = at(&other, key.trim(), &["import", first.to_str().unwrap(), "-y"]).ok();
    assert!(said.contains("stored: 17 documents imported"), "{said}");
    // Not only the content: the archives are equal.
    other.terminate();
    on(&other.data(), &["export", "--path", second.to_str().unwrap()]).ok();
    assert_eq!(files_of_zip(&first), files_of_zip(&second));
    assert!(std::fs::read(&first).unwrap() == std::fs::read(&second).unwrap());
    other.launch();
    assert_eq!(everything(&server), everything(&other));
}

#[test]
fn every_format_comes_back_equal() {
    let server = filled();
    let folder = TempDir::new().unwrap();
    let before = everything(&server);
    for format in ["zip", "dir", "jsonl", "csv"] {
        let path = folder.path().join(format).with_extension(if format == "zip" { "zip" } else { "d" });
        let path = path.to_str().unwrap();
        on(&server.data(), &["export", "--path", path, "--format", format]).ok();
        let other = Server::start();
        on(&other.data(), &["import", path, "-y"]).ok();
        assert_eq!(everything(&other), before, "{format}");
        // One table, one file.
        let file = folder.path().join(format!("stored.{format}"));
        if format == "csv" || format == "jsonl" {
            let file = file.to_str().unwrap();
            on(&server.data(), &["export", "--path", file, "--format", format, "--table", "stored"]).ok();
            on(&other.data(), &["import", file, "--table", "stored", "--replace", "-y"]).ok();
            assert_eq!(everything(&other), before, "{format}");
        }
    }
    let csv = std::fs::read_to_string(folder.path().join("stored.csv")).unwrap();
    let header = csv.lines().next().unwrap();
    assert_eq!(
        header,
        "_id:string,_creationTime:float64,key:string,value:null,value:boolean,value:int64,value:float64,value:string,\
         value:bytes,value:json,\"value.a.\"\"two words\"\":bytes\",value.a.b:float64,value.c:json"
    );
}

#[test]
fn a_table_is_named_that_is_not_there() {
    let server = Server::start();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.zip");
    let said = on(&server.data(), &["export", "--path", path.to_str().unwrap(), "--table", "nope"]).failed(1);
    assert!(said.contains("There is no table `nope`"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no half file is left");
    // A path that ends as a folder does is one, whether it is there or not.
    for n in 1..=2 {
        on(&server.data(), &["export", "--path", &format!("{}/new/", folder.path().display())]).ok();
        assert_eq!(std::fs::read_dir(folder.path().join("new")).unwrap().count(), n);
    }
}
