//! Public market data of one connection: `books` for depth, `bbo-tbt` for the best bid and ask.
//!
//! The venue's rule: a subscription starts with a snapshot, and each update names the message before it
//! (`prevSeqId`), which must be the last one received; numbers have holes, and start again lower after
//! maintenance, so the link alone counts. A quiet book says so once a minute, by an update without
//! levels that names itself. Levels have absolute sizes, zero deletes. Recordings of before 2023 have
//! no numbers but a checksum, which the venue has since retired. `books5` and `bbo-tbt` are whole
//! books, one after the other; a number tells which of two is newer. The venue has announced that it
//! would no longer send the first snapshot: where none comes, one is fetched by REST (see `splice`).

mod splice;

use std::fmt::Write;

use self::splice::Splice;
use super::checksum;
use super::decode::{self, Channel, Decoder, Message};
use super::size::Sizes;
use crate::types::{BookId, BookView, Endpoint, Level, Nanos, Scale, Symbol};
use crate::venue::pulse::{Beat, PATIENCE, Pulse, Tended};
use crate::venue::{
    BookChange, BookConfig, BookNames, ChangeKind, Channels, Discovered, Feed, FeedConfig, FeedError,
    FeedInput, FeedOut, Lost, Sequence, TierUse, Verdict, Want, to_book_scale,
};
use crate::wire::Padded;

/// Quiet for this long, the venue is asked for a sign of life.
const QUIET: Nanos = Nanos::from_secs(1);
/// A book is not fetched anew sooner than this after the last time.
const RETRY: Nanos = Nanos::from_secs(1);
/// A subscription without a snapshot for this long, but with updates, gets one by REST.
const UNANNOUNCED: Nanos = Nanos::from_secs(1);
/// Subscriptions in one request, far below the venue's 64 KB.
const BATCH: usize = 100;

/// A feed of any of the venue's instruments.
pub struct OkxFeed {
    decoder: Decoder,
    state: State,
}

struct State {
    discover: bool,
    channels: Channels,
    endpoint: Endpoint,
    /// The decoder's: the finest of the books'.
    scale: Scale,
    /// What depth is subscribed to.
    depth: Channel,
    books: Vec<Book>,
    names: BookNames,
    requests: u64,
    pulse: Pulse,
}

struct Book {
    symbol: Symbol,
    scale: Scale,
    /// Unknown instruments are counted as the venue counts them.
    sizes: Sizes,
    /// The channel that its depth comes by.
    depth: Option<Channel>,
    /// Number of the last message of depth; `None` until a snapshot, and again after a gap.
    at: Option<i64>,
    /// The book came by REST: the next update need not begin right where it ends.
    joining: bool,
    splice: Splice,
    /// Messages so far, where the venue sends no numbers.
    count: u64,
    /// Number of the last best bid and ask.
    top: i64,
    tended: Tended,
}

impl OkxFeed {
    /// A feed; up to five levels come whole, more as updates. An interval of ten milliseconds is for
    /// accounts of high tiers: where the venue refuses it, the slower channel is taken.
    pub fn new(config: &FeedConfig) -> OkxFeed {
        let mut endpoint = config.stream.clone();
        if endpoint.target == "/" {
            endpoint.target = "/ws/v5/public".to_owned();
        }
        let depth = match (config.channels.levels, config.channels.interval_ms) {
            (0..=50, 1..=10) => Channel::Fast50,
            (_, 1..=10) => Channel::Fast400,
            (0..=5, _) => Channel::Books5,
            _ => Channel::Books,
        };
        let scale_of = |book: &BookConfig| book.spec.as_ref().map_or(Scale::DEFAULT, |spec| spec.scale);
        let scale = config.books.iter().map(scale_of).max().unwrap_or_default();
        let mut state = State {
            discover: config.discover,
            channels: config.channels,
            endpoint,
            scale,
            depth,
            books: Vec::new(),
            names: BookNames::new(),
            requests: 0,
            // Nothing is asked of a lively connection.
            pulse: Pulse::new(QUIET, Nanos::MAX),
        };
        for book in &config.books {
            let depth = (config.channels.depth && !config.discover).then_some(depth);
            let sizes = book.spec.as_ref().map_or(Sizes::SAME, Sizes::of);
            state.open_book(book.symbol, scale_of(book), sizes, depth);
        }
        OkxFeed { decoder: Decoder::new(scale), state }
    }
}

impl Feed for OkxFeed {
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
            FeedInput::Fetched { book: Some(book), status, body, .. } if state.pulse.is_open() => {
                state.fetched(book, status, body, now, out);
            }
            FeedInput::Fetched { .. } => out.ignored += 1,
            FeedInput::Opened => {
                state.lose_all(Lost::Closed, out);
                state.opened(now, out);
            }
            FeedInput::Closed => {
                state.lose_all(Lost::Closed, out);
                state.pulse.closed();
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

    /// Numbers of depth are those of the instrument's book, whoever listens. Whole books are of their
    /// connection: each takes the place of the one before.
    fn sequence(&self) -> Sequence {
        let state = &self.state;
        let linked = !state.discover && (!state.channels.depth || !state.depth.is_whole());
        if linked { Sequence::Shared } else { Sequence::Own }
    }

    fn verify(&mut self, change: &BookChange, book: &dyn BookView) -> Verdict {
        let Some(theirs) = change.check else { return Verdict::Absent };
        let Some(own) = self.state.books.get(usize::from(change.book.0)) else { return Verdict::Absent };
        // Checksums are of recordings, whose instruments are counted as the venue counts them.
        if own.sizes != Sizes::SAME {
            return Verdict::Absent;
        }
        let ours = checksum::checksum(book, own.scale);
        if ours == theirs { Verdict::Matches } else { Verdict::Differs { ours, theirs } }
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
    if text.message() == b"pong" {
        out.ignored += 1;
        return Ok(());
    }
    match decoder.decode(text, &mut out.levels)? {
        Message::Book(book) => state.book(&book, now, out),
        Message::Ticker(ticker) => state.ticker(&ticker, now, out),
        Message::Event(event) => {
            out.ignored += 1;
            state.event(&event, now, out);
            Ok(())
        }
        Message::Other => {
            out.ignored += 1;
            Ok(())
        }
    }
}

impl Book {
    /// Levels as they were decoded, in the scale and the units of the book.
    fn levels(&self, levels: &mut [Level], from: Scale) -> Result<(), FeedError> {
        to_book_scale(levels, from, self.scale)?;
        match self.sizes.levels_in_base(levels) {
            true => Ok(()),
            false => Err(FeedError::Malformed { at: 0, what: "sizes of whole units of quantity" }),
        }
    }
}

impl State {
    fn open_book(
        &mut self,
        symbol: Symbol,
        scale: Scale,
        sizes: Sizes,
        depth: Option<Channel>,
    ) -> Option<BookId> {
        let id = BookId(u16::try_from(self.books.len()).ok()?);
        self.books.push(Book {
            symbol,
            scale,
            sizes,
            depth,
            at: None,
            joining: false,
            splice: Splice::default(),
            count: 0,
            top: 0,
            tended: Tended::new(),
        });
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
        let book = self.open_book(symbol, self.scale, Sizes::SAME, None)?;
        out.discovered.push(Discovered { book, symbol });
        Some(usize::from(book.0))
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
        own.levels(out.levels.get_mut(start..).unwrap_or_default(), scale)?;
        let best = book.channel == Channel::Best;
        if discover && !best && own.depth.is_none_or(|depth| depth.depth() < book.channel.depth()) {
            // A recording may carry several depths: the deepest counts.
            (own.depth, own.at) = (Some(book.channel), None);
        }
        if own.depth != Some(book.channel) {
            if best && self.channels.ticker && book.seq.is_none_or(|seq| seq > own.top) {
                own.top = book.seq.unwrap_or(own.top);
                own.tended.tell(now);
                out.changes.push(BookChange {
                    bids: book.bids.clone(),
                    asks: book.asks.clone(),
                    venue_time: Nanos::from_millis(book.time_ms),
                    ..BookChange::of(place, ChangeKind::Top, number(own.top))
                });
            } else {
                out.levels.truncate(start);
                out.ignored += 1;
            }
            return Ok(());
        }
        let kind = match (book.snapshot, own.at) {
            (true, _) => ChangeKind::Snapshot { live: true },
            // What follows a gap, or precedes the snapshot, tells nothing yet.
            (false, None) => {
                if let (Some(prev), Some(seq), false) = (book.prev, book.seq, discover) {
                    let time = Nanos::from_millis(book.time_ms);
                    let side = |range: &std::ops::Range<u32>| {
                        out.levels.get(range.start as usize..range.end as usize).unwrap_or_default()
                    };
                    own.splice.hold(prev, seq, time, side(&book.bids), side(&book.asks));
                }
                out.levels.truncate(start);
                out.ignored += 1;
                return Ok(());
            }
            (false, Some(have)) if own.joining && book.seq.is_some_and(|seq| seq <= have) => {
                // In the snapshot already.
                out.levels.truncate(start);
                out.ignored += 1;
                return Ok(());
            }
            (false, Some(have)) => match book.prev {
                Some(prev) if own.joining && prev <= have => ChangeKind::Update,
                Some(prev) if prev != have => {
                    out.levels.truncate(start);
                    let lost = Lost::Gap { have: number(have), got: number(prev) };
                    self.lose(place, lost, out);
                    self.start_anew(place, now, out);
                    return Ok(());
                }
                _ if book.bids.is_empty() && book.asks.is_empty() => ChangeKind::Alive,
                _ => ChangeKind::Update,
            },
        };
        own.count += 1;
        own.joining = false;
        own.splice.clear();
        own.at = Some(book.seq.unwrap_or(0));
        if book.seq.is_some_and(|seq| seq < own.top && book.prev.is_some_and(|prev| seq < prev)) {
            // The venue counts from anew.
            own.top = 0;
        }
        own.tended.settle(now);
        out.changes.push(BookChange {
            bids: book.bids.clone(),
            asks: book.asks.clone(),
            check: checksum::sent(book.checksum),
            keep: book.channel.depth(),
            venue_time: Nanos::from_millis(book.time_ms),
            ..BookChange::of(place, kind, book.seq.map_or(own.count, number))
        });
        Ok(())
    }

    /// `tickers`, of recordings: slower than what the feed itself subscribes to, and without a number
    /// to compare it with depth by, so it counts only where there is no depth.
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
        if own.depth.is_some() || !wanted {
            out.ignored += 1;
            return Ok(());
        }
        let start = out.levels.len();
        let is_there = |level: &Level| level.price.0 > 0 && level.qty.0 > 0;
        out.levels.extend(Some(ticker.bid).filter(is_there));
        let middle = out.levels.len() as u32;
        out.levels.extend(Some(ticker.ask).filter(is_there));
        own.levels(out.levels.get_mut(start..).unwrap_or_default(), from)?;
        own.count += 1;
        own.tended.tell(now);
        out.changes.push(BookChange {
            bids: start as u32..middle,
            asks: middle..out.levels.len() as u32,
            venue_time: Nanos::from_millis(ticker.time_ms),
            ..BookChange::of(place, ChangeKind::Top, own.count)
        });
        Ok(())
    }

    fn event(&mut self, event: &decode::Event<'_>, now: Nanos, out: &mut FeedOut) {
        match event.event {
            b"notice" if self.pulse.is_open() => {
                // Sent a minute before the venue closes the connection.
                self.pulse.closed();
                self.lose_all(Lost::Ended, out);
                out.wants.push(Want::Reconnect("the venue announced an upgrade"));
            }
            b"error" if matches!(self.depth, Channel::Fast50 | Channel::Fast400) => {
                // Not for this account's tier: the slower channel is for everyone.
                self.depth = Channel::Books;
                for own in self.books.iter_mut().filter(|own| own.at.is_none() && own.depth.is_some()) {
                    own.depth = Some(Channel::Books);
                    own.tended.ask_again(now);
                }
            }
            b"error" => {
                // Which subscription was refused it need not say: those without a snapshot are told.
                for place in 0..self.books.len() {
                    if self.books[place].depth.is_some()
                        && self.books[place].at.is_none()
                        && self.pulse.is_open()
                    {
                        self.books[place].tended.ask_again(now + PATIENCE);
                        out.changes.push(BookChange::of(place, ChangeKind::Lost(Lost::Unsubscribed), 0));
                    }
                }
            }
            _ => {}
        }
    }

    fn opened(&mut self, now: Nanos, out: &mut FeedOut) {
        self.pulse.opened(now);
        let mut args = Vec::new();
        for own in &mut self.books {
            if let Some(channel) = own.depth {
                own.tended.ask(now, PATIENCE);
                args.push((channel, own.symbol));
            }
            if self.channels.ticker {
                args.push((Channel::Best, own.symbol));
            }
        }
        for batch in args.chunks(BATCH) {
            self.request("subscribe", batch, out);
        }
    }

    fn request(&mut self, op: &str, args: &[(Channel, Symbol)], out: &mut FeedOut) {
        self.requests += 1;
        let mut text = format!("{{\"id\":\"{}\",\"op\":\"{op}\",\"args\":[", self.requests);
        for (place, (channel, symbol)) in args.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let symbol = serde_json::Value::from(symbol.as_str());
            let _ = write!(text, "{comma}{{\"channel\":\"{}\",\"instId\":{symbol}}}", channel.name());
        }
        text.push_str("]}");
        out.wants.push(Want::Send(text));
    }

    fn tick(&mut self, now: Nanos, out: &mut FeedOut) {
        if !self.pulse.is_open() {
            return;
        }
        match self.pulse.beat(now) {
            Beat::Calm => {}
            Beat::Ping => out.wants.push(Want::Send("ping".to_owned())),
            Beat::Dead => {
                self.lose_all(Lost::Stale, out);
                out.wants.push(Want::Reconnect("a ping was not answered"));
                return;
            }
        }
        // The venue sends all that changes: while the connection lives, a quiet book stands as it is.
        if let Some(heard) = self.pulse.fresh(now) {
            for (place, own) in self.books.iter_mut().enumerate() {
                if let Some(at) = own.at
                    && own.tended.sign(heard)
                {
                    out.changes.push(BookChange::of(place, ChangeKind::Alive, number(at)));
                }
            }
        }
        for place in 0..self.books.len() {
            let own = &self.books[place];
            if own.tended.is_due(now) {
                self.resubscribe(place, now, out);
            } else if own.at.is_none()
                && own.splice.is_waiting()
                && !own.splice.asked
                && own.tended.waited(now) >= UNANNOUNCED
            {
                self.fetch(place, Nanos::ZERO, out);
            }
        }
    }

    /// Asks for a book by REST.
    fn fetch(&mut self, place: usize, after: Nanos, out: &mut FeedOut) {
        let Some(own) = self.books.get_mut(place) else { return };
        own.splice.asked = true;
        let target = format!("/api/v5/market/books?instId={}&sz=400", own.symbol);
        out.wants.push(Want::Fetch { book: BookId(place as u16), target, after });
    }

    /// A book came by REST, and what was held goes on from it; or it has to be asked for again.
    fn fetched(&mut self, book: BookId, status: u16, body: &[u8], now: Nanos, out: &mut FeedOut) {
        let place = usize::from(book.0);
        let Some(own) = self.books.get_mut(place) else { return };
        own.splice.asked = false;
        // A snapshot came over the stream after all, or the subscription is another by now.
        if own.at.is_some() || !own.splice.is_waiting() {
            out.ignored += 1;
            return;
        }
        let snapshot = if status == 200 { splice::read(body, own.scale, own.sizes) } else { None };
        let joined = snapshot.and_then(|snapshot| {
            let behind = own.splice.behind(snapshot.seq)?;
            Some((snapshot, behind))
        });
        let Some((snapshot, behind)) = joined else { return self.fetch(place, RETRY, out) };
        let keep = own.depth.map_or(0, Channel::depth);
        let whole = (snapshot.seq, snapshot.time, ChangeKind::Snapshot { live: true });
        let whole = (whole, [&snapshot.bids[..], &snapshot.asks]);
        let rest =
            behind.iter().map(|held| ((held.seq, held.time, ChangeKind::Update), own.splice.levels(held)));
        for ((seq, venue_time, kind), [bids, asks]) in std::iter::once(whole).chain(rest) {
            let start = out.levels.len() as u32;
            out.levels.extend_from_slice(bids);
            let middle = out.levels.len() as u32;
            out.levels.extend_from_slice(asks);
            let asks = middle..out.levels.len() as u32;
            let change = BookChange::of(place, kind, number(seq));
            out.changes.push(BookChange { bids: start..middle, asks, keep, venue_time, ..change });
        }
        own.joining = behind.is_empty();
        own.at = Some(behind.last().map_or(snapshot.seq, |held| held.seq));
        own.splice.clear();
        own.tended.settle(now);
    }

    /// Forgets a book's place, and says that it is lost if anything was said of it before.
    fn lose(&mut self, place: usize, why: Lost, out: &mut FeedOut) {
        let Some(own) = self.books.get_mut(place) else { return };
        (own.at, own.joining, own.top) = (None, false, 0);
        own.splice.clear();
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
        if !self.pulse.is_open() || self.discover || own.depth.is_none() {
            return;
        }
        if own.tended.may_retry(now) {
            self.resubscribe(place, now, out);
        }
    }

    fn resubscribe(&mut self, place: usize, now: Nanos, out: &mut FeedOut) {
        let Some(own) = self.books.get_mut(place) else { return };
        let Some(channel) = own.depth else { return };
        own.tended.ask(now, PATIENCE);
        own.at = None;
        own.splice.clear();
        let arg = [(channel, own.symbol)];
        self.request("unsubscribe", &arg, out);
        self.request("subscribe", &arg, out);
    }
}

/// A number of the venue's, as changes carry them.
fn number(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}
