//! One book from several connections whose updates share the venue's sequence.
//!
//! A connection *carries* a book from its snapshot until its feed loses it: it has had every change
//! up to a number, and its next update covers all changes after that, as absolute quantities. So an
//! update may be applied when the book stands within it: not before the update's start, where a
//! change would be missing, and before its end, where nothing would be new. That holds however the
//! venue cuts the stream into updates on each connection.

use super::super::feed::{FeedStage, apply, doubt, publish};
use super::{Leg, Lines, Market, Turn, feed};
use crate::book::BookConfig;
use crate::types::{BookId, Level, Nanos, Stopwatch};
use crate::venue::{BookChange, ChangeKind, FeedOut, Lost};

/// What to do with a change.
enum Sift {
    Apply,
    /// Known already, or from behind a hole.
    Drop,
    /// It cannot be: the connection starts the book anew.
    Refuse,
    /// The numbers fell: nobody can tell which connection is ahead.
    Restart,
}

impl Market {
    /// Whether a connection takes the book further from where it stands.
    pub(super) fn carries(&self, connection: usize) -> bool {
        self.whole && self.legs.get(connection).is_some_and(|leg| leg.carries && leg.at <= self.at)
    }

    fn carried_without(&self, connection: usize) -> bool {
        (0..self.legs.len()).any(|other| other != connection && self.carries(other))
    }

    /// There is no book any more.
    fn forget(&mut self) {
        (self.whole, self.at, self.ticker) = (false, 0, 0);
        self.race.clear();
    }
}

impl Lines {
    /// Applies a change, unless its copy was faster. True when the book has changed.
    pub(super) fn merge<W: Stopwatch>(
        &mut self,
        stage: &mut FeedStage,
        change: &BookChange,
        turn: &mut Turn<'_, W>,
    ) -> bool {
        let (book, now) = (usize::from(change.book.0), turn.now);
        match self.sift(stage, change, turn.connection, turn.arrived) {
            Sift::Drop => return false,
            Sift::Refuse => {
                self.drop_leg(stage, turn.connection, book, Lost::Malformed, now);
                self.distrust(stage, turn.connection, book, Lost::Malformed, now);
                return true;
            }
            Sift::Restart => {
                self.restart(stage, book, Lost::Ended, now);
                return true;
            }
            Sift::Apply => {}
        }
        let Some(own) = stage.books.get_mut(book) else { return false };
        let Some(applied) = apply(&mut own.book, own.overlay, change, &stage.out, now) else { return false };
        stage.counters.updates += 1;
        turn.stamps.mark(crate::telemetry::Hop::Book, turn.watch.ticks());
        let checked = applied.and_then(|touched| {
            let feed = feed(&mut stage.feed, &mut self.feeds, turn.connection);
            doubt(feed, &mut own.book, change, now, turn.stamps, turn.watch).map_or(Ok(touched), Err)
        });
        match checked {
            Ok(touched) => publish(own, None, touched, &stage.notifier, turn.stamps, turn.watch),
            Err(why) => self.restart(stage, book, why, now),
        }
        true
    }

    /// Notes what a connection brought, and says what to do with it.
    fn sift(&mut self, stage: &FeedStage, change: &BookChange, connection: usize, arrived: Nanos) -> Sift {
        let at = usize::from(change.book.0);
        let (Some(market), Some(own)) = (self.markets.get_mut(at), stage.books.get(at)) else {
            return Sift::Drop;
        };
        let others = market.carried_without(connection);
        let (Some(leg), Some(told)) = (market.legs.get_mut(connection), self.told.get_mut(connection)) else {
            return Sift::Drop;
        };
        let seq = change.seq;
        match change.kind {
            ChangeKind::Snapshot { .. } => {
                if leg.carries && seq < leg.at {
                    return Sift::Restart;
                }
                if !others && !fits(change, &stage.out, &market.config) {
                    return Sift::Refuse;
                }
                *leg = Leg { carries: true, at: seq, ..*leg };
                // A connection that comes back finds the book whole: only its place is news.
                if others {
                    return Sift::Drop;
                }
                (market.whole, market.at) = (true, seq);
                Sift::Apply
            }
            ChangeKind::Update => {
                let from = leg.at;
                if !leg.carries {
                    return Sift::Drop;
                }
                if seq < from {
                    return Sift::Restart;
                }
                if seq <= market.at {
                    leg.at = seq;
                    market.race.late(false, seq, arrived, told);
                    return Sift::Drop;
                }
                // From a snapshot that was ahead of the book: the others bring what is between.
                if from > market.at || !market.whole {
                    leg.at = seq;
                    return Sift::Drop;
                }
                if !fits(change, &stage.out, &market.config) {
                    return Sift::Refuse;
                }
                (leg.at, market.at) = (seq, seq);
                market.race.first(false, seq, arrived, told);
                Sift::Apply
            }
            ChangeKind::Top if !own.overlay => Sift::Drop,
            ChangeKind::Top => {
                if market.config.ticker_only {
                    (leg.carries, market.whole) = (true, true);
                }
                leg.ticker = seq;
                if seq <= market.ticker {
                    market.race.late(true, seq, arrived, told);
                    return Sift::Drop;
                }
                market.ticker = seq;
                market.race.first(true, seq, arrived, told);
                Sift::Apply
            }
            // From a connection that is behind, it says nothing about now.
            ChangeKind::Alive if market.whole && leg.carries && leg.at >= market.at => Sift::Apply,
            ChangeKind::Alive | ChangeKind::Lost(_) => Sift::Drop,
        }
    }

    /// A connection carries a book no longer; the book is lost with it unless another one does.
    pub(super) fn drop_leg(
        &mut self,
        stage: &mut FeedStage,
        connection: usize,
        book: usize,
        why: Lost,
        now: Nanos,
    ) {
        let Some(market) = self.markets.get_mut(book) else { return };
        let others = market.carried_without(connection);
        let Some(leg) = market.legs.get_mut(connection) else { return };
        let carried = std::mem::take(leg).carries;
        if let Some(told) = self.told.get_mut(connection).filter(|_| carried) {
            told.lost += 1;
            told.covered += u64::from(others);
        }
        if others {
            return;
        }
        market.forget();
        stage.lost(BookId(book as u16), why);
        // Whoever was ahead of the book has let go of what is between.
        for other in 0..self.told.len() {
            if std::mem::take(&mut self.markets[book].legs[other]).carries {
                self.told[other].lost += 1;
                self.distrust(stage, other, book, why, now);
            }
        }
    }

    /// The book itself is wrong, whoever made it so: all connections start it anew.
    fn restart(&mut self, stage: &mut FeedStage, book: usize, why: Lost, now: Nanos) {
        let Some(market) = self.markets.get_mut(book) else { return };
        market.forget();
        stage.lost(BookId(book as u16), why);
        for connection in 0..self.told.len() {
            if std::mem::take(&mut self.markets[book].legs[connection]).carries {
                self.told[connection].lost += 1;
            }
            self.distrust(stage, connection, book, why, now);
        }
    }
}

/// Whether a ladder can take the levels: a message that it refuses would cost the book that other
/// connections carry.
fn fits(change: &BookChange, out: &FeedOut, config: &BookConfig) -> bool {
    let tick = config.ladder.tick.map_or(1, |tick| tick.0.max(1));
    let fine = |level: &Level| level.price.0 > 0 && level.price.0 % tick == 0 && level.qty.0 >= 0;
    out.bids(change).iter().chain(out.asks(change)).all(fine)
}
