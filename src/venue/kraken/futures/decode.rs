//! The messages of Kraken's derivatives stream.
//!
//! Data says what it is by `feed`, answers by `event`, and an answer names the feed that it is about:
//! `event` counts first. A book comes as one `book_snapshot` and then as one level a `book` message;
//! both are numbered for each product. Prices and quantities are JSON numbers.

mod library;
mod scan;
mod template;

use std::ops::Range;

use crate::types::{Level, Nanos, Scale};
use crate::wire::json::kernel::Kernel;
use crate::wire::json::library::exact;
use crate::wire::json::scan::Scanner;
use crate::wire::json::template::Template;
use crate::wire::json::{self, Dialect, Error};

/// What came over a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// The product of a book or ticker; empty for all else.
    pub product: &'a [u8],
    /// What is said.
    pub what: What,
}

/// What a message is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A book's snapshot, or one level that changed.
    Book(Book),
    /// Best bid and ask, at most one a second.
    Ticker(Ticker),
    /// A sign of life.
    Heartbeat,
    /// A request was refused; which one is not told.
    Refused,
    /// Anything else that is well-formed.
    Other,
}

/// A book's snapshot, or one level that changed, in the caller's buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Book {
    /// The whole book, not a change.
    pub snapshot: bool,
    /// The message's number among those of the product.
    pub seq: u64,
    /// The venue's time of it.
    pub time: Nanos,
    /// Bid levels in the buffer.
    pub bids: Range<u32>,
    /// Ask levels in the buffer.
    pub asks: Range<u32>,
}

/// Best bid and ask; `None` where a side has no orders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticker {
    /// Best bid.
    pub bid: Option<Level>,
    /// Best ask.
    pub ask: Option<Level>,
    /// The venue's time of it; zero where it tells none.
    pub time: Nanos,
}

/// Reads messages whose decimals are of one scale.
pub type Decoder = json::Decoder<Books>;

/// The messages of the stream.
#[derive(Debug)]
pub struct Books;

impl Dialect for Books {
    type Message<'a> = Message<'a>;
    /// A product's name, since the library's tree does not outlive its reading.
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
        product: &'a mut Vec<u8>,
        levels: &mut Vec<Level>,
    ) -> Result<Message<'a>, Error> {
        product.clear();
        let what = library::interpret(&exact(text)?, scale, product, levels)?;
        Ok(Message { product, what })
    }
}

/// Every field that is read of a message.
const KEYS: [&str; 15] = [
    "feed",
    "event",
    "product_id",
    "side",
    "seq",
    "price",
    "qty",
    "timestamp",
    "bids",
    "asks",
    "time",
    "bid",
    "bid_size",
    "ask",
    "ask_size",
];

/// A time in ms.
#[inline(always)]
fn millis(ms: u64) -> Option<Nanos> {
    i64::try_from(ms).ok()?.checked_mul(1_000_000).map(Nanos)
}

/// What an event says: all but refusals are for the log.
#[inline(always)]
fn event(event: &[u8]) -> What {
    match event {
        b"error" | b"alert" | b"subscribed_failed" => What::Refused,
        _ => What::Other,
    }
}
