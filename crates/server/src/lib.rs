//! The server: HTTP, the websocket, admin keys, metrics and the page, around the functions of an application.
//!
//! # Guarantees
//!
//! - Official Convex clients use it as they use their own server: the websocket and the HTTP API are Convex's.
//! - No answer and no push leaves before what it tells is durable.
//! - One task serves one connection; what a client does wrong is told to that client, and no other notices.
//! - A server that is told to stop finishes what runs, makes it durable and ends.
//!
//! This is the only crate that knows HTTP. [`serve`] is the entry of an application's binary, [`Server`] that of a
//! program that embeds one.

mod admin;
mod backend;
mod backups;
mod client;
mod codegen;
mod connection;
mod control;
mod data;
mod http;
mod imports;
mod keys;
mod keys_command;
mod limits;
mod listener;
mod live;
mod local;
mod logs;
mod mailbox;
mod metrics;
mod outgoing;
mod page;
mod sample;
mod serve;
mod server;
mod settings;
mod state;
mod stuck;
mod terminal;
mod time;
mod upgrade;
mod watch;
mod wire;

/// Work on a data directory that no server holds, and on backup files.
pub mod offline {
    pub use hull_engine::{
        BackupError, BackupInfo, RebuildError, RebuildProgress, RebuildSource, Rebuilt, compact, rebuild,
        restore, verify_backup,
    };
}

pub use admin::AdminError;
pub use backend::StartError;
pub use client::{
    AdminClient, ByteReader, ClientError, Connecting, Connector, LineReader, Stream, authority,
};
pub use codegen::{CodegenError, Generated, Written};
pub use local::Local;
pub use page::Page;
pub use sample::{Sample, SampleError};
pub use serve::{Serve, main, serve};
pub use server::{ServeError, Server};
pub use settings::{ByteSize, ByteSizeError, Durability, SampleSize, Settings};
pub use time::utc;
pub use watch::{WatchError, watch};
