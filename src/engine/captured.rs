//! Captured messages in the place of live connections: the same feeds, the same books, published the
//! same way. One stage for all venues of a run, since a backtest runs on one thread.
//!
//! A recording may have several connections to a venue, and only its messages tell which of them
//! carries a book. So every connection has a feed for all books of its venue, and a book takes
//! changes from one connection at a time: the first that has any, until the book is not live.

use super::books::Books;
use super::feed::{FeedBook, FeedCounters, apply, doubt, loss_of, publish};
use super::plan::{Plan, PlannedVenue};
use crate::book::{Book, Glance, Trust};
use crate::detect::{self, BookSlot, Notifier};
use crate::telemetry::{Hop, HopRecorder, Stamps};
use crate::types::{Level, Nanos, Side, Stopwatch, Symbol};
use crate::venue::{BookChange, ChangeKind, Feed, FeedConfig, FeedError, FeedInput, FeedOut};

/// All books of a run, driven by captured messages.
pub struct CapturedStage {
    venues: Vec<CapturedVenue>,
    connections: Vec<Connection>,
    /// By slot.
    books: Vec<OwnedBook>,
    notifier: Notifier,
    out: FeedOut,
    /// Slots that the last turn moved, each once.
    moved: Vec<BookSlot>,
    hops: HopRecorder,
}

struct CapturedVenue {
    planned: PlannedVenue,
    config: FeedConfig,
    counters: FeedCounters,
}

struct Connection {
    venue: usize,
    feed: Box<dyn Feed>,
    /// Slots, by the feed's own numbers.
    slots: Vec<BookSlot>,
}

struct OwnedBook {
    book: FeedBook,
    /// The connection whose changes it takes.
    from: Option<usize>,
}

impl CapturedStage {
    /// The books of a plan, published through the cells of `books`; no connections yet.
    pub fn new(plan: &Plan, books: &mut Books) -> CapturedStage {
        let mut own: Vec<Option<OwnedBook>> = (0..plan.books).map(|_| None).collect();
        let mut venues = Vec::new();
        for planned in &plan.venues {
            for (book, slot) in books.feed_books(planned) {
                if let Some(place) = own.get_mut(usize::from(slot.0)) {
                    *place = Some(OwnedBook { book, from: None });
                }
            }
            let config = Books::feed_config(planned);
            venues.push(CapturedVenue {
                planned: planned.clone(),
                config,
                counters: FeedCounters::default(),
            });
        }
        CapturedStage {
            venues,
            connections: Vec::new(),
            books: own.into_iter().flatten().collect(),
            notifier: books.notifier(),
            out: FeedOut::default(),
            moved: Vec::new(),
            hops: HopRecorder::new(),
        }
    }

    /// A further connection to a venue of the plan, which carries those of its books that `wanted`
    /// picks. Its number.
    pub fn connect(&mut self, venue: usize, wanted: impl Fn(Symbol) -> bool) -> Option<usize> {
        let CapturedVenue { planned, config, .. } = self.venues.get(venue)?;
        let picked = planned.instruments.iter().zip(&config.books);
        let picked: Vec<_> = picked.filter(|(book, _)| wanted(book.spec.symbol)).collect();
        let config =
            FeedConfig { books: picked.iter().map(|(_, book)| (*book).clone()).collect(), ..config.clone() };
        let slots = picked.iter().map(|(book, _)| book.slot).collect();
        self.connections.push(Connection { venue, feed: (planned.row.feed)(&config), slots });
        Some(self.connections.len() - 1)
    }

    /// Takes one captured input of a connection. What follows is in [`CapturedStage::moved`] and
    /// [`CapturedStage::changes`] until the next turn.
    ///
    /// # Errors
    /// A message that cannot be read: the connection's books are lost until their next snapshots.
    pub fn turn(
        &mut self,
        connection: usize,
        input: FeedInput<'_>,
        now: Nanos,
        mut stamps: Stamps,
        watch: &impl Stopwatch,
    ) -> Result<Stamps, FeedError> {
        self.out.clear();
        self.moved.clear();
        let Some(own) = self.connections.get_mut(connection) else { return Ok(stamps) };
        let venue = own.venue;
        let message = matches!(input, FeedInput::Text(_) | FeedInput::Binary(_));
        let read = own.feed.on(input, now, &mut self.out);
        stamps.mark(Hop::Decode, watch.ticks());
        let counters = &mut self.venues[venue].counters;
        counters.frames += u64::from(message);
        counters.ignored += self.out.ignored;
        // Nobody can be asked for anything: what the recorder got instead is in the capture.
        self.out.wants.clear();
        if let Err(error) = read {
            counters.malformed += 1;
            self.out.changes.clear();
            self.withdraw_all(connection);
            return Err(error);
        }
        let changes = std::mem::take(&mut self.out.changes);
        for change in &changes {
            self.change(connection, change, now, &mut stamps, watch);
        }
        self.out.changes = changes;
        if message && !self.moved.is_empty() {
            self.hops.record_journey(&stamps, watch);
        }
        Ok(stamps)
    }

    /// As a feed stage has it, but for the question whose change it is.
    fn change(
        &mut self,
        connection: usize,
        change: &BookChange,
        now: Nanos,
        stamps: &mut Stamps,
        watch: &impl Stopwatch,
    ) {
        let Some(from) = self.connections.get_mut(connection) else { return };
        let Some(&slot) = from.slots.get(usize::from(change.book.0)) else { return };
        let Some(own) = self.books.get_mut(usize::from(slot.0)) else { return };
        if own.from != Some(connection) {
            if own.from.is_some() && own.book.book.trust() == Trust::Live {
                return;
            }
            own.from = Some(connection);
        }
        let counters = &mut self.venues[from.venue].counters;
        let FeedBook { book, overlay, .. } = &mut own.book;
        let lost = match change.kind {
            ChangeKind::Lost(why) => Some(why),
            _ => {
                let Some(applied) = apply(book, *overlay, change, &self.out, now) else { return };
                stamps.mark(Hop::Book, watch.ticks());
                counters.updates += 1;
                if change.kind != ChangeKind::Alive && !self.moved.contains(&slot) {
                    self.moved.push(slot);
                }
                let checked = applied.and_then(|touched| {
                    doubt(&mut *from.feed, book, change, now, stamps, watch).map_or(Ok(touched), Err)
                });
                match checked {
                    Ok(touched) => {
                        publish(&mut own.book, None, touched, &self.notifier, stamps, watch);
                        None
                    }
                    Err(why) => {
                        from.feed.distrust(change.book, why, now, &mut self.out);
                        self.out.wants.clear();
                        Some(why)
                    }
                }
            }
        };
        if let Some(why) = lost {
            counters.resyncs += u64::from(own.book.book.trust() == Trust::Live);
            own.book.withdraw(loss_of(why), &self.notifier);
        }
    }

    fn withdraw_all(&mut self, connection: usize) {
        for own in self.books.iter_mut().filter(|own| own.from == Some(connection)) {
            own.book.withdraw(crate::book::Loss::Outside, &self.notifier);
        }
    }

    /// The books that the last turn moved: by an applied message, or by a snapshot together with the
    /// updates that waited for it.
    pub fn moved(&self) -> &[BookSlot] {
        &self.moved
    }

    /// What the last turn's message changed, book by book, whether or not the book took it.
    pub fn changes(&self, connection: usize) -> impl Iterator<Item = CapturedChange<'_>> {
        let slots = self.connections.get(connection).map_or(&[][..], |own| &own.slots);
        self.out.changes.iter().filter_map(move |change| {
            let slot = *slots.get(usize::from(change.book.0))?;
            let taken = self.books.get(usize::from(slot.0))?.from == Some(connection);
            taken.then(|| CapturedChange {
                slot,
                kind: change.kind,
                bids: self.out.bids(change),
                asks: self.out.asks(change),
                keep: change.keep as usize,
            })
        })
    }

    /// The books that a connection may carry.
    pub fn slots(&self, connection: usize) -> &[BookSlot] {
        self.connections.get(connection).map_or(&[], |own| &own.slots)
    }

    /// A book of the plan.
    pub fn book(&self, slot: BookSlot) -> Option<&Book> {
        self.books.get(usize::from(slot.0)).map(|own| &own.book.book)
    }

    /// What a venue's messages did so far.
    pub fn counters(&self, venue: usize) -> FeedCounters {
        self.venues.get(venue).map_or_else(FeedCounters::default, |venue| venue.counters)
    }

    /// The times of its hops.
    pub fn hops(&self) -> &HopRecorder {
        &self.hops
    }
}

/// One change of one book, as captured.
#[derive(Clone, Copy, Debug)]
pub struct CapturedChange<'a> {
    /// Which book.
    pub slot: BookSlot,
    /// What to do with the levels.
    pub kind: ChangeKind,
    /// Bids, each with its absolute quantity.
    pub bids: &'a [Level],
    /// Asks.
    pub asks: &'a [Level],
    /// Cut each side to this many levels afterwards; zero = keep all.
    pub keep: usize,
}

/// The books themselves, at full depth, for a detector on the same thread.
impl detect::Books for &CapturedStage {
    type Levels<'a>
        = std::iter::Flatten<std::option::IntoIter<crate::book::BookLevels<'a>>>
    where
        Self: 'a;

    fn glance(&mut self, slot: BookSlot) -> Option<Glance> {
        self.book(slot).map(Book::glance)
    }

    fn load(&mut self, slot: BookSlot, _: Side) -> Option<Glance> {
        self.book(slot).map(Book::glance)
    }

    fn levels(&self, slot: BookSlot, side: Side) -> Self::Levels<'_> {
        self.book(slot).map(|book| book.levels(side)).into_iter().flatten()
    }
}
