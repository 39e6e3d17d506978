//! `xarb export`: captures in the forms of other programs.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ValueEnum;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::replay::{Range, complain, play};
use super::{Exit, Failure, out};
use crate::capture::export::{Export, ExportError, Rows, Sink, Subject, csv, npz, parquet};
use crate::capture::{Outcome, Replay, StoreMeta};
use crate::telemetry::{Table, table::count};
use crate::types::{Nanos, Symbol};
use crate::venue::{Trade, VENUES};

const AFTER_HELP: &str = "\
Rebuilds the books as `xarb replay` does and writes what happened to them, in one folder:

  npz      hftbacktest's events, a file for each book: <venue>-<symbol>.npz, with trades. Where the
           recorder's clock was behind the venue's, local times are moved so that none is before
           the venue's (told in the report).
  parquet  updates.parquet, tops.parquet, trades.parquet: for Polars, DuckDB, Spark, Ray. Times are
           timestamps in ns, prices and quantities exact decimals. Columns:
             updates  time venue_time venue symbol change seq kind side price qty
             tops     time venue_time venue symbol source bid_price bid_qty ask_price ask_qty
             trades   time venue_time venue symbol price qty taker
  tardis   incremental_book_L2.csv.gz, trades.csv.gz: `xarb import` reads them back to the same books.
           Times are cut to microseconds, and a book that was lost cannot be told.

Examples:
  xarb export btcusdt.mcap -o out --format parquet
  xarb export btcusdt_20240808.gz -o out --format npz

Exit code 3: as `xarb replay`; the files are written all the same.";

/// What to export.
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Captures, in the order in which they were recorded
    #[arg(required = true, value_name = "IN")]
    inputs: Vec<PathBuf>,
    /// The folder to write to; made if it is not there
    #[arg(short, long, value_name = "FOLDER")]
    out: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    format: Form,
    #[command(flatten)]
    range: Range,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

/// A form of another program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Form {
    Npz,
    Parquet,
    Tardis,
}

#[derive(Serialize)]
struct Report<'a> {
    out: String,
    files: Vec<Written>,
    /// Added to local times, by venue.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    clock_shift_ns: Vec<(String, i64)>,
    #[serde(flatten)]
    outcome: &'a Outcome,
    wall_s: f64,
}

#[derive(Serialize)]
struct Written {
    path: String,
    bytes: u64,
}

pub fn run(args: &Args, json: bool) -> Result<Exit, Failure> {
    let start = Instant::now();
    let name = args.out.display().to_string();
    std::fs::create_dir_all(&args.out).map_err(|error| Failure::failed(format!("{name}: {error}")))?;
    let (outcome, paths, shifts) = match args.format {
        Form::Npz => export_npz(args, start)?,
        Form::Parquet => export_parquet(args, start)?,
        Form::Tardis => export_tardis(args, start)?,
    };
    let written = |path: &PathBuf| Written {
        path: path.display().to_string(),
        bytes: std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
    };
    let files: Vec<_> = paths.iter().map(written).collect();
    if json {
        let wall_s = (start.elapsed().as_secs_f64() * 1e6).round() / 1e6;
        out::json(&Report { out: name, files, clock_shift_ns: shifts, outcome: &outcome, wall_s });
    } else {
        let mut table = Table::new(&["file", "bytes"]);
        files.iter().for_each(|file| table.row([file.path.clone(), count(file.bytes)]));
        let shifted = shifts.iter().map(|(venue, by)| format!("\nlocal times of {venue} moved by {by} ns"));
        out::line(&format!("{table}{}", shifted.collect::<String>()));
    }
    complain(&outcome.files);
    Ok(if outcome.is_sound() { Exit::Done } else { Exit::Integrity })
}

/// What a form's export comes to: what the replay found, the files, and how local times were moved.
type Exported = (Outcome, Vec<PathBuf>, Vec<(String, i64)>);

/// Replays everything into a sink.
fn replay_into<S: Sink>(args: &Args, start: Instant, sink: S) -> Result<(Outcome, S), Failure> {
    let mut replay = Replay::observed(VENUES, args.range.until()?, Export::new(sink));
    for path in &args.inputs {
        play(&mut replay, path, args.range, start)?;
        if let Some(error) = replay.observer().failure() {
            return Err(failed(&args.out, &error));
        }
    }
    let outcome = replay.outcome(0);
    Ok((outcome, replay.into_observer().into_sink()))
}

fn create(args: &Args, name: &str) -> Result<(PathBuf, BufWriter<File>), Failure> {
    let path = args.out.join(name);
    if path.exists() && !args.force {
        return Err(Failure::usage(format!("{} is there already; --force writes over it", path.display())));
    }
    let file = File::create(&path).map_err(|error| failed(&path, &error))?;
    Ok((path, BufWriter::with_capacity(1 << 18, file)))
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()))
}

fn export_parquet(args: &Args, start: Instant) -> Result<Exported, Failure> {
    let [updates, tops, trades] =
        ["updates.parquet", "tops.parquet", "trades.parquet"].map(|name| create(args, name));
    let ((updates, to_updates), (tops, to_tops), (trades, to_trades)) = (updates?, tops?, trades?);
    let tables = parquet::Tables::new(to_updates, to_tops, to_trades);
    let tables = tables.map_err(|error| failed(&args.out, &error))?;
    let (outcome, tables) = replay_into(args, start, tables)?;
    for file in tables.finish().map_err(|error| failed(&args.out, &error))? {
        file.into_inner().map_err(|error| failed(&args.out, error.error()))?;
    }
    Ok((outcome, vec![updates, tops, trades], Vec::new()))
}

fn export_tardis(args: &Args, start: Instant) -> Result<Exported, Failure> {
    let (updates, to_updates) = create(args, "incremental_book_L2.csv.gz")?;
    let (trades, to_trades) = create(args, "trades.csv.gz")?;
    let [to_updates, to_trades] = [to_updates, to_trades].map(|out| GzEncoder::new(out, Compression::fast()));
    let tables = csv::Tables::new(to_updates, to_trades).map_err(|error| failed(&args.out, &error))?;
    let (outcome, tables) = replay_into(args, start, tables)?;
    for table in <[_; 2]>::from(tables.finish()) {
        let file = table.finish().map_err(|error| failed(&args.out, &error))?;
        file.into_inner().map_err(|error| failed(&args.out, error.error()))?;
    }
    Ok((outcome, vec![updates, trades], Vec::new()))
}

fn export_npz(args: &Args, start: Instant) -> Result<Exported, Failure> {
    // Once to know the books, and how the recorder's clock stood.
    let mut first = Replay::new(VENUES, args.range.until()?);
    for path in &args.inputs {
        play(&mut first, path, args.range, start)?;
    }
    let found = first.found();
    let (mut paths, mut shifts) = (Vec::new(), Vec::new());
    let mut books = Books(Vec::new());
    let known = first.outcome(0).books;
    // A book that never began has no events.
    for book in known.iter().filter(|book| book.snapshots > 0) {
        let Some(symbol) = Symbol::new(&book.symbol) else { continue };
        let name = format!("{}-{}.npz", book.venue, book.symbol.replace(['/', ':'], "-"));
        let (path, out) = create(args, &name)?;
        let shift = shift_of(&found, book.venue);
        if shift > Nanos::ZERO && !shifts.iter().any(|(venue, _)| venue == book.venue) {
            shifts.push((book.venue.to_owned(), shift.0));
        }
        let events = npz::Events::new(out, book.venue, symbol, shift);
        books.0.push(events.map_err(|error| failed(&path, &error))?);
        paths.push(path);
    }
    let (outcome, books) = replay_into(args, start, books)?;
    for events in books.0 {
        let file = events.finish().map_err(|error| failed(&args.out, &error))?;
        file.into_inner().map_err(|error| failed(&args.out, error.error()))?;
    }
    Ok((outcome, paths, shifts))
}

/// How far local times must be moved so that none is before the venue's.
fn shift_of(found: &StoreMeta, venue: &str) -> Nanos {
    let known = found.venues.iter().find(|(known, _)| known == venue);
    known.and_then(|(_, meta)| meta.clock_offset).unwrap_or_default().max(Nanos::ZERO)
}

/// A file for each book.
struct Books(Vec<npz::Events<BufWriter<File>>>);

impl Sink for Books {
    fn rows(&mut self, of: &Subject, rows: &Rows<'_>) -> Result<(), ExportError> {
        self.0.iter_mut().try_for_each(|events| events.rows(of, rows))
    }

    fn trade(&mut self, of: &Subject, trade: &Trade) -> Result<(), ExportError> {
        self.0.iter_mut().try_for_each(|events| events.trade(of, trade))
    }

    fn lost(&mut self, of: &Subject) -> Result<(), ExportError> {
        self.0.iter_mut().try_for_each(|events| events.lost(of))
    }
}
