//! The only place that prints to stdout. A reader who has seen enough (`| head`) is no error; any other
//! failure is told when the command has ended, because nobody may take its results for whole.

use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

use serde::Serialize;

/// Why stdout could not be written, the first time.
static LOST: OnceLock<String> = OnceLock::new();

/// One JSON object, on one line.
pub fn json(value: &impl Serialize) {
    let text = serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    line(&text);
}

/// A line of text, or several.
pub fn line(text: &str) {
    let mut stdout = io::stdout().lock();
    note(writeln!(stdout, "{text}").and_then(|()| stdout.flush()));
}

/// Keeps in mind that printing failed.
pub fn note(printed: io::Result<()>) {
    if let Err(error) = printed
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error.to_string());
    }
}

/// What kept results from being printed, if anything did.
pub fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}
