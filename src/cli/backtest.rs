//! `xarb backtest`: what captured markets would have given.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::replay::{Bar, per_second, show_file_errors};
use super::{ConfigArgs, Exit, Failure, out};
use crate::backtest::{Backtest, BacktestError, Outcome, Rows, Timeline, rules_of};
use crate::book::Trust;
use crate::capture::Capture;
use crate::engine::{Endpoints, Plan};
use crate::host::HostClock;
use crate::telemetry::{Table, table::count};

const AFTER_HELP: &str = "\
Messages of all captures are merged by local time; which of them feeds which venue of the
configuration is told by their content. After every message that changed a book, both directions
of each pair are evaluated at full depth, net of fees, in exact integers; --opportunities lists
every evaluation that has an opportunity:
  t_ns,instrument,buy_venue,sell_venue,qty,buy_price,sell_price,gross_bps,net_bps,net_quote

Examples:
  xarb backtest -c configs/reference-spot-usdm.toml --opportunities found.csv spot.gz usdm.gz
  xarb backtest -c my.toml --json --set detect.min_edge_bps=3 capture.gz

Exit code 3: a malformed message, or a book that ended unsynced.";

/// Run captured markets through the engine and account for every opportunity
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Configuration
    #[command(flatten)]
    config: ConfigArgs,
    /// Write every opportunity to this file, as CSV
    #[arg(long, value_name = "OUT.csv")]
    opportunities: Option<PathBuf>,
    /// Captures; those of one feed in the order in which they were recorded
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// [`Failure`] with the exit code.
pub fn run(args: &Args, json: bool) -> Result<Exit, Failure> {
    let config = args.config.load()?;
    let start = Instant::now();
    let mut captures = Vec::new();
    let mut size = 0;
    for path in &args.captures {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| Failure::failed(format!("{name}: {error}")))?;
        size += file.metadata().map_or(0, |metadata| metadata.len());
        let capture =
            Capture::new(Box::new(file)).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
        captures.push((name, capture));
    }
    let mut timeline = Timeline::new(captures);
    let rules = rules_of(&config).map_err(refused)?;
    let rows = super::demo::rows(&config)?;
    let endpoints: Vec<_> = rows.iter().map(|row| Endpoints::simulated("127.0.0.1", 1, &row.sim)).collect();
    let plan = Plan::new(&config, &endpoints, &rules).map_err(|error| Failure::usage(error.to_string()))?;
    let list = args.opportunities.as_deref().map(create).transpose()?;
    let list = list.map(Rows::new).transpose().map_err(|error| refused(error.into()))?;
    let mut backtest = Backtest::new(plan, list, HostClock::new()).map_err(refused)?;
    let mut bar = Bar::new(start, size, "backtest");
    let ran = backtest.run(&mut timeline, &mut |messages, bytes| bar.show(bytes, messages));
    bar.clear();
    let outcome = ran.map_err(refused)?;
    let wall = start.elapsed();
    let messages_per_s = per_second(outcome.messages, wall);
    if json {
        let mut report = report(&outcome);
        report.insert("wall_s".to_owned(), ((wall.as_secs_f64() * 1e6).round() / 1e6).into());
        report.insert("messages_per_s".to_owned(), messages_per_s.into());
        out::json(&report);
    } else {
        out::line(&text(&outcome));
        let seconds = wall.as_secs_f64();
        let (messages, rate) = (count(outcome.messages), count(messages_per_s));
        out::line(&format!("{messages} messages in {seconds:.2} s, {rate} a second"));
    }
    show_file_errors(&outcome.files);
    let sound = outcome.files.iter().all(|file| file.malformed == 0)
        && outcome.books.iter().all(|book| book.trust != Trust::Lost);
    Ok(if sound { Exit::Done } else { Exit::Integrity })
}

fn refused(error: BacktestError) -> Failure {
    match error {
        BacktestError::Write(_) => Failure::failed(error.to_string()),
        BacktestError::NoRules { .. } | BacktestError::Merge(_) => Failure::usage(error.to_string()),
    }
}

fn create(path: &Path) -> Result<Box<dyn Write>, Failure> {
    let file = File::create(path);
    let file = file.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    Ok(Box::new(BufWriter::new(file)))
}

fn report(outcome: &Outcome) -> Map<String, Value> {
    let refused: Map<_, _> = outcome
        .refused
        .iter()
        .map(|(reason, entry)| (reason.name().to_owned(), entry.count.into()))
        .collect();
    let books = outcome.books.iter().map(|book| {
        json!({
            "venue": book.venue, "symbol": book.symbol, "instrument": book.instrument,
            "state": state(book.trust), "snapshots": book.counters.snapshots,
            "updates": book.counters.updates, "gaps": book.counters.gaps,
        })
    });
    let mut report = Map::new();
    report.insert("messages".to_owned(), outcome.messages.into());
    report.insert("span_s".to_owned(), (outcome.span.0 as f64 / 1e9).into());
    report.insert("opportunities".to_owned(), outcome.opportunities.into());
    report.insert("refused".to_owned(), refused.into());
    report.insert("hops".to_owned(), json!(outcome.hops.report()));
    report.insert("books".to_owned(), books.collect::<Vec<_>>().into());
    report
}

fn state(trust: Trust) -> &'static str {
    match trust {
        Trust::Waiting => "waiting",
        Trust::Live => "live",
        Trust::Lost => "unsynced",
    }
}

fn text(outcome: &Outcome) -> String {
    let mut books = Table::new(&["book", "instrument", "state", "snapshots", "updates", "gaps"]);
    for book in &outcome.books {
        let counts = [book.counters.snapshots, book.counters.updates, book.counters.gaps].map(count);
        let name = format!("{} {}", book.venue, book.symbol);
        books.row([name, book.instrument.clone(), state(book.trust).to_owned()].into_iter().chain(counts));
    }
    let mut looks = Table::new(&["evaluations", "count"]);
    looks.row(["opportunity".to_owned(), count(outcome.opportunities)]);
    for (reason, entry) in outcome.refused.iter() {
        looks.row([reason.name().to_owned(), count(entry.count)]);
    }
    format!("{books}\n{looks}\n{}", outcome.hops.report())
}
