//! `xarb stats`: what a capture is like.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use super::import::sources;
use super::progress::Bar;
use super::replay::{Range, complain, play};
use super::{Exit, Failure, out};
use crate::capture::{Capture, Gather, Outcome, Replay, Stats};
use crate::telemetry::{Table, table::count};
use crate::venue::VENUES;

const AFTER_HELP: &str = "\
Three tables: what came over each stream of each venue, and how late by the venue's own stamps; the
books with their gaps; and, for books of one instrument on several venues, how often and how long one's
bid stood above the other's ask, before any fee.

`delay` is receive time minus the venue's stamp, of messages that changed a book as they came: updates
that waited for a snapshot have none. Clocks differ: the venue's is at least `clock offset` ahead of
the recorder's, because the fastest message cannot have come before it was sent; `above fastest` does
not depend on clocks. A rate is told of streams that lasted a second or more.

Examples:
  xarb stats btcusdt.mcap
  xarb stats --json spot_btcusdt_20240808.gz usdm_btcusdt_20240808.gz

Exit code 3: as `xarb replay`.";

/// What to look at.
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Captures: of one time, or in the order in which they were recorded
    #[arg(required = true, value_name = "CAPTURE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    range: Range,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    stats: &'a Stats,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

pub fn run(args: &Args, json: bool) -> Result<Exit, Failure> {
    let start = Instant::now();
    let until = args.range.until()?;
    let mut first = Replay::new(VENUES, until);
    for path in &args.files {
        play(&mut first, path, args.range, start)?;
    }
    let outcome = first.outcome(0);
    // Once more in the order of time over all files: books of several venues are compared as they stood.
    let (sources, size) = sources(&args.files, args.range, first.claims())?;
    let mut merged = Capture::merged(sources);
    let mut replay = Replay::observed(VENUES, until, Gather::new());
    let mut bar = Bar::new(start, size, "all files");
    let played = replay.file("all files", &mut merged, &mut |at| bar.show(at.bytes, at.messages));
    bar.clear();
    played.map_err(|error| Failure::usage(error.to_string()))?;
    let stats = replay.into_observer().finish();
    if json {
        out::json(&Report { stats: &stats, outcome: &outcome });
    } else {
        out::line(&text(&stats, &outcome));
    }
    complain(&outcome.files);
    Ok(if outcome.is_sound() { Exit::Done } else { Exit::Integrity })
}

fn millis(ns: i64) -> String {
    format!("{:.3}", ns as f64 / 1e6)
}

fn text(stats: &Stats, outcome: &Outcome) -> String {
    let mut streams = Table::new(&[
        "stream",
        "messages",
        "kB",
        "a second",
        "peak",
        "silence ms",
        "delay p50 ms",
        "above fastest",
        "p99",
    ]);
    for stream in &stats.streams {
        let delay = |ns: fn(&crate::capture::Delay) -> i64| {
            stream.delay.as_ref().map_or_else(|| "-".to_owned(), |delay| millis(ns(delay)))
        };
        streams.row([
            format!("{} {}", stream.venue, stream.stream),
            count(stream.messages),
            count(stream.bytes / 1_000),
            stream.messages_per_s.map_or_else(|| "-".to_owned(), count),
            count(stream.peak_per_s),
            millis(stream.silence_max_ns),
            delay(|delay| delay.p50_ns),
            delay(|delay| delay.p50_above_fastest_ns),
            delay(|delay| delay.p99_above_fastest_ns),
        ]);
    }
    let mut books = Table::new(&["book", "updates", "gaps", "crossed", "bids", "asks"]);
    for book in &outcome.books {
        let levels = [book.levels.bids, book.levels.asks].map(|levels| count(levels as u64));
        let counts = [book.updates, book.gaps, book.crossed].map(count);
        books.row([format!("{} {}", book.venue, book.symbol)].into_iter().chain(counts).chain(levels));
    }
    let mut text = format!("{streams}\n{books}");
    for (venue, offset) in &stats.clock_offset_ns {
        text.push_str(&format!("\nclock offset of {venue}: {} ms", millis(*offset)));
    }
    if !stats.crossings.is_empty() {
        let mut table = Table::new(&[
            "bid of / over ask of",
            "crossed %",
            "episodes",
            "longest ms",
            "widest bp",
            "mid bp",
        ]);
        for pair in &stats.crossings {
            for (from, to, way) in [(&pair.a, &pair.b, &pair.a_over_b), (&pair.b, &pair.a, &pair.b_over_a)] {
                let share = way.crossed_ns as f64 * 100.0 / pair.both_ns.max(1) as f64;
                table.row([
                    format!("{from} / {to}"),
                    format!("{share:.2}"),
                    count(way.episodes),
                    millis(way.longest_ns),
                    way.widest_bps.clone(),
                    pair.mid_bps_mean.clone(),
                ]);
            }
        }
        text.push_str(&format!("\n\n{table}"));
    }
    text
}
