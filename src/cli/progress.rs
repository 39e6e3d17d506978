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

/// Steps that several threads take, with the time that the rest will need; only for people.
pub struct Steps {
    bar: ProgressBar,
}

impl Steps {
    /// A bar of that many steps.
    pub fn new(steps: usize) -> Steps {
        // The target is hidden where stderr is no terminal.
        let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {pos} of {len}, {elapsed} so far, {eta} to go");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Steps { bar }
    }

    /// One more is done.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// Takes it away.
    pub fn clear(self) {
        self.bar.finish_and_clear();
    }
}
