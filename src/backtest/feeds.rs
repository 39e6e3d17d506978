//! Which captured connection is which venue's, and its records as inputs of the books.
//!
//! A connection's venue is told by its URL or by the look of its messages; venues that the
//! configuration does not have are passed over. A snapshot that came over HTTP goes to every
//! connection of its venue: whoever holds updates for it can use it.

use crate::capture::{Record, RecordKind, View, public_input};
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

    /// Plays one record of a file at a time; `turned` is called after every input that it leads to, with
    /// the stage as that input left it. `is_symbol`: the connection's name is the one symbol that it
    /// carries.
    pub fn play(
        &mut self,
        view: &View<'_>,
        (file, at): (usize, Nanos),
        is_symbol: bool,
        watch: &impl Stopwatch,
        turned: &mut dyn FnMut(&mut CapturedStage, Turned),
    ) {
        if view.kind == RecordKind::HttpAnswer && !view.url.is_empty() {
            return self.answer(view, (file, at), watch, turned);
        }
        while self.seats.len() <= file {
            self.seats.push(Vec::new());
        }
        let Some(seats) = self.seats.get_mut(file) else { return };
        while seats.len() <= view.conn {
            seats.push(Seat::Waiting(Vec::new()));
        }
        let waiting = match &mut seats[view.conn] {
            Seat::Known(connection) => {
                let connection = *connection;
                return self.input(connection, view, (file, at), watch, turned);
            }
            Seat::Foreign => return,
            Seat::Waiting(waiting) => waiting,
        };
        let sent = matches!(view.kind, RecordKind::Sent | RecordKind::Connect);
        let clue = Clue { url: view.url, message: if sent { b"" } else { view.message.message() } };
        let Some(id) = venue::recognise(&clue) else {
            if waiting.len() == MOST_WAITING {
                waiting.remove(0);
            }
            waiting.push(view.to_record());
            return;
        };
        let kept = std::mem::take(waiting);
        let Some(connection) = self.connection(id, (view.connection, is_symbol)) else {
            self.seats[file][view.conn] = Seat::Foreign;
            return;
        };
        self.seats[file][view.conn] = Seat::Known(connection);
        let venue = self.connections[connection].venue;
        let early: Vec<_> =
            self.early.extract_if(.., |(of, _)| *of == venue).map(|(_, early)| early).collect();
        let mut padded = PaddedBuf::default();
        for old in kept.iter().chain(&early) {
            let old = old.view(view.connection, view.venue, padded.fill(&old.bytes));
            self.input(connection, &old, (file, at), watch, turned);
        }
        self.input(connection, view, (file, at), watch, turned);
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
        view: &View<'_>,
        (file, at): (usize, Nanos),
        watch: &impl Stopwatch,
        turned: &mut dyn FnMut(&mut CapturedStage, Turned),
    ) {
        let Some(id) = venue::recognise(&Clue { url: view.url, message: b"" }) else { return };
        let Some(venue) = self.venues.iter().position(|own| *own == id) else { return };
        let body = view.message.message();
        let is_metadata = venue::find(id).is_some_and(|row| (row.instruments)(body).is_some());
        if is_metadata {
            return;
        }
        let mut taken = false;
        for own in 0..self.connections.len() {
            if self.connections[own].venue == venue {
                taken = true;
                self.input(own, view, (file, at), watch, turned);
            }
        }
        if !taken {
            self.early.push((venue, view.to_record()));
        }
    }

    fn input(
        &mut self,
        connection: usize,
        view: &View<'_>,
        (file, at): (usize, Nanos),
        watch: &impl Stopwatch,
        turned: &mut dyn FnMut(&mut CapturedStage, Turned),
    ) {
        let Some(own) = self.connections.get_mut(connection) else { return };
        let (venue, kind, line) = (own.venue, view.kind, view.line);
        let ends = kind == RecordKind::Closed || kind == RecordKind::Connect && own.open;
        let opens = kind != RecordKind::Closed && (ends || !own.open);
        let closes = ends && own.open;
        own.open = kind != RecordKind::Closed;
        if closes {
            self.turn(connection, venue, FeedInput::Closed, line, (file, at), watch, turned);
        }
        if opens {
            self.turn(connection, venue, FeedInput::Opened, line, (file, at), watch, turned);
        }
        let message = match kind {
            // Said by the edges already.
            RecordKind::Connect | RecordKind::Closed => None,
            RecordKind::Decoded => {
                let what = "levels that another program decoded: a backtest needs the venue's own messages";
                if !self.errors.iter().any(|own| own.0 == file) {
                    self.errors.push((file, format!("line {line}: {what}")));
                }
                None
            }
            _ => public_input(view),
        };
        if let Some(message) = message {
            self.turn(connection, venue, message, line, (file, at), watch, turned);
        }
    }

    #[inline]
    #[expect(clippy::too_many_arguments, reason = "one input and all that is known of it")]
    fn turn(
        &mut self,
        connection: usize,
        venue: usize,
        input: FeedInput<'_>,
        line: u64,
        (file, at): (usize, Nanos),
        watch: &impl Stopwatch,
        turned: &mut dyn FnMut(&mut CapturedStage, Turned),
    ) {
        let begun = Stamps::begin(watch.ticks(), 0);
        let read = self.stage.turn(connection, input, at, begun, watch);
        let stamps = read.unwrap_or_else(|error| {
            self.errors.push((file, format!("line {line}: {error}")));
            begun
        });
        turned(&mut self.stage, Turned { connection, venue, at, stamps });
    }
}

/// A symbol however it is spelled.
fn plain(symbol: &str) -> String {
    symbol.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}
