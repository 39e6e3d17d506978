//! A run's report, for people and for programs.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::engine::{ConnectionCounters, ConnectionReport, RunReport, TRAIL_BELOW};
use crate::telemetry::{HopReport, Table, count, nanos};
use crate::types::{Asset, Money};

/// A run's report with what is known only from outside of the engine.
pub struct Report {
    /// How long it ran.
    pub seconds: u64,
    /// What everything random followed from.
    pub seed: u64,
    /// What the engine did.
    pub run: RunReport,
    /// How long its hops took.
    pub hops: HopReport,
    /// Invariants that did not hold, each in a sentence.
    pub violations: Vec<String>,
}

impl Report {
    /// One JSON object.
    pub fn json(&self) -> Value {
        let run = &self.run;
        let venues: Vec<_> = run
            .venues
            .iter()
            .map(|venue| {
                json!({
                    "venue": venue.venue, "frames": venue.frames, "updates": venue.updates,
                    "resyncs": venue.resyncs, "orders": venue.orders, "acks": venue.acks,
                    "fills": venue.fills, "rejects": venue.rejects,
                })
            })
            .collect();
        json!({
            "seconds": self.seconds,
            "seed": self.seed,
            "venues": venues,
            "opportunities": run.opportunities,
            "refused": run.refused,
            "intents": run.intents,
            "unknown": run.unknown,
            "pnl": amounts(&run.pnl),
            "pnl_common": amounts(&run.pnl_common.into_iter().collect()),
            "fees": amounts(&run.fees),
            "net_exposure": amounts(&run.net_exposure),
            "hops": self.hops,
            "journal_sha256": run.journal_sha256,
            "violations": self.violations.len(),
            "connections": run.connections.iter().map(connection).collect::<Vec<_>>(),
        })
    }

    /// What a person reads.
    pub fn text(&self) -> String {
        let run = &self.run;
        let mut text = String::new();
        let mut venues =
            Table::new(&["venue", "frames", "updates", "resyncs", "orders", "acks", "fills", "rejects"]);
        for venue in &run.venues {
            let counts = [
                venue.frames,
                venue.updates,
                venue.resyncs,
                venue.orders,
                venue.acks,
                venue.fills,
                venue.rejects,
            ];
            venues.row(std::iter::once(venue.venue.clone()).chain(counts.map(count)));
        }
        let _ = writeln!(text, "{venues}");
        if !run.connections.is_empty() {
            let _ = writeln!(text, "{}", connections(&run.connections));
        }
        let refused: u64 = run.refused.values().sum();
        let _ = writeln!(
            text,
            "{} opportunities seen, {} traded, {} looks refused{}",
            run.opportunities,
            run.intents,
            refused,
            if run.refused.is_empty() { "" } else { ":" }
        );
        for (reason, count) in &run.refused {
            let _ = writeln!(text, "  {reason:<12} {count}");
        }
        let _ = writeln!(text, "\n{}", self.hops);
        line(&mut text, "profit and loss", &run.pnl);
        if let Some(common) = run.pnl_common {
            line(&mut text, "all of it in", &[common].into());
        }
        line(&mut text, "fees paid", &run.fees);
        line(&mut text, "left over", &run.net_exposure);
        let _ = writeln!(text, "{:<16} {} ({} unresolved)", "unknown orders", run.unknown, run.unresolved);
        let _ = writeln!(text, "{:<16} {}", "journal sha256", run.journal_sha256);
        let _ = writeln!(text, "{:<16} {}", "violations", self.violations.len());
        for violation in &self.violations {
            let _ = writeln!(text, "  {violation}");
        }
        text
    }
}

/// One of several connections for a stream, for programs.
fn connection(of: &ConnectionReport) -> Value {
    let ConnectionCounters { frames, first, late, lost, covered, trail } = of.counters;
    let bounds = TRAIL_BELOW.iter().map(|bound| Value::from(*bound)).chain([Value::Null]);
    let classes = bounds.zip(trail.classes).map(|(below, count)| json!({"below_ns": below, "count": count}));
    json!({
        "venue": of.venue, "connection": of.connection, "frames": frames, "first": first, "late": late,
        "lost": lost, "covered": covered,
        "trail": {
            "count": trail.count, "sum_ns": trail.sum_ns, "max_ns": trail.max_ns,
            "histogram": classes.collect::<Vec<_>>(),
        },
    })
}

/// The same for people.
fn connections(all: &[ConnectionReport]) -> Table {
    let heads = ["connection", "frames", "first", "late", "trail mean", "trail max", "lost", "covered"];
    let mut table = Table::new(&heads);
    for of in all {
        let ConnectionCounters { frames, first, late, lost, covered, trail } = of.counters;
        let [frames, first, late, lost, covered] = [frames, first, late, lost, covered].map(count);
        let [mean, max] = [trail.mean_ns(), trail.max_ns].map(nanos);
        let name = format!("{} {}", of.venue, of.connection);
        table.row([name, frames, first, late, mean, max, lost, covered]);
    }
    table
}

/// A line of amounts by asset, for people.
pub fn line(text: &mut String, name: &str, amounts: &std::collections::BTreeMap<Asset, Money>) {
    let amounts: Vec<_> = amounts.iter().map(|(asset, amount)| format!("{amount} {asset}")).collect();
    let amounts = if amounts.is_empty() { "nothing".to_owned() } else { amounts.join(", ") };
    let _ = writeln!(text, "{name:<16} {amounts}");
}

/// Amounts by asset, for programs.
pub fn amounts(amounts: &std::collections::BTreeMap<Asset, Money>) -> Value {
    let rows = amounts.iter().map(|(asset, amount)| (asset.to_string(), Value::from(amount.to_string())));
    Value::Object(rows.collect::<Map<_, _>>())
}
