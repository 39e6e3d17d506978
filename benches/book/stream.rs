//! Depth messages for the book benches: a seeded market, or a captured one.

#![allow(dead_code, missing_docs)]

use std::collections::BTreeMap;
use std::io::Read;

use xarb::types::{Level, Price, Side};

/// One message, as a feed hands it to a book.
#[derive(Clone, Default)]
pub struct Message {
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
}

/// A snapshot and the messages after it.
pub struct Stream {
    pub tick: Price,
    /// Levels a side that the venue keeps; zero = all.
    pub keep: usize,
    pub snapshot: Message,
    pub messages: Vec<Message>,
}

impl Stream {
    pub fn levels(&self) -> u64 {
        self.messages.iter().map(|message| (message.bids.len() + message.asks.len()) as u64).sum()
    }
}

/// How a generated stream is made.
pub struct Shape {
    pub tick: i64,
    pub depth: usize,
    pub updates: usize,
    pub keep: usize,
    /// Share of updates beyond the window, in percent.
    pub far: u64,
}

/// A depth stream of about 30 updates a message, all near the touch: 70 % within 8 ticks of the
/// best, 22 % within 150, 8 % up to 2,000.
pub const NEAR: Shape = Shape { tick: 1_000_000, depth: 590, updates: 30, keep: 0, far: 0 };
/// The same with a quarter of the updates beyond the window, among some 2,000 levels.
pub const FAR: Shape = Shape { far: 25, ..NEAR };
/// A stream of ten levels a side and two updates a message.
pub const SHORT: Shape = Shape { tick: 10_000_000, depth: 10, updates: 2, keep: 10, far: 0 };

pub fn generated(shape: &Shape, count: usize) -> Stream {
    let mut random = Random(42);
    let mut mid = 6_000_000i64;
    let mut book: [BTreeMap<i64, i64>; 2] = Default::default();
    // Distances of the far levels that live; they are changed, and now and then replaced.
    let mut far: Vec<i64> = (0..2_000).map(|_| 66_000 + random.below(900_000) as i64).collect();
    let price = |side: Side, mid: i64, distance: i64| match side {
        Side::Buy => mid - 1 - distance,
        Side::Sell => mid + distance,
    };
    for side in Side::BOTH {
        for rank in 0..shape.depth {
            let distance = if rank < 100 { rank as i64 } else { 100 + random.below(1_900) as i64 };
            book[side as usize].insert(price(side, mid, distance), random.qty());
        }
        for distance in far.iter().filter(|_| shape.far > 0) {
            book[side as usize].insert(price(side, 6_000_000, *distance), random.qty());
        }
    }
    let level = |ticks: i64, qty: i64| Level::new(ticks * shape.tick, qty);
    let all = |book: &BTreeMap<i64, i64>| book.iter().map(|(t, q)| level(*t, *q)).collect::<Vec<_>>();
    let snapshot = Message { bids: all(&book[0]), asks: all(&book[1]) };
    let messages = (0..count)
        .map(|at| {
            let mut sides: [Vec<Level>; 2] = Default::default();
            mid += [0, 0, 0, 1, -1, 2, -2][random.below(7) as usize];
            // What the market moved through is gone.
            let through: Vec<_> = book[0].range(mid..).map(|(ticks, _)| (Side::Buy, *ticks)).collect();
            let crossed: Vec<_> = book[1].range(..mid).map(|(ticks, _)| (Side::Sell, *ticks)).collect();
            for (side, ticks) in through.into_iter().chain(crossed) {
                book[side as usize].remove(&ticks);
                sides[side as usize].push(level(ticks, 0));
            }
            for _ in 0..shape.updates {
                let side = Side::BOTH[random.below(2) as usize];
                let near = match random.below(100) {
                    _ if shape.keep > 0 => random.below(shape.keep as u64),
                    0..70 => random.below(8),
                    70..92 => random.below(150),
                    _ => random.below(2_000),
                };
                let mut ticks = price(side, mid, near as i64);
                if random.below(100) < shape.far {
                    let slot = random.below(2_000) as usize;
                    if random.below(10) == 0 {
                        sides[side as usize].push(level(price(side, 6_000_000, far[slot]), 0));
                        far[slot] = 66_000 + random.below(900_000) as i64;
                    }
                    ticks = price(side, 6_000_000, far[slot]);
                }
                let gone =
                    random.below(100) < if shape.keep > 0 { 15 } else { 35 } && ticks != price(side, mid, 0);
                let qty = if gone { 0 } else { random.qty() };
                match qty {
                    0 => book[side as usize].remove(&ticks),
                    _ => book[side as usize].insert(ticks, qty),
                };
                sides[side as usize].push(level(ticks, qty));
            }
            // The last message brings the market back to where the snapshot left it, since the
            // bench plays the stream again and again.
            if at + 1 == count {
                mid = 6_000_000;
            }
            let [bids, asks] = sides;
            Message { bids, asks }
        })
        .collect();
    Stream { tick: Price(shape.tick), keep: shape.keep, snapshot, messages }
}

/// The captured spot stream, its snapshot and the first `count` messages that follow it; `None`
/// when the captures are not here.
pub fn captured(count: usize) -> Option<Stream> {
    let folder = crate::common::folder();
    let file = std::fs::File::open(folder.join("binance/hftbacktest-spot_btcusdt_20240808.gz")).ok()?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).ok()?;
    let mut stream =
        Stream { tick: Price(1_000_000), keep: 0, snapshot: Message::default(), messages: Vec::new() };
    let (mut last, mut waiting) = (u64::MAX, Vec::new());
    for line in text.lines() {
        let Some((_, json)) = line.split_once(' ') else { continue };
        let value: serde_json::Value = serde_json::from_str(json).ok()?;
        if let Some(id) = value["lastUpdateId"].as_u64() {
            (last, stream.snapshot) = (id, message(&value["bids"], &value["asks"])?);
        } else if value["data"]["e"] == "depthUpdate" {
            let data = &value["data"];
            waiting.push((data["u"].as_u64()?, message(&data["b"], &data["a"])?));
        }
    }
    stream.messages =
        waiting.into_iter().filter(|(id, _)| *id > last).take(count).map(|(_, message)| message).collect();
    Some(stream)
}

fn message(bids: &serde_json::Value, asks: &serde_json::Value) -> Option<Message> {
    let number = |value: &serde_json::Value| {
        xarb::types::parse(value.as_str()?.as_bytes(), xarb::types::Scale::DEFAULT).ok()
    };
    let levels = |side: &serde_json::Value| -> Option<Vec<Level>> {
        side.as_array()?.iter().map(|pair| Some(Level::new(number(&pair[0])?, number(&pair[1])?))).collect()
    };
    Some(Message { bids: levels(bids)?, asks: levels(asks)? })
}

/// SplitMix64: the same stream for ever.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn qty(&mut self) -> i64 {
        (1 + self.below(100_000)) as i64 * 1_000
    }
}
