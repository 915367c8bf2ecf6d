//! The promise: a server starts with clear words, refuses a directory in use, stops cleanly and keeps what it said.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use serde_json::json;
use tests::server::{Server, free_port, run, testbed};
use tests::wire::Wire;

#[test]
fn help_explains_every_setting() {
    let output = testbed().arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for word in
        ["--host", "--port", "--data-dir", "--memory-budget", "--durability", "HULL_PORT", "keys", "watch"]
    {
        assert!(text.contains(word), "no {word} in\n{text}");
    }
}

#[test]
fn it_says_where_it_is_and_what_to_do_next() {
    let server = Server::start();
    let log = server.log_with("Ctrl-C");
    for word in [server.url(), server.data().display().to_string(), "keys create".to_owned()] {
        assert!(log.contains(&word), "no {word} in\n{log}");
    }
}

#[tokio::test]
async fn a_second_server_on_the_directory_is_refused_and_the_first_goes_on() {
    let server = Server::start();
    let (status, text) = run(&["--port", &free_port().to_string()], &server.data());
    assert!(!status.success());
    assert!(text.contains(&server.data().display().to_string()), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    let mut wire = Wire::open(&server).await.unwrap();
    wire.call("counters:add", json!({ "name": "first", "by": 1 })).await;
}

#[test]
fn a_port_in_use_is_refused_with_its_number() {
    let server = Server::start();
    let other = tempfile::TempDir::new().unwrap();
    let port = server.port().to_string();
    let (status, text) = run(&["--port", &port], other.path());
    assert!(!status.success());
    assert!(text.contains(&port), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[tokio::test]
async fn sigterm_keeps_everything_that_was_answered() {
    let mut server = Server::start();
    for expected in 1..=3u32 {
        let mut wire = Wire::open(&server).await.unwrap();
        let answer = wire.call("counters:add", json!({ "name": "stop", "by": 1 })).await;
        assert_eq!(answer["result"].as_f64(), Some(f64::from(expected)));
        for _ in 0..100 {
            wire.mutate("counters:add", json!({ "name": "load", "by": 1 })).await.unwrap();
        }
        let status = server.terminate();
        assert!(status.success(), "{status}: {}", server.log());
        let mut answered = 0;
        while let Ok(answer) = wire.answer(answered + 1).await {
            assert_eq!(answer["success"], true, "{answer}");
            answered += 1;
        }
        server.launch();
        let mut wire = Wire::open(&server).await.unwrap();
        let count = wire.ask("counters:get", json!({ "name": "load" })).await.as_f64().unwrap();
        assert!(count >= f64::from(answered), "{answered} were answered, {count} are there");
        wire.call("counters:add", json!({ "name": "load", "by": -count })).await;
    }
}

#[test]
fn keys_are_made_while_a_server_runs_and_while_none_does() {
    let mut server = Server::start();
    let data = server.data();
    let key = |text: &str| {
        let allowed = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        let found = text
            .split_whitespace()
            .find(|word| word.split_once('|').is_some_and(|(name, secret)| allowed(name) && allowed(secret)));
        found.unwrap_or_else(|| panic!("no key in {text}")).to_owned()
    };
    let (status, text) = run(&["keys", "create"], &data);
    assert!(status.success(), "{text}");
    let running = key(&text);
    server.terminate();
    let (status, text) = run(&["keys", "create"], &data);
    assert!(status.success(), "{text}");
    let stopped = key(&text);
    assert_ne!(running, stopped);
    server.launch();
    let (_, listed) = run(&["keys", "list"], &data);
    for one in [&running, &stopped] {
        let (name, secret) = one.split_once('|').unwrap();
        assert!(listed.contains(name) && !listed.contains(secret), "{listed}");
        assert!(!server.log().contains(secret), "a secret is in the log");
    }
}
