//! Recorded books, rebuilt and compared with every checksum that the venue sent.

use std::collections::BTreeMap;
use std::io::Read;

use xarb::types::{BookView, Endpoint, Level, Nanos, Side};
use xarb::venue::{ChangeKind, Channels, Feed, FeedConfig, FeedInput, FeedOut, Verdict};
use xarb::wire::PaddedBuf;

/// A book as plain as can be: the judge of nothing but the feed.
#[derive(Default)]
pub struct Plain {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    pub live: bool,
    /// Levels that fell off the end.
    pub cut: usize,
}

impl Plain {
    pub fn apply(&mut self, kind: ChangeKind, bids: &[Level], asks: &[Level], keep: u32) {
        match kind {
            ChangeKind::Snapshot { live } => {
                (self.bids, self.asks) = Default::default();
                self.live = live;
            }
            ChangeKind::Update => {}
            ChangeKind::Lost(_) => self.live = false,
            ChangeKind::Top | ChangeKind::Alive => return,
        }
        for (side, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels {
                if level.qty.0 == 0 {
                    side.remove(&level.price.0);
                } else {
                    side.insert(level.price.0, level.qty.0);
                }
            }
        }
        while keep > 0 && self.bids.len() > keep as usize {
            self.bids.pop_first();
            self.cut += 1;
        }
        while keep > 0 && self.asks.len() > keep as usize {
            self.asks.pop_last();
            self.cut += 1;
        }
    }

    pub fn side(&self, side: Side) -> Vec<Level> {
        let level = |(price, qty): (&i64, &i64)| Level::new(*price, *qty);
        match side {
            Side::Buy => self.bids.iter().rev().map(level).collect(),
            Side::Sell => self.asks.iter().map(level).collect(),
        }
    }
}

impl BookView for Plain {
    fn best(&self, side: Side, out: &mut [Level]) -> usize {
        let levels = self.side(side);
        out.iter_mut().zip(&levels).map(|(to, from)| *to = *from).count()
    }
}

/// A feed without metadata, as a replay has it.
pub fn discovering(venue: &str) -> Box<dyn Feed> {
    (xarb::venue::find(venue).unwrap().feed)(&FeedConfig {
        books: Vec::new(),
        discover: true,
        channels: Channels { depth: true, levels: 1000, interval_ms: 0, ticker: false },
        encoding: xarb::venue::Encoding::Json,
        stream: Endpoint::parse("wss://127.0.0.1/v2").unwrap(),
        rest: Endpoint::parse("https://127.0.0.1").unwrap(),
    })
}

#[derive(Default, Debug, PartialEq, Eq)]
struct Counts {
    snapshots: usize,
    updates: usize,
    matches: usize,
    differs: usize,
    absent: usize,
    cut: usize,
}

fn play<'a>(messages: impl IntoIterator<Item = &'a str>) -> Counts {
    let (mut feed, mut out, mut padded) =
        (discovering("kraken.spot"), FeedOut::default(), PaddedBuf::default());
    let mut books: BTreeMap<u16, Plain> = BTreeMap::new();
    let mut counts = Counts::default();
    for message in messages {
        out.clear();
        feed.on(FeedInput::Text(padded.fill(message.as_bytes())), Nanos(1), &mut out).expect(message);
        for change in &out.changes {
            match change.kind {
                ChangeKind::Snapshot { .. } => counts.snapshots += 1,
                ChangeKind::Update => counts.updates += 1,
                _ => continue,
            }
            let book = books.entry(change.book.0).or_default();
            book.apply(change.kind, out.bids(change), out.asks(change), change.keep);
            match feed.verify(change, book) {
                Verdict::Matches => counts.matches += 1,
                Verdict::Differs { .. } => counts.differs += 1,
                Verdict::Absent => counts.absent += 1,
            }
        }
    }
    counts.cut = books.values().map(|book| book.cut).sum();
    counts
}

fn capture(name: &str) -> Option<Vec<u8>> {
    let directory = crate::common::folder();
    let path = directory.join("kraken").join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: no {}", path.display());
        return None;
    };
    if !name.ends_with(".zst") {
        return Some(bytes);
    }
    let mut text = Vec::new();
    zstd::Decoder::new(&bytes[..]).unwrap().read_to_end(&mut text).unwrap();
    Some(text)
}

/// A file of the shape `{"init": message or messages, "updates": messages}`.
fn play_sdk(name: &str) -> Option<Counts> {
    use serde_json::value::RawValue;
    #[derive(serde::Deserialize)]
    struct File {
        init: Box<RawValue>,
        updates: Vec<Box<RawValue>>,
    }
    let file: File = serde_json::from_slice(&capture(name)?).unwrap();
    let init = serde_json::from_str::<Vec<Box<RawValue>>>(file.init.get()).unwrap_or(vec![file.init]);
    Some(play(init.iter().chain(&file.updates).map(|message| message.get())))
}

#[test]
fn recorded_books_of_v2_match_every_checksum() {
    let Some(counts) = play_sdk("python-kraken-sdk-orderbook-v2.json") else { return };
    assert_eq!((counts.matches, counts.differs, counts.absent), (510, 0, 0), "{counts:?}");
}

#[test]
fn recorded_books_of_v1_match_every_checksum() {
    let Some(counts) = play_sdk("python-kraken-sdk-orderbook-v1.json") else { return };
    assert_eq!((counts.matches, counts.differs, counts.cut), (979, 0, 236), "{counts:?}");
}

#[test]
fn a_thousand_levels_of_v1_match_every_checksum() {
    let Some(text) = capture("cryptofeed-KRAKEN.jsonl.zst") else { return };
    #[derive(serde::Deserialize)]
    struct Record<'a> {
        t: &'a str,
        data: Option<String>,
    }
    let messages: Vec<String> = text
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Record>(line).ok().filter(|r| r.t == "recv")?.data)
        .collect();
    let counts = play(messages.iter().map(String::as_str));
    assert_eq!((counts.matches, counts.differs), (4_269, 0), "{counts:?}");
}
