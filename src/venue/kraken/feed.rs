//! Kraken public books: channel `book` of WebSocket v2, and of v1 in old captures.
//!
//! The venue's rule: a subscription starts with a snapshot that is whole; updates set levels to
//! absolute quantities, zero deletes, in the order of the message; after each one, each side is cut
//! to the depth of the subscription, since levels that slide out are not deleted, and are sent
//! again when they come back in. There are no sequence numbers: the checksum of the ten best levels
//! is the only proof, and a book that fails it is subscribed to anew. A heartbeat comes every
//! second when nothing else does.

use super::checksum::{Best, Digits, Texts};
use super::decode::{self, Decoder, Message};
use super::symbol;
use crate::types::{BookId, BookView, Endpoint, Level, Nanos, Scale, Symbol};
use crate::venue::{
    BookChange, BookNames, ChangeKind, Channels, Discovered, Feed, FeedConfig, FeedError, FeedInput, FeedOut,
    Lost, TierUse, Verdict, to_book_scale,
};

/// Depths that the venue offers.
const DEPTHS: [u32; 5] = [10, 25, 100, 500, 1000];
/// The feed of one connection.
pub struct KrakenFeed {
    decoder: Decoder,
    state: State,
}

pub(super) struct State {
    pub(super) endpoint: Endpoint,
    pub(super) channels: Channels,
    pub(super) discover: bool,
    /// The decoder's scale: the finest of the books'.
    pub(super) scale: Scale,
    pub(super) books: Vec<Book>,
    /// The books by either spelling.
    pub(super) names: BookNames,
    /// Depth of the subscriptions.
    pub(super) depth: u32,
    /// The depth that the venue last confirmed: in replay it need not be ours.
    pub(super) confirmed: Option<u32>,
    pub(super) requests: u64,
    pub(super) open: bool,
    pub(super) online: bool,
    pub(super) last_frame: Nanos,
    pub(super) last_ping: Nanos,
}

pub(super) struct Book {
    pub(super) symbol: Symbol,
    /// The spelling of v1, where it differs.
    pub(super) v1: Option<Symbol>,
    pub(super) scale: Scale,
    /// From the metadata.
    pub(super) told: Option<Digits>,
    /// In use; `None` until a checksum matched, where nothing was told.
    pub(super) digits: Option<Digits>,
    /// Levels as the checksum takes them.
    pub(super) texts: Texts,
    pub(super) live: bool,
    pub(super) keep: u32,
    /// Messages so far: the venue has no numbers.
    pub(super) count: u64,
    pub(super) last_sign: Nanos,
    /// When to subscribe anew unless a snapshot comes; `MAX` = never.
    pub(super) again: Nanos,
    /// When it was last subscribed to.
    pub(super) asked: Nanos,
}

impl Book {
    fn new(symbol: Symbol, scale: Scale, told: Option<Digits>, keep: u32) -> Book {
        let v1 = symbol::v1_name(symbol.as_str()).and_then(|name| Symbol::new(&name));
        Book {
            symbol,
            v1: v1.filter(|name| *name != symbol),
            scale,
            told,
            digits: told,
            texts: Texts::new(scale),
            live: false,
            keep,
            count: 0,
            last_sign: Nanos::ZERO,
            again: Nanos::MAX,
            asked: Nanos::ZERO,
        }
    }

    /// Enters the book's names.
    fn enter(&self, book: BookId, names: &mut BookNames) {
        names.insert(self.symbol, book);
        if let Some(v1) = self.v1 {
            names.insert(v1, book);
        }
    }

    pub(super) fn change(&mut self, book: usize, kind: ChangeKind) -> BookChange {
        if !matches!(kind, ChangeKind::Alive | ChangeKind::Lost(_)) {
            self.count += 1;
        }
        BookChange::of(book, kind, self.count)
    }
}

impl KrakenFeed {
    /// A feed over the books of a configuration; depths between those offered are rounded up.
    pub fn new(config: &FeedConfig) -> KrakenFeed {
        let depth = offered(config.channels.levels);
        let books: Vec<Book> = config
            .books
            .iter()
            .map(|book| {
                let spec = book.spec.as_ref();
                let told = spec.map(|spec| Digits { price: spec.price_digits, qty: spec.qty_digits });
                Book::new(book.symbol, spec.map_or(Scale::DEFAULT, |spec| spec.scale), told, depth)
            })
            .collect();
        let scale = books.iter().map(|book| book.scale).max().unwrap_or_default();
        let mut names = BookNames::new();
        for (at, book) in books.iter().enumerate() {
            book.enter(BookId(at as u16), &mut names);
        }
        KrakenFeed {
            decoder: Decoder::new(scale),
            state: State {
                endpoint: config.stream.clone(),
                channels: config.channels,
                discover: config.discover,
                scale,
                books,
                names,
                depth,
                confirmed: None,
                requests: 0,
                open: false,
                online: true,
                last_frame: Nanos::ZERO,
                last_ping: Nanos::ZERO,
            },
        }
    }
}

/// The least depth that the venue offers and that holds so many levels.
fn offered(levels: u32) -> u32 {
    DEPTHS.into_iter().find(|depth| *depth >= levels).unwrap_or(1000)
}

impl Feed for KrakenFeed {
    fn endpoint(&self) -> Endpoint {
        self.state.endpoint.clone()
    }

    fn on(&mut self, input: FeedInput<'_>, now: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        let state = &mut self.state;
        match input {
            FeedInput::Opened => {
                (state.open, state.online) = (true, true);
                (state.last_frame, state.last_ping) = (now, now);
                state.subscribe_all(now, out);
            }
            FeedInput::Closed => {
                state.open = false;
                state.lose_all(Lost::Closed, out);
            }
            FeedInput::Text(text) => {
                state.last_frame = now;
                let start = out.levels.len();
                let message = self.decoder.decode(text, &mut out.levels)?;
                if let Err(error) = state.message(&message, text.message(), now, out) {
                    out.levels.truncate(start);
                    return Err(error);
                }
            }
            FeedInput::Binary(_) => {
                state.last_frame = now;
                out.ignored += 1;
            }
            FeedInput::Fetched { .. } => out.ignored += 1,
            FeedInput::Tick => state.tick(now, out),
        }
        Ok(())
    }

    fn rehearse(&mut self, message: FeedInput<'_>, levels: &mut Vec<Level>) {
        if let FeedInput::Text(text) = message {
            self.decoder.rehearse(text, levels);
        }
    }

    fn verify(&mut self, change: &BookChange, book: &dyn BookView) -> Verdict {
        let Some(theirs) = change.check else { return Verdict::Absent };
        let Some(own) = self.state.books.get_mut(usize::from(change.book.0)) else { return Verdict::Absent };
        let best = Best::of(book);
        if own.digits.is_none() {
            own.digits = best.digits(own.scale, theirs);
        }
        let digits = own.digits.unwrap_or(Digits { price: own.scale.digits(), qty: own.scale.digits() });
        let ours = best.checksum_by(digits, &mut own.texts);
        if ours == theirs { Verdict::Matches } else { Verdict::Differs { ours, theirs } }
    }

    fn distrust(&mut self, book: BookId, _why: Lost, now: Nanos, out: &mut FeedOut) {
        self.state.start_anew(usize::from(book.0), now, out);
    }

    fn tiers(&self) -> TierUse {
        self.decoder.tiers()
    }
}

impl State {
    fn message(
        &mut self,
        message: &Message<'_>,
        raw: &[u8],
        now: Nanos,
        out: &mut FeedOut,
    ) -> Result<(), FeedError> {
        match message {
            Message::Book(book) => return self.book(book, raw, now, out),
            Message::Ticker(ticker) => return self.ticker(ticker, now, out),
            Message::Status { system } => {
                out.ignored += 1;
                self.status(system, now, out);
            }
            Message::Heartbeat | Message::Pong => {
                out.ignored += 1;
                self.alive(now, Nanos::ZERO, out);
            }
            Message::Reply(reply) => {
                out.ignored += 1;
                self.reply(reply, raw, now, out);
            }
            Message::Instrument(_) | Message::Other => out.ignored += 1,
        }
        Ok(())
    }

    fn book(
        &mut self,
        book: &decode::Book<'_>,
        raw: &[u8],
        now: Nanos,
        out: &mut FeedOut,
    ) -> Result<(), FeedError> {
        let v1 = raw.first() == Some(&b'[');
        let Some(place) = self.place(book.symbol, out) else {
            out.levels.truncate(book.bids.start.min(book.asks.start) as usize);
            out.ignored += 1;
            return Ok(());
        };
        let discover = self.discover;
        let (scale, confirmed) = (self.scale, self.confirmed);
        let own = &mut self.books[place];
        if !book.snapshot && !own.live {
            // What follows a book that was lost, or precedes its snapshot, tells nothing.
            out.levels.truncate(book.bids.start.min(book.asks.start) as usize);
            out.ignored += 1;
            return Ok(());
        }
        for side in [&book.bids, &book.asks] {
            to_book_scale(levels_of(&mut out.levels, side), scale, own.scale)?;
        }
        let digits = Digits { price: book.price_digits, qty: book.qty_digits };
        if book.snapshot {
            own.live = true;
            own.again = Nanos::MAX;
            // v1 writes every decimal that the pair has; v2's must be told, or found out.
            own.digits = if v1 { Some(digits) } else { own.told };
            if discover {
                // A recording was made at a depth of its own: named, confirmed, or else the least
                // that holds the snapshot.
                let named = if v1 { channel_depth(raw) } else { confirmed };
                own.keep = named.unwrap_or(offered(book.bids.len().max(book.asks.len()) as u32));
            }
        } else if v1 && let Some(own) = &mut own.digits {
            *own = Digits { price: own.price.max(digits.price), qty: own.qty.max(digits.qty) };
        }
        let kind = if book.snapshot { ChangeKind::Snapshot { live: true } } else { ChangeKind::Update };
        own.last_sign = now;
        let change = BookChange {
            venue_time: book.time,
            check: book.checksum,
            keep: own.keep,
            bids: book.bids.clone(),
            asks: book.asks.clone(),
            ..own.change(place, kind)
        };
        out.changes.push(change);
        Ok(())
    }

    fn ticker(
        &mut self,
        ticker: &decode::Ticker<'_>,
        now: Nanos,
        out: &mut FeedOut,
    ) -> Result<(), FeedError> {
        let place = self.names.find(ticker.symbol).map(|book| usize::from(book.0));
        let wanted = self.channels.ticker;
        let (scale, depth) = (self.scale, self.channels.depth);
        let Some((place, own)) = place.and_then(|place| Some((place, self.books.get_mut(place)?))) else {
            out.ignored += 1;
            return Ok(());
        };
        // Without its depth a book has no place for a better top.
        if !wanted || (depth && !own.live) {
            out.ignored += 1;
            return Ok(());
        }
        let mut push = |level: Level| -> Result<std::ops::Range<u32>, FeedError> {
            let start = out.levels.len();
            if level.price.0 > 0 && level.qty.0 > 0 {
                out.levels.push(level);
                to_book_scale(out.levels.get_mut(start..).unwrap_or_default(), scale, own.scale)?;
            }
            Ok(start as u32..out.levels.len() as u32)
        };
        let (bids, asks) = (push(ticker.bid)?, push(ticker.ask)?);
        own.last_sign = now;
        let change = BookChange { venue_time: ticker.time, bids, asks, ..own.change(place, ChangeKind::Top) };
        out.changes.push(change);
        Ok(())
    }

    /// Which book a symbol is. Unknown ones are opened where that is wanted, even by an update,
    /// which leaves them waiting: that they are there is worth telling.
    fn place(&mut self, symbol: &[u8], out: &mut FeedOut) -> Option<usize> {
        if let Some(book) = self.names.find(symbol) {
            return Some(usize::from(book.0));
        }
        if !self.discover || self.books.len() > usize::from(u16::MAX) {
            return None;
        }
        let symbol = Symbol::from_bytes(symbol)?;
        let book = BookId(self.books.len() as u16);
        let opened = Book::new(symbol, self.scale, None, self.depth);
        opened.enter(book, &mut self.names);
        self.books.push(opened);
        out.discovered.push(Discovered { book, symbol });
        Some(usize::from(book.0))
    }

    fn status(&mut self, system: &[u8], now: Nanos, out: &mut FeedOut) {
        match system {
            // The matching engine stands still: what is in the books is nobody's offer.
            b"maintenance" => {
                self.online = false;
                self.lose_all(Lost::Ended, out);
            }
            _ if !self.online => {
                self.online = true;
                self.subscribe_again(now, out);
            }
            _ => {}
        }
    }
}

pub(super) fn levels_of<'a>(levels: &'a mut [Level], range: &std::ops::Range<u32>) -> &'a mut [Level] {
    levels.get_mut(range.start as usize..range.end as usize).unwrap_or_default()
}

/// The depth in v1's channel name, `book-1000`, which stands near the end of each message.
fn channel_depth(raw: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"\"book-";
    let at = raw.windows(NAME.len()).rposition(|window| window == NAME)? + NAME.len();
    let digits = raw[at..].iter().take_while(|byte| byte.is_ascii_digit()).count().min(6);
    std::str::from_utf8(&raw[at..at + digits]).ok()?.parse().ok()
}
