//! A whole book at full depth, owned by one thread.
//!
//! Prices become tick numbers, tick numbers become keys (smaller is better, on both sides), and
//! each side keeps its keys in a flat window that follows the price with sorted pages beside it.
//! Nothing is allocated after `new`, but for a book that must learn its tick, when it learns.

use super::far::NONE;
use super::half::{Half, Walk};
use super::tick::Tick;
use crate::types::{BookView, Level, Price, Qty, Side};

/// What a ladder is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LadderConfig {
    /// Prices are multiples of this, and anything else is refused. `None` learns it from the
    /// prices that come: the coarsest tick that holds them all.
    pub tick: Option<Price>,
    /// Ticks a side in the flat window; rounded up to a power of two, at least 128.
    pub window_ticks: usize,
    /// Levels a side outside of the window.
    pub far_capacity: usize,
}

impl Default for LadderConfig {
    /// A window of half a MiB a side: on captured spot streams, where every fourth update lies
    /// beyond 8,192 ticks, it takes half the time of one of 16,384 ticks. Only what is touched
    /// takes memory.
    fn default() -> LadderConfig {
        LadderConfig { tick: None, window_ticks: 65_536, far_capacity: 32_768 }
    }
}

/// Why a message could not be put into the book. The ladder is empty afterwards: no book rather
/// than a wrong one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LadderError {
    /// More levels than there is room for.
    #[error("more levels than the book can hold")]
    Overflow,
    /// A price between two ticks.
    #[error("price {} is not a multiple of the tick {}", price.0, tick.0)]
    OffTick {
        /// The price.
        price: Price,
        /// The tick of the metadata.
        tick: Price,
    },
    /// Zero or below.
    #[error("price {} is not positive", .0.0)]
    NotPositive(Price),
    /// Below zero.
    #[error("quantity {qty} at price {} is negative", price.0)]
    NegativeQty {
        /// Where.
        price: Price,
        /// The quantity, in units of the instrument's scale.
        qty: i64,
    },
}

/// The best prices that a message touched: what was published changes only when one of them is as
/// good as the worst published level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Touched {
    /// Highest bid set or removed; zero when none was.
    pub bid: Price,
    /// Lowest ask set or removed; the largest price when none was.
    pub ask: Price,
}

impl Touched {
    /// Nothing.
    pub const NONE: Touched = Touched { bid: Price(0), ask: Price(i64::MAX) };
    /// Everything.
    pub const ALL: Touched = Touched { bid: Price(i64::MAX), ask: Price(0) };

    /// Both.
    pub fn and(self, other: Touched) -> Touched {
        Touched { bid: self.bid.max(other.bid), ask: self.ask.min(other.ask) }
    }
}

/// A full-depth book.
pub struct Ladder {
    /// Bids, then asks.
    halves: [Half; 2],
    tick: Tick,
    learns: bool,
}

/// Ticks and keys differ by this: bids are counted downwards.
const MIRROR: [u64; 2] = [i64::MAX as u64, 0];

impl Ladder {
    /// An empty book. A tick that is not positive is taken for unknown, and learnt.
    pub fn new(config: LadderConfig) -> Ladder {
        let tick = config.tick.and_then(Tick::new);
        let half = || Half::new(config.window_ticks, config.far_capacity);
        Ladder { halves: [half(), half()], tick: tick.unwrap_or(Tick::UNKNOWN), learns: tick.is_none() }
    }

    /// Replaces everything. Levels may come in any order; of a price that repeats, the last counts.
    ///
    /// # Errors
    /// [`LadderError`]; the book is empty then.
    pub fn snapshot(&mut self, bids: &[Level], asks: &[Level]) -> Result<(), LadderError> {
        if self.learns {
            self.tick = Tick::UNKNOWN;
            for level in bids.iter().chain(asks).filter(|level| level.qty.0 != 0 && level.price.0 > 0) {
                self.tick = self.tick.with(level.price).unwrap_or(self.tick);
            }
        }
        for (side, levels) in [(Side::Buy, bids), (Side::Sell, asks)] {
            let live = levels.iter().filter(|level| level.qty.0 > 0).map(|level| level.price);
            let best = if side == Side::Buy { live.max() } else { live.min() };
            let ticks = best.and_then(|price| self.tick.index(price.0)).unwrap_or(0);
            self.halves[side as usize].restart(ticks ^ MIRROR[side as usize]);
        }
        self.apply(bids, asks).map(|_| ())
    }

    /// Sets each level to its absolute quantity, in order; zero removes it, whether it is there or
    /// not.
    ///
    /// # Errors
    /// [`LadderError`]; the book is empty then.
    #[inline]
    pub fn apply(&mut self, bids: &[Level], asks: &[Level]) -> Result<Touched, LadderError> {
        let bid = self.apply_side(Side::Buy, bids);
        let ask = bid.and_then(|_| self.apply_side(Side::Sell, asks));
        match (bid, ask) {
            (Ok(bid), Ok(ask)) => {
                Ok(Touched { bid, ask: if asks.is_empty() { Touched::NONE.ask } else { ask } })
            }
            (Err(error), _) | (_, Err(error)) => {
                self.clear();
                Err(error)
            }
        }
    }

    /// The best price touched; for no levels, zero.
    #[inline]
    fn apply_side(&mut self, side: Side, levels: &[Level]) -> Result<Price, LadderError> {
        if levels.is_empty() {
            return Ok(Price(0));
        }
        let (half, mirror) = (&mut self.halves[side as usize], MIRROR[side as usize]);
        let (best, done) = half.set_all(self.tick, mirror, levels);
        let touched = if best == NONE { None } else { Some(self.tick.price(best ^ mirror)) };
        if let Err(at) = done {
            return self.apply_rest(side, levels, at, touched);
        }
        half.settle(levels.len());
        Ok(touched.unwrap_or(Price(0)))
    }

    /// Goes on at a level that could not be set.
    #[cold]
    fn apply_rest(
        &mut self,
        side: Side,
        levels: &[Level],
        mut at: usize,
        mut touched: Option<Price>,
    ) -> Result<Price, LadderError> {
        let mut rest = levels;
        loop {
            self.refused(rest[at], side)?;
            rest = &rest[at..];
            if rest[0].qty.0 == 0 {
                rest = &rest[1..]; // nothing rests off the tick: nothing to remove
            }
            let (half, mirror) = (&mut self.halves[side as usize], MIRROR[side as usize]);
            let (best, done) = half.set_all(self.tick, mirror, rest);
            if best != NONE {
                let price = self.tick.price(best ^ mirror);
                touched = Some(match (touched, side) {
                    (None, _) => price,
                    (Some(other), Side::Buy) => price.max(other),
                    (Some(other), Side::Sell) => price.min(other),
                });
            }
            match done {
                Err(next) => at = next,
                Ok(()) => break,
            }
        }
        self.halves[side as usize].settle(levels.len());
        Ok(touched.unwrap_or(Price(0)))
    }

    /// What to do about a level that could not be set: `Ok` when it can be tried again.
    fn refused(&mut self, level: Level, side: Side) -> Result<(), LadderError> {
        let Level { price, qty } = level;
        if price.0 <= 0 {
            return Err(LadderError::NotPositive(price));
        }
        if qty.0 < 0 {
            return Err(LadderError::NegativeQty { price, qty: qty.0 });
        }
        if self.tick.index(price.0).is_some() {
            return Err(LadderError::Overflow);
        }
        if !self.learns {
            return Err(LadderError::OffTick { price, tick: self.tick.size() });
        }
        if qty.0 == 0 {
            return Ok(());
        }
        let finer = self.tick.with(price).ok_or(LadderError::NotPositive(price))?;
        self.rebuild(finer, side, price)
    }

    /// Counts the levels in a finer tick. Each time the tick at least halves, so this is rare; it
    /// takes memory, and happens only to books without metadata.
    fn rebuild(&mut self, finer: Tick, new_side: Side, new: Price) -> Result<(), LadderError> {
        let old = Side::BOTH.map(|side| self.levels(side).collect::<Vec<_>>());
        self.tick = finer;
        for (side, levels) in Side::BOTH.into_iter().zip(old) {
            let half = &mut self.halves[side as usize];
            let best = levels.first().map(|level| level.price).or((side == new_side).then_some(new));
            let key = |price: Price| finer.index(price.0).map(|ticks| ticks ^ MIRROR[side as usize]);
            half.restart(best.and_then(key).unwrap_or(0));
            let mirror = MIRROR[side as usize];
            half.set_all(finer, mirror, &levels).1.map_err(|_| LadderError::Overflow)?;
        }
        Ok(())
    }

    /// Removes the worst levels of each side beyond the best `keep`.
    pub fn truncate(&mut self, keep: usize) {
        for half in &mut self.halves {
            half.truncate(keep);
        }
    }

    /// Empties the book; a learnt tick is kept until the next snapshot.
    pub fn clear(&mut self) {
        for half in &mut self.halves {
            half.clear();
        }
    }

    /// The best level of a side.
    #[inline]
    pub fn best_level(&self, side: Side) -> Option<Level> {
        let (key, qty) = self.halves[side as usize].first()?;
        Some(Level { price: self.tick.price(key ^ MIRROR[side as usize]), qty: Qty(qty) })
    }

    /// A side's levels, best first, the whole book.
    #[inline]
    pub fn levels(&self, side: Side) -> Levels<'_> {
        let half = &self.halves[side as usize];
        Levels { half, walk: half.start(), tick: &self.tick, mirror: MIRROR[side as usize] }
    }

    /// How many levels a side has.
    pub fn len(&self, side: Side) -> usize {
        self.halves[side as usize].len()
    }

    /// True without any level on either side.
    pub fn is_empty(&self) -> bool {
        self.halves.iter().all(|half| half.len() == 0)
    }

    /// True when the best bid is at or above the best ask.
    #[inline]
    pub fn is_crossed(&self) -> bool {
        let [bid, ask] = [self.halves[0].best(), self.halves[1].best()];
        bid != NONE && ask != NONE && bid ^ MIRROR[0] >= ask
    }

    /// The tick in use; zero while none is known.
    pub fn tick(&self) -> Price {
        self.tick.size()
    }
}

impl BookView for Ladder {
    fn best(&self, side: Side, out: &mut [Level]) -> usize {
        let (tick, mirror) = (self.tick, MIRROR[side as usize]);
        self.halves[side as usize].gather(out.len(), |rank, key, qty| {
            if let Some(level) = out.get_mut(rank) {
                *level = Level { price: tick.price(key ^ mirror), qty: Qty(qty) };
            }
        })
    }
}

/// The levels of one side, best first.
#[derive(Clone)]
pub struct Levels<'a> {
    half: &'a Half,
    walk: Walk,
    tick: &'a Tick,
    mirror: u64,
}

impl Iterator for Levels<'_> {
    type Item = Level;

    #[inline]
    fn next(&mut self) -> Option<Level> {
        let (key, qty) = self.half.step(&mut self.walk)?;
        Some(Level { price: self.tick.price(key ^ self.mirror), qty: Qty(qty) })
    }
}
