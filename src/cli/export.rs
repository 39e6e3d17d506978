//! `xarb export`: captures in the forms of other programs.

use std::io::BufWriter;
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::files::{Named, Parts};
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

Files get their names when all of them are whole: an export that fails leaves nothing behind.

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
    /// Not `files`: those are the captures, as in every report of a replay.
    written: Vec<Written>,
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
    let (outcome, paths, shifts) = match args.format {
        Form::Npz => export_npz(args, start)?,
        Form::Parquet => export_parquet(args, start)?,
        Form::Tardis => export_tardis(args, start)?,
    };
    let written = paths.iter().map(|path| Written {
        path: path.display().to_string(),
        bytes: std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
    });
    let written: Vec<_> = written.collect();
    if json {
        let wall_s = (start.elapsed().as_secs_f64() * 1e6).round() / 1e6;
        out::json(&Report { out: name, written, clock_shift_ns: shifts, outcome: &outcome, wall_s });
    } else {
        let mut table = Table::new(&["file", "bytes"]);
        written.iter().for_each(|file| table.row([file.path.clone(), count(file.bytes)]));
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
            return Err(failed(&error));
        }
    }
    let outcome = replay.outcome(0);
    Ok((outcome, replay.into_observer().into_sink()))
}

/// Where an export is written: to files that have their names at the end.
type To = BufWriter<Named>;

fn create(args: &Args, names: &[String]) -> Result<(Parts, Vec<PathBuf>, Vec<To>), Failure> {
    let paths: Vec<_> = names.iter().map(|name| args.out.join(name)).collect();
    let (parts, files) = Parts::create(Some(&args.out), paths.clone(), args.force)?;
    Ok((parts, paths, files.into_iter().map(|file| BufWriter::with_capacity(1 << 18, file)).collect()))
}

/// The same for a form whose files are always these.
fn create_these<const N: usize>(
    args: &Args,
    names: [&str; N],
) -> Result<(Parts, Vec<PathBuf>, [To; N]), Failure> {
    let (parts, paths, files) = create(args, &names.map(str::to_owned))?;
    let files = files.try_into().map_err(|_| Failure::failed("a file was not made"))?;
    Ok((parts, paths, files))
}

/// The error names the file.
fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(error.to_string())
}

/// The last bytes of a file.
fn end(file: To) -> Result<(), Failure> {
    file.into_inner().map(drop).map_err(|error| failed(error.error()))
}

fn export_parquet(args: &Args, start: Instant) -> Result<Exported, Failure> {
    let names = ["updates.parquet", "tops.parquet", "trades.parquet"];
    let (parts, paths, [updates, tops, trades]) = create_these(args, names)?;
    let tables = parquet::Tables::new(updates, tops, trades).map_err(|error| failed(&error))?;
    let (outcome, tables) = replay_into(args, start, tables)?;
    tables.finish().map_err(|error| failed(&error))?.into_iter().try_for_each(end)?;
    parts.finish()?;
    Ok((outcome, paths, Vec::new()))
}

fn export_tardis(args: &Args, start: Instant) -> Result<Exported, Failure> {
    let (parts, paths, files) = create_these(args, ["incremental_book_L2.csv.gz", "trades.csv.gz"])?;
    let [updates, trades] = files.map(|out| GzEncoder::new(out, Compression::fast()));
    let tables = csv::Tables::new(updates, trades).map_err(|error| failed(&error))?;
    let (outcome, tables) = replay_into(args, start, tables)?;
    for table in <[_; 2]>::from(tables.finish()) {
        end(table.finish().map_err(|error| failed(&error))?)?;
    }
    parts.finish()?;
    Ok((outcome, paths, Vec::new()))
}

fn export_npz(args: &Args, start: Instant) -> Result<Exported, Failure> {
    // Once to know the books, and how the recorder's clock stood.
    let mut first = Replay::new(VENUES, args.range.until()?);
    for path in &args.inputs {
        play(&mut first, path, args.range, start)?;
    }
    let found = first.found();
    let known = first.outcome(0).books;
    // A book that never began has no events.
    let begun = known.iter().filter(|book| book.snapshots > 0);
    let books: Vec<_> =
        begun.filter_map(|book| Some((book.venue, &book.symbol, Symbol::new(&book.symbol)?))).collect();
    let name = |venue: &str, symbol: &str| format!("{venue}-{}.npz", symbol.replace(['/', ':'], "-"));
    let names: Vec<_> = books.iter().map(|(venue, symbol, _)| name(venue, symbol)).collect();
    let (parts, paths, files) = create(args, &names)?;
    let (mut shifts, mut events) = (Vec::new(), Books(Vec::new()));
    for ((venue, _, symbol), file) in books.into_iter().zip(files) {
        let shift = shift_of(&found, venue);
        if shift > Nanos::ZERO && !shifts.iter().any(|(known, _)| known == venue) {
            shifts.push((venue.to_owned(), shift.0));
        }
        let book = npz::Events::new(file, venue, symbol, shift);
        events.0.push(book.map_err(|error| failed(&error))?);
    }
    let (outcome, events) = replay_into(args, start, events)?;
    for events in events.0 {
        end(events.finish().map_err(|error| failed(&error))?)?;
    }
    parts.finish()?;
    Ok((outcome, paths, shifts))
}

/// How far local times must be moved so that none is before the venue's.
fn shift_of(found: &StoreMeta, venue: &str) -> Nanos {
    let known = found.venues.iter().find(|(known, _)| known == venue);
    known.and_then(|(_, meta)| meta.clock_offset).unwrap_or_default().max(Nanos::ZERO)
}

/// A file for each book.
struct Books(Vec<npz::Events<To>>);

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
