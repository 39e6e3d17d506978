//! `xarb backtest`: what captured markets would have given.

use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::progress::Bar;
use super::replay::{complain, open_file, per_second};
use super::report::{amounts, line};
use super::{ConfigArgs, Exit, Failure, out};
use crate::backtest::example::{self, Story};
use crate::backtest::report::{Fingerprint, Inputs, funnel_rows, page};
use crate::backtest::{Backtest, BacktestError, Lists, Outcome, Timeline, VenueDelays};
use crate::book::Trust;
use crate::capture::Capture;
use crate::config::{Config, DelayConfig};
use crate::engine::RunReport;
use crate::host::HostClock;
use crate::sim::delay::Delay;
use crate::telemetry::{Table, table::count};
use crate::types::{Money, Nanos};

const AFTER_HELP: &str = "\
Messages of all captures are merged by local time; which of them feeds which venue of the
configuration is told by their content. After every message that changed a book, both directions
of each pair are evaluated at full depth, net of fees, in exact integers; --opportunities lists
every evaluation that has an opportunity:
  t_ns,instrument,buy_venue,sell_venue,qty,buy_price,sell_price,gross_bps,net_bps,net_quote


Opportunities go on to the gate, and as signed orders over a virtual network to simulated venues
whose books are the captured ones; `[latency]` of the configuration says how long the way is.
--ledger tells what became of each: why it was refused, or what was predicted, what came of it, and
how much of the difference was cut by limits, gone from the books, lost by latency, fees or hedges.
What all of it realised, what evening out the rests brought later, and what of the base asset is left
over, at the last mid, are together the profit and loss.

Files that are written replace what was there.

Examples:
  xarb backtest --example
  xarb backtest -c configs/reference-spot-usdm.toml --opportunities found.csv spot.gz usdm.gz
  xarb backtest -c my.toml --json --set detect.min_edge_bps=3 capture.gz

Exit code 2: also where nothing in the captures is of a book of the configuration; what only some of
them lack is said. 3: a malformed message, a torn file, or a book that ended unsynced; stderr and
`files` say which.";

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
    /// Write what became of each opportunity to this file, as CSV
    #[arg(long, value_name = "OUT.csv")]
    ledger: Option<PathBuf>,
    /// Write a page of charts and tables to this file, as HTML that needs nothing else
    #[arg(long, value_name = "OUT.html")]
    report: Option<PathBuf>,
    /// Trade from this time on, in ns since the epoch; what is before only builds the books, and is no
    /// part of the time span
    #[arg(long, value_name = "N")]
    from_ns: Option<i64>,
    /// Stop after the last record at or before this time, in ns since the epoch
    #[arg(long, value_name = "N")]
    until_ns: Option<i64>,
    /// A first look: five minutes of two generated markets, without any file
    #[arg(long, conflicts_with_all = ["config", "captures"])]
    example: bool,
    /// Captures; those of one feed in the order in which they were recorded
    #[arg(value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// [`Failure`] with the exit code.
pub fn run(args: &Args, json: bool) -> Result<Exit, Failure> {
    if args.captures.is_empty() && !args.example {
        let usage = "xarb backtest -c FILE CAPTURE...";
        return Err(Failure::usage(format!("no CAPTURE given: {usage}, or --example for a first look")));
    }
    let (config_name, config_text) = if args.example {
        (example::CONFIG_NAME.to_owned(), example::CONFIG.to_owned())
    } else {
        args.config.text()?
    };
    let config = Config::parse(&config_name, &config_text, &args.config.overrides)?;
    args.check_outputs()?;
    let mut prints = Vec::new();
    let start = Instant::now();
    let mut captures = Vec::new();
    let mut size = 0;
    if args.example {
        let story = Story { seed: config.run.seed, ..Story::FIRST_LOOK };
        for (name, text) in
            ["generated spot", "generated perpetual"].into_iter().zip(example::captures(story))
        {
            size += text.len() as u64;
            if args.report.is_some() {
                prints.push(fingerprint(name, &mut text.as_bytes())?);
            }
            let capture = Capture::new(Box::new(Cursor::new(text.into_bytes())));
            captures.push((name.to_owned(), capture.map_err(|error| Failure::failed(error.to_string()))?));
        }
    }
    for path in &args.captures {
        let name = path.display().to_string();
        let file = open_file(path)?;
        size += file.metadata().map_or(0, |metadata| metadata.len());
        if args.report.is_some() {
            let file = File::open(path).map_err(|error| Failure::failed(format!("{name}: {error}")))?;
            prints.push(fingerprint(&name, &mut BufReader::new(file))?);
        }
        let capture =
            Capture::new(Box::new(file)).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
        captures.push((name, capture));
    }
    if let (Some(from), Some(until)) = (args.from_ns, args.until_ns)
        && from > until
    {
        return Err(Failure::usage(format!("--from-ns {from} is behind --until-ns {until}")));
    }
    let mut timeline = Timeline::new(captures);
    timeline.end_at(args.until_ns.map_or(Nanos::MAX, Nanos));
    let delays = delays(&config)?;
    let lists = Lists {
        opportunities: args.opportunities.as_deref().map(create).transpose()?,
        ledger: args.ledger.as_deref().map(create).transpose()?,
    };
    let from = timeline.next_at().unwrap_or_default();
    let backtest = Backtest::new(&config, delays, lists, from, HostClock::new());
    let mut backtest = backtest.map_err(refused)?;
    // Before the run: a report that cannot be written should say so now.
    let report_file = args.report.as_deref().map(create).transpose()?;
    if report_file.is_some() {
        backtest.observe(from);
    }
    if let Some(from) = args.from_ns {
        backtest.look_from(Nanos(from));
    }
    let mut bar = Bar::new(start, size, "backtest");
    let ran = backtest.run(&mut timeline, &mut |messages, bytes| bar.show(bytes, messages));
    bar.clear();
    let outcome = ran.map_err(refused)?;
    let wall = start.elapsed();
    unmatched(&outcome, timeline.is_cut())?;
    if let (Some(mut file), Some(observed)) = (report_file, backtest.take_observed()) {
        let inputs = Inputs {
            config: fingerprint(&config_name, &mut config_text.as_bytes())?,
            overrides: args.config.overrides.clone(),
            captures: prints,
        };
        let page = page(&outcome, &observed, &inputs);
        let written = file.write_all(page.as_bytes()).and_then(|()| file.flush());
        written.map_err(|error| Failure::failed(format!("cannot write the report: {error}")))?;
    }
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
    complain(&outcome.files);
    for book in outcome.books.iter().filter(|book| book.trust == Trust::Lost) {
        eprintln!("xarb: {} {}: the book ended unsynced", book.venue, book.symbol);
    }
    let sound = outcome.files.iter().all(|file| file.malformed == 0)
        && outcome.books.iter().all(|book| book.trust != Trust::Lost);
    Ok(if sound { Exit::Done } else { Exit::Integrity })
}

impl Args {
    /// Refuses to write two things into one file, or over what is read, before anything is written.
    fn check_outputs(&self) -> Result<(), Failure> {
        let outputs = [
            ("--opportunities", &self.opportunities),
            ("--ledger", &self.ledger),
            ("--report", &self.report),
        ];
        let captures = self.captures.iter().map(|path| ("CAPTURE", path));
        let config = self.config.config.iter().map(|path| ("-c", path));
        let mut taken: Vec<(&str, &PathBuf)> = captures.chain(config).collect();
        for (name, path) in outputs.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?))) {
            if let Some((other, _)) = taken.iter().find(|(_, other)| is_same_file(path, other)) {
                return Err(Failure::usage(format!("{name} {}: the file is {other}, too", path.display())));
            }
            taken.push((name, path));
        }
        Ok(())
    }
}

/// Whether two paths are of one file, which need not be there yet. Devices may be written to twice.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let at = || Some(folder.canonicalize().ok()?.join(path.file_name()?));
        path.canonicalize().ok().or_else(at).unwrap_or_else(|| path.to_owned())
    };
    (one.is_file() || !one.exists()) && whole(one) == whole(other)
}

/// Says which captures and books had nothing to do with each other.
///
/// # Errors
/// [`Failure`]: none of them had, though everything could be read. `cut`: not all of it was.
fn unmatched(outcome: &Outcome, cut: bool) -> Result<(), Failure> {
    let is_whole = !cut && outcome.files.iter().all(|file| file.malformed == 0);
    if is_whole && !outcome.fed.contains(&true) {
        let books = outcome.books.iter().map(|book| format!("{} {}", book.venue, book.symbol));
        let books = books.collect::<Vec<_>>().join(", ");
        let files = outcome.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(format!(
            "{files}: nothing there is of a book of the configuration ({books})"
        )));
    }
    for (file, _) in outcome.files.iter().zip(&outcome.fed).filter(|(_, fed)| !**fed) {
        eprintln!("xarb: {}: nothing there is of a book of the configuration", file.path);
    }
    for book in outcome.books.iter().filter(|book| !book.met) {
        eprintln!("xarb: {} {}: nothing of it is in the captures", book.venue, book.symbol);
    }
    Ok(())
}

fn refused(error: BacktestError) -> Failure {
    match error {
        BacktestError::Write(_) | BacktestError::NotReady => Failure::failed(error.to_string()),
        other => Failure::usage(other.to_string()),
    }
}

/// The latencies of the configuration, with recorded ones read from their files.
fn delays(config: &Config) -> Result<Vec<VenueDelays>, Failure> {
    let mut read = |path: &Path| std::fs::read_to_string(path).map_err(|error| error.to_string());
    let mut delay = |config: &DelayConfig| {
        Delay::new(config, &mut read).map_err(|error| Failure::usage(error.to_string()))
    };
    let venues = config.latency.venues.iter().map(|venue| {
        Ok(VenueDelays {
            feed: delay(&venue.feed)?,
            entry: delay(&venue.entry)?,
            response: delay(&venue.response)?,
        })
    });
    venues.collect()
}

/// SHA-256 over all that it reads.
fn fingerprint(name: &str, from: &mut dyn Read) -> Result<Fingerprint, Failure> {
    let (mut hash, mut part, mut bytes) = (Sha256::new(), vec![0; 1 << 16], 0);
    loop {
        let read = from.read(&mut part).map_err(|error| Failure::failed(format!("{name}: {error}")))?;
        if read == 0 {
            break;
        }
        hash.update(&part[..read]);
        bytes += read as u64;
    }
    Ok(Fingerprint { name: name.to_owned(), bytes, sha256: const_hex::encode(hash.finalize()) })
}

fn create(path: &Path) -> Result<Box<dyn Write>, Failure> {
    let file = File::create(path);
    let file = file.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    Ok(Box::new(BufWriter::new(file)))
}

fn report(outcome: &Outcome) -> Map<String, Value> {
    let (run, funnel) = (&outcome.run, &outcome.funnel);
    let books = outcome.books.iter().map(|book| {
        json!({
            "venue": book.venue, "symbol": book.symbol, "instrument": book.instrument,
            "state": state(book.trust), "snapshots": book.counters.snapshots,
            "updates": book.counters.updates, "gaps": book.counters.gaps,
        })
    });
    let parts = funnel.parts.named().map(|(name, amount)| (name.to_owned(), Value::from(amount.to_string())));
    let refused = funnel.refused.iter().map(|(reason, (count, net))| {
        ((*reason).to_owned(), json!({ "count": count, "net": net.to_string() }))
    });
    let (opportunities, net) = funnel.opportunities;
    let (episodes, best) = funnel.episodes;
    let report = json!({
        "messages": outcome.messages,
        "span_s": outcome.span.0 as f64 / 1e9,
        "opportunities": run.opportunities,
        "refused": run.refused,
        "intents": run.intents,
        "legs": run.venues.iter().map(|venue| venue.orders).sum::<u64>(),
        "fills": run.venues.iter().map(|venue| venue.fills).sum::<u64>(),
        "pnl": amounts(&run.pnl),
        "fees": amounts(&run.fees),
        "net_exposure": amounts(&run.net_exposure),
        "hops": outcome.hops,
        "journal_sha256": run.journal_sha256,
        "rejects": run.venues.iter().map(|venue| venue.rejects).sum::<u64>(),
        "unknown": run.unknown,
        "unresolved": run.unresolved,
        "files": outcome.files,
        "books": books.collect::<Vec<_>>(),
        "funnel": {
            "evaluations": outcome.evaluations,
            "opportunities": { "count": opportunities, "net": net.to_string() },
            "episodes": {
                "count": episodes, "net_at_best": best.to_string(),
                "lasted_ns": funnel.lasted.0, "longest_ns": funnel.longest.0,
            },
            "refused": Value::Object(refused.collect()),
            "intents": funnel.intents,
            "unfinished": funnel.unfinished,
            "orders": { "sent": funnel.orders[0], "filled_at_all": funnel.orders[1], "filled": funnel.orders[2] },
            "parts": Value::Object(parts.into_iter().collect()),
            "leftovers": funnel.leftovers.to_string(),
            "revalued": funnel.revalued.to_string(),
        },
    });
    match report {
        Value::Object(report) => report,
        _ => Map::new(),
    }
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
    format!("{books}\n{}\n{}\n{}", funnel(outcome), outcome.hops, sums(&outcome.run))
}

/// From seen to earned.
fn funnel(outcome: &Outcome) -> Table {
    let mut table = Table::new(&["from seen to earned", "count", "quote asset"]);
    for row in funnel_rows(outcome) {
        let name = format!("{}{}", "  ".repeat(row.depth), row.name);
        table.row([
            name,
            row.count.map(count).unwrap_or_default(),
            row.amount.map(rounded).unwrap_or_default(),
        ]);
    }
    table
}

/// Eight decimals, cut off: for people.
fn rounded(amount: Money) -> String {
    let unit = Money::ONE.0 / 100_000_000;
    Money(amount.0 / unit * unit).to_string()
}

fn sums(run: &RunReport) -> String {
    let mut text = String::new();
    line(&mut text, "profit and loss", &run.pnl);
    line(&mut text, "fees paid", &run.fees);
    line(&mut text, "left over", &run.net_exposure);
    text + &format!("{:<16} {}", "journal sha256", run.journal_sha256)
}
