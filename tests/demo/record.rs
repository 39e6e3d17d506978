//! What a run recorded of its inputs: it changes nothing of the run, holds no secret, and replays to
//! live books.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use xarb::capture::{Capture, Record, RecordKind};

use super::{sum, xarb};

/// A path of this process alone, removed when the test ends.
pub struct Temporary(PathBuf);

impl Temporary {
    pub fn new(name: &str) -> Temporary {
        let path = std::env::temp_dir().join(format!("xarb-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Temporary(path)
    }

    pub fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn records(&self) -> Vec<Record> {
        let mut capture = Capture::new(Box::new(File::open(&self.0).unwrap())).unwrap();
        let (mut records, mut record) = (Vec::new(), Record::default());
        while capture.next(&mut record).unwrap() {
            records.push(record.clone());
        }
        let meta = capture.meta().unwrap();
        assert_eq!(meta.dropped, 0);
        assert!(meta.instruments.len() >= 2 && meta.venues.iter().all(|(_, venue)| venue.taker.is_some()));
        records
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Every book of a recording ends live.
#[track_caller]
pub fn replays(path: &str) -> serde_json::Value {
    let (code, report, talk) = xarb(&["replay", path]);
    assert_eq!(code, 0, "{talk} {report}");
    let books = report["books"].as_array().unwrap();
    assert!(books.len() >= 2, "{report}");
    for book in books {
        assert_eq!(book["state"], "live", "{book}");
        assert!(book["instrument"].is_string() && book["updates"].as_u64().unwrap() > 5, "{book}");
    }
    report
}

#[test]
fn a_stepped_demo_records_every_input_and_is_the_same_for_it() {
    let (first, second) = (Temporary::new("stepped-1.mcap"), Temporary::new("stepped-2.mcap"));
    let run = |more: &[&str]| {
        let (code, report, talk) =
            xarb(&[&["demo", "--stepped", "--seconds", "5", "--seed", "7"], more].concat());
        assert_eq!(code, 0, "{talk}");
        report
    };
    let plain = run(&[]);
    let recorded = run(&["--record", first.text()]);
    assert_eq!(plain["journal_sha256"], recorded["journal_sha256"]);
    run(&["--record", second.text()]);
    let records = first.records();
    assert_eq!(records, second.records(), "one seed, one recording");

    let replayed = replays(first.text());
    let messages = replayed["files"][0]["messages"].as_u64().unwrap();
    assert_eq!(messages, sum(&recorded, "frames"), "every frame of the feeds, and nothing else");
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for record in &records {
        *kinds.entry(format!("{:?}", record.kind)).or_default() += 1;
    }
    for kind in ["Connect", "Text", "Tick", "HttpAnswer", "Private"] {
        assert!(kinds.contains_key(kind), "{kind}: {kinds:?}");
    }
    // The private streams are there without what opened them.
    let private = records.iter().filter(|record| record.kind == RecordKind::Private);
    let words: Vec<_> = private.map(|record| String::from_utf8_lossy(&record.bytes).into_owned()).collect();
    assert!(words.iter().any(|text| text.contains("\"token\":\"blanked\"")), "a token was answered");
    assert!(!words.iter().any(|text| text.contains("\"listenKey\":\"") && !text.contains("blanked")));
}

/// Market data in SBE, whose first messages on the connection are text all the same; and imported once
/// more.
#[test]
fn a_recording_of_binary_market_data_replays() {
    let (path, again) = (Temporary::new("sbe.mcap"), Temporary::new("sbe-again.mcap"));
    let sbe = ["--venues", "binance.spot,kraken.spot", "--set", "venue.binance.spot.encoding=sbe"];
    let run = ["demo", "--stepped", "--seconds", "4", "--seed", "7", "--record", path.text()];
    let (code, _, talk) = xarb(&[&run[..], &sbe].concat());
    assert_eq!(code, 0, "{talk}");
    assert!(path.records().iter().any(|record| record.kind == RecordKind::Binary));
    let first = replays(path.text());
    let (code, _, talk) = xarb(&["import", path.text(), "-o", again.text()]);
    assert_eq!(code, 0, "{talk}");
    assert_eq!(first["books"], replays(again.text())["books"]);
}

#[test]
fn a_live_recording_of_simulated_feeds_replays() {
    let path = Temporary::new("live.mcap");
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/demo.toml");
    let (code, report, talk) =
        xarb(&["record", "-c", config, "-o", path.text(), "--seconds", "3", "--compression", "zstd"]);
    assert_eq!(code, 0, "{talk} {report}");
    assert_eq!((&report["dropped"], report["files"].as_array().unwrap().len()), (&0.into(), 1));
    assert!(report["messages"].as_u64().unwrap() > 50, "{report}");
    assert!(path.records().iter().all(|record| record.kind != RecordKind::Private));
    replays(path.text());
    // A second recording does not write over the first by accident.
    let (code, report, _) = xarb(&["record", "-c", config, "-o", path.text(), "--seconds", "1"]);
    assert_eq!(code, 2);
    assert!(report["error"].as_str().unwrap().contains("--force"), "{report}");
}

/// On what it recorded, without any venue, a run decides the same; on other terms it does not, and that
/// is told; and a run of several threads cannot be had again.
#[test]
fn a_recorded_demo_runs_again() {
    let file = Temporary::new("again.mcap");
    let options = ["demo", "--stepped", "--seconds", "4", "--seed", "9"];
    let (code, report, talk) = xarb(&[&options[..], &["--record", file.text()]].concat());
    assert_eq!(code, 0, "{talk}");
    assert!(report["intents"].as_u64() > Some(3), "{report}");
    let again = |options: &[&str]| xarb(&[options, &["--again", file.text()]].concat());

    let (code, same, talk) = again(&options);
    assert_eq!((code, &same["same"]), (0, &true.into()), "{same} {talk}");
    for key in ["journal_sha256", "opportunities", "intents"] {
        assert_eq!(same[key], report[key], "{key}");
    }
    let dearer = [&options[..], &["--set", "detect.min_edge_bps=9"]].concat();
    let (code, other, _) = again(&dearer);
    assert_eq!((code, &other["same"]), (3, &false.into()), "{other}");
    assert_eq!(other["recorded_sha256"], report["journal_sha256"]);

    // Cut in its last chunk: what is there is read, and nothing is claimed.
    let bytes = std::fs::read(&file.0).unwrap();
    std::fs::write(&file.0, &bytes[..bytes.len() * 3 / 4]).unwrap();
    let (code, cut, _) = again(&options);
    assert_eq!(code, 3, "{cut}");

    let (code, _, talk) = xarb(&["demo", "--seconds", "1", "--record", file.text(), "--force"]);
    assert_eq!(code, 0, "{talk}");
    let (code, error, _) = again(&["demo"]);
    assert!(code == 2 && error["error"].as_str().unwrap().contains("one thread"), "{error}");
}
