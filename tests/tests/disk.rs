//! The promise: a full disk refuses writes by name while reads go on, and a log that can't be written ends the process
//! with an error instead of an answer that is not durable.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use serde_json::{Value, json};
use tests::server::Server;

/// A mutation's whole answer: its status line and its body.
fn send(server: &Server, channel: &str, body: &str) -> Option<(String, Value)> {
    let call =
        json!({ "path": "messages:send", "args": { "channel": channel, "body": body }, "format": "json" });
    let answer = server.post("/api/mutation", &call.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.lines().next()?.to_owned(), serde_json::from_str(body).ok()?))
}

fn count(server: &Server, channel: &str) -> usize {
    let call = json!({ "path": "messages:list", "args": { "channel": channel }, "format": "json" });
    let answer = server.post("/api/query", &call.to_string()).unwrap();
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    body["value"].as_array().unwrap_or_else(|| panic!("{body}")).len()
}

#[test]
fn a_full_disk_refuses_writes_and_reads_go_on_until_there_is_space() {
    let mut server = Server::start_on_small_disk(400);
    assert_eq!(send(&server, "kept", "before").unwrap().1["status"], "success");
    // Less than what is kept back for checkpoints is left now.
    let filler = server.small_disk().join("filler");
    std::fs::write(&filler, vec![1; 200 << 20]).unwrap();
    let big = "x".repeat(900_000);
    let mut sent = 0;
    let refused = loop {
        let (status, answer) = send(&server, "filling", &big).unwrap();
        if answer["status"] != "success" {
            break (status, answer);
        }
        sent += 1;
        assert!(sent < 300, "nothing is refused");
    };
    assert!(refused.0.contains("503"), "{refused:?}");
    assert_eq!(refused.1["code"], "DiskFull");
    assert_eq!(count(&server, "kept"), 1);
    assert!(server.get("/health").unwrap().starts_with("HTTP/1.1 200"));

    std::fs::remove_file(&filler).unwrap();
    assert_eq!(send(&server, "kept", "after").unwrap().1["status"], "success");
    assert_eq!(count(&server, "kept"), 2);
    let status = server.terminate();
    assert!(status.success(), "{status}: {}", server.log());
}

#[test]
fn a_log_that_cannot_be_written_ends_the_process_with_an_error() {
    let mut server = Server::start_with_short_files(6 << 10);
    let big = "x".repeat(900_000);
    let mut acknowledged = 0;
    while let Some((_, answer)) = send(&server, "a", &big) {
        if answer["status"] != "success" {
            assert_eq!(answer["code"], "LogFailed", "{answer}");
            break;
        }
        acknowledged += 1;
        assert!(acknowledged < 300, "nothing fails");
    }
    assert_eq!(server.ended().code(), Some(1), "{}", server.log());
    assert!(server.log().contains("log has failed"), "{}", server.log());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
