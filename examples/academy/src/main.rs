//! The server of the example applications.
fn main() {}
