//! The only place that prints to stdout. A reader who has seen enough (`| head`) is no error.

use std::io::Write;

use serde::Serialize;

/// One JSON object, on one line.
pub fn json(value: &impl Serialize) {
    let text = serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    line(&text);
}

/// A line of text, or several.
pub fn line(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}
