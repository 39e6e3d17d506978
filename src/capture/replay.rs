//! Books rebuilt from captures, by the same feeds and ladders that run live.
//!
//! A feed is made for each venue and connection as soon as a record tells which venue it is, and
//! lives on through the files that follow. Time is the record's. A feed's wishes (subscribe, fetch,
//! reconnect) cannot be granted here; what the recorder got instead is in the capture.

use super::Capture;
use super::record::{CaptureError, Record, RecordKind};
use super::report::{
    self, BookReport, Checksums, FileReport, Outcome, Sides, State, TickerReport, level_text,
};
use super::ticker::{Best, TickerCheck};
use crate::book::{Book, BookConfig, Loss, Stamp, Trust};
use crate::types::{BookId, Endpoint, Fixed, InstrumentSpec, Level, Nanos, Scale, Side, Symbol};
use crate::venue::{
    self, BookChange, ChangeKind, Channels, Clue, Encoding, Feed, FeedConfig, FeedInput, FeedOut, Lost,
    Venue, Verdict,
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
        venue: &'static str,
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

/// Books being rebuilt.
pub struct Replay {
    venues: &'static [Venue],
    until: Option<Nanos>,
    conns: Vec<Conn>,
    specs: Vec<(&'static str, InstrumentSpec)>,
    files: Vec<FileReport>,
    out: FeedOut,
    buffer: PaddedBuf,
    now: Nanos,
}

/// One connection of one venue.
struct Conn {
    venue: &'static Venue,
    name: String,
    feed: Box<dyn Feed>,
    open: bool,
    books: Vec<BookState>,
}

struct BookState {
    symbol: Symbol,
    book: Book,
    crossed: u64,
    tickers: TickerCheck,
}

/// A connection of the file at hand: known, or waiting for a record that tells its venue.
enum Seat {
    Known(usize),
    Waiting(Vec<Record>),
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
        Replay {
            venues,
            until,
            conns: Vec::new(),
            specs: Vec::new(),
            files: Vec::new(),
            out: FeedOut::default(),
            buffer: PaddedBuf::default(),
            now: Nanos::ZERO,
        }
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
        let mut seats: Vec<Seat> = Vec::new();
        // HTTP answers that came before a connection of their venue did.
        let mut early: Vec<(&'static str, Record)> = Vec::new();
        let mut record = Record::default();
        let mut count = 0;
        loop {
            match capture.next(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.malformed(error.to_string());
                    continue;
                }
            }
            if let (Some(ts), Some(until)) = (record.ts, self.until)
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
            if record.kind == RecordKind::HttpAnswer && !record.url.is_empty() {
                self.answer(path, &seats, std::mem::take(&mut record), &mut early)?;
                continue;
            }
            while seats.len() <= record.conn {
                seats.push(Seat::Waiting(Vec::new()));
            }
            let name = capture.connections().get(record.conn).map_or("", String::as_str);
            self.seated(path, name, &mut seats, &mut record, &mut early)?;
        }
        self.leftovers(path, seats)
    }

    /// Plays a record of a connection, or keeps it until the venue is known.
    fn seated(
        &mut self,
        path: &str,
        name: &str,
        seats: &mut [Seat],
        record: &mut Record,
        early: &mut Vec<(&'static str, Record)>,
    ) -> Result<(), ReplayError> {
        let Some(seat) = seats.get_mut(record.conn) else { return Ok(()) };
        let waiting = match seat {
            Seat::Known(conn) => {
                let conn = *conn;
                self.play(conn, record);
                return Ok(());
            }
            Seat::Waiting(waiting) => waiting,
        };
        let told = matches!(record.kind, RecordKind::Text | RecordKind::HttpAnswer);
        let clue = Clue { url: &record.url, message: if told { &record.bytes } else { b"" } };
        let claimed = venue::recognise(&clue);
        waiting.push(std::mem::take(record));
        let Some(id) = claimed else {
            if waiting.len() >= MOST_WAITING {
                return Err(ReplayError::Unrecognised { path: path.to_owned() });
            }
            return Ok(());
        };
        let kept = std::mem::take(waiting);
        let conn = self.conn(path, id, name)?;
        *seat = Seat::Known(conn);
        for record in &kept {
            self.play(conn, record);
        }
        let ours = early.extract_if(.., |(venue, _)| *venue == id).map(|(_, record)| record);
        for record in ours.collect::<Vec<_>>() {
            self.play(conn, &record);
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

    /// The connection of that venue and name, made now if it is the first time.
    fn conn(&mut self, path: &str, id: &'static str, name: &str) -> Result<usize, ReplayError> {
        let known = |conn: &Conn| conn.venue.id == id && conn.name == name;
        if let Some(at) = self.conns.iter().position(known) {
            return Ok(at);
        }
        let unsupported = || {
            let names: Vec<_> = self.venues.iter().map(|venue| venue.id).collect();
            ReplayError::Unsupported { path: path.to_owned(), venue: id, supported: names.join(", ") }
        };
        let venue = self.venues.iter().find(|venue| venue.id == id).ok_or_else(unsupported)?;
        let endpoint = |url| Endpoint::parse(url).map_err(|_| unsupported());
        let feed = (venue.feed)(&FeedConfig {
            books: Vec::new(),
            discover: true,
            channels: Channels { depth: true, levels: 1_000, interval_ms: 0, ticker: true },
            encoding: Encoding::Json,
            stream: endpoint(venue.endpoints.0)?,
            rest: endpoint(venue.endpoints.1)?,
        });
        self.conns.push(Conn { venue, name: name.to_owned(), feed, open: false, books: Vec::new() });
        Ok(self.conns.len() - 1)
    }

    /// An HTTP answer with its URL: metadata, or a snapshot for one of the venue's connections.
    fn answer(
        &mut self,
        path: &str,
        seats: &[Seat],
        record: Record,
        early: &mut Vec<(&'static str, Record)>,
    ) -> Result<(), ReplayError> {
        let Some(id) = venue::recognise(&Clue { url: &record.url, message: b"" }) else { return Ok(()) };
        let Some(venue) = self.venues.iter().find(|venue| venue.id == id) else {
            self.conn(path, id, "")?; // refuses it
            return Ok(());
        };
        if let Some(specs) = (venue.instruments)(&record.bytes) {
            self.specs.extend(specs.into_iter().map(|spec| (venue.id, spec)));
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
            books.iter().any(|book| record.url.contains(book.symbol.as_str()))
        };
        match here.iter().find(asked).or(here.first()) {
            Some(&conn) => self.play(conn, &record),
            None => early.push((venue.id, record)),
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

    /// Hands one record to its connection's feed, and applies what comes out.
    fn play(&mut self, at: usize, record: &Record) {
        self.now = record.ts.unwrap_or(self.now);
        let now = self.now;
        if record.kind == RecordKind::Connect {
            self.closed(at, now, record.line);
        }
        if record.kind != RecordKind::Closed
            && let Some(conn) = self.conns.get_mut(at)
            && !conn.open
        {
            conn.open = true;
            self.input(at, FeedInput::Opened, now, record.line);
        }
        match record.kind {
            RecordKind::Connect | RecordKind::Sent | RecordKind::Decoded | RecordKind::Private => {}
            RecordKind::Closed => self.closed(at, now, record.line),
            RecordKind::Tick => self.input(at, FeedInput::Tick, now, record.line),
            RecordKind::Text | RecordKind::Binary => {
                if let Some(file) = self.files.last_mut() {
                    file.messages += 1;
                }
                let mut buffer = std::mem::take(&mut self.buffer);
                let message = buffer.fill(&record.bytes);
                let binary = record.kind == RecordKind::Binary;
                let input = if binary { FeedInput::Binary(message) } else { FeedInput::Text(message) };
                self.input(at, input, now, record.line);
                self.buffer = buffer;
            }
            RecordKind::HttpAnswer => {
                let (url, status) = (&record.url, record.status);
                let input = FeedInput::Fetched { book: None, url, status, body: &record.bytes };
                self.input(at, input, now, record.line);
            }
        }
    }

    /// The connection is gone, if it was there.
    fn closed(&mut self, at: usize, now: Nanos, line: u64) {
        let open = self.conns.get_mut(at).map(|conn| std::mem::take(&mut conn.open));
        if open == Some(true) {
            self.input(at, FeedInput::Closed, now, line);
        }
    }

    fn input(&mut self, at: usize, input: FeedInput<'_>, now: Nanos, line: u64) {
        let Some(conn) = self.conns.get_mut(at) else { return };
        self.out.clear();
        let message = matches!(input, FeedInput::Text(_) | FeedInput::Binary(_));
        let outcome = conn.feed.on(input, now, &mut self.out);
        for found in &self.out.discovered {
            debug_assert_eq!(
                usize::from(found.book.0),
                conn.books.len(),
                "books are numbered as they appear"
            );
            conn.books.push(BookState::new(found.symbol));
        }
        if message && let Some(file) = self.files.last_mut() {
            file.ignored += self.out.ignored;
        }
        let out = std::mem::take(&mut self.out);
        for change in &out.changes {
            conn.apply(change, &out, now);
        }
        self.out = out;
        if let Err(error) = outcome {
            // Nobody knows what the message would have changed: all books of the connection wait
            // for their next snapshot.
            conn.withdraw(Lost::Malformed, now);
            self.malformed(format!("line {line}: {error}"));
        }
    }

    /// What was found, with the best `depth` levels of each book.
    pub fn outcome(&self, depth: usize) -> Outcome {
        let mut books: Vec<BookReport> = self
            .conns
            .iter()
            .flat_map(|conn| conn.books.iter().map(move |book| (conn.venue.id, book)))
            .map(|(venue, book)| book.report(venue, &self.specs, depth))
            .collect();
        books.sort_by(|a, b| (a.venue, &a.symbol).cmp(&(b.venue, &b.symbol)));
        Outcome { files: self.files.clone(), books }
    }
}

impl Conn {
    fn apply(&mut self, change: &BookChange, out: &FeedOut, now: Nanos) {
        let Some(state) = self.books.get_mut(usize::from(change.book.0)) else { return };
        let (bids, asks) = (out.bids(change), out.asks(change));
        let stamp = Stamp { seq: change.seq, received: now, venue_time: change.venue_time };
        let keep = change.keep as usize;
        let applied = match change.kind {
            ChangeKind::Snapshot { live } => state.book.snapshot(bids, asks, live, keep, stamp),
            ChangeKind::Update => state.book.update(bids, asks, keep, stamp),
            ChangeKind::Top => {
                state.tickers.ticker(change.seq, [bids.first().copied(), asks.first().copied()]);
                return;
            }
            ChangeKind::Alive => return,
            ChangeKind::Lost(why) => {
                state.lost(why);
                return;
            }
        };
        if applied.is_err() {
            state.tickers.lost();
            self.feed.distrust(change.book, Lost::Overflow, now, &mut FeedOut::default());
            return;
        }
        match self.feed.verify(change, state.book.ladder()) {
            Verdict::Absent => state.book.checked(None),
            Verdict::Matches => state.book.checked(Some(true)),
            Verdict::Differs { ours, theirs } => {
                state.book.checked(Some(false));
                state.tickers.lost();
                let why = Lost::Checksum { ours, theirs };
                self.feed.distrust(change.book, why, now, &mut FeedOut::default());
                return;
            }
        }
        if state.book.trust() == Trust::Live {
            let ladder = state.book.ladder();
            state.crossed += u64::from(ladder.is_crossed());
            if change.kind == ChangeKind::Update {
                let best: Best = Side::BOTH.map(|side| ladder.best_level(side));
                state.tickers.depth(change.seq, best);
            }
        }
    }

    fn withdraw(&mut self, why: Lost, now: Nanos) {
        for (at, state) in self.books.iter_mut().enumerate() {
            state.lost(why);
            let Ok(book) = u16::try_from(at) else { continue };
            self.feed.distrust(BookId(book), why, now, &mut FeedOut::default());
        }
    }
}

impl BookState {
    fn new(symbol: Symbol) -> BookState {
        let book = Book::new(BookConfig::default());
        BookState { symbol, book, crossed: 0, tickers: TickerCheck::default() }
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

    fn report(
        &self,
        venue: &'static str,
        specs: &[(&'static str, InstrumentSpec)],
        depth: usize,
    ) -> BookReport {
        let spec = specs.iter().find(|(id, spec)| *id == venue && spec.symbol == self.symbol);
        let state = match self.book.trust() {
            Trust::Waiting => State::Waiting,
            Trust::Live => State::Live,
            Trust::Lost => State::Unsynced,
        };
        // What is left of a lost book is not shown: somebody would take it for one.
        let ladder = (state != State::Unsynced).then(|| self.book.ladder());
        let best = |side| -> Vec<[String; 2]> {
            let levels = ladder.into_iter().flat_map(|ladder| ladder.levels(side));
            levels.take(depth).map(|level: Level| level_text(level, Scale::DEFAULT)).collect()
        };
        let count = |side| ladder.map_or(0, |ladder| ladder.len(side));
        let touch = |side| {
            let level = ladder.and_then(|ladder| ladder.best_level(side))?;
            Some(Fixed(level.price.0, Scale::DEFAULT).to_string())
        };
        let counters = self.book.counters();
        let (compared, agreed) = self.tickers.counts();
        BookReport {
            venue,
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
            digest: report::digest(ladder, Scale::DEFAULT),
            best_bid: touch(Side::Buy),
            best_ask: touch(Side::Sell),
        }
    }
}
