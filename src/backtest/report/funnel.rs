//! From seen to earned, as rows.

use crate::backtest::Outcome;
use crate::types::Money;

/// One step, or a part of the step above it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunnelRow {
    /// What is counted.
    pub name: String,
    /// How many, where that is a question.
    pub count: Option<u64>,
    /// In the quote asset, where that is one.
    pub amount: Option<Money>,
    /// 0 for a step, 1 for a part of one.
    pub depth: usize,
}

/// All of it, from the top.
pub fn funnel_rows(outcome: &Outcome) -> Vec<FunnelRow> {
    let Outcome { funnel, run, .. } = outcome;
    let mut rows = Vec::new();
    let mut row = |depth: usize, name: &str, count: Option<u64>, amount: Option<Money>| {
        rows.push(FunnelRow { name: name.to_owned(), count, amount, depth });
    };
    row(0, "directions evaluated", Some(outcome.evaluations), None);
    for (reason, number) in run.refused.iter().filter(|(reason, _)| !funnel.refused.contains_key(**reason)) {
        row(1, reason, Some(*number), None);
    }
    row(0, "opportunities", Some(funnel.opportunities.0), Some(funnel.opportunities.1));
    row(1, "episodes of them, at their best", Some(funnel.episodes.0), Some(funnel.episodes.1));
    for (reason, (number, net)) in &funnel.refused {
        row(1, &format!("refused: {reason}"), Some(*number), Some(*net));
    }
    row(0, "intents", Some(run.intents), Some(funnel.parts.predicted));
    for (outcome, number) in &funnel.intents {
        row(1, outcome, Some(*number), None);
    }
    let [sent, some, full] = funnel.orders;
    row(0, "orders", Some(sent), None);
    row(1, "filled in full", Some(full), None);
    row(1, "filled in part", Some(some.saturating_sub(full)), None);
    row(1, "not filled", Some(sent.saturating_sub(some)), None);
    let [first, middle @ .., last] = funnel.parts.named();
    row(0, first.0, None, Some(first.1));
    for (name, amount) in middle {
        row(1, &format!("less {}", name.replace('_', " ")), None, Some(amount));
    }
    row(0, last.0, None, Some(last.1));
    row(0, "rests hedged later", None, Some(funnel.leftovers));
    row(0, "left over, at the last mid", None, Some(funnel.revalued));
    row(0, "profit and loss", None, Some(funnel.profit()));
    rows
}
