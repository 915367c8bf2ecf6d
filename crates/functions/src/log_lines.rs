//! The log lines of one call: `[LEVEL] text`, at most 256 of them, each at most 32 KiB.
//!
//! A line that is too long is cut at a character boundary. Lines beyond the last are dropped, and the last says so.

use std::fmt;
use std::sync::Arc;

/// The most lines one call may write.
pub(crate) const MAX_LINES: usize = 256;
/// The most bytes of one line, its level included.
pub(crate) const MAX_LINE_BYTES: usize = 32 * 1024;

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// `ctx.debug`
    Debug,
    /// `ctx.log`
    Log,
    /// `ctx.info`
    Info,
    /// `ctx.warn`
    Warn,
    /// `ctx.error`
    Error,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Log => "LOG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        }
    }
}

/// The finished lines of a call, shared by all who receive them.
pub type LogLines = Arc<[String]>;

/// The lines of a call that is running.
#[derive(Debug, Default)]
pub(crate) struct LogBuffer {
    lines: Vec<String>,
}

impl LogBuffer {
    /// Adds finished lines.
    pub(crate) fn append(&mut self, lines: Vec<String>) {
        for line in lines {
            self.add(line);
        }
    }

    pub(crate) fn push(&mut self, level: Level, text: &dyn fmt::Display) {
        self.add(format!("[{}] {text}", level.as_str()));
    }

    fn add(&mut self, mut line: String) {
        if self.lines.len() >= MAX_LINES {
            if let Some(last) = self.lines.last_mut() {
                *last = format!("[WARN] Log lines beyond {} were dropped", MAX_LINES - 1);
            }
            return;
        }
        if line.len() > MAX_LINE_BYTES {
            let mut end = MAX_LINE_BYTES;
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            line.truncate(end);
        }
        self.lines.push(line);
    }

    /// Empties the buffer.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_carry_their_level_and_keep_the_limits() {
        let mut log = LogBuffer::default();
        log.push(Level::Warn, &"low");
        log.push(Level::Log, &"ä".repeat(MAX_LINE_BYTES));
        let lines = log.take();
        assert_eq!(lines[0], "[WARN] low");
        assert!(lines[1].len() <= MAX_LINE_BYTES && lines[1].len() > MAX_LINE_BYTES - 2);
        for n in 0..MAX_LINES + 10 {
            log.push(Level::Debug, &n);
        }
        let lines = log.take();
        assert_eq!(lines.len(), MAX_LINES);
        assert_eq!(lines[254], "[DEBUG] 254");
        assert_eq!(lines[255], "[WARN] Log lines beyond 255 were dropped");
    }
}
