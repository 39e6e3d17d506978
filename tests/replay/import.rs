//! What is imported replays to the books of its source, and can be told apart from it by nothing else.

use std::io::Cursor;

use xarb::capture::{
    Capture, Compression, ImportReport, Outcome, Replay, Source, StoreMeta, StoreOptions, StoreWriter,
    import as merge_into,
};
use xarb::types::Scale;
use xarb::venue::VENUES;

use super::{gzip, joined, jsonl, play, recorded, ticker, update};

/// Imports files into one container.
fn import(files: &[&[u8]], compression: Compression) -> (Vec<u8>, ImportReport, StoreMeta) {
    let mut replay = Replay::new(VENUES, None);
    for bytes in files {
        let mut capture = Capture::new(Box::new(*bytes)).unwrap();
        replay.file("t", &mut capture, &mut |_| {}).unwrap();
    }
    let meta = replay.found();
    let sources = files.iter().zip(replay.claims()).map(|(bytes, claims)| Source {
        path: "t".to_owned(),
        capture: Capture::new(Box::new(*bytes)).unwrap(),
        claims: claims.clone(),
    });
    let sources = sources.collect();
    let options = StoreOptions { compression, chunk_bytes: 10_000 };
    let mut writer = StoreWriter::new(Cursor::new(Vec::new()), options, &meta).unwrap();
    let report = merge_into(sources, &mut writer, &mut |_| {}).unwrap();
    (writer.finish().unwrap().into_inner(), report, meta)
}

/// The books of both are the same: levels, states, digests, counts.
#[track_caller]
fn same(name: &str, source: &Outcome, imported: &Outcome) {
    assert_eq!(source.books.len(), imported.books.len(), "{name}");
    for (source, imported) in source.books.iter().zip(&imported.books) {
        let mut want = source.clone();
        // A container tells instruments, which a file of messages alone does not.
        want.instrument.clone_from(&imported.instrument);
        assert_eq!(&want, imported, "{name}");
    }
    assert_eq!(source.messages(), imported.messages(), "{name}");
}

#[track_caller]
fn imports_to_the_same_books(name: &str, files: &[&[u8]]) -> ImportReport {
    let source = play(files).unwrap();
    let mut told = ImportReport::default();
    for compression in [Compression::Lz4, Compression::Zstd, Compression::None] {
        let (bytes, report, _) = import(files, compression);
        let imported = play(&[&bytes]).unwrap();
        same(name, &source, &imported);
        // And once more: a container is a source like any other.
        let (again, second, _) = import(&[&bytes], compression);
        same(name, &source, &play(&[&again]).unwrap());
        assert_eq!(report.records, second.records, "{name}");
        told = report;
    }
    told
}

#[test]
fn every_format_replays_from_the_container_as_from_its_file() {
    let follow = update(5, 16, 20, r#"["99","7"]"#, "");
    let gap = update(6, 30, 31, r#"["98","1"]"#, "");
    let first = gzip(&(joined() + &ticker(4, 15, "100", "101")));
    let second = gzip(&(follow + &ticker(6, 20, "100", "101") + &gap));
    let report = imports_to_the_same_books("two files of one book", &[&first, &second]);
    assert_eq!((report.records, report.unreadable), (8, 0));
    assert_eq!((report.from_ns, report.to_ns), (super::T0 + 1, super::T0 + 6));

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
        serde_json::json!({"t": "connect", "conn": "ws.1", "ts": 1700000001.0, "addr": ws}),
        serde_json::json!({"t": "send", "conn": "ws.1", "ts": 1700000001.25, "data": "{\"apiKey\":\"k\"}"}),
        serde_json::json!({"t": "recv", "conn": "ws.1", "ts": 1700000001.5, "data": depth(10, 12)}),
        serde_json::json!({"t": "http", "conn": "http.0", "ts": 1700000001.75, "url": url, "data": snapshot}),
        serde_json::json!({"t": "recv", "conn": "ws.1", "ts": 1700000002.5, "data": depth(13, 14)}),
    ];
    let dialogue = jsonl(&records);
    imports_to_the_same_books("connections of a dialogue", &[&dialogue]);
    let (bytes, ..) = import(&[&dialogue], Compression::None);
    let has = |needle: &str| bytes.windows(needle.len()).any(|part| part == needle.as_bytes());
    assert!(has("{\"apiKey\":\"blanked\"}") && !has("{\"apiKey\":\"k\"}"));

    let document = r#"{"init":[7,{"as":[["101.0","1.0","1.0"]],"bs":[["100.0","1.0","1.0"]]},"book-10","XBT/USD"],
        "updates":[[7,{"b":[["100.0","2.00000000","2.0"]],"c":"1"},"book-10","XBT/USD"]]}"#;
    imports_to_the_same_books("a document without times", &[document.as_bytes()]);

    let labelled = "1700000000000000001\tlabel\t{\"stream\":\"x@bookTicker\",\"data\":{\"u\":5,\"s\":\"A\",\"b\":\"1\",\"B\":\"2\",\"a\":\"3\",\"A\":\"4\"}}\n";
    imports_to_the_same_books("a labelled log", &[&gzip(labelled)]);

    // What is wrong with a source is told, and the rest is imported.
    let (_, report, _) = import(&[(joined() + "what is this\n").as_bytes()], Compression::Lz4);
    assert_eq!((report.unreadable, report.records), (1, 4));
    assert!(report.errors[0].contains("line 5"), "{report:?}");
}

const UPDATES: &str = "\
exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
binance-futures,BTCUSDT,1700000000000000,1700000000000100,false,bid,1,1
binance-futures,BTCUSDT,1700000000000000,1700000000000200,true,bid,100.5,2
binance-futures,BTCUSDT,1700000000000000,1700000000000200,true,ask,101,3
binance-futures,BTCUSDT,1700000000000000,1700000000000300,true,ask,102,4
binance-futures,BTCUSDT,1700000000000400,1700000000000500,false,bid,100.5,0
binance-futures,BTCUSDT,1700000000000400,1700000000000500,false,bid,100,0.125
";

#[test]
fn tables_of_an_archive_are_read_by_its_rules() {
    let again = "\
binance-futures,BTCUSDT,1700000000000600,1700000000000700,true,bid,99,1
binance-futures,BTCUSDT,1700000000000600,1700000000000700,true,ask,103,1
";
    for (more, bids, asks, snapshots, updates) in
        [("", &["100 0.125"][..], &["101 3", "102 4"][..], 1, 2), (again, &["99 1"], &["103 1"], 2, 2)]
    {
        for text in [format!("{UPDATES}{more}").into_bytes(), gzip(&format!("{UPDATES}{more}"))] {
            let outcome = play(&[&text]).unwrap();
            let [book] = &outcome.books[..] else { panic!("{:?}", outcome.books) };
            assert!(outcome.is_sound());
            assert_eq!((book.venue, book.symbol.as_str()), ("binance.usdm", "BTCUSDT"));
            assert_eq!((book.snapshots, book.updates), (snapshots, updates));
            let mut lines: Vec<_> = bids.iter().map(|level| format!("b {level}\n")).collect();
            lines.extend(asks.iter().map(|level| format!("a {level}\n")));
            assert_eq!(book.digest, super::sha256(&lines.concat()));
            imports_to_the_same_books("updates", &[&text]);
        }
    }
    let snapshots = "\
exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,asks[1].price,asks[1].amount,bids[1].price,bids[1].amount
okex,BTC-USDT,1,2,101,1,100,1,102,1,99,1
okex,BTC-USDT,3,4,101,2,100,1,,,99,5
";
    let trades = "\
exchange,symbol,timestamp,local_timestamp,id,side,price,amount
okex,BTC-USDT,1,2,7,buy,101,0.5
okex,BTC-USDT,3,4,8,unknown,101,0.5
";
    let outcome = play(&[snapshots.as_bytes(), trades.as_bytes()]).unwrap();
    let [book] = &outcome.books[..] else { panic!("{:?}", outcome.books) };
    assert_eq!((book.venue, book.snapshots), ("okx.spot", 2));
    assert_eq!(book.digest, super::sha256("b 100 1\nb 99 5\na 101 2\n"));
    assert_eq!((outcome.messages(), outcome.files[1].ignored), (4, 2));
    imports_to_the_same_books("snapshots and trades", &[snapshots.as_bytes(), trades.as_bytes()]);
    for (bad, what) in [
        ("mars,BTCUSDT,1,2,false,bid,1,1", "exchange that is known"),
        ("binance,BTCUSDT,1,2,maybe,bid,1,1", "is_snapshot"),
        ("binance,BTCUSDT,1,2,false,up,1,1", "side"),
        ("binance,BTCUSDT,1,2,false,bid,1.123456789,1", "8 places"),
        ("binance,BTCUSDT,-1,2,false,bid,1,1", "microseconds"),
        ("binance,BTCUSDT,1,2", "as many columns"),
    ] {
        let outcome = play(&[format!("{UPDATES}{bad}\n").as_bytes()]).unwrap();
        assert_eq!(outcome.files[0].malformed, 1, "{bad}");
        assert!(outcome.files[0].errors[0].contains("line 8"), "{:?}", outcome.files[0].errors);
        assert!(outcome.files[0].errors[0].contains(what), "{:?}", outcome.files[0].errors);
        assert_eq!(outcome.books[0].updates, 2, "{bad}: what came before counts");
    }
}

#[test]
fn what_a_recorder_lost_fails_every_replay() {
    let meta = StoreMeta { dropped: 2, ..StoreMeta::default() };
    let source = joined();
    let mut replay = Replay::new(VENUES, None);
    let mut capture = Capture::new(Box::new(source.as_bytes())).unwrap();
    replay.file("t", &mut capture, &mut |_| {}).unwrap();
    let mut writer = StoreWriter::new(Cursor::new(Vec::new()), StoreOptions::default(), &meta).unwrap();
    let capture = Capture::new(Box::new(source.as_bytes())).unwrap();
    let claims = replay.claims()[0].clone();
    merge_into(vec![Source { path: String::new(), capture, claims }], &mut writer, &mut |_| {}).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let outcome = play(&[&bytes]).unwrap();
    assert_eq!(outcome.files[0].dropped, 2);
    assert!(!outcome.is_sound());
    // Nor does importing it once more wash it clean.
    let (again, ..) = import(&[&bytes], Compression::Lz4);
    assert!(!play(&[&again]).unwrap().is_sound());
}

/// Every recorded file, alone.
#[test]
fn recorded_files_replay_from_the_container_as_from_themselves() {
    for name in [
        "binance/hftbacktest-spot_ethusdt_20240808.gz",
        "binance/hftbacktest-cm_ethusd_perp_20240808.gz",
        "binance/basis-binance-90s.feedlog.gz",
        "binance/cryptofeed-BINANCE.jsonl.zst",
        "binance/cryptofeed-BINANCE_FUTURES.jsonl.zst",
        "coinbase/cryptofeed-COINBASE.jsonl.zst",
        "coinbase/cryptofeed-COINBASE.ws.28.0",
        "kraken/cryptofeed-KRAKEN.jsonl.zst",
        "kraken/cryptofeed-KRAKEN_FUTURES.jsonl.zst",
        "kraken/python-kraken-sdk-orderbook-v1.json",
        "kraken/python-kraken-sdk-orderbook-v2.json",
        "bybit/cryptofeed-BYBIT.jsonl.zst",
        "okx/cryptofeed-OKX.jsonl.zst",
    ] {
        let Some(files) = recorded(&[name]) else { return };
        let source = play(&[&files[0]]).unwrap();
        let (bytes, report, meta) = import(&[&files[0]], Compression::Lz4);
        assert_eq!(report.unreadable, 0, "{name}");
        same(name, &source, &play(&[&bytes]).unwrap());
        // Where the capture has the venue's metadata, the container has that of its books.
        let told = source.books.iter().filter(|book| book.instrument.is_some()).count();
        assert_eq!(meta.instruments.len(), told, "{name}");
        assert!(meta.instruments.iter().all(|(_, spec)| spec.scale >= Scale::DEFAULT), "{name}");
        assert!(!meta.venues.is_empty(), "{name}");
    }
}

#[test]
fn a_part_of_a_container_has_the_books_of_that_part() {
    let mut text = joined();
    for step in 0..600u64 {
        let at = 100 + step as i64;
        text +=
            &update(at, 16 + step, 16 + step, &format!(r#"["9{}.{step}","{}"]"#, step % 10, step % 7), "");
    }
    text += &super::snapshot(700, 615);
    text += &update(701, 616, 617, r#"["98","1"]"#, "");
    let (container, ..) = import(&[&gzip(&text)], Compression::None);
    // From before both snapshots, from between them, from the second one, from behind it, from the end.
    for (from, state) in [(0, "live"), (50, "live"), (699, "live"), (701, "waiting"), (702, "")] {
        let ns = (super::T0 + from).to_string();
        let stamp = |line: &&str| line.split_once(' ').unwrap().0.parse::<i64>().unwrap() >= super::T0 + from;
        let part: String = text.lines().filter(stamp).map(|line| format!("{line}\n")).collect();
        let books = |bytes: &[u8], args: &[&str]| {
            let (code, got, stderr) = super::replay(&[bytes.to_vec()], args);
            assert_eq!((code, stderr.as_str()), (0, ""), "from {from}");
            let mut books = got["books"].as_array().unwrap().clone();
            // A container tells instruments, which a file of messages alone does not.
            books.iter_mut().for_each(|book| book["instrument"] = serde_json::Value::Null);
            (books, got["files"][0]["messages"].clone())
        };
        let (got, messages) = books(&container, &["--from-ns", &ns]);
        assert_eq!(got.first().map_or("", |book| book["state"].as_str().unwrap()), state, "from {from}");
        assert_eq!((got.clone(), messages.clone()), books(&gzip(&text), &["--from-ns", &ns]), "from {from}");
        if !part.is_empty() {
            assert_eq!((got, messages), books(part.as_bytes(), &[]), "from {from}");
        }
    }
}
