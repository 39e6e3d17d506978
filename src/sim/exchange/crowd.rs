//! Liquidity that nobody here placed: the book that a recording shows, less what was taken of it.
//!
//! What an order took of a level stays taken until the recording shows that level anew. Nobody
//! reacts to our orders, and nothing that rests here is hit by those whose orders are recorded.

use std::collections::BTreeMap;

use crate::book::{Ladder, LadderConfig};
use crate::types::{Level, Price, Qty, Side};

/// A recorded book.
pub struct Crowd {
    ladder: Ladder,
    /// What was taken of levels since they were last shown, by side and price.
    taken: [BTreeMap<Price, Qty>; 2],
}

impl Crowd {
    /// An empty book whose prices are multiples of this.
    pub(super) fn new(tick: Price) -> Crowd {
        let ladder = Ladder::new(LadderConfig { tick: Some(tick), ..LadderConfig::default() });
        Crowd { ladder, taken: Default::default() }
    }

    /// Everything is shown anew; `keep` cuts each side afterwards, zero keeps all. A book that cannot
    /// be held is empty.
    pub fn snapshot(&mut self, bids: &[Level], asks: &[Level], keep: usize) {
        self.taken = Default::default();
        if self.ladder.snapshot(bids, asks).is_ok() && keep > 0 {
            self.ladder.truncate(keep);
        }
    }

    /// These levels are shown anew, each with its absolute quantity.
    pub fn update(&mut self, bids: &[Level], asks: &[Level], keep: usize) {
        for (taken, levels) in self.taken.iter_mut().zip([bids, asks]) {
            if !taken.is_empty() {
                levels.iter().for_each(|level| {
                    taken.remove(&level.price);
                });
            }
        }
        if self.ladder.apply(bids, asks).is_ok() && keep > 0 {
            self.ladder.truncate(keep);
        }
    }

    /// Nobody knows what is there.
    pub fn clear(&mut self) {
        self.snapshot(&[], &[], 0);
    }

    /// What is left of a side, best first.
    pub(super) fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let taken = &self.taken[side as usize];
        let left = |mut level: Level| {
            if let Some(gone) = taken.get(&level.price) {
                level.qty = Qty(level.qty.0 - gone.0);
            }
            (level.qty.0 > 0).then_some(level)
        };
        self.ladder.levels(side).filter_map(left)
    }

    /// Takes so much of a level.
    pub(super) fn take(&mut self, side: Side, price: Price, qty: Qty) {
        let taken = self.taken[side as usize].entry(price).or_default();
        *taken = Qty(taken.0 + qty.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_stays_taken_until_the_level_is_shown_anew() {
        let mut crowd = Crowd::new(Price(1));
        crowd.snapshot(&[Level::new(99, 5)], &[Level::new(101, 5), Level::new(102, 7)], 0);
        let asks = |crowd: &Crowd| crowd.levels(Side::Sell).collect::<Vec<_>>();
        crowd.take(Side::Sell, Price(101), Qty(5));
        crowd.take(Side::Sell, Price(102), Qty(3));
        assert_eq!(asks(&crowd), [Level::new(102, 4)]);
        crowd.update(&[Level::new(98, 1)], &[Level::new(103, 1)], 0);
        assert_eq!(asks(&crowd), [Level::new(102, 4), Level::new(103, 1)]);
        crowd.update(&[], &[Level::new(101, 2)], 0);
        assert_eq!(asks(&crowd), [Level::new(101, 2), Level::new(102, 4), Level::new(103, 1)]);
        crowd.snapshot(&[], &[Level::new(102, 7)], 0);
        assert_eq!(asks(&crowd), [Level::new(102, 7)]);
        crowd.clear();
        assert_eq!(asks(&crowd), []);
    }
}
