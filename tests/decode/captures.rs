//! What the exchanges really sent: every message by every tier.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Venue, agreed};
use xarb::types::Scale;
use xarb::wire::json::{Error, TierUse};

/// Where captures are, when they are there.
fn folder() -> Option<PathBuf> {
    let folder = crate::common::folder();
    folder.is_dir().then_some(folder)
}

fn unpacked(path: &Path) -> String {
    let packed = std::fs::read(path).expect("a readable capture");
    let mut text = String::new();
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).map(|_| ()),
        Some("zst") => zstd::stream::read::Decoder::new(&packed[..])
            .and_then(|mut d| d.read_to_string(&mut text).map(|_| ())),
        _ => (&packed[..]).read_to_string(&mut text).map(|_| ()),
    }
    .expect("a sound capture");
    text
}

/// The messages of a capture, whatever its container.
fn messages(path: &Path) -> Vec<String> {
    let text = unpacked(path);
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    if name.contains(".ws.") {
        // `<time>: <message>`; what was sent has more before the time.
        let received =
            text.lines().filter_map(|line| line.split_once(": ").filter(|(at, _)| !at.contains(' ')));
        return received.map(|(_, message)| message.to_owned()).collect();
    }
    if name.starts_with("cryptofeed") {
        let records =
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a record"));
        let received = records.filter(|record| record["t"] == "recv");
        return received.map(|record| record["data"].as_str().expect("a text").to_owned()).collect();
    }
    if name.starts_with("python") {
        let file: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).expect("a file");
        let list = |key: &str| match &file[key] {
            serde_json::Value::Array(list)
                if key == "updates" || list.first().is_some_and(|e| !e.is_number()) =>
            {
                list.clone()
            }
            one => vec![one.clone()],
        };
        return list("init").iter().chain(&list("updates")).map(reordered).collect();
    }
    text.lines().map(|line| line[line.find(['{', '[']).expect("a message")..].to_owned()).collect()
}

/// serde_json's map sorts keys; the venue does not.
fn reordered(value: &serde_json::Value) -> String {
    const ORDER: [&str; 9] =
        ["channel", "type", "data", "symbol", "bids", "asks", "checksum", "timestamp", "price"];
    match value {
        serde_json::Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort_by_key(|key| ORDER.iter().position(|k| k == key).unwrap_or(ORDER.len()));
            let fields: Vec<_> =
                keys.iter().map(|key| format!("\"{key}\":{}", reordered(&map[*key]))).collect();
            format!("{{{}}}", fields.join(","))
        }
        serde_json::Value::Array(list) => {
            format!("[{}]", list.iter().map(reordered).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[test]
fn captured_messages_are_told_alike_by_every_tier() {
    let Some(folder) = folder() else {
        eprintln!("no captures here: skipped");
        return;
    };
    // All of them take minutes without optimisation.
    let some = cfg!(debug_assertions) && std::env::var_os("XARB_CAPTURES_ALL").is_none();
    let stride = if some { 101 } else { 1 };
    for (venue, prefix, sub) in [
        (Venue::Binance, "hftbacktest-", "binance"),
        (Venue::Binance, "basis-", "binance"),
        (Venue::Binance, "cryptofeed-", "binance"),
        (Venue::Kraken, "cryptofeed-KRAKEN.", "kraken"),
        (Venue::Kraken, "python-", "kraken"),
        (Venue::KrakenFutures, "cryptofeed-KRAKEN_FUTURES.", "kraken"),
        (Venue::Coinbase, "cryptofeed-", "coinbase"),
        (Venue::Bybit, "cryptofeed-", "bybit"),
        (Venue::Okx, "cryptofeed-", "okx"),
    ] {
        let mut paths: Vec<_> = std::fs::read_dir(folder.join(sub))
            .expect("a folder of captures")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(prefix)))
            .collect();
        paths.sort();
        for path in paths {
            let mut mix = TierUse::default();
            let all = messages(&path);
            let stride = if all.len() < 2_000 { 1 } else { stride };
            for text in all.iter().step_by(stride) {
                let (mut told, used) = agreed(venue, Scale::DEFAULT, text.as_bytes(), b"]}");
                if matches!(told, Err(Error::Decimal { .. })) {
                    // Some pair quotes finer than others' largest prices leave room for.
                    told = agreed(venue, Scale::new(10).expect("a scale"), text.as_bytes(), b"]}").0;
                }
                let snapshot = text.starts_with("{\"lastUpdateId\"");
                assert!(told.is_ok() || snapshot, "{told:?}: {text}");
                mix.template += used.template;
                mix.scanner += used.scanner;
                mix.library += used.library;
                if snapshot {
                    let mut levels = Vec::new();
                    let read =
                        xarb::venue::binance::decode::snapshot(text.as_bytes(), Scale::DEFAULT, &mut levels);
                    let read = read.expect("a snapshot");
                    assert_eq!((read.bids.end, read.asks.end as usize), (read.asks.start, levels.len()));
                    assert!(levels.len() > 100);
                }
            }
            eprintln!("{}: {mix:?}", path.file_name().expect("a name").display());
            assert_eq!(mix.library, 0, "{path:?}");
        }
    }
}
