//! Which captured connection is which venue's, and its records as inputs of the books.
//!
//! A connection's venue is told by its URL or by the look of its messages; venues that the
//! configuration does not have are passed over. A snapshot that came over HTTP goes to every
//! connection of its venue: whoever holds updates for it can use it.

use super::timeline::Timeline;
use crate::capture::{Record, RecordKind};
use crate::engine::{CapturedStage, Plan};
use crate::telemetry::Stamps;
use crate::types::{Nanos, Stopwatch, Symbol};
use crate::venue::{self, Clue, FeedInput};
use crate::wire::PaddedBuf;

/// Records of a connection kept back until its venue is known; the oldest are let go.
const MOST_WAITING: usize = 1_000;

/// The way from records to books.
pub struct Feeds {
    stage: CapturedStage,
    /// The plan's venues, by their names.
    venues: Vec<&'static str>,
    /// By file, then by the file's own number of the connection.
    seats: Vec<Vec<Seat>>,
    connections: Vec<Connection>,
    /// Snapshots that came before any connection of their venue.
    early: Vec<(usize, Record)>,
    buffer: PaddedBuf,
    /// By file: what could not be read since somebody asked.
    errors: Vec<(usize, String)>,
}

/// A connection of a file.
enum Seat {
    /// A connection of the stage.
    Known(usize),
    /// Of a venue that the configuration does not have.
    Foreign,
    /// No record has told its venue yet.
    Waiting(Vec<Record>),
}

/// A connection of the stage: files that continue one another share it.
struct Connection {
    venue: usize,
    name: String,
    open: bool,
}

/// Where a message came from, and when.
#[derive(Clone, Copy, Debug)]
pub struct Turned {
    /// The stage's connection.
    pub connection: usize,
    /// The venue's number.
    pub venue: usize,
    /// Local time of the message.
    pub at: Nanos,
    /// Its journey so far.
    pub stamps: Stamps,
}

impl Feeds {
    /// Nothing is connected yet.
    pub fn new(plan: &Plan, stage: CapturedStage) -> Feeds {
        Feeds {
            stage,
            venues: plan.venues.iter().map(|venue| venue.row.id).collect(),
            seats: Vec::new(),
            connections: Vec::new(),
            early: Vec::new(),
            buffer: PaddedBuf::default(),
            errors: Vec::new(),
        }
    }

    /// What could not be read since the last call, each with its file.
    pub fn take_errors(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.errors)
    }

    /// The books.
    pub fn stage(&self) -> &CapturedStage {
        &self.stage
    }

    /// Plays one record; `turned` is called after every input that it leads to, with the stage as
    /// that input left it.
    pub fn play(
        &mut self,
        record: &mut Record,
        (file, at): (usize, Nanos),
        timeline: &Timeline<'_>,
        watch: &impl Stopwatch,
        turned: &mut dyn FnMut(&CapturedStage, Turned),
    ) {
        record.ts = Some(at);
        if record.kind == RecordKind::HttpAnswer && !record.url.is_empty() {
            return self.answer(record, file, watch, turned);
        }
        while self.seats.len() <= file {
            self.seats.push(Vec::new());
        }
        let Some(seats) = self.seats.get_mut(file) else { return };
        while seats.len() <= record.conn {
            seats.push(Seat::Waiting(Vec::new()));
        }
        let waiting = match &mut seats[record.conn] {
            Seat::Known(connection) => {
                let connection = *connection;
                return self.input(connection, record, file, watch, turned);
            }
            Seat::Foreign => return,
            Seat::Waiting(waiting) => waiting,
        };
        let sent = matches!(record.kind, RecordKind::Sent | RecordKind::Connect);
        let clue = Clue { url: &record.url, message: if sent { b"" } else { &record.bytes } };
        let Some(id) = venue::recognise(&clue) else {
            if waiting.len() == MOST_WAITING {
                waiting.remove(0);
            }
            waiting.push(std::mem::take(record));
            return;
        };
        let kept = std::mem::take(waiting);
        let conn = record.conn;
        let Some(connection) = self.connection(id, timeline.connection(file, conn)) else {
            self.seats[file][conn] = Seat::Foreign;
            return;
        };
        self.seats[file][conn] = Seat::Known(connection);
        let venue = self.connections[connection].venue;
        let early: Vec<_> =
            self.early.extract_if(.., |(of, _)| *of == venue).map(|(_, early)| early).collect();
        for mut old in kept.into_iter().chain(early) {
            old.ts = Some(at);
            self.input(connection, &old, file, watch, turned);
        }
        self.input(connection, record, file, watch, turned);
    }

    /// The stage's connection of a venue and name, made now if it is the first time; `None` for a
    /// venue that the plan does not have.
    fn connection(&mut self, id: &str, (name, is_symbol): (&str, bool)) -> Option<usize> {
        let venue = self.venues.iter().position(|own| *own == id)?;
        let known = |own: &Connection| own.venue == venue && own.name == name;
        if let Some(at) = self.connections.iter().position(known) {
            return Some(at);
        }
        // One symbol's file must not seed another's book with its snapshot.
        let wanted = |symbol: Symbol| !is_symbol || plain(symbol.as_str()) == plain(name);
        let at = self.stage.connect(venue, wanted)?;
        self.connections.push(Connection { venue, name: name.to_owned(), open: false });
        Some(at)
    }

    /// An HTTP answer with its URL: a snapshot for the connections of its venue, or of no use here.
    fn answer(
        &mut self,
        record: &mut Record,
        file: usize,
        watch: &impl Stopwatch,
        turned: &mut dyn FnMut(&CapturedStage, Turned),
    ) {
        let Some(id) = venue::recognise(&Clue { url: &record.url, message: b"" }) else { return };
        let Some(venue) = self.venues.iter().position(|own| *own == id) else { return };
        let is_metadata = venue::find(id).is_some_and(|row| (row.instruments)(&record.bytes).is_some());
        if is_metadata {
            return;
        }
        let mut taken = false;
        for at in 0..self.connections.len() {
            if self.connections[at].venue == venue {
                taken = true;
                self.input(at, record, file, watch, turned);
            }
        }
        if !taken {
            self.early.push((venue, std::mem::take(record)));
        }
    }

    fn input(
        &mut self,
        connection: usize,
        record: &Record,
        file: usize,
        watch: &impl Stopwatch,
        turned: &mut dyn FnMut(&CapturedStage, Turned),
    ) {
        let (Some(own), Some(at)) = (self.connections.get_mut(connection), record.ts) else { return };
        let venue = own.venue;
        let ends = record.kind == RecordKind::Closed || record.kind == RecordKind::Connect && own.open;
        let opens = record.kind != RecordKind::Closed && (ends || !own.open);
        let closes = ends && own.open;
        own.open = record.kind != RecordKind::Closed;
        let edges = [closes.then_some(FeedInput::Closed), opens.then_some(FeedInput::Opened)];
        let mut buffer = std::mem::take(&mut self.buffer);
        let message = match record.kind {
            RecordKind::Connect | RecordKind::Closed | RecordKind::Sent | RecordKind::Private => None,
            RecordKind::Text => Some(FeedInput::Text(buffer.fill(&record.bytes))),
            RecordKind::Binary => Some(FeedInput::Binary(buffer.fill(&record.bytes))),
            RecordKind::Tick => Some(FeedInput::Tick),
            RecordKind::HttpAnswer => Some(FeedInput::Fetched {
                book: None,
                url: &record.url,
                status: record.status,
                body: &record.bytes,
            }),
            RecordKind::Decoded => {
                let what = "levels that another program decoded: a backtest needs the venue's own messages";
                if !self.errors.iter().any(|own| own.0 == file) {
                    self.errors.push((file, format!("line {}: {what}", record.line)));
                }
                None
            }
        };
        for input in edges.into_iter().flatten().chain(message) {
            let stamps = Stamps::begin(watch.ticks(), 0);
            match self.stage.turn(connection, input, at, stamps, watch) {
                Ok(stamps) => turned(&self.stage, Turned { connection, venue, at, stamps }),
                Err(error) => {
                    self.errors.push((file, format!("line {}: {error}", record.line)));
                    turned(&self.stage, Turned { connection, venue, at, stamps });
                }
            }
        }
        self.buffer = buffer;
    }
}

/// A symbol however it is spelled.
fn plain(symbol: &str) -> String {
    symbol.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}
