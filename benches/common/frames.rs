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
    /// Coinbase Advanced Trade `l2_data` update, 1 to 12 levels.
    CoinbaseLevel2,
    /// Coinbase Advanced Trade `ticker`.
    CoinbaseTicker,
    /// Bybit spot `orderbook.50` delta, 2 to 12 levels.
    BybitOrderbook,
    /// Bybit linear `tickers` delta: best bid and ask.
    BybitTicker,
    /// OKX `books` update, 2 to 42 levels.
    OkxBooks,
    /// OKX `bbo-tbt`: best bid and ask.
    OkxBest,
    /// Kraken Futures `book`: one level a message.
    KrakenFutures,
}

impl Case {
    pub const ALL: [Case; 10] = [
        Case::BinanceDepth,
        Case::BinanceTicker,
        Case::KrakenBook,
        Case::CoinbaseLevel2,
        Case::CoinbaseTicker,
        Case::BybitOrderbook,
        Case::BybitTicker,
        Case::OkxBooks,
        Case::OkxBest,
        Case::KrakenFutures,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Case::BinanceDepth => "binance_depth",
            Case::BinanceTicker => "binance_ticker",
            Case::KrakenBook => "kraken_book",
            Case::CoinbaseLevel2 => "coinbase_level2",
            Case::CoinbaseTicker => "coinbase_ticker",
            Case::BybitOrderbook => "bybit_orderbook",
            Case::BybitTicker => "bybit_ticker",
            Case::OkxBooks => "okx_books",
            Case::OkxBest => "okx_bbo",
            Case::KrakenFutures => "kraken_futures_book",
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
                Case::CoinbaseLevel2 => coinbase_level2(&mut rand, mid, id, time_ms),
                Case::CoinbaseTicker => coinbase_ticker(&mut rand, mid, id, time_ms),
                Case::BybitOrderbook => bybit_orderbook(&mut rand, mid / 10, id, time_ms),
                Case::BybitTicker => bybit_ticker(&mut rand, mid / 10, id, time_ms),
                Case::OkxBooks => okx_books(&mut rand, mid / 10, id, time_ms),
                Case::OkxBest => okx_best(&mut rand, mid / 10, id, time_ms),
                Case::KrakenFutures => kraken_futures(&mut rand, mid / 50, id, time_ms),
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

/// As much of the venue's wrapper as stands before the event's own fields.
fn coinbase_head(rand: &mut Rand64, channel: &str, id: u64, time_ms: u64) -> String {
    let (second, nanos) = (time_ms / 1_000 % 60, rand.rand_range(0..1_000_000_000));
    format!(
        r#"{{"channel":"{channel}","timestamp":"2026-08-09T21:05:{second:02}.{nanos:09}Z","sequence_num":{id},"events":[{{"type":"update","#
    )
}

fn coinbase_level2(rand: &mut Rand64, mid: i64, id: u64, time_ms: u64) -> String {
    let (second, micros) = (time_ms / 1_000 % 60, rand.rand_range(0..1_000_000));
    let mut side = |name: &str, sign: i64, count: u64| -> Vec<String> {
        let level = |_| {
            let price = (mid + sign * distance(rand)) as u64;
            let qty = match quantity(rand) {
                0 => "0".to_owned(),
                qty => fixed(qty * 1_000 + rand.rand_range(0..1_000), 8),
            };
            format!(
                r#"{{"side":"{name}","event_time":"2026-08-09T21:05:{second:02}.{micros:06}Z","price_level":"{}","new_quantity":"{qty}"}}"#,
                fixed(price, 2)
            )
        };
        (0..count).map(level).collect()
    };
    let (bids, asks) = match time_ms / 100 % 10 {
        0..4 => (2, 0),
        4..8 => (0, 2),
        8 => (1, 1),
        _ => (6, 6),
    };
    let mut levels = side("bid", -1, bids);
    levels.extend(side("offer", 1, asks));
    let head = coinbase_head(rand, "l2_data", id, time_ms);
    format!(r#"{head}"product_id":"BTC-USD","updates":[{}]}}]}}"#, levels.join(","))
}

fn coinbase_ticker(rand: &mut Rand64, mid: i64, id: u64, time_ms: u64) -> String {
    let (bid, ask) = (fixed(mid as u64, 2), fixed(mid as u64 + 1, 2));
    let (bid_qty, ask_qty) = (fixed(quantity(rand) * 1_000 + 1, 8), fixed(quantity(rand) * 1_000 + 1, 8));
    let head = coinbase_head(rand, "ticker", id, time_ms);
    format!(
        r#"{head}"tickers":[{{"type":"ticker","product_id":"BTC-USD","price":"{bid}","volume_24_h":"2867.54532609","low_24_h":"64675.22","high_24_h":"65252.99","low_52_w":"57717.55","high_52_w":"126296","price_percent_chg_24_h":"0.09601107","best_bid":"{bid}","best_ask":"{ask}","best_bid_quantity":"{bid_qty}","best_ask_quantity":"{ask_qty}"}}]}}]}}"#
    )
}

fn bybit_orderbook(rand: &mut Rand64, mid: i64, id: u64, time_ms: u64) -> String {
    let mut side = |sign: i64| {
        let count = rand.rand_range(1..7);
        let levels: Vec<String> = (0..count)
            .map(|_| {
                let price = (mid + sign * distance(rand)) as u64;
                let qty = quantity(rand) * 10 + rand.rand_range(0..10);
                // Spot leaves trailing zeros out; a third are deletions.
                let qty = if qty < 10 { "0".to_owned() } else { format!("{}1", fixed(qty / 10, 5)) };
                format!(r#"["{}","{qty}"]"#, fixed(price, 1))
            })
            .collect();
        levels.join(",")
    };
    let (bids, asks) = (side(-1), side(1));
    let (update, engine) = (id % 100_000_000, time_ms - 3);
    format!(
        r#"{{"topic":"orderbook.50.BTCUSDT","ts":{time_ms},"type":"delta","data":{{"s":"BTCUSDT","b":[{bids}],"a":[{asks}],"u":{update},"seq":{id}}},"cts":{engine}}}"#
    )
}

fn bybit_ticker(rand: &mut Rand64, mid: i64, id: u64, time_ms: u64) -> String {
    let (bid, ask) = (fixed(mid as u64 * 10, 2), fixed(mid as u64 * 10 + 10, 2));
    let (bid_qty, ask_qty) = (fixed(quantity(rand) + 1, 3), fixed(quantity(rand) + 1, 3));
    format!(
        r#"{{"topic":"tickers.BTCUSDT","type":"delta","data":{{"symbol":"BTCUSDT","bid1Price":"{bid}","bid1Size":"{bid_qty}","ask1Price":"{ask}","ask1Size":"{ask_qty}"}},"cs":{id},"ts":{time_ms}}}"#
    )
}

/// Price, size, a dead field and the number of orders. Trailing zeros are left out, as the venue does.
fn okx_level(rand: &mut Rand64, price: i64) -> String {
    let price = fixed(price as u64, 1);
    let price = price.trim_end_matches('0').trim_end_matches('.');
    match quantity(rand) {
        0 => format!(r#"["{price}","0","0","0"]"#),
        qty => {
            let orders = rand.rand_range(1..15);
            format!(r#"["{price}","{}","0","{orders}"]"#, fixed(qty * 1_000 + 1, 8))
        }
    }
}

fn okx_books(rand: &mut Rand64, mid: i64, id: u64, time_ms: u64) -> String {
    let mut side = |sign: i64| {
        let count = rand.rand_range(1..22);
        let level = |_| {
            let price = mid + sign * distance(rand);
            okx_level(rand, price)
        };
        (0..count).map(level).collect::<Vec<_>>().join(",")
    };
    let (asks, bids) = (side(1), side(-1));
    let before = id - 7;
    format!(
        r#"{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"update","data":[{{"asks":[{asks}],"bids":[{bids}],"ts":"{time_ms}","checksum":0,"seqId":{id},"prevSeqId":{before}}}]}}"#
    )
}

fn okx_best(rand: &mut Rand64, mid: i64, id: u64, time_ms: u64) -> String {
    let (ask, bid) = (okx_level(rand, mid + 1), okx_level(rand, mid));
    format!(
        r#"{{"arg":{{"channel":"bbo-tbt","instId":"BTC-USDT"}},"data":[{{"asks":[{ask}],"bids":[{bid}],"ts":"{time_ms}","seqId":{id}}}]}}"#
    )
}

fn kraken_futures(rand: &mut Rand64, mid: i64, id: u64, time_ms: u64) -> String {
    let (side, sign) = if rand.rand_range(0..2) == 0 { ("buy", -1) } else { ("sell", 1) };
    // Half dollars and whole contracts, both written with a decimal.
    let price = fixed((mid + sign * distance(rand)) as u64 * 5, 1);
    let qty = quantity(rand) / 10;
    format!(
        r#"{{"feed":"book","product_id":"PI_XBTUSD","side":"{side}","seq":{id},"price":{price},"qty":{qty}.0,"timestamp":{time_ms}}}"#
    )
}
