//! OKX's market data messages, the same for every kind of instrument.
//!
//! What a message is, is told by the channel in its `arg`. Prices and sizes are decimals in strings,
//! sequence numbers and checksums plain integers, which may be negative. A message of a channel that
//! carries no book is [`Message::Other`], but must still be well-formed; `pong` is no JSON at all.

mod library;
mod scan;
mod template;

use std::ops::Range;

use crate::types::{Level, Scale};
use crate::wire::json::kernel::Kernel;
use crate::wire::json::library::exact;
use crate::wire::json::scan::Scanner;
use crate::wire::json::template::Template;
use crate::wire::json::{self, Dialect, Error};

/// What came over a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// A whole book, or the levels that changed.
    Book(Book<'a>),
    /// `tickers`: best bid and ask among other things.
    Ticker(Ticker<'a>),
    /// The answer to a request, or a notice.
    Event(Event<'a>),
    /// Anything else that is well-formed.
    Other,
}

/// Channels that carry books.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Channel {
    /// 400 levels, every 100 ms.
    Books,
    /// Five levels, whole, every 100 ms.
    Books5,
    /// The best level, whole, every 10 ms.
    Best,
    /// 50 levels, every 10 ms; for high fee tiers.
    Fast50,
    /// 400 levels, every 10 ms; for high fee tiers.
    Fast400,
}

impl Channel {
    /// All of them.
    pub const ALL: [Channel; 5] =
        [Channel::Books, Channel::Books5, Channel::Best, Channel::Fast50, Channel::Fast400];

    /// The venue's name.
    pub const fn name(self) -> &'static str {
        match self {
            Channel::Books => "books",
            Channel::Books5 => "books5",
            Channel::Best => "bbo-tbt",
            Channel::Fast50 => "books50-l2-tbt",
            Channel::Fast400 => "books-l2-tbt",
        }
    }

    /// Levels a side.
    pub const fn depth(self) -> u32 {
        match self {
            Channel::Books | Channel::Fast400 => 400,
            Channel::Books5 => 5,
            Channel::Best => 1,
            Channel::Fast50 => 50,
        }
    }

    /// True when every message is the whole book.
    pub const fn is_whole(self) -> bool {
        matches!(self, Channel::Books5 | Channel::Best)
    }

    #[inline(always)]
    fn of(name: &[u8]) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.name().as_bytes() == name)
    }
}

/// Levels of one book, in the caller's buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Book<'a> {
    /// Of which channel.
    pub channel: Channel,
    /// The venue's symbol.
    pub symbol: &'a [u8],
    /// The whole book; else what changed.
    pub snapshot: bool,
    /// Number of this message; none in recordings of before 2023.
    pub seq: Option<i64>,
    /// Number of the message before it on its channel; -1 before the first one.
    pub prev: Option<i64>,
    /// Checksum of the 25 best levels; zero = not computed.
    pub checksum: Option<i64>,
    /// When the venue made it, in ms.
    pub time_ms: i64,
    /// Bid levels in the buffer.
    pub bids: Range<u32>,
    /// Ask levels in the buffer.
    pub asks: Range<u32>,
}

/// Best bid and ask; a level of zeros where the side is empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticker<'a> {
    /// The venue's symbol.
    pub symbol: &'a [u8],
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
    /// When the venue made it, in ms.
    pub time_ms: i64,
}

/// The answer to a request, or a notice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// `subscribe`, `unsubscribe`, `error`, `notice`.
    pub event: &'a [u8],
    /// The request's id.
    pub id: Option<&'a [u8]>,
    /// The channel that it is about.
    pub channel: Option<&'a [u8]>,
    /// The symbol that it is about.
    pub symbol: Option<&'a [u8]>,
}

/// Reads messages whose decimals are of one scale.
pub type Decoder = json::Decoder<Streams>;

/// The messages of the streams.
#[derive(Debug)]
pub struct Streams;

impl Dialect for Streams {
    type Message<'a> = Message<'a>;
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
        memory: &'a mut Vec<u8>,
        levels: &mut Vec<Level>,
    ) -> Result<Message<'a>, Error> {
        // Sequence numbers may be negative, whose digits the faster library loses.
        library::interpret(&exact(text)?, scale, levels, memory)
    }
}

/// Every field that is read of a message.
const OUTER: [&str; 5] = ["arg", "action", "data", "event", "id"];
/// Of its `arg`.
const ARG: [&str; 2] = ["channel", "instId"];
/// Of its data.
const INNER: [&str; 10] =
    ["asks", "bids", "ts", "checksum", "seqId", "prevSeqId", "bidPx", "bidSz", "askPx", "askSz"];

/// A field that must be there is not.
#[cold]
fn missing(what: &'static str) -> Error {
    Error::expected(what, 0)
}

/// A time in ms, as text.
#[inline(always)]
fn millis(text: &[u8]) -> Result<i64, Error> {
    let digits = !text.is_empty() && text.len() <= 15 && text.iter().all(u8::is_ascii_digit);
    if !digits {
        return Err(missing("ts"));
    }
    Ok(text.iter().fold(0, |time, digit| time * 10 + i64::from(digit - b'0')))
}

/// Whether a message of a channel is the whole book, by its `action`.
#[inline(always)]
fn is_snapshot(channel: Channel, action: Option<&[u8]>) -> Result<bool, Error> {
    match action {
        _ if channel.is_whole() => Ok(true),
        Some(b"snapshot") => Ok(true),
        Some(b"update") => Ok(false),
        _ => Err(missing("snapshot or update")),
    }
}
