//! A book for each connection, where nothing but the venue's time tells copies apart. The trusted
//! one with the newest time is published; when it is lost, the next one is, at once.

use super::super::feed::{FeedBook, FeedStage, apply, doubt, loss_of, publish};
use super::{Lines, Turn, feed};
use crate::book::{Book, Touched, Trust};
use crate::telemetry::{Hop, Stamps};
use crate::types::{Nanos, Stopwatch};
use crate::venue::{BookChange, ChangeKind, Lost};

/// Books that are equally new by the venue's time may be one update apart, so the one that is
/// published stays, unless it was not heard of for so long while another was.
const SILENCE: Nanos = Nanos::from_millis(500);

/// The book of a connection: the first one's is the stage's own.
fn book_of<'a>(
    first: &'a mut FeedBook,
    more: &'a mut [Vec<Book>],
    connection: usize,
    book: usize,
) -> &'a mut Book {
    match connection.checked_sub(1).and_then(|at| more.get_mut(at)?.get_mut(book)) {
        Some(book) => book,
        None => &mut first.book,
    }
}

impl Lines {
    /// Applies a change to its connection's book, and publishes the best there is. True when the
    /// book has changed.
    pub(super) fn pick<W: Stopwatch>(
        &mut self,
        stage: &mut FeedStage,
        change: &BookChange,
        turn: &mut Turn<'_, W>,
    ) -> bool {
        let (at, connection, now) = (usize::from(change.book.0), turn.connection, turn.now);
        let Some(own) = stage.books.get_mut(at) else { return false };
        let overlay = own.overlay;
        let book = book_of(own, &mut self.books, connection, at);
        let Some(applied) = apply(book, overlay, change, &stage.out, now) else { return false };
        stage.counters.updates += 1;
        turn.stamps.mark(Hop::Book, turn.watch.ticks());
        let checked = applied.and_then(|touched| {
            let feed = feed(&mut stage.feed, &mut self.feeds, connection);
            doubt(feed, book, change, now, turn.stamps, turn.watch).map_or(Ok(touched), Err)
        });
        match checked {
            Ok(touched) => {
                self.race(change, connection, turn.arrived);
                if let Some(leg) = self.leg(connection, at) {
                    leg.carries = true;
                }
                self.settle(stage, at, Some((connection, touched)), turn.stamps, turn.watch);
            }
            Err(why) => {
                self.drop_book(stage, connection, at, why);
                self.distrust(stage, connection, at, why, now);
            }
        }
        true
    }

    fn leg(&mut self, connection: usize, book: usize) -> Option<&mut super::Leg> {
        self.markets.get_mut(book)?.legs.get_mut(connection)
    }

    /// Counts who was first. An update without a time takes no part.
    fn race(&mut self, change: &BookChange, connection: usize, arrived: Nanos) {
        let ticker = match change.kind {
            ChangeKind::Update => false,
            ChangeKind::Top => true,
            _ => return,
        };
        let time = u64::try_from(change.venue_time.0).unwrap_or(0);
        let Some(market) = self.markets.get_mut(usize::from(change.book.0)).filter(|_| time > 0) else {
            return;
        };
        let newest = |leg: &super::Leg| if ticker { leg.ticker } else { leg.at };
        let others = market.legs.iter().enumerate().filter(|(other, _)| *other != connection);
        let known = others.map(|(_, leg)| newest(leg)).max().unwrap_or(0);
        let (Some(leg), Some(told)) = (market.legs.get_mut(connection), self.told.get_mut(connection)) else {
            return;
        };
        let own = if ticker { &mut leg.ticker } else { &mut leg.at };
        *own = (*own).max(time);
        if time <= known {
            market.race.late(ticker, time, arrived, told);
        } else {
            market.race.first(ticker, time, arrived, told);
        }
    }

    /// Whether a connection has a book that may be traded on.
    pub(super) fn has_book(&self, stage: &FeedStage, connection: usize, book: usize) -> bool {
        self.peek(stage, connection, book).is_some_and(|book| book.trust() == Trust::Live)
    }

    fn peek<'a>(&'a self, stage: &'a FeedStage, connection: usize, book: usize) -> Option<&'a Book> {
        match connection.checked_sub(1) {
            Some(at) => self.books.get(at)?.get(book),
            None => stage.books.get(book).map(|own| &own.book),
        }
    }

    /// Which connection's book to publish.
    fn elect(&self, stage: &FeedStage, book: usize) -> Option<usize> {
        let shown = self.markets.get(book)?.shown;
        let live = |connection: usize| {
            let book = self.peek(stage, connection, book)?;
            (book.trust() == Trust::Live).then(|| book.stamp())
        };
        let mut best = live(shown).map(|stamp| (shown, stamp));
        for other in (0..self.told.len()).filter(|other| *other != shown) {
            let Some(stamp) = live(other) else { continue };
            let better = best.is_none_or(|(_, best)| {
                stamp.venue_time > best.venue_time
                    || (stamp.venue_time == best.venue_time && stamp.received - best.received > SILENCE)
            });
            if better {
                best = Some((other, stamp));
            }
        }
        best.map(|(connection, _)| connection)
    }

    /// Publishes what is best after a connection's book was `moved`, or lost.
    fn settle(
        &mut self,
        stage: &mut FeedStage,
        at: usize,
        moved: Option<(usize, Touched)>,
        stamps: &mut Stamps,
        watch: &impl Stopwatch,
    ) {
        let best = self.elect(stage, at);
        let (Some(market), Some(own)) = (self.markets.get_mut(at), stage.books.get_mut(at)) else { return };
        let Some(best) = best else {
            stage.counters.resyncs += u64::from(std::mem::take(&mut market.whole));
            if own.writer.withdraw(Trust::Lost) {
                stage.notifier.moved(own.slot);
            }
            return;
        };
        let other = !std::mem::replace(&mut market.whole, true) || market.shown != best;
        market.shown = best;
        let touched = match moved {
            _ if other => Touched::ALL,
            Some((connection, touched)) if connection == best => touched,
            _ => return,
        };
        let book = best.checked_sub(1).and_then(|more| self.books.get_mut(more)?.get_mut(at));
        publish(own, book, touched, &stage.notifier, stamps, watch);
    }

    /// A connection's book is not to be trusted any more; another one's is published if there is one.
    pub(super) fn drop_book(&mut self, stage: &mut FeedStage, connection: usize, at: usize, why: Lost) {
        let Some(own) = stage.books.get_mut(at) else { return };
        let book = book_of(own, &mut self.books, connection, at);
        book.lost(loss_of(why));
        let carried = self.leg(connection, at).is_some_and(|leg| std::mem::take(&mut leg.carries));
        let covered = (0..self.told.len()).any(|other| self.has_book(stage, other, at));
        if let Some(told) = self.told.get_mut(connection).filter(|_| carried) {
            told.lost += 1;
            told.covered += u64::from(covered);
        }
        self.settle(stage, at, None, &mut Stamps::default(), &Unwatched);
    }
}

/// The loss of a book is no journey of a frame.
struct Unwatched;

impl Stopwatch for Unwatched {
    fn ticks(&self) -> u64 {
        0
    }

    fn nanos(&self, _: u64, _: u64) -> u64 {
        0
    }
}
