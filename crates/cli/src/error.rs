//! How a command fails: a sentence for people, a stable code for programs, and the exit code of the process.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | the server or the data directory refused, or failed |
//! | 2 | the command line can't be understood |
//! | 3 | no connection to the server, or it was lost |
//! | 4 | a file that was given can't be read, written or imported |
//! | 5 | not confirmed, so nothing was done |
//! | 6 | `verify` found something wrong |
//! | 7 | a function answered with an error |
//! | 8 | `codegen --check`: generated files are not up to date |
//! | 130 | interrupted |

use std::process::ExitCode;

use hull_server::{ClientError, CodegenError, ServeError, WatchError};
use serde_json::json;

/// Why a command ends without having done its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server did not answer as wanted.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The data directory can't be opened.
    #[error(transparent)]
    Directory(#[from] ServeError),
    /// Nobody said where the data is.
    #[error("{0}")]
    Usage(String),
    /// The data directory is not as it should be.
    #[error("{message}")]
    Data {
        /// The stable code.
        code: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A file is not what it should be.
    #[error("{message}")]
    Input {
        /// The stable code.
        code: String,
        /// What is wrong, and where.
        message: String,
    },
    /// A file can't be read or written.
    #[error("{what}: {error}")]
    Io {
        /// The file.
        what: String,
        /// The cause.
        error: std::io::Error,
    },
    /// A function failed.
    #[error("{0}")]
    Function(String),
    /// A query can't be watched.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// Generated files are not where they should be.
    #[error(transparent)]
    Codegen(#[from] CodegenError),
    /// Something is wrong with the data.
    #[error("{0}")]
    Found(String),
    /// Nobody confirmed.
    #[error("{0}")]
    Declined(String),
    /// SIGINT or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// A file that can't be read or written.
    pub(crate) fn io(what: impl std::fmt::Display, error: std::io::Error) -> Failure {
        Failure::Io { what: what.to_string(), error }
    }

    /// A file that is not what it should be.
    pub(crate) fn input(code: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure::Input { code: code.into(), message: message.into() }
    }

    /// The stable code of this failure.
    pub(crate) fn code(&self) -> &str {
        match self {
            Failure::Client(error) => error.code(),
            Failure::Directory(error) => error.code(),
            Failure::Usage(_) => "Usage",
            Failure::Data { code, .. } => code,
            Failure::Input { code, .. } => code,
            Failure::Io { .. } => "FileError",
            Failure::Function(_) => "FunctionError",
            Failure::Watch(_) => "WatchFailed",
            Failure::Codegen(error) => error.code(),
            Failure::Found(_) => "DataDamaged",
            Failure::Declined(_) => "NotConfirmed",
            Failure::Interrupted => "Interrupted",
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Failure::Client(ClientError::Connect { .. } | ClientError::Broken { .. }) => 3,
            Failure::Client(ClientError::Url(_)) | Failure::Usage(_) => 2,
            Failure::Client(_) | Failure::Directory(_) | Failure::Data { .. } | Failure::Watch(_) => 1,
            Failure::Input { .. } | Failure::Io { .. } | Failure::Codegen(CodegenError::Io { .. }) => 4,
            Failure::Declined(_) => 5,
            Failure::Found(_) => 6,
            Failure::Function(_) => 7,
            Failure::Codegen(CodegenError::Stale(_)) => CodegenError::STALE,
            Failure::Interrupted => 130,
        }
    }

    /// Says it on standard error, and gives the exit code.
    pub(crate) fn report(&self, as_json: bool) -> ExitCode {
        if as_json {
            eprintln!("{}", json!({ "error": { "code": self.code(), "message": self.to_string() } }));
        } else {
            eprintln!("error: {self}");
        }
        ExitCode::from(self.exit_code())
    }
}
