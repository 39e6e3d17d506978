//! A refusal that can be acted on: file, line, key, value, and what was expected.

use std::fmt;

/// Why a configuration was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    /// The file, or `--set`.
    pub file: String,
    /// The line in it, from 1, where known.
    pub line: Option<usize>,
    /// The whole key, `venue.x.spot.taker_bps`; empty for errors of syntax.
    pub key: String,
    /// What stands there, cut short; never a secret. Empty when something is missing.
    pub value: String,
    /// What would do.
    pub expected: String,
}

impl ConfigError {
    /// The text is not TOML at all.
    pub(super) fn syntax(file: &str, line: Option<usize>, message: &str) -> ConfigError {
        ConfigError {
            file: file.to_owned(),
            line,
            key: String::new(),
            value: String::new(),
            expected: format!("not TOML: {message}"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if self.key.is_empty() {
            return write!(f, ": {}", self.expected);
        }
        write!(f, ": `{}`", self.key)?;
        if !self.value.is_empty() {
            write!(f, " is {}", self.value)?;
        }
        write!(f, ": expected {}", self.expected)
    }
}

impl std::error::Error for ConfigError {}
