//! Which captures feed which books, and what is said where something does not fit.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use xarb::backtest::example::{Story, captures};

/// A folder with these files; gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("xarb-fed-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Folder(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&folder.0).unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.0.join(name), bytes).unwrap();
        }
        folder
    }

    /// Runs the program in the folder: its code, its JSON, its stderr.
    fn run(&self, args: &[&str]) -> (i32, Value, String) {
        let output =
            Command::new(env!("CARGO_BIN_EXE_xarb")).current_dir(&self.0).args(args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let report =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
        (output.status.code().unwrap(), report, stderr)
    }

    /// A backtest of spot against USD-M.
    fn backtest(&self, args: &[&str]) -> (i32, Value, String) {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/reference-spot-usdm.toml");
        self.run(&[&["backtest", "--json", "-c", config.to_str().unwrap()], args].concat())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const STORY: Story = Story { seed: 1, steps: 300, pace_ms: 40, unseeded: false, gap: false };

fn gzipped(text: &str) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, text.as_bytes()).unwrap();
    gz.finish().unwrap()
}

#[test]
fn captures_that_feed_nothing_are_named() {
    let [spot, usdm] = captures(STORY);
    let other = usdm.replace("BTCUSDT", "ETHUSDT").replace("btcusdt", "ethusdt");
    let files = [("spot", spot.as_bytes()), ("usdm", usdm.as_bytes()), ("other", other.as_bytes())];
    let folder = Folder::new(&files);

    let (code, report, stderr) = folder.backtest(&["other"]);
    assert_eq!(code, 2, "{stderr}");
    let error = report["error"].as_str().unwrap();
    assert!(error.contains("other: ") && error.contains("binance.usdm BTCUSDT"), "{error}");

    let (code, report, stderr) = folder.backtest(&["spot", "other"]);
    assert_eq!((code, &report["opportunities"]), (0, &Value::from(0)), "{stderr}");
    let want = "xarb: other: nothing there is of a book of the configuration\n\
                xarb: binance.usdm BTCUSDT: nothing of it is in the captures\n";
    assert_eq!(stderr, want);
    let [own, foreign] = [&report["files"][0], &report["files"][1]];
    assert_eq!(foreign["ignored"], foreign["messages"]);
    assert!(own["ignored"].as_u64() < own["messages"].as_u64(), "{own}");

    let (code, _, stderr) = folder.backtest(&["spot", "usdm"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    // A part may be too short to tell.
    let first = other.split_once(' ').unwrap().0;
    let (code, _, stderr) = folder.backtest(&["other", "--until-ns", first]);
    assert!(code == 0 && stderr.contains("xarb: other: nothing there"), "{code} {stderr}");
}

#[test]
fn what_was_wrong_is_said() {
    let [spot, usdm] = captures(STORY);
    let torn = gzipped(&usdm);
    let files = [("spot", spot.as_bytes()), ("torn.gz", &torn[..torn.len() / 2])];
    let folder = Folder::new(&files);
    let (code, report, stderr) = folder.backtest(&["spot", "torn.gz"]);
    assert_eq!(code, 3, "{stderr}");
    let malformed: Vec<_> = (0..2).map(|file| &report["files"][file]["malformed"]).collect();
    assert_eq!(malformed, [0, 1], "{report}");
    let told = report["files"][1]["errors"][0].as_str().unwrap();
    assert!(stderr.contains(&format!("xarb: torn.gz: {told}\n")), "{stderr}");

    // An update goes missing, and no snapshot follows.
    let lost: String = usdm
        .lines()
        .enumerate()
        .filter(|(at, line)| *at != 200 || !line.contains("depthUpdate"))
        .map(|(_, line)| format!("{line}\n"))
        .collect();
    assert_ne!(lost, usdm);
    std::fs::write(folder.0.join("lost"), lost).unwrap();
    let (code, _, stderr) = folder.backtest(&["spot", "lost"]);
    assert_eq!((code, stderr.as_str()), (3, "xarb: binance.usdm BTCUSDT: the book ended unsynced\n"));

    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/reference-spot-usdm.toml");
    let grid = ["--grid=detect.min_edge_bps=1,2", "spot,torn.gz", "spot,lost"];
    let (code, report, stderr) =
        folder.run(&[&["sweep", "--json", "-c", config.to_str().unwrap()], &grid[..]].concat());
    assert_eq!((code, &report["unsound"]), (3, &Value::from(4)), "{stderr}");
    let faults = ["binance.usdm BTCUSDT: the book ended unsynced".to_owned(), format!("torn.gz: {told}")];
    assert_eq!(report["faults"], Value::from(faults.to_vec()));
    for fault in &faults {
        assert!(stderr.contains(&format!("xarb: {fault} (in 2 of 4 backtests)\n")), "{stderr}");
        assert!(report["notes"][2].as_str().unwrap().contains(fault), "{report}");
    }
}

#[test]
fn outputs_are_files_of_their_own() {
    let [spot, usdm] = captures(STORY);
    let folder = Folder::new(&[("spot", spot.as_bytes()), ("usdm", usdm.as_bytes())]);
    let cases: [(&[&str], &str); 4] = [
        (&["--opportunities", "x", "--ledger", "x"], "--ledger x: the file is --opportunities, too"),
        (&["--ledger", "./x", "--report", "x"], "--report x: the file is --ledger, too"),
        (&["--report", "../HERE/usdm"], "the file is CAPTURE, too"),
        (&["--opportunities", "spot"], "--opportunities spot: the file is CAPTURE, too"),
    ];
    let here = folder.0.file_name().unwrap().to_str().unwrap();
    for (args, want) in cases {
        let args: Vec<String> = args.iter().map(|arg| arg.replace("HERE", here)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (code, report, _) = folder.backtest(&[&args[..], &["spot", "usdm"]].concat());
        let error = report["error"].as_str().unwrap();
        assert!(code == 2 && error.contains(want), "{args:?}: {code} {error}");
        assert!(!folder.0.join("x").exists(), "{args:?}");
        assert_eq!(std::fs::read_to_string(folder.0.join("usdm")).unwrap(), usdm);
    }
    std::fs::write(folder.0.join("x"), "what was there").unwrap();
    let twice = ["--ledger", "/dev/null", "--report", "/dev/null"];
    let (code, ..) = folder.backtest(&[&twice[..], &["--opportunities", "x", "spot", "usdm"]].concat());
    assert_eq!(code, 0);
    assert!(std::fs::read_to_string(folder.0.join("x")).unwrap().starts_with("t_ns,"));
}

#[test]
fn the_span_is_of_what_was_looked_at() {
    let [spot, usdm] = captures(STORY);
    let folder = Folder::new(&[("spot", spot.as_bytes()), ("usdm", usdm.as_bytes())]);
    let at = |line: &str| line.split_once(' ').unwrap().0.parse::<i64>().unwrap();
    let last = [&spot, &usdm].map(|text| at(text.lines().last().unwrap())).into_iter().max().unwrap();
    let from = (last - 3_000_000_000).to_string();
    let (code, report, stderr) = folder.backtest(&["spot", "usdm", "--from-ns", &from]);
    assert_eq!((code, &report["span_s"]), (0, &Value::from(3.0)), "{stderr}");
}

#[test]
fn a_command_line_without_captures_says_what_there_is() {
    let folder = Folder::new(&[("file", b"")]);
    std::fs::create_dir(folder.0.join("days")).unwrap();
    for (args, code, want) in [
        (&["backtest", "--json"][..], 2, "--example"),
        (&["backtest", "--json", "days"], 2, "days: is a directory"),
        (&["replay", "--json", "days"], 2, "days: is a directory"),
        (&["stats", "--json", "days"], 2, "days: is a directory"),
    ] {
        let (got, report, _) = folder.run(args);
        let error = report["error"].as_str().unwrap();
        assert!(got == code && error.contains(want), "{args:?}: {got} {error}");
    }
}

/// Markets that share an address share a connection: each venue takes its own.
#[test]
fn swaps_are_fed_by_the_connection_that_also_carries_spot() {
    let config = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/reference-spot-usdm-free.toml"),
    );
    let config = config.unwrap().replace("binance.spot", "okx.spot").replace("binance.usdm", "okx.swap");
    let config = config.replace(r#""okx.spot" = "BTCUSDT""#, r#""okx.spot" = "BTC-USDT""#);
    let config = config.replace(r#""okx.swap" = "BTCUSDT""#, r#""okx.swap" = "BTC-USDT-SWAP""#);
    let mut text = r#"{"t":"header","format":2,"exchange":"OKX"}"#.to_owned() + "\n";
    let mut line = |ms: i64, rest: Value| {
        let ts = 1_700_000_000.0 + ms as f64 / 1e3;
        let mut record = serde_json::json!({ "conn": "ws.1", "ts": ts });
        record.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        text.push_str(&format!("{record}\n"));
    };
    let addr = "wss://ws.okx.com:8443/ws/v5/public";
    line(0, serde_json::json!({ "t": "connect", "addr": addr }));
    let mut book = |ms: i64, symbol: &str, action: &str, seqs: [i64; 2], bid: &str, ask: &str| {
        let data = format!(
            r#"{{"arg":{{"channel":"books","instId":"{symbol}"}},"action":"{action}","data":[{{"asks":[["{ask}","2","0","1"]],"bids":[["{bid}","2","0","1"]],"ts":"1700000000000","checksum":0,"prevSeqId":{},"seqId":{}}}]}}"#,
            seqs[0], seqs[1]
        );
        line(ms, serde_json::json!({ "t": "recv", "data": data }));
    };
    book(10, "BTC-USDT-SWAP", "snapshot", [-1, 10], "60100", "60110");
    book(20, "BTC-USDT", "snapshot", [-1, 100], "59990", "60000");
    book(30, "BTC-USDT-SWAP", "update", [10, 11], "60099", "60120");
    book(40, "BTC-USDT", "update", [100, 101], "59980", "60010");
    let folder = Folder::new(&[("own.toml", config.as_bytes()), ("okx", text.as_bytes())]);

    let (code, report, stderr) = folder.run(&["backtest", "--json", "-c", "own.toml", "okx"]);
    assert_eq!(code, 0, "{report} {stderr}");
    for (book, venue) in report["books"].as_array().unwrap().iter().zip(["okx.spot", "okx.swap"]) {
        let counts = ["snapshots", "updates"].map(|name| book[name].as_u64().unwrap());
        assert_eq!((&book["venue"], &book["state"], counts), (&venue.into(), &"live".into(), [1, 1]));
    }
    assert!(report["opportunities"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["files"][0]["ignored"], 0);
    let broken = text.replace(r#""seqId\":101"#, r#""seqId\":x"#);
    std::fs::write(folder.0.join("broken"), broken).unwrap();
    let (code, report, stderr) = folder.run(&["backtest", "--json", "-c", "own.toml", "broken"]);
    assert_eq!((code, &report["files"][0]["malformed"]), (3, &Value::from(1)), "{stderr}");
    let (code, report, stderr) = folder.run(&["replay", "--json", "okx"]);
    assert_eq!(code, 0, "{stderr}");
    let books = report["books"].as_array().unwrap().iter();
    let books: Vec<_> = books.map(|book| (book["venue"].as_str(), book["symbol"].as_str())).collect();
    assert_eq!(books, [(Some("okx.spot"), Some("BTC-USDT")), (Some("okx.swap"), Some("BTC-USDT-SWAP"))]);
}
