//! Results side by side, and the order of the combinations.

use serde_json::Value;

use super::grid::Grid;
use super::shard::{Day, Part, Shard};
use crate::types::Money;

/// Columns of a row behind the grid's keys.
pub const CSV_RESULTS: &str = "part,captures,from_ns,until_ns,messages,span_s,opportunities,episodes,intents,orders,fills,\
predicted,realised,leftovers,sound,journal_sha256";

/// A combination with its sums over the days.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The grid's number of it.
    pub combination: usize,
    /// What it realised where it may be chosen by it; `None` while a shard of it is missing.
    pub train: Option<Money>,
    /// What it realised where it may not.
    pub test: Option<Money>,
}

/// The combinations, best first by what is for choosing; those with a shard missing at the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ranking {
    /// All of them.
    pub places: Vec<Place>,
}

impl Ranking {
    /// Ranks; `results` are the reports of `shards`, where there are.
    pub fn new(grid: &Grid, shards: &[Shard], results: &[Option<Value>]) -> Ranking {
        let sum = |combination: usize, part: Part| {
            let own = |shard: &Shard| shard.combination == combination && shard.part == part;
            let own = shards.iter().zip(results).filter(|(shard, _)| own(shard));
            let mut total = None;
            for (_, report) in own {
                let earned = report.as_ref().and_then(realised)?;
                total = total.unwrap_or(Money::ZERO).checked_add(earned);
                total?;
            }
            total
        };
        let place = |combination| Place {
            combination,
            train: sum(combination, Part::Train),
            test: sum(combination, Part::Test),
        };
        let mut places: Vec<Place> = (0..grid.combinations()).map(place).collect();
        // Stable: ties stay in the order of the grid. What is held back has no say.
        places.sort_by_key(|place| std::cmp::Reverse(place.train));
        Ranking { places }
    }

    /// What a combination realised on that part.
    pub fn of(&self, combination: usize, part: Part) -> Option<Money> {
        let place = self.places.iter().find(|place| place.combination == combination)?;
        match part {
            Part::Train => place.train,
            Part::Test => place.test,
        }
    }
}

/// What a backtest's report says was earned.
fn realised(report: &Value) -> Option<Money> {
    Money::parse(report["funnel"]["parts"]["realised"].as_str()?)
}

/// A shard's row: the values of the grid's keys, then [`CSV_RESULTS`]. Of a shard without a report the
/// results are empty.
pub fn csv_row(grid: &Grid, days: &[Day], shard: &Shard, result: Option<&(i32, Value)>) -> String {
    let none = Value::Null;
    let report = result.map_or(&none, |(_, report)| report);
    let funnel = &report["funnel"];
    let day = days.get(shard.day).map_or_else(String::new, |day| day.captures.join(","));
    let time = |at: Option<crate::types::Nanos>| at.map_or_else(String::new, |at| at.0.to_string());
    let mut fields: Vec<String> = grid.values(shard.combination).into_iter().map(field).collect();
    fields.extend([field(shard.part.name()), field(&day), time(shard.from), time(shard.until)]);
    let results = [
        &report["messages"],
        &report["span_s"],
        &report["opportunities"],
        &funnel["episodes"]["count"],
        &report["intents"],
        &report["legs"],
        &report["fills"],
        &funnel["parts"]["predicted"],
        &funnel["parts"]["realised"],
        &funnel["leftovers"],
    ];
    fields.extend(results.into_iter().map(|value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }));
    fields.push(result.map_or_else(String::new, |(exit, _)| (*exit == 0).to_string()));
    fields.push(report["journal_sha256"].as_str().unwrap_or_default().to_owned());
    fields.join(",")
}

/// A text as a field of a CSV.
pub(super) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Nanos;
    use serde_json::json;

    #[test]
    fn what_is_held_back_never_ranks() {
        let grid = Grid::parse(&["a=1,2,3,4".to_owned()]).unwrap();
        let shard = |combination, part| Shard {
            combination,
            day: 0,
            part,
            from: None,
            until: Some(Nanos(1)),
            fingerprint: String::new(),
        };
        // By combination: for choosing, held back.
        let earned = [["1.5", "100"], ["-2", "1000"], ["1.500000000000000000000001", "-7"], ["", "9999"]];
        let (mut shards, mut results) = (Vec::new(), Vec::new());
        for (combination, pair) in earned.iter().enumerate() {
            for (part, earned) in [Part::Train, Part::Test].into_iter().zip(pair) {
                shards.push(shard(combination, part));
                let report = json!({ "funnel": { "parts": { "realised": earned } } });
                results.push((!earned.is_empty()).then_some(report));
            }
        }
        let ranking = Ranking::new(&grid, &shards, &results);
        let order: Vec<_> = ranking.places.iter().map(|place| place.combination).collect();
        assert_eq!(order, [2, 0, 1, 3]);
        assert_eq!(ranking.of(3, Part::Train), None);
        assert_eq!(ranking.of(2, Part::Test), Money::parse("-7"));
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(field("plain"), "plain");
        assert_eq!(field(r#"["a","b"]"#), r#""[""a"",""b""]""#);
    }
}
