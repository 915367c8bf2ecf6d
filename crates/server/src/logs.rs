//! Structured logs through `tracing`: for people on a terminal, as JSON with `HULL_LOG_FORMAT=json`.
//!
//! `RUST_LOG` chooses what is logged, in the usual syntax; the default is `info`.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Sends this process's logs to standard error. A logger that the application set before stays.
pub(crate) fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sled=warn"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = if std::env::var("HULL_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json")) {
        builder.json().flatten_event(true).try_init()
    } else {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        builder.with_ansi(terminal).with_target(false).try_init()
    };
}
