//! The command line: one file per command.
//!
//! Results go to stdout, talk to stderr. With `--json` stdout carries exactly one JSON object, also
//! when the command fails: `{"error": "..."}`. Exit codes are a contract, see [`Exit`].

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

mod again;
mod backtest;
mod config;
mod demo;
mod export;
mod files;
mod import;
mod instruments;
mod keys;
mod nonces;
mod out;
mod preview;
mod progress;
mod record;
mod recording;
mod replay;
mod report;
mod run;
mod stats;
mod sweep;

pub use config::ConfigArgs;

/// What the process ends with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed: a file, a socket, the machine.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// A book, a capture or a journal did not check out.
    Integrity = 3,
    /// Refused by risk or vault.
    Refused = 4,
}

/// Why a command could not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What the process ends with.
    pub exit: Exit,
    /// What people read.
    pub message: String,
}

impl Failure {
    /// A failure of the world: [`Exit::Failed`].
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Failed, message: message.into() }
    }

    /// A wrong command line or configuration: [`Exit::Usage`].
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, message: message.into() }
    }

    /// Refused by risk or vault: [`Exit::Refused`].
    pub fn refused(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Refused, message: message.into() }
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Failure {
        Failure::usage(error.to_string())
    }
}

const AFTER_HELP: &str = "\
Examples:
  xarb demo --seconds 20
  xarb replay --depth 5 captures/btcusdt_20240808.gz captures/btcusdt_20240809.gz
  xarb backtest -c configs/reference-spot-usdm.toml --opportunities found.csv spot.gz usdm.gz
  xarb instruments
  xarb preview order --help

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 integrity (a book, capture or journal
did not check out), 4 refused by risk or vault.";

/// A low-latency cross-exchange arbitrage engine for crypto markets.
#[derive(Parser, Debug)]
#[command(name = "xarb", version, after_help = AFTER_HELP, arg_required_else_help = true)]
struct Cli {
    /// Print one JSON object on stdout, and talk only on stderr
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Demo(demo::Args),
    Run(run::Args),
    Instruments(instruments::Args),
    Record(record::Args),
    /// Rebuild order books from captured feeds and check them
    Replay(replay::Args),
    /// Bring captures of other programs into the project's own container
    Import(import::Args),
    /// Write captures in the forms of other programs: npz, Parquet, Tardis CSV
    Export(export::Args),
    /// Show what captures are like: rates, gaps, delays, crossings between venues
    Stats(stats::Args),
    Backtest(backtest::Args),
    Sweep(sweep::Args),
    /// Show the exact bytes of an order or a signature, and send nothing
    Preview(preview::Args),
}

/// Parses the command line, runs the command, prints what came of it.
pub fn main() -> ExitCode {
    let mut exit = match Cli::try_parse() {
        Ok(cli) => dispatch(&cli),
        Err(error) => wrong_line(&error),
    };
    if let Some(error) = out::lost() {
        eprintln!("xarb: cannot write to stdout: {error}");
        if exit == Exit::Done {
            exit = Exit::Failed;
        }
    }
    ExitCode::from(exit as u8)
}

/// Help and version are what was asked for; everything else is usage.
fn wrong_line(error: &clap::Error) -> Exit {
    out::note(error.print());
    if !error.use_stderr() {
        return Exit::Done;
    }
    // Nothing was parsed, so the words themselves are asked; behind `--` they are names.
    if std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json") {
        out::json(&serde_json::json!({ "error": summary(error) }));
    }
    Exit::Usage
}

/// What was wrong, without the hints that follow it.
fn summary(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "no command was given: see --help".to_owned();
    }
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    first.trim_start_matches("error: ").trim_end().to_owned()
}

/// Runs the command, and tells why it could not be done.
fn dispatch(cli: &Cli) -> Exit {
    let outcome = match &cli.command {
        Command::Demo(args) => demo::run(args, cli.json),
        Command::Run(args) => run::run(args, cli.json),
        Command::Instruments(args) => instruments::run(args, cli.json),
        Command::Replay(args) => replay::run(args, cli.json),
        Command::Record(args) => record::run(args, cli.json),
        Command::Import(args) => import::run(args, cli.json),
        Command::Export(args) => export::run(args, cli.json),
        Command::Stats(args) => stats::run(args, cli.json),
        Command::Backtest(args) => backtest::run(args, cli.json),
        Command::Sweep(args) => sweep::run(args, cli.json),
        Command::Preview(args) => preview::run(args, cli.json),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("xarb: {}", failure.message);
        if cli.json {
            out::json(&serde_json::json!({ "error": failure.message }));
        }
        failure.exit
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
