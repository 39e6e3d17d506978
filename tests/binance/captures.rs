//! Real captured streams, rebuilt into books and compared with the venue's own ticker.

use std::collections::BTreeMap;
use std::io::Read;

use xarb::types::{BookId, Endpoint, Level, Nanos, Side};
use xarb::venue::{ChangeKind, Channels, Feed, FeedConfig, FeedInput, FeedOut, Lost, find};
use xarb::wire::PaddedBuf;

/// A plain ordered book: slow, and easily seen to be right.
#[derive(Default, PartialEq, Debug)]
pub struct PlainBook([BTreeMap<i64, i64>; 2]);

impl PlainBook {
    pub fn apply(&mut self, side: Side, levels: &[Level]) {
        for level in levels {
            match level.qty.0 {
                0 => self.0[side as usize].remove(&level.price.0),
                qty => self.0[side as usize].insert(level.price.0, qty),
            };
        }
    }

    pub fn clear(&mut self) {
        self.0 = Default::default();
    }

    pub fn best(&self) -> Top {
        let pair = |(price, qty): (&i64, &i64)| (*price, *qty);
        [self.0[0].last_key_value().map(pair), self.0[1].first_key_value().map(pair)]
    }
}

pub fn feed(venue: &str, discover: bool) -> Box<dyn Feed> {
    let venue = find(venue).expect("a venue");
    let endpoint = |url| Endpoint::parse(url).expect("a URL");
    (venue.feed)(&FeedConfig {
        books: Vec::new(),
        discover,
        channels: Channels { depth: true, levels: 1_000, interval_ms: 0, ticker: true },
        encoding: xarb::venue::Encoding::Json,
        stream: endpoint(venue.endpoints.0),
        rest: endpoint(venue.endpoints.1),
    })
}

/// Where the captures are, or `None` with a line that says that they are not there.
fn capture(name: &str) -> Option<Vec<u8>> {
    let folder = crate::common::folder();
    let path = folder.join("binance").join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: no {}", path.display());
        return None;
    };
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut text).expect("gzip");
    Some(text)
}

#[derive(Default, Debug, PartialEq)]
struct Counts {
    gaps: usize,
    snapshots: usize,
    updates: usize,
    compared: usize,
    agreed: usize,
    errors: usize,
}

type Top = [Option<(i64, i64)>; 2];

/// Rebuilds the book from the files, one after another over one connection, and compares its best
/// bid and ask, price and quantity, after every update with the last ticker of the files that is
/// not newer.
fn rebuild(venue: &str, files: &[&str]) -> Option<Counts> {
    let mut feed = feed(venue, true);
    let (mut out, mut padded, mut counts) = (FeedOut::default(), PaddedBuf::default(), Counts::default());
    let mut book = PlainBook::default();
    let (mut tickers, mut states) = (BTreeMap::new(), Vec::new());
    for file in files {
        let text = capture(file)?;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let space = line.iter().position(|byte| *byte == b' ').expect("a time and a message");
            let now: i64 = std::str::from_utf8(&line[..space]).unwrap().parse().unwrap();
            let message = &line[space + 1..];
            out.clear();
            let input = if message.starts_with(b"{\"lastUpdateId\"") {
                FeedInput::Fetched { book: None, url: "", status: 200, body: message }
            } else {
                FeedInput::Text(padded.fill(message))
            };
            counts.errors += usize::from(feed.on(input, Nanos(now), &mut out).is_err());
            for change in &out.changes {
                assert_eq!(change.book, BookId(0));
                let (bids, asks) = (out.bids(change), out.asks(change));
                match change.kind {
                    ChangeKind::Snapshot { .. } => {
                        counts.snapshots += 1;
                        book.clear();
                    }
                    ChangeKind::Update => {
                        counts.updates += 1;
                    }
                    ChangeKind::Lost(why) => {
                        counts.gaps += usize::from(matches!(why, Lost::Gap { .. }));
                    }
                    ChangeKind::Top => {
                        let pair = |levels: &[Level]| levels.first().map(|l| (l.price.0, l.qty.0));
                        tickers.insert(change.seq, [pair(bids), pair(asks)]);
                        continue;
                    }
                    ChangeKind::Alive => unreachable!(),
                }
                book.apply(Side::Buy, bids);
                book.apply(Side::Sell, asks);
                if change.kind == ChangeKind::Update {
                    states.push((change.seq, book.best()));
                }
            }
        }
    }
    for (seq, best) in states {
        if let Some((_, top)) = tickers.range(..=seq).next_back() {
            counts.compared += 1;
            counts.agreed += usize::from(*top == best);
        }
    }
    Some(counts)
}

#[track_caller]
fn check(venue: &str, files: &[&str], least_compared: usize, differ: usize) {
    let Some(counts) = rebuild(venue, files) else { return };
    eprintln!("{files:?}: {counts:?}");
    assert_eq!((counts.gaps, counts.errors, counts.snapshots), (0, 0, 1));
    assert!(counts.compared >= least_compared, "{counts:?}");
    assert_eq!(counts.compared - counts.agreed, differ);
}

#[test]
fn spot_books_agree_with_their_ticker() {
    check(
        "binance.spot",
        &["hftbacktest-spot_btcusdt_20240808.gz", "hftbacktest-spot_btcusdt_20240809.gz"],
        6_491,
        2,
    );
    check(
        "binance.spot",
        &["hftbacktest-spot_ethusdt_20240808.gz", "hftbacktest-spot_ethusdt_20240809.gz"],
        6_468,
        0,
    );
}

#[test]
fn usdm_books_agree_with_their_ticker() {
    check("binance.usdm", &["hftbacktest-usdm_btcusdt_20240808.gz"], 6_543, 0);
    check("binance.usdm", &["hftbacktest-usdm_ethusdt_20240808.gz"], 6_577, 0);
}

#[test]
fn coinm_books_agree_with_their_ticker() {
    let btc = ["hftbacktest-cm_btcusd_perp_20240808.gz", "hftbacktest-cm_btcusd_perp_20240809.gz"];
    let eth = ["hftbacktest-cm_ethusd_perp_20240808.gz", "hftbacktest-cm_ethusd_perp_20240809.gz"];
    check("binance.coinm", &btc, 44_768, 0);
    check("binance.coinm", &eth, 39_120, 0);
}

#[test]
fn a_capture_that_starts_in_mid_stream_stays_waiting() {
    for (venue, file) in [
        ("binance.spot", "hftbacktest-spot_btcusdt_20240809.gz"),
        ("binance.coinm", "hftbacktest-cm_ethusd_perp_20240809.gz"),
        ("binance.spot", "basis-binance-90s.feedlog.gz"),
    ] {
        let Some(text) = capture(file) else { return };
        let mut feed = feed(venue, true);
        let (mut out, mut padded, mut discovered) = (FeedOut::default(), PaddedBuf::default(), 0);
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let start = line.iter().position(|byte| *byte == b'{').unwrap();
            out.clear();
            feed.on(FeedInput::Text(padded.fill(&line[start..])), Nanos::ZERO, &mut out).unwrap();
            assert!(out.changes.iter().all(|change| change.kind == ChangeKind::Top));
            discovered += out.discovered.len();
        }
        assert!(discovered == 1 || discovered == 86, "{discovered} books");
    }
}
