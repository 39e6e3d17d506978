//! Captured messages in the place of live connections: the same feeds, the same books, published the
//! same way. One stage for all venues of a run, since a backtest runs on one thread.
//!
//! A recording may have several connections to a venue, and only its messages tell which of them
//! carries a book. So every connection has a feed for all books of its venue, and a book takes
//! changes from one connection at a time: the first that has any, until the book is not live.
//!
//! Where the same books are wanted twice, some time apart, the second stage follows the first: it is
//! handed what each message did to the books, and reads nothing itself.

use super::books::Books;
use super::feed::{FeedBook, FeedCounters, apply, doubt, loss_of, publish};
use super::plan::{Plan, PlannedVenue};
use crate::book::{Book, Glance, Loss, Trust};
use crate::detect::{self, BookSlot, Notifier};
use crate::telemetry::{Hop, HopRecorder, Stamps};
use crate::types::{Level, Nanos, Side, Stopwatch, Symbol};
use crate::venue::{BookChange, ChangeKind, Feed, FeedConfig, FeedError, FeedInput, FeedOut, Lost};

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
    /// What the last turn did to the books, where another stage follows this one. Nobody looks at the
    /// books of such a stage, and they are not published.
    steps: Option<Vec<Step>>,
    /// How long the last input took to read, in ticks, where it was a message.
    decode: Option<u64>,
    hops: HopRecorder,
}

/// What one message did to the books of a stage, for another that follows it.
#[derive(Default)]
pub struct Handed {
    out: FeedOut,
    steps: Vec<Step>,
    /// How long it took to read the message, in the stopwatch's ticks; `None` for other inputs.
    decode: Option<u64>,
}

enum Step {
    /// The book took that change of the message, and was lost over it if so.
    Change { slot: BookSlot, at: usize, lost: Option<Lost> },
    /// The book was lost to something outside of it.
    Withdraw(BookSlot),
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
            steps: None,
            decode: None,
            hops: HopRecorder::new(),
        }
    }

    /// Keeps what each turn does, for a stage that follows: see [`CapturedStage::hand`].
    pub fn lead(&mut self) {
        self.steps = Some(Vec::new());
    }

    /// Whether the last turn did anything to the books that is to be handed over.
    pub fn has_steps(&self) -> bool {
        self.steps.as_ref().is_some_and(|steps| !steps.is_empty())
    }

    /// Hands over what the last turn did to the books, for another stage of the same plan to do at its
    /// time. The memory of `into` is used again.
    pub fn hand(&mut self, into: &mut Handed) {
        let Some(steps) = &mut self.steps else { return };
        into.steps.clear();
        std::mem::swap(steps, &mut into.steps);
        std::mem::swap(&mut self.out, &mut into.out);
        into.decode = self.decode;
    }

    /// Does to these books what a message did to those of the stage before it.
    pub fn follow(&mut self, handed: &Handed, now: Nanos, watch: &impl Stopwatch) -> Stamps {
        self.moved.clear();
        let began = watch.ticks();
        // As if the message had been read here.
        let mut stamps = Stamps::begin(began.saturating_sub(handed.decode.unwrap_or(0)), 0);
        stamps.mark(Hop::Decode, began);
        for step in &handed.steps {
            let (slot, change) = match *step {
                Step::Change { slot, at, lost } => (slot, handed.out.changes.get(at).map(|one| (one, lost))),
                Step::Withdraw(slot) => (slot, None),
            };
            let Some(own) = self.books.get_mut(usize::from(slot.0)).map(|own| &mut own.book) else {
                continue;
            };
            let Some((change, lost)) = change else {
                own.withdraw(Loss::Outside, &self.notifier);
                continue;
            };
            let applied = apply(&mut own.book, own.overlay, change, &handed.out, now);
            if applied.is_some() {
                stamps.mark(Hop::Book, watch.ticks());
                note(&mut self.moved, slot, change.kind);
            }
            match (lost, applied) {
                (Some(why), _) | (None, Some(Err(why))) => own.withdraw(loss_of(why), &self.notifier),
                (None, Some(Ok(touched))) => publish(own, None, touched, &self.notifier, &mut stamps, watch),
                (None, None) => {}
            }
        }
        if handed.decode.is_some() && !self.moved.is_empty() {
            self.hops.record_journey(&stamps, watch);
        }
        stamps
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
        if let Some(steps) = &mut self.steps {
            steps.clear();
        }
        let Some(own) = self.connections.get_mut(connection) else { return Ok(stamps) };
        let venue = own.venue;
        let message = matches!(input, FeedInput::Text(_) | FeedInput::Binary(_));
        let read = own.feed.on(input, now, &mut self.out);
        let decoded = watch.ticks();
        stamps.mark(Hop::Decode, decoded);
        self.decode = message.then(|| decoded.saturating_sub(stamps.start()));
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
        for (at, change) in changes.iter().enumerate() {
            self.change(connection, (at, change), now, &mut stamps, watch);
        }
        self.out.changes = changes;
        if message && !self.moved.is_empty() && self.steps.is_none() {
            self.hops.record_journey(&stamps, watch);
        }
        Ok(stamps)
    }

    /// As a feed stage has it, but for the question whose change it is.
    fn change(
        &mut self,
        connection: usize,
        (at, change): (usize, &BookChange),
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
                note(&mut self.moved, slot, change.kind);
                let checked = applied.and_then(|touched| {
                    doubt(&mut *from.feed, book, change, now, stamps, watch).map_or(Ok(touched), Err)
                });
                match checked {
                    Ok(touched) => {
                        if self.steps.is_none() {
                            publish(&mut own.book, None, touched, &self.notifier, stamps, watch);
                        }
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
        if let Some(steps) = &mut self.steps {
            steps.push(Step::Change { slot, at, lost });
        }
        if let Some(why) = lost {
            counters.resyncs += u64::from(own.book.book.trust() == Trust::Live);
            own.book.withdraw(loss_of(why), &self.notifier);
        }
    }

    fn withdraw_all(&mut self, connection: usize) {
        for (slot, own) in (0..).zip(&mut self.books).filter(|(_, own)| own.from == Some(connection)) {
            own.book.withdraw(Loss::Outside, &self.notifier);
            if let Some(steps) = &mut self.steps {
                steps.push(Step::Withdraw(BookSlot(slot)));
            }
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

/// Notes that a change moved a book.
fn note(moved: &mut Vec<BookSlot>, slot: BookSlot, kind: ChangeKind) {
    if kind != ChangeKind::Alive && !moved.contains(&slot) {
        moved.push(slot);
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
