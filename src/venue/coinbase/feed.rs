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
use super::decode::{self, Decoder, What};
use super::level3::{Level3, Outcome};
use super::symbol::book_name;
use crate::types::{BookId, Endpoint, Level, Nanos, Scale, Symbol};
use crate::venue::{
    BookChange, BookNames, ChangeKind, Channels, Discovered, Feed, FeedConfig, FeedError, FeedInput, FeedOut,
    Lost, Want,
};
use crate::wire::Padded;
use crate::wire::json::TierUse;

/// Before the orders of a product are asked for again.
const FETCH_AGAIN: Nanos = Nanos::from_secs(1);

/// The feed of one connection.
pub struct CoinbaseFeed {
    /// One for each scale among the books; nearly always one.
    decoders: Vec<(Scale, Decoder)>,
    state: State,
}

pub(super) struct State {
    pub(super) product: Product,
    endpoint: Endpoint,
    pub(super) channels: Channels,
    discover: bool,
    pub(super) books: Vec<Book>,
    names: BookNames,
    level3: Level3,
    pub(super) open: bool,
    pub(super) last_frame: Nanos,
    /// The number that the next message must have; `None` before the first.
    next: Option<u64>,
}

pub(super) struct Book {
    pub(super) symbol: Symbol,
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
    fn new(symbol: Symbol) -> Book {
        Book {
            symbol,
            scale: Scale::DEFAULT,
            live: false,
            count: 0,
            last_sign: Nanos::ZERO,
            again: Nanos::MAX,
            asked: Nanos::ZERO,
        }
    }

    pub(super) fn change(&self, book: usize, kind: ChangeKind) -> BookChange {
        BookChange::of(book, kind, self.count)
    }
}

impl CoinbaseFeed {
    /// A feed over the books of a configuration.
    pub fn new(product: Product, config: &FeedConfig) -> CoinbaseFeed {
        let mut feed = CoinbaseFeed {
            decoders: Vec::new(),
            state: State {
                product,
                endpoint: config.stream.clone(),
                channels: config.channels,
                discover: config.discover,
                books: Vec::new(),
                names: BookNames::new(),
                level3: Level3::default(),
                open: false,
                last_frame: Nanos::ZERO,
                next: None,
            },
        };
        for (place, book) in config.books.iter().enumerate() {
            let scale = book.spec.as_ref().map_or(Scale::DEFAULT, |spec| spec.scale);
            feed.state.books.push(Book { scale, ..Book::new(book.symbol) });
            feed.state.names.insert(book.symbol, BookId(place as u16));
            if !feed.decoders.iter().any(|(own, _)| *own == scale) {
                feed.decoders.push((scale, Decoder::new(scale)));
            }
        }
        // Behind all own names: one that is configured itself keeps its own.
        for (place, book) in config.books.iter().enumerate() {
            let alias = book_name(book.symbol.as_str()).and_then(|name| Symbol::new(&name));
            if let Some(alias) = alias {
                feed.state.names.insert(alias, BookId(place as u16));
            }
        }
        if feed.decoders.is_empty() {
            feed.decoders.push((Scale::DEFAULT, Decoder::new(Scale::DEFAULT)));
        }
        feed
    }

    /// Which decoder reads a message.
    #[inline]
    fn decoder_of(&self, text: &[u8]) -> usize {
        match self.decoders.len() {
            1 => 0,
            _ => decoder_for(&self.decoders, &self.state, text),
        }
    }

    fn text(&mut self, text: Padded<'_>, now: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        let at = self.decoder_of(text.message());
        let Some((scale, decoder)) = self.decoders.get_mut(at) else { return Ok(()) };
        let scale = *scale;
        let start = out.levels.len();
        let message = decoder.decode(text, &mut out.levels)?;
        let levels = out.levels.get(start..).unwrap_or_default();
        if levels.iter().any(|level| level.price.0 <= 0) && matches!(message.what, What::Book(_)) {
            out.levels.truncate(start);
            return Err(FeedError::Malformed { at: 0, what: "a positive price" });
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
        let (sequence, time) = (message.sequence, message.time);
        let used = match message.what {
            What::Book(book) => state.book(&book, sequence, time, now, out),
            What::Ticker(ticker) => state.ticker(&ticker, sequence, time, now, out),
            What::Heartbeat(product) => {
                state.alive(product, now, Nanos::ZERO, out);
                false
            }
            What::Error => {
                state.refused(text.message(), now, out);
                false
            }
            What::Order(text) => state.order(text, scale, out)?,
            What::Other => false,
        };
        if !used {
            out.levels.truncate(start);
            out.ignored += 1;
        }
        Ok(())
    }

    /// Orders of a product, which were asked for, or captured.
    fn fetched(&mut self, url: &str, status: u16, body: &[u8], out: &mut FeedOut) {
        let product = url.split_once("/products/").and_then(|(_, rest)| rest.split_once("/book"));
        let place = product.and_then(|(product, _)| self.state.find(product.as_bytes()));
        let book = place.and_then(|place| self.state.books.get(place));
        let Some((symbol, scale)) = book.map(|book| (book.symbol, book.scale)) else {
            out.ignored += 1;
            return;
        };
        let found = if status == 200 { self.state.level3.fetched(symbol, body, scale) } else { None };
        let Some(found) = found else {
            out.ignored += 1;
            if self.state.level3.waits(symbol) {
                self.state.fetch(symbol, FETCH_AGAIN, out);
            }
            return;
        };
        let [bids, asks] = found.levels;
        let kind = ChangeKind::Snapshot { live: true };
        self.state.levels(symbol, kind, found.sequence, Nanos::ZERO, [&bids, &asks], out);
        for outcome in found.then {
            self.state.outcome(outcome, out);
        }
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
                state.level3.clear();
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
            FeedInput::Fetched { url, status, body, .. } => self.fetched(url, status, body, out),
            FeedInput::Tick => state.tick(now, out),
        }
        Ok(())
    }

    fn rehearse(&mut self, message: FeedInput<'_>, levels: &mut Vec<Level>) {
        let FeedInput::Text(text) = message else { return };
        let at = self.decoder_of(text.message());
        if let Some((_, decoder)) = self.decoders.get_mut(at) {
            decoder.rehearse(text, levels);
        }
    }

    fn distrust(&mut self, book: BookId, _why: Lost, now: Nanos, out: &mut FeedOut) {
        self.state.start_anew(usize::from(book.0), now, out);
    }

    fn tiers(&self) -> TierUse {
        self.decoders.iter().map(|(_, decoder)| decoder.tiers()).sum()
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

    /// A book's message; false when nothing came of it.
    fn book(
        &mut self,
        book: &decode::Book<'_>,
        sequence: Option<u64>,
        time: Nanos,
        now: Nanos,
        out: &mut FeedOut,
    ) -> bool {
        let Some(place) = self.place(book.product, out) else { return false };
        let Some(own) = self.books.get_mut(place) else { return false };
        if !book.snapshot && !own.live {
            // What follows a book that was lost, or precedes its snapshot, tells nothing.
            return false;
        }
        own.count = sequence.unwrap_or(own.count + 1);
        own.last_sign = now;
        let kind = if book.snapshot {
            (own.live, own.again) = (true, Nanos::MAX);
            ChangeKind::Snapshot { live: true }
        } else {
            ChangeKind::Update
        };
        let (bids, asks) = (book.bids.clone(), book.asks.clone());
        out.changes.push(BookChange { venue_time: time, bids, asks, ..own.change(place, kind) });
        true
    }

    /// A ticker; false when nothing came of it.
    fn ticker(
        &mut self,
        ticker: &decode::Book<'_>,
        sequence: Option<u64>,
        time: Nanos,
        now: Nanos,
        out: &mut FeedOut,
    ) -> bool {
        // A recording is judged by its books: the ticker is not a rival to them here.
        let wanted = self.channels.ticker && !self.discover;
        let place = self.find(ticker.product).filter(|_| wanted);
        let Some((place, own)) = place.and_then(|place| Some((place, self.books.get_mut(place)?))) else {
            return false;
        };
        // What the old ones do not tell at all is not gone.
        if ticker.bids.is_empty() && ticker.asks.is_empty() {
            return false;
        }
        // Without its depth a book has no place for a better top.
        if self.channels.depth && !own.live {
            return false;
        }
        own.count = sequence.unwrap_or(own.count + 1);
        own.last_sign = now;
        // A side without orders has price and quantity zero.
        let told = |range: &std::ops::Range<u32>, levels: &[Level]| match levels.get(range.start as usize) {
            Some(level) if range.len() == 1 && level.price.0 > 0 && level.qty.0 > 0 => range.clone(),
            _ => range.start..range.start,
        };
        let (bids, asks) = (told(&ticker.bids, &out.levels), told(&ticker.asks, &out.levels));
        out.changes.push(BookChange { venue_time: time, bids, asks, ..own.change(place, ChangeKind::Top) });
        true
    }

    /// A message that may be of a channel that goes order by order; false when nothing came of it.
    ///
    /// # Errors
    /// When it is of one, and not what the venue documents.
    fn order(&mut self, text: &[u8], scale: Scale, out: &mut FeedOut) -> Result<bool, FeedError> {
        if self.product != Product::Exchange || !self.discover {
            return Ok(false);
        }
        let mut used = false;
        for outcome in self.level3.message(text, scale) {
            match outcome {
                Outcome::Nothing => {}
                Outcome::Malformed => {
                    return Err(FeedError::Malformed { at: 0, what: "an order's message" });
                }
                outcome => {
                    used = true;
                    self.outcome(outcome, out);
                }
            }
        }
        Ok(used)
    }

    fn outcome(&mut self, outcome: Outcome, out: &mut FeedOut) {
        match outcome {
            Outcome::Fetch(product) => {
                self.place(product.as_bytes(), out);
                self.fetch(product, Nanos::ZERO, out);
            }
            Outcome::Update { product, sequence, time, levels } => {
                let [bids, asks] = &levels;
                self.levels(product, ChangeKind::Update, sequence, time, [bids, asks], out);
            }
            Outcome::Lost(product, why) => {
                if let Some(place) = self.find(product.as_bytes())
                    && let Some(own) = self.books.get_mut(place)
                    && std::mem::take(&mut own.live)
                {
                    out.changes.push(own.change(place, ChangeKind::Lost(why)));
                }
                self.fetch(product, Nanos::ZERO, out);
            }
            Outcome::Nothing | Outcome::Malformed => {}
        }
    }

    fn fetch(&self, product: Symbol, after: Nanos, out: &mut FeedOut) {
        let Some(place) = self.find(product.as_bytes()) else { return };
        let target = format!("/products/{product}/book?level=3");
        out.wants.push(Want::Fetch { book: BookId(place as u16), target, after });
    }

    /// Tells of levels that are not in the buffer yet.
    fn levels(
        &mut self,
        product: Symbol,
        kind: ChangeKind,
        sequence: u64,
        time: Nanos,
        sides: [&[Level]; 2],
        out: &mut FeedOut,
    ) {
        let Some(place) = self.find(product.as_bytes()) else { return };
        let Some(own) = self.books.get_mut(place) else { return };
        (own.live, own.count, own.again) = (true, sequence, Nanos::MAX);
        let [bids, asks] = sides.map(|levels| {
            let start = out.levels.len() as u32;
            out.levels.extend_from_slice(levels);
            start..out.levels.len() as u32
        });
        out.changes.push(BookChange { venue_time: time, bids, asks, ..own.change(place, kind) });
    }

    pub(super) fn find(&self, product: &[u8]) -> Option<usize> {
        self.names.find(product).map(|book| usize::from(book.0))
    }

    /// Which book a product is. Unknown ones are opened where that is wanted, even by an update,
    /// which leaves them waiting: that they are there is worth telling.
    fn place(&mut self, product: &[u8], out: &mut FeedOut) -> Option<usize> {
        if let Some(place) = self.find(product) {
            return Some(place);
        }
        if !self.discover || self.books.len() > usize::from(u16::MAX) {
            return None;
        }
        let symbol = Symbol::from_bytes(product)?;
        let book = BookId(self.books.len() as u16);
        self.books.push(Book::new(symbol));
        self.names.insert(symbol, book);
        out.discovered.push(Discovered { book, symbol });
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
        rest.get(..rest.iter().position(|byte| *byte == b'"')?)
    });
    let scale = product.and_then(|product| state.books.get(state.find(product)?)).map(|book| book.scale);
    decoders.iter().position(|(own, _)| Some(*own) == scale).unwrap_or(0)
}
