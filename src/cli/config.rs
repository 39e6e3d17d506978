//! `-c FILE` and `--set a.b=c`, for every command that takes a configuration.

use std::path::PathBuf;

use super::Failure;
use crate::config::{Config, DEMO, DEMO_NAME};

/// Where the configuration comes from.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// Configuration file; without it the built-in demo's
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Override one key, for example --set detect.min_edge_bps=2; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}

impl ConfigArgs {
    /// The file's argument for commands that do nothing without one.
    pub fn needed(config: clap::Arg) -> clap::Arg {
        config.required(true).help("Configuration file")
    }

    /// Reads and checks it.
    ///
    /// # Errors
    /// Exit code 2, with file, key, value and what was expected.
    pub fn load(&self) -> Result<Config, Failure> {
        let (name, text) = self.text()?;
        Ok(Config::parse(&name, &text, &self.overrides)?)
    }

    /// What errors call it, and its text without overrides.
    ///
    /// # Errors
    /// Exit code 2, with the file.
    pub fn text(&self) -> Result<(String, String), Failure> {
        let Some(path) = &self.config else { return Ok((DEMO_NAME.to_owned(), DEMO.to_owned())) };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("{name}: cannot read the configuration: {error}")))?;
        Ok((name, text))
    }
}
