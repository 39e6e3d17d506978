//! Which captured connection is which venue's, and its records as inputs of the books.
//!
//! A connection's venue is told by the capture, by its URL or by the look of its messages; venues that
//! the configuration does not have are passed over. Where venues share an address, each of them takes
//! from the connection what is of its books. A snapshot that came over HTTP goes to every
//! connection of its venue: whoever holds updates for it can use it.

use crate::capture::{Record, RecordKind, View, public_input};
use crate::detect::BookSlot;
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
    /// By slot: the symbol of the book, and whether any message named it.
    met: Vec<(Symbol, bool)>,
    /// By file.
    tallies: Vec<Tally>,
}

/// What a file was good for.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    /// Something in it was of a book of the plan.
    pub fed: bool,
    /// Messages that were of none.
    pub ignored: u64,
}

/// A connection of a file.
enum Seat {
    /// Connections of the stage, one for each venue of its address.
    Known(Vec<usize>),
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
        let mut books: Vec<_> = plan.venues.iter().flat_map(|venue| &venue.instruments).collect();
        books.sort_unstable_by_key(|book| book.slot.0);
        Feeds {
            stage,
            venues: plan.venues.iter().map(|venue| venue.row.id).collect(),
            seats: Vec::new(),
            connections: Vec::new(),
            early: Vec::new(),
            errors: Vec::new(),
            met: books.into_iter().map(|book| (book.spec.symbol, false)).collect(),
            tallies: Vec::new(),
        }
    }

    /// What a file was good for so far.
    pub fn tally(&self, file: usize) -> Tally {
        let mut tally = self.tallies.get(file).copied().unwrap_or_default();
        for seat in self.seats.get(file).into_iter().flatten() {
            if let Seat::Waiting(records) = seat {
                tally.ignored +=
                    records.iter().map(|record| u64::from(record.kind == RecordKind::Text)).sum::<u64>();
            }
        }
        tally
    }

    /// Whether any message named a book.
    pub fn is_met(&self, BookSlot(slot): BookSlot) -> bool {
        self.met.get(usize::from(slot)).is_some_and(|(_, met)| *met)
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
        while self.seats.len() <= file {
            self.seats.push(Vec::new());
            self.tallies.push(Tally::default());
        }
        if view.kind == RecordKind::HttpAnswer && !view.url.is_empty() {
            return self.answer(view, (file, at), watch, turned);
        }
        let text = u64::from(view.kind == RecordKind::Text);
        let Some(seats) = self.seats.get_mut(file) else { return };
        while seats.len() <= view.conn {
            seats.push(Seat::Waiting(Vec::new()));
        }
        let waiting = match &mut seats[view.conn] {
            Seat::Known(_) => return self.inputs(view.conn, view, (file, at), watch, turned),
            Seat::Foreign => {
                self.tallies[file].ignored += text;
                return;
            }
            Seat::Waiting(waiting) => waiting,
        };
        let sent = matches!(view.kind, RecordKind::Sent | RecordKind::Connect);
        let clue = Clue { url: view.url, message: if sent { b"" } else { view.message.message() } };
        let told = Some(view.venue).filter(|id| !id.is_empty()).or_else(|| venue::recognise(&clue));
        let Some(id) = told else {
            if waiting.len() == MOST_WAITING {
                let dropped = waiting.remove(0);
                self.tallies[file].ignored += u64::from(dropped.kind == RecordKind::Text);
            }
            waiting.push(view.to_record());
            return;
        };
        let kept = std::mem::take(waiting);
        let own = self.connections(id, (view.connection, is_symbol));
        if own.is_empty() {
            let texts = kept.iter().filter(|record| record.kind == RecordKind::Text).count();
            self.tallies[file].ignored += texts as u64 + text;
            self.seats[file][view.conn] = Seat::Foreign;
            return;
        }
        let venues: Vec<usize> = own.iter().map(|connection| self.connections[*connection].venue).collect();
        self.seats[file][view.conn] = Seat::Known(own);
        let early: Vec<_> =
            self.early.extract_if(.., |(of, _)| venues.contains(of)).map(|(_, early)| early).collect();
        let mut padded = PaddedBuf::default();
        for old in kept.iter().chain(&early) {
            let old = old.view(view.connection, view.venue, padded.fill(&old.bytes));
            self.inputs(view.conn, &old, (file, at), watch, turned);
        }
        self.inputs(view.conn, view, (file, at), watch, turned);
    }

    /// One record for each venue of a seat of its file. A message that none of them wants is ignored.
    #[inline]
    fn inputs(
        &mut self,
        seat: usize,
        view: &View<'_>,
        (file, at): (usize, Nanos),
        watch: &impl Stopwatch,
        turned: &mut dyn FnMut(&mut CapturedStage, Turned),
    ) {
        let mut unwanted = u64::from(view.kind == RecordKind::Text);
        for own in 0.. {
            let Some(Seat::Known(all)) = self.seats.get(file).and_then(|seats| seats.get(seat)) else {
                break;
            };
            let Some(&connection) = all.get(own) else { break };
            let Some(venue) = self.connections.get(connection).map(|own| own.venue) else { break };
            let before = self.stage.counters(venue).ignored;
            self.input(connection, view, (file, at), watch, turned);
            unwanted = unwanted.min(self.stage.counters(venue).ignored - before);
        }
        self.tallies[file].ignored += unwanted;
    }

    /// The stage's connections for the venues that are reached where this one is, by a name; none where
    /// the plan has none of them.
    fn connections(&mut self, id: &str, name: (&str, bool)) -> Vec<usize> {
        let own = venue::find(id).map_or("", |row| row.endpoints.0);
        let here = |other: &str| {
            other == id || venue::find(other).is_some_and(|row| !own.is_empty() && row.endpoints.0 == own)
        };
        let venues: Vec<&str> = self.venues.iter().copied().filter(|other| here(other)).collect();
        venues.into_iter().filter_map(|venue| self.connection(venue, name)).collect()
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
            self.note(connection, file, view.message.message());
        }
    }

    /// Notes whether a file, and a book, got anything: of a book that waits for its snapshot nothing else
    /// tells.
    #[inline]
    fn note(&mut self, connection: usize, file: usize, message: &[u8]) {
        let Feeds { stage, met, tallies, .. } = self;
        let Some(tally) = tallies.get_mut(file) else { return };
        for BookSlot(slot) in stage.slots(connection) {
            let Some((symbol, met)) = met.get_mut(usize::from(*slot)) else { continue };
            if *met && tally.fed {
                continue;
            }
            let symbol = symbol.as_str().as_bytes();
            let named = message.windows(symbol.len().max(1)).any(|part| part == symbol);
            if named || stage.moved().contains(&BookSlot(*slot)) {
                (*met, tally.fed) = (true, true);
            }
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
            let told = (file, format!("line {line}: {error}"));
            // Of a connection that several venues share, each says so.
            if !self.errors.contains(&told) {
                self.errors.push(told);
            }
            begun
        });
        turned(&mut self.stage, Turned { connection, venue, at, stamps });
    }
}

/// A symbol however it is spelled.
fn plain(symbol: &str) -> String {
    symbol.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}
