//! What a server says to whoever started it: plain lines on standard output.

use std::io::Write;

/// Says a line; that nobody reads it any more is no reason to stop serving.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
