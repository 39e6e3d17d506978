//! Public books of one connection, of either product.
//!
//! Advanced Trade: channel `level2`, whose messages call themselves `l2_data`. A snapshot is the
//! whole book, levels without end; updates set levels to absolute quantities, zero deletes. Every
//! message of the connection, of whatever channel, carries `sequence_num`, which rises by one: a jump
//! means that something was lost, nobody knows of which book, so all of them start anew.
//!
//! Exchange: `level2_batch`, the same in another spelling and without any numbers: the venue promises
//! delivery, and a silent loss cannot be seen. What is left is the sign of life for each product, and
//! the stage's own look at books whose bid stands above their ask. The channel without the 50 ms of
//! batching wants a login, which market data does without here.
//!
//! The ticker of both is sent when something trades, not when the best prices change: it is told as
//! a best bid and ask where a configuration asks for it, and never checked against the book.

use super::Product;
use super::decode::{Decoder, Event, What};
use super::symbol::book_name;
use crate::types::{BookId, Endpoint, Level, Nanos, Scale, Symbol};
use crate::venue::{
    BookChange, ChangeKind, Channels, Discovered, Feed, FeedConfig, FeedError, FeedInput, FeedOut, Lost,
    TierUse,
};
use crate::wire::Padded;

/// The feed of one connection.
pub struct CoinbaseFeed {
    /// One for each scale among the books; nearly always one.
    decoders: Vec<(Scale, Decoder)>,
    events: Vec<Event>,
    state: State,
}

pub(super) struct State {
    pub(super) product: Product,
    endpoint: Endpoint,
    pub(super) channels: Channels,
    discover: bool,
    pub(super) books: Vec<Book>,
    pub(super) open: bool,
    pub(super) last_frame: Nanos,
    /// The number that the next message must have; `None` before the first.
    next: Option<u64>,
}

pub(super) struct Book {
    pub(super) symbol: Symbol,
    /// Under which messages may come instead.
    alias: Option<Symbol>,
    scale: Scale,
    pub(super) live: bool,
    /// Updates so far, where the venue has no numbers.
    count: u64,
    pub(super) last_sign: Nanos,
    /// When to subscribe anew unless a snapshot comes; `MAX` = never.
    pub(super) again: Nanos,
    /// When it was last subscribed to.
    pub(super) asked: Nanos,
}

impl Book {
    fn new(symbol: Symbol, scale: Scale) -> Book {
        let alias = book_name(symbol.as_str()).and_then(|name| Symbol::new(&name));
        Book {
            symbol,
            alias,
            scale,
            live: false,
            count: 0,
            last_sign: Nanos::ZERO,
            again: Nanos::MAX,
            asked: Nanos::ZERO,
        }
    }

    pub(super) fn is(&self, product: Symbol) -> bool {
        self.symbol == product || self.alias == Some(product)
    }

    pub(super) fn change(&self, book: usize, kind: ChangeKind) -> BookChange {
        BookChange {
            book: BookId(book as u16),
            kind,
            seq: self.count,
            venue_time: Nanos::ZERO,
            check: None,
            keep: 0,
            bids: 0..0,
            asks: 0..0,
        }
    }
}

impl CoinbaseFeed {
    /// A feed over the books of a configuration.
    pub fn new(product: Product, config: &FeedConfig) -> CoinbaseFeed {
        let mut feed = CoinbaseFeed {
            decoders: Vec::new(),
            events: Vec::new(),
            state: State {
                product,
                endpoint: config.stream.clone(),
                channels: config.channels,
                discover: config.discover,
                books: Vec::new(),
                open: false,
                last_frame: Nanos::ZERO,
                next: None,
            },
        };
        for book in &config.books {
            let scale = book.spec.as_ref().map_or(Scale::DEFAULT, |spec| spec.scale);
            feed.state.books.push(Book::new(book.symbol, scale));
            if !feed.decoders.iter().any(|(own, _)| *own == scale) {
                feed.decoders.push((scale, Decoder::new(scale)));
            }
        }
        if feed.decoders.is_empty() {
            feed.decoders.push((Scale::DEFAULT, Decoder::new(Scale::DEFAULT)));
        }
        feed
    }

    fn text(&mut self, text: Padded<'_>, now: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        let at = match self.decoders.len() {
            1 => 0,
            _ => decoder_for(&self.decoders, &self.state, text.message()),
        };
        let Some((_, decoder)) = self.decoders.get_mut(at) else { return Ok(()) };
        let start = out.levels.len();
        self.events.clear();
        let message = decoder.decode(text, &mut out.levels, &mut self.events)?;
        let prices = out.levels.get(start..).unwrap_or_default();
        if prices.iter().any(|level| level.price.0 <= 0 || level.qty.0 < 0) {
            out.levels.truncate(start);
            return Err(FeedError::Malformed { at: 0, what: "a positive price and a quantity" });
        }
        let state = &mut self.state;
        if let Some(sequence) = message.sequence
            && !state.follow(sequence, now, out)
        {
            // Older than what came before: it was told already, or is of another time.
            out.levels.truncate(start);
            out.ignored += 1;
            return Ok(());
        }
        match message.what {
            What::Books => {
                for event in &self.events {
                    state.book(event, message.sequence, message.time, now, out);
                }
            }
            What::Tickers => {
                for event in &self.events {
                    state.ticker(event, message.sequence, message.time, now, out);
                }
            }
            What::Heartbeat(product) => {
                out.ignored += 1;
                state.alive(product, now, Nanos::ZERO, out);
            }
            What::Error => {
                out.ignored += 1;
                state.refused(text.message(), now, out);
            }
            What::Other => out.ignored += 1,
        }
        Ok(())
    }
}

impl Feed for CoinbaseFeed {
    fn endpoint(&self) -> Endpoint {
        self.state.endpoint.clone()
    }

    fn on(&mut self, input: FeedInput<'_>, now: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        let state = &mut self.state;
        match input {
            FeedInput::Opened => {
                (state.open, state.last_frame, state.next) = (true, now, None);
                state.subscribe_all(now, out);
            }
            FeedInput::Closed => {
                state.open = false;
                state.lose_all(Lost::Closed, out);
            }
            FeedInput::Text(text) => {
                state.last_frame = now;
                return self.text(text, now, out);
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

    fn distrust(&mut self, book: BookId, _why: Lost, now: Nanos, out: &mut FeedOut) {
        self.state.start_anew(usize::from(book.0), now, out);
    }

    fn tiers(&self) -> TierUse {
        self.decoders.iter().fold(TierUse::default(), |sum, (_, decoder)| {
            let used = decoder.tiers();
            TierUse {
                template: sum.template + used.template,
                scanner: sum.scanner + used.scanner,
                library: sum.library + used.library,
            }
        })
    }
}

impl State {
    /// Holds a message's number against the one that must come; false when it is an old one.
    fn follow(&mut self, got: u64, now: Nanos, out: &mut FeedOut) -> bool {
        let expected = self.next.unwrap_or(got);
        if got < expected {
            return false;
        }
        self.next = Some(got.saturating_add(1));
        if got > expected {
            let have = expected.saturating_sub(1);
            let lost = Lost::Gap { have, got };
            for (place, book) in self.books.iter_mut().enumerate() {
                if std::mem::take(&mut book.live) {
                    out.changes.push(book.change(place, ChangeKind::Lost(lost)));
                }
            }
            self.subscribe_again(now, out);
        }
        true
    }

    fn book(&mut self, event: &Event, sequence: Option<u64>, time: Nanos, now: Nanos, out: &mut FeedOut) {
        let Some(place) = self.place(event.product, out) else {
            out.ignored += 1;
            return;
        };
        let Some(own) = self.books.get_mut(place) else { return };
        if !event.snapshot && !own.live {
            // What follows a book that was lost, or precedes its snapshot, tells nothing.
            out.ignored += 1;
            return;
        }
        own.count = sequence.unwrap_or(own.count + 1);
        own.last_sign = now;
        let kind = if event.snapshot {
            (own.live, own.again) = (true, Nanos::MAX);
            ChangeKind::Snapshot { live: true }
        } else {
            ChangeKind::Update
        };
        let (bids, asks) = (event.bids.clone(), event.asks.clone());
        out.changes.push(BookChange { venue_time: time, bids, asks, ..own.change(place, kind) });
    }

    fn ticker(&mut self, event: &Event, sequence: Option<u64>, time: Nanos, now: Nanos, out: &mut FeedOut) {
        let place = self.find(event.product);
        // A recording is judged by its books: the ticker is not a rival to them here.
        let wanted = self.channels.ticker && !self.discover;
        let own = place.and_then(|place| Some((place, self.books.get_mut(place)?)));
        let (true, Some((place, own))) = (wanted, own) else {
            out.ignored += 1;
            return;
        };
        // Without its depth a book has no place for a better top.
        if self.channels.depth && !own.live {
            out.ignored += 1;
            return;
        }
        own.count = sequence.unwrap_or(own.count + 1);
        own.last_sign = now;
        // A side without orders, or one whose quantity is not told, has none.
        let one = |range: &std::ops::Range<u32>, levels: &[Level]| match levels.get(range.start as usize) {
            Some(level) if range.len() == 1 && level.qty.0 > 0 => range.clone(),
            _ => 0..0,
        };
        let (bids, asks) = (one(&event.bids, &out.levels), one(&event.asks, &out.levels));
        out.changes.push(BookChange { venue_time: time, bids, asks, ..own.change(place, ChangeKind::Top) });
    }

    fn find(&self, product: Symbol) -> Option<usize> {
        let own = self.books.iter().position(|book| book.symbol == product);
        own.or_else(|| self.books.iter().position(|book| book.is(product)))
    }

    /// Which book a product is. Unknown ones are opened where that is wanted, even by an update,
    /// which leaves them waiting: that they are there is worth telling.
    fn place(&mut self, product: Symbol, out: &mut FeedOut) -> Option<usize> {
        if let Some(place) = self.find(product) {
            return Some(place);
        }
        if !self.discover || product.is_empty() || self.books.len() > usize::from(u16::MAX) {
            return None;
        }
        let book = BookId(self.books.len() as u16);
        self.books.push(Book::new(product, Scale::DEFAULT));
        out.discovered.push(Discovered { book, symbol: product });
        Some(usize::from(book.0))
    }
}

/// Books of different scales share the connection: the product says which decoder to use.
fn decoder_for(decoders: &[(Scale, Decoder)], state: &State, text: &[u8]) -> usize {
    let key = b"\"product_id\":\"";
    // It stands before the levels, and its value is short.
    let head = text.get(..512).unwrap_or(text);
    let product = head.windows(key.len()).position(|window| window == key).and_then(|at| {
        let rest = &head[at + key.len()..];
        Symbol::from_bytes(rest.get(..rest.iter().position(|byte| *byte == b'"')?)?)
    });
    let scale = product.and_then(|product| state.books.get(state.find(product)?)).map(|book| book.scale);
    decoders.iter().position(|(own, _)| Some(*own) == scale).unwrap_or(0)
}
