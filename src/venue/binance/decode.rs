//! Binance's market data messages: spot, USD-M and COIN-M, bare or in the combined stream's wrapper.
//!
//! What a message is, is told by its event type `e`; spot's `bookTicker` has none and is known by
//! its six fields. Prices and quantities are decimals in strings. A message of a channel that
//! carries no book is [`Message::Other`], but must still be well-formed.

mod library;
mod scan;
mod template;

use std::ops::Range;

use crate::types::{Level, Scale};
use crate::venue::FeedError;
use crate::wire::PaddedBuf;
use crate::wire::json::kernel::Kernel;
use crate::wire::json::library::{Scratch, strings};
use crate::wire::json::scan::Scanner;
use crate::wire::json::template::Template;
use crate::wire::json::{self, Dialect, Error};

/// What came over a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// `depthUpdate`: levels that changed.
    Depth(Depth<'a>),
    /// `bookTicker`: best bid and ask.
    Ticker(Ticker<'a>),
    /// The server is about to close the connection.
    Shutdown,
    /// The answer to a request.
    Reply {
        /// The request's id, where it is a number.
        id: Option<u64>,
        /// The request was refused.
        error: bool,
    },
    /// Anything else that is well-formed.
    Other,
}

/// Levels that changed, in the caller's buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Depth<'a> {
    /// The venue's symbol.
    pub symbol: &'a [u8],
    /// First update id in it.
    pub first: u64,
    /// Last update id in it.
    pub last: u64,
    /// Last update id of the message before (futures only).
    pub prev: Option<u64>,
    /// Event time as sent: ms, or µs where the stream was asked for them.
    pub event_ms: i64,
    /// Transaction time as sent (futures only; else 0).
    pub transaction_ms: i64,
    /// Bid levels in the buffer.
    pub bids: Range<u32>,
    /// Ask levels in the buffer.
    pub asks: Range<u32>,
}

/// Best bid and ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticker<'a> {
    /// The venue's symbol.
    pub symbol: &'a [u8],
    /// Update id, of the same count as depth's.
    pub update_id: u64,
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
    /// Event time as sent; 0 where there is none (spot).
    pub event_ms: i64,
}

/// A whole book, answered over REST.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// The update id that the book stands at.
    pub last_update_id: u64,
    /// Event time in ms (futures only; else 0).
    pub event_ms: i64,
    /// Bid levels in the buffer.
    pub bids: Range<u32>,
    /// Ask levels in the buffer.
    pub asks: Range<u32>,
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

/// Reads a REST depth answer; its levels are appended to `levels`, which is left as it was on an
/// error.
///
/// # Errors
/// [`FeedError`] as for [`Decoder`]'s messages.
pub fn snapshot(body: &[u8], scale: Scale, levels: &mut Vec<Level>) -> Result<Snapshot, FeedError> {
    let mut padded = PaddedBuf::with_capacity(body.len());
    Ok(json::Decoder::<Rest>::new(scale).decode(padded.fill(body), levels)?)
}

/// The REST depth answer, which needs no haste.
struct Rest;

impl Dialect for Rest {
    type Message<'a> = Snapshot;
    type Memory = Scratch;

    #[inline(always)]
    fn template<'a, K: Kernel>(_: Template<'a, K>, _: &mut Vec<Level>) -> Option<Snapshot> {
        None
    }

    #[inline(always)]
    fn scan<'a, K: Kernel>(scan: Scanner<'a, K>, levels: &mut Vec<Level>) -> Result<Snapshot, Error> {
        scan::snapshot(scan, levels)
    }

    fn library<'a>(
        text: &'a [u8],
        scale: Scale,
        memory: &'a mut Scratch,
        levels: &mut Vec<Level>,
    ) -> Result<Snapshot, Error> {
        library::snapshot(&strings(text, memory)?, scale, levels)
    }
}

/// Every field that is read of a message or of its wrapper.
const KEYS: [&str; 17] = [
    "e", "E", "T", "s", "U", "u", "pu", "b", "B", "a", "A", "stream", "data", "id", "result", "error", "code",
];

/// A field that must be there is not.
#[cold]
fn missing(what: &'static str) -> Error {
    Error::expected(what, 0)
}
