//! Bybit's market data messages, the same in all its markets.
//!
//! What a message is, is told by its topic. Prices and quantities are decimals in strings. The order
//! of the fields differs between markets and depths. A message of a channel that carries no book is
//! [`Message::Other`], but must still be well-formed.

mod library;
mod scan;
mod template;

use std::ops::Range;

use crate::types::{Level, Scale};
use crate::wire::json::kernel::Kernel;
use crate::wire::json::library::{Scratch, strings};
use crate::wire::json::scan::Scanner;
use crate::wire::json::template::Template;
use crate::wire::json::{self, Dialect, Error};

/// What came over a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// `orderbook`: a whole book, or the levels that changed.
    Book(Book<'a>),
    /// `tickers`: best bid and ask among other things.
    Ticker(Ticker<'a>),
    /// The answer to a subscription.
    Reply {
        /// It was granted.
        success: bool,
    },
    /// The answer to a ping.
    Pong,
    /// Anything else that is well-formed.
    Other,
}

/// Levels of one book, in the caller's buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Book<'a> {
    /// The venue's symbol.
    pub symbol: &'a [u8],
    /// Levels a side of the subscription.
    pub depth: u32,
    /// The whole book; else what changed.
    pub snapshot: bool,
    /// Update id: counted for each depth on its own.
    pub update: u64,
    /// Cross sequence: one count for all depths, with holes.
    pub seq: u64,
    /// When it was sent, in ms.
    pub sent_ms: i64,
    /// When the matching engine made it, in ms.
    pub engine_ms: Option<i64>,
    /// Bid levels in the buffer.
    pub bids: Range<u32>,
    /// Ask levels in the buffer.
    pub asks: Range<u32>,
}

/// What a ticker says of best bid and ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticker<'a> {
    /// The venue's symbol.
    pub symbol: &'a [u8],
    /// All fields are there; else those that changed.
    pub snapshot: bool,
    /// Cross sequence.
    pub seq: u64,
    /// When it was sent, in ms.
    pub sent_ms: i64,
    /// Best bid, its quantity, best ask, its quantity, as far as told; zero where the side is empty.
    pub best: [Option<i64>; 4],
}

/// Reads messages whose decimals are of one scale.
pub type Decoder = json::Decoder<Streams>;

/// The messages of the streams.
#[derive(Debug)]
pub struct Streams;

/// What the library's reading works in.
#[derive(Default, Debug)]
pub struct Memory {
    scratch: Scratch,
    symbol: Vec<u8>,
}

impl Dialect for Streams {
    type Message<'a> = Message<'a>;
    type Memory = Memory;

    #[inline(always)]
    fn template<'a, K: Kernel>(template: Template<'a, K>, levels: &mut Vec<Level>) -> Option<Message<'a>> {
        template::message(template, levels)
    }

    #[inline(always)]
    fn scan<'a, K: Kernel>(scan: Scanner<'a, K>, levels: &mut Vec<Level>) -> Result<Message<'a>, Error> {
        scan::message(scan, levels)
    }

    fn library<'a>(
        text: &'a [u8],
        scale: Scale,
        memory: &'a mut Memory,
        levels: &mut Vec<Level>,
    ) -> Result<Message<'a>, Error> {
        let tree = strings(text, &mut memory.scratch)?;
        library::interpret(&tree, scale, levels, &mut memory.symbol)
    }
}

/// Every field that is read of a message.
const OUTER: [&str; 8] = ["topic", "type", "ts", "cs", "cts", "data", "success", "op"];
/// Every field that is read of its data.
const INNER: [&str; 10] =
    ["s", "b", "a", "u", "seq", "symbol", "bid1Price", "bid1Size", "ask1Price", "ask1Size"];

/// What a topic's name says.
enum Topic<'a> {
    Book(u32, &'a [u8]),
    Ticker(&'a [u8]),
    Other,
}

/// `orderbook.200.BTCUSDT`, `tickers.BTCUSDT`. Books that are not levels of price and quantity
/// (`orderbook.rpi`) or have no snapshot (`orderbook.full`) are others.
#[inline(always)]
fn topic(name: &[u8]) -> Topic<'_> {
    if let Some(symbol) = name.strip_prefix(b"tickers.") {
        return if symbol.is_empty() { Topic::Other } else { Topic::Ticker(symbol) };
    }
    let Some(rest) = name.strip_prefix(b"orderbook.") else { return Topic::Other };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (depth, symbol) = rest.split_at(digits);
    let depth = std::str::from_utf8(depth).ok().and_then(|text| text.parse().ok());
    match (depth, symbol) {
        // Written plainly, as nobody writes it otherwise.
        (Some(depth), [b'.', symbol @ ..]) if rest[0] != b'0' && !symbol.is_empty() => {
            Topic::Book(depth, symbol)
        }
        _ => Topic::Other,
    }
}

/// A field that must be there is not.
#[cold]
fn missing(what: &'static str) -> Error {
    Error::expected(what, 0)
}
