//! Top of book, published: written by one thread, read by any other without making it wait.
//!
//! A seqlock of atomic words. The writer makes the version odd, stores the words, and makes it
//! even again; a reader that saw the same even version before and after has a whole top, and one
//! that did not looks again. Beside the version, the time of the last message is a word of its
//! own: a message that changed nothing that is published must keep the book young, and must not
//! wake anyone.

use super::LEVELS;
use crate::sync::{Arc, AtomicU64, Ordering::*, fence};
use crate::types::{Level, Nanos, Price, Qty, Side};

/// Whether a book may be traded on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Trust {
    /// Not whole yet: no snapshot, or no update that joined it.
    #[default]
    Waiting = 0,
    /// Whole and current.
    Live = 1,
    /// It was, and lost its place.
    Lost = 2,
}

/// Best levels of a book, as published.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Top {
    /// Counts the publications of this cell; zero before the first.
    pub version: u64,
    /// Whether it may be traded on.
    pub trust: Trust,
    /// Best bid at or above best ask.
    pub crossed: bool,
    /// Local time of the message that it came with.
    pub received: Nanos,
    /// The venue's time of that message; zero where it tells none.
    pub venue_time: Nanos,
    /// The venue's sequence number of it.
    pub seq: u64,
    /// Best bids, best first; beyond `bid_count` they mean nothing.
    pub bids: [Level; LEVELS],
    /// Best asks, best first; beyond `ask_count` they mean nothing.
    pub asks: [Level; LEVELS],
    /// How many bids there are.
    pub bid_count: usize,
    /// How many asks there are.
    pub ask_count: usize,
}

impl Top {
    /// The bids there are.
    #[inline]
    pub fn bids(&self) -> &[Level] {
        &self.bids[..self.bid_count.min(LEVELS)]
    }

    /// The asks there are.
    #[inline]
    pub fn asks(&self) -> &[Level] {
        &self.asks[..self.ask_count.min(LEVELS)]
    }
}

/// What a first look needs: one cache line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Glance {
    /// As in [`Top`].
    pub version: u64,
    /// As in [`Top`].
    pub trust: Trust,
    /// As in [`Top`].
    pub crossed: bool,
    /// Local time of the last message that left the book current: its age counts from here.
    pub heard: Nanos,
    /// Best bid, if any.
    pub bid: Option<Level>,
    /// Best ask, if any.
    pub ask: Option<Level>,
}

const STATE: usize = 0;
/// Price and quantity of the best bid, then of the best ask.
const BEST: usize = 1;
const RECEIVED: usize = 5;
const VENUE_TIME: usize = 6;
const SEQ: usize = 7;
/// The second rank; four words a rank, laid out as the first.
const REST: usize = 8;
const WORDS: usize = REST + 4 * (LEVELS - 1);

/// Aligned to two cache lines, because x86 prefetches lines in pairs. The version, `heard` and all
/// that [`Glance`] holds share the first line.
#[repr(align(128))]
struct Cell {
    /// Twice the number of publications; odd while one is under way.
    version: AtomicU64,
    /// See [`Glance::heard`].
    heard: AtomicU64,
    /// Atomic, so a torn read is a stale number that the version check throws away, and never
    /// undefined behaviour.
    words: [AtomicU64; WORDS],
}

/// A new cell: nothing published, waiting.
pub fn cell() -> (Writer, Reader) {
    let cell = Arc::new(Cell {
        version: AtomicU64::new(0),
        heard: AtomicU64::new(0),
        words: std::array::from_fn(|_| AtomicU64::new(0)),
    });
    (
        Writer { cell: Arc::clone(&cell), state: 0, worst_bid: Price(0), worst_ask: Price(i64::MAX) },
        Reader(cell),
    )
}

/// The one who publishes. Not `Clone`, and [`Writer::publish`] takes `&mut self`: a second writer
/// does not compile.
pub struct Writer {
    cell: Arc<Cell>,
    /// The state word as last stored.
    state: u64,
    /// What a touched price must reach to change what is published; any does while ranks are free.
    worst_bid: Price,
    worst_ask: Price,
}

/// One of those who read.
#[derive(Clone)]
pub struct Reader(Arc<Cell>);

impl Writer {
    /// Publishes a top; its `version` is not looked at. Counts of more than [`LEVELS`] are cut.
    #[inline]
    pub fn publish(&mut self, top: &Top) {
        let (bids, asks) = (top.bids(), top.asks());
        self.worst_bid = bids.get(LEVELS - 1).map_or(Price(0), |level| level.price);
        self.worst_ask = asks.get(LEVELS - 1).map_or(Price(i64::MAX), |level| level.price);
        let counts = (bids.len() as u64) << 8 | (asks.len() as u64) << 16;
        self.store(top, counts, bids.len().max(asks.len()));
    }

    /// Publishes a top that differs from the one published last in its best levels alone, of which there
    /// are as many as there were, and in what is known of the book.
    #[inline]
    pub fn publish_best(&mut self, top: &Top) {
        self.store(top, self.state & !7, 1);
    }

    /// One publication, of so many ranks.
    #[inline(always)]
    fn store(&mut self, top: &Top, counts: u64, ranks: usize) {
        self.state = top.trust as u64 | u64::from(top.crossed) << 2 | counts;
        let version = self.begin();
        let words = &self.cell.words;
        words[STATE].store(self.state, Relaxed);
        words[RECEIVED].store(top.received.0 as u64, Relaxed);
        words[VENUE_TIME].store(top.venue_time.0 as u64, Relaxed);
        words[SEQ].store(top.seq, Relaxed);
        let (first, rest) = words[BEST..].split_at(4);
        let rest = rest[REST - BEST - 4..].as_chunks::<4>().0;
        let ranked = std::iter::once(first).chain(rest.iter().map(|rank| rank.as_slice()));
        for (rank, (bid, ask)) in ranked.zip(top.bids.iter().zip(&top.asks)).take(ranks) {
            rank[0].store(bid.price.0 as u64, Relaxed);
            rank[1].store(bid.qty.0 as u64, Relaxed);
            rank[2].store(ask.price.0 as u64, Relaxed);
            rank[3].store(ask.qty.0 as u64, Relaxed);
        }
        self.end(version);
        self.alive(top.received);
    }

    /// How often the cell was published or withdrawn.
    #[inline]
    pub fn version(&self) -> u64 {
        self.cell.version.load(Relaxed) / 2 // ours alone to write
    }

    /// True when a message that touched the book up to these prices may have changed what is
    /// published.
    #[inline]
    pub fn concerns(&self, touched: super::Touched) -> bool {
        touched.bid > Price(0) && touched.bid >= self.worst_bid
            || touched.ask < Price(i64::MAX) && touched.ask <= self.worst_ask
    }

    /// The book is current as it is published.
    #[inline]
    pub fn alive(&mut self, now: Nanos) {
        // ORDERING: a read that takes this time before it looks at the version cannot come out with
        // an older top: the fence of the publication before this store and the one at the end of
        // the read make it see that publication's odd version at least. No old top looks young.
        self.cell.heard.store(now.0 as u64, Relaxed);
    }

    /// Changes the trust in what is published, at once; the levels stay as they were. False when
    /// that is what the cell said already.
    pub fn withdraw(&mut self, trust: Trust) -> bool {
        if self.state & 3 == trust as u64 {
            return false;
        }
        self.state = self.state & !3 | trust as u64;
        let version = self.begin();
        self.cell.words[STATE].store(self.state, Relaxed);
        self.end(version);
        true
    }

    #[inline]
    fn begin(&mut self) -> u64 {
        let version = self.cell.version.load(Relaxed); // ours alone to write
        debug_assert!(version.is_multiple_of(2), "the last publication ran to its end");
        self.cell.version.store(version + 1, Relaxed);
        // ORDERING: with the fence in `Reader::whole`: who sees a word stored below sees the odd
        // version too.
        fence(Release);
        version
    }

    #[inline]
    fn end(&mut self, version: u64) {
        // ORDERING: with the first load in `Reader::whole`: who sees this version sees every word
        // stored above.
        self.cell.version.store(version + 2, Release);
    }
}

impl Reader {
    /// How often the cell was published: a cheap look whether there is anything new.
    #[inline]
    pub fn version(&self) -> u64 {
        self.0.version.load(Relaxed) / 2
    }

    /// State and best levels; `None` while a publication is under way, and the caller looks again.
    #[inline]
    pub fn glance(&self) -> Option<Glance> {
        let heard = self.heard();
        self.whole(|version, words| glance(version, heard, words))
    }

    /// Copies the newest whole top into `out`; false while a publication is under way (`out` is
    /// then anything), and the caller looks again.
    #[inline]
    pub fn read(&self, out: &mut Top) -> bool {
        self.whole(|version, words| {
            let state = words[STATE].load(Relaxed);
            out.version = version;
            out.trust = trust(state);
            out.crossed = state & 4 != 0;
            out.received = Nanos(words[RECEIVED].load(Relaxed) as i64);
            out.venue_time = Nanos(words[VENUE_TIME].load(Relaxed) as i64);
            out.seq = words[SEQ].load(Relaxed);
            (out.bid_count, out.ask_count) = (bid_count(state), ask_count(state));
            let ranks = out.bid_count.max(out.ask_count);
            let (first, rest) = words[BEST..].split_at(4);
            let rest = rest[REST - BEST - 4..].as_chunks::<4>().0;
            let ranked = std::iter::once(first).chain(rest.iter().map(|rank| rank.as_slice()));
            for (rank, (bid, ask)) in ranked.zip(out.bids.iter_mut().zip(&mut out.asks)).take(ranks) {
                bid.price = Price(rank[0].load(Relaxed) as i64);
                bid.qty = Qty(rank[1].load(Relaxed) as i64);
                ask.price = Price(rank[2].load(Relaxed) as i64);
                ask.qty = Qty(rank[3].load(Relaxed) as i64);
            }
        })
        .is_some()
    }

    /// As [`Reader::glance`], with the best levels of one side copied to the front of `out`, and how
    /// many there were.
    #[inline]
    pub fn side(&self, side: Side, out: &mut [Level; LEVELS]) -> Option<(Glance, usize)> {
        let heard = self.heard();
        self.whole(|version, words| {
            let glance = glance(version, heard, words);
            let (count, from) = match side {
                Side::Buy => (bid_count(words[STATE].load(Relaxed)), 0),
                Side::Sell => (ask_count(words[STATE].load(Relaxed)), 2),
            };
            let level = |words: &[AtomicU64; 4]| {
                Level::new(words[from].load(Relaxed) as i64, words[from + 1].load(Relaxed) as i64)
            };
            if let Some(best) = if side == Side::Buy { glance.bid } else { glance.ask } {
                out[0] = best;
            }
            let rest = words[REST..].as_chunks::<4>().0;
            for (to, words) in out[1..].iter_mut().zip(rest).take(count.saturating_sub(1)) {
                *to = level(words);
            }
            (glance, count.min(LEVELS))
        })
    }

    /// Local time of the last message that left the book current. Taken before a top is read, it
    /// is never later than what that top shows.
    #[inline]
    pub fn heard(&self) -> Nanos {
        Nanos(self.0.heard.load(Relaxed) as i64) // ORDERING: see `Writer::alive`.
    }

    /// What `copy` makes of the words, when no publication came between.
    #[inline]
    fn whole<T>(&self, copy: impl FnOnce(u64, &[AtomicU64; WORDS]) -> T) -> Option<T> {
        let before = self.0.version.load(Acquire); // ORDERING: with the store in `Writer::end`.
        if !before.is_multiple_of(2) {
            return None;
        }
        let copied = copy(before / 2, &self.0.words);
        // ORDERING: with the fence in `Writer::begin`: no load of a word may sink below the second
        // look at the version.
        fence(Acquire);
        (self.0.version.load(Relaxed) == before).then_some(copied)
    }
}

#[inline]
fn glance(version: u64, heard: Nanos, words: &[AtomicU64; WORDS]) -> Glance {
    let [state, bid_price, bid_qty, ask_price, ask_qty] =
        std::array::from_fn(|i| words[STATE + i].load(Relaxed));
    Glance {
        version,
        trust: trust(state),
        crossed: state & 4 != 0,
        heard,
        bid: (bid_count(state) > 0).then_some(Level::new(bid_price as i64, bid_qty as i64)),
        ask: (ask_count(state) > 0).then_some(Level::new(ask_price as i64, ask_qty as i64)),
    }
}

fn trust(state: u64) -> Trust {
    match state & 3 {
        1 => Trust::Live,
        2 => Trust::Lost,
        _ => Trust::Waiting,
    }
}

fn bid_count(state: u64) -> usize {
    (state >> 8 & 0xff) as usize
}

fn ask_count(state: u64) -> usize {
    (state >> 16 & 0xff) as usize
}
