//! Public market data of one connection: the combined stream with `depth` and `bookTicker` of many
//! symbols, or (spot) the same in SBE, whose answers to requests are text all the same, and the REST
//! snapshots that the books start from (see [`super::sync`] for the rule).
//!
//! The venue cuts a connection after 24 hours and says `serverShutdown` before it ends one early:
//! both ask for a successor in time. It takes five messages a second from us, so subscriptions go
//! out in large batches, some time apart.

use std::hint::black_box;

use super::decode::{Decoder, Depth, Message, Ticker, snapshot};
use super::limits;
use super::sbe;
use super::subscribe::Subscriptions;
use super::symbol::{Market, order_name};
use super::sync::{Ids, Joined, Place, Step};
use crate::types::{BookId, Endpoint, Level, Nanos, Scale, Symbol};
use crate::venue::{
    BookChange, BookNames, Budget, ChangeKind, Channels, Discovered, Encoding, Feed, FeedConfig, FeedError,
    FeedInput, FeedOut, Lost, Sequence, TierUse, Urgency, Want,
};
use crate::wire::Padded;

/// When to open the successor of a connection that lives 24 hours.
const PLANNED_LIFE: Nanos = Nanos::from_secs(23 * 3600 + 50 * 60);
/// A snapshot not answered by then is asked for again.
const FETCH_PATIENCE: Nanos = Nanos::from_secs(30);
/// First pause after a snapshot that was of no use; doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Nanos = Nanos::from_millis(250);
const MAX_PAUSE: Nanos = Nanos::from_secs(30);
/// Pause after the venue said that its limit was hit (429) or that it banned us (418).
const LIMIT_PAUSE: Nanos = Nanos::from_secs(60);

/// A feed of one market.
pub struct BinanceFeed {
    market: Market,
    discover: bool,
    channels: Channels,
    encoding: Encoding,
    stream: Endpoint,
    books: Vec<Book>,
    names: BookNames,
    /// One for each scale among the books; nearly always one.
    decoders: Vec<(Scale, Decoder)>,
    subscriptions: Subscriptions,
    opened: Option<Nanos>,
    successor_asked: bool,
    /// A captured snapshot that came before any book it could belong to.
    orphan: Option<Vec<u8>>,
    budget: Budget,
}

struct Book {
    symbol: Symbol,
    /// Index into the decoders.
    decoder: usize,
    place: Place,
    /// Update id of the last ticker; zero before the first.
    ticker: u64,
    /// Something was told of it since it was last lost.
    told: bool,
    /// When the snapshot on its way was asked for.
    asked: Option<Nanos>,
    /// Snapshots in a row that were of no use.
    failures: u32,
    /// A snapshot waits until the venue's limits have room for it.
    waiting: bool,
}

impl BinanceFeed {
    /// A feed of that market.
    pub fn new(market: Market, config: &FeedConfig) -> BinanceFeed {
        let mut stream = config.stream.clone();
        if stream.target == "/" {
            stream.target = match market {
                Market::UsdM => "/public/stream".to_owned(),
                Market::Spot | Market::CoinM => "/stream".to_owned(),
            };
        }
        let mut feed = BinanceFeed {
            market,
            discover: config.discover,
            channels: config.channels,
            encoding: config.encoding,
            stream,
            books: Vec::new(),
            names: BookNames::new(),
            decoders: Vec::new(),
            subscriptions: Subscriptions::default(),
            opened: None,
            successor_asked: false,
            orphan: None,
            budget: Budget::new(&limits::of_feed(market), 1),
        };
        for book in &config.books {
            feed.open_book(book.symbol, book.spec.as_ref().map_or(Scale::DEFAULT, |spec| spec.scale));
        }
        if feed.decoders.is_empty() {
            feed.decoders.push((Scale::DEFAULT, Decoder::new(Scale::DEFAULT)));
        }
        feed
    }

    fn open_book(&mut self, symbol: Symbol, scale: Scale) -> Option<BookId> {
        let id = BookId(u16::try_from(self.books.len()).ok()?);
        let decoder = match self.decoders.iter().position(|(s, _)| *s == scale) {
            Some(at) => at,
            None => {
                self.decoders.push((scale, Decoder::new(scale)));
                self.decoders.len() - 1
            }
        };
        self.books.push(Book {
            symbol,
            decoder,
            place: Place::new(self.market != Market::Spot),
            ticker: 0,
            told: false,
            asked: None,
            failures: 0,
            waiting: false,
        });
        self.names.insert(symbol, id);
        Some(id)
    }

    /// The book of a symbol, opened now when the feed discovers.
    fn find_or_open(&mut self, symbol: &[u8], out: &mut FeedOut) -> Option<BookId> {
        if let Some(book) = self.names.find(symbol) {
            return Some(book);
        }
        self.open_unknown(Symbol::from_bytes(symbol), out)
    }

    /// Opens a book that a message named and that is not known, when the feed discovers.
    #[cold]
    fn open_unknown(&mut self, symbol: Option<Symbol>, out: &mut FeedOut) -> Option<BookId> {
        let symbol = symbol.filter(|_| self.discover)?;
        let book = self.open_book(symbol, Scale::DEFAULT)?;
        out.discovered.push(Discovered { book, symbol });
        Some(book)
    }

    fn message(&mut self, text: Padded<'_>, now: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        let decoder = self.decoder_of(text.message());
        let (_, decoder) = self.decoders.get_mut(decoder).expect("decoders are made with their books");
        let mut opened = None;
        match decoder.decode(text, &mut out.levels)? {
            Message::Depth(Depth { symbol, first, last, prev, event_ms, bids, asks, .. }) => {
                let ids = Ids { first, last, prev };
                if let Some(book) = self.names.find(symbol) {
                    self.depth(book, ids, venue_time(event_ms), bids, asks, now, out);
                    return Ok(());
                }
                let symbol = Symbol::from_bytes(symbol);
                opened = self.open_unknown(symbol, out);
                match opened {
                    Some(book) => self.depth(book, ids, venue_time(event_ms), bids, asks, now, out),
                    None => out.ignored += 1,
                }
            }
            Message::Ticker(Ticker { symbol, update_id, bid, ask, event_ms }) => {
                if let Some(book) = self.names.find(symbol) {
                    self.ticker(book, update_id, bid, ask, venue_time(event_ms), out);
                    return Ok(());
                }
                let symbol = Symbol::from_bytes(symbol);
                opened = self.open_unknown(symbol, out);
                match opened {
                    Some(book) => self.ticker(book, update_id, bid, ask, venue_time(event_ms), out),
                    None => out.ignored += 1,
                }
            }
            Message::Shutdown => self.ask_successor("the server announced its shutdown", out),
            Message::Reply { id, error } => {
                for book in self.subscriptions.answered(id, error) {
                    self.lose(book, Lost::Unsubscribed, out);
                }
                if error {
                    self.ask_successor("a subscription was refused", out);
                }
            }
            Message::Other => out.ignored += 1,
        }
        if opened.is_some()
            && let Some(body) = self.orphan.take()
        {
            return self.fetched(opened, "", 200, &body, now, out);
        }
        Ok(())
    }

    /// A message in SBE: the same books by the same rules. Such a feed opens no books by itself, since
    /// no recording has these messages.
    fn binary(&mut self, bytes: &[u8], now: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        let frame = sbe::frame(bytes)?;
        let Some((id, book)) =
            self.names.find(frame.symbol).and_then(|id| Some((id, self.books.get(usize::from(id.0))?)))
        else {
            out.ignored += 1;
            return Ok(());
        };
        let scale = self.decoders.get(book.decoder).map_or(Scale::DEFAULT, |(scale, _)| *scale);
        match frame.message(scale, &mut out.levels)? {
            Message::Depth(Depth { first, last, prev, event_ms, bids, asks, .. }) => {
                self.depth(id, Ids { first, last, prev }, venue_time(event_ms), bids, asks, now, out);
            }
            Message::Ticker(Ticker { update_id, bid, ask, event_ms, .. }) => {
                self.ticker(id, update_id, bid, ask, venue_time(event_ms), out);
            }
            _ => out.ignored += 1,
        }
        Ok(())
    }

    /// Which decoder reads a message.
    #[inline]
    fn decoder_of(&self, text: &[u8]) -> usize {
        match self.decoders.len() {
            1 => 0,
            _ => self.decoder_for(text),
        }
    }

    /// Books of different scales share the connection: the symbol says which decoder to use.
    fn decoder_for(&self, text: &[u8]) -> usize {
        let key = b"\"s\":\"";
        let symbol = text.windows(key.len()).position(|window| window == key).and_then(|at| {
            let rest = &text[at + key.len()..];
            rest.get(..rest.iter().position(|byte| *byte == b'"')?)
        });
        let book = symbol.and_then(|symbol| self.names.find(symbol));
        book.and_then(|book| self.books.get(usize::from(book.0))).map_or(0, |book| book.decoder)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one update")]
    fn depth(
        &mut self,
        id: BookId,
        ids: Ids,
        time: Nanos,
        bids: std::ops::Range<u32>,
        asks: std::ops::Range<u32>,
        now: Nanos,
        out: &mut FeedOut,
    ) {
        let Some(book) = self.books.get_mut(usize::from(id.0)) else { return };
        let step = book.place.step(ids);
        match step {
            Step::Apply => {
                book.told = true;
                let kind = ChangeKind::Update;
                out.changes.push(change(id, kind, ids.last, time, bids, asks));
                return;
            }
            Step::Old => {}
            Step::Hold | Step::Gap { .. } => {
                let levels = |range: &std::ops::Range<u32>| {
                    out.levels.get(range.start as usize..range.end as usize).unwrap_or_default()
                };
                book.place.hold(ids, time, levels(&bids), levels(&asks));
            }
        }
        out.levels.truncate(bids.start.min(asks.start) as usize);
        if let Step::Gap { have, got } = step {
            self.say_lost(id, Lost::Gap { have, got }, out);
            self.fetch(id, Nanos::ZERO, now, out);
        } else if step == Step::Hold {
            self.fetch(id, Nanos::ZERO, now, out);
        }
    }

    fn ticker(&mut self, id: BookId, seq: u64, bid: Level, ask: Level, time: Nanos, out: &mut FeedOut) {
        let Some(book) = self.books.get_mut(usize::from(id.0)) else { return };
        if seq <= book.ticker {
            return;
        }
        book.ticker = seq;
        book.told = true;
        let start = out.levels.len() as u32;
        // A side without orders has price and quantity zero.
        out.levels.extend((bid.qty.0 > 0).then_some(bid));
        let middle = out.levels.len() as u32;
        out.levels.extend((ask.qty.0 > 0).then_some(ask));
        let end = out.levels.len() as u32;
        out.changes.push(change(id, ChangeKind::Top, seq, time, start..middle, middle..end));
    }

    /// Asks for a snapshot unless one is on its way.
    fn fetch(&mut self, id: BookId, after: Nanos, now: Nanos, out: &mut FeedOut) {
        let Some(book) = self.books.get_mut(usize::from(id.0)) else { return };
        if book.asked.is_some() {
            return;
        }
        let (path, limit) = match self.market {
            Market::Spot => ("/api/v3/depth", self.channels.levels.clamp(1, 5_000)),
            Market::UsdM => ("/fapi/v1/depth", futures_limit(self.channels.levels)),
            Market::CoinM => ("/dapi/v1/depth", futures_limit(self.channels.levels)),
        };
        let costs = limits::snapshot(self.market, limit);
        book.waiting = self.budget.spend(&costs, Urgency::Question, 0, now).is_err();
        if book.waiting {
            return;
        }
        book.asked = Some(now + after);
        let symbol = super::sign::percent_encode(book.symbol.as_str());
        let target = format!("{path}?symbol={symbol}&limit={limit}");
        out.wants.push(Want::Fetch { book: id, target, after });
    }

    /// The snapshot was of no use: asks again, each time a little later.
    fn fetch_again(&mut self, id: BookId, least: Nanos, now: Nanos, out: &mut FeedOut) {
        let Some(book) = self.books.get_mut(usize::from(id.0)) else { return };
        book.asked = None;
        let pause = Nanos(FIRST_PAUSE.0 << book.failures.min(7)).min(MAX_PAUSE).max(least);
        book.failures += 1;
        self.fetch(id, pause, now, out);
    }

    fn fetched(
        &mut self,
        book: Option<BookId>,
        url: &str,
        status: u16,
        body: &[u8],
        now: Nanos,
        out: &mut FeedOut,
    ) -> Result<(), FeedError> {
        if book.is_none() && !(url.is_empty() || url.contains("/depth")) {
            out.ignored += 1;
            return Ok(());
        }
        let from_url = || {
            let symbol = url.split(['?', '&']).find_map(|part| part.strip_prefix("symbol="))?;
            Some(order_name(&super::sign::percent_decode(symbol)?))
        };
        let book = match (book, from_url()) {
            (Some(book), _) => Some(book),
            (None, Some(symbol)) => self.find_or_open(symbol.as_bytes(), out),
            (None, None) => None,
        };
        if status != 200 {
            if let Some(id) = book {
                let least = if matches!(status, 418 | 429) { LIMIT_PAUSE } else { Nanos::ZERO };
                let stop = limits::feed_stop(status, body, now);
                let least = stop.map_or(least, |until| least.max(until - now));
                self.fetch_again(id, least, now, out);
                // The other books' snapshots wait as long.
                if let Some(until) = stop {
                    self.budget.pause(until);
                }
            }
            return Ok(());
        }
        let start = out.levels.len();
        // Without a symbol the ids tell which book it is for, and with them the scale.
        let scale = book
            .and_then(|id| self.books.get(usize::from(id.0)))
            .and_then(|book| self.decoders.get(book.decoder))
            .map_or(Scale::DEFAULT, |(scale, _)| *scale);
        let snapshot = match snapshot(body, scale, &mut out.levels) {
            Ok(snapshot) => snapshot,
            Err(_) if book.is_some() && !self.discover => {
                self.fetch_again(book.unwrap_or_default(), Nanos::ZERO, now, out);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let last = snapshot.last_update_id;
        let Some(id) = book.or_else(|| self.fitting(last)) else {
            out.levels.truncate(start);
            self.orphan = Some(body.to_owned());
            return Ok(());
        };
        let Some(book) = self.books.get_mut(usize::from(id.0)) else { return Ok(()) };
        match book.place.snapshot(last) {
            Joined::NotNeeded => {
                book.asked = None;
                out.levels.truncate(start);
            }
            Joined::TooOld => {
                out.levels.truncate(start);
                self.fetch_again(id, Nanos::ZERO, now, out);
            }
            Joined::Taken => {
                book.asked = None;
                book.failures = 0;
                book.told = true;
                let kind = ChangeKind::Snapshot { live: false };
                let time = venue_time(snapshot.event_ms);
                out.changes.push(change(id, kind, last, time, snapshot.bids, snapshot.asks));
                for held in book.place.held() {
                    let mut copy = |levels: &[Level]| {
                        let start = out.levels.len() as u32;
                        out.levels.extend_from_slice(levels);
                        start..out.levels.len() as u32
                    };
                    let bids = copy(book.place.held_levels(&held.bids));
                    let asks = copy(book.place.held_levels(&held.asks));
                    out.changes.push(change(id, ChangeKind::Update, held.ids.last, held.time, bids, asks));
                }
                book.place.release();
            }
        }
        Ok(())
    }

    /// The book that a captured snapshot without a name belongs to: the only one, or the one
    /// whose held updates are nearest to its id.
    fn fitting(&self, last: u64) -> Option<BookId> {
        let waiting = self.books.iter().enumerate().filter_map(|(at, book)| {
            let distance = book.place.distance(last).unwrap_or(u64::MAX);
            book.place.is_waiting().then_some((distance, BookId(at as u16)))
        });
        waiting.min().map(|(_, id)| id).or(if self.books.len() == 1 { Some(BookId(0)) } else { None })
    }

    /// Says that a book is lost, if anything was said of it before.
    fn say_lost(&mut self, id: BookId, why: Lost, out: &mut FeedOut) {
        let Some(book) = self.books.get_mut(usize::from(id.0)) else { return };
        if std::mem::take(&mut book.told) {
            let end = out.levels.len() as u32;
            let kind = ChangeKind::Lost(why);
            out.changes.push(change(id, kind, 0, Nanos::ZERO, end..end, end..end));
        }
    }

    /// Forgets a book's place and says that it is lost.
    fn lose(&mut self, id: BookId, why: Lost, out: &mut FeedOut) {
        if let Some(book) = self.books.get_mut(usize::from(id.0)) {
            book.place.reset();
            book.ticker = 0;
            self.say_lost(id, why, out);
        }
    }

    fn lose_all(&mut self, why: Lost, out: &mut FeedOut) {
        for at in 0..self.books.len() {
            self.lose(BookId(at as u16), why, out);
        }
    }

    fn ask_successor(&mut self, why: &'static str, out: &mut FeedOut) {
        if !std::mem::replace(&mut self.successor_asked, true) {
            out.wants.push(Want::Reconnect(why));
        }
    }

    fn tick(&mut self, now: Nanos, out: &mut FeedOut) {
        if let Some(text) = self.subscriptions.next(now) {
            out.wants.push(Want::Send(text));
        }
        if self.subscriptions.overdue(now) {
            self.ask_successor("a subscription was not answered", out);
        }
        if self.opened.is_some_and(|opened| now - opened >= PLANNED_LIFE) {
            self.ask_successor("the connection nears its 24 hours", out);
        }
        for at in 0..self.books.len() {
            let book = &mut self.books[at];
            if book.waiting && book.place.is_waiting() {
                self.fetch(BookId(at as u16), Nanos::ZERO, now, out);
            } else if book.asked.is_some_and(|asked| now - asked >= FETCH_PATIENCE) {
                book.asked = None;
                if book.place.is_waiting() {
                    self.fetch_again(BookId(at as u16), Nanos::ZERO, now, out);
                }
            }
        }
    }
}

impl Feed for BinanceFeed {
    fn endpoint(&self) -> Endpoint {
        self.stream.clone()
    }

    fn headers(&self, key: &str) -> Vec<(String, String)> {
        match self.encoding {
            Encoding::Json => Vec::new(),
            Encoding::Sbe => vec![("X-MBX-APIKEY".to_owned(), key.to_owned())],
        }
    }

    fn on(&mut self, input: FeedInput<'_>, now: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        match input {
            FeedInput::Text(text) => {
                return self.message(text, now, out).inspect_err(|_| self.lose_all(Lost::Malformed, out));
            }
            FeedInput::Binary(bytes) if self.encoding == Encoding::Sbe => {
                return self
                    .binary(bytes.message(), now, out)
                    .inspect_err(|_| self.lose_all(Lost::Malformed, out));
            }
            FeedInput::Binary(_) => {
                self.lose_all(Lost::Malformed, out);
                return Err(FeedError::Malformed { at: 0, what: "expected a text message" });
            }
            FeedInput::Fetched { book, url, status, body } => {
                return self.fetched(book, url, status, body, now, out);
            }
            FeedInput::Opened => {
                self.lose_all(Lost::Closed, out);
                self.opened = Some(now);
                self.successor_asked = false;
                let books = self.books.iter().map(|book| book.symbol.as_str());
                self.subscriptions = Subscriptions::new(self.market, self.channels, self.encoding, books);
                self.tick(now, out);
            }
            FeedInput::Closed => {
                self.lose_all(Lost::Closed, out);
                self.opened = None;
                self.subscriptions = Subscriptions::default();
            }
            FeedInput::Tick => self.tick(now, out),
        }
        Ok(())
    }

    fn rehearse(&mut self, message: FeedInput<'_>, levels: &mut Vec<Level>) {
        match message {
            FeedInput::Text(text) => {
                let at = self.decoder_of(text.message());
                if let Some((_, decoder)) = self.decoders.get_mut(at) {
                    decoder.rehearse(text, levels);
                }
            }
            FeedInput::Binary(bytes) => {
                let start = levels.len();
                // Decoders have the same scale for all books but where they have several.
                let scale = self.decoders.first().map_or(Scale::DEFAULT, |(scale, _)| *scale);
                black_box(
                    sbe::frame(bytes.message()).is_ok_and(|frame| frame.message(scale, levels).is_ok()),
                );
                levels.truncate(start);
            }
            _ => {}
        }
    }

    /// Update ids number the changes of a symbol's book, whoever listens.
    fn sequence(&self) -> Sequence {
        Sequence::Shared
    }

    fn distrust(&mut self, book: BookId, why: Lost, now: Nanos, out: &mut FeedOut) {
        if let Some(found) = self.books.get_mut(usize::from(book.0)) {
            found.asked = None;
            found.told = true;
            self.lose(book, why, out);
            self.fetch(book, FIRST_PAUSE, now, out);
        }
    }

    fn tiers(&self) -> TierUse {
        self.decoders.iter().map(|(_, decoder)| decoder.tiers()).sum()
    }
}

fn change(
    book: BookId,
    kind: ChangeKind,
    seq: u64,
    venue_time: Nanos,
    bids: std::ops::Range<u32>,
    asks: std::ops::Range<u32>,
) -> BookChange {
    BookChange { book, kind, seq, venue_time, check: None, keep: 0, bids, asks }
}

/// The futures markets answer only these depths.
fn futures_limit(levels: u32) -> u32 {
    [5, 10, 20, 50, 100, 500].into_iter().find(|limit| *limit >= levels.max(1)).unwrap_or(1_000)
}

/// Times are in ms, or in µs where the stream was asked for them: the magnitude tells.
fn venue_time(time: i64) -> Nanos {
    const MICROSECONDS_FROM: i64 = 100_000_000_000_000;
    if time >= MICROSECONDS_FROM { Nanos::from_micros(time) } else { Nanos::from_millis(time) }
}
