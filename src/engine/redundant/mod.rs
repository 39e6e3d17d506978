//! Several connections for one public stream, so that losing one costs nothing.
//!
//! Each has a feed of its own, which checks the venue's rule on what comes over it. How they go
//! together is a property of the feed ([`Sequence`]):
//!
//! - `Shared`: one book. The first copy of an update is applied, later ones are dropped; any
//!   connection that has no hole up to where the book stands can take it further ([`merge`]).
//! - `Own`: nothing tells copies apart but the venue's time. Each connection has its book, and the
//!   trusted one with the newest time is published ([`pick`]).
//!
//! A stage with one connection never comes here.

mod copies;
mod merge;
mod pick;

pub use copies::{ConnectionCounters, TRAIL_BELOW, Trail};

use self::copies::Race;
use super::feed::FeedStage;
use crate::book::{Book, BookConfig};
use crate::telemetry::{Hop, Stamps};
use crate::types::{BookId, Nanos, Stopwatch};
use crate::venue::{ChangeKind, Feed, FeedError, FeedInput, FeedOut, Lost, Sequence, TierUse, Want};

/// The connections of a stage. The first one's feed, and its books, are the stage's own.
pub(super) struct Lines {
    sequence: Sequence,
    /// The feeds of the others.
    feeds: Vec<Box<dyn Feed>>,
    /// The books of the others, where each connection has its own; else none.
    books: Vec<Vec<Book>>,
    /// One a book of the stage.
    markets: Vec<Market>,
    /// One a connection.
    told: Vec<ConnectionCounters>,
    wants: Vec<(usize, Want)>,
    scratch: FeedOut,
}

/// What is known of one book over all connections.
struct Market {
    config: BookConfig,
    /// One a connection.
    legs: Vec<Leg>,
    /// Shared: there is a book. Own: one is published.
    whole: bool,
    /// Shared: the sequence number that the book stands at.
    at: u64,
    /// Shared: the newest number of the ticker stream.
    ticker: u64,
    /// Own: the connection whose book is published.
    shown: usize,
    race: Race,
}

/// One book as one connection has it.
#[derive(Clone, Copy, Default)]
struct Leg {
    /// The connection has had every change up to `at`, and will have the next.
    carries: bool,
    /// Shared: its last sequence number. Own: the venue's time of its last update.
    at: u64,
    /// The same of its ticker stream.
    ticker: u64,
}

/// When an input came, and how long what followed took.
struct Turn<'a, W> {
    connection: usize,
    now: Nanos,
    /// When the kernel had it, where the kernel tells.
    arrived: Nanos,
    stamps: &'a mut Stamps,
    watch: &'a W,
}

impl Lines {
    /// The connections beside the first, whose feed is `first`; `configs[i]` is what the stage's
    /// `BookId(i)` is made from.
    pub fn new(first: &dyn Feed, feeds: Vec<Box<dyn Feed>>, configs: &[BookConfig]) -> Lines {
        let sequence = first.sequence();
        let count = feeds.len() + 1;
        let own = |_| configs.iter().map(|config| Book::new(*config)).collect();
        let market = |config: &BookConfig| Market {
            config: *config,
            legs: vec![Leg::default(); count],
            whole: false,
            at: 0,
            ticker: 0,
            shown: 0,
            race: Race::new(),
        };
        Lines {
            sequence,
            books: if sequence == Sequence::Own { (1..count).map(own).collect() } else { Vec::new() },
            feeds,
            markets: configs.iter().map(market).collect(),
            told: vec![ConnectionCounters::default(); count],
            wants: Vec::new(),
            scratch: FeedOut::default(),
        }
    }

    fn turn<W: Stopwatch>(
        &mut self,
        stage: &mut FeedStage,
        input: FeedInput<'_>,
        mut turn: Turn<'_, W>,
    ) -> Result<(), FeedError> {
        let (connection, now) = (turn.connection, turn.now);
        let Some(told) = self.told.get_mut(connection) else { return Ok(()) };
        stage.out.clear();
        let message = matches!(input, FeedInput::Text(_) | FeedInput::Binary(_));
        stage.counters.frames += u64::from(message);
        told.frames += u64::from(message);
        let read = feed(&mut stage.feed, &mut self.feeds, connection).on(input, now, &mut stage.out);
        turn.stamps.mark(Hop::Decode, turn.watch.ticks());
        self.wants.extend(stage.out.wants.drain(..).map(|want| (connection, want)));
        if let Err(error) = read {
            stage.counters.malformed += 1;
            for book in 0..self.markets.len() {
                self.lose(stage, connection, book, Lost::Malformed, now);
            }
            return Err(error);
        }
        stage.counters.ignored += stage.out.ignored;
        // Taken out and put back, as in a turn of one connection.
        let changes = std::mem::take(&mut stage.out.changes);
        let mut moved = false;
        for change in &changes {
            moved |= match (change.kind, self.sequence) {
                (ChangeKind::Lost(why), _) => {
                    self.lose(stage, connection, usize::from(change.book.0), why, now);
                    true
                }
                (_, Sequence::Shared) => self.merge(stage, change, &mut turn),
                (_, Sequence::Own) => self.pick(stage, change, &mut turn),
            };
        }
        stage.out.changes = changes;
        if message && moved {
            stage.keep_journey(*turn.stamps, turn.watch);
        }
        Ok(())
    }

    /// One connection lost a book; its feed knows.
    fn lose(&mut self, stage: &mut FeedStage, connection: usize, book: usize, why: Lost, now: Nanos) {
        match self.sequence {
            Sequence::Shared => self.drop_leg(stage, connection, book, why, now),
            Sequence::Own => self.drop_book(stage, connection, book, why),
        }
    }

    /// Tells a feed that its book is not trusted.
    fn distrust(&mut self, stage: &mut FeedStage, connection: usize, book: usize, why: Lost, now: Nanos) {
        let out = &mut self.scratch;
        out.clear();
        feed(&mut stage.feed, &mut self.feeds, connection).distrust(BookId(book as u16), why, now, out);
        self.wants.extend(out.wants.drain(..).map(|want| (connection, want)));
    }

    /// Whether a connection has all its books.
    fn carries_all(&self, stage: &FeedStage, connection: usize) -> bool {
        (0..self.markets.len()).all(|book| match self.sequence {
            Sequence::Shared => self.markets[book].carries(connection),
            Sequence::Own => self.has_book(stage, connection, book),
        })
    }
}

/// The feed of a connection.
fn feed<'a>(
    first: &'a mut Box<dyn Feed>,
    more: &'a mut [Box<dyn Feed>],
    connection: usize,
) -> &'a mut dyn Feed {
    match connection.checked_sub(1).and_then(|at| more.get_mut(at)) {
        Some(feed) => &mut **feed,
        None => &mut **first,
    }
}

impl FeedStage {
    /// Takes an input of one of several connections; with one, the same as [`FeedStage::turn`].
    ///
    /// # Errors
    /// That connection cannot be trusted further, and the caller reconnects it. Books that another
    /// one has are not withdrawn.
    pub fn turn_from(
        &mut self,
        connection: usize,
        input: FeedInput<'_>,
        now: Nanos,
        mut stamps: Stamps,
        watch: &impl Stopwatch,
    ) -> Result<(), FeedError> {
        let Some(mut lines) = self.lines.take() else { return self.turn(input, now, stamps, watch) };
        let arrived = now - Nanos(i64::from(stamps.wire_ns()));
        let taken = lines.turn(self, input, Turn { connection, now, arrived, stamps: &mut stamps, watch });
        self.lines = Some(lines);
        taken
    }

    /// How many connections it has.
    pub fn connections(&self) -> usize {
        self.lines.as_ref().map_or(1, |lines| lines.told.len())
    }

    /// Whether any feed wants something done since it was last asked.
    #[inline]
    pub fn wants_something(&self) -> bool {
        !self.out.wants.is_empty() || self.lines.as_ref().is_some_and(|lines| !lines.wants.is_empty())
    }

    /// What the feeds want done, each with its connection.
    pub fn take_wants(&mut self) -> Vec<(usize, Want)> {
        match &mut self.lines {
            Some(lines) => std::mem::take(&mut lines.wants),
            None => self.out.wants.drain(..).map(|want| (0, want)).collect(),
        }
    }

    /// What each of several connections did; empty with one.
    pub fn copies(&self) -> &[ConnectionCounters] {
        self.lines.as_ref().map_or(&[], |lines| &lines.told)
    }

    /// Whether closing a connection now costs no book: the others, but for those `away`, have them
    /// all, or it has not.
    pub fn can_spare(&self, connection: usize, away: &[bool]) -> bool {
        let Some(lines) = &self.lines else { return true };
        let here = |other: &usize| *other != connection && !away.get(*other).copied().unwrap_or(false);
        (0..lines.told.len()).filter(here).any(|other| lines.carries_all(self, other))
            || !lines.carries_all(self, connection)
    }

    /// Which JSON tiers took the messages of all connections.
    pub fn tiers(&self) -> TierUse {
        let more = self.lines.iter().flat_map(|lines| &lines.feeds).map(|feed| feed.tiers());
        std::iter::once(self.feed.tiers()).chain(more).sum()
    }

    /// A book of the stage; of several that connections have for themselves, the published one.
    pub fn book(&self, book: BookId) -> Option<&Book> {
        let at = usize::from(book.0);
        let other = self.lines.as_ref().and_then(|lines| {
            let shown = lines.markets.get(at)?.shown.checked_sub(1)?;
            lines.books.get(shown)?.get(at)
        });
        other.or_else(|| self.books.get(at).map(|own| &own.book))
    }
}
