//! The server's session, rule by rule: what a client may rely on, seen as the messages it gets.

mod harness;
mod liveness;
mod mutations;
mod transitions;
