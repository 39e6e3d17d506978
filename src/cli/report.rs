//! A run's report, for people and for programs.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::engine::RunReport;
use crate::telemetry::{HopReport, Table};
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
            "fees": amounts(&run.fees),
            "net_exposure": amounts(&run.net_exposure),
            "hops": self.hops,
            "journal_sha256": run.journal_sha256,
            "violations": self.violations.len(),
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
            venues.row(std::iter::once(venue.venue.clone()).chain(counts.map(crate::telemetry::count)));
        }
        let _ = writeln!(text, "{venues}");
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

fn line(text: &mut String, name: &str, amounts: &std::collections::BTreeMap<Asset, Money>) {
    let amounts: Vec<_> = amounts.iter().map(|(asset, amount)| format!("{amount} {asset}")).collect();
    let amounts = if amounts.is_empty() { "nothing".to_owned() } else { amounts.join(", ") };
    let _ = writeln!(text, "{name:<16} {amounts}");
}

fn amounts(amounts: &std::collections::BTreeMap<Asset, Money>) -> Value {
    let rows = amounts.iter().map(|(asset, amount)| (asset.to_string(), Value::from(amount.to_string())));
    Value::Object(rows.collect::<Map<_, _>>())
}
