//! `xarb import`: captures of any format into one container.

use std::io::BufWriter;
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use serde::Serialize;

use super::files::{Parts, may_write};
use super::progress::Bar;
use super::replay::{Range, complain, open_range, play};
use super::{Exit, Failure, out};
use crate::capture::{
    Compression, ImportReport, Outcome, Replay, Source, StoreMeta, StoreOptions, StoreWriter, import,
};
use crate::telemetry::{Table, table::count};
use crate::types::Nanos;
use crate::venue::VENUES;

const AFTER_HELP: &str = "\
Reads whatever `xarb replay` reads (recordings of hftbacktest, feedlog, cryptofeed; documents with
`init` and `updates`; Tardis CSV of incremental_book_L2, trades and book_snapshot_N; containers of
its own) and writes one MCAP file: messages in the order of their receive time, a channel for each
venue, connection and kind, chunks with an index by time, and what is known of venues and
instruments as metadata. What was sent is kept without credentials.

The sources are replayed first: that tells whose the connections are and which instruments matter,
and checks the books. The container replays to the same books.

Examples:
  xarb import btcusdt_20240808.gz btcusdt_20240809.gz -o btcusdt.mcap
  xarb import incremental_book_L2_2024-08-08_BTCUSDT.csv.gz trades_2024-08-08_BTCUSDT.csv.gz \\
              -o day.mcap --compression zstd

Exit code 3: as `xarb replay` of the sources, or a record that could not be read; the container is
written all the same.";

/// What to import.
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Captures; books that several of them continue, in the order in which they were recorded
    #[arg(required = true, value_name = "IN")]
    inputs: Vec<PathBuf>,
    /// The container to write
    #[arg(short, long, value_name = "OUT.mcap")]
    out: PathBuf,
    /// How chunks are compressed
    #[arg(long, value_enum, default_value_t = Chunks::Lz4)]
    compression: Chunks,
    /// Write over OUT.mcap if it is there
    #[arg(long)]
    force: bool,
}

/// How the chunks of a container are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Chunks {
    /// Fast to read back
    Lz4,
    /// Small
    Zstd,
    /// Not at all: fastest
    None,
}

impl From<Chunks> for StoreOptions {
    fn from(chunks: Chunks) -> StoreOptions {
        let compression = match chunks {
            Chunks::Lz4 => Compression::Lz4,
            Chunks::Zstd => Compression::Zstd,
            Chunks::None => Compression::None,
        };
        StoreOptions { compression, ..StoreOptions::default() }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    out: String,
    bytes: u64,
    #[serde(flatten)]
    import: &'a ImportReport,
    instruments: usize,
    #[serde(flatten)]
    outcome: &'a Outcome,
    wall_s: f64,
}

pub fn run(args: &Args, json: bool) -> Result<Exit, Failure> {
    let start = Instant::now();
    let name = args.out.display().to_string();
    may_write(&args.out, args.force)?;
    let mut replay = Replay::new(VENUES, None);
    for path in &args.inputs {
        play(&mut replay, path, Range::ALL, start)?;
    }
    let outcome = replay.outcome(0);
    let found = replay.found();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let source = if found.source.is_empty() { "import".to_owned() } else { found.source.clone() };
    let meta = StoreMeta { version, source, ..found };
    let (sources, size) = sources(&args.inputs, Range::ALL, replay.claims())?;
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("{name}: {error}"));
    // Under its name it is whole or not there.
    let (part, mut files) = Parts::create(None, vec![args.out.clone()], args.force)?;
    let file = files.remove(0).into_file();
    let writing = StoreWriter::new(BufWriter::new(file), args.compression.into(), &meta);
    let mut writer = writing.map_err(|error| failed(&error))?;
    let mut bar = Bar::new(start, size, &name);
    let imported = import(sources, &mut writer, &mut |at| bar.show(at.bytes, at.records));
    bar.clear();
    let report = imported.map_err(|error| failed(&error))?;
    let file = writer.finish().map_err(|error| failed(&error))?;
    let file = file.into_inner().map_err(|error| failed(error.error()))?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    file.sync_all().map_err(|error| failed(&error))?;
    part.finish()?;

    if json {
        let wall_s = (start.elapsed().as_secs_f64() * 1e6).round() / 1e6;
        let instruments = meta.instruments.len();
        out::json(&Report { out: name, bytes, import: &report, instruments, outcome: &outcome, wall_s });
    } else {
        out::line(&show(&name, bytes, &report, &outcome));
    }
    complain(&outcome.files);
    let sound = outcome.is_sound() && report.unreadable == 0;
    Ok(if sound { Exit::Done } else { Exit::Integrity })
}

/// Opens captures once more, to be merged; and the size of all files.
///
/// # Errors
/// [`Failure`] names the file.
pub fn sources(
    paths: &[PathBuf],
    range: Range,
    claims: &[Vec<Option<&'static str>>],
) -> Result<(Vec<Source<'static>>, u64), Failure> {
    let (mut sources, mut size) = (Vec::new(), 0);
    for (path, claims) in paths.iter().zip(claims) {
        let (capture, bytes) = open_range(path, range)?;
        size += bytes;
        sources.push(Source { path: path.display().to_string(), capture, claims: claims.clone() });
    }
    Ok((sources, size))
}

fn show(name: &str, bytes: u64, import: &ImportReport, outcome: &Outcome) -> String {
    let mut books = Table::new(&["book", "instrument", "snapshots", "updates", "gaps", "digest"]);
    for book in &outcome.books {
        let instrument = book.instrument.clone().unwrap_or_else(|| "-".to_owned());
        let counts = [book.snapshots, book.updates, book.gaps].map(count);
        let digest = book.digest.chars().take(16).collect::<String>();
        let name = format!("{} {}", book.venue, book.symbol);
        books.row([name, instrument].into_iter().chain(counts).chain([digest]));
    }
    let times = [import.from_ns, import.to_ns].map(|ns| Nanos(ns).rfc3339(3));
    format!(
        "{books}\n{} records from {} to {} in {name}, {} bytes",
        count(import.records),
        times[0],
        times[1],
        count(bytes)
    )
}
