//! A client for Rust programs: live queries, mutations and actions over one websocket that is made again whenever it is
//! lost.
//!
//! ```text
//! let client = Client::connect("http://127.0.0.1:3210")?.with_functions(app().paths());
//! let mut messages = client.subscribe(list { channel: "general".into() });
//! client.mutation(send { channel: "general".into(), body: "hello".into() }).await?;
//! while let Some(messages) = messages.next().await { show(messages?) }
//! ```
//!
//! The same without the application's crate:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use hull_client::Client;
//! use hull_value::Value;
//!
//! let client = Client::connect("http://127.0.0.1:3210")?;
//! let general = Value::object([("channel", "general")]);
//! let mut messages = client.subscribe_at::<Vec<Value>>("messages:list", general);
//! client.mutation_at::<Value>("messages:send", Value::object([("channel", "general"), ("body", "hello")])).await?;
//! println!("{:?}", messages.next().await);
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! - A call is a function's argument struct and gives the function's own result type. Without the function's crate,
//!   [`Client::subscribe_at`] and its siblings take a path and any value.
//! - A subscription shows the newest result to whoever is slow, never a backlog. What all subscriptions of a client show
//!   changes together: [`Client::at_once`] reads them as of one timestamp.
//! - Mutations are sent in the order of the calls. Each is done once, however often the connection is lost, and its call
//!   ends when every subscription shows it. An action that was under way when the connection was lost ends with
//!   [`CallError::Lost`], since nobody knows whether it was done.
//! - One task does all of it. It lives as long as a handle does: a [`Client`], a subscription, or a call under way.

mod auth;
mod backoff;
mod call;
mod client;
mod connector;
mod driver;
mod error;
mod slot;
mod socket;
mod subscription;
mod tls;

pub use call::Call;
pub use client::{Client, ConnectionState, Reading};
pub use connector::{Connecting, Connector, Io};
pub use error::{CallError, ConnectError, FunctionError};
pub use hull_sync::diff::Change;
pub use subscription::{Changes, Subscription, Update};
