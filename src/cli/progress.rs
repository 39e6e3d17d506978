//! Progress on stderr.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::telemetry::table::count;

/// A progress bar that shows itself only after two seconds, and only to people.
pub struct Bar {
    start: Instant,
    size: u64,
    name: String,
    bar: Option<ProgressBar>,
}

impl Bar {
    /// A bar of that many bytes; `start` is when the command began.
    pub fn new(start: Instant, size: u64, name: &str) -> Bar {
        Bar { start, size, name: name.to_owned(), bar: None }
    }

    /// Where it is.
    pub fn show(&mut self, bytes: u64, messages: u64) {
        if self.bar.is_none() {
            if self.start.elapsed() < Duration::from_secs(2) || !std::io::stderr().is_terminal() {
                return;
            }
            let bar = ProgressBar::with_draw_target(Some(self.size), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} % {msg}") {
                bar.set_style(style);
            }
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(bytes.min(self.size));
            bar.set_message(format!("{} messages of {}", count(messages), self.name));
        }
    }

    /// Takes it away.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
