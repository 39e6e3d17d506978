//! A real captured stream of both markets, rebuilt into books.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::Value;
use xarb::types::{BookId, Nanos, Side};
use xarb::venue::{ChangeKind, Feed, FeedInput, FeedOut, TierUse, find};
use xarb::wire::PaddedBuf;

use crate::dialogue::feed;
use crate::watch::Plain;

#[derive(Default)]
struct Counts {
    messages: usize,
    malformed: usize,
    gaps: usize,
    crossed: usize,
    snapshots: BTreeMap<BookId, usize>,
    updates: BTreeMap<BookId, usize>,
    tops: usize,
    compared: usize,
    agreed: usize,
    tiers: TierUse,
    books: BTreeMap<BookId, Plain>,
    symbols: Vec<String>,
}

fn records() -> Option<Vec<Value>> {
    let path = crate::common::folder().join("bybit/cryptofeed-BYBIT.jsonl.zst");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: no {}", path.display());
        return None;
    };
    let mut text = String::new();
    zstd::stream::read::Decoder::new(&bytes[..]).unwrap().read_to_string(&mut text).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn rebuild(records: &[Value], conn: &str, venue: &str) -> Counts {
    let mut feed: Box<dyn Feed> = feed(venue, 1_000, true, true);
    let (mut out, mut padded, mut counts) = (FeedOut::default(), PaddedBuf::default(), Counts::default());
    let mut tops: BTreeMap<BookId, (u64, [Option<_>; 2])> = BTreeMap::new();
    for record in records.iter().filter(|r| r["t"] == "recv" && r["conn"] == conn) {
        let message = record["data"].as_str().unwrap();
        counts.messages += 1;
        out.clear();
        let read = feed.on(FeedInput::Text(padded.fill(message.as_bytes())), Nanos::ZERO, &mut out);
        counts.malformed += usize::from(read.is_err());
        counts.symbols.extend(out.discovered.iter().map(|found| found.symbol.to_string()));
        for change in &out.changes {
            let book = counts.books.entry(change.book).or_default();
            let best = |levels: &[xarb::types::Level]| levels.first().copied();
            match change.kind {
                ChangeKind::Snapshot { .. } => {
                    book.clear();
                    *counts.snapshots.entry(change.book).or_default() += 1;
                }
                ChangeKind::Update => *counts.updates.entry(change.book).or_default() += 1,
                ChangeKind::Top => {
                    counts.tops += 1;
                    tops.insert(change.book, (change.seq, [best(out.bids(change)), best(out.asks(change))]));
                    continue;
                }
                ChangeKind::Lost(_) => counts.gaps += 1,
                ChangeKind::Alive => {}
            }
            book.apply(Side::Buy, out.bids(change));
            book.apply(Side::Sell, out.asks(change));
            counts.crossed += usize::from(book.is_crossed());
            if let Some((seq, top)) = tops.get(&change.book)
                && *seq == change.seq
            {
                counts.compared += 1;
                let own = Side::BOTH.map(|side| book.side(side).first().copied());
                counts.agreed += usize::from(own == *top);
            }
        }
    }
    counts.tiers = feed.tiers();
    counts
}

#[test]
fn captured_books_have_no_gaps_and_are_never_crossed() {
    let Some(records) = records() else { return };
    for (conn, venue, messages, snapshots, updates) in
        [("BYBIT.ws.2", "bybit.linear", 2_546, 4, 1_594), ("BYBIT.ws.3", "bybit.spot", 681, 2, 548)]
    {
        let counts = rebuild(&records, conn, venue);
        eprintln!(
            "{venue}: {} messages, {:?} snapshots {:?}, updates {:?}, {} tops, {} of {} agree, {:?}",
            counts.messages,
            counts.symbols,
            counts.snapshots,
            counts.updates,
            counts.tops,
            counts.agreed,
            counts.compared,
            counts.tiers
        );
        assert_eq!((counts.messages, counts.malformed, counts.gaps, counts.crossed), (messages, 0, 0, 0));
        assert_eq!(counts.snapshots.values().sum::<usize>(), snapshots);
        assert_eq!(counts.updates.values().sum::<usize>(), updates);
        for (id, book) in &counts.books {
            let sizes = (book.side(Side::Buy).len(), book.side(Side::Sell).len());
            assert_eq!(sizes, (200, 200), "{}", counts.symbols[usize::from(id.0)]);
        }
        assert_eq!(counts.agreed, counts.compared);
        // Books and tickers of the usual spelling are taken byte by byte; the rest is no book's.
        assert!(counts.tiers.template as usize >= snapshots + updates && counts.tiers.library == 0);
    }
}

#[test]
fn captured_rules_are_read_whole() {
    let Some(records) = records() else { return };
    // One of 557 in spot has prices with more decimals than fit.
    for (venue, listed) in [("bybit.linear", 800), ("bybit.spot", 556)] {
        let read = records.iter().filter(|record| record["t"] == "http").find_map(|record| {
            (find(venue).unwrap().instruments)(record["data"].as_str().unwrap().as_bytes())
        });
        let specs = read.unwrap();
        assert_eq!(specs.len(), listed, "{venue}");
        assert!(specs.iter().all(|spec| spec.open && spec.tick.0 > 0 && spec.lot.0 > 0));
        let name = if venue == "bybit.spot" { "BTC-USDT" } else { "BTC-USDT-PERP" };
        assert!(specs.iter().any(|spec| spec.name.as_str() == name));
    }
}
