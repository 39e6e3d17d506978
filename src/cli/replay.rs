//! `xarb replay`: books rebuilt from captures.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::files::no_folder;
use super::progress::Bar;
use super::{Exit, Failure, out};
use crate::capture::{BookReport, Capture, FileReport, Observer, Outcome, Replay, State};
use crate::telemetry::{Table, table::count};
use crate::types::Nanos;
use crate::venue::VENUES;

const AFTER_HELP: &str = "\
Formats are told apart by content: the project's own container (MCAP); hftbacktest, feedlog and
cryptofeed recordings, JSON documents with `init` and `updates`, and Tardis CSV, each of them plain
or compressed by gzip or zstd. Several files continue the same books
in the order given.

A book is `waiting` until a snapshot and the first update behind it have joined, then `live`, and
`unsynced` from a gap, a bad checksum or an unreadable message to the next snapshot.

Examples:
  xarb replay captures/btcusdt_20240808.gz captures/btcusdt_20240809.gz
  xarb replay --json --depth 3 --until-ns 1723161300000000000 captures/btcusdt_20240808.gz

Exit code 3: a malformed message, one that the recorder lost, a torn file, a bad checksum, or a book
that ended unsynced. Waiting books and gaps that a snapshot cured are no error.";

/// What to replay.
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    range: Range,
    /// Show this many levels a side [default: 10 with --json, else none]
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Captures, in the order in which they were recorded
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// The part of captures that is read.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Range {
    /// Pass over records before this time, in ns since the epoch: a container's by its index. A book
    /// whose snapshot was before it is `waiting` until its next
    #[arg(long, value_name = "N")]
    from_ns: Option<i64>,
    /// Stop after the last record at or before this time, in ns since the epoch
    #[arg(long, value_name = "N")]
    until_ns: Option<i64>,
}

impl Range {
    /// All of it.
    pub const ALL: Range = Range { from_ns: None, until_ns: None };

    /// Where it ends, if anywhere.
    ///
    /// # Errors
    /// [`Failure`]: before it begins.
    pub fn until(&self) -> Result<Option<Nanos>, Failure> {
        if let Range { from_ns: Some(from), until_ns: Some(until) } = self
            && from > until
        {
            return Err(Failure::usage(format!("--from-ns {from} is behind --until-ns {until}")));
        }
        Ok(self.until_ns.map(Nanos))
    }
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    wall_s: f64,
    messages_per_s: u64,
}

pub fn run(args: &Args, json: bool) -> Result<Exit, Failure> {
    let start = Instant::now();
    let mut replay = Replay::new(VENUES, args.range.until()?);
    for path in &args.files {
        play(&mut replay, path, args.range, start)?;
    }
    let wall = start.elapsed();
    let outcome = replay.outcome(args.depth.unwrap_or(if json { 10 } else { 0 }));
    let messages_per_s = per_second(outcome.messages(), wall);
    if json {
        let wall_s = (wall.as_secs_f64() * 1e6).round() / 1e6;
        out::json(&Report { outcome: &outcome, wall_s, messages_per_s });
    } else {
        out::line(&show(&outcome));
        let seconds = wall.as_secs_f64();
        out::line(&format!(
            "{} messages in {seconds:.2} s, {} a second",
            count(outcome.messages()),
            count(messages_per_s)
        ));
    }
    complain(&outcome.files);
    Ok(if outcome.is_sound() { Exit::Done } else { Exit::Integrity })
}

/// Plays one file, with a bar on stderr where it takes long.
///
/// # Errors
/// [`Failure`] names the file.
pub fn play<O: Observer>(
    replay: &mut Replay<O>,
    path: &Path,
    range: Range,
    start: Instant,
) -> Result<(), Failure> {
    let (mut capture, size) = open_range(path, range)?;
    let name = path.display().to_string();
    let mut bar = Bar::new(start, size, &name);
    let played = replay.file(&name, &mut capture, &mut |at| bar.show(at.bytes, at.messages));
    bar.clear();
    played.map_err(|error| Failure::usage(error.to_string()))
}

/// Opens a capture, and tells the size of its file in bytes.
///
/// # Errors
/// [`Failure`] names the file.
pub fn open(path: &Path) -> Result<(Capture<'static>, u64), Failure> {
    open_range(path, Range::ALL)
}

/// As [`open`], from the start of a range on.
///
/// # Errors
/// [`Failure`] names the file.
pub fn open_range(path: &Path, range: Range) -> Result<(Capture<'static>, u64), Failure> {
    let name = path.display();
    let file = open_file(path)?;
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let capture = match range.from_ns {
        Some(from) => Capture::since(file, Nanos(from)),
        None => Capture::new(Box::new(file)),
    };
    let capture = capture.map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    Ok((capture, size))
}

/// Opens a capture's file.
///
/// # Errors
/// [`Failure`] names it.
pub fn open_file(path: &Path) -> Result<File, Failure> {
    no_folder(path)?;
    File::open(path).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

/// Says on stderr what was wrong with the files.
pub fn complain(files: &[FileReport]) {
    for file in files {
        for error in &file.errors {
            eprintln!("xarb: {}: {error}", file.path);
        }
        let told = file.errors.len() as u64;
        if file.malformed > told {
            eprintln!("xarb: {}: and {} more", file.path, file.malformed - told);
        }
        if file.dropped > 0 {
            eprintln!("xarb: {}: the recorder lost {} messages", file.path, file.dropped);
        }
    }
}

/// Messages a second, rounded down.
pub fn per_second(messages: u64, wall: Duration) -> u64 {
    let rate = u128::from(messages) * 1_000_000_000 / wall.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

fn show(outcome: &Outcome) -> String {
    let mut files = Table::new(&["file", "format", "messages", "ignored", "malformed"]);
    for file in &outcome.files {
        let counts = [file.messages, file.ignored, file.malformed].map(count);
        files.row([file.path.clone(), file.format.to_owned()].into_iter().chain(counts));
    }
    let mut books = Table::new(&[
        "book",
        "state",
        "snapshots",
        "updates",
        "gaps",
        "checksums",
        "bad",
        "crossed",
        "bids",
        "asks",
        "best bid",
        "best ask",
    ]);
    for book in &outcome.books {
        let state = match book.state {
            State::Waiting => "waiting",
            State::Live => "live",
            State::Unsynced => "UNSYNCED",
        };
        let counts = [
            book.snapshots,
            book.updates,
            book.gaps,
            book.checksums.ok,
            book.checksums.bad,
            book.crossed,
            book.levels.bids as u64,
            book.levels.asks as u64,
        ];
        let best =
            [&book.best_bid, &book.best_ask].map(|best| best.clone().unwrap_or_else(|| "-".to_owned()));
        let name = format!("{} {}", book.venue, book.symbol);
        books.row([name, state.to_owned()].into_iter().chain(counts.map(count)).chain(best));
    }
    let mut text = format!("{files}\n{books}");
    for book in outcome.books.iter().filter(|book| !book.bids.is_empty() || !book.asks.is_empty()) {
        text.push_str(&format!("\n{}", levels(book)));
    }
    text
}

fn levels(book: &BookReport) -> String {
    let mut table =
        Table::new(&[&format!("{} {}", book.venue, book.symbol), "bid qty", "bid", "ask", "ask qty"]);
    for at in 0..book.bids.len().max(book.asks.len()) {
        let [bid, bid_qty] = book.bids.get(at).cloned().unwrap_or_default();
        let [ask, ask_qty] = book.asks.get(at).cloned().unwrap_or_default();
        table.row([(at + 1).to_string(), bid_qty, bid, ask, ask_qty]);
    }
    table.to_string()
}
