//! Hull: a reactive document store with Convex's semantics, and functions written in Rust.
//!
//! One binary holds the database, the functions and the sync server. A frontend subscribes to a query over a websocket
//! and is told whenever its answer changes; the official Convex clients do this without a change.
//!
//! ```no_run
//! use hull::prelude::*;
//!
//! #[derive(Table)]
//! #[table("messages")]
//! pub struct Message { pub author: String, pub body: String }
//!
//! #[query]
//! async fn list(ctx: &QueryCtx) -> Result<Vec<Doc<Message>>> {
//!     ctx.db.query::<Message>().order(Order::Desc).take(50).await
//! }
//!
//! #[mutation]
//! async fn send(ctx: &MutationCtx, author: String, body: String) -> Result<Id<Message>> {
//!     ctx.db.insert(Message { author, body }).await
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let messages = Module::new("messages").with(functions![list, send]);
//!     hull::main(App::new().schema(Schema::new().table(Message::table())).module(messages))
//! }
//! ```
//!
//! `cargo run` now serves `http://127.0.0.1:3210`, and `cargo run -- watch messages:list` shows the list in the
//! terminal, each time it changes.
//!
//! This crate is only names: [`prelude`] has what an application uses every day, [`model`], [`functions`] and
//! [`value`] are the crates behind it. Without the default feature `server` there is no network: [`Embedded`] runs the
//! functions on a directory inside any program, [`TestApp`] in memory. With the feature `client`, `hull::client` calls the
//! functions of a server.

pub use hull_functions::{self as functions, App, Embedded, TestApp};
pub use hull_model as model;
pub use hull_value as value;

/// What the macros expand to; not for use by hand.
#[doc(hidden)]
pub use hull_functions::__private;

#[cfg(feature = "server")]
pub use hull_server::{
    self as server, ByteSize, Durability, Page, Sample, SampleSize, Serve, ServeError, Server, Settings,
    main, serve,
};

#[cfg(feature = "client")]
pub use hull_client as client;

/// The README's example compiles as it stands there.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// What an application's modules use: `use hull::prelude::*;`.
pub mod prelude {
    pub use hull_functions::{
        App, ConvexError, Error, Identity, Module, MutationCtx, Order, PaginationOptions, PaginationResult,
        QueryCtx, Result, UserIdentity, functions, internal_mutation, internal_query, mutation, query,
    };
    pub use hull_model::{
        Doc, Function, Object, Patch, Schema, Selected, Table, Validated, Validator, define_table, v,
    };
    pub use hull_value::{Bytes, CommitTs, Decode, Encode, Id, Nullable, Packed, Value};
}
