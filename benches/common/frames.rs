//! Frames in the exchanges' exact spelling, all different, the same for ever from one seed.

use oorandom::Rand64;
use xarb::wire::{PADDING, Padded};

/// A kind of frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// Binance spot `depthUpdate`, 30 levels, about 1 KB.
    BinanceDepth,
    /// Binance spot `bookTicker`.
    BinanceTicker,
    /// Kraken v2 `book` update, 2.2 levels.
    KrakenBook,
}

impl Case {
    pub const ALL: [Case; 3] = [Case::BinanceDepth, Case::BinanceTicker, Case::KrakenBook];

    pub fn name(self) -> &'static str {
        match self {
            Case::BinanceDepth => "binance_depth",
            Case::BinanceTicker => "binance_ticker",
            Case::KrakenBook => "kraken_book",
        }
    }
}

/// A frame with its slack.
pub struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    fn new(text: String) -> Frame {
        let mut bytes = text.into_bytes();
        bytes.resize(bytes.len() + PADDING, 0);
        Frame { bytes }
    }

    pub fn padded(&self) -> Padded<'_> {
        Padded::new(&self.bytes, self.bytes.len() - PADDING).expect("the slack is there")
    }

    pub fn message(&self) -> &[u8] {
        &self.bytes[..self.bytes.len() - PADDING]
    }
}

/// `count` frames of a kind. The market walks; 70 % of updates are within 8 ticks of the best, 22 %
/// within 150, the rest within 2,000; a third are deletions.
pub fn frames(case: Case, count: usize) -> Vec<Frame> {
    let mut rand = Rand64::new(20_261_123);
    let mut mid = 6_173_763i64; // ticks of 0.01
    let mut id = 50_093_239_189u64;
    let mut time_ms = 1_672_515_782_136u64;
    (0..count)
        .map(|_| {
            mid += rand.rand_range(0..21) as i64 - 10;
            id += rand.rand_range(1..60);
            time_ms += 100;
            Frame::new(match case {
                Case::BinanceDepth => binance_depth(&mut rand, mid, id, time_ms),
                Case::BinanceTicker => binance_ticker(&mut rand, mid, id),
                Case::KrakenBook => kraken_book(&mut rand, mid / 10, time_ms),
            })
        })
        .collect()
}

/// Distance from the best price in ticks.
fn distance(rand: &mut Rand64) -> i64 {
    let span = match rand.rand_range(0..100) {
        0..70 => 8,
        70..92 => 150,
        _ => 2_000,
    };
    rand.rand_range(0..span) as i64 + 1
}

/// A quantity in units of 1e-5: none, a small one, or now and then a large one.
fn quantity(rand: &mut Rand64) -> u64 {
    match rand.rand_range(0..30) {
        0..10 => 0,
        10..29 => rand.rand_range(1..400_000),
        _ => rand.rand_range(400_000..9_000_000),
    }
}

fn fixed(value: u64, places: u32) -> String {
    let one = 10u64.pow(places);
    format!("{}.{:0width$}", value / one, value % one, width = places as usize)
}

fn binance_depth(rand: &mut Rand64, mid: i64, id: u64, time_ms: u64) -> String {
    let mut side = |sign: i64| {
        let count = rand.rand_range(10..21);
        let levels: Vec<String> = (0..count)
            .map(|_| {
                let price = (mid + sign * distance(rand)) as u64;
                format!("[\"{}000000\",\"{}000\"]", fixed(price, 2), fixed(quantity(rand), 5))
            })
            .collect();
        levels.join(",")
    };
    let (bids, asks) = (side(-1), side(1));
    let last = id + 40;
    format!(
        r#"{{"e":"depthUpdate","E":{time_ms},"s":"BTCUSDT","U":{id},"u":{last},"b":[{bids}],"a":[{asks}]}}"#
    )
}

fn binance_ticker(rand: &mut Rand64, mid: i64, id: u64) -> String {
    let (bid, ask) = (fixed(mid as u64, 2), fixed(mid as u64 + 1, 2));
    let (bid_qty, ask_qty) = (fixed(quantity(rand) + 1, 5), fixed(quantity(rand) + 1, 5));
    format!(
        r#"{{"u":{id},"s":"BTCUSDT","b":"{bid}000000","B":"{bid_qty}000","a":"{ask}000000","A":"{ask_qty}000"}}"#
    )
}

fn kraken_book(rand: &mut Rand64, mid: i64, time_ms: u64) -> String {
    let mut side = |sign: i64, count: u64| {
        let levels: Vec<String> = (0..count)
            .map(|_| {
                let price = (mid + sign * distance(rand)) as u64;
                let qty = quantity(rand) * 1_000 + rand.rand_range(0..1_000);
                format!(r#"{{"price":{},"qty":{}}}"#, fixed(price, 1), fixed(qty, 8))
            })
            .collect();
        levels.join(",")
    };
    let (bids, asks) = match time_ms / 100 % 10 {
        0..4 => (side(-1, 2), String::new()),
        4..8 => (String::new(), side(1, 2)),
        _ => (side(-1, 2), side(1, 1)),
    };
    let checksum = rand.rand_u64() as u32;
    let (second, micros) = (time_ms / 1_000 % 60, rand.rand_range(0..1_000_000));
    format!(
        r#"{{"channel":"book","type":"update","data":[{{"symbol":"BTC/USD","bids":[{bids}],"asks":[{asks}],"checksum":{checksum},"timestamp":"2026-07-26T17:35:{second:02}.{micros:06}Z"}}]}}"#
    )
}
