//! Public books of Kraken's derivatives: feed `book`, and `ticker` where asked for.
//!
//! The venue's rule: a subscription starts with a `book_snapshot`, the whole book, whose `seq` every
//! later `book` message of the product follows by one each; a level's quantity is absolute, zero
//! deletes. A number that does not follow means that something of this product was lost: it alone is
//! subscribed to anew. The ticker is sent once a second at most: it is told as a best bid and ask
//! where a configuration asks for it, and never held against the book.
//!
//! The venue wants a ping at least once a minute, by the WebSocket's own frames, and sends
//! heartbeats to those who subscribe to them, at intervals that it does not tell.

use super::decode::{self, Decoder, What};
use crate::types::{BookId, Endpoint, Level, Nanos, Scale, Symbol};
use crate::venue::kraken::feed::levels_of;
use crate::venue::kraken::json::quoted;
use crate::venue::{
    BookChange, BookNames, ChangeKind, Channels, Discovered, Feed, FeedConfig, FeedError, FeedInput, FeedOut,
    Lost, TierUse, Want, to_book_scale,
};

/// A link without a frame for this long is dead.
const STALE: Nanos = Nanos::from_secs(60);
/// After a frame a book is said to be alive for so long.
const QUIET: Nanos = Nanos::from_secs(2);
/// A book of a living connection is said to be alive at least this often.
const SIGN: Nanos = Nanos::from_millis(500);
/// A book is not subscribed to anew sooner than this after the last time: its snapshot is large.
const RETRY: Nanos = Nanos::from_secs(1);
/// A subscription without a snapshot for this long, or a refused one, is tried again.
const PATIENCE: Nanos = Nanos::from_secs(30);
/// Products of one request.
const BATCH: usize = 50;

/// The feed of one connection.
pub struct FuturesFeed {
    decoder: Decoder,
    state: State,
}

struct State {
    endpoint: Endpoint,
    channels: Channels,
    discover: bool,
    /// The decoder's scale: the finest of the books'.
    scale: Scale,
    books: Vec<Book>,
    names: BookNames,
    open: bool,
    last_frame: Nanos,
}

struct Book {
    symbol: Symbol,
    scale: Scale,
    live: bool,
    /// Number of the last message.
    seq: u64,
    last_sign: Nanos,
    /// When to subscribe anew unless a snapshot comes; `MAX` = never.
    again: Nanos,
    /// When it was last subscribed to.
    asked: Nanos,
}

impl Book {
    fn new(symbol: Symbol, scale: Scale) -> Book {
        Book {
            symbol,
            scale,
            live: false,
            seq: 0,
            last_sign: Nanos::ZERO,
            again: Nanos::MAX,
            asked: Nanos::ZERO,
        }
    }

    fn change(&self, book: usize, kind: ChangeKind) -> BookChange {
        BookChange::of(book, kind, self.seq)
    }
}

impl FuturesFeed {
    /// A feed over the books of a configuration.
    pub fn new(config: &FeedConfig) -> FuturesFeed {
        let books: Vec<Book> = config
            .books
            .iter()
            .map(|book| Book::new(book.symbol, book.spec.as_ref().map_or(Scale::DEFAULT, |spec| spec.scale)))
            .collect();
        let scale = books.iter().map(|book| book.scale).max().unwrap_or_default();
        let mut names = BookNames::new();
        for (place, book) in books.iter().enumerate() {
            names.insert(book.symbol, BookId(place as u16));
        }
        FuturesFeed {
            decoder: Decoder::new(scale),
            state: State {
                endpoint: config.stream.clone(),
                channels: config.channels,
                discover: config.discover,
                scale,
                books,
                names,
                open: false,
                last_frame: Nanos::ZERO,
            },
        }
    }
}

impl Feed for FuturesFeed {
    fn endpoint(&self) -> Endpoint {
        self.state.endpoint.clone()
    }

    fn on(&mut self, input: FeedInput<'_>, now: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        let state = &mut self.state;
        match input {
            FeedInput::Opened => {
                (state.open, state.last_frame) = (true, now);
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
                let used = state.message(&message, now, out);
                if !matches!(used, Ok(true)) {
                    out.levels.truncate(start);
                    out.ignored += u64::from(used.is_ok());
                }
                return used.map(|_| ());
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

    fn distrust(&mut self, book: BookId, _why: Lost, now: Nanos, out: &mut FeedOut) {
        self.state.start_anew(usize::from(book.0), now, out);
    }

    fn tiers(&self) -> TierUse {
        self.decoder.tiers()
    }
}

impl State {
    /// False when no levels came of it.
    fn message(
        &mut self,
        message: &decode::Message<'_>,
        now: Nanos,
        out: &mut FeedOut,
    ) -> Result<bool, FeedError> {
        match &message.what {
            What::Book(book) => return self.book(message.product, book, now, out),
            What::Ticker(ticker) => return self.ticker(message.product, ticker, now, out),
            What::Heartbeat => self.alive(now, Nanos::ZERO, out),
            What::Refused => self.refused(now, out),
            What::Other => {}
        }
        Ok(false)
    }

    fn book(
        &mut self,
        product: &[u8],
        book: &decode::Book,
        now: Nanos,
        out: &mut FeedOut,
    ) -> Result<bool, FeedError> {
        let Some(place) = self.place(product, out) else { return Ok(false) };
        let from = self.scale;
        let Some(own) = self.books.get_mut(place) else { return Ok(false) };
        // What follows a book that was lost, or precedes its snapshot, tells nothing; nor does what
        // is older than the snapshot.
        if !book.snapshot && (!own.live || book.seq <= own.seq) {
            return Ok(false);
        }
        if !book.snapshot && Some(book.seq) != own.seq.checked_add(1) {
            let lost = Lost::Gap { have: own.seq, got: book.seq };
            out.changes.push(own.change(place, ChangeKind::Lost(lost)));
            self.start_anew(place, now, out);
            return Ok(false);
        }
        for side in [&book.bids, &book.asks] {
            to_book_scale(levels_of(&mut out.levels, side), from, own.scale)?;
        }
        let kind = if book.snapshot {
            (own.live, own.again) = (true, Nanos::MAX);
            ChangeKind::Snapshot { live: true }
        } else {
            ChangeKind::Update
        };
        (own.seq, own.last_sign) = (book.seq, now);
        let (bids, asks) = (book.bids.clone(), book.asks.clone());
        out.changes.push(BookChange { venue_time: book.time, bids, asks, ..own.change(place, kind) });
        Ok(true)
    }

    fn ticker(
        &mut self,
        product: &[u8],
        ticker: &decode::Ticker,
        now: Nanos,
        out: &mut FeedOut,
    ) -> Result<bool, FeedError> {
        // A recording is judged by its books: the ticker is not a rival to them here.
        let wanted = self.channels.ticker && !self.discover;
        let place = self.names.find(product).filter(|_| wanted).map(|book| usize::from(book.0));
        let (from, depth) = (self.scale, self.channels.depth);
        let Some((place, own)) = place.and_then(|place| Some((place, self.books.get_mut(place)?))) else {
            return Ok(false);
        };
        // Without its depth a book has no place for a better top.
        if depth && !own.live {
            return Ok(false);
        }
        let mut push = |level: Option<Level>| {
            let start = out.levels.len();
            if let Some(level) = level.filter(|level| level.price.0 > 0 && level.qty.0 > 0) {
                out.levels.push(level);
                to_book_scale(out.levels.get_mut(start..).unwrap_or_default(), from, own.scale)?;
            }
            Ok::<_, FeedError>(start as u32..out.levels.len() as u32)
        };
        let (bids, asks) = (push(ticker.bid)?, push(ticker.ask)?);
        own.last_sign = now;
        let change = own.change(place, ChangeKind::Top);
        out.changes.push(BookChange { venue_time: ticker.time, bids, asks, ..change });
        Ok(true)
    }

    /// Which book a product is. Unknown ones are opened where that is wanted, even by an update,
    /// which leaves them waiting: that they are there is worth telling.
    fn place(&mut self, product: &[u8], out: &mut FeedOut) -> Option<usize> {
        if let Some(book) = self.names.find(product) {
            return Some(usize::from(book.0));
        }
        if !self.discover || self.books.len() > usize::from(u16::MAX) {
            return None;
        }
        let symbol = Symbol::from_bytes(product)?;
        let book = BookId(self.books.len() as u16);
        self.books.push(Book::new(symbol, self.scale));
        self.names.insert(symbol, book);
        out.discovered.push(Discovered { book, symbol });
        Some(usize::from(book.0))
    }

    /// A request was refused, and the answer does not say which: what waits for its snapshot is
    /// meant.
    fn refused(&mut self, now: Nanos, out: &mut FeedOut) {
        for (place, book) in self.books.iter_mut().enumerate().filter(|(_, book)| !book.live) {
            book.again = now + PATIENCE;
            out.changes.push(book.change(place, ChangeKind::Lost(Lost::Unsubscribed)));
        }
    }

    fn tick(&mut self, now: Nanos, out: &mut FeedOut) {
        if !self.open {
            return;
        }
        if now - self.last_frame > STALE {
            self.open = false;
            self.lose_all(Lost::Stale, out);
            out.wants.push(Want::Reconnect("no frame for a minute"));
            return;
        }
        if now - self.last_frame < QUIET {
            self.alive(self.last_frame, SIGN, out);
        }
        for place in 0..self.books.len() {
            if self.books.get(place).is_some_and(|book| book.again <= now) {
                self.resubscribe(place, now, out);
            }
        }
    }

    /// The venue numbers all that changes: a frame of any kind says that quiet books stand as they
    /// are. Told of books without a sign for longer than `since`.
    fn alive(&mut self, at: Nanos, since: Nanos, out: &mut FeedOut) {
        for (place, book) in self.books.iter_mut().enumerate() {
            if book.live && at - book.last_sign > since {
                book.last_sign = at;
                out.changes.push(book.change(place, ChangeKind::Alive));
            }
        }
    }

    fn lose_all(&mut self, why: Lost, out: &mut FeedOut) {
        for (place, book) in self.books.iter_mut().enumerate() {
            (book.live, book.again) = (false, Nanos::MAX);
            out.changes.push(book.change(place, ChangeKind::Lost(why)));
        }
    }

    fn start_anew(&mut self, place: usize, now: Nanos, out: &mut FeedOut) {
        let Some(own) = self.books.get_mut(place) else { return };
        own.live = false;
        if !self.open {
            return;
        }
        if now - own.asked < RETRY {
            own.again = own.asked + RETRY;
        } else {
            self.resubscribe(place, now, out);
        }
    }

    fn resubscribe(&mut self, place: usize, now: Nanos, out: &mut FeedOut) {
        if !self.channels.depth {
            return;
        }
        let Some(own) = self.books.get_mut(place) else { return };
        (own.asked, own.again, own.live) = (now, now + PATIENCE, false);
        let product = quoted(own.symbol.as_str());
        for event in ["unsubscribe", "subscribe"] {
            out.wants.push(Want::Send(request(event, "book", &product)));
        }
    }

    /// Subscribes to everything of a new connection.
    fn subscribe_all(&mut self, now: Nanos, out: &mut FeedOut) {
        if self.books.is_empty() {
            return;
        }
        let depth = self.channels.depth;
        for book in &mut self.books {
            (book.live, book.asked) = (false, now);
            book.again = if depth { now + PATIENCE } else { Nanos::MAX };
        }
        out.wants.push(Want::Send("{\"event\":\"subscribe\",\"feed\":\"heartbeat\"}".to_owned()));
        let products: Vec<String> = self.books.iter().map(|book| quoted(book.symbol.as_str())).collect();
        for products in products.chunks(BATCH) {
            let products = products.join(",");
            if depth {
                out.wants.push(Want::Send(request("subscribe", "book", &products)));
            }
            if self.channels.ticker {
                out.wants.push(Want::Send(request("subscribe", "ticker", &products)));
            }
        }
    }
}

fn request(event: &str, feed: &str, products: &str) -> String {
    format!("{{\"event\":\"{event}\",\"feed\":\"{feed}\",\"product_ids\":[{products}]}}")
}
