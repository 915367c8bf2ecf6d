//! The `hull` command as a process of its own.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::server::{Server, program};

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ended {
    /// Standard output of a command that did its work.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// Standard error of a command that ended with this code.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self.err
    }
}

/// The command without an environment that names a server.
pub fn command() -> Command {
    let mut command = program("hull-command");
    for name in [
        "HULL_URL",
        "HULL_ADMIN_KEY",
        "HULL_DATA_DIR",
        "CONVEX_SELF_HOSTED_URL",
        "CONVEX_SELF_HOSTED_ADMIN_KEY",
    ] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs it on a data directory.
pub fn on(directory: &Path, args: &[&str]) -> Ended {
    run(command().args(args).arg("--data-dir").arg(directory))
}

/// Runs it on a server, with a key of that server.
pub fn at(server: &Server, key: &str, args: &[&str]) -> Ended {
    run(command().args(args).args(["--url", &server.url(), "--admin-key", key]))
}
