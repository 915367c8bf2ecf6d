//! The promise: the command line shows and runs what a server holds, over HTTP with a key, through the socket in a data
//! directory, and on a directory that no server holds, with the same answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use serde_json::{Value, json};
use tests::cli::{at, command, on, run};
use tests::server::{Server, run as run_testbed, testbed};

/// A server with a few documents, and a key of it.
fn filled() -> (Server, String) {
    let server = Server::start();
    let key = on(&server.data(), &["keys", "create", "--name", "ops"]).ok().trim().to_owned();
    assert!(key.starts_with("ops|"), "{key}");
    for (channel, body) in [("a", "one"), ("b", "two"), ("a", "three")] {
        let args = json!({ "channel": channel, "body": body }).to_string();
        on(&server.data(), &["run", "messages:send", &args]).ok();
    }
    (server, key)
}

fn bodies(text: &str) -> Vec<String> {
    let documents = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    documents.map(|document| document["body"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn all_three_ways_in_give_the_same() {
    let (mut server, key) = filled();
    let asked: [&[&str]; 4] = [
        &["tables", "--json"],
        &["data", "messages", "--format", "jsonl"],
        &["data", "messages", "--limit", "1", "--json"],
        &["keys", "list"],
    ];
    let by_url: Vec<String> = asked.iter().map(|args| at(&server, &key, args).ok()).collect();
    let by_socket: Vec<String> = asked.iter().map(|args| on(&server.data(), args).ok()).collect();
    let mut variables = command();
    variables.env("CONVEX_SELF_HOSTED_URL", server.url()).env("CONVEX_SELF_HOSTED_ADMIN_KEY", &key);
    assert_eq!(run(variables.args(asked[0])).ok(), by_url[0]);
    server.terminate();
    let offline: Vec<String> = asked.iter().map(|args| on(&server.data(), args).ok()).collect();
    assert_eq!(by_url, by_socket);
    assert_eq!(by_url, offline);
    assert!(!server.data().join("control.sock").exists());
    server.launch();
}

#[test]
fn tables_are_counted_and_named_with_their_indexes() {
    let (server, _) = filled();
    let tables: Value = serde_json::from_str(&on(&server.data(), &["tables", "--json"]).ok()).unwrap();
    let messages = tables.as_array().unwrap().iter().find(|table| table["name"] == "messages").unwrap();
    assert_eq!(messages["documents"], 3);
    assert_eq!(messages["indexes"], json!([{ "name": "by_channel", "fields": ["channel"] }]));
    let search = json!([{ "name": "search_body", "searchField": "body", "filterFields": ["channel"] }]);
    assert_eq!(messages["searchIndexes"], search);
    let plain = on(&server.data(), &["tables"]).ok();
    let line = plain.lines().find(|line| line.starts_with("messages\t3\t")).unwrap();
    assert!(line.ends_with("\tby_channel(channel) search_body(body; channel)"), "{plain}");
    assert_eq!(on(&server.data(), &["data"]).ok(), plain);
}

#[test]
fn documents_are_ordered_limited_filtered_and_found_by_id() {
    let (server, _) = filled();
    let data = |args: &[&str]| {
        let args = [&["data", "messages", "--format", "jsonl"], args].concat();
        bodies(&on(&server.data(), &args).ok())
    };
    assert_eq!(data(&[]), ["three", "two", "one"]);
    assert_eq!(data(&["--order", "asc"]), ["one", "two", "three"]);
    assert_eq!(data(&["--limit", "2"]), ["three", "two"]);
    // By an index, and without one.
    assert_eq!(data(&["--where", "channel=a"]), ["three", "one"]);
    assert_eq!(data(&["--where", "channel=a", "--limit", "1", "--order", "asc"]), ["one"]);
    assert_eq!(data(&["--where", "body=two"]), ["two"]);
    assert_eq!(data(&["--where", "channel=a", "--where", "body=two"]), Vec::<String>::new());
    let all: Value = serde_json::from_str(&on(&server.data(), &["data", "messages", "--json"]).ok()).unwrap();
    let id = all[0]["_id"].as_str().unwrap();
    let one: Value = serde_json::from_str(&on(&server.data(), &["get", id]).ok()).unwrap();
    assert_eq!(one, all[0]);
}

#[test]
fn long_tables_come_page_by_page() {
    let server = Server::start();
    let value = |n: u32| json!({ "key": n.to_string(), "value": { "$integer": "AQAAAAAAAAA=" } }).to_string();
    for n in 0..30 {
        on(&server.data(), &["run", "values:store", &value(n)]).ok();
    }
    let by_index = on(&server.data(), &["data", "stored", "--format", "jsonl", "--where", "key=\"7\""]).ok();
    assert!(by_index.contains("\"value\":1}") && by_index.lines().count() == 1, "{by_index}");
    let all = on(&server.data(), &["data", "stored", "--format", "jsonl", "--order", "asc"]).ok();
    let key = on(&server.data(), &["keys", "create"]).ok();
    // Pages of 4 give the same as one page.
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    for _ in 0..8 {
        let address =
            format!("/api/hull/tables/stored/documents?limit=4&order=asc&adminKey={}{cursor}", key.trim());
        let answer = server.get(&address.replace('|', "%7C")).unwrap();
        let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        paged.extend(body["documents"].as_array().unwrap().iter().map(|d| d["_id"].clone()));
        cursor = format!("&cursor={}", body["cursor"].as_str().unwrap_or_default());
    }
    let ids: Vec<Value> =
        all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["_id"].clone()).collect();
    assert_eq!(paged, ids);
}

#[test]
fn functions_run_and_are_watched_where_a_server_runs() {
    let (mut server, key) = filled();
    let echo = r#"{"value": {"n": {"$integer": "AQAAAAAAAAA="}, "x": 1.5}}"#;
    let answer = at(&server, &key, &["run", "values:echo", echo, "--json"]).ok();
    assert_eq!(answer.trim(), r#"{"n":{"$integer":"AQAAAAAAAAA="},"x":1.5}"#);
    // An internal function, and one that fails.
    on(&server.data(), &["run", "counters:resetAll"]).ok();
    let failed = on(&server.data(), &["run", "errors:data", r#"{"data": {"why": "no"}}"#]).failed(7);
    assert!(failed.contains(r#"{"why":"no"}"#), "{failed}");
    let unknown = on(&server.data(), &["run", "no:such"]).failed(7);
    assert!(unknown.contains("Could not find public function for 'no:such'"), "{unknown}");
    let args = r#"{"channel": "b"}"#;
    let watched = on(&server.data(), &["run", "messages:list", args, "--watch", "--count", "1"]).ok();
    assert!(watched.contains("\"two\""), "{watched}");
    server.terminate();
    let offline = on(&server.data(), &["run", "messages:list", args]).failed(2);
    assert!(offline.contains("no server runs on this data directory"), "{offline}");
    server.launch();
}

#[test]
fn mistakes_are_named_and_have_exit_codes() {
    let (server, key) = filled();
    let data = server.data();
    for (args, code, word) in [
        (&["get", "nonsense"] as &[&str], 1, "nonsense"),
        (&["data", "nothing"], 1, "There is no table `nothing`; there are: counters,"),
        (&["data", "messages", "--where", "x"], 2, "--where field=value"),
        (&["keys", "create", "--name", "ops"], 1, "ops"),
        (&["keys", "revoke", "nobody"], 1, "nobody"),
        (&["nonsense"], 2, "nonsense"),
    ] {
        let said = on(&data, args).failed(code);
        assert!(said.contains(word), "{args:?}: {said}");
    }
    let said = at(&server, "ops|wrong", &["tables", "--json"]).failed(1);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["error"]["code"], "BadAdminKey");
    let nobody = run(command().args(["tables", "--url", "http://127.0.0.1:1"])).failed(3);
    assert!(nobody.contains("http://127.0.0.1:1"), "{nobody}");
    at(&server, &key, &["keys", "revoke", "ops"]).ok();
    at(&server, &key, &["tables"]).failed(1);
    let help = run(command().arg("--help")).ok();
    for word in ["Exit codes", "CONVEX_SELF_HOSTED_URL", "tables", "data", "get", "run", "keys"] {
        assert!(help.contains(word), "no {word} in\n{help}");
    }
}

#[test]
fn types_come_from_a_server_that_runs() {
    let (mut server, _) = filled();
    let folder = tempfile::TempDir::new().unwrap();
    let out = folder.path().join("generated");
    let codegen = ["codegen", "--json", "--out", out.to_str().unwrap()];
    let files: Value = serde_json::from_str(&on(&server.data(), &codegen).ok()).unwrap();
    let changed = |files: &Value| {
        let files = files.as_array().unwrap();
        files.iter().filter(|file| file["changed"] == true).count()
    };
    assert_eq!(changed(&files), 4);
    let again: Value = serde_json::from_str(&on(&server.data(), &codegen).ok()).unwrap();
    assert_eq!(changed(&again), 0);
    let spec: Value = serde_json::from_str(&on(&server.data(), &["function-spec"]).ok()).unwrap();
    assert_eq!(spec["url"], server.url());
    std::fs::remove_file(out.join("api.js")).unwrap();
    let stale = on(&server.data(), &[&codegen[..], &["--check"]].concat()).failed(8);
    let stale: Value = serde_json::from_str(&stale).unwrap();
    assert_eq!(stale["error"]["code"], "GeneratedFilesStale");
    assert!(stale["error"]["message"].as_str().unwrap().contains("api.js"), "{stale}");
    // A directory alone knows no functions, which is not the same as that there are none.
    server.terminate();
    for args in [&codegen[..], &["function-spec", "--json"]] {
        let said: Value = serde_json::from_str(&on(&server.data(), args).failed(1)).unwrap();
        assert_eq!(said["error"]["code"], "NoFunctions");
    }
    assert!(!out.join("api.js").exists());
}

#[test]
fn a_directory_without_a_database_stays_without_one() {
    let empty = tempfile::TempDir::new().unwrap();
    let missing = empty.path().join("missing");
    for directory in [empty.path(), &missing] {
        let said = on(directory, &["keys", "create"]).failed(1);
        assert!(said.contains("holds no database"), "{said}");
        let (status, said) = run_testbed(&["keys", "create"], directory);
        assert!(!status.success() && said.contains("holds no database"), "{said}");
    }
    assert!(!missing.exists());
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
    let nowhere = run(command().arg("tables").current_dir(empty.path())).failed(2);
    assert!(nowhere.contains("--data-dir"), "{nowhere}");
    // The commands of a server binary are still there.
    let server = Server::start();
    let made = testbed().args(["keys", "create", "--data-dir"]).arg(server.data()).output().unwrap();
    let key = String::from_utf8(made.stdout).unwrap();
    at(&server, key.trim(), &["tables"]).ok();
}

#[test]
fn admin_routes_want_a_key() {
    let server = Server::start();
    for path in [
        "/api/hull/tables",
        "/api/hull/export",
        "/api/hull/keys",
        "/api/hull/server",
        "/api/hull/schema",
        "/api/hull/codegen",
        "/api/hull/function-spec",
    ] {
        let answer = server.get(path).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 403") && answer.contains("AdminKeyRequired"),
            "{path}: {answer}"
        );
    }
}
