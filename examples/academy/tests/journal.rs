//! The journal in two terminals, with the server's own process behind them, which is killed in between.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use academy::extrovertly::{journal_entries, users};
use hull::client::Client;
use tokio::io::{AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet};

#[path = "../examples/journal.rs"]
#[allow(dead_code, reason = "its main is for the terminal")]
mod example;

struct Server {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
}

fn start(port: u16, directory: &tempfile::TempDir) -> Child {
    Command::new(env!("CARGO_BIN_EXE_academy"))
        .args(["--no-sample", "--port", &port.to_string(), "--data-dir"])
        .arg(directory.path().join("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Server {
    fn start() -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        Server { child: start(port, &directory), port, directory }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = start(self.port, &self.directory);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a program writes, line by line.
struct Lines(mpsc::UnboundedSender<String>, Vec<u8>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.1.extend_from_slice(bytes);
        while let Some(end) = self.1.iter().position(|byte| *byte == b'\n') {
            let line = self.1.drain(..=end).collect();
            // The test may have seen enough.
            let _ = self.0.send(String::from_utf8(line).unwrap().trim_end().to_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Terminal {
    keyboard: DuplexStream,
    lines: mpsc::UnboundedReceiver<String>,
    program: JoinHandle<()>,
}

impl Terminal {
    fn open(url: &str) -> Terminal {
        let (keyboard, input) = tokio::io::duplex(1024);
        let (sender, lines) = mpsc::unbounded_channel();
        let (url, out) = (url.to_owned(), Lines(sender, Vec::new()));
        let program = tokio::task::spawn_local(async move {
            example::journal(&url, Some("ada".into()), BufReader::new(input), out).await.unwrap();
        });
        Terminal { keyboard, lines, program }
    }

    async fn line(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(60), self.lines.recv()).await.unwrap().unwrap()
    }

    async fn says(&mut self, line: &str) {
        assert_eq!(self.line().await, line);
    }
}

#[tokio::test]
async fn two_terminals_show_the_same_journal() {
    LocalSet::new().run_until(drive()).await;
}

async fn drive() {
    let mut server = Server::start();
    let url = format!("http://127.0.0.1:{}", server.port);
    let client = Client::connect(&url).unwrap().with_functions(academy::app().paths());
    let ada = users::create_user {
        email: "ada@example.com".into(),
        username: "ada".into(),
        first_name: "Ada".into(),
        last_name: None,
    };
    client.mutation(ada).await.unwrap();

    let (mut one, mut two) = (Terminal::open(&url), Terminal::open(&url));
    for terminal in [&mut one, &mut two] {
        terminal.says("The journal of ada. Write a line to add to it.").await;
    }
    one.keyboard.write_all(b"I spoke first.\n\n").await.unwrap();
    for terminal in [&mut one, &mut two] {
        // A terminal that was not quite there shows it as part of the first list.
        let line = terminal.line().await;
        assert!([" ", "+"].map(|mark| format!("{mark} [calm] I spoke first.")).contains(&line), "{line}");
    }
    let entries = client.query(journal_entries::list { limit: None }).await.unwrap();
    let id = entries[0]._id;
    let update = journal_entries::update {
        id,
        content: None,
        mood: Some("proud".into()),
        reflection_prompt: None,
        tags: None,
        is_private: None,
        word_count: None,
    };
    client.mutation(update).await.unwrap();
    for terminal in [&mut one, &mut two] {
        terminal.says("~ [proud] I spoke first.").await;
    }

    server.kill();
    for terminal in [&mut one, &mut two] {
        let line = terminal.line().await;
        assert!(line.starts_with("no connection ("), "{line}");
    }
    two.keyboard.write_all(b"Nobody was there.\n").await.unwrap();
    server.start_again();
    for terminal in [&mut one, &mut two] {
        let mut line = terminal.line().await;
        while line.starts_with("no connection (") {
            line = terminal.line().await;
        }
        assert_eq!(line, "+ [calm] Nobody was there.");
    }
    client.mutation(journal_entries::remove { id }).await.unwrap();
    for terminal in [&mut one, &mut two] {
        terminal.says("- [proud] I spoke first.").await;
    }
    for Terminal { keyboard, mut lines, program } in [one, two] {
        drop(keyboard);
        program.await.unwrap();
        assert_eq!(lines.recv().await, None);
    }
}
