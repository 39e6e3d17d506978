//! `xarb sweep`: all combinations, each finished one kept, and the part that was held back never ranks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use xarb::backtest::example::{Story, captures};

/// A folder with two generated days; gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("xarb-sweep-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for seed in [1, 2] {
            let texts = captures(Story { seed, steps: 400, pace_ms: 40, unseeded: false, gap: false });
            for (market, text) in ["spot", "usdm"].into_iter().zip(texts) {
                std::fs::write(folder.join(format!("{market}-{seed}")), text).unwrap();
            }
        }
        Folder(folder)
    }

    /// Sweeps over the days into a folder of that name.
    fn sweep(&self, results: &str, args: &[&str], days: &[&str]) -> Ran {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/reference-spot-usdm.toml");
        let output = Command::new(env!("CARGO_BIN_EXE_xarb"))
            .current_dir(&self.0)
            .args(["sweep", "--json", "-o", results, "-c"])
            .arg(config)
            .args(args)
            .args(days)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let report =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
        Ran { code: output.status.code().unwrap(), report, stderr }
    }

    fn csv(&self, results: &str) -> String {
        std::fs::read_to_string(self.0.join(results).join("sweep.csv")).unwrap()
    }

    /// The shards' files by name.
    fn shards(&self, results: &str) -> BTreeMap<PathBuf, String> {
        let files = std::fs::read_dir(self.0.join(results)).unwrap().map(|entry| entry.unwrap().path());
        let shards = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        shards.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Ran {
    code: i32,
    report: Value,
    stderr: String,
}

const DAYS: [&str; 2] = ["spot-1,usdm-1", "spot-2,usdm-2"];
const GRID: [&str; 4] = ["--grid=detect.min_edge_bps=1,4", "--grid=detect.haircut=0.5,1", "--split", "70"];

#[test]
fn a_sweep_is_the_same_with_any_number_of_workers_and_goes_on_where_it_was() {
    let folder = Folder::new();
    let one = folder.sweep("one", &[&GRID[..], &["--jobs=1"]].concat(), &DAYS);
    assert_eq!(one.code, 0, "{}", one.stderr);
    // Two days over the same minutes: each has both parts, of each of the four combinations.
    assert_eq!((&one.report["combinations"], &one.report["ran"]), (&Value::from(4), &Value::from(16)));
    let two = folder.sweep("two", &[&GRID[..], &["--jobs=2"]].concat(), &DAYS);
    assert_eq!(two.code, 0, "{}", two.stderr);
    assert_eq!(one.report["ranking"], two.report["ranking"]);
    let csv = folder.csv("one");
    assert_eq!(csv, folder.csv("two"));
    assert_eq!(csv.lines().count(), 17);
    let best = &one.report["ranking"][0];
    assert!(best["train"].is_string() && best["test"].is_string(), "{best}");
    let trains: Vec<f64> =
        one.report["ranking"].as_array().unwrap().iter().map(|place| number(&place["train"])).collect();
    assert!(trains.is_sorted_by(|a, b| a >= b) && trains[0] > trains[3], "{trains:?}");
    let page = std::fs::read_to_string(folder.0.join("one/sweep.html")).unwrap();
    assert!(page.contains("4 combinations were tried on 2 days"), "{page}");
    assert_eq!(page.matches("<td style=").count(), 8);

    // As if it had been stopped: some shards are missing, and one is torn.
    let before = folder.shards("one");
    let paths: Vec<_> = before.keys().collect();
    std::fs::remove_file(paths[0]).unwrap();
    std::fs::remove_file(paths[5]).unwrap();
    std::fs::write(paths[9], &before[paths[9]][..40]).unwrap();
    let again = folder.sweep("one", &GRID, &DAYS);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!((&again.report["ran"], &again.report["skipped"]), (&Value::from(3), &Value::from(13)));
    assert_eq!(folder.csv("one"), csv);
    let after = folder.shards("one");
    assert_eq!(after.len(), 16);
    let kept = before.iter().filter(|(path, text)| after[*path] == **text).count();
    assert!(kept >= 13, "{kept} of 16 files are as they were");

    // Another override, another sweep; so with another capture.
    let other = folder.sweep("one", &[&GRID[..], &["--set=risk.cooldown_ms=50"]].concat(), &DAYS);
    assert_eq!((other.code, &other.report["skipped"]), (0, &Value::from(0)), "{}", other.stderr);
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn the_parts_of_a_split_are_what_backtests_of_those_times_give() {
    let folder = Folder::new();
    let args = ["--grid=detect.min_edge_bps=1", "--split=50", "--list"];
    let listed = folder.sweep("list", &args, &DAYS[..1]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert!(folder.shards("list").is_empty());
    let shards = listed.report["shards"].as_array().unwrap();
    let run = |args: Vec<&str>| -> Value {
        let output =
            Command::new(env!("CARGO_BIN_EXE_xarb")).current_dir(&folder.0).args(args).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let command = |shard: &Value| -> Vec<String> {
        shard["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let parts: Vec<Value> =
        shards.iter().map(|shard| run(command(shard).iter().skip(1).map(String::as_str).collect())).collect();
    let train = command(&shards[0]);
    let whole = run(train
        .iter()
        .skip(1)
        .map(String::as_str)
        .filter(|word| !word.starts_with("--until-ns"))
        .collect());
    let sum = |key: &str| parts.iter().map(|part| part["funnel"][key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("evaluations"), whole["funnel"]["evaluations"], "every look belongs to one part");
    let found: Vec<u64> = parts.iter().map(|part| part["opportunities"].as_u64().unwrap()).collect();
    assert!(found.iter().all(|found| *found > 0), "{found:?}");
    assert_eq!(Value::from(found.iter().sum::<u64>()), whole["opportunities"]);
    assert_eq!(parts[1]["messages"], whole["messages"], "books are built from the beginning");
}

/// Where Ray is installed; `XARB_NO_RAY` passes it over, since starting Ray takes a while.
#[test]
fn a_sweep_on_ray_gives_the_same_table() {
    let has_ray = || Command::new("python3").args(["-c", "import ray"]).output();
    if std::env::var_os("XARB_NO_RAY").is_some() || !has_ray().is_ok_and(|ran| ran.status.success()) {
        eprintln!("no Ray here");
        return;
    }
    let folder = Folder::new();
    let own = folder.sweep("own", &GRID[..1], &DAYS[..1]);
    assert_eq!(own.code, 0, "{}", own.stderr);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        .current_dir(&folder.0)
        .arg(root.join("scripts/sweep_ray.py"))
        .args(["--xarb", env!("CARGO_BIN_EXE_xarb"), "--", "-o", "ray", "-c"])
        .arg(root.join("configs/reference-spot-usdm.toml"))
        .args([GRID[0], DAYS[0]])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("2/2 "), "every backtest was one of Ray's: {stderr}");
    assert_eq!(folder.csv("ray"), folder.csv("own"));
}

#[test]
fn a_backtest_that_fails_is_named_and_the_rest_is_finished() {
    let folder = Folder::new();
    // A histogram is read only by the backtest that uses it.
    std::fs::write(folder.0.join("latency"), "no histogram").unwrap();
    let grid = "--grid=latency.feed=0,file:latency";
    let ran = folder.sweep("failed", &[grid], &DAYS[..1]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let failed = ran.report["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 1);
    assert!(failed[0]["shard"].as_str().unwrap().contains("latency.feed=file:latency"), "{failed:?}");
    assert!(failed[0]["error"].as_str().unwrap().contains("latency"), "{failed:?}");
    let ranking = ran.report["ranking"].as_array().unwrap();
    assert_eq!(ranking[0]["values"]["latency.feed"], "0");
    assert!(ranking[0]["train"].is_string() && ranking[1]["train"].is_null(), "{ranking:?}");
    assert_eq!(folder.shards("failed").len(), 1);
}

#[test]
fn slips_are_refused_before_anything_runs() {
    let folder = Folder::new();
    let cases: [(&[&str], &[&str], i32, &str); 6] = [
        (&["--grid=detect.min_edge=1,2"], &DAYS, 2, "detect.min_edge"),
        (&["--grid=detect.min_edge_bps=1,two"], &DAYS, 2, "detect.min_edge_bps=two"),
        (&["--grid=detect.min_edge_bps"], &DAYS, 2, "expected KEY=VALUE"),
        (&["--grid=detect.haircut=1", "--set=detect.haircut=1"], &DAYS, 2, "the key is --set, too"),
        (&["--grid=detect.haircut=1"], &["spot-1,nothing"], 1, "nothing: "),
        (&["--grid=run.seed=1,2,1"], &DAYS, 2, "the value 1 is given twice"),
    ];
    for (args, days, code, want) in cases {
        let ran = folder.sweep("refused", args, days);
        let error = ran.report["error"].as_str().unwrap_or_default();
        assert!(ran.code == code && error.contains(want), "{args:?}: {} {error}", ran.code);
        assert!(!folder.0.join("refused").exists(), "{args:?}");
    }
}
