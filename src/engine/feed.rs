//! The feed stage: one input of a venue's public connection, from message to published books.

use std::ops::AddAssign;

use super::journey::JourneyCell;
use crate::book::{Book, BookConfig, Loss, Stamp, Touched, Trust, Writer};
use crate::detect::Notifier;
use crate::sync::Arc;
use crate::telemetry::{Hop, HopRecorder, Stamps};
use crate::types::{BookId, Nanos, Stopwatch};
use crate::venue::{
    BookChange, ChangeKind, Feed, FeedError, FeedInput, FeedOut, Lost, TierUse, Verdict, Want,
};

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
    book: Book,
    writer: Writer,
    journey: Arc<JourneyCell>,
    /// The book's number at the detector.
    slot: u16,
    /// The ticker stream has a say in the top.
    overlay: bool,
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
        FeedBook { book: Book::new(config), writer, journey, slot, overlay }
    }
}

/// A venue's feed with the books that it carries. Owned by one thread; allocates nothing once its
/// buffers have grown.
pub struct FeedStage {
    feed: Box<dyn Feed>,
    books: Vec<FeedBook>,
    out: FeedOut,
    notifier: Notifier,
    hops: HopRecorder,
    /// Journeys to be recorded once nobody waits.
    journeys: Vec<Stamps>,
    counters: FeedCounters,
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
        }
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
            if self.journeys.len() == JOURNEYS {
                self.settle(watch);
            }
            self.journeys.push(stamps);
        }
        Ok(())
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
        let Some(own) = self.books.get_mut(usize::from(change.book.0)) else { return };
        let stamp = Stamp { seq: change.seq, received: now, venue_time: change.venue_time };
        let (bids, asks) = (self.out.bids(change), self.out.asks(change));
        let keep = change.keep as usize;
        let applied = match change.kind {
            ChangeKind::Update => own.book.update(bids, asks, keep, stamp),
            ChangeKind::Snapshot { live } => own.book.snapshot(bids, asks, live, keep, stamp),
            ChangeKind::Top if !own.overlay => return,
            ChangeKind::Top => match own.book.ticker(bids.first().copied(), asks.first().copied(), stamp) {
                Some(touched) => Ok(touched),
                None => return,
            },
            ChangeKind::Alive => {
                own.book.alive(now);
                Ok(Touched::NONE)
            }
            ChangeKind::Lost(why) => {
                self.lost(change.book, why);
                return;
            }
        };
        stamps.mark(Hop::Book, watch.ticks());
        self.counters.updates += 1;
        let Ok(touched) = applied else {
            self.distrust(change.book, Lost::Overflow, now);
            return;
        };
        if matches!(change.kind, ChangeKind::Update | ChangeKind::Snapshot { .. }) && change.check.is_some() {
            let verdict = self.feed.verify(change, own.book.ladder());
            own.book.checked(match verdict {
                Verdict::Absent => None,
                Verdict::Matches => Some(true),
                Verdict::Differs { .. } => Some(false),
            });
            stamps.mark(Hop::Verify, watch.ticks());
            if let Verdict::Differs { ours, theirs } = verdict {
                self.distrust(change.book, Lost::Checksum { ours, theirs }, now);
                return;
            }
        }
        if own.book.crossed_since().is_some_and(|since| now - since > CROSSED_MAX) {
            self.distrust(change.book, Lost::Crossed, now);
            return;
        }
        if own.book.publish(touched, &mut own.writer) {
            stamps.mark(Hop::Publish, watch.ticks());
            own.journey.store(stamps);
            self.notifier.moved(own.slot);
        }
    }

    /// The feed itself says that a book lost its place, and knows what to do about it.
    fn lost(&mut self, book: BookId, why: Lost) {
        let loss = match why {
            Lost::Gap { .. } => Loss::Gap,
            Lost::Checksum { .. } => Loss::Checksum,
            Lost::Overflow => Loss::Ladder,
            Lost::Crossed => Loss::Crossed,
            _ => Loss::Outside,
        };
        self.withdraw(usize::from(book.0), loss);
    }

    /// The stage found a book wrong: withdrawn at once, and the feed starts it anew.
    fn distrust(&mut self, book: BookId, why: Lost, now: Nanos) {
        self.lost(book, why);
        self.feed.distrust(book, why, now, &mut self.out);
    }

    fn withdraw(&mut self, index: usize, loss: Loss) {
        let Some(own) = self.books.get_mut(index) else { return };
        self.counters.resyncs += u64::from(own.book.trust() == Trust::Live);
        own.book.lost(loss);
        if own.writer.withdraw(Trust::Lost) {
            self.notifier.moved(own.slot);
        }
    }

    /// What the feed wants done after the last turn.
    pub fn wants(&mut self) -> std::vec::Drain<'_, Want> {
        self.out.wants.drain(..)
    }

    /// The feed behind the stage.
    pub fn feed(&self) -> &dyn Feed {
        &*self.feed
    }

    /// A book of the stage.
    pub fn book(&self, book: BookId) -> Option<&Book> {
        self.books.get(usize::from(book.0)).map(|own| &own.book)
    }

    /// What the stage did so far.
    pub fn counters(&self) -> FeedCounters {
        self.counters
    }

    /// Which JSON tiers took its messages.
    pub fn tiers(&self) -> TierUse {
        self.feed.tiers()
    }

    /// The times of its hops, as last settled.
    pub fn hops(&self) -> &HopRecorder {
        &self.hops
    }
}
