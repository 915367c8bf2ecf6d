//! The server that the tests drive.

fn main() {}
