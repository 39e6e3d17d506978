//! Captures of every format, made here or recorded for real, through the real binary.

#[path = "common/captures.rs"]
mod common;
#[path = "replay/export.rs"]
mod export;
#[path = "replay/import.rs"]
mod import;
#[path = "replay/private.rs"]
mod private;

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use serde_json::Value;
use xarb::capture::{Capture, Gather, Outcome, Record, Replay};
use xarb::venue::VENUES;

/// Runs `xarb replay --json` over files with these contents.
fn replay(contents: &[Vec<u8>], args: &[&str]) -> (i32, Value, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut paths: Vec<PathBuf> = Vec::new();
    for content in contents {
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("xarb-replay-{}-{n}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        paths.push(path);
    }
    let output = Command::new(env!("CARGO_BIN_EXE_xarb"))
        .args(["replay", "--json"])
        .args(args)
        .args(&paths)
        .output()
        .unwrap();
    paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let stdout = String::from_utf8(output.stdout).unwrap();
    let value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    (output.status.code().unwrap(), value, String::from_utf8(output.stderr).unwrap())
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const T0: i64 = 1_700_000_000_000_000_000;

/// A depth update of the spot stream, as its recorder writes it.
fn update(at: i64, first: u64, last: u64, bids: &str, asks: &str) -> String {
    let data = format!(
        r#"{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{first},"u":{last},"b":[{bids}],"a":[{asks}]}}"#
    );
    format!("{} {{\"stream\":\"btcusdt@depth@100ms\",\"data\":{data}}}\n", T0 + at)
}

fn snapshot(at: i64, last: u64) -> String {
    format!(
        "{} {{\"lastUpdateId\":{last},\"bids\":[[\"100.50\",\"1.00\"],[\"100.00\",\"2\"]],\"asks\":[[\"101.00\",\"3.5\"]]}}\n",
        T0 + at
    )
}

fn ticker(at: i64, id: u64, bid: &str, ask: &str) -> String {
    let data = format!(r#"{{"u":{id},"s":"BTCUSDT","b":"{bid}","B":"2","a":"{ask}","A":"3.5"}}"#);
    format!("{} {{\"stream\":\"btcusdt@bookTicker\",\"data\":{data}}}\n", T0 + at)
}

fn trade(at: i64) -> String {
    let data = r#"{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"1","q":"1","T":1,"m":true,"M":true}"#;
    format!("{} {{\"stream\":\"btcusdt@trade\",\"data\":{data}}}\n", T0 + at)
}

/// A live book: an update that is older than the snapshot, the snapshot, one that joins it.
fn joined() -> String {
    [
        trade(1),
        update(2, 8, 10, r#"["99","1"]"#, ""),
        snapshot(3, 12),
        update(4, 11, 15, r#"["100.50","0"]"#, ""),
    ]
    .concat()
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    const_hex::encode(sha2::Sha256::digest(text))
}

#[test]
fn a_book_is_rebuilt_and_told_in_the_agreed_shape() {
    let text = joined() + &ticker(5, 16, "100", "101");
    let (code, got, stderr) = replay(&[gzip(&text)], &["--depth", "1"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let mut want = serde_json::json!({
        "files": [{"path": got["files"][0]["path"], "format": "hftbacktest", "messages": 4, "ignored": 1, "malformed": 0}],
        "books": [{
            "venue": "binance.spot", "symbol": "BTCUSDT", "instrument": null, "state": "live",
            "snapshots": 1, "updates": 1, "gaps": 0, "checksums": {"ok": 0, "bad": 0, "absent": 2}, "crossed": 0,
            "levels": {"bids": 1, "asks": 1}, "bids": [["100", "2"]], "asks": [["101", "3.5"]],
            "digest": sha256("b 100 2\na 101 3.5\n"),
        }],
    });
    for key in ["wall_s", "messages_per_s"] {
        assert!(got[key].is_number());
        want[key] = got[key].clone();
    }
    assert_eq!(got, want);
    // The same, not compressed, and with Windows line ends.
    let (_, plain, _) = replay(&[text.replace('\n', "\r\n").into_bytes()], &["--depth", "1"]);
    assert_eq!(plain["books"], got["books"]);
}

/// State, gaps and exit code of a recording of the spot stream.
#[test]
fn gaps_and_middles_are_told() {
    let follow = || update(5, 16, 20, r#"["99","7"]"#, "");
    let gap = || update(6, 30, 31, r#"["98","1"]"#, "");
    for (text, code, state, gaps, levels) in [
        (update(1, 8, 10, "", "") + &update(2, 11, 12, "", ""), 0, "waiting", 0, 0),
        (joined() + &follow(), 0, "live", 0, 2),
        (joined() + &follow() + &gap(), 3, "unsynced", 1, 0),
        (joined() + &gap() + &snapshot(7, 31) + &update(8, 32, 33, r#"["98","1"]"#, ""), 0, "live", 1, 3),
    ] {
        let (got_code, got, _) = replay(&[gzip(&text)], &[]);
        let book = &got["books"][0];
        let bids = book["levels"]["bids"].as_u64().unwrap();
        assert_eq!((got_code, book["state"].as_str().unwrap()), (code, state), "{text}");
        assert_eq!((book["gaps"].as_u64().unwrap(), bids), (gaps, levels), "{text}");
    }
}

#[test]
fn files_continue_the_same_book_and_time_can_stop() {
    let first = gzip(&joined());
    let second = gzip(&update(5, 16, 20, r#"["99","7"]"#, ""));
    let (code, got, _) = replay(&[first.clone(), second.clone()], &[]);
    assert_eq!((code, &got["books"][0]["updates"]), (0, &2.into()));
    assert_eq!(got["books"][0]["bids"], serde_json::json!([["100", "2"], ["99", "7"]]));
    let until = (T0 + 4).to_string();
    let (_, got, _) = replay(&[first, second], &["--until-ns", &until]);
    assert_eq!(got["books"][0]["updates"], 1);
    assert_eq!(got["files"][1]["messages"], 0);
}

#[test]
fn what_cannot_be_read_is_counted_and_placed() {
    // A line that is no record, and a message that is no message: the books are not trusted.
    let (code, got, stderr) = replay(&[gzip(&(joined() + "what is this\n"))], &[]);
    assert_eq!(
        (code, &got["files"][0]["malformed"], &got["books"][0]["state"]),
        (3, &1.into(), &"live".into())
    );
    assert!(stderr.contains("line 5: expected a time in ns"), "{stderr}");
    let broken =
        format!("{} {{\"stream\":\"btcusdt@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\"\n", T0 + 9);
    let (code, got, stderr) = replay(&[gzip(&(joined() + &broken))], &[]);
    assert_eq!((code, &got["books"][0]["state"]), (3, &"unsynced".into()));
    assert!(stderr.contains("line 5: byte"), "{stderr}");

    // A tail that is torn off.
    let many: String = (0..2_000)
        .map(|i| {
            update(5 + i, 16 + i as u64, 16 + i as u64, &format!("[\"9{}.{}\",\"{i}\"]", i % 10, i % 97), "")
        })
        .collect();
    let mut torn = gzip(&(joined() + &many));
    torn.truncate(torn.len() / 2);
    let (code, got, stderr) = replay(&[torn.clone()], &[]);
    let messages = got["files"][0]["messages"].as_u64().unwrap();
    assert!(code == 3 && (100..1_900).contains(&messages), "{code} {messages}");
    assert_eq!((&got["files"][0]["malformed"], &got["books"][0]["state"]), (&1.into(), &"live".into()));
    assert!(stderr.contains(&format!("byte {}: the gzip stream is cut short", torn.len())), "{stderr}");
}

#[test]
fn a_labelled_log_is_read() {
    let line = |at: i64, symbol: &str, id: u64| {
        let data = format!(r#"{{"u":{id},"s":"{symbol}","b":"1","B":"2","a":"3","A":"4"}}"#);
        format!("{}\tlabel\t{{\"stream\":\"x@bookTicker\",\"data\":{data}}}\n", T0 + at)
    };
    let (code, got, _) = replay(&[gzip(&(line(1, "AUSDT", 5) + &line(2, "BUSDT", 6)))], &[]);
    let books: Vec<_> = got["books"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| (b["symbol"].as_str(), b["state"].as_str()))
        .collect();
    assert_eq!(books, [(Some("AUSDT"), Some("waiting")), (Some("BUSDT"), Some("waiting"))]);
    assert_eq!(
        (code, &got["files"][0]["format"], &got["files"][0]["messages"]),
        (0, &"feedlog".into(), &2.into())
    );
}

fn jsonl(records: &[Value]) -> Vec<u8> {
    let header = serde_json::json!({"t": "header", "format": 2, "exchange": "X"});
    let lines: String = std::iter::once(&header).chain(records).map(|record| format!("{record}\n")).collect();
    zstd::stream::encode_all(lines.as_bytes(), 3).unwrap()
}

#[test]
fn records_of_several_connections_are_sorted_by_time() {
    let depth = |first: u64, last: u64| {
        let data = format!(
            r#"{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{first},"u":{last},"b":[["5","1"]],"a":[]}}"#
        );
        format!(r#"{{"stream":"btcusdt@depth","data":{data}}}"#)
    };
    let url = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000";
    let snapshot = r#"{"lastUpdateId":12,"bids":[["4","1"]],"asks":[["6","1"]]}"#;
    let ws = "wss://stream.binance.com:9443/stream";
    let records = [
        serde_json::json!({"t": "recv", "conn": "ws.1", "ts": 1700000002.5, "data": depth(13, 14)}),
        serde_json::json!({"t": "recv", "conn": "ws.1", "ts": 1700000001.5, "data": depth(10, 12)}),
        serde_json::json!({"t": "http", "conn": "http.0", "ts": 1700000001.75, "url": url, "data": snapshot}),
        serde_json::json!({"t": "send", "conn": "ws.1", "ts": 1700000001.25, "data": "{}"}),
        serde_json::json!({"t": "connect", "conn": "ws.1", "ts": 1700000001.0, "addr": ws}),
    ];
    let (code, got, stderr) = replay(&[jsonl(&records)], &[]);
    let book = &got["books"][0];
    assert_eq!(
        (code, &book["state"], &got["files"][0]["format"]),
        (0, &"live".into(), &"cryptofeed-jsonl".into()),
        "{stderr}"
    );
    assert_eq!(book["bids"], serde_json::json!([["5", "1"], ["4", "1"]]));

    // Torn: what was whole is read.
    let mut torn = jsonl(&records);
    torn.truncate(torn.len() - 8);
    let (code, got, stderr) = replay(&[torn], &[]);
    assert!(code == 2 || code == 3, "{got}");
    assert!(stderr.contains("the zstd stream is cut short"), "{stderr}");
}

#[test]
fn a_false_checksum_is_an_integrity_failure() {
    let side = |from: f64, step: f64| -> String {
        let levels: Vec<_> = (0..10)
            .map(|i| format!("[\"{:.1}\",\"1.00000000\",\"1.0\"]", from + step * f64::from(i)))
            .collect();
        levels.join(",")
    };
    let (asks, bids) = (side(101.0, 1.0), side(100.0, -1.0));
    let text = format!(
        r#"{{"init":[7,{{"as":[{asks}],"bs":[{bids}]}},"book-10","XBT/USD"],
            "updates":[[7,{{"b":[["100.0","2.00000000","2.0"]],"c":"1"}},"book-10","XBT/USD"]]}}"#
    );
    let (code, got, _) = replay(&[text.into_bytes()], &[]);
    let book = &got["books"][0];
    assert_eq!(
        (code, &book["venue"], &book["state"]),
        (3, &"kraken.spot".into(), &"unsynced".into()),
        "{got}"
    );
    assert_eq!(book["checksums"]["bad"], 1);
}

#[test]
fn what_is_not_supported_is_named() {
    for (content, word) in [
        (b"".to_vec(), "empty"),
        (b"\n\n".to_vec(), "empty"),
        (b"hello\nworld\n".to_vec(), "not a capture in a known format"),
        (gzip("{\"a\":1}"), "not a capture in a known format"),
        (gzip("1700000000000000000 {\"stream\":\"x@trade\",\"data\":{\"e\":\"trade\"}}\n"), "which venue"),
    ] {
        let (code, got, stderr) = replay(&[content], &[]);
        assert_eq!(code, 2, "{word}: {stderr}");
        assert!(got["error"].as_str().unwrap().contains(word), "{got}");
    }
}

/// Plays bytes without a process; `None` when they are no capture at all.
fn play(files: &[&[u8]]) -> Option<Outcome> {
    let mut replay = Replay::new(VENUES, None);
    for bytes in files {
        let mut capture = Capture::new(Box::new(*bytes)).ok()?;
        replay.file("t", &mut capture, &mut |_| {}).ok()?;
    }
    Some(replay.outcome(1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Damage of any kind is found or harmless: no panic, and no end that is not an end.
    #[test]
    fn damaged_captures_never_panic(
        which in 0usize..4,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let recv = serde_json::json!({"t": "recv", "conn": "c", "ts": 1.5, "data": "{\"lastUpdateId\":1,\"bids\":[]}"});
        let mut bytes = match which {
            0 => (joined() + &ticker(5, 16, "100", "101")).into_bytes(),
            1 => gzip(&joined()),
            2 => jsonl(&[recv]),
            _ => br#"{"init":[7,{"as":[["1","1","1"]],"bs":[]},"book-10","XBT/USD"],"updates":[{"event":"heartbeat"}]}"#.to_vec(),
        };
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        play(&[&bytes]);
        // And record by record.
        if let Ok(mut capture) = Capture::new(Box::new(&bytes[..])) {
            let mut record = Record::default();
            let ended = (0..10_000).any(|_| capture.next(&mut record) == Ok(false));
            prop_assert!(ended);
        }
    }
}

/// The recorded captures, where they are.
fn recorded(names: &[&str]) -> Option<Vec<Vec<u8>>> {
    let root = common::folder();
    let files: Option<Vec<_>> = names.iter().map(|name| std::fs::read(root.join(name)).ok()).collect();
    if files.is_none() {
        eprintln!("skipped: no captures at {}", root.display());
    }
    files
}

/// Plays recorded files and asks for no gap, nothing malformed, nothing crossed.
#[track_caller]
fn sound(names: &[&str]) -> Option<Outcome> {
    let files = recorded(names)?;
    let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let outcome = play(&files).unwrap_or_else(|| panic!("{names:?} cannot be played"));
    assert!(outcome.is_sound(), "{names:?}");
    for book in &outcome.books {
        assert_eq!((book.gaps, book.crossed), (0, 0), "{} {}", book.venue, book.symbol);
    }
    Some(outcome)
}

/// A recording of one book: messages in all, updates compared with the ticker, and how many agreed.
#[track_caller]
fn agrees(names: &[&str], venue: &str, messages: u64, compared: u64, agreed: u64) {
    let Some(outcome) = sound(names) else { return };
    let [book] = &outcome.books[..] else { panic!("{} books", outcome.books.len()) };
    assert_eq!((book.venue, outcome.messages()), (venue, messages));
    let tickers = book.tickers.unwrap();
    assert_eq!((tickers.compared, tickers.agreed), (compared, agreed));
}

#[test]
fn recorded_spot_books_agree_with_their_ticker() {
    let files =
        ["binance/hftbacktest-spot_btcusdt_20240808.gz", "binance/hftbacktest-spot_btcusdt_20240809.gz"];
    // Two tickers lack the last change before the depth update.
    agrees(&files, "binance.spot", 41_248 + 58_325, 6_493, 6_491);
    let files =
        ["binance/hftbacktest-spot_ethusdt_20240808.gz", "binance/hftbacktest-spot_ethusdt_20240809.gz"];
    agrees(&files, "binance.spot", 33_617 + 46_126, 6_468, 6_468);
}

#[test]
fn recorded_linear_books_agree_with_their_ticker() {
    agrees(&["binance/hftbacktest-usdm_btcusdt_20240808.gz"], "binance.usdm", 93_953, 6_547, 6_547);
    agrees(&["binance/hftbacktest-usdm_ethusdt_20240808.gz"], "binance.usdm", 74_654, 6_581, 6_581);
}

#[test]
fn recorded_inverse_books_agree_with_their_ticker() {
    let files =
        ["binance/hftbacktest-cm_btcusd_perp_20240808.gz", "binance/hftbacktest-cm_btcusd_perp_20240809.gz"];
    agrees(&files, "binance.coinm", 48_269 + 50_116, 44_772, 44_772);
    let files =
        ["binance/hftbacktest-cm_ethusd_perp_20240808.gz", "binance/hftbacktest-cm_ethusd_perp_20240809.gz"];
    agrees(&files, "binance.coinm", 40_453 + 37_860, 39_133, 39_133);
}

#[test]
fn a_recording_without_snapshots_waits() {
    let Some(outcome) = sound(&["binance/basis-binance-90s.feedlog.gz"]) else { return };
    assert_eq!((outcome.messages(), outcome.books.len()), (24_048, 86));
    assert!(outcome.books.iter().all(|book| book.state == xarb::capture::State::Waiting));
}

#[test]
fn recorded_checksums_match() {
    for (name, messages, books, ok) in [
        ("binance/cryptofeed-BINANCE.jsonl.zst", 265, 4, 0),
        ("binance/cryptofeed-BINANCE_FUTURES.jsonl.zst", 1_535, 4, 0),
        ("bybit/cryptofeed-BYBIT.jsonl.zst", 3_227, 6, 0),
        ("okx/cryptofeed-OKX.jsonl.zst", 410, 3, 290),
        ("kraken/cryptofeed-KRAKEN.jsonl.zst", 4_430, 10, 4_269),
        ("kraken/python-kraken-sdk-orderbook-v1.json", 1_150, 1, 979),
        ("kraken/python-kraken-sdk-orderbook-v2.json", 510, 1, 510),
    ] {
        let Some(outcome) = sound(&[name]) else { return };
        assert_eq!((outcome.messages(), outcome.books.len()), (messages, books), "{name}");
        assert_eq!(outcome.books.iter().map(|book| book.checksums.ok).sum::<u64>(), ok, "{name}");
        assert!(outcome.books.iter().all(|book| book.state == xarb::capture::State::Live), "{name}");
    }
}

/// The update before the snapshot waits for it, while tickers come that have no stamp.
#[test]
fn delays_are_of_the_stream_that_carried_the_stamp() {
    let ticker =
        r#"{"stream":"btcusdt@bookTicker","data":{"u":5,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}}"#;
    let text = update(1, 100, 101, "", "")
        + &format!("{} {ticker}\n", T0 + 2)
        + &snapshot(3, 100)
        + &update(4, 102, 102, "", "");
    let mut capture = Capture::new(Box::new(std::io::Cursor::new(text.into_bytes()))).unwrap();
    let mut replay = Replay::observed(VENUES, None, Gather::new());
    replay.file("held", &mut capture, &mut |_| {}).unwrap();
    assert_eq!(replay.outcome(0).books[0].updates, 2);
    let streams = replay.into_observer().finish().streams;
    let delays: Vec<_> = streams
        .iter()
        .map(|stream| (stream.stream.as_str(), stream.messages, stream.delay.map(|delay| delay.count)))
        .collect();
    assert_eq!(delays, [("bookTicker", 1, None), ("depth@100ms", 2, Some(1))]);
    assert!(streams.iter().all(|stream| stream.messages_per_s.is_none()), "{streams:?}");
}

/// Order by order, from a subscription, a fetched book and what follows; then with one missing.
#[test]
fn a_book_is_rebuilt_order_by_order() {
    let ws = "wss://ws-feed.exchange.coinbase.com";
    let url = "https://api.exchange.coinbase.com/products/BTC-USD/book?level=3";
    let mut at = 1_700_000_000;
    let mut recv = |data: &str| {
        at += 1;
        serde_json::json!({"t": "recv", "conn": "ws.1", "ts": f64::from(at), "data": data})
    };
    let open = |sequence: u64, price: &str| {
        format!(
            r#"{{"type":"open","product_id":"BTC-USD","sequence":{sequence},"order_id":"o{sequence}","side":"buy","price":"{price}","remaining_size":"2","time":"2026-07-26T10:11:12.123456Z"}}"#
        )
    };
    let book = r#"{"bids":[["100","1","b1"]],"asks":[["101","4","a1"]],"sequence":10}"#;
    let mut records = vec![
        serde_json::json!({"t": "connect", "conn": "ws.1", "ts": 1_700_000_000.0, "addr": ws}),
        recv(r#"{"type":"subscriptions","channels":[{"name":"full","product_ids":["BTC-USD"]}]}"#),
        recv(&open(10, "97")),
        recv(&open(11, "99")),
        serde_json::json!({"t": "http", "conn": "http.0", "ts": 1_700_000_003.5, "url": url, "data": book}),
        recv(
            r#"{"type":"match","trade_id":2,"product_id":"BTC-USD","sequence":12,"maker_order_id":"b1","taker_order_id":"t","size":"1","price":"100","side":"buy"}"#,
        ),
        recv(&open(13, "98")),
    ];
    let (code, got, stderr) = replay(&[jsonl(&records)], &[]);
    let told = &got["books"][0];
    assert_eq!((code, &told["state"], &told["gaps"]), (0, &"live".into(), &0.into()), "{stderr} {got}");
    assert_eq!(told["bids"], serde_json::json!([["99", "2"], ["98", "2"]]));
    assert_eq!((&told["snapshots"], &told["updates"]), (&1.into(), &3.into()));
    records.push(recv(&open(15, "96")));
    let (code, got, _) = replay(&[jsonl(&records)], &[]);
    let told = &got["books"][0];
    assert_eq!((code, &told["state"], &told["gaps"]), (3, &"unsynced".into(), &1.into()), "{got}");
}

/// Numbered messages without a gap, and the books as another program rebuilt them.
#[test]
fn recorded_numbered_books_end_as_they_should() {
    let Some(outcome) = sound(&["coinbase/cryptofeed-COINBASE.jsonl.zst"]) else { return };
    assert_eq!((outcome.messages(), outcome.books.len()), (1_030, 2));
    for (book, symbol, updates, touch, levels) in [
        (&outcome.books[0], "BTC-USD", 399, ["65083.66", "65083.67"], (18_769, 27_238)),
        (&outcome.books[1], "ETH-USD", 374, ["1919.28", "1919.38"], (6_925, 16_403)),
    ] {
        assert_eq!((book.symbol.as_str(), book.snapshots, book.updates), (symbol, 1, updates));
        assert_eq!([&book.best_bid, &book.best_ask].map(|best| best.as_deref()), touch.map(Some), "{symbol}");
        assert_eq!((book.levels.bids, book.levels.asks), levels, "{symbol}");
        assert_eq!(book.instrument.as_deref(), Some(symbol), "rules came with the recording");
        assert_eq!((book.venue, book.state), ("coinbase.advanced", xarb::capture::State::Live));
    }
}

/// Perpetual and dated contracts, numbered each for itself, with the rules that they were recorded
/// with.
#[test]
fn recorded_derivatives_have_no_gap() {
    let Some(outcome) = sound(&["kraken/cryptofeed-KRAKEN_FUTURES.jsonl.zst"]) else { return };
    assert_eq!((outcome.messages(), outcome.books.len()), (7_175, 10));
    assert_eq!(outcome.books.iter().map(|book| book.snapshots).sum::<u64>(), 10);
    assert_eq!(outcome.books.iter().map(|book| book.updates).sum::<u64>(), 7_014);
    for book in &outcome.books {
        assert_eq!((book.venue, book.state), ("kraken.futures", xarb::capture::State::Live));
        assert!(book.best_bid.is_some() && book.best_ask.is_some(), "{}", book.symbol);
        assert!(book.instrument.as_deref().is_some_and(|name| name.ends_with(":inverse")), "{}", book.symbol);
    }
}

#[test]
fn recorded_books_without_numbers_are_never_crossed() {
    let Some(outcome) = sound(&["coinbase/cryptofeed-COINBASE.ws.28.0"]) else { return };
    assert_eq!((outcome.messages(), outcome.books.len()), (9_946, 10));
    assert_eq!(outcome.books.iter().map(|book| book.snapshots).sum::<u64>(), 10);
    assert_eq!(outcome.books.iter().map(|book| book.updates).sum::<u64>(), 9_719);
    for book in &outcome.books {
        assert_eq!((book.venue, book.state), ("coinbase.exchange", xarb::capture::State::Live));
    }
}
