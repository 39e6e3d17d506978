//! Binance's market data messages: spot, USD-M and COIN-M, bare or in the combined stream's wrapper.
//!
//! What a message is, is told by its event type `e`; spot's `bookTicker` has none and is known by
//! its six fields. Prices and quantities are decimals in strings. A message of a channel that
//! carries no book is [`Message::Other`], but must still be well-formed.

mod library;
mod scan;
mod template;

use std::ops::Range;

use self::scan::{Scan, ScanSnapshot};
use self::template::Template;
use crate::types::{Level, Scale};
use crate::venue::{FeedError, TierUse};
use crate::wire::json::kernel::{Isa, Job, Kernel};
use crate::wire::json::library::{Scratch, strings};
use crate::wire::json::scan::gave_up;
use crate::wire::json::{Error, Tier};
use crate::wire::{Padded, PaddedBuf};

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
#[derive(Debug)]
pub struct Decoder {
    isa: Isa,
    used: TierUse,
    scratch: Scratch,
    symbol: Vec<u8>,
}

impl Decoder {
    /// A decoder for decimals of that scale, with the widest instructions that this CPU has.
    pub fn new(scale: Scale) -> Decoder {
        Decoder::with_isa(Isa::detect(scale))
    }

    /// A decoder by a given instruction set.
    #[doc(hidden)]
    pub fn with_isa(isa: Isa) -> Decoder {
        Decoder { isa, used: TierUse::default(), scratch: Scratch::default(), symbol: Vec::new() }
    }

    /// Reads a message; its levels are appended to `levels`, which is left as it was on an error
    /// and for messages without levels.
    ///
    /// # Errors
    /// [`FeedError`] when the message is not JSON, not what the venue documents, or has a decimal
    /// that the scale cannot hold.
    pub fn decode<'a>(
        &'a mut self,
        text: Padded<'a>,
        levels: &mut Vec<Level>,
    ) -> Result<Message<'a>, FeedError> {
        let isa = self.isa;
        isa.run(Decode { decoder: self, text: &text, levels })
    }

    /// The second tier, then the third.
    #[cold]
    #[inline(never)]
    fn slowly<'a>(&'a mut self, text: Padded<'a>, levels: &mut Vec<Level>) -> Result<Message<'a>, FeedError> {
        let start = levels.len();
        let refusal = match self.isa.run(Scan { text, levels }) {
            Ok(message) => {
                self.used.scanner += 1;
                return Ok(message);
            }
            Err(refusal) => refusal,
        };
        levels.truncate(start);
        self.used.library += 1;
        // The scanner's refusal tells where; the library's counts only where the scanner gave up.
        let judged = self.by_library(text.message(), levels);
        judged.map_err(|error| if gave_up(&refusal) { error } else { refusal }.into())
    }

    /// [`Decoder::decode`] by one tier alone; `None` when the tier leaves the message to the next.
    #[doc(hidden)]
    pub fn decode_with<'a>(
        &'a mut self,
        tier: Tier,
        text: Padded<'a>,
        levels: &mut Vec<Level>,
    ) -> Option<Result<Message<'a>, FeedError>> {
        let start = levels.len();
        match tier {
            Tier::Template => {
                let taken = self.isa.run(Template { text, levels });
                if taken.is_none() {
                    levels.truncate(start);
                }
                taken.map(Ok)
            }
            Tier::Scanner => match self.isa.run(Scan { text, levels }) {
                Err(error) => {
                    levels.truncate(start);
                    (!gave_up(&error)).then(|| Err(error.into()))
                }
                Ok(message) => Some(Ok(message)),
            },
            Tier::Library => Some(self.by_library(text.message(), levels).map_err(FeedError::from)),
        }
    }

    /// How many messages each tier took.
    pub fn tiers(&self) -> TierUse {
        self.used
    }

    fn by_library<'a>(&'a mut self, text: &'a [u8], levels: &mut Vec<Level>) -> Result<Message<'a>, Error> {
        let start = levels.len();
        let value = strings(text, &mut self.scratch)?;
        library::interpret(&value, self.isa.scale(), levels, &mut self.symbol)
            .inspect_err(|_| levels.truncate(start))
    }
}

/// Reads a REST depth answer; its levels are appended to `levels`, which is left as it was on an
/// error.
///
/// # Errors
/// [`FeedError`] as for [`Decoder::decode`].
pub fn snapshot(body: &[u8], scale: Scale, levels: &mut Vec<Level>) -> Result<Snapshot, FeedError> {
    let start = levels.len();
    let mut padded = PaddedBuf::with_capacity(body.len());
    let refusal = match Isa::detect(scale).run(ScanSnapshot { text: padded.fill(body), levels }) {
        Ok(snapshot) => return Ok(snapshot),
        Err(refusal) => refusal,
    };
    levels.truncate(start);
    let judged = library::snapshot(body, scale, levels);
    judged.map_err(|error| {
        levels.truncate(start);
        if gave_up(&refusal) { error } else { refusal }.into()
    })
}

/// All tiers in turn. One job, so that the usual message is made where its reader wants it.
struct Decode<'a, 't, 'l> {
    decoder: &'a mut Decoder,
    text: &'t Padded<'a>,
    levels: &'l mut Vec<Level>,
}

impl<'a> Job for Decode<'a, '_, '_> {
    type Out = Result<Message<'a>, FeedError>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Out {
        let Decode { decoder, text, levels } = self;
        let start = levels.len();
        if let Some(message) = (Template { text: *text, levels }).run(kernel) {
            decoder.used.template += 1;
            return Ok(message);
        }
        levels.truncate(start);
        decoder.slowly(*text, levels)
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
