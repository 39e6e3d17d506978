//! The public side of a venue: what comes in over one connection, as changes of books.

use std::ops::Range;

use crate::types::{BookId, BookView, DecimalError, Endpoint, InstrumentSpec, Level, Nanos, Scale, Symbol};
pub use crate::wire::json::TierUse;
use crate::wire::{Padded, json};

/// Public market data of one connection, which may carry many books. Sans I/O: it is handed what
/// arrived and says what changed and what it wants done.
///
/// A message is checked whole before any of it comes out as a change. A book that lost its place
/// says so by a [`ChangeKind::Lost`] on the very message that broke it.
pub trait Feed: Send {
    /// Where to connect.
    fn endpoint(&self) -> Endpoint;

    /// Headers of the connection's handshake. `key` is the account's API key, its public half; empty
    /// where there is none.
    fn headers(&self, key: &str) -> Vec<(String, String)> {
        let _ = key;
        Vec::new()
    }

    /// Takes one input; what follows from it is appended to `out`, which the caller has cleared.
    ///
    /// # Errors
    /// [`FeedError`] when the connection as a whole cannot be trusted further: the caller
    /// withdraws all its books and reconnects.
    fn on(&mut self, input: FeedInput<'_>, now: Nanos, out: &mut FeedOut) -> Result<(), FeedError>;

    /// Reads a message that it took before once more, for nothing: what reads messages stays in the
    /// caches of a thread that waits for the next one. Nothing changes; `levels` is left as it was.
    fn rehearse(&mut self, message: FeedInput<'_>, levels: &mut Vec<Level>) {
        let _ = (message, levels);
    }

    /// What [`BookChange::seq`] counts; unless it says so, nothing that another connection knows.
    fn sequence(&self) -> Sequence {
        Sequence::Own
    }

    /// Compares a book with the venue's checksum in `change`, after the change was applied.
    fn verify(&mut self, change: &BookChange, book: &dyn BookView) -> Verdict {
        let _ = (change, book);
        Verdict::Absent
    }

    /// The caller no longer trusts a book (checksum, overflow, crossed, stale): start it anew.
    fn distrust(&mut self, book: BookId, why: Lost, now: Nanos, out: &mut FeedOut);

    /// How many messages each JSON tier took: a change in the mix means that the venue changed
    /// its wire.
    fn tiers(&self) -> TierUse;
}

/// What a feed is made from.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// The books; `BookId(i)` is `books[i]`.
    pub books: Vec<BookConfig>,
    /// Books that nobody asked for are opened as they appear, with the next free id: replay.
    pub discover: bool,
    /// What to subscribe to.
    pub channels: Channels,
    /// How market data is written.
    pub encoding: Encoding,
    /// Where streams are.
    pub stream: Endpoint,
    /// Where snapshots are fetched.
    pub rest: Endpoint,
}

/// One book of a feed.
#[derive(Clone, Debug)]
pub struct BookConfig {
    /// The venue's symbol, in the spelling of its orders (`BTCUSDT`, `BTC/USD`).
    pub symbol: Symbol,
    /// The venue's rules; `None` only in replay without metadata (scale 1e-8, digits learnt).
    pub spec: Option<InstrumentSpec>,
}

/// How a venue writes market data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encoding {
    /// Text.
    #[default]
    Json,
    /// Simple binary encoding, where the venue has it ([`super::speaks_sbe`]).
    Sbe,
}

/// What to subscribe to for each book.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Channels {
    /// Depth updates.
    pub depth: bool,
    /// Levels a side: of the snapshot to fetch, or of the subscription.
    pub levels: u32,
    /// Interval of depth updates in ms where the venue offers several; 0 = the fastest.
    pub interval_ms: u32,
    /// Best bid and ask as they change.
    pub ticker: bool,
}

/// What happened on the connection.
#[derive(Clone, Copy, Debug)]
pub enum FeedInput<'a> {
    /// The connection is open; subscribe.
    Opened,
    /// The connection is gone; all its books are.
    Closed,
    /// A text message.
    Text(Padded<'a>),
    /// A binary message.
    Binary(Padded<'a>),
    /// The answer to a [`Want::Fetch`], or a captured one. Status 0 = none came.
    Fetched {
        /// Which book; `None` in replay, where the URL or the feed's only book tells.
        book: Option<BookId>,
        /// The URL that was asked; may be empty in replay.
        url: &'a str,
        /// HTTP status.
        status: u16,
        /// The answer's body.
        body: &'a [u8],
    },
    /// Time passed: at least every 100 ms.
    Tick,
}

/// What follows from an input. Buffers are reused; the hot path does not allocate once they grew.
#[derive(Default, Debug)]
pub struct FeedOut {
    /// Changes of books, in order.
    pub changes: Vec<BookChange>,
    /// The levels that the changes point into.
    pub levels: Vec<Level>,
    /// What the feed wants done.
    pub wants: Vec<Want>,
    /// Books opened by discovery.
    pub discovered: Vec<Discovered>,
    /// Messages of channels that carry no book: counted, nothing else.
    pub ignored: u64,
}

impl FeedOut {
    /// Empties the buffers and keeps their memory.
    pub fn clear(&mut self) {
        self.changes.clear();
        self.levels.clear();
        self.wants.clear();
        self.discovered.clear();
        self.ignored = 0;
    }

    /// The bid levels of a change.
    pub fn bids(&self, change: &BookChange) -> &[Level] {
        &self.levels[change.bids.start as usize..change.bids.end as usize]
    }

    /// The ask levels of a change.
    pub fn asks(&self, change: &BookChange) -> &[Level] {
        &self.levels[change.asks.start as usize..change.asks.end as usize]
    }
}

/// A book that appeared in a feed with `discover`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Discovered {
    /// Its id from now on.
    pub book: BookId,
    /// The venue's symbol.
    pub symbol: Symbol,
}

/// One change of one book.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BookChange {
    /// Which book.
    pub book: BookId,
    /// What to do with the levels.
    pub kind: ChangeKind,
    /// The venue's sequence number after it, or the feed's own count where the venue has none.
    pub seq: u64,
    /// The venue's time of it; zero where it tells none.
    pub venue_time: Nanos,
    /// The venue's checksum over the book after it.
    pub check: Option<u32>,
    /// Cut each side to this many levels afterwards; zero = keep all.
    pub keep: u32,
    /// Bid levels, in [`FeedOut::levels`].
    pub bids: Range<u32>,
    /// Ask levels, in [`FeedOut::levels`].
    pub asks: Range<u32>,
}

/// What [`BookChange::seq`] counts, and with it how two connections for one stream go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sequence {
    /// The book's own changes, the same for every connection. Each update covers all changes after
    /// the one before it on its connection, however the venue gathered them, and names every level
    /// that they touched: so it may be put onto any book that stands within it, as the rule for
    /// snapshots of such venues has it, and updates of any connection extend one book.
    Shared,
    /// Messages of the connection: copies are told apart by the venue's time alone.
    Own,
}

impl BookChange {
    /// A change of the feed's book at that place, without levels, time or checksum; callers fill in
    /// what they have.
    #[inline]
    pub fn of(place: usize, kind: ChangeKind, seq: u64) -> BookChange {
        let none = 0..0;
        BookChange {
            book: BookId(place as u16),
            kind,
            seq,
            venue_time: Nanos::ZERO,
            check: None,
            keep: 0,
            bids: none.clone(),
            asks: none,
        }
    }
}

/// Checks levels as they were decoded (prices positive, quantities not negative), and brings them to
/// their book's own scale, which may be coarser than the decoder's when books of several share a
/// connection.
///
/// # Errors
/// [`FeedError`] for a level that cannot be, or that the book's scale cannot hold.
pub fn to_book_scale(levels: &mut [Level], from: Scale, to: Scale) -> Result<(), FeedError> {
    if levels.iter().any(|level| level.price.0 <= 0 || level.qty.0 < 0) {
        return Err(FeedError::Malformed { at: 0, what: "a positive price and a quantity" });
    }
    if from == to {
        return Ok(());
    }
    let unit = from.one() / to.one();
    for level in levels {
        if level.price.0 % unit != 0 || level.qty.0 % unit != 0 {
            return Err(FeedError::Decimal { at: 0, error: DecimalError::TooPrecise(to.digits()) });
        }
        (level.price.0, level.qty.0) = (level.price.0 / unit, level.qty.0 / unit);
    }
    Ok(())
}

/// What a [`BookChange`] does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeKind {
    /// Replace the whole book. `live` when the book may be traded on at once; else the first
    /// joined update makes it live.
    Snapshot {
        /// The book is whole and current.
        live: bool,
    },
    /// Set each level to its absolute quantity; the book is live after it.
    Update,
    /// Best bid and best ask from the ticker stream, one level each; depth is not touched.
    Top,
    /// An empty sign of life: the book is current as it is.
    Alive,
    /// The book is not to be trusted from this message on.
    Lost(Lost),
}

/// Why a book is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Lost {
    /// An update did not follow the one before.
    #[error("update {got} does not follow {have}")]
    Gap {
        /// Where the book stands.
        have: u64,
        /// What came.
        got: u64,
    },
    /// The venue's checksum does not match.
    #[error("book checksum is {ours}, venue says {theirs}")]
    Checksum {
        /// Ours.
        ours: u32,
        /// Theirs.
        theirs: u32,
    },
    /// The connection closed.
    #[error("connection closed")]
    Closed,
    /// The venue restarts or ends the stream.
    #[error("venue ends the stream")]
    Ended,
    /// Nothing came for too long.
    #[error("no message for too long")]
    Stale,
    /// A message about it could not be read.
    #[error("malformed message")]
    Malformed,
    /// More levels, or further away, than the ladder holds.
    #[error("more levels than the book can hold")]
    Overflow,
    /// Best bid at or above best ask for too long.
    #[error("bid at or above ask")]
    Crossed,
    /// The subscription was refused or lost.
    #[error("subscription refused")]
    Unsubscribed,
}

/// What a feed wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Want {
    /// Send this text message over the connection.
    Send(String),
    /// GET this from the venue's REST endpoint and hand back [`FeedInput::Fetched`].
    Fetch {
        /// For which book.
        book: BookId,
        /// Path and query.
        target: String,
        /// Not before this many ns from now (back-off after failures).
        after: Nanos,
    },
    /// Open a new connection; the reason is for the log.
    Reconnect(&'static str),
}

/// How a book compares with the venue's checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The venue sent none.
    Absent,
    /// It matches.
    Matches,
    /// It does not: the book is wrong.
    Differs {
        /// Ours.
        ours: u32,
        /// Theirs.
        theirs: u32,
    },
}

/// Why a connection cannot be trusted further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// A message that is not what the venue documents.
    #[error("byte {at}: {what}")]
    Malformed {
        /// Offset in the message.
        at: usize,
        /// What was expected.
        what: &'static str,
    },
    /// A number that the instrument's scale cannot hold exactly.
    #[error("byte {at}: {error}")]
    Decimal {
        /// Offset in the message.
        at: usize,
        /// Why.
        error: DecimalError,
    },
}

impl From<json::Error> for FeedError {
    fn from(error: json::Error) -> FeedError {
        match error {
            json::Error::Malformed { at, what } => FeedError::Malformed { at, what },
            json::Error::Decimal { at, error } => FeedError::Decimal { at, error },
        }
    }
}
