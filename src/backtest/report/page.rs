//! The page: what happened, from the result back to its causes, and how to get the same again.

use std::fmt::Write;

use super::axis::{Axis, short};
use super::bounded::{Ends, Series, seconds};
use super::html::escaped;
use super::observed::{Ended, LIFETIME_BINS, Observed, basis_points, float};
use super::svg::{BAD, GOOD, INK, Layer, MANY, Plot, colour, hex};
use crate::backtest::{Funnel, Outcome};
use crate::book::Trust;
use crate::telemetry::{count, nanos};
use crate::types::{Bps, Money};

/// A file that a run read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fingerprint {
    /// What it is called.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 over it, in hex.
    pub sha256: String,
}

/// What a run was made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inputs {
    /// The text of the configuration.
    pub config: Fingerprint,
    /// `KEY=VALUE` that replaced keys of it.
    pub overrides: Vec<String>,
    /// The captures.
    pub captures: Vec<Fingerprint>,
}

/// Instruments and books with a chart of their own; more are only counted.
const MOST_CHARTS: usize = 6;
/// Bars of a histogram or of counts over time.
const BARS: usize = 80;
const HEIGHT: u32 = 300;

const STYLE: &str = include_str!("style.css");

/// The whole file.
pub fn page(outcome: &Outcome, observed: &Observed, inputs: &Inputs) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>Backtest: {0}</title>\n<style>\n{STYLE}{1}</style>\n</head>\n<body>\n<main>\n\
         <header><h1>Backtest <small>{0}</small></h1>\n<p>{2} to {3}, {4} messages</p></header>\n",
        escaped(&inputs.config.name),
        scheme(),
        observed.start.rfc3339(0),
        observed.end.rfc3339(0),
        count(outcome.messages),
    );
    summary(&mut out, outcome, observed);
    equity(&mut out, observed);
    funnel(&mut out, outcome);
    trades(&mut out, observed, &outcome.funnel);
    opportunities(&mut out, observed);
    spreads(&mut out, observed);
    inventory(&mut out, observed);
    hops(&mut out, outcome);
    books(&mut out, outcome);
    provenance(&mut out, outcome, inputs);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// The charts' colours in a dark scheme: each mark is replaced by a variable of the stylesheet.
fn scheme() -> String {
    let mut named = vec![
        ("ink", INK),
        ("dim", super::svg::DIM),
        ("grid", super::svg::GRID),
        ("good", GOOD),
        ("bad", BAD),
    ];
    let many: Vec<String> = (0..MANY.len()).map(|at| format!("many{at}")).collect();
    named.extend(many.iter().map(String::as_str).zip(MANY));
    let mut css = String::new();
    for (name, mark) in named {
        let mark = hex(mark);
        let _ = writeln!(
            css,
            "[fill=\"{mark}\"]{{fill:var(--{name})}} [stroke=\"{mark}\"]{{stroke:var(--{name})}}"
        );
    }
    css
}

fn section(out: &mut String, title: &str, look_for: &str) {
    let _ = writeln!(out, "<h2>{title}</h2>\n<p class=\"hint\">{look_for}</p>");
}

/// A chart with its heading and what its colours mean: variable of the stylesheet, words.
fn figure(out: &mut String, heading: &str, legend: &[(String, String)], plot: &Plot) {
    let _ = write!(out, "<figure>\n<figcaption>{}", escaped(heading));
    for (variable, words) in legend {
        let _ = write!(out, " <span class=\"key {variable}\">{}</span>", escaped(words));
    }
    let _ = writeln!(out, "</figcaption>\n{}</figure>", plot.draw());
}

fn key(variable: &str, words: &str) -> (String, String) {
    (variable.to_owned(), words.to_owned())
}

/// A table; every column but the first holds numbers.
fn table(out: &mut String, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    out.push_str("<div class=\"wide\"><table>\n<tr>");
    for head in heads {
        let _ = write!(out, "<th>{}</th>", escaped(head));
    }
    out.push_str("</tr>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{}</td>", escaped(&cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
}

fn money(amount: Money) -> String {
    short(float(amount))
}

fn summary(out: &mut String, outcome: &Outcome, observed: &Observed) {
    let (funnel, run) = (&outcome.funnel, &outcome.run);
    let [sent, _, full] = funnel.orders;
    let equity = observed.equity_now();
    let cards = [
        ("equity gained", money(equity), if equity.is_negative() { "bad" } else { "good" }),
        ("deepest drawdown", money(observed.deepest), ""),
        ("predicted", money(funnel.parts.predicted), ""),
        (
            "realised",
            money(funnel.parts.realised),
            if funnel.parts.realised.is_negative() { "bad" } else { "good" },
        ),
        ("opportunities", count(funnel.opportunities.0), ""),
        ("intents", count(run.intents), ""),
        ("orders filled", format!("{} / {}", count(full), count(sent)), ""),
        ("unknown orders", count(run.unknown), if run.unknown > 0 { "bad" } else { "" }),
    ];
    out.push_str("<div class=\"cards\">\n");
    for (name, value, class) in cards {
        let _ = writeln!(out, "<div><b class=\"{class}\">{value}</b><span>{name}</span></div>");
    }
    out.push_str("</div>\n");
    for alert in &run.alerts {
        let _ = writeln!(out, "<p class=\"alert\">{}</p>", escaped(alert));
    }
}

fn time_axis(observed: &Observed) -> Axis {
    Axis::time(seconds(observed.start), seconds(observed.end))
}

fn ends_of(series: &Series<Ends>) -> impl Iterator<Item = f64> {
    series.points().flat_map(|(_, ends)| [ends.low, ends.high])
}

fn band(series: &Series<Ends>) -> Vec<(f64, f64, f64)> {
    series.points().map(|(x, ends)| (x, ends.low, ends.high)).collect()
}

/// The last values, held to the end of the run.
fn lasts(series: &Series<Ends>, observed: &Observed) -> Vec<(f64, f64)> {
    let mut points = vec![(seconds(observed.start), 0.0)];
    points.extend(series.points().map(|(x, ends)| (x, ends.last)));
    points.extend(points.last().map(|(x, y)| (seconds(observed.end).max(*x), *y)));
    points
}

fn equity(out: &mut String, observed: &Observed) {
    section(
        out,
        "Equity and drawdown",
        "Cash flows after fees, and positions at the mid of their own book, against the start; prices in \
         several quote assets are taken at par. Steps up at trades are earnings; swings between them are \
         the basis of what is held.",
    );
    if observed.fills == 0 {
        out.push_str("<p class=\"none\">Nothing was filled, so nothing was earned or lost.</p>\n");
        return;
    }
    let line = lasts(&observed.equity, observed);
    let plot = Plot {
        label: "equity over time".to_owned(),
        x: time_axis(observed),
        y: Axis::around("quote asset", ends_of(&observed.equity).chain([0.0])),
        height: HEIGHT,
        layers: vec![Layer::Band(MANY[0], band(&observed.equity)), Layer::Steps(MANY[0], line)],
    };
    figure(out, "Equity", &[key("many0", "last and range")], &plot);
    let below = observed.drawdown.points().map(|(x, ends)| (x, ends.low)).collect();
    let plot = Plot {
        label: "drawdown over time".to_owned(),
        x: time_axis(observed),
        y: Axis::up_to("quote asset", ends_of(&observed.drawdown)),
        height: 180,
        layers: vec![Layer::Steps(BAD, below)],
    };
    figure(out, "Drawdown", &[key("bad", "below the highest equity so far")], &plot);
}

/// From seen to earned, with bars on a logarithmic scale.
fn funnel(out: &mut String, outcome: &Outcome) {
    section(
        out,
        "From seen to earned",
        "Where opportunities go: read downwards for the step that loses most. Bars are logarithmic. One \
         episode is a run of consecutive evaluations that found the same direction; its amount is its best.",
    );
    let most = (outcome.evaluations.max(1) as f64).ln_1p();
    out.push_str("<div class=\"wide\"><table class=\"funnel\">\n<tr><th>step</th><th>count</th><th></th><th>quote asset</th></tr>\n");
    for row in super::funnel_rows(outcome) {
        let share = row.count.map_or(0.0, |count| (count as f64).ln_1p() / most * 100.0);
        let class = match row.depth {
            0 => "step",
            _ => "part",
        };
        let _ = writeln!(
            out,
            "<tr class=\"{class}\"><td>{}</td><td>{}</td><td><i style=\"width:{share:.1}%\"></i></td><td>{}</td></tr>",
            escaped(&row.name),
            row.count.map(count).unwrap_or_default(),
            row.amount.map(money).unwrap_or_default(),
        );
    }
    out.push_str("</table></div>\n");
}

fn shown_of(out: &mut String, kept: usize, told: u64) {
    if (kept as u64) < told {
        let _ = writeln!(
            out,
            "<p class=\"hint\">{} of {} intents are drawn, evenly over the run; {} are not. Sums hold all.</p>",
            count(kept as u64),
            count(told),
            count(told - kept as u64)
        );
    }
}

fn trades(out: &mut String, observed: &Observed, funnel: &Funnel) {
    section(
        out,
        "Predicted against realised",
        "Each dot is an intent. On the diagonal it brought what was seen; far below it latency, vanished \
         depth or a hedge took the difference, which the table splits exactly.",
    );
    let kept = observed.ended.kept();
    if kept.is_empty() {
        out.push_str("<p class=\"none\">No intent was sent and ended.</p>\n");
        return;
    }
    let x = Axis::around("predicted, quote asset", kept.iter().map(|one| one.predicted));
    let y = Axis::around("realised, quote asset", kept.iter().flat_map(|one| [one.realised, one.predicted]));
    let of = |gains: bool| {
        let own = kept.iter().filter(move |one| (one.realised >= 0.0) == gains);
        own.map(|one| (one.predicted, one.realised)).collect::<Vec<_>>()
    };
    let (low, high) = (x.low.max(y.low), x.high.min(y.high));
    let layers = vec![
        Layer::Line(INK, vec![(low, low), (high, high)]),
        Layer::Dots(GOOD, 4, true, of(true)),
        Layer::Dots(BAD, 4, true, of(false)),
    ];
    let plot = Plot { label: "predicted against realised".to_owned(), x, y, height: 420, layers };
    let legend = [key("ink", "as predicted"), key("good", "gained"), key("bad", "lost")];
    figure(out, "Intents", &legend, &plot);
    shown_of(out, kept.len(), observed.ended.told());
    let predicted = float(funnel.parts.predicted);
    let rows = funnel.parts.named().into_iter().enumerate().map(|(at, (name, amount))| {
        let name = if (1..7).contains(&at) { format!("less {name}") } else { name.to_owned() };
        let share = if predicted == 0.0 {
            String::new()
        } else {
            format!("{:.1} %", float(amount) / predicted * 100.0)
        };
        vec![name.replace('_', " "), amount.to_string(), share]
    });
    table(out, &["all intents that ended", "quote asset", "of predicted"], rows);
}

fn bars(axis: Axis, boxes: Vec<[f64; 4]>, label: &str) -> Plot {
    let y = Axis::up_to("count", boxes.iter().map(|own| own[3]));
    Plot { label: label.to_owned(), x: axis, y, height: 240, layers: vec![Layer::Boxes(MANY[0], boxes)] }
}

fn opportunities(out: &mut String, observed: &Observed) {
    section(
        out,
        "Opportunities",
        "Every evaluation that found one counts, so a long-lived one counts often. Bursts, and hours that \
         stand out, say when the edge exists; lifetimes below the round trip say how much of it can be had.",
    );
    let coarse = observed.found.coarse(BARS);
    let width = coarse.seconds();
    let boxes: Vec<_> = coarse.points().map(|(x, found)| [x, x + width * 0.92, 0.0, found as f64]).collect();
    if boxes.is_empty() {
        out.push_str("<p class=\"none\">No evaluation found an opportunity.</p>\n");
        return;
    }
    let end = seconds(observed.end).max(boxes.last().map_or(0.0, |own| own[1]));
    let heading = format!("Over time, for each {} s", short(width));
    figure(
        out,
        &heading,
        &[],
        &bars(Axis::time(seconds(observed.start), end), boxes, "opportunities over time"),
    );
    let hours = observed.hours.iter().enumerate();
    let boxes = hours.map(|(hour, found)| [hour as f64 + 0.05, hour as f64 + 0.95, 0.0, *found as f64]);
    figure(out, "By hour", &[], &bars(Axis::hours(), boxes.collect(), "opportunities by hour of the day"));

    let unit = |value: i64| basis_points(Bps(value));
    let edges = observed.edges.coarse(BARS as i64);
    let boxes: Vec<_> = edges
        .iter()
        .map(|(from, to, found)| {
            let (from, to) = (unit(*from), unit(*to));
            [from, to - (to - from) * 0.06, 0.0, *found as f64]
        })
        .collect();
    let axis = Axis::around("net edge, bp", boxes.iter().flat_map(|own| [own[0], own[1]]));
    figure(out, "Net edge", &[], &bars(axis, boxes, "histogram of net edges"));

    let boxes: Vec<_> = observed
        .lifetimes
        .iter()
        .map(|(bin, lasted)| {
            let from = *bin as f64 / LIFETIME_BINS;
            [from, from + 0.92 / LIFETIME_BINS, 0.0, *lasted as f64]
        })
        .collect();
    if boxes.is_empty() {
        out.push_str("<p class=\"none\">No episode lasted beyond one moment.</p>\n");
    } else {
        let axis = Axis::log_nanos("lifetime of an episode", boxes.iter().flat_map(|own| [own[0], own[1]]));
        figure(out, "Lifetime", &[], &bars(axis, boxes, "histogram of lifetimes"));
    }
    if observed.instant > 0 {
        let _ = writeln!(
            out,
            "<p class=\"hint\">{} episodes began and ended with messages of one receive time, and are not drawn.</p>",
            count(observed.instant)
        );
    }
}

fn spreads(out: &mut String, observed: &Observed) {
    section(
        out,
        "Fills on the spread",
        "The best bid of one book over the best ask of another, before fees: above zero they cross. A ring \
         is the edge that an intent saw, at full depth; a dot is the edge that its own orders filled at. \
         Dots far below their rings are latency.",
    );
    for (at, (name, ..)) in observed.instruments.iter().enumerate().take(MOST_CHARTS) {
        let Some(series) = observed.crossings.get(at) else { continue };
        let own = || observed.ended.kept().iter().filter(move |one| one.instrument == at);
        let fills = |gains: bool| {
            let own = own().filter(move |one| (one.realised >= 0.0) == gains);
            own.filter_map(|one| Some((one.at, one.filled?))).collect::<Vec<_>>()
        };
        if series.points().next().is_none() {
            let _ = writeln!(out, "<p class=\"none\">{}: never two books at a time.</p>", escaped(name));
            continue;
        }
        let seen = |one: &Ended| [Some(one.seen), one.filled].into_iter().flatten();
        let plot = Plot {
            label: format!("spread of {name}"),
            x: time_axis(observed),
            y: Axis::around("bp", ends_of(series).chain(own().flat_map(seen)).chain([0.0])),
            height: HEIGHT,
            layers: vec![
                Layer::Band(MANY[0], band(series)),
                Layer::Steps(MANY[0], series.points().map(|(x, ends)| (x, ends.last)).collect()),
                Layer::Dots(INK, 5, false, own().map(|one| (one.at, one.seen)).collect()),
                Layer::Dots(GOOD, 3, true, fills(true)),
                Layer::Dots(BAD, 3, true, fills(false)),
            ],
        };
        let legend = [
            key("many0", "crossing, last and range"),
            key("ink ring", "seen"),
            key("good", "filled, gained"),
            key("bad", "filled, lost"),
        ];
        figure(out, name, &legend, &plot);
    }
    more(out, observed.instruments.len(), "instruments");
    shown_of(out, observed.ended.kept().len(), observed.ended.told());
}

fn more(out: &mut String, all: usize, what: &str) {
    if all > MOST_CHARTS {
        let _ = writeln!(out, "<p class=\"hint\">{} more {what} are not drawn.</p>", all - MOST_CHARTS);
    }
}

fn inventory(out: &mut String, observed: &Observed) {
    section(
        out,
        "Inventory by venue",
        "What was bought and not sold on each venue, in the base asset, since the start. Lines that mirror \
         each other are hedged; the black one, their sum, is what is not.",
    );
    let drawn = observed.instruments.iter().enumerate();
    let drawn = drawn.filter(|(at, _)| {
        observed.held.iter().any(|own| own.instrument == *at && own.positions.points().next().is_some())
    });
    let drawn: Vec<_> = drawn.collect();
    if drawn.is_empty() {
        out.push_str("<p class=\"none\">No position was ever taken.</p>\n");
    }
    for (at, (name, base, _)) in drawn.iter().take(MOST_CHARTS) {
        let (mut layers, mut legend, mut reach) = (Vec::new(), Vec::new(), vec![0.0]);
        let mut sum: Vec<(f64, usize, f64)> = Vec::new();
        for (number, own) in observed.held.iter().filter(|own| own.instrument == *at).enumerate() {
            let points = lasts(&own.positions, observed);
            reach.extend(points.iter().map(|(_, y)| *y));
            sum.extend(points.iter().map(|(x, y)| (*x, number, *y)));
            layers.push(Layer::Steps(colour(number), points));
            let venue = observed.venues.get(own.venue).map_or("", String::as_str);
            legend.push(key(&format!("many{}", number % MANY.len()), venue));
        }
        layers.push(Layer::Steps(INK, total(sum)));
        legend.push(key("ink", "sum"));
        let plot = Plot {
            label: format!("inventory of {name} by venue"),
            x: time_axis(observed),
            y: Axis::around(&base.to_string(), reach.into_iter()),
            height: HEIGHT,
            layers,
        };
        figure(out, name, &legend, &plot);
    }
    more(out, drawn.len(), "instruments");
}

/// The sum of several series of steps: time, which series, its new value.
fn total(mut changes: Vec<(f64, usize, f64)>) -> Vec<(f64, f64)> {
    changes.sort_by(|one, other| one.0.total_cmp(&other.0));
    let most = changes.iter().map(|(_, series, _)| series + 1).max().unwrap_or(0);
    let mut values = vec![0.0; most];
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (x, series, value) in changes {
        values[series] = value;
        let sum = values.iter().sum();
        match points.last_mut() {
            Some(last) if last.0 == x => last.1 = sum,
            _ => points.push((x, sum)),
        }
    }
    points
}

fn hops(out: &mut String, outcome: &Outcome) {
    section(
        out,
        "Latency by hop",
        "Measured on this machine while it ran, but for ack and fill, which pass in the run's own time. Dark: half \
         of all; light: up to 99.9 %. They differ between runs, and decide nothing.",
    );
    let rows = &outcome.hops.rows;
    if rows.is_empty() {
        out.push_str("<p class=\"none\">No hop was measured.</p>\n");
        return;
    }
    let log = |ns: u64| (ns.max(1) as f64).log10();
    let y = |at: usize| (rows.len() - 1 - at) as f64;
    let x = Axis::log_nanos("", rows.iter().flat_map(|(_, row)| [0.0, log(row.p999_ns)]));
    let bar = |at: usize, from: f64, to: f64| [from, to, y(at) + 0.2, y(at) + 0.8];
    let tails = rows.iter().enumerate().map(|(at, (_, row))| bar(at, log(row.p50_ns), log(row.p999_ns)));
    let halves = rows.iter().enumerate().map(|(at, (_, row))| bar(at, x.low, log(row.p50_ns)));
    let plot = Plot {
        label: "latency by hop".to_owned(),
        layers: vec![Layer::Boxes(MANY[1], tails.collect()), Layer::Boxes(MANY[0], halves.collect())],
        x,
        y: Axis::names(rows.iter().map(|(hop, _)| hop.name().replace('_', " ")).collect()),
        height: 60 + 26 * rows.len() as u32,
    };
    figure(out, "Hops", &[key("many0", "up to p50"), key("many1", "p50 to p99.9")], &plot);
    let rows = rows.iter().map(|(hop, row)| {
        let times = [row.p50_ns, row.p99_ns, row.p999_ns, row.max_ns].map(nanos);
        [hop.name().replace('_', " "), count(row.count)].into_iter().chain(times).collect()
    });
    table(out, &["hop", "count", "p50", "p99", "p99.9", "max"], rows);
}

fn books(out: &mut String, outcome: &Outcome) {
    section(
        out,
        "Books",
        "A book that is not live at the end, or had gaps, has holes in what it could show.",
    );
    let rows = outcome.books.iter().map(|book| {
        let state = match book.trust {
            Trust::Waiting => "waiting",
            Trust::Live => "live",
            Trust::Lost => "unsynced",
        };
        let counts = [book.counters.snapshots, book.counters.updates, book.counters.gaps].map(count);
        let names = [format!("{} {}", book.venue, book.symbol), book.instrument.clone(), state.to_owned()];
        names.into_iter().chain(counts).collect()
    });
    table(out, &["book", "instrument", "state", "snapshots", "updates", "gaps"], rows);
}

fn provenance(out: &mut String, outcome: &Outcome, inputs: &Inputs) {
    section(
        out,
        "What it was made from",
        "The same configuration, captures and version give the same journal, byte for byte.",
    );
    out.push_str("<div class=\"wide\"><table class=\"prints\">\n<tr><th>what</th><th>bytes</th><th>SHA-256</th></tr>\n");
    let files = std::iter::once(("configuration", &inputs.config));
    for (what, file) in files.chain(inputs.captures.iter().map(|file| ("capture", file))) {
        let _ = writeln!(
            out,
            "<tr><td>{what}: {}</td><td>{}</td><td><code>{}</code></td></tr>",
            escaped(&file.name),
            count(file.bytes),
            escaped(&file.sha256)
        );
    }
    let _ = writeln!(
        out,
        "<tr><td>journal</td><td></td><td><code>{}</code></td></tr>\n</table></div>",
        escaped(&outcome.run.journal_sha256)
    );
    for set in &inputs.overrides {
        let _ = writeln!(out, "<p>Set: <code>{}</code></p>", escaped(set));
    }
    for file in outcome.files.iter().filter(|file| file.malformed > 0) {
        let errors = count(file.malformed);
        let _ = writeln!(out, "<p class=\"alert\">{}: {errors} malformed messages</p>", escaped(&file.path));
    }
    let _ = writeln!(out, "<p>xarb {}</p>", env!("CARGO_PKG_VERSION"));
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
