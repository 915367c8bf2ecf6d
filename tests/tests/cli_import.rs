//! The promise: files made by hand after Convex's rules import right, or are refused with the stated code and nothing is
//! changed; hostile files are refused in bounded memory; a crash leaves the old state or the new.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::cli::{Ended, command, on};
use tests::server::Server;
use zip::write::SimpleFileOptions;

/// A folder for files, and a server.
struct Bench {
    server: Server,
    folder: TempDir,
}

impl Bench {
    fn new() -> Bench {
        Bench { server: Server::start(), folder: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn zip(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let path = self.path(name);
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for (name, text) in files {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        path
    }

    fn import(&self, path: &Path, args: &[&str]) -> Ended {
        on(&self.server.data(), &[&["import", path.to_str().unwrap(), "-y"], args].concat())
    }

    /// The documents of a table, in order of creation.
    fn rows(&self, table: &str) -> Vec<Value> {
        let all = on(
            &self.server.data(),
            &["data", table, "--format", "jsonl", "--order", "asc", "--limit", "100000"],
        );
        all.ok().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn text(&self, table: &str) -> String {
        on(&self.server.data(), &["data", table, "--format", "jsonl", "--order", "asc"]).ok()
    }
}

fn messages(count: usize, body: &str) -> String {
    (0..count).map(|n| format!("{}\n", json!({ "channel": format!("c{n}"), "body": body }))).collect()
}

#[test]
fn plain_rows_follow_the_rules_of_plain_imports() {
    let bench = Bench::new();
    let jsonl = bench.file(
        "stored.jsonl",
        "{\"key\":\"a\",\"value\":1}\n\n{\"key\":\"b\",\"value\":{\"$integer\":\"AQAAAAAAAAA=\"}}\r\n{\"key\":\"c\",\"value\":1.0}",
    );
    bench.import(&jsonl, &["--table", "stored"]).ok();
    let text = bench.text("stored");
    for end in ["\"key\":\"a\",\"value\":1.0}", "\"key\":\"b\",\"value\":1}", "\"key\":\"c\",\"value\":1.0}"]
    {
        assert!(text.contains(end), "{text}");
    }
    let array = bench.file("x.json", "[\n {\"key\": \"d\",\n \"value\": [1, 2]} ]");
    bench.import(&array, &["--table", "stored", "--append"]).ok();
    assert!(bench.text("stored").contains("\"value\":[1.0,2.0]"));
    let csv = bench.file("x.csv", "key,value\ne,7\nf,word\n");
    bench.import(&csv, &["--table", "stored", "--append"]).ok();
    let text = bench.text("stored");
    assert!(
        text.contains("\"key\":\"e\",\"value\":7.0}") && text.contains("\"key\":\"f\",\"value\":\"word\"}")
    );
    assert_eq!(bench.rows("stored").len(), 6);
}

#[test]
fn archives_made_by_hand_import_by_convex_rules() {
    let bench = Bench::new();
    // In export form 1 is an int64; without the marker it is a float64.
    let row = "{\"key\":\"k\",\"value\":1}\n";
    for (name, files, value) in [
        (
            "marked",
            vec![("stored/documents.jsonl", row), ("stored/generated_schema.jsonl", "\"uniform\"\n")],
            "1",
        ),
        ("plain", vec![("stored/documents.jsonl", row)], "1.0"),
        ("prefix", vec![("a/b/stored/documents.jsonl", row), ("a/b/README.md", "x")], "1.0"),
    ] {
        let path = bench.zip(&format!("{name}.zip"), &files);
        bench.import(&path, &["--replace"]).ok();
        assert!(bench.text("stored").contains(&format!("\"value\":{value}}}")), "{name}");
    }
    // Ids keep the number that the archive gives the table.
    let id = on(&bench.server.data(), &["data", "stored", "--json"]).ok();
    let id: Value = serde_json::from_str(&id).unwrap();
    let id = id[0]["_id"].as_str().unwrap().to_owned();
    let other = Server::start();
    let export = bench.path("out.zip");
    on(&bench.server.data(), &["export", "--path", export.to_str().unwrap(), "--table", "stored"]).ok();
    on(&other.data(), &["import", export.to_str().unwrap(), "-y"]).ok();
    assert!(on(&other.data(), &["get", &id]).ok().contains("\"key\":\"k\""));
    // What this server can't hold is said.
    let path =
        bench.zip("storage.zip", &[("stored/documents.jsonl", row), ("_storage/documents.jsonl", "{}\n")]);
    let ended = bench.import(&path, &["--replace"]);
    assert!(
        ended.err.contains("_storage/documents.jsonl: this server does not store files yet"),
        "{ended:?}"
    );
    assert_eq!(ended.code, 0);
    let old = bench.zip(
        "old.zip",
        &[("stored/documents.jsonl", row), ("stored/generated_schema.jsonl", "{\"value\":\"int64\"}\n")],
    );
    let ended = bench.import(&old, &["--replace"]);
    assert!(ended.err.contains("stored/generated_schema.jsonl: it is that of an older export"), "{ended:?}");
}

#[test]
fn mistakes_are_named_by_file_line_and_path_and_change_nothing() {
    let bench = Bench::new();
    bench.import(&bench.file("good.jsonl", messages(3, "old")), &["--table", "messages"]).ok();
    let before = bench.text("messages");
    let good = "{\"channel\":\"a\",\"body\":\"b\"}\n";
    let cases: &[(&str, String, &str, &str)] = &[
        ("a.jsonl", format!("{good}{{\"channel\":\n"), "JsonInvalidRow(2)", "row 2"),
        ("b.jsonl", format!("{good}\n[1]\n"), "NotAnObject", "row 3"),
        ("c.jsonl", "{\"channel\":{\"$integer\":\"x\"}}".to_owned(), "InvalidConvexValue(1)", "row 1"),
        (
            "d.jsonl",
            format!("{good}{good}{{\"channel\":\"a\",\"body\":7}}\n"),
            "SchemaEnforcementError",
            "row 3",
        ),
        ("e.json", "{}".to_owned(), "NotJsonArray", "e.json"),
        ("f.json", format!("[{}]", " ".repeat(17 << 20)), "JsonArrayTooLarge", "jsonl"),
        ("g.csv", String::new(), "CsvMissingHeaders", "g.csv"),
        ("h.csv", "a,$b\n1,2\n".to_owned(), "CsvInvalidHeader", "$b"),
        ("i.csv", "channel,body\nx\n".to_owned(), "CsvRowMissingFields", "row 1"),
        ("j.jsonl", format!("{good}{{\"body\":\"{}\"}}\n", "x".repeat(9 << 20)), "LineTooLong", "line 2"),
    ];
    for (name, text, code, word) in cases {
        for mode in ["--replace", "--append"] {
            let path = bench.file(name, text);
            let said = bench.import(&path, &["--table", "messages", mode, "--json"]).failed(4);
            let error: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
            assert_eq!(error["error"]["code"], *code, "{said}");
            let message = error["error"]["message"].as_str().unwrap();
            assert!(message.contains(word) && message.contains(name), "{said}");
        }
    }
    assert_eq!(bench.text("messages"), before);
    let said = bench.import(&bench.file("x.jsonl", good), &["--table", "messages"]).failed(1);
    assert!(said.contains("TableExists"), "{said}");
    let said = bench.import(&bench.file("x.jsonl", good), &["--table", "not a name", "--replace"]).failed(4);
    assert!(said.contains("not a name"), "{said}");
    bench.import(&bench.file("x.jsonl", good), &[]).failed(2);
    bench.import(&bench.file("x.what", good), &["--table", "messages"]).failed(2);
    bench.import(&bench.path("missing.zip"), &[]).failed(4);
    assert_eq!(bench.text("messages"), before);
}

#[test]
fn modes_ask_and_do_what_they_say() {
    let bench = Bench::new();
    let three = bench.file("3.jsonl", messages(3, "three"));
    let two = bench.file("2.jsonl", messages(2, "two"));
    let count = || bench.rows("messages").len();
    bench.import(&three, &["--table", "messages"]).ok();
    assert_eq!(count(), 3);
    bench.import(&two, &["--table", "messages", "--append"]).ok();
    assert_eq!(count(), 5);
    let data = bench.server.data();
    let asked = ["import", two.to_str().unwrap(), "--table", "messages", "--replace"];
    let said = on(&data, &asked).failed(5);
    assert!(said.contains("messages: 2 documents replace 5") && said.contains("-y"), "{said}");
    let said = on(&data, &[&asked[..], &["--dry-run"]].concat()).ok();
    assert!(said.contains("messages: 2 documents would be imported"), "{said}");
    assert_eq!(count(), 5);
    bench.import(&two, &["--table", "messages", "--replace"]).ok();
    assert_eq!(count(), 2);
    on(&data, &["run", "counters:add", r#"{"name": "n", "by": 1}"#]).ok();
    let archive = bench.zip("all.zip", &[("messages/documents.jsonl", &messages(1, "one"))]);
    let said = bench.import(&archive, &["--replace-all"]).err;
    assert!(said.contains("counters: 1 documents are deleted, the table is emptied"), "{said}");
    assert_eq!((count(), bench.rows("counters").len()), (1, 0));
}

#[test]
fn what_stays_of_an_appended_file_is_told_exactly() {
    let bench = Bench::new();
    let long = "x".repeat(5_000);
    let text = format!("{}{{\"channel\":\"a\",\"body\":7}}\n", messages(1_200, &long));
    let said = bench.import(&bench.file("long.jsonl", text), &["--table", "messages", "--append"]).failed(4);
    let kept = bench.rows("messages").len();
    assert!(kept > 500, "{kept} rows were sent before the bad one");
    assert!(said.contains(&format!("the first {kept} rows of the import are in")), "{said}");
}

#[test]
fn refused_rows_can_be_set_aside() {
    let bench = Bench::new();
    let text = "{\"channel\":\"a\",\"body\":\"1\"}\nnonsense\n{\"channel\":\"a\",\"body\":2}\n\n{\"channel\":\"a\",\"body\":\"3\"}\n";
    let aside = bench.path("refused.jsonl");
    let args = ["--table", "messages", "--skip-invalid", aside.to_str().unwrap()];
    bench.import(&bench.file("mixed.jsonl", text), &args).ok();
    assert_eq!(bench.rows("messages").len(), 2);
    let refused: Vec<Value> = std::fs::read_to_string(&aside)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let said = |row: u64| refused.iter().find(|refused| refused["row"] == row).unwrap();
    assert_eq!(refused.len(), 2);
    assert_eq!(
        (said(2)["code"].as_str(), said(2)["text"].as_str()),
        (Some("JsonInvalidRow"), Some("nonsense"))
    );
    assert_eq!(said(3)["code"], "SchemaEnforcementError");
    assert_eq!(said(3)["text"], "{\"channel\":\"a\",\"body\":2}");
    // They never go over a file that is there, least of all over the one that is read.
    let mixed = bench.path("mixed.jsonl");
    for taken in [&aside, &mixed] {
        let args = ["--table", "messages", "--append", "--skip-invalid", taken.to_str().unwrap()];
        assert!(bench.import(&mixed, &args).failed(4).contains("is there already"));
    }
    assert_eq!(
        (std::fs::read_to_string(&mixed).unwrap(), bench.rows("messages").len()),
        (text.to_owned(), 2)
    );
}

/// Runs an import that must be refused, and returns what was said and the most memory it took, in MiB.
fn refused_within(bench: &Bench, path: &Path) -> (String, u64) {
    let mut command = command();
    command
        .args(["import", path.to_str().unwrap(), "-y", "--replace", "--data-dir"])
        .arg(bench.server.data());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let peak = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
        most = most.max(peak.unwrap_or_default() / 1024);
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    (said, most)
}

#[test]
fn hostile_archives_are_refused_in_bounded_memory() {
    let bench = Bench::new();
    bench.import(&bench.file("good.jsonl", messages(3, "old")), &["--table", "messages"]).ok();
    let before = bench.text("messages");
    let good = messages(2000, "good");
    let whole = std::fs::read(bench.zip("whole.zip", &[("messages/documents.jsonl", &good)])).unwrap();
    let mut flipped = whole.clone();
    flipped[200] ^= 0x55;
    let mut directory = whole.clone();
    let at = directory.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    directory[at + 24] ^= 0x10;
    let mut cases: Vec<(PathBuf, &str)> = vec![
        (bench.file("cut.zip", &whole[..whole.len() / 2]), "ZIP"),
        (bench.file("flipped.zip", flipped), "messages"),
        (bench.file("directory.zip", directory), "another size"),
        (bench.file("none.zip", b""), "ZIP"),
        (bench.file("noise.zip", vec![7; 100_000]), "ZIP"),
        (bench.zip("outside.zip", &[("../messages/documents.jsonl", &good)]), "must not lead out of it"),
        (bench.zip("empty.zip", &[("README.md", "nothing")]), "no tables"),
        (
            bench.zip(
                "twice.zip",
                &[("a/messages/documents.jsonl", &good), ("b/messages/documents.jsonl", &good)],
            ),
            "same table",
        ),
    ];
    // A line without an end, and nothing but ends of lines, a thousand times smaller than they say.
    for (name, byte, blocks, word) in
        [("line.zip", b'x', 32, "longer than"), ("bomb.zip", b'\n', 128, "hostile")]
    {
        let path = bench.path(name);
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        zip.start_file("messages/documents.jsonl", SimpleFileOptions::default()).unwrap();
        for _ in 0..blocks {
            zip.write_all(&vec![byte; 1 << 20]).unwrap();
        }
        zip.finish().unwrap();
        cases.push((path, word));
    }
    for (path, word) in cases {
        let (said, most) = refused_within(&bench, &path);
        assert!(said.contains(word), "{}: {said}", path.display());
        assert!(most < 100, "{} took {most} MiB", path.display());
    }
    assert_eq!(bench.text("messages"), before);
}

/// Waits until something is so.
fn until(mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How many commits the server has made.
fn commits(server: &Server) -> u64 {
    let metrics = server.get("/metrics").unwrap_or_default();
    let line = metrics.lines().find_map(|line| line.strip_prefix("hull_commits_total "));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

fn begun(bench: &Bench, args: &[&str]) -> Child {
    let mut command = command();
    command.args(args).arg("--data-dir").arg(bench.server.data());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn killed_at_any_moment_an_import_has_happened_or_not() {
    let mut bench = Bench::new();
    let old = bench.file("old.jsonl", messages(200, "old"));
    let new = bench.file("new.jsonl", messages(4_000, "new"));
    let args = ["--table", "messages", "--replace"];
    bench.import(&old, &args).ok();
    let mut happened = 0;
    for round in 0..20u64 {
        let before = commits(&bench.server);
        let mut import =
            begun(&bench, &["import", new.to_str().unwrap(), "-y", "--table", "messages", "--replace"]);
        until(|| commits(&bench.server) >= before + round / 2 || import.try_wait().unwrap().is_some());
        bench.server.kill();
        import.wait().unwrap();
        bench.server.launch();
        let rows = bench.rows("messages");
        let expected = match rows.len() {
            200 => "old",
            4_000 => "new",
            other => panic!("round {round}: {other} rows"),
        };
        assert!(rows.iter().all(|row| row["body"] == expected), "round {round}: a mix");
        if expected == "new" {
            happened += 1;
            bench.import(&old, &args).ok();
        }
    }
    assert!(happened < 20, "every import was done before the kill");
}

#[test]
fn interrupted_an_import_is_cancelled_and_an_export_leaves_nothing() {
    let bench = Bench::new();
    let many = bench.file("many.jsonl", messages(20_000, "many"));
    let few = bench.file("few.jsonl", messages(1, "few"));
    bench.import(&few, &["--table", "messages"]).ok();
    let interrupt = |mut child: Child| {
        let pid = Pid::from_raw(child.id() as i32).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        child.wait().unwrap().code()
    };
    // A server that does not answer holds the export at its beginning.
    let folder = bench.path("out");
    std::fs::create_dir(&folder).unwrap();
    bench.server.signal(Signal::STOP);
    let export = begun(&bench, &["export", "--path", folder.join("x.zip").to_str().unwrap()]);
    until(|| std::fs::read_dir(&folder).unwrap().count() == 1);
    assert_eq!(interrupt(export), Some(130));
    bench.server.signal(Signal::CONT);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    let before = (bench.text("messages"), commits(&bench.server));
    let import = begun(&bench, &["import", many.to_str().unwrap(), "-y", "--table", "messages", "--replace"]);
    until(|| commits(&bench.server) > before.1 + 3);
    assert_eq!(interrupt(import), Some(130));
    assert_eq!(bench.text("messages"), before.0);
    // What was appended stays, and that is said.
    let data = bench.server.data();
    let mut append = command();
    append
        .args(["import", many.to_str().unwrap(), "-y", "--table", "messages", "--append", "--data-dir"])
        .arg(data);
    let before = commits(&bench.server);
    let mut append = append.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until(|| commits(&bench.server) > before + 3);
    kill_process(Pid::from_raw(append.id() as i32).unwrap(), Signal::INT).unwrap();
    assert_eq!(append.wait().unwrap().code(), Some(130));
    let said = std::io::read_to_string(append.stderr.unwrap()).unwrap();
    assert!(said.contains("Appended rows stay: at least the first"), "{said}");
    assert!(bench.rows("messages").len() > 1);
    // Nothing is left under way: as many imports can begin as ever.
    for _ in 0..10 {
        let asked = ["import", few.to_str().unwrap(), "--table", "messages", "--replace"];
        on(&bench.server.data(), &asked).failed(5);
    }
}
