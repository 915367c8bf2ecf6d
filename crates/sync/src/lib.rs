//! The Convex sync protocol: messages and session state machines without IO.
