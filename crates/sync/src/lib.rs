//! The Convex sync protocol: its messages and both session state machines, without socket, clock or thread.
//!
//! A client and a server talk over one websocket in text frames of one JSON object each.
//!
//! # The conversation
//!
//! - `Connect` comes first and names the client's session. Then the client declares which queries it
//!   wants (`ModifyQuerySet`), who it is (`Authenticate`), and what it wants done (`Mutation`, `Action`).
//! - The server answers a mutation with `MutationResponse`, an action with `ActionResponse`, and
//!   everything that concerns queries with a `Transition`, which takes the client from one
//!   [`StateVersion`] (query set, identity, timestamp) to a later one. A Transition is a consistent
//!   snapshot: after it every query of the client is as of exactly its end timestamp, so it need only list
//!   what changed.
//! - A mutation's answer of timestamp T comes before any Transition that reaches T, and one that
//!   reaches T always follows, even an empty one: the client holds the promise until then.
//! - Every new socket begins at version zero. The client adds its queries again, with the journals it
//!   was given, and sends again what it does not know to be done, under the same request numbers.
//! - A client that asks for it is told a result by its diff from the one before, where that is shorter.
//!
//! # The parts
//!
//! - [`ClientMessage`] and [`ServerMessage`]: the messages, read from borrowed JSON in one pass and written by
//!   hand. Values inside stay JSON text.
//! - [`Session`]: the server's half. Frames, results and completions go in; [`Effect`]s come out of
//!   [`Session::next_effect`], and bytes out of [`Session::flush`], which a worker calls when its socket
//!   has taken the last ones.
//! - [`ClientSession`]: the client's half, with reconnect and replay.
//! - [`diff`]: patches that take one result to the next, for clients that ask for them.
//! - [`ClientVersion`], [`FunctionPath`], [`QueryResult`], [`Close`]: what both need beside them.

mod chunk;
mod client;
mod client_message;
mod close;
pub mod diff;
mod diffs;
mod message;
mod path;
mod result;
mod server;
mod server_message;
mod sink;
mod version;
mod write;

pub use chunk::{CHUNK_BYTES, ChunkError, Reassembly};
pub use client::{ClientError, ClientEvent, ClientSession, QueryState, RequestOutcome};
pub use client_message::{ClientMessage, Credential, QueryChange};
pub use close::Close;
pub use message::{MessageError, SessionId, StateVersion};
pub use path::{FunctionPath, PathError};
pub use result::{Failure, QueryResult};
pub use server::{DiffCounts, Effect, Instant, NO_AUTH_PROVIDER, Session, SubscriptionId};
pub use server_message::{Answer, QueryUpdate, ServerMessage};
pub use sink::{MessageSink, Outgoing, OutgoingFrames};
pub use version::{ClientVersion, Deprecation, VersionError};
pub use write::{action_response, auth_error, fatal_error, mutation_response, ping};
