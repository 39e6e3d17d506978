//! Running `xarb backtest` over texts.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// What a run gave.
pub struct Ran {
    pub code: i32,
    pub report: Value,
    /// The rows of the list, without its heading.
    pub rows: Vec<String>,
    pub stderr: String,
}

/// An amount in units of 1e-24.
pub fn units(text: &Value) -> i128 {
    let text = text.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let magnitude: i128 = format!("{}{part:0<24}", whole.trim_start_matches('-')).parse().unwrap();
    if text.starts_with('-') { -magnitude } else { magnitude }
}

/// What became of the opportunities is the profit, to the last digit.
#[track_caller]
fn adds_up(report: &Value) {
    let Some(pnl) = report["pnl"].as_object() else { return };
    let funnel = &report["funnel"];
    let parts = [&funnel["parts"]["realised"], &funnel["leftovers"], &funnel["revalued"]].map(units);
    assert_eq!(parts.iter().sum::<i128>(), pnl.values().map(units).sum::<i128>(), "{report}");
}

/// Runs a configuration of the repository over captures with these contents.
pub fn backtest(config: &str, captures: &[&[u8]], args: &[&str]) -> Ran {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let file = |name: &str| {
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        std::env::temp_dir().join(format!("xarb-backtest-{}-{n}-{name}", std::process::id()))
    };
    let list = file("list.csv");
    let paths: Vec<PathBuf> = captures
        .iter()
        .map(|content| {
            let path = file("capture");
            std::fs::write(&path, content).unwrap();
            path
        })
        .collect();
    let config = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("configs").join(config);
    let output = Command::new(env!("CARGO_BIN_EXE_xarb"))
        .args(["backtest", "--json", "-c"])
        .arg(config)
        .arg("--opportunities")
        .arg(&list)
        .args(args)
        .args(&paths)
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let report = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    let text = std::fs::read_to_string(&list).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    paths.iter().chain([&list]).for_each(|path| std::fs::remove_file(path).unwrap());
    let mut lines = text.lines();
    let heading = "t_ns,instrument,buy_venue,sell_venue,qty,buy_price,sell_price,gross_bps,net_bps,net_quote";
    assert_eq!(lines.next(), Some(heading), "{report}");
    adds_up(&report);
    Ran { code: output.status.code().unwrap(), report, rows: lines.map(str::to_owned).collect(), stderr }
}
