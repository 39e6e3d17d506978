//! One book with what is known about it: whether it may be trusted, what its ticker said since its
//! depth, and what happened to it so far. Shared by the engine and by replay.
//!
//! A book starts waiting. A snapshot that is current by itself, or the first update that joined
//! one, makes it live; anything that breaks it makes it lost, at once, until the next snapshot.

use super::LEVELS;
use super::ladder::{Ladder, LadderConfig, LadderError, Levels, Touched};
use super::top::{Glance, Top, Trust, Writer};
use crate::types::{BookView, Level, Nanos, Price, Side};

/// What a book is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BookConfig {
    /// The ladder's bounds.
    pub ladder: LadderConfig,
    /// There is no depth stream: the book is what the ticker stream says, one level a side.
    pub ticker_only: bool,
}

/// When a message came, and where it stands in the venue's order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamp {
    /// The venue's sequence number after it.
    pub seq: u64,
    /// Local receive time.
    pub received: Nanos,
    /// The venue's time; zero where it tells none.
    pub venue_time: Nanos,
}

/// Why a book is not trusted any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// An update did not follow.
    Gap,
    /// The venue's checksum differs. Counted by [`Book::checked`].
    Checksum,
    /// More levels than fit, or a level that cannot be.
    Ladder,
    /// Crossed for too long.
    Crossed,
    /// Nothing wrong with the book: connection, venue, subscription, time.
    Outside,
}

/// What happened to a book.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Snapshots applied.
    pub snapshots: u64,
    /// Updates applied.
    pub updates: u64,
    /// Ticker messages that were news.
    pub tickers: u64,
    /// Times an update did not follow.
    pub gaps: u64,
    /// Checksums that matched.
    pub checksums_ok: u64,
    /// Checksums that did not.
    pub checksums_bad: u64,
    /// Applied messages without one.
    pub checksums_absent: u64,
    /// Messages after which bid was at or above ask.
    pub crossed: u64,
    /// Messages that did not fit the ladder.
    pub overflows: u64,
}

/// A level that the ticker stream reported after the depth: better ones are gone by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Overlay {
    seq: u64,
    /// Bid, then ask; `None` when that side is empty.
    best: [Option<Level>; 2],
}

/// The best levels of a side of the ladder, as last gathered.
#[derive(Clone, Copy, Default)]
struct Near {
    levels: [Level; LEVELS],
    count: usize,
    /// The ladder has not changed among them since.
    fresh: bool,
    /// Nor since they were last gathered to be published: whoever else asks for them must not hide it.
    gathered: bool,
}

/// A book with its trust, overlay and counters.
pub struct Book {
    ladder: Ladder,
    /// Bids, then asks.
    near: [Near; 2],
    trust: Trust,
    stamp: Stamp,
    /// Counts what was applied: its version, for readers on the same thread.
    version: u64,
    ticker_only: bool,
    overlay: Option<Overlay>,
    crossed_since: Option<Nanos>,
    counters: Counters,
    /// What is published, gathered in place.
    top: Top,
    /// How many levels of each side the ticker hides in it; `None` where that does not say it all.
    hidden: [Option<usize>; 2],
    /// The count of the cell that holds it, but for what a ticker may have changed since.
    published: u64,
}

/// A count that no cell comes to.
const NEVER: u64 = u64::MAX;

impl Book {
    /// An empty book that waits.
    pub fn new(config: BookConfig) -> Book {
        Book {
            ladder: Ladder::new(config.ladder),
            near: Default::default(),
            trust: Trust::Waiting,
            stamp: Stamp::default(),
            version: 0,
            ticker_only: config.ticker_only,
            overlay: None,
            crossed_since: None,
            counters: Counters::default(),
            top: Top::default(),
            hidden: [None; 2],
            published: NEVER,
        }
    }

    /// Replaces the whole book; `keep` cuts each side afterwards, zero keeps all.
    ///
    /// # Errors
    /// [`LadderError`]: the book is lost.
    pub fn snapshot(
        &mut self,
        bids: &[Level],
        asks: &[Level],
        live: bool,
        keep: usize,
        stamp: Stamp,
    ) -> Result<Touched, LadderError> {
        let applied = self.ladder.snapshot(bids, asks).map(|()| Touched::ALL);
        self.counters.snapshots += 1;
        self.applied(applied, if live { Trust::Live } else { Trust::Waiting }, keep, stamp)
    }

    /// Sets each level to its absolute quantity; the book is live after it, unless it is lost.
    ///
    /// # Errors
    /// [`LadderError`]: the book is lost.
    #[inline]
    pub fn update(
        &mut self,
        bids: &[Level],
        asks: &[Level],
        keep: usize,
        stamp: Stamp,
    ) -> Result<Touched, LadderError> {
        let applied = self.ladder.apply(bids, asks);
        self.counters.updates += 1;
        let trust = if self.trust == Trust::Lost { Trust::Lost } else { Trust::Live };
        self.applied(applied, trust, keep, stamp)
    }

    #[inline]
    fn applied(
        &mut self,
        applied: Result<Touched, LadderError>,
        trust: Trust,
        keep: usize,
        stamp: Stamp,
    ) -> Result<Touched, LadderError> {
        let mut touched = match applied {
            Ok(touched) => touched,
            Err(error) => {
                self.counters.overflows += u64::from(error == LadderError::Overflow);
                self.lost(Loss::Ladder);
                return Err(error);
            }
        };
        if keep > 0 {
            self.ladder.truncate(keep);
        }
        for (near, side) in self.near.iter_mut().zip(Side::BOTH) {
            let worst = near.levels[LEVELS - 1].price;
            let within = match side {
                _ if near.count < LEVELS || keep > 0 && keep < LEVELS => true,
                Side::Buy => touched.bid >= worst,
                Side::Sell => touched.ask <= worst,
            };
            near.fresh &= !within;
            near.gathered &= !within;
        }
        if trust != self.trust {
            touched = Touched::ALL;
        }
        if self.overlay.is_some_and(|overlay| overlay.seq <= stamp.seq) {
            self.overlay = None;
            touched = Touched::ALL;
        }
        self.trust = trust;
        self.stamp = stamp;
        self.version += 1;
        self.look_for_a_cross();
        Ok(touched)
    }

    /// Takes the best levels of the ticker stream; a missing level means that the side is empty.
    /// Nothing, and `None`, when depth or another ticker already knew more.
    pub fn ticker(&mut self, bid: Option<Level>, ask: Option<Level>, stamp: Stamp) -> Option<Touched> {
        let newest = self.overlay.map_or(0, |overlay| overlay.seq).max(self.stamp.seq);
        if stamp.seq <= newest {
            return None;
        }
        let real = |level: Option<Level>| level.filter(|level| level.price.0 > 0 && level.qty.0 > 0);
        self.overlay = Some(Overlay { seq: stamp.seq, best: [real(bid), real(ask)] });
        self.counters.tickers += 1;
        if self.ticker_only {
            self.trust = Trust::Live;
        }
        self.stamp.received = stamp.received;
        self.stamp.venue_time = stamp.venue_time;
        self.version += 1;
        self.look_for_a_cross();
        Some(Touched::ALL)
    }

    /// The book is current as it is.
    #[inline]
    pub fn alive(&mut self, received: Nanos) {
        self.stamp.received = received;
    }

    /// The book is not to be trusted from here on.
    pub fn lost(&mut self, why: Loss) {
        self.counters.gaps += u64::from(why == Loss::Gap);
        self.trust = Trust::Lost;
        self.overlay = None;
        self.crossed_since = None;
        self.near = Default::default();
    }

    /// Counts a comparison with the venue's checksum: `None` when it sent none. A false one makes
    /// the book lost.
    #[inline]
    pub fn checked(&mut self, matches: Option<bool>) {
        match matches {
            None => self.counters.checksums_absent += 1,
            Some(true) => self.counters.checksums_ok += 1,
            Some(false) => {
                self.counters.checksums_bad += 1;
                self.lost(Loss::Checksum);
            }
        }
    }

    #[inline]
    fn look_for_a_cross(&mut self) {
        let crossed = match self.overlay {
            None => self.ladder.is_crossed(),
            Some(Overlay { best: [Some(bid), Some(ask)], .. }) => bid.price >= ask.price,
            Some(_) => false,
        };
        if crossed {
            self.counters.crossed += 1;
            self.crossed_since.get_or_insert(self.stamp.received);
        } else {
            self.crossed_since = None;
        }
    }

    /// Gathers the best levels and publishes them when `touched` may have changed them; else only
    /// says that the book is alive. True when it published.
    #[inline]
    pub fn publish(&mut self, touched: Touched, writer: &mut Writer) -> bool {
        if self.trust == Trust::Lost {
            return writer.withdraw(Trust::Lost);
        }
        if !writer.concerns(touched) {
            writer.alive(self.stamp.received);
            return false;
        }
        self.gather();
        // What was published last may be another book's.
        if self.published == writer.version() {
            writer.publish_best(&self.top);
        } else {
            writer.publish(&self.top);
        }
        self.published = writer.version();
        true
    }

    /// The best levels, as they would be published.
    #[inline]
    pub fn gather(&mut self) -> &Top {
        let unchanged = self.near.iter().all(|near| near.gathered);
        self.look_near();
        self.near.iter_mut().for_each(|near| near.gathered = true);
        let top = &mut self.top;
        let [bids, asks] = &self.near;
        let hidden = match self.overlay {
            Some(Overlay { best, .. }) => [bids.hidden(best[0], Side::Buy), asks.hidden(best[1], Side::Sell)],
            None => [None; 2],
        };
        match self.overlay {
            // A ticker after a ticker: what stands behind the best levels is what stood there.
            Some(Overlay { best: [Some(bid), Some(ask)], .. })
                if unchanged && hidden == self.hidden && !hidden.contains(&None) =>
            {
                (top.bids[0], top.asks[0]) = (bid, ask);
            }
            Some(overlay) => {
                let walk = |side| levels(&self.ladder, Some(overlay), side);
                let [bid, ask] = overlay.best;
                top.bid_count = bids.overlaid(bid, hidden[0], &mut top.bids, || walk(Side::Buy));
                top.ask_count = asks.overlaid(ask, hidden[1], &mut top.asks, || walk(Side::Sell));
                self.published = NEVER;
            }
            None => {
                (top.bids, top.bid_count) = (bids.levels, bids.count);
                (top.asks, top.ask_count) = (asks.levels, asks.count);
                self.published = NEVER;
            }
        }
        self.hidden = hidden;
        top.trust = self.trust;
        top.crossed = self.crossed_since.is_some();
        top.received = self.stamp.received;
        top.venue_time = self.stamp.venue_time;
        top.seq = self.overlay.map_or(self.stamp.seq, |overlay| overlay.seq);
        top
    }

    /// Brings the best levels of the ladder up to date, those of the sides that changed among them.
    #[inline]
    fn look_near(&mut self) {
        for (near, side) in self.near.iter_mut().zip(Side::BOTH) {
            if !near.fresh {
                (near.count, near.fresh) = (self.ladder.best(side, &mut near.levels), true);
            }
        }
    }

    /// The depth alone, with its best levels at hand: a checksum and what is published ask for the same.
    #[inline]
    pub fn depth(&mut self) -> Depth<'_> {
        self.look_near();
        Depth(self)
    }

    /// Sets the best levels to what they are: nothing changes, and what sets and gathers levels stays in
    /// the caches of a thread that waits for the next message.
    pub fn rehearse(&mut self) {
        if self.trust != Trust::Live {
            return;
        }
        self.look_near();
        let [bids, asks] = self.near;
        let set = self.ladder.apply(&bids.levels[..bids.count], &asks.levels[..asks.count]);
        debug_assert!(set.is_ok(), "they are there");
        self.near.iter_mut().for_each(|near| near.fresh = false);
        self.look_near();
    }

    /// State and best levels, for readers on the same thread; the version counts what was applied.
    #[inline]
    pub fn glance(&self) -> Glance {
        Glance {
            version: self.version,
            trust: self.trust,
            crossed: self.crossed_since.is_some(),
            heard: self.stamp.received,
            bid: self.best(Side::Buy),
            ask: self.best(Side::Sell),
        }
    }

    /// A side's best level, as the ticker stream left it.
    #[inline]
    fn best(&self, side: Side) -> Option<Level> {
        self.overlay.map_or_else(|| self.ladder.best_level(side), |overlay| overlay.best[side as usize])
    }

    /// A side's levels, best first, as the ticker stream left them.
    #[inline]
    pub fn levels(&self, side: Side) -> BookLevels<'_> {
        levels(&self.ladder, self.overlay, side)
    }

    /// The depth alone.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Whether it may be traded on.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// The last applied message.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Since when bid has been at or above ask, by local time.
    pub fn crossed_since(&self) -> Option<Nanos> {
        self.crossed_since
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// See [`Book::depth`].
pub struct Depth<'a>(&'a Book);

impl BookView for Depth<'_> {
    #[inline]
    fn best(&self, side: Side, out: &mut [Level]) -> usize {
        if out.len() > LEVELS {
            return self.0.ladder.best(side, out);
        }
        let known = self.0.near[side as usize].known();
        out.iter_mut().zip(known).map(|(to, from)| *to = *from).count()
    }
}

impl Near {
    fn known(&self) -> &[Level] {
        &self.levels[..self.count.min(LEVELS)]
    }

    /// How many of these levels are not there any more, by the ticker's level; `None` where it has none,
    /// and where those at hand are not enough without them: they are as long as it is no more than one.
    #[inline]
    fn hidden(&self, best: Option<Level>, side: Side) -> Option<usize> {
        let best = best?;
        let known = self.known();
        let hidden = known.iter().take_while(|level| match side {
            Side::Buy => level.price >= best.price,
            Side::Sell => level.price <= best.price,
        });
        let hidden = hidden.count();
        (hidden <= 1 || known.len() < LEVELS).then_some(hidden)
    }

    /// The best levels with the ticker's level before them; how many. `walk` goes through the ladder,
    /// where those at hand are not enough.
    #[inline]
    fn overlaid<'a>(
        &self,
        best: Option<Level>,
        hidden: Option<usize>,
        out: &mut [Level; LEVELS],
        walk: impl FnOnce() -> BookLevels<'a>,
    ) -> usize {
        let Some(best) = best else { return 0 };
        let Some(hidden) = hidden else {
            let mut count = 0;
            for (slot, level) in out.iter_mut().zip(walk()) {
                (*slot, count) = (level, count + 1);
            }
            return count;
        };
        let known = self.known();
        let rest = &known[hidden..known.len().min(hidden + LEVELS - 1)];
        out[0] = best;
        out[1..=rest.len()].copy_from_slice(rest);
        1 + rest.len()
    }
}

#[inline]
fn levels(ladder: &Ladder, overlay: Option<Overlay>, side: Side) -> BookLevels<'_> {
    let depth = ladder.levels(side);
    let Some(overlay) = overlay else {
        return BookLevels { first: None, worse_than: None, depth, ended: false };
    };
    let first = overlay.best[side as usize];
    BookLevels { first, worse_than: first.map(|level| (level.price, side)), depth, ended: first.is_none() }
}

/// The levels of one side of a [`Book`], best first.
#[derive(Clone)]
pub struct BookLevels<'a> {
    /// The ticker's level, until it was given out.
    first: Option<Level>,
    /// Depth at this price or better is older than the ticker.
    worse_than: Option<(Price, Side)>,
    depth: Levels<'a>,
    ended: bool,
}

impl Iterator for BookLevels<'_> {
    type Item = Level;

    #[inline]
    fn next(&mut self) -> Option<Level> {
        if self.first.is_some() {
            return self.first.take();
        }
        if self.ended {
            return None;
        }
        let Some((price, side)) = self.worse_than else { return self.depth.next() };
        let next = match side {
            Side::Buy => self.depth.find(|level| level.price < price),
            Side::Sell => self.depth.find(|level| level.price > price),
        };
        self.worse_than = None;
        next
    }
}
