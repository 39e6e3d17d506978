//! Public market data of one connection: `orderbook` at one depth for each book, and at depth 1 for
//! its best bid and ask.
//!
//! The venue's rule: a subscription starts with a snapshot, and each delta carries the update id of
//! the message before it plus one. A snapshot that comes later, or an update id of 1, replaces the
//! whole book: a service restarted. Anything else is a gap, which a new subscription cures. Levels
//! have absolute quantities, zero deletes, and the venue deletes what slides out of the depth.
//!
//! Update ids are counted for each depth on its own. The cross sequence rises with holes and is the
//! same count in all of them, so it is what a change is numbered by: it tells which of depth and best
//! price is newer. Depth 1 is snapshots alone, sent again every three seconds when nothing moves.

use super::decode::{self, Decoder, Message};
use super::subscribe::Subscriptions;
use super::symbol::Market;
use crate::types::{BookId, Endpoint, Level, Nanos, Scale, Symbol};
use crate::venue::pulse::{Beat, PATIENCE, Pulse, Tended};
use crate::venue::{
    BookChange, BookNames, ChangeKind, Channels, Discovered, Feed, FeedConfig, FeedError, FeedInput, FeedOut,
    Lost, TierUse, Want, to_book_scale,
};
use crate::wire::Padded;

/// Depths that the venue offers, the fastest first: every 10, 20, 100 and 200 ms.
const DEPTHS: [u32; 4] = [1, 50, 200, 1_000];
/// A connection is pinged at least so often, as the venue asks for.
const PING: Nanos = Nanos::from_secs(20);
/// Quiet for this long, the venue is asked for a sign of life.
const QUIET: Nanos = Nanos::from_secs(2);

/// A feed of one market.
pub struct BybitFeed {
    decoder: Decoder,
    state: State,
}

struct State {
    discover: bool,
    channels: Channels,
    endpoint: Endpoint,
    /// The decoder's: the finest of the books'.
    scale: Scale,
    books: Vec<Book>,
    names: BookNames,
    subscriptions: Subscriptions,
    pulse: Pulse,
}

struct Book {
    symbol: Symbol,
    scale: Scale,
    /// Of its subscription; zero = none, or none known yet.
    depth: u32,
    /// Update id of the last message; `None` until a snapshot, and again after a gap.
    at: Option<u64>,
    /// Cross sequence of the last best bid and ask.
    top: u64,
    /// Best bid, its quantity, best ask, its quantity, as far as told by `tickers`.
    ticker: [Option<i64>; 4],
    tended: Tended,
}

impl Book {
    fn new(symbol: Symbol, scale: Scale, depth: u32) -> Book {
        Book { symbol, scale, depth, at: None, top: 0, ticker: [None; 4], tended: Tended::new() }
    }

    fn topic(&self) -> String {
        format!("orderbook.{}.{}", self.depth, self.symbol)
    }
}

impl BybitFeed {
    /// A feed of that market; depths between those offered are rounded up.
    pub fn new(market: Market, config: &FeedConfig) -> BybitFeed {
        let mut endpoint = config.stream.clone();
        if endpoint.target == "/" {
            endpoint.target = format!("/v5/public/{}", market.category());
        }
        let depth =
            if config.channels.depth && !config.discover { offered(config.channels.levels) } else { 0 };
        let scale_of =
            |book: &crate::venue::BookConfig| book.spec.as_ref().map_or(Scale::DEFAULT, |spec| spec.scale);
        let scale = config.books.iter().map(scale_of).max().unwrap_or_default();
        let mut state = State {
            discover: config.discover,
            channels: config.channels,
            endpoint,
            scale,
            books: Vec::new(),
            names: BookNames::new(),
            subscriptions: Subscriptions::default(),
            pulse: Pulse::new(QUIET, PING),
        };
        for book in &config.books {
            state.open_book(book.symbol, scale_of(book), depth);
        }
        BybitFeed { decoder: Decoder::new(scale), state }
    }
}

/// The least depth that the venue offers and that holds so many levels.
fn offered(levels: u32) -> u32 {
    DEPTHS.into_iter().find(|depth| *depth >= levels).unwrap_or(1_000)
}

impl Feed for BybitFeed {
    fn endpoint(&self) -> Endpoint {
        self.state.endpoint.clone()
    }

    fn on(&mut self, input: FeedInput<'_>, now: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        let state = &mut self.state;
        match input {
            FeedInput::Text(text) => {
                state.pulse.heard(now);
                let start = out.levels.len();
                let read = read(&mut self.decoder, state, text, now, out);
                return read.inspect_err(|_| {
                    out.levels.truncate(start);
                    state.lose_all(Lost::Malformed, out);
                });
            }
            FeedInput::Binary(_) => {
                state.lose_all(Lost::Malformed, out);
                return Err(FeedError::Malformed { at: 0, what: "expected a text message" });
            }
            FeedInput::Fetched { .. } => out.ignored += 1,
            FeedInput::Opened => {
                state.lose_all(Lost::Closed, out);
                state.opened(now);
                state.tick(now, out);
            }
            FeedInput::Closed => {
                state.lose_all(Lost::Closed, out);
                state.pulse.closed();
                state.subscriptions = Subscriptions::default();
            }
            FeedInput::Tick => state.tick(now, out),
        }
        Ok(())
    }

    fn rehearse(&mut self, message: FeedInput<'_>, levels: &mut Vec<Level>) {
        if let FeedInput::Text(text) = message {
            self.decoder.rehearse(text, levels);
        }
    }

    fn distrust(&mut self, book: BookId, why: Lost, now: Nanos, out: &mut FeedOut) {
        let Some(own) = self.state.books.get_mut(usize::from(book.0)) else { return };
        own.tended.doubt();
        self.state.lose(usize::from(book.0), why, out);
        self.state.start_anew(usize::from(book.0), now, out);
    }

    fn tiers(&self) -> TierUse {
        self.decoder.tiers()
    }
}

fn read(
    decoder: &mut Decoder,
    state: &mut State,
    text: Padded<'_>,
    now: Nanos,
    out: &mut FeedOut,
) -> Result<(), FeedError> {
    match decoder.decode(text, &mut out.levels)? {
        Message::Book(book) => state.book(&book, now, out),
        Message::Ticker(ticker) => state.ticker(&ticker, now, out),
        Message::Reply { success } => {
            out.ignored += 1;
            if !success {
                // Which subscription was refused it does not say: those that stay without a
                // snapshot are asked for again.
                for own in state.books.iter_mut().filter(|own| own.at.is_none()) {
                    own.tended.ask_again_by(now + PATIENCE);
                }
            }
            Ok(())
        }
        Message::Pong | Message::Other => {
            out.ignored += 1;
            Ok(())
        }
    }
}

impl State {
    fn open_book(&mut self, symbol: Symbol, scale: Scale, depth: u32) -> Option<BookId> {
        let id = BookId(u16::try_from(self.books.len()).ok()?);
        self.books.push(Book::new(symbol, scale, depth));
        self.names.insert(symbol, id);
        Some(id)
    }

    /// The book of a symbol, opened now when the feed discovers.
    fn place(&mut self, symbol: &[u8], out: &mut FeedOut) -> Option<usize> {
        if let Some(book) = self.names.find(symbol) {
            return Some(usize::from(book.0));
        }
        if !self.discover {
            return None;
        }
        let symbol = Symbol::from_bytes(symbol)?;
        let book = self.open_book(symbol, self.scale, 0)?;
        out.discovered.push(Discovered { book, symbol });
        Some(usize::from(book.0))
    }

    fn opened(&mut self, now: Nanos) {
        self.pulse.opened(now);
        let mut topics = Vec::new();
        for own in &mut self.books {
            if self.channels.depth && own.depth > 0 {
                // Requests go out some time apart.
                own.tended.ask(now, PATIENCE + PATIENCE);
                topics.push(own.topic());
            }
            if self.channels.ticker && own.depth != 1 {
                topics.push(format!("orderbook.1.{}", own.symbol));
            }
        }
        self.subscriptions = Subscriptions::new(topics);
    }

    fn book(&mut self, book: &decode::Book<'_>, now: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        let start = book.bids.start.min(book.asks.start) as usize;
        let Some(place) = self.place(book.symbol, out) else {
            out.levels.truncate(start);
            out.ignored += 1;
            return Ok(());
        };
        let (scale, discover) = (self.scale, self.discover);
        let own = &mut self.books[place];
        to_book_scale(out.levels.get_mut(start..).unwrap_or_default(), scale, own.scale)?;
        if discover && book.depth > own.depth {
            // A recording may carry several depths: the deepest counts.
            (own.depth, own.at) = (book.depth, None);
        }
        if book.depth != own.depth {
            if book.depth == 1 {
                self.top(place, book, now, out);
            } else {
                out.levels.truncate(start);
                out.ignored += 1;
            }
            return Ok(());
        }
        let kind = if book.snapshot || book.update == 1 {
            ChangeKind::Snapshot { live: true }
        } else {
            match own.at {
                Some(have) if have.checked_add(1) == Some(book.update) => ChangeKind::Update,
                Some(have) => {
                    out.levels.truncate(start);
                    self.lose(place, Lost::Gap { have, got: book.update }, out);
                    self.start_anew(place, now, out);
                    return Ok(());
                }
                // What follows a gap, or precedes the snapshot, tells nothing.
                None => {
                    out.levels.truncate(start);
                    out.ignored += 1;
                    return Ok(());
                }
            }
        };
        own.at = Some(book.update);
        own.tended.settle(now);
        out.changes.push(BookChange {
            bids: book.bids.clone(),
            asks: book.asks.clone(),
            venue_time: venue_time(book.engine_ms.unwrap_or(book.sent_ms)),
            ..BookChange::of(place, kind, book.seq)
        });
        Ok(())
    }

    /// Depth 1 of a book that is kept at another depth.
    fn top(&mut self, place: usize, book: &decode::Book<'_>, now: Nanos, out: &mut FeedOut) {
        let own = &mut self.books[place];
        if book.seq <= own.top || !self.channels.ticker {
            // Sent again because nothing moved.
            out.levels.truncate(book.bids.start.min(book.asks.start) as usize);
            out.ignored += 1;
            return;
        }
        own.top = book.seq;
        own.tended.tell(now);
        out.changes.push(BookChange {
            bids: book.bids.clone(),
            asks: book.asks.clone(),
            venue_time: venue_time(book.engine_ms.unwrap_or(book.sent_ms)),
            ..BookChange::of(place, ChangeKind::Top, book.seq)
        });
    }

    /// `tickers` of the futures markets: best bid and ask among much else, unchanged fields left
    /// out. Slower than depth 1, which is what the feed itself subscribes to.
    fn ticker(
        &mut self,
        ticker: &decode::Ticker<'_>,
        now: Nanos,
        out: &mut FeedOut,
    ) -> Result<(), FeedError> {
        let Some(place) = self.place(ticker.symbol, out) else {
            out.ignored += 1;
            return Ok(());
        };
        let (from, wanted) = (self.scale, self.channels.ticker);
        let own = &mut self.books[place];
        if ticker.snapshot {
            own.ticker = [None; 4];
        }
        for (own, new) in own.ticker.iter_mut().zip(ticker.best) {
            *own = new.or(*own);
        }
        let [Some(bid), Some(bid_qty), Some(ask), Some(ask_qty)] = own.ticker else {
            out.ignored += 1;
            return Ok(());
        };
        if ticker.seq <= own.top || !wanted {
            out.ignored += 1;
            return Ok(());
        }
        let start = out.levels.len();
        // A side without orders has no price, or no quantity.
        out.levels.extend((bid > 0 && bid_qty > 0).then_some(Level::new(bid, bid_qty)));
        let middle = out.levels.len() as u32;
        out.levels.extend((ask > 0 && ask_qty > 0).then_some(Level::new(ask, ask_qty)));
        to_book_scale(out.levels.get_mut(start..).unwrap_or_default(), from, own.scale)?;
        own.top = ticker.seq;
        own.tended.tell(now);
        out.changes.push(BookChange {
            bids: start as u32..middle,
            asks: middle..out.levels.len() as u32,
            venue_time: venue_time(ticker.sent_ms),
            ..BookChange::of(place, ChangeKind::Top, ticker.seq)
        });
        Ok(())
    }

    fn tick(&mut self, now: Nanos, out: &mut FeedOut) {
        if !self.pulse.is_open() {
            return;
        }
        if let Some(text) = self.subscriptions.next(now) {
            out.wants.push(Want::Send(text));
        }
        match self.pulse.beat(now) {
            Beat::Calm => {}
            Beat::Ping => out.wants.push(Want::Send(r#"{"req_id":"ping","op":"ping"}"#.to_owned())),
            Beat::Dead => {
                self.lose_all(Lost::Stale, out);
                out.wants.push(Want::Reconnect("a ping was not answered"));
                return;
            }
        }
        // The venue sends all that changes: while the connection lives, a quiet book stands as it is.
        if let Some(heard) = self.pulse.fresh(now) {
            for (place, own) in self.books.iter_mut().enumerate() {
                if own.at.is_some() && own.tended.sign(heard) {
                    out.changes.push(BookChange::of(place, ChangeKind::Alive, own.top));
                }
            }
        }
        for place in 0..self.books.len() {
            if self.books[place].tended.is_due(now) {
                self.resubscribe(place, now, out);
            }
        }
    }

    /// Forgets a book's place, and says that it is lost if anything was said of it before.
    fn lose(&mut self, place: usize, why: Lost, out: &mut FeedOut) {
        let Some(own) = self.books.get_mut(place) else { return };
        (own.at, own.ticker, own.top) = (None, [None; 4], 0);
        if own.tended.lose() {
            out.changes.push(BookChange::of(place, ChangeKind::Lost(why), 0));
        }
    }

    fn lose_all(&mut self, why: Lost, out: &mut FeedOut) {
        for place in 0..self.books.len() {
            self.lose(place, why, out);
        }
    }

    fn start_anew(&mut self, place: usize, now: Nanos, out: &mut FeedOut) {
        let Some(own) = self.books.get_mut(place) else { return };
        if !self.pulse.is_open() || own.depth == 0 {
            return;
        }
        if own.tended.may_retry(now) {
            self.resubscribe(place, now, out);
        }
    }

    /// A new subscription starts with a snapshot.
    fn resubscribe(&mut self, place: usize, now: Nanos, out: &mut FeedOut) {
        let Some(own) = self.books.get_mut(place) else { return };
        own.tended.ask(now, PATIENCE);
        let topic = own.topic();
        for op in ["unsubscribe", "subscribe"] {
            out.wants.push(Want::Send(format!(r#"{{"req_id":"again","op":"{op}","args":["{topic}"]}}"#)));
        }
    }
}

/// The venue's milliseconds; absurd ones are none.
fn venue_time(ms: i64) -> Nanos {
    if (0..=i64::MAX / 1_000_000).contains(&ms) { Nanos::from_millis(ms) } else { Nanos::ZERO }
}
