//! `xarb sweep`: a backtest for every combination of some keys' values.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::files::may_write;
use super::progress::Steps;
use super::replay::{open, open_file};
use super::{ConfigArgs, Exit, Failure, out};
use crate::backtest::Timeline;
use crate::backtest::sweep::{
    CSV_RESULTS, Day, Grid, Part, Ranking, Shard, csv_row, page, plan, read_result, result_text, split_at,
};
use crate::config::{Config, DelayConfig};
use crate::telemetry::Table;
use crate::types::{Money, Nanos};

const AFTER_HELP: &str = "\
Each combination of the grid's values is one backtest on each DAY: a capture, or several that are
played together, joined by commas. Each is a process of its own:
  xarb backtest --json -c FILE --set=KEY=VALUE ... [--from-ns=N] [--until-ns=N] -- CAPTURE...
--list prints these commands and runs nothing; scripts/sweep_ray.py runs them on a Ray cluster.

RESULTS/ gets a small JSON file from each backtest. One that is there already is not run again when
nothing it depends on has changed: configuration, values, captures, version. So a sweep that was
stopped goes on where it was. At the end RESULTS/sweep.csv has a row for each backtest, and
RESULTS/sweep.html the ranking, with a heat map where two keys were varied.

Combinations are ranked by what they realised. The best of many is lucky, so keep something back:
with --split 70 the first 70 % of the time decides the ranking, and what the rest gave is shown beside
it. Look at that once; whoever goes on choosing by it has no test left.

Examples:
  xarb sweep -c my.toml --grid detect.min_edge_bps=1,2,3 --grid detect.haircut=0.5,1 \\
      --split 70 -o edges monday.mcap tuesday.mcap
  xarb sweep -c configs/reference-spot-usdm.toml --grid latency.feed=0,500,2000 SPOT.gz,USDM.gz
  xarb sweep --list -c my.toml --grid detect.min_edge_bps=1,2,3 monday.mcap

Exit code 1: a backtest failed (it is named, and the others are finished). 3: in one of them a message
was malformed, a file was torn, or a book ended unsynced (each is named, and what was wrong).";

/// Backtest every combination of some keys' values, on all cores
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Configuration
    #[command(flatten)]
    config: ConfigArgs,
    /// A key and the values to try; may be repeated, for every combination of them
    #[arg(long, required = true, value_name = "KEY=A,B,C")]
    grid: Vec<String>,
    /// Rank by the first PERCENT of the time alone, and show the rest beside it
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    split: Option<u8>,
    /// Folder of the results
    #[arg(short = 'o', long, value_name = "RESULTS", default_value = "sweep")]
    results: PathBuf,
    /// Backtests at a time [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Print the command of each backtest as JSON, and run none
    #[arg(long)]
    list: bool,
    /// A capture, or several that are played together: SPOT.gz,USDM.gz
    #[arg(required = true, value_name = "DAY")]
    days: Vec<String>,
}

/// All that a sweep is, before anything of it ran.
struct Sweep {
    grid: Grid,
    days: Vec<Day>,
    split: Option<Nanos>,
    shards: Vec<Shard>,
    program: PathBuf,
    /// The copy that the backtests read: an edit while they run reaches none of them.
    config: String,
    fixed: Vec<String>,
    results: PathBuf,
}

/// Runs it.
///
/// # Errors
/// [`Failure`] with the exit code.
pub fn run(args: &Args, json: bool) -> Result<Exit, Failure> {
    let sweep = Sweep::new(args)?;
    if args.list {
        out::json(&sweep.list());
        return Ok(Exit::Done);
    }
    let todo: Vec<&Shard> = sweep.shards.iter().filter(|shard| sweep.result(shard).is_none()).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let failed = sweep.run(&todo, args.jobs.map_or(cores, usize::from));
    for (shard, error) in &failed {
        eprintln!("xarb: {}: {error}", shard.name(&sweep.grid, &sweep.days));
    }
    let results: Vec<_> = sweep.shards.iter().map(|shard| sweep.result(shard)).collect();
    let csv = sweep.csv(&results);
    let unsound = results.iter().flatten().filter(|(exit, _)| *exit != 0).count();
    let faults = faults(results.iter().flatten().map(|(_, report)| report));
    for (fault, times) in &faults {
        eprintln!("xarb: {fault} (in {times} of {} backtests)", sweep.shards.len());
    }
    let reports: Vec<_> = results.into_iter().map(|result| Some(result?.1)).collect();
    let ranking = Ranking::new(&sweep.grid, &sweep.shards, &reports);
    let notes = sweep.notes(args.split, failed.len(), unsound, &faults);
    let html = page(&sweep.grid, &ranking, &notes, sweep.split.is_some());
    let (csv_path, page_path) = (sweep.results.join("sweep.csv"), sweep.results.join("sweep.html"));
    replace(&csv_path, &csv)?;
    replace(&page_path, &html)?;
    if json {
        let failed = failed
            .iter()
            .map(|(shard, error)| json!({ "shard": shard.name(&sweep.grid, &sweep.days), "error": error }));
        out::json(&json!({
            "combinations": sweep.grid.combinations(), "days": sweep.days.len(),
            "shards": sweep.shards.len(), "ran": todo.len(), "skipped": sweep.shards.len() - todo.len(),
            "failed": failed.collect::<Vec<_>>(), "unsound": unsound,
            "faults": faults.keys().collect::<Vec<_>>(),
            "split": sweep.split.map(|at| json!({ "percent": args.split, "train_until_ns": at.0 })),
            "ranking": sweep.ranking(&ranking), "notes": notes,
            "csv": csv_path.display().to_string(), "page": page_path.display().to_string(),
        }));
    } else {
        out::line(&sweep.text(&ranking).to_string());
        notes.iter().for_each(|note| out::line(note));
        out::line(&format!("{} and {}", csv_path.display(), page_path.display()));
    }
    Ok(match (failed.len(), unsound) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Integrity,
        _ => Exit::Failed,
    })
}

impl Sweep {
    /// Checks everything that can be checked without running a backtest.
    fn new(args: &Args) -> Result<Sweep, Failure> {
        let Some(path) = &args.config.config else {
            return Err(Failure::usage("a sweep needs a configuration: -c FILE"));
        };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("{name}: cannot read the configuration: {error}")))?;
        let grid = Grid::parse(&args.grid).map_err(|error| Failure::usage(error.to_string()))?;
        let fixed = args.config.overrides.clone();
        Config::parse(&name, &text, &fixed)?;
        for axis in grid.axes() {
            let key = |text: &str| text.split('=').next().unwrap_or_default().trim().replace('"', "");
            if fixed.iter().any(|set| key(set) == key(&axis.key)) {
                return Err(Failure::usage(format!("--grid {}: the key is --set, too", axis.key)));
            }
        }
        let mut histograms = BTreeSet::new();
        for combination in 0..grid.combinations() {
            let own = grid.overrides(combination);
            let all: Vec<String> = fixed.iter().chain(&own).cloned().collect();
            let config = Config::parse(&name, &text, &all)
                .map_err(|error| Failure::usage(format!("--grid {}: {error}", own.join(" "))))?;
            let delays = config.latency.venues.into_iter();
            for delay in delays.flat_map(|venue| [venue.feed, venue.entry, venue.response]) {
                if let DelayConfig::Recorded(path) = delay {
                    histograms.insert(path);
                }
            }
        }
        let days = args.days.iter().map(|day| read_day(day, args.split.is_some()));
        let days = days.collect::<Result<Vec<_>, _>>()?;
        let split = args.split.map(|percent| split_at(&days, percent));
        let mut base = vec![format!("xarb {}", env!("CARGO_PKG_VERSION")), text.clone()];
        base.extend(fixed.iter().cloned());
        for path in &histograms {
            base.push(hash(path)?);
        }
        let base: Vec<&str> = base.iter().map(String::as_str).collect();
        let shards = plan(&grid, &days, split, &base);
        let results = args.results.clone();
        std::fs::create_dir_all(&results)
            .map_err(|error| Failure::failed(format!("{}: {error}", results.display())))?;
        let digest = const_hex::encode(Sha256::digest(&text));
        let copy = results.join(format!("config-{}.toml", &digest[..12]));
        replace(&copy, &text)?;
        let program = std::env::current_exe()
            .map_err(|error| Failure::failed(format!("cannot tell the program's own path: {error}")))?;
        Ok(Sweep { grid, days, split, shards, program, config: copy.display().to_string(), fixed, results })
    }

    fn arguments(&self, shard: &Shard) -> Vec<String> {
        shard.arguments(&self.grid, &self.days, &self.config, &self.fixed)
    }

    /// What a shard left, where it is finished.
    fn result(&self, shard: &Shard) -> Option<(i32, Value)> {
        let text = std::fs::read_to_string(self.results.join(shard.file())).ok()?;
        read_result(&text, &shard.fingerprint)
    }

    /// The commands, for other programs to run.
    fn list(&self) -> Value {
        let shards = self.shards.iter().map(|shard| {
            let program = self.program.display().to_string();
            let command: Vec<String> = std::iter::once(program).chain(self.arguments(shard)).collect();
            json!({
                "name": shard.name(&self.grid, &self.days),
                "values": self.values(shard.combination), "part": shard.part.name(),
                "command": command,
                "fingerprint": shard.fingerprint,
                "file": self.results.join(shard.file()).display().to_string(),
                "done": self.result(shard).is_some(),
            })
        });
        json!({ "combinations": self.grid.combinations(), "shards": shards.collect::<Vec<_>>() })
    }

    fn values(&self, combination: usize) -> Value {
        let keys = self.grid.axes().iter().map(|axis| axis.key.clone());
        let values = self.grid.values(combination).into_iter().map(Value::from);
        Value::Object(keys.zip(values).collect::<Map<_, _>>())
    }

    /// Runs these shards, so many at a time; which of them failed, and why, in their order.
    fn run<'a>(&self, todo: &[&'a Shard], jobs: usize) -> Vec<(&'a Shard, String)> {
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let steps = Steps::new(todo.len());
        std::thread::scope(|scope| {
            for _ in 0..jobs.min(todo.len()) {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(shard) = todo.get(at) else { return };
                        if let Err(error) = self.run_one(shard)
                            && let Ok(mut failed) = failed.lock()
                        {
                            failed.push((at, error));
                        }
                        steps.step();
                    }
                });
            }
        });
        steps.clear();
        let mut failed = failed.into_inner().unwrap_or_default();
        failed.sort();
        failed.into_iter().map(|(at, error)| (todo[at], error)).collect()
    }

    fn run_one(&self, shard: &Shard) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        let output = command.args(self.arguments(shard)).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("{}: {error}", self.program.display()))?;
        let report: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        let text = match (output.status.code(), &report) {
            (Some(exit), Some(report)) => result_text(&shard.fingerprint, exit, report),
            _ => String::new(),
        };
        if read_result(&text, &shard.fingerprint).is_some() {
            return replace(&self.results.join(shard.file()), &text).map_err(|failure| failure.message);
        }
        let told = report.as_ref().and_then(|report| report["error"].as_str()).map(str::to_owned);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().last().unwrap_or("it said nothing").to_owned();
        Err(format!("{}: {}", output.status, told.unwrap_or(last)))
    }

    /// A row for each shard.
    fn csv(&self, results: &[Option<(i32, Value)>]) -> String {
        let keys: Vec<_> = self.grid.axes().iter().map(|axis| axis.key.replace('"', "")).collect();
        let mut csv = format!("{},{CSV_RESULTS}\n", keys.join(","));
        for (shard, result) in self.shards.iter().zip(results) {
            csv += &csv_row(&self.grid, &self.days, shard, result.as_ref());
            csv.push('\n');
        }
        csv
    }

    /// What whoever reads the ranking must know.
    fn notes(
        &self,
        percent: Option<u8>,
        failed: usize,
        unsound: usize,
        faults: &BTreeMap<String, usize>,
    ) -> Vec<String> {
        let tried = self.grid.combinations();
        let mut notes = vec![format!(
            "{tried} combinations were tried on {}: the best of them owes part of its lead to luck.",
            match self.days.len() {
                1 => "1 day".to_owned(),
                days => format!("{days} days"),
            }
        )];
        notes.push(match percent {
            Some(percent) => format!(
                "Ranked by the first {percent} % of the time (train); the rest (test) was held back and is only shown."
            ),
            None => "Nothing was held back (--split 70): the ranking is fitted to these very captures.".to_owned(),
        });
        let shards = self.shards.len();
        if failed > 0 {
            notes.push(format!("{failed} of {shards} backtests failed: their combinations are not ranked."));
        }
        if unsound > 0 {
            let mut note =
                format!("In {unsound} of {shards} backtests a message was malformed or a book lost");
            for (at, fault) in faults.keys().take(FAULTS_SHOWN).enumerate() {
                note += if at == 0 { ": " } else { "; " };
                note += fault;
            }
            note += if faults.len() > FAULTS_SHOWN { "; and more." } else { "." };
            notes.push(note);
        }
        notes
    }

    fn ranking(&self, ranking: &Ranking) -> Value {
        let amount = |sum: Option<Money>| sum.map(|sum| sum.to_string());
        let places = ranking.places.iter().map(|place| {
            let (train, test) = (amount(place.train), amount(place.test));
            json!({ "values": self.values(place.combination), "train": train, "test": test })
        });
        Value::Array(places.collect())
    }

    /// The best of the ranking, for people.
    fn text(&self, ranking: &Ranking) -> Table {
        let mut heads: Vec<&str> = self.grid.axes().iter().map(|axis| axis.key.as_str()).collect();
        heads.push("realised, train");
        if self.split.is_some() {
            heads.push("realised, test");
        }
        let mut table = Table::new(&heads);
        for place in ranking.places.iter().take(SHOWN) {
            let mut row: Vec<String> =
                self.grid.values(place.combination).into_iter().map(str::to_owned).collect();
            let parts = [Part::Train, Part::Test].into_iter().take(heads.len() - row.len());
            row.extend(parts.map(|part| {
                ranking
                    .of(place.combination, part)
                    .map_or_else(|| "missing".to_owned(), |sum| sum.to_string())
            }));
            table.row(row);
        }
        table
    }
}

/// Combinations that a person is shown.
const SHOWN: usize = 20;

/// Faults that a note names.
const FAULTS_SHOWN: usize = 5;

/// What was wrong with captures and books, each with the number of backtests that met it.
fn faults<'a>(reports: impl Iterator<Item = &'a Value>) -> BTreeMap<String, usize> {
    let mut faults = BTreeMap::new();
    for report in reports {
        let rows = |key: &str| report[key].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for file in rows("files").filter(|file| file["malformed"] != 0) {
            let more = match file["malformed"].as_u64().unwrap_or_default() {
                0 | 1 => String::new(),
                many => format!(", and {} more", many - 1),
            };
            let fault = format!("{}: {}{more}", text(&file["path"]), text(&file["errors"][0]));
            *faults.entry(fault).or_default() += 1;
        }
        for book in rows("books").filter(|book| book["state"] == "unsynced") {
            let fault =
                format!("{} {}: the book ended unsynced", text(&book["venue"]), text(&book["symbol"]));
            *faults.entry(fault).or_default() += 1;
        }
    }
    faults
}

/// Hashes a day's captures, and reads them for their times where those are wanted.
fn read_day(argument: &str, timed: bool) -> Result<Day, Failure> {
    // A name with a comma in it is a name.
    let captures: Vec<String> = match Path::new(argument).exists() {
        true => vec![argument.to_owned()],
        false => argument.split(',').map(str::to_owned).collect(),
    };
    let hashes = captures.iter().map(|path| hash(Path::new(path))).collect::<Result<Vec<_>, _>>()?;
    let opened = captures.iter().map(|path| Ok((path.clone(), open(Path::new(path))?.0)));
    let mut timeline = Timeline::new(opened.collect::<Result<Vec<_>, Failure>>()?);
    let Some(first) = timeline.next_at().filter(|first| !timed || *first > Nanos::ZERO) else {
        return Err(Failure::usage(format!("{argument}: no message with a time")));
    };
    let mut last = first;
    while timed && let Some((file, at)) = timeline.next() {
        last = last.max(at);
        timeline.pass(file);
    }
    Ok(Day { captures, hashes, span: (first, last) })
}

/// A file's SHA-256, in hex.
fn hash(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    let mut file = open_file(path)?;
    let (mut sha, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(const_hex::encode(sha.finalize())),
            Ok(read) => sha.update(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Writes a file under a name of its own first, so that it is there whole or not at all.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    may_write(path, true)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let fresh = PathBuf::from(name);
    let done = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, path));
    done.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}
