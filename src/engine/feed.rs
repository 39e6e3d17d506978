//! The feed stage: one input of a venue's public connection, from message to published books.

use std::hint::black_box;
use std::ops::AddAssign;

use super::journey::JourneyCell;
use super::redundant::Lines;
use crate::book::{Book, BookConfig, Loss, Stamp, Touched, Trust, Writer};
use crate::detect::Notifier;
use crate::sync::Arc;
use crate::telemetry::{Hop, HopRecorder, Stamps};
use crate::types::{BookId, Level, Nanos, Stopwatch};
use crate::venue::{BookChange, ChangeKind, Feed, FeedError, FeedInput, FeedOut, Lost, Verdict};
use crate::wire::PaddedBuf;

/// How long a book may stay crossed within itself before it is built anew.
const CROSSED_MAX: Nanos = Nanos::from_millis(100);

/// Turns whose times may wait to be recorded.
const JOURNEYS: usize = 64;

/// What a feed stage did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FeedCounters {
    /// Messages taken.
    pub frames: u64,
    /// Changes applied to books.
    pub updates: u64,
    /// Times a book was lost.
    pub resyncs: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Messages of channels that carry no book.
    pub ignored: u64,
}

impl AddAssign for FeedCounters {
    fn add_assign(&mut self, other: FeedCounters) {
        self.frames += other.frames;
        self.updates += other.updates;
        self.resyncs += other.resyncs;
        self.malformed += other.malformed;
        self.ignored += other.ignored;
    }
}

/// One book of the stage: what this thread owns, and where the others look.
pub struct FeedBook {
    pub(super) book: Book,
    config: BookConfig,
    pub(super) writer: Writer,
    journey: Arc<JourneyCell>,
    /// The book's number at the detector.
    pub(super) slot: u16,
    /// The ticker stream has a say in the top.
    pub(super) overlay: bool,
}

impl FeedBook {
    /// A book that waits, published through `writer` as number `slot` of the detector. With
    /// `overlay`, a ticker that is newer than the depth replaces the best levels.
    pub fn new(
        config: BookConfig,
        overlay: bool,
        writer: Writer,
        journey: Arc<JourneyCell>,
        slot: u16,
    ) -> FeedBook {
        FeedBook { book: Book::new(config), config, writer, journey, slot, overlay }
    }

    /// The book is not to be trusted from here on, and whoever reads it is told.
    pub(super) fn withdraw(&mut self, loss: Loss, notifier: &Notifier) {
        self.book.lost(loss);
        if self.writer.withdraw(Trust::Lost) {
            notifier.moved(self.slot);
        }
    }
}

/// A venue's feed with the books that it carries. Owned by one thread; allocates nothing once its
/// buffers have grown.
pub struct FeedStage {
    pub(super) feed: Box<dyn Feed>,
    pub(super) books: Vec<FeedBook>,
    pub(super) out: FeedOut,
    pub(super) notifier: Notifier,
    hops: HopRecorder,
    /// Journeys to be recorded once nobody waits.
    journeys: Vec<Stamps>,
    pub(super) counters: FeedCounters,
    /// The other connections for the same stream, if there are any.
    pub(super) lines: Option<Box<Lines>>,
    /// The last message, for rehearsals.
    heard: Heard,
}

/// A message that was taken, kept to be read again in rehearsals.
#[derive(Default)]
struct Heard {
    message: PaddedBuf,
    binary: bool,
    /// Room for its levels.
    levels: Vec<Level>,
}

impl FeedStage {
    /// `books[i]` is the feed's `BookId(i)`.
    pub fn new(feed: Box<dyn Feed>, books: Vec<FeedBook>, notifier: Notifier) -> FeedStage {
        FeedStage {
            feed,
            books,
            out: FeedOut::default(),
            notifier,
            hops: HopRecorder::new(),
            journeys: Vec::with_capacity(JOURNEYS),
            counters: FeedCounters::default(),
            lines: None,
            heard: Heard::default(),
        }
    }

    /// Keeps a message that was taken for rehearsals.
    pub fn keep(&mut self, input: FeedInput<'_>) {
        let (FeedInput::Text(message) | FeedInput::Binary(message)) = input else { return };
        self.heard.message.fill(message.message());
        self.heard.binary = matches!(input, FeedInput::Binary(_));
    }

    /// Reads the kept message again, and sets the best levels of a book to what they are: nothing changes,
    /// and what does this for a message that counts stays in the caches of a thread that waits for one.
    pub fn rehearse(&mut self) {
        let Heard { message, binary, levels } = &mut self.heard;
        let message = message.message();
        if !message.message().is_empty() {
            let input = if *binary { FeedInput::Binary(message) } else { FeedInput::Text(message) };
            self.feed.rehearse(input, levels);
        }
        // Of several connections each has books of its own.
        let changed = self.out.changes.last().filter(|_| self.lines.is_none());
        let Some(change) = changed else { return };
        let Some(own) = self.books.get_mut(usize::from(change.book.0)) else { return };
        own.book.rehearse();
        if change.check.is_some() && own.book.trust() == Trust::Live {
            black_box(self.feed.verify(change, &own.book.depth()));
        }
    }

    /// Adds connections for the same stream, each with a feed like the first. Their inputs come in
    /// by [`FeedStage::turn_from`], and so do those of the first from now on.
    pub fn with_more(mut self, feeds: Vec<Box<dyn Feed>>) -> FeedStage {
        if !feeds.is_empty() {
            let configs: Vec<_> = self.books.iter().map(|own| own.config).collect();
            self.lines = Some(Box::new(Lines::new(&*self.feed, feeds, &configs)));
        }
        self
    }

    /// Takes one input: at most one message, from bytes to published books. Each change is applied,
    /// then compared with the venue's checksum, and only then published.
    ///
    /// # Errors
    /// The connection cannot be trusted further: its books are withdrawn already, and the caller
    /// reconnects.
    #[inline]
    pub fn turn(
        &mut self,
        input: FeedInput<'_>,
        now: Nanos,
        mut stamps: Stamps,
        watch: &impl Stopwatch,
    ) -> Result<(), FeedError> {
        self.out.clear();
        let message = matches!(input, FeedInput::Text(_) | FeedInput::Binary(_));
        self.counters.frames += u64::from(message);
        let read = self.feed.on(input, now, &mut self.out);
        stamps.mark(Hop::Decode, watch.ticks());
        if let Err(error) = read {
            self.counters.malformed += 1;
            for index in 0..self.books.len() {
                self.withdraw(index, Loss::Outside);
            }
            return Err(error);
        }
        self.counters.ignored += self.out.ignored;
        // Taken out and put back: a change may make the stage distrust a book, and the feed say so
        // once more.
        let changes = std::mem::take(&mut self.out.changes);
        for change in &changes {
            self.change(change, now, &mut stamps, watch);
        }
        let moved = !changes.is_empty();
        self.out.changes = changes;
        if message && moved {
            self.keep_journey(stamps, watch);
        }
        Ok(())
    }

    /// Keeps a turn's times until somebody settles them.
    #[inline]
    pub(super) fn keep_journey(&mut self, stamps: Stamps, watch: &impl Stopwatch) {
        if self.journeys.len() == JOURNEYS {
            self.settle(watch);
        }
        self.journeys.push(stamps);
    }

    /// Records the times of the turns since the last call. Not part of a turn, because on one thread
    /// the detector waits for its end.
    pub fn settle(&mut self, watch: &impl Stopwatch) {
        for stamps in self.journeys.drain(..) {
            self.hops.record_journey(&stamps, watch);
        }
    }

    #[inline]
    fn change(&mut self, change: &BookChange, now: Nanos, stamps: &mut Stamps, watch: &impl Stopwatch) {
        if let ChangeKind::Lost(why) = change.kind {
            self.lost(change.book, why);
            return;
        }
        let Some(own) = self.books.get_mut(usize::from(change.book.0)) else { return };
        let Some(applied) = apply(&mut own.book, own.overlay, change, &self.out, now) else { return };
        // A ticker goes around the ladder: it is part of what is published.
        if change.kind != ChangeKind::Top {
            stamps.mark(Hop::Book, watch.ticks());
        }
        self.counters.updates += 1;
        let touched = match applied {
            Ok(touched) => touched,
            Err(why) => return self.distrust(change.book, why, now),
        };
        if let Some(why) = doubt(&mut *self.feed, &mut own.book, change, now, stamps, watch) {
            return self.distrust(change.book, why, now);
        }
        publish(own, None, touched, &self.notifier, stamps, watch);
    }

    /// The feed itself says that a book lost its place, and knows what to do about it.
    pub(super) fn lost(&mut self, book: BookId, why: Lost) {
        self.withdraw(usize::from(book.0), loss_of(why));
    }

    /// The stage found a book wrong: withdrawn at once, and the feed starts it anew.
    fn distrust(&mut self, book: BookId, why: Lost, now: Nanos) {
        self.lost(book, why);
        self.feed.distrust(book, why, now, &mut self.out);
    }

    fn withdraw(&mut self, index: usize, loss: Loss) {
        let Some(own) = self.books.get_mut(index) else { return };
        self.counters.resyncs += u64::from(own.book.trust() == Trust::Live);
        own.withdraw(loss, &self.notifier);
    }

    /// The feed behind the stage: the first connection's, where there are several.
    pub fn feed(&self) -> &dyn Feed {
        &*self.feed
    }

    /// What the stage did so far.
    pub fn counters(&self) -> FeedCounters {
        self.counters
    }

    /// The times of its hops, as last settled.
    pub fn hops(&self) -> &HopRecorder {
        &self.hops
    }
}

/// Puts a change into a book; `None` when it holds nothing that belongs there.
#[inline(always)]
pub(super) fn apply(
    book: &mut Book,
    overlay: bool,
    change: &BookChange,
    out: &FeedOut,
    now: Nanos,
) -> Option<Result<Touched, Lost>> {
    let stamp = Stamp { seq: change.seq, received: now, venue_time: change.venue_time };
    let (bids, asks) = (out.bids(change), out.asks(change));
    let keep = change.keep as usize;
    let applied = match change.kind {
        ChangeKind::Update => book.update(bids, asks, keep, stamp),
        ChangeKind::Snapshot { live } => book.snapshot(bids, asks, live, keep, stamp),
        ChangeKind::Top if !overlay => return None,
        ChangeKind::Top => Ok(book.ticker(bids.first().copied(), asks.first().copied(), stamp)?),
        ChangeKind::Alive => {
            book.alive(now);
            Ok(Touched::NONE)
        }
        ChangeKind::Lost(_) => return None,
    };
    Some(applied.map_err(|_| Lost::Overflow))
}

/// What speaks against a book after a change: the venue's checksum, or a cross that lasts.
#[inline(always)]
pub(super) fn doubt(
    feed: &mut dyn Feed,
    book: &mut Book,
    change: &BookChange,
    now: Nanos,
    stamps: &mut Stamps,
    watch: &impl Stopwatch,
) -> Option<Lost> {
    if matches!(change.kind, ChangeKind::Update | ChangeKind::Snapshot { .. }) && change.check.is_some() {
        let verdict = feed.verify(change, &book.depth());
        book.checked(match verdict {
            Verdict::Absent => None,
            Verdict::Matches => Some(true),
            Verdict::Differs { .. } => Some(false),
        });
        stamps.mark(Hop::Verify, watch.ticks());
        if let Verdict::Differs { ours, theirs } = verdict {
            return Some(Lost::Checksum { ours, theirs });
        }
    }
    book.crossed_since().is_some_and(|since| now - since > CROSSED_MAX).then_some(Lost::Crossed)
}

/// Publishes a book through the cell of `own`, which is its own unless `other` is given.
#[inline(always)]
pub(super) fn publish(
    own: &mut FeedBook,
    other: Option<&mut Book>,
    touched: Touched,
    notifier: &Notifier,
    stamps: &mut Stamps,
    watch: &impl Stopwatch,
) {
    if other.unwrap_or(&mut own.book).publish(touched, &mut own.writer) {
        stamps.mark(Hop::Publish, watch.ticks());
        own.journey.store(stamps);
        notifier.moved(own.slot);
    }
}

/// A feed's reason as a book's.
pub(super) fn loss_of(why: Lost) -> Loss {
    match why {
        Lost::Gap { .. } => Loss::Gap,
        Lost::Checksum { .. } => Loss::Checksum,
        Lost::Overflow => Loss::Ladder,
        Lost::Crossed => Loss::Crossed,
        _ => Loss::Outside,
    }
}
