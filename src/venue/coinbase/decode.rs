//! Coinbase's market data messages, of both products.
//!
//! Advanced Trade wraps everything in `channel`, `timestamp`, `sequence_num` and `events`; a book's
//! levels come as one list with a side each. Exchange says by `type` what a message is; a snapshot
//! has its sides apart, an update one list with a side each. Numbers are decimals in strings. A
//! message of a channel that carries no book must still be well-formed, and have its number.

mod library;

use std::ops::Range;

use crate::types::{Level, Nanos, Scale, Symbol};
use crate::venue::{FeedError, TierUse};
use crate::wire::Padded;
use crate::wire::json::library::{Scratch, strings};

/// What came over a stream. Books and tickers are in the caller's list of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it is.
    pub what: What,
    /// Its number on the connection (Advanced Trade).
    pub sequence: Option<u64>,
    /// The venue's time of it; zero where it tells none.
    pub time: Nanos,
}

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Snapshots and updates of books.
    Books,
    /// Best bids and asks at the time of a trade.
    Tickers,
    /// A sign of life of a product; of all, where it names none.
    Heartbeat(Symbol),
    /// Something was refused.
    Error,
    /// Anything else that is well-formed.
    Other,
}

/// One book's part of a message; levels are in the caller's buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// The product; empty when its name is longer than a name can be.
    pub product: Symbol,
    /// The whole book, not a change.
    pub snapshot: bool,
    /// Bid levels in the buffer.
    pub bids: Range<u32>,
    /// Ask levels in the buffer.
    pub asks: Range<u32>,
}

/// Reads messages whose decimals are of one scale.
#[derive(Debug)]
pub struct Decoder {
    scale: Scale,
    used: TierUse,
    scratch: Scratch,
    asks: Vec<Level>,
}

impl Decoder {
    /// A decoder for decimals of that scale.
    pub fn new(scale: Scale) -> Decoder {
        Decoder { scale, used: TierUse::default(), scratch: Scratch::default(), asks: Vec::new() }
    }

    /// Reads a message; what it says of books is appended to `levels` and `events`, which are left
    /// as they were on an error.
    ///
    /// # Errors
    /// [`FeedError`] when the message is not JSON, not what the venue documents, or has a decimal
    /// that the scale cannot hold.
    pub fn decode(
        &mut self,
        text: Padded<'_>,
        levels: &mut Vec<Level>,
        events: &mut Vec<Event>,
    ) -> Result<Message, FeedError> {
        let (start, first) = (levels.len(), events.len());
        self.used.library += 1;
        let value = strings(text.message(), &mut self.scratch)?;
        let mut into = Into { levels, asks: &mut self.asks, events };
        library::interpret(&value, self.scale, &mut into).map_err(|error| {
            levels.truncate(start);
            events.truncate(first);
            error.into()
        })
    }

    /// How many messages each tier took.
    pub fn tiers(&self) -> TierUse {
        self.used
    }
}

/// Where what is read goes.
struct Into<'l> {
    levels: &'l mut Vec<Level>,
    /// The asks of the event at hand, kept apart until its bids are all there.
    asks: &'l mut Vec<Level>,
    events: &'l mut Vec<Event>,
}

impl Into<'_> {
    /// Begins an event; gives back where its levels begin.
    #[inline(always)]
    fn begin(&mut self) -> usize {
        self.asks.clear();
        self.levels.len()
    }

    #[inline(always)]
    fn level(&mut self, bid: bool, level: Level) {
        if bid { self.levels.push(level) } else { self.asks.push(level) }
    }

    /// Ends the event whose levels began at `start`.
    #[inline(always)]
    fn end(&mut self, product: Symbol, snapshot: bool, start: usize) {
        let middle = self.levels.len() as u32;
        self.levels.extend_from_slice(self.asks);
        let (bids, asks) = (start as u32..middle, middle..self.levels.len() as u32);
        self.events.push(Event { product, snapshot, bids, asks });
    }
}

/// Every field that is read of a message's outermost object.
const KEYS: [&str; 14] = [
    "channel",
    "timestamp",
    "sequence_num",
    "events",
    "type",
    "product_id",
    "time",
    "bids",
    "asks",
    "changes",
    "best_bid",
    "best_bid_size",
    "best_ask",
    "best_ask_size",
];
