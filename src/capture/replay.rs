//! Books rebuilt from captures, by the same feeds and ladders that run live.
//!
//! A feed is made for each venue and connection as soon as a record tells which venue it is, and
//! lives on through the files that follow. Time is the record's. A feed's wishes (subscribe, fetch,
//! reconnect) cannot be granted here; what the recorder got instead is in the capture.

use super::Capture;
use super::decoded::DecodedFeed;
use super::record::{CaptureError, Record, RecordKind, View};
use super::report::{
    self, BookReport, Checksums, FileReport, Outcome, Sides, State, TickerReport, level_text,
};
use super::store::{StoreMeta, VenueMeta};
use super::ticker::{Best, TickerCheck};
use crate::book::{Book, BookConfig, Loss, Stamp, Touched, Trust};
use crate::types::{BookId, Endpoint, Fixed, InstrumentSpec, Level, Nanos, Scale, Side, Symbol};
use crate::venue::{
    self, BookChange, BookConfig as FeedBook, ChangeKind, Channels, Clue, Encoding, Feed, FeedConfig,
    FeedInput, FeedOut, Lost, Venue, Verdict,
};
use crate::wire::PaddedBuf;

/// Why a replay cannot be done at all, as opposed to what it finds.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read, or is no capture.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: CaptureError,
    },
    /// The file is of a venue that has no feed yet.
    #[error("{path}: captured from {venue}, which is not supported; supported: {supported}")]
    Unsupported {
        /// Which.
        path: String,
        /// Whose.
        venue: String,
        /// The venues that are.
        supported: String,
    },
    /// Nothing in the file tells a venue.
    #[error("{path}: none of its messages tells which venue it was captured from")]
    Unrecognised {
        /// Which.
        path: String,
    },
}

/// How far a replay is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Messages of this file.
    pub messages: u64,
    /// Bytes of this file that were used.
    pub bytes: u64,
}

/// Looks on as books are rebuilt.
pub trait Observer {
    /// A message of a market, before its feed takes it.
    fn message(&mut self, venue: &'static Venue, view: &View<'_>) {
        let _ = (venue, view);
    }

    /// A change that was applied.
    fn changed(&mut self, seen: &Seen<'_>) {
        let _ = seen;
    }

    /// A book that lost its place.
    fn lost(&mut self, venue: &'static str, symbol: Symbol, now: Nanos) {
        let _ = (venue, symbol, now);
    }
}

impl Observer for () {}

/// A change of a book, and the book after it.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Whose.
    pub venue: &'static str,
    /// The venue's symbol.
    pub symbol: Symbol,
    /// Of the levels.
    pub scale: Scale,
    /// Snapshot, update, or a ticker's best levels, which leave the book as it is.
    pub kind: ChangeKind,
    /// Levels that were set.
    pub bids: &'a [Level],
    /// Levels that were set.
    pub asks: &'a [Level],
    /// Levels a side that the book was cut to; 0 = none were cut.
    pub keep: usize,
    /// Sequence and times.
    pub stamp: Stamp,
    /// The message at hand made it. What a snapshot brings along has waited for it since its own message.
    pub fresh: bool,
    /// The book.
    pub book: &'a Book,
}

/// Books being rebuilt, and somebody who looks on.
pub struct Replay<O = ()> {
    venues: &'static [Venue],
    until: Option<Nanos>,
    conns: Vec<Conn>,
    specs: Vec<(&'static str, InstrumentSpec)>,
    /// The books of a recorded engine, with the scales that its feeds had.
    configured: Vec<(&'static str, InstrumentSpec)>,
    /// How venues of the container at hand write market data, where not as text.
    binary: Vec<&'static str>,
    /// Instruments of the container at hand that are known already.
    told: usize,
    /// By file and its connections: whose they are, where that came out.
    claims: Vec<Vec<Option<&'static str>>>,
    files: Vec<FileReport>,
    out: FeedOut,
    buffer: PaddedBuf,
    now: Nanos,
    observer: O,
}

/// One connection of one venue.
struct Conn {
    venue: &'static Venue,
    name: String,
    feed: Box<dyn Feed>,
    open: bool,
    encoding: Encoding,
    /// Least time from the venue's stamp to ours, which clocks that differ may make negative.
    delay_min: Option<Nanos>,
    books: Vec<BookState>,
}

struct BookState {
    /// Of the markets at the connection's address, the symbol's.
    venue: &'static str,
    symbol: Symbol,
    scale: Scale,
    /// A message was about it: metadata alone makes no book.
    seen: bool,
    book: Book,
    crossed: u64,
    tickers: TickerCheck,
}

/// A connection of the file at hand: known, or waiting for a record that tells its venue.
enum Seat {
    Known(usize),
    Waiting(Vec<Record>),
}

/// The venue of a record: as the container says, or by its look.
fn claimed<'a>(view: &View<'a>) -> Option<&'a str> {
    if !view.venue.is_empty() {
        return Some(view.venue);
    }
    let told = matches!(view.kind, RecordKind::Text | RecordKind::HttpAnswer);
    let message = if told { view.message.message() } else { b"" };
    venue::recognise(&Clue { url: view.url, message })
}

/// A feed of a venue that finds its books by itself; those of a recorded engine are known beforehand.
fn make_feed(
    venue: &Venue,
    encoding: Encoding,
    specs: &[(&'static str, InstrumentSpec)],
) -> Option<(Box<dyn Feed>, Vec<BookState>)> {
    let specs = specs.iter().filter(|(id, _)| *id == venue.id);
    let config = FeedConfig {
        books: specs.map(|(_, spec)| FeedBook { symbol: spec.symbol, spec: Some(spec.clone()) }).collect(),
        discover: true,
        channels: Channels { depth: true, levels: 1_000, interval_ms: 0, ticker: true },
        encoding,
        stream: Endpoint::parse(venue.endpoints.0).ok()?,
        rest: Endpoint::parse(venue.endpoints.1).ok()?,
    };
    let scale = |book: &FeedBook| book.spec.as_ref().map_or(Scale::DEFAULT, |spec| spec.scale);
    let books = config.books.iter().map(|book| BookState::new(venue.id, book.symbol, scale(book))).collect();
    Some(((venue.feed)(&config), books))
}

/// Records kept back until the venue is known, at most.
const MOST_WAITING: usize = 10_000;
/// Errors told in full, of each file.
const MOST_ERRORS: usize = 10;
/// Records between two calls of the progress function.
const PROGRESS_EVERY: u64 = 4_096;

impl Replay {
    /// A replay over these venues, up to and including a time.
    pub fn new(venues: &'static [Venue], until: Option<Nanos>) -> Replay {
        Replay::observed(venues, until, ())
    }
}

impl<O: Observer> Replay<O> {
    /// A replay that somebody looks on.
    pub fn observed(venues: &'static [Venue], until: Option<Nanos>, observer: O) -> Replay<O> {
        Replay {
            venues,
            until,
            conns: Vec::new(),
            specs: Vec::new(),
            configured: Vec::new(),
            binary: Vec::new(),
            told: 0,
            claims: Vec::new(),
            files: Vec::new(),
            out: FeedOut::default(),
            buffer: PaddedBuf::default(),
            now: Nanos::ZERO,
            observer,
        }
    }

    /// Who looks on.
    pub fn observer(&mut self) -> &mut O {
        &mut self.observer
    }

    /// Who looked on.
    pub fn into_observer(self) -> O {
        self.observer
    }

    /// Plays one file into the books. What is wrong with single messages is counted and reported;
    /// it stops nothing.
    ///
    /// # Errors
    /// [`ReplayError`] when the venue is unknown or not supported.
    pub fn file(
        &mut self,
        path: &str,
        capture: &mut Capture<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), ReplayError> {
        let file = FileReport { path: path.to_owned(), format: capture.format(), ..FileReport::default() };
        self.files.push(file);
        self.told = 0;
        self.binary.clear();
        let mut seats: Vec<Seat> = Vec::new();
        // HTTP answers that came before a connection of their venue did.
        let mut early: Vec<(&'static str, Record)> = Vec::new();
        let mut count = 0;
        loop {
            match capture.advance() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.malformed(error.to_string());
                    continue;
                }
            }
            let view = capture.view();
            if let (Some(ts), Some(until)) = (view.ts, self.until)
                && ts > until
            {
                // Records of one file are in the order of time.
                break;
            }
            count += 1;
            if count % PROGRESS_EVERY == 0 {
                let messages = self.files.last().map_or(0, |file| file.messages);
                progress(Progress { messages, bytes: capture.position() });
            }
            if let Some(Seat::Known(conn)) = seats.get(view.conn) {
                self.play(*conn, &view);
                continue;
            }
            self.learn(capture.meta());
            if view.kind == RecordKind::HttpAnswer && !view.url.is_empty() {
                self.answer(path, &seats, &view, &mut early)?;
                continue;
            }
            while seats.len() <= view.conn {
                seats.push(Seat::Waiting(Vec::new()));
            }
            self.seated(path, &mut seats, &view, &mut early)?;
        }
        self.learn(capture.meta());
        if let (Some(meta), Some(file)) = (capture.meta(), self.files.last_mut()) {
            file.dropped = meta.dropped;
        }
        let claim = |seat: &Seat| match seat {
            Seat::Known(conn) => self.conns.get(*conn).map(|conn| conn.venue.id),
            Seat::Waiting(_) => None,
        };
        self.claims.push(seats.iter().map(claim).collect());
        self.leftovers(path, seats)
    }

    /// Whose the connections of each file are, by [`Capture::connections`]; `None` where nothing told.
    pub fn claims(&self) -> &[Vec<Option<&'static str>>] {
        &self.claims
    }

    /// What is known of the venues and of the instruments that messages were about. `source` is that of
    /// recordings, where there was nothing else: their feeds' scales are then known.
    pub fn found(&self) -> StoreMeta {
        let recordings = !self.configured.is_empty() && self.files.iter().all(|file| file.format == "mcap");
        let source = if recordings { "record" } else { "" };
        let mut meta = StoreMeta { source: source.to_owned(), ..StoreMeta::default() };
        for conn in &self.conns {
            let known = meta.venues.iter_mut().find(|(venue, _)| venue == conn.venue.id);
            let offset = conn.delay_min.map(|delay| Nanos(-delay.0));
            match known {
                // The fastest message says most.
                Some((_, known)) => known.clock_offset = known.clock_offset.max(offset),
                None => {
                    let encoding = conn.encoding;
                    let venue = VenueMeta { taker: None, clock_offset: offset, encoding };
                    meta.venues.push((conn.venue.id.to_owned(), venue));
                }
            }
            for book in conn.books.iter().filter(|book| book.seen) {
                let spec =
                    self.specs.iter().find(|(id, spec)| *id == book.venue && spec.symbol == book.symbol);
                let told = |spec: &InstrumentSpec| {
                    meta.instruments
                        .iter()
                        .any(|(venue, known)| venue == book.venue && known.symbol == spec.symbol)
                };
                if let Some((venue, spec)) = spec.filter(|(_, spec)| !told(spec)) {
                    meta.instruments.push(((*venue).to_owned(), spec.clone()));
                }
            }
        }
        meta
    }

    /// Takes in what a container says of instruments.
    fn learn(&mut self, meta: Option<&StoreMeta>) {
        let instruments = meta.map_or(&[][..], |meta| &meta.instruments);
        for (name, spec) in instruments.iter().skip(self.told) {
            if let Some(venue) = self.venues.iter().find(|venue| venue.id == name) {
                self.specs.push((venue::of_symbol(venue.id, spec.symbol.as_str()), spec.clone()));
                if meta.is_some_and(|meta| meta.source != "import") {
                    self.configured.push((venue.id, spec.clone()));
                }
            }
        }
        self.told = instruments.len().max(self.told);
        for (name, _) in
            meta.iter().flat_map(|meta| &meta.venues).filter(|(_, venue)| venue.encoding == Encoding::Sbe)
        {
            let venue = self.venues.iter().find(|venue| venue.id == name).map(|venue| venue.id);
            self.binary.extend(venue.filter(|id| !self.binary.contains(id)));
        }
    }

    /// Plays a record of a connection that nobody knows yet, or keeps it until the venue is known.
    fn seated(
        &mut self,
        path: &str,
        seats: &mut [Seat],
        view: &View<'_>,
        early: &mut Vec<(&'static str, Record)>,
    ) -> Result<(), ReplayError> {
        let Some(Seat::Waiting(waiting)) = seats.get_mut(view.conn) else { return Ok(()) };
        waiting.push(view.to_record());
        let Some(id) = claimed(view) else {
            if waiting.len() >= MOST_WAITING {
                return Err(ReplayError::Unrecognised { path: path.to_owned() });
            }
            return Ok(());
        };
        let kept = std::mem::take(waiting);
        let conn = self.conn(path, id, view)?;
        seats[view.conn] = Seat::Known(conn);
        for record in &kept {
            self.play_kept(conn, record);
        }
        let ours = early.extract_if(.., |(venue, _)| *venue == id).map(|(_, record)| record);
        for record in ours.collect::<Vec<_>>() {
            self.play_kept(conn, &record);
        }
        Ok(())
    }

    /// What was left of connections that nothing told the venue of.
    fn leftovers(&mut self, path: &str, seats: Vec<Seat>) -> Result<(), ReplayError> {
        let told = seats.iter().any(|seat| matches!(seat, Seat::Known(_)));
        let mut texts = 0;
        for seat in seats {
            if let Seat::Waiting(records) = seat {
                texts += records.iter().filter(|record| record.kind == RecordKind::Text).count() as u64;
            }
        }
        if texts > 0 && !told {
            return Err(ReplayError::Unrecognised { path: path.to_owned() });
        }
        if let Some(file) = self.files.last_mut() {
            file.messages += texts;
            file.ignored += texts;
        }
        Ok(())
    }

    /// The venue's connection of the name in `view`, made now if it is the first time.
    fn conn(&mut self, path: &str, id: &str, view: &View<'_>) -> Result<usize, ReplayError> {
        let known = |conn: &Conn| conn.venue.id == id && conn.name == view.connection;
        if let Some(at) = self.conns.iter().position(known) {
            return Ok(at);
        }
        let venue = self.venues.iter().find(|venue| venue.id == id);
        let encoding = if self.binary.contains(&id) { Encoding::Sbe } else { Encoding::Json };
        let feed = venue.and_then(|venue| match view.kind {
            RecordKind::Decoded => Some((Box::<DecodedFeed>::default() as Box<dyn Feed>, Vec::new())),
            _ => make_feed(venue, encoding, &self.configured),
        });
        let Some((venue, (feed, books))) = venue.zip(feed) else {
            let names: Vec<_> = self.venues.iter().map(|venue| venue.id).collect();
            let (path, venue) = (path.to_owned(), id.to_owned());
            return Err(ReplayError::Unsupported { path, venue, supported: names.join(", ") });
        };
        let name = view.connection.to_owned();
        self.conns.push(Conn { venue, name, feed, encoding, open: false, delay_min: None, books });
        Ok(self.conns.len() - 1)
    }

    /// An HTTP answer with its URL: metadata, or a snapshot for one of the venue's connections.
    fn answer(
        &mut self,
        path: &str,
        seats: &[Seat],
        view: &View<'_>,
        early: &mut Vec<(&'static str, Record)>,
    ) -> Result<(), ReplayError> {
        let Some(id) = claimed(view) else { return Ok(()) };
        let Some(venue) = self.venues.iter().find(|venue| venue.id == id) else {
            self.conn(path, id, view)?; // refuses it
            return Ok(());
        };
        if let Some(specs) = (venue.instruments)(view.message.message()) {
            self.specs.extend(
                specs.into_iter().map(|spec| (venue::of_symbol(venue.id, spec.symbol.as_str()), spec)),
            );
            return Ok(());
        }
        let here: Vec<usize> = seats
            .iter()
            .filter_map(|seat| match seat {
                Seat::Known(conn) => Some(*conn),
                Seat::Waiting(_) => None,
            })
            .filter(|&conn| self.conns.get(conn).is_some_and(|conn| conn.venue.id == id))
            .collect();
        // Several connections of one venue: the one that carries the symbol of the URL.
        let asked = |conn: &&usize| {
            let books = self.conns.get(**conn).map_or(&[][..], |conn| &conn.books);
            books.iter().any(|book| view.url.contains(book.symbol.as_str()))
        };
        match here.iter().find(asked).or(here.first()) {
            Some(&conn) => self.play_apart(conn, view),
            None => early.push((venue.id, view.to_record())),
        }
        Ok(())
    }

    fn malformed(&mut self, error: String) {
        if let Some(file) = self.files.last_mut() {
            file.malformed += 1;
            if file.errors.len() < MOST_ERRORS {
                file.errors.push(error);
            }
        }
    }

    /// Plays a record that was kept.
    fn play_kept(&mut self, at: usize, record: &Record) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.play_apart(at, &record.view("", "", buffer.fill(&record.bytes)));
        self.buffer = buffer;
    }

    /// Plays a record apart from the many that come one after another.
    #[cold]
    fn play_apart(&mut self, at: usize, view: &View<'_>) {
        self.play(at, view);
    }

    /// Hands one record to its connection's feed, and applies what comes out.
    #[inline(always)]
    fn play(&mut self, at: usize, view: &View<'_>) {
        self.now = view.ts.unwrap_or(self.now);
        let now = self.now;
        if view.kind == RecordKind::Connect {
            self.closed(at, now, view.line);
        }
        let Some(conn) = self.conns.get_mut(at) else { return };
        if view.kind != RecordKind::Closed && !conn.open {
            conn.open = true;
            self.event(at, FeedInput::Opened, now, view.line);
        }
        match view.kind {
            RecordKind::Connect | RecordKind::Sent | RecordKind::Private => {}
            RecordKind::Closed => self.closed(at, now, view.line),
            RecordKind::Tick => self.event(at, FeedInput::Tick, now, view.line),
            RecordKind::Text | RecordKind::Binary | RecordKind::Decoded => {
                let (text, message) = (view.kind == RecordKind::Text, view.message);
                let input = if text { FeedInput::Text(message) } else { FeedInput::Binary(message) };
                self.message(at, input, now, view);
            }
            RecordKind::HttpAnswer => {
                let (url, status, body) = (view.url, view.status, view.message.message());
                let input = FeedInput::Fetched { book: None, url, status, body };
                self.event(at, input, now, view.line);
            }
        }
    }

    #[inline(always)]
    fn message(&mut self, at: usize, input: FeedInput<'_>, now: Nanos, view: &View<'_>) {
        if let (Some(file), Some(conn)) = (self.files.last_mut(), self.conns.get(at)) {
            file.messages += 1;
            self.observer.message(conn.venue, view);
        }
        self.input(at, input, now, view.line);
    }

    /// The connection is gone, if it was there.
    fn closed(&mut self, at: usize, now: Nanos, line: u64) {
        let open = self.conns.get_mut(at).map(|conn| std::mem::take(&mut conn.open));
        if open == Some(true) {
            self.event(at, FeedInput::Closed, now, line);
        }
    }

    /// An input that is no message, as few are.
    #[inline(never)]
    fn event(&mut self, at: usize, input: FeedInput<'_>, now: Nanos, line: u64) {
        self.input(at, input, now, line);
    }

    #[inline(always)]
    fn input(&mut self, at: usize, input: FeedInput<'_>, now: Nanos, line: u64) {
        let Replay { conns, files, out, observer, .. } = self;
        let Some(conn) = conns.get_mut(at) else { return };
        out.clear();
        let message = matches!(input, FeedInput::Text(_) | FeedInput::Binary(_));
        let outcome = conn.feed.on(input, now, out);
        for found in &out.discovered {
            debug_assert_eq!(
                usize::from(found.book.0),
                conn.books.len(),
                "books are numbered as they appear"
            );
            // A feed decodes what it finds at the finest scale that it knows of.
            let scale = conn.books.iter().map(|book| book.scale).max().unwrap_or_default();
            conn.books.push(BookState { seen: true, ..BookState::new(conn.venue.id, found.symbol, scale) });
        }
        if message && let Some(file) = files.last_mut() {
            file.ignored += out.ignored;
        }
        for change in &out.changes {
            conn.apply((change, message), out, now, observer);
        }
        if let Err(error) = outcome {
            // Nobody knows what the message would have changed: all books of the connection wait
            // for their next snapshot.
            conn.withdraw(Lost::Malformed, now, observer);
            self.malformed(format!("line {line}: {error}"));
        }
    }

    /// What was found, with the best `depth` levels of each book.
    pub fn outcome(&self, depth: usize) -> Outcome {
        let mut books: Vec<BookReport> = self
            .conns
            .iter()
            .flat_map(|conn| &conn.books)
            .filter(|book| book.seen)
            .map(|book| book.report(&self.specs, depth))
            .collect();
        books.sort_by(|a, b| (a.venue, &a.symbol).cmp(&(b.venue, &b.symbol)));
        Outcome { files: self.files.clone(), books }
    }
}

impl Conn {
    /// `fresh`: a message made the change, and nothing that the recorder asked for.
    fn apply(
        &mut self,
        (change, fresh): (&BookChange, bool),
        out: &FeedOut,
        now: Nanos,
        observer: &mut impl Observer,
    ) {
        let Some(state) = self.books.get_mut(usize::from(change.book.0)) else { return };
        state.seen |= !matches!(change.kind, ChangeKind::Lost(_));
        let (bids, asks) = (out.bids(change), out.asks(change));
        let stamp = Stamp { seq: change.seq, received: now, venue_time: change.venue_time };
        if change.venue_time > Nanos::ZERO && now > Nanos::ZERO {
            let delay = now - change.venue_time;
            self.delay_min = Some(self.delay_min.map_or(delay, |least| least.min(delay)));
        }
        let keep = change.keep as usize;
        let applied = match change.kind {
            ChangeKind::Snapshot { live } => state.book.snapshot(bids, asks, live, keep, stamp),
            ChangeKind::Update => state.book.update(bids, asks, keep, stamp),
            ChangeKind::Top => {
                state.tickers.ticker(change.seq, [bids.first().copied(), asks.first().copied()]);
                Ok(Touched::NONE)
            }
            ChangeKind::Alive => return,
            ChangeKind::Lost(why) => {
                state.lost(why);
                observer.lost(state.venue, state.symbol, now);
                return;
            }
        };
        let seen = Seen {
            venue: state.venue,
            symbol: state.symbol,
            scale: state.scale,
            kind: change.kind,
            bids,
            asks,
            keep,
            stamp,
            fresh,
            book: &state.book,
        };
        if change.kind == ChangeKind::Top {
            observer.changed(&seen);
            return;
        }
        if applied.is_ok() {
            observer.changed(&seen);
        } else {
            observer.lost(state.venue, state.symbol, now);
            state.tickers.lost();
            self.feed.distrust(change.book, Lost::Overflow, now, &mut FeedOut::default());
            return;
        }
        // The best levels are only gathered where there is something to hold them against.
        let verdict = match change.check {
            Some(_) => self.feed.verify(change, &state.book.depth()),
            None => Verdict::Absent,
        };
        match verdict {
            Verdict::Absent => state.book.checked(None),
            Verdict::Matches => state.book.checked(Some(true)),
            Verdict::Differs { ours, theirs } => {
                state.book.checked(Some(false));
                observer.lost(state.venue, state.symbol, now);
                state.tickers.lost();
                let why = Lost::Checksum { ours, theirs };
                self.feed.distrust(change.book, why, now, &mut FeedOut::default());
                return;
            }
        }
        if state.book.trust() == Trust::Live {
            state.crossed += u64::from(state.book.crossed_since().is_some());
            if change.kind == ChangeKind::Update {
                let ladder = state.book.ladder();
                let best: Best = [ladder.best_level(Side::Buy), ladder.best_level(Side::Sell)];
                state.tickers.depth(change.seq, best);
            }
        }
    }

    fn withdraw(&mut self, why: Lost, now: Nanos, observer: &mut impl Observer) {
        for (at, state) in self.books.iter_mut().enumerate() {
            state.lost(why);
            observer.lost(state.venue, state.symbol, now);
            let Ok(book) = u16::try_from(at) else { continue };
            self.feed.distrust(BookId(book), why, now, &mut FeedOut::default());
        }
    }
}

impl BookState {
    fn new(venue: &'static str, symbol: Symbol, scale: Scale) -> BookState {
        let (venue, book) = (venue::of_symbol(venue, symbol.as_str()), Book::new(BookConfig::default()));
        BookState { venue, symbol, scale, seen: false, book, crossed: 0, tickers: TickerCheck::default() }
    }

    fn lost(&mut self, why: Lost) {
        self.tickers.lost();
        let never = self.book.counters().snapshots == 0 && self.book.trust() == Trust::Waiting;
        let why = match why {
            Lost::Gap { .. } => Loss::Gap,
            Lost::Checksum { .. } => Loss::Checksum,
            Lost::Overflow => Loss::Ladder,
            Lost::Crossed => Loss::Crossed,
            Lost::Closed | Lost::Ended | Lost::Stale | Lost::Malformed | Lost::Unsubscribed => Loss::Outside,
        };
        // A book that never had anything to lose still waits.
        if !never {
            self.book.lost(why);
        }
    }

    fn report(&self, specs: &[(&'static str, InstrumentSpec)], depth: usize) -> BookReport {
        let spec = specs.iter().find(|(id, spec)| *id == self.venue && spec.symbol == self.symbol);
        let state = match self.book.trust() {
            Trust::Waiting => State::Waiting,
            Trust::Live => State::Live,
            Trust::Lost => State::Unsynced,
        };
        // What is left of a lost book is not shown: somebody would take it for one.
        let ladder = (state != State::Unsynced).then(|| self.book.ladder());
        let best = |side| -> Vec<[String; 2]> {
            let levels = ladder.into_iter().flat_map(|ladder| ladder.levels(side));
            levels.take(depth).map(|level: Level| level_text(level, self.scale)).collect()
        };
        let count = |side| ladder.map_or(0, |ladder| ladder.len(side));
        let touch = |side| {
            let level = ladder.and_then(|ladder| ladder.best_level(side))?;
            Some(Fixed(level.price.0, self.scale).to_string())
        };
        let counters = self.book.counters();
        let (compared, agreed) = self.tickers.counts();
        BookReport {
            venue: self.venue,
            symbol: self.symbol.to_string(),
            instrument: spec.map(|(_, spec)| spec.name.to_string()),
            state,
            snapshots: counters.snapshots,
            updates: counters.updates,
            gaps: counters.gaps,
            checksums: Checksums {
                ok: counters.checksums_ok,
                bad: counters.checksums_bad,
                absent: counters.checksums_absent,
            },
            tickers: (compared > 0).then_some(TickerReport { compared, agreed }),
            crossed: self.crossed,
            levels: Sides { bids: count(Side::Buy), asks: count(Side::Sell) },
            bids: best(Side::Buy),
            asks: best(Side::Sell),
            digest: report::digest(ladder, self.scale),
            best_bid: touch(Side::Buy),
            best_ask: touch(Side::Sell),
        }
    }
}
