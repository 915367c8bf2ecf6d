//! TypeScript for an application: the files of `convex/_generated`, in the form of Convex's static mode, from the
//! functions and tables that are declared in Rust.
//!
//! Guarantee: the files depend on the declarations alone, so equal applications give equal bytes; each ends with a line
//! end. There is no `server.js`: functions are written in Rust.
//!
//! It stands beside the server since both ways to it are here: the application's own binary (`codegen`), which needs no
//! running server, and the admin route that the `hull` command asks.

mod api;
mod data_model;
mod spec;
mod types;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use hull_functions::Registry;
use serde::{Deserialize, Serialize};

pub(crate) use spec::{answer_spec, function_spec};

use types::Types;

/// The generated files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The types of the references to functions.
    #[serde(rename = "api.d.ts")]
    pub api_types: String,
    /// The references to functions.
    #[serde(rename = "api.js")]
    pub api: String,
    /// The types of tables, documents and ids.
    #[serde(rename = "dataModel.d.ts")]
    pub data_model: String,
    /// The types of what functions are given on a server.
    #[serde(rename = "server.d.ts")]
    pub server: String,
}

/// What became of a generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was not there or had other content.
    pub changed: bool,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}", self.path.display(), if self.changed { "written" } else { "unchanged" })
    }
}

/// Why generated files are not in a folder.
#[derive(Debug, thiserror::Error)]
pub enum CodegenError {
    /// Files are missing or differ.
    #[error("not up to date: {}; run `codegen` without --check", list(.0))]
    Stale(Vec<PathBuf>),
    /// A file can't be read or written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
}

impl CodegenError {
    /// The exit code of a command that ends with [`CodegenError::Stale`].
    pub const STALE: u8 = 8;

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            CodegenError::Stale(_) => "GeneratedFilesStale",
            CodegenError::Io { .. } => "FileError",
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl Generated {
    /// The files of an application.
    pub fn of(registry: &Registry) -> Generated {
        let types = Types::new(registry.schema());
        let api = "References to the functions of the server.";
        let file = |what: &str, text: &str| {
            let lines = text.lines().map(str::trim_end);
            lines.fold(header(what), |text, line| text + line + "\n")
        };
        Generated {
            api_types: file(api, &api::text(registry, &types)),
            api: file(api, api::JAVASCRIPT),
            data_model: file("The data model.", &data_model::text(registry.schema(), &types)),
            server: file("What functions are given on a server, as types alone.", SERVER),
        }
    }

    fn files(&self) -> [(&'static str, &str); 4] {
        [
            ("api.d.ts", &self.api_types),
            ("api.js", &self.api),
            ("dataModel.d.ts", &self.data_model),
            ("server.d.ts", &self.server),
        ]
    }

    /// Writes the files that are missing or differ into a folder, which is made when it is not there.
    pub fn write(&self, folder: &Path) -> Result<Vec<Written>, CodegenError> {
        let failed = |path: &Path, error| CodegenError::Io { path: path.to_owned(), error };
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        let mut written = Vec::new();
        for (name, text) in self.files() {
            let path = folder.join(name);
            let changed = differs(&path, text)?;
            if changed {
                std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
            }
            written.push(Written { path, changed });
        }
        Ok(written)
    }

    /// Fails with the names of the files that are missing from a folder or differ; writes nothing.
    pub fn check(&self, folder: &Path) -> Result<Vec<Written>, CodegenError> {
        let mut stale = Vec::new();
        let mut found = Vec::new();
        for (name, text) in self.files() {
            let path = folder.join(name);
            if differs(&path, text)? {
                stale.push(path);
            } else {
                found.push(Written { path, changed: false });
            }
        }
        if stale.is_empty() { Ok(found) } else { Err(CodegenError::Stale(stale)) }
    }
}

fn differs(path: &Path, text: &str) -> Result<bool, CodegenError> {
    match std::fs::read(path) {
        Ok(there) => Ok(there != text.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(CodegenError::Io { path: path.to_owned(), error }),
    }
}

fn header(what: &str) -> String {
    format!(
        "/* eslint-disable */\n/**\n * {what}\n *\n * This file is generated by hull codegen from what is declared in \
         Rust; changes to it are lost.\n *\n * @module\n */\n\n"
    )
}

/// `server.d.ts`, below its header.
const SERVER: &str = r#"import type {
  GenericActionCtx,
  GenericDatabaseReader,
  GenericDatabaseWriter,
  GenericMutationCtx,
  GenericQueryCtx,
} from "convex/server";
import type { DataModel } from "./dataModel.js";

/**
 * What a query is given.
 */
export type QueryCtx = GenericQueryCtx<DataModel>;

/**
 * What a mutation is given.
 */
export type MutationCtx = GenericMutationCtx<DataModel>;

/**
 * What an action is given.
 */
export type ActionCtx = GenericActionCtx<DataModel>;

/**
 * Reads the database.
 */
export type DatabaseReader = GenericDatabaseReader<DataModel>;

/**
 * Reads and writes the database.
 */
export type DatabaseWriter = GenericDatabaseWriter<DataModel>;
"#;

#[cfg(test)]
mod tests;
