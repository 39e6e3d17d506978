//! Kraken's market data messages: v2 objects and v1 arrays.
//!
//! v2 says what a message is by `channel` (data), `method` (answers); its prices and quantities are
//! JSON numbers whose digits count, because the book's checksum is taken over them. v1 says it by
//! `event`, or, in an array, by the channel's name near the end; its decimals are strings.

mod library;
mod old;
mod scan;
mod template;

use std::ops::Range;

use self::library::Reader;
use self::scan::Scan;
use self::template::Template;
use crate::types::{Level, Nanos, Scale};
use crate::venue::{FeedError, TierUse};
use crate::wire::Padded;
use crate::wire::json::kernel::{Isa, Job, Kernel};
use crate::wire::json::library::exact;
use crate::wire::json::scan::gave_up;
use crate::wire::json::{Error, Tier};

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
#[derive(Debug)]
pub struct Decoder {
    isa: Isa,
    used: TierUse,
    texts: Vec<u8>,
}

impl Decoder {
    /// A decoder for decimals of that scale, with the widest instructions that this CPU has.
    pub fn new(scale: Scale) -> Decoder {
        Decoder::with_isa(Isa::detect(scale))
    }

    /// A decoder by a given instruction set.
    #[doc(hidden)]
    pub fn with_isa(isa: Isa) -> Decoder {
        Decoder { isa, used: TierUse::default(), texts: Vec::new() }
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
        let value = exact(text)?;
        self.texts.clear();
        let mut reader = Reader { scale: self.isa.scale(), levels, texts: &mut self.texts };
        match reader.interpret(&value) {
            Ok(found) => Ok(found.message(text, &self.texts)),
            Err(error) => {
                levels.truncate(start);
                Err(error)
            }
        }
    }
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
