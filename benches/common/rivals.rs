//! The same work by others: typed and borrowing serde parsers, simd-json's tape with its buffers
//! kept, and the limits: one pass over the bytes, and a copy of them.
//!
//! All end in the same scalar decimal, so that what differs is the reading of JSON.

use serde::Deserialize;
use serde::de::IgnoredAny;
use simd_json::{Buffers, Node, StaticNode, Tape};
use xarb::types::Level;

use super::frames::Case;

/// A plain decimal at scale 8, digit by digit.
#[inline]
fn decimal(text: &str) -> i64 {
    let (mut value, mut places, mut point) = (0i64, 0, false);
    for byte in text.bytes() {
        if byte == b'.' {
            point = true;
            continue;
        }
        assert!(byte.is_ascii_digit());
        value = value * 10 + i64::from(byte - b'0');
        places += u32::from(point);
    }
    value * 10i64.pow(8 - places)
}

#[derive(Deserialize)]
struct BinanceDepth<'a> {
    #[serde(rename = "e")]
    event: &'a str,
    #[serde(rename = "E")]
    time: i64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(borrow, rename = "b")]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(borrow, rename = "a")]
    asks: Vec<(&'a str, &'a str)>,
}

#[derive(Deserialize)]
struct BinanceTicker<'a> {
    #[serde(rename = "u")]
    id: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "b")]
    bid: &'a str,
    #[serde(rename = "B")]
    bid_qty: &'a str,
    #[serde(rename = "a")]
    ask: &'a str,
    #[serde(rename = "A")]
    ask_qty: &'a str,
}

/// Numbers go through `f64`, as they do by default; it is faster than exact.
#[derive(Deserialize)]
struct KrakenLevel {
    price: f64,
    qty: f64,
}

#[derive(Deserialize)]
struct KrakenData<'a> {
    symbol: &'a str,
    bids: Vec<KrakenLevel>,
    asks: Vec<KrakenLevel>,
    checksum: u32,
    timestamp: &'a str,
}

#[derive(Deserialize)]
struct KrakenBook<'a> {
    channel: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    data: Vec<KrakenData<'a>>,
}

/// Advanced Trade's wrapper.
#[derive(Deserialize)]
struct Coinbase<'a, T> {
    channel: &'a str,
    timestamp: &'a str,
    sequence_num: u64,
    events: Vec<T>,
}

#[derive(Deserialize)]
struct CoinbaseBook<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    product_id: &'a str,
    #[serde(borrow)]
    updates: Vec<CoinbaseLevel<'a>>,
}

#[derive(Deserialize)]
struct CoinbaseLevel<'a> {
    side: &'a str,
    price_level: &'a str,
    new_quantity: &'a str,
}

#[derive(Deserialize)]
struct CoinbaseTickers<'a> {
    #[serde(borrow)]
    tickers: Vec<CoinbaseTicker<'a>>,
}

#[derive(Deserialize)]
struct CoinbaseTicker<'a> {
    product_id: &'a str,
    best_bid: &'a str,
    best_bid_quantity: &'a str,
    best_ask: &'a str,
    best_ask_quantity: &'a str,
}

#[derive(Deserialize)]
struct Bybit<'a, T> {
    topic: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    ts: u64,
    #[serde(default)]
    cs: u64,
    #[serde(default)]
    cts: u64,
    data: T,
}

#[derive(Deserialize)]
struct BybitBook<'a> {
    s: &'a str,
    #[serde(borrow)]
    b: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    a: Vec<(&'a str, &'a str)>,
    u: u64,
    seq: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BybitTicker<'a> {
    symbol: &'a str,
    #[serde(borrow)]
    bid1_price: Option<&'a str>,
    #[serde(borrow)]
    bid1_size: Option<&'a str>,
    #[serde(borrow)]
    ask1_price: Option<&'a str>,
    #[serde(borrow)]
    ask1_size: Option<&'a str>,
}

#[derive(Deserialize)]
struct Okx<'a> {
    #[serde(borrow)]
    arg: OkxArg<'a>,
    #[serde(borrow)]
    action: Option<&'a str>,
    #[serde(borrow)]
    data: Vec<OkxBook<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OkxArg<'a> {
    channel: &'a str,
    inst_id: &'a str,
}

/// What nobody reads of a level is not kept.
type OkxLevel<'a> = (&'a str, &'a str, IgnoredAny, IgnoredAny);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OkxBook<'a> {
    #[serde(borrow)]
    asks: Vec<OkxLevel<'a>>,
    #[serde(borrow)]
    bids: Vec<OkxLevel<'a>>,
    ts: &'a str,
    #[serde(default)]
    checksum: i64,
    seq_id: i64,
    #[serde(default)]
    prev_seq_id: i64,
}

#[derive(Deserialize)]
struct KrakenFutures<'a> {
    feed: &'a str,
    product_id: &'a str,
    side: &'a str,
    seq: u64,
    price: f64,
    qty: f64,
    timestamp: u64,
}

fn okx_out(message: &Okx<'_>, levels: &mut Vec<Level>) -> u64 {
    let book = &message.data[0];
    for (price, qty, ..) in book.asks.iter().chain(&book.bids) {
        levels.push(Level::new(decimal(price), decimal(qty)));
    }
    let OkxArg { channel, inst_id } = message.arg;
    let time: u64 = book.ts.parse().expect("a time");
    let names = channel.len() + inst_id.len() + message.action.map_or(0, str::len);
    time ^ names as u64 ^ (book.checksum ^ book.seq_id ^ book.prev_seq_id) as u64
}

fn futures_out(message: &KrakenFutures<'_>, levels: &mut Vec<Level>) -> u64 {
    levels.push(Level::new((message.price * 1e8) as i64, (message.qty * 1e8) as i64));
    let names = message.feed.len() + message.product_id.len() + message.side.len();
    message.seq ^ message.timestamp ^ names as u64
}

fn bybit_sum<T>(message: &Bybit<'_, T>) -> u64 {
    message.ts ^ message.cs ^ message.cts ^ (message.topic.len() + message.kind.len()) as u64
}

fn orderbook_out(message: &Bybit<'_, BybitBook<'_>>, levels: &mut Vec<Level>) -> u64 {
    let book = &message.data;
    for (price, qty) in book.b.iter().chain(&book.a) {
        levels.push(Level::new(decimal(price), decimal(qty)));
    }
    bybit_sum(message) ^ book.u ^ book.seq ^ book.s.len() as u64
}

fn bybit_ticker_out(message: &Bybit<'_, BybitTicker<'_>>, levels: &mut Vec<Level>) -> u64 {
    let BybitTicker { symbol, bid1_price, bid1_size, ask1_price, ask1_size } = &message.data;
    for (price, qty) in [(bid1_price, bid1_size), (ask1_price, ask1_size)] {
        levels.push(Level::new(price.map_or(0, decimal), qty.map_or(0, decimal)));
    }
    bybit_sum(message) ^ symbol.len() as u64
}

fn coinbase_sum<T>(message: &Coinbase<'_, T>) -> u64 {
    message.sequence_num ^ (message.channel.len() + message.timestamp.len()) as u64
}

fn level2_out(message: &Coinbase<'_, CoinbaseBook<'_>>, levels: &mut Vec<Level>) -> u64 {
    let book = &message.events[0];
    for side in ["bid", "offer"] {
        for level in book.updates.iter().filter(|level| level.side == side) {
            levels.push(Level::new(decimal(level.price_level), decimal(level.new_quantity)));
        }
    }
    coinbase_sum(message) ^ (book.kind.len() + book.product_id.len()) as u64
}

fn coinbase_ticker_out(message: &Coinbase<'_, CoinbaseTickers<'_>>, levels: &mut Vec<Level>) -> u64 {
    let ticker = &message.events[0].tickers[0];
    levels.push(Level::new(decimal(ticker.best_bid), decimal(ticker.best_bid_quantity)));
    levels.push(Level::new(decimal(ticker.best_ask), decimal(ticker.best_ask_quantity)));
    coinbase_sum(message) ^ ticker.product_id.len() as u64
}

fn depth_out(depth: &BinanceDepth<'_>, levels: &mut Vec<Level>) -> u64 {
    for (price, qty) in depth.bids.iter().chain(&depth.asks) {
        levels.push(Level::new(decimal(price), decimal(qty)));
    }
    depth.first ^ depth.last ^ depth.time as u64 ^ (depth.event.len() + depth.symbol.len()) as u64
}

fn ticker_out(ticker: &BinanceTicker<'_>, levels: &mut Vec<Level>) -> u64 {
    levels.push(Level::new(decimal(ticker.bid), decimal(ticker.bid_qty)));
    levels.push(Level::new(decimal(ticker.ask), decimal(ticker.ask_qty)));
    ticker.id ^ ticker.symbol.len() as u64
}

fn book_out(book: &KrakenBook<'_>, levels: &mut Vec<Level>) -> u64 {
    let data = &book.data[0];
    for level in data.bids.iter().chain(&data.asks) {
        levels.push(Level::new((level.price * 1e8) as i64, (level.qty * 1e8) as i64));
    }
    u64::from(data.checksum)
        ^ (book.channel.len() + book.kind.len() + data.symbol.len() + data.timestamp.len()) as u64
}

/// serde_json, typed, borrowing.
pub fn serde_json(case: Case, text: &[u8], levels: &mut Vec<Level>) -> u64 {
    match case {
        Case::BinanceDepth => depth_out(&serde_json::from_slice(text).expect("sound"), levels),
        Case::BinanceTicker => ticker_out(&serde_json::from_slice(text).expect("sound"), levels),
        Case::KrakenBook => book_out(&serde_json::from_slice(text).expect("sound"), levels),
        Case::CoinbaseLevel2 => level2_out(&serde_json::from_slice(text).expect("sound"), levels),
        Case::CoinbaseTicker => coinbase_ticker_out(&serde_json::from_slice(text).expect("sound"), levels),
        Case::BybitOrderbook => orderbook_out(&serde_json::from_slice(text).expect("sound"), levels),
        Case::BybitTicker => bybit_ticker_out(&serde_json::from_slice(text).expect("sound"), levels),
        Case::OkxBooks | Case::OkxBest => okx_out(&serde_json::from_slice(text).expect("sound"), levels),
        Case::KrakenFutures => futures_out(&serde_json::from_slice(text).expect("sound"), levels),
    }
}

/// sonic-rs, typed, borrowing.
pub fn sonic_rs(case: Case, text: &[u8], levels: &mut Vec<Level>) -> u64 {
    match case {
        Case::BinanceDepth => depth_out(&sonic_rs::from_slice(text).expect("sound"), levels),
        Case::BinanceTicker => ticker_out(&sonic_rs::from_slice(text).expect("sound"), levels),
        Case::KrakenBook => book_out(&sonic_rs::from_slice(text).expect("sound"), levels),
        Case::CoinbaseLevel2 => level2_out(&sonic_rs::from_slice(text).expect("sound"), levels),
        Case::CoinbaseTicker => coinbase_ticker_out(&sonic_rs::from_slice(text).expect("sound"), levels),
        Case::BybitOrderbook => orderbook_out(&sonic_rs::from_slice(text).expect("sound"), levels),
        Case::BybitTicker => bybit_ticker_out(&sonic_rs::from_slice(text).expect("sound"), levels),
        Case::OkxBooks | Case::OkxBest => okx_out(&sonic_rs::from_slice(text).expect("sound"), levels),
        Case::KrakenFutures => futures_out(&sonic_rs::from_slice(text).expect("sound"), levels),
    }
}

/// simd-json's tape with all its memory kept from message to message.
pub struct SimdTape {
    buffers: Buffers,
    tape: Option<Tape<'static>>,
    copy: Vec<u8>,
}

impl SimdTape {
    pub fn new() -> SimdTape {
        SimdTape { buffers: Buffers::new(4096), tape: Some(Tape(Vec::new())), copy: Vec::new() }
    }

    /// The values that a book needs, walked off the tape in the order of the text.
    pub fn read(&mut self, case: Case, text: &[u8], levels: &mut Vec<Level>) -> u64 {
        let of_four = matches!(case, Case::OkxBooks | Case::OkxBest);
        self.copy.clear();
        self.copy.extend_from_slice(text);
        let mut tape = self.tape.take().expect("given back").reset();
        simd_json::fill_tape(&mut self.copy, &mut self.buffers, &mut tape).expect("sound");
        let mut sum = 0;
        let (mut price, mut key, mut row) = (None, "", 0u32);
        for node in &tape.0 {
            // A row of four: what stands behind price and quantity is not read.
            if of_four {
                row = match node {
                    Node::Array { len: 4, .. } => 5,
                    _ => row.saturating_sub(1),
                };
                if row == 1 || row == 2 {
                    continue;
                }
            }
            match node {
                // A decimal, or a key, or a short text: digits tell. Times go on with a dash, or are
                // in ms.
                Node::String(text) if text.len() == 13 && !text.contains('.') => {
                    sum ^= text.parse::<u64>().unwrap_or(0);
                }
                Node::String(text)
                    if text.as_bytes().first().is_some_and(u8::is_ascii_digit)
                        && text.as_bytes().get(4) != Some(&b'-') =>
                {
                    take(decimal(text), &mut price, levels);
                }
                Node::String(text) => key = text,
                Node::Static(StaticNode::F64(value)) => take((*value * 1e8) as i64, &mut price, levels),
                Node::Static(StaticNode::U64(value)) => sum ^= value,
                _ => {}
            }
        }
        sum ^= key.len() as u64;
        self.tape = Some(tape.reset());
        sum
    }
}

#[inline]
fn take(value: i64, price: &mut Option<i64>, levels: &mut Vec<Level>) {
    match price.take() {
        Some(price) => levels.push(Level::new(price, value)),
        None => *price = Some(value),
    }
}

/// The least that looking at every byte costs: a mask of the quotes, 32 bytes at a time. The slack
/// behind the message, zeros here, spares it the last bytes one by one.
#[cfg(target_arch = "x86_64")]
pub fn avx2_pass(text: xarb::wire::Padded<'_>) -> u64 {
    #[target_feature(enable = "avx2,popcnt")]
    fn quotes(text: &[u8]) -> u64 {
        use std::arch::x86_64::*;
        let quote = _mm256_set1_epi8(b'"' as i8);
        let mut sum = 0;
        for chunk in text.as_chunks::<32>().0 {
            // SAFETY: the chunk has 32 bytes.
            let bytes = unsafe { _mm256_loadu_si256(chunk.as_ptr().cast()) };
            sum += _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, quote)).count_ones();
        }
        u64::from(sum)
    }
    assert!(is_x86_feature_detected!("avx2"));
    let whole = &text.with_slack()[..text.len().next_multiple_of(32)];
    // SAFETY: this CPU has AVX2, and all that have it have POPCNT.
    unsafe { quotes(whole) }
}

/// A copy of the bytes.
pub fn memcpy(text: &[u8], to: &mut [u8]) -> u64 {
    to[..text.len()].copy_from_slice(text);
    u64::from(std::hint::black_box(to)[text.len() / 2])
}
