//! What is exported holds what the books did: read back by us, or by the form's own reader.

use std::io::{Cursor, Write};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use xarb::capture::export::{Export, Sink, csv, npz, parquet as tables};
use xarb::capture::{Capture, Outcome, Replay};
use xarb::types::{Nanos, Symbol};
use xarb::venue::VENUES;

use super::{T0, gzip, joined, play, recorded, snapshot, ticker, update};

fn export<S: Sink>(files: &[&[u8]], sink: S) -> (Outcome, S) {
    let mut replay = Replay::observed(VENUES, None, Export::new(sink));
    for bytes in files {
        let mut capture = Capture::new(Box::new(*bytes)).unwrap();
        replay.file("t", &mut capture, &mut |_| {}).unwrap();
        assert!(replay.observer().failure().is_none());
    }
    (replay.outcome(0), replay.into_observer().into_sink())
}

/// The books of a capture, exported as CSV and read again.
fn there_and_back(files: &[&[u8]]) -> (Outcome, Outcome, String) {
    let sink = csv::Tables::new(Vec::new(), Vec::new()).unwrap();
    let (source, sink) = export(files, sink);
    let (updates, trades) = sink.finish();
    let again = play(&[&updates, &trades]).unwrap();
    (source, again, String::from_utf8(updates).unwrap())
}

fn trade(at: i64) -> String {
    let data = r#"{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"100.25","q":"0.5","T":1700000000000,"m":true,"M":true}"#;
    format!("{} {{\"stream\":\"btcusdt@trade\",\"data\":{data}}}\n", T0 + at)
}

/// Two snapshots behind one another, a book that is lost and begun anew, trades.
fn eventful() -> Vec<u8> {
    let follow = update(5_000, 16, 20, r#"["99","7"]"#, r#"["101.5","0.125"]"#);
    let gap = update(6_000, 30, 31, r#"["98","1"]"#, "");
    let cured = snapshot(7_000, 31) + &update(8_000, 32, 33, r#"["98","1"]"#, "");
    gzip(&[joined(), trade(4_500), follow, gap, cured, ticker(9_000, 34, "100", "101")].concat())
}

#[test]
fn books_come_back_from_csv_as_they_were() {
    let bytes = eventful();
    let (source, again, text) = there_and_back(&[&bytes]);
    assert_eq!(source.books[0].digest, again.books[0].digest, "{text}");
    assert_eq!(source.books[0].venue, again.books[0].venue);
    assert!(source.books[0].levels.bids > 1 && again.is_sound());
    assert_eq!(again.files[1].ignored, 1, "the trade");
    assert!(text.starts_with("exchange,symbol,"), "{text}");
    assert!(
        text.contains("binance,BTCUSDT,1700000000000005,1700000000000005,false,ask,101.5,0.125\n"),
        "{text}"
    );
}

/// A book that is cut to a depth by the rule of its venue: what falls off is told as removed.
#[test]
fn what_falls_off_a_book_is_removed_in_the_export() {
    let level = |price: i32, qty: &str| format!("[\"{price}.0\",\"{qty}\",\"1.0\"]");
    let side = |from: i32, step: i32| {
        (0..10).map(|at| level(from + step * at, "1.00000000")).collect::<Vec<_>>().join(",")
    };
    let (asks, bids) = (side(101, 1), side(90, -1));
    let better: Vec<_> = (91..95)
        .map(|price| format!(r#"[7,{{"b":[{}]}},"book-10","XBT/USD"]"#, level(price, "2.00000000")))
        .collect();
    let text = format!(
        r#"{{"init":[7,{{"as":[{asks}],"bs":[{bids}]}},"book-10","XBT/USD"],"updates":[{}]}}"#,
        better.join(",")
    );
    let sink = csv::Tables::new(Vec::new(), Vec::new()).unwrap();
    let (source, sink) = export(&[text.as_bytes()], sink);
    let updates = sink.finish().0;
    let again = play(&[&updates]).unwrap();
    assert_eq!((source.books[0].levels.bids, source.books[0].updates), (10, 4), "{source:?}");
    assert_eq!(source.books[0].digest, again.books[0].digest);
    let removed = String::from_utf8(updates).unwrap();
    assert!(removed.contains(",bid,81,0\n") && removed.contains(",bid,84,0\n"), "{removed}");
}

#[test]
fn parquet_holds_what_happened_exactly() {
    let bytes = eventful();
    let sink = tables::Tables::new(Vec::new(), Vec::new(), Vec::new()).unwrap();
    let (outcome, sink) = export(&[&bytes], sink);
    let [updates, tops, trades] = sink.finish().unwrap().map(|bytes| {
        let path = std::env::temp_dir().join(format!("xarb-{}-{}.parquet", std::process::id(), bytes.len()));
        std::fs::write(&path, bytes).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
        rows.map(|row| row.get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect())
            .collect::<Vec<std::collections::BTreeMap<String, Field>>>()
    });
    let text = |field: &Field| match field {
        Field::Decimal(decimal) => {
            let unscaled = decimal.data().iter().fold(0i64, |value, byte| value << 8 | i64::from(*byte));
            xarb::types::Fixed(unscaled, xarb::types::Scale::DEFAULT).to_string()
        }
        Field::Str(text) => text.clone(),
        Field::Long(number) => number.to_string(),
        other => other.to_string(),
    };
    // The rows alone rebuild the book.
    let mut book: [std::collections::BTreeMap<i64, String>; 2] = Default::default();
    let mut anew = String::new();
    for row in &updates {
        let kind = text(&row["kind"]);
        if kind == "lost" || kind == "snapshot" && anew != text(&row["change"]) {
            anew = text(&row["change"]);
            book = Default::default();
        }
        if kind == "lost" {
            continue;
        }
        let side = usize::from(text(&row["side"]) == "ask");
        let price = xarb::types::parse(text(&row["price"]).as_bytes(), xarb::types::Scale::DEFAULT).unwrap();
        match text(&row["qty"]).as_str() {
            "0" => drop(book[side].remove(&price)),
            qty => drop(book[side].insert(price, format!("{} {qty}\n", text(&row["price"])))),
        }
    }
    let bids = book[0].values().rev().map(|line| format!("b {line}"));
    let lines: String = bids.chain(book[1].values().map(|line| format!("a {line}"))).collect();
    assert_eq!(super::sha256(&lines), outcome.books[0].digest, "{lines}");
    assert_eq!(updates.iter().filter(|row| text(&row["kind"]) == "lost").count(), 1);

    let last = tops.last().unwrap();
    let best = ["source", "bid_price", "bid_qty", "ask_price", "ask_qty"].map(|name| text(&last[name]));
    assert_eq!(best, ["ticker", "100", "2", "101", "3.5"]);
    let told = ["symbol", "price", "qty", "taker"].map(|name| text(&trades[0][name]));
    assert_eq!((trades.len(), told), (1, ["BTCUSDT", "100.25", "0.5", "sell"].map(str::to_owned)));
}

/// The events of a book, by hftbacktest's layout.
fn events(npz: &[u8]) -> Vec<(u64, i64, i64, f64, f64)> {
    assert_eq!(&npz[..4], b"PK\x03\x04");
    let (name, extra) = (usize::from(npz[26]), usize::from(npz[28]));
    let array = &npz[30 + name + extra..];
    assert_eq!(&npz[30..30 + name], b"data.npy");
    assert_eq!(&array[..8], b"\x93NUMPY\x01\x00");
    let header = usize::from(u16::from_le_bytes([array[8], array[9]]));
    let text = std::str::from_utf8(&array[10..10 + header]).unwrap();
    let shape = text.split("'shape': (").nth(1).unwrap().split(',').next().unwrap();
    let count: usize = shape.parse().unwrap();
    let records = &array[10 + header..10 + header + 64 * count];
    let word = |record: &[u8], at: usize| u64::from_le_bytes(*record[8 * at..].first_chunk().unwrap());
    let float = |record: &[u8], at: usize| f64::from_bits(word(record, at));
    records
        .chunks(64)
        .map(|r| (word(r, 0), word(r, 1) as i64, word(r, 2) as i64, float(r, 3), float(r, 4)))
        .collect()
}

#[test]
fn events_are_in_the_layout_that_is_documented() {
    const FLAGS: u64 = 1 << 31 | 1 << 30;
    const BUY: u64 = 1 << 29;
    const SELL: u64 = 1 << 28;
    let bytes = eventful();
    let symbol = Symbol::new("BTCUSDT").unwrap();
    let sink = npz::Events::new(Cursor::new(Vec::new()), "binance.spot", symbol, Nanos(7)).unwrap();
    let (_, sink) = export(&[&bytes], sink);
    let npz = sink.finish().unwrap().into_inner();
    let events = events(&npz);
    let first = T0 + 3 + 7;
    // The snapshot comes with the update that joined it, or by itself: the book as it then stood.
    assert_eq!(events[0].0 & 0xff, 4, "{events:?}");
    assert!(events.iter().all(|event| event.0 & FLAGS == FLAGS && event.1 > 0 && event.2 >= first));
    let trade = events.iter().find(|event| event.0 & 0xff == 2).unwrap();
    assert_eq!((trade.0, trade.3, trade.4), (FLAGS | SELL | 2, 100.25, 0.5));
    assert_eq!((trade.1, trade.2), (T0, T0 + 4_500 + 7));
    let clears: Vec<_> = events.iter().filter(|event| event.0 & 0xff == 3).map(|e| (e.0, e.3)).collect();
    assert_eq!(clears, [(FLAGS | BUY | 3, 99.0), (FLAGS | SELL | 3, 101.5)]);
    let update = events.iter().find(|event| event.0 == FLAGS | SELL | 1).unwrap();
    assert_eq!((update.3, update.4), (101.5, 0.125));

    // And a ZIP reader that is not ours opens it, where there is one.
    let path = std::env::temp_dir().join(format!("xarb-events-{}.npz", std::process::id()));
    std::fs::File::create(&path).unwrap().write_all(&npz).unwrap();
    let check =
        "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(z.namelist())";
    match std::process::Command::new("python3").arg("-c").arg(check).arg(&path).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => eprintln!("skipped: no python3: {error}"),
    }
    std::fs::remove_file(&path).unwrap();
}

/// Every recorded book that ended live comes back from CSV to its last level.
#[test]
fn recorded_books_come_back_from_csv_as_they_were() {
    for name in [
        "binance/cryptofeed-BINANCE_FUTURES.jsonl.zst",
        "coinbase/cryptofeed-COINBASE.ws.28.0",
        "kraken/cryptofeed-KRAKEN.jsonl.zst",
        "kraken/python-kraken-sdk-orderbook-v1.json",
        "bybit/cryptofeed-BYBIT.jsonl.zst",
        "okx/cryptofeed-OKX.jsonl.zst",
    ] {
        let Some(files) = recorded(&[name]) else { return };
        let (source, again, _) = there_and_back(&[&files[0]]);
        let find = |venue: &str, symbol: &str| {
            again.books.iter().find(|book| book.venue == venue && book.symbol == symbol)
        };
        for book in source.books.iter().filter(|book| book.levels.bids + book.levels.asks > 0) {
            let back = find(book.venue, &book.symbol).unwrap_or_else(|| panic!("{name} {}", book.symbol));
            assert_eq!(book.digest, back.digest, "{name} {}", book.symbol);
        }
    }
}
