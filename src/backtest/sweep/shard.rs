//! One backtest of a sweep: what it runs on, its command, and the file that it leaves.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::grid::Grid;
use crate::types::Nanos;

/// Captures that are played together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Day {
    /// Their paths.
    pub captures: Vec<String>,
    /// The SHA-256 of each, in hex.
    pub hashes: Vec<String>,
    /// Local times of the first record and the last.
    pub span: (Nanos, Nanos),
}

/// What a stretch of time is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// Combinations are ranked by it.
    Train,
    /// Held back, and only shown.
    Test,
}

impl Part {
    /// For tables.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Test => "test",
        }
    }
}

/// One backtest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shard {
    /// The grid's number of the combination.
    pub combination: usize,
    /// The number of the day.
    pub day: usize,
    /// Which side of the split.
    pub part: Part,
    /// Trades from then on, where not from the beginning.
    pub from: Option<Nanos>,
    /// Ends then, where not at the end.
    pub until: Option<Nanos>,
    /// What the outcome depends on, as a SHA-256 in hex.
    pub fingerprint: String,
}

/// The last time that is for choosing, when `percent` of the whole span of the days is.
pub fn split_at(days: &[Day], percent: u8) -> Nanos {
    let first = days.iter().map(|day| day.span.0).min().unwrap_or_default();
    let last = days.iter().map(|day| day.span.1).max().unwrap_or_default();
    let span = i128::from(last.0) - i128::from(first.0);
    let part = i64::try_from(span * i128::from(percent) / 100).unwrap_or_default();
    Nanos(first.0.saturating_add(part))
}

/// Every shard: by combination, by day, what is for choosing first. `base` is all that the outcome of
/// every shard depends on beside the grid and the captures: the configuration and its overrides.
pub fn plan(grid: &Grid, days: &[Day], split: Option<Nanos>, base: &[&str]) -> Vec<Shard> {
    let mut shards = Vec::new();
    for combination in 0..grid.combinations() {
        let overrides = grid.overrides(combination);
        for (at, day) in days.iter().enumerate() {
            let train = split.is_none_or(|split| day.span.0 <= split);
            let test = split.is_some_and(|split| day.span.1 > split);
            let until = split.filter(|_| train && test);
            let from = until.map(|until| Nanos(until.0.saturating_add(1)));
            let parts = [(Part::Train, train, None, until), (Part::Test, test, from, None)];
            for (part, _, from, until) in parts.into_iter().filter(|(_, wanted, ..)| *wanted) {
                let mut sha = Sha256::new();
                let range = [from, until].map(|at| at.map_or_else(String::new, |at| at.0.to_string()));
                let own = overrides.iter().chain(&day.hashes).chain(&range).map(String::as_str);
                for text in base.iter().copied().chain(own) {
                    // The length in front: no two lists of texts read the same.
                    sha.update((text.len() as u64).to_le_bytes());
                    sha.update(text);
                }
                let fingerprint = const_hex::encode(sha.finalize());
                shards.push(Shard { combination, day: at, part, from, until, fingerprint });
            }
        }
    }
    shards
}

impl Shard {
    /// The name of the file that it leaves.
    pub fn file(&self) -> String {
        format!("{}.json", self.fingerprint.get(..24).unwrap_or(&self.fingerprint))
    }

    /// How people call it.
    pub fn name(&self, grid: &Grid, days: &[Day]) -> String {
        let day = days.get(self.day).map_or_else(String::new, |day| day.captures.join(","));
        let overrides = grid.overrides(self.combination).join(" ");
        format!("{overrides} {} on {day}", self.part.name())
    }

    /// Arguments of the program: a backtest that prints one JSON object. `fixed` are the overrides that
    /// all shards share.
    pub fn arguments(&self, grid: &Grid, days: &[Day], config: &str, fixed: &[String]) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["backtest", "--json", "-c", config].into_iter().map(str::to_owned).collect();
        let overrides = grid.overrides(self.combination);
        arguments.extend(fixed.iter().chain(&overrides).map(|text| format!("--set={text}")));
        arguments.extend(self.from.map(|at| format!("--from-ns={}", at.0)));
        arguments.extend(self.until.map(|at| format!("--until-ns={}", at.0)));
        arguments.push("--".to_owned());
        arguments.extend(days.get(self.day).into_iter().flat_map(|day| day.captures.iter().cloned()));
        arguments
    }
}

/// The file of a shard that ended with that exit code and report.
pub fn result_text(fingerprint: &str, exit: i32, report: &Value) -> String {
    json!({ "fingerprint": fingerprint, "exit": exit, "report": report }).to_string()
}

/// Exit code and report of a shard's file; `None` when it is torn, or another shard's.
pub fn read_result(text: &str, fingerprint: &str) -> Option<(i32, Value)> {
    let mut result: Value = serde_json::from_str(text).ok()?;
    let exit = i32::try_from(result["exit"].as_i64()?).ok()?;
    let ours = result["fingerprint"] == fingerprint && result["report"]["funnel"]["parts"].is_object();
    ours.then(|| (exit, result["report"].take()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(name: &str, first: i64, last: i64) -> Day {
        Day {
            captures: vec![name.to_owned()],
            hashes: vec![format!("hash of {name}")],
            span: (Nanos(first), Nanos(last)),
        }
    }

    #[test]
    fn days_are_split_by_time() {
        let grid = Grid::parse(&["a=1,2".to_owned()]).unwrap();
        let days = [day("one", 0, 99), day("two", 100, 199), day("three", 200, 300)];
        let split = split_at(&days, 50);
        assert_eq!(split, Nanos(150));
        let shards = plan(&grid, &days, Some(split), &["config"]);
        let first: Vec<_> = shards
            .iter()
            .filter(|shard| shard.combination == 0)
            .map(|shard| {
                (shard.day, shard.part.name(), shard.from.map(|at| at.0), shard.until.map(|at| at.0))
            })
            .collect();
        let want = [
            (0, "train", None, None),
            (1, "train", None, Some(150)),
            (1, "test", Some(151), None),
            (2, "test", None, None),
        ];
        assert_eq!(first, want);
        assert_eq!(shards.len(), 8);
        let whole = plan(&grid, &days, None, &["config"]);
        assert!(whole.len() == 6 && whole.iter().all(|shard| shard.part == Part::Train));
    }

    #[test]
    fn a_fingerprint_holds_all_that_matters() {
        let of = |values: &str, hash: &str, split, base: &[&str]| {
            let grid = Grid::parse(&[format!("a={values}")]).unwrap();
            let mut day = day("one", 0, 99);
            day.hashes = vec![hash.to_owned()];
            plan(&grid, &[day], split, base).remove(0).fingerprint
        };
        let one = of("1", "x", None, &["config", "k=v"]);
        assert_eq!(one, of("1", "x", None, &["config", "k=v"]));
        let others = [
            of("2", "x", None, &["config", "k=v"]),
            of("1", "y", None, &["config", "k=v"]),
            of("1", "x", Some(Nanos(5)), &["config", "k=v"]),
            of("1", "x", None, &["confi", "gk=v"]),
        ];
        assert!(others.iter().all(|other| *other != one), "{others:?}");
    }

    #[test]
    fn a_torn_or_foreign_result_is_none() {
        let report = json!({ "funnel": { "parts": { "realised": "1" } } });
        let text = result_text("abc", 3, &report);
        assert_eq!(read_result(&text, "abc"), Some((3, report)));
        assert_eq!(read_result(&text, "abd"), None);
        for end in 0..text.len() {
            assert_eq!(read_result(&text[..end], "abc"), None, "{end}");
        }
    }
}
