//! Kraken's market data messages: v2 objects and v1 arrays.
//!
//! v2 says what a message is by `channel` (data), `method` (answers); its prices and quantities are
//! JSON numbers whose digits count, because the book's checksum is taken over them. v1 says it by
//! `event`, or, in an array, by the channel's name near the end; its decimals are strings.

pub(super) mod library;
mod old;
pub(super) mod scan;
pub(super) mod template;

use std::ops::Range;

use self::library::Reader;
use crate::types::{Level, Nanos, Scale};
use crate::wire::json::kernel::Kernel;
use crate::wire::json::library::exact;
use crate::wire::json::scan::Scanner;
use crate::wire::json::template::Template;
use crate::wire::json::{self, Dialect, Error};

/// What came over a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// A book's snapshot, or levels that changed.
    Book(Book<'a>),
    /// Best bid and ask (v2).
    Ticker(Ticker<'a>),
    /// A message of the `instrument` channel, as it came.
    Instrument(&'a [u8]),
    /// The venue's state.
    Status {
        /// `online`, `maintenance`, `cancel_only` or `post_only`.
        system: &'a [u8],
    },
    /// A sign of life.
    Heartbeat,
    /// The answer to a ping.
    Pong,
    /// The answer to a request.
    Reply(Reply<'a>),
    /// Anything else that is well-formed.
    Other,
}

/// A book's snapshot, or levels that changed, in the caller's buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Book<'a> {
    /// The venue's symbol (`BTC/USD`; in v1 `XBT/USD`).
    pub symbol: &'a [u8],
    /// The whole book, not a change.
    pub snapshot: bool,
    /// Bid levels in the buffer.
    pub bids: Range<u32>,
    /// Ask levels in the buffer.
    pub asks: Range<u32>,
    /// The checksum of the book after it; always there in v2, in updates only in v1.
    pub checksum: Option<u32>,
    /// Time of the update: v2's `timestamp`, v1's newest level. Zero where there is none.
    pub time: Nanos,
    /// The most decimals that a price here was written with. v1 writes all it has; v2 may leave
    /// trailing zeros off.
    pub price_digits: u8,
    /// The most decimals that a quantity here was written with.
    pub qty_digits: u8,
}

/// Best bid and ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticker<'a> {
    /// The venue's symbol.
    pub symbol: &'a [u8],
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
    /// Time of it; zero where there is none.
    pub time: Nanos,
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply<'a> {
    /// v2's `method`; in v1 `subscribe` or `unsubscribe`.
    pub method: &'a [u8],
    /// The request's id.
    pub req_id: Option<u64>,
    /// It was granted.
    pub success: bool,
    /// The channel it was about.
    pub channel: Option<&'a [u8]>,
    /// The symbol it was about.
    pub symbol: Option<&'a [u8]>,
    /// Why it was refused.
    pub error: Option<&'a [u8]>,
}

/// Reads messages whose decimals are of one scale.
pub type Decoder = json::Decoder<Books>;

/// The messages of both versions.
#[derive(Debug)]
pub struct Books;

impl Dialect for Books {
    type Message<'a> = Message<'a>;
    /// The texts of a message, since the library's tree does not outlive its reading.
    type Memory = Vec<u8>;

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
        texts: &'a mut Vec<u8>,
        levels: &mut Vec<Level>,
    ) -> Result<Message<'a>, Error> {
        let tree = exact(text)?;
        texts.clear();
        let found = Reader { scale, levels, texts }.interpret(&tree)?;
        Ok(found.message(text, texts))
    }
}

/// Every field that is read of a message's outermost object.
const KEYS: [&str; 15] = [
    "channel",
    "type",
    "data",
    "method",
    "req_id",
    "success",
    "result",
    "error",
    "symbol",
    "event",
    "status",
    "pair",
    "reqid",
    "errorMessage",
    "channelName",
];
