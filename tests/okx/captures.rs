//! A captured stream of 2022, before messages were numbered: its books carry checksums, and each must
//! match.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::Value;
use xarb::types::{BookId, BookView, Level, Nanos, Side};
use xarb::venue::{ChangeKind, FeedInput, FeedOut, Verdict, find};
use xarb::wire::PaddedBuf;

use crate::dialogue::feed;
use crate::watch::Plain;

/// As the feed looks at a book.
struct View<'a>(&'a Plain);

impl BookView for View<'_> {
    fn best(&self, side: Side, out: &mut [Level]) -> usize {
        out.iter_mut().zip(self.0.side(side)).map(|(to, from)| *to = from).count()
    }
}

fn records() -> Option<Vec<Value>> {
    let path = crate::common::folder().join("okx/cryptofeed-OKX.jsonl.zst");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: no {}", path.display());
        return None;
    };
    let mut text = String::new();
    zstd::stream::read::Decoder::new(&bytes[..]).unwrap().read_to_string(&mut text).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn every_captured_book_matches_its_checksum() {
    let Some(records) = records() else { return };
    let mut feed = feed("okx.spot", 400, true, true);
    let (mut out, mut padded) = (FeedOut::default(), PaddedBuf::default());
    let mut books: BTreeMap<BookId, Plain> = BTreeMap::new();
    let (mut messages, mut snapshots, mut updates, mut matched, mut symbols) = (0, 0, 0, 0, Vec::new());
    for record in records.iter().filter(|record| record["t"] == "recv") {
        messages += 1;
        out.clear();
        let text = record["data"].as_str().unwrap();
        feed.on(FeedInput::Text(padded.fill(text.as_bytes())), Nanos::ZERO, &mut out).unwrap();
        symbols.extend(out.discovered.iter().map(|found| found.symbol.to_string()));
        for change in &out.changes {
            let book = books.entry(change.book).or_default();
            match change.kind {
                ChangeKind::Snapshot { .. } => {
                    book.clear();
                    snapshots += 1;
                }
                ChangeKind::Update => updates += 1,
                // Tickers, until depth comes.
                ChangeKind::Top => continue,
                other => panic!("{other:?}"),
            }
            book.apply(Side::Buy, out.bids(change));
            book.apply(Side::Sell, out.asks(change));
            assert!(!book.is_crossed());
            let verdict = feed.verify(change, &View(book));
            assert_eq!(verdict, Verdict::Matches, "message {messages}");
            matched += 1;
        }
    }
    assert_eq!((messages, snapshots, updates, matched), (410, 3, 287, 290));
    // The dated future has fewer levels than the channel shows.
    for book in books.values() {
        let levels = Side::BOTH.map(|side| book.side(side).len());
        assert!(levels.iter().all(|count| (50..=400).contains(count)), "{levels:?}");
    }
    symbols.sort();
    assert_eq!(symbols, ["BTC-USD-220527", "BTC-USDT", "UNI-USD-SWAP"]);
    // Books of the usual spelling are taken byte by byte; nothing needs the library.
    let tiers = feed.tiers();
    assert!(tiers.template >= 290 && tiers.library == 0, "{tiers:?}");
}

#[test]
fn captured_rules_are_read() {
    let Some(records) = records() else { return };
    for (kind, listed, name) in [
        ("SPOT", 513, "BTC-USDT"),
        // Of 166, two with a billion coins to the contract and ticks of 1e-11 are beyond our numbers.
        ("SWAP", 164, "BTC-USDT-PERP"),
        ("FUTURES", 104, "BTC-USD-220527:inverse"),
    ] {
        let is = |record: &&Value| {
            record["url"].as_str().is_some_and(|url| url.ends_with(&format!("instType={kind}")))
        };
        let record = records.iter().find(is).unwrap();
        let specs = (find("okx.spot").unwrap().instruments)(record["data"].as_str().unwrap().as_bytes());
        let specs = specs.unwrap();
        assert_eq!(specs.len(), listed, "{kind}");
        assert!(specs.iter().all(|spec| spec.open && spec.tick.0 > 0 && spec.lot.0 > 0));
        assert!(specs.iter().any(|spec| spec.name.as_str() == name), "{name}");
    }
}
