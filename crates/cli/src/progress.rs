//! How far a long command is: a moving line on a terminal, one plain line a table elsewhere; on standard error.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Counts something.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    done: &'static str,
    part: Option<(String, u64)>,
}

impl Progress {
    /// Nothing is done yet. `done` is what happens to what is counted (`exported`); `total` is how much there is, where
    /// that is known.
    pub(crate) fn new(done: &'static str, total: Option<u64>) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let (bar, style) = match total {
                Some(total) => {
                    (ProgressBar::new(total), "{bar:30} {human_pos} of {human_len}  {per_sec}  {msg}")
                }
                None => (ProgressBar::new_spinner(), "{spinner} {human_pos}  {per_sec}  {msg}"),
            };
            bar.enable_steady_tick(Duration::from_millis(200));
            // A style that can't be read is a mistake of ours that costs looks alone.
            ProgressStyle::with_template(style).map_or(bar.clone(), |style| bar.with_style(style))
        });
        Progress { bar, done, part: None }
    }

    /// The same for something whose end is not known.
    pub(crate) fn bytes(done: &'static str) -> Progress {
        Progress::new(done, None)
    }

    /// From now on a part of this name is counted.
    pub(crate) fn begin(&mut self, part: &str) {
        self.end_part();
        self.part = Some((part.to_owned(), 0));
        if let Some(bar) = &self.bar {
            bar.set_message(part.to_owned());
        }
    }

    /// So many more are done.
    pub(crate) fn add(&mut self, count: u64) {
        if let Some((_, counted)) = &mut self.part {
            *counted += count;
        }
        if let Some(bar) = &self.bar {
            bar.inc(count);
        }
    }

    /// All is done.
    pub(crate) fn finish(mut self) {
        self.end_part();
    }

    fn end_part(&mut self) {
        if let (Some((part, count)), None) = (self.part.take(), &self.bar) {
            eprintln!("{part}: {count} {}", self.done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
