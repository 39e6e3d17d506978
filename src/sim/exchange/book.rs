//! Resting orders of one instrument, by price and then by age; and beside them, where a recording is
//! played, the levels that it shows.

use std::collections::{BTreeMap, VecDeque};

use super::crowd::Crowd;
use crate::types::{Level, Price, Qty, Side};

/// One price: the orders in the order they came, and their sum.
#[derive(Default)]
struct Queue {
    total: i64,
    /// Order number and what is left of it.
    orders: VecDeque<(u64, i64)>,
}

/// The number under which recorded liquidity is met: no order has it.
pub(super) const CROWD: u64 = 0;

/// Both sides of one instrument.
#[derive(Default)]
pub(super) struct Book {
    sides: [BTreeMap<i64, Queue>; 2],
    /// Recorded liquidity, which goes before orders of the same price.
    pub(super) crowd: Option<Box<Crowd>>,
}

impl Book {
    /// True when an order on `side` at `limit` would trade at once; no limit = at any price.
    pub fn crosses(&self, side: Side, limit: Option<Price>) -> bool {
        self.best(side.opposite()).is_some_and(|best| reaches(side, limit, best))
    }

    /// The best price of a side.
    pub fn best(&self, side: Side) -> Option<Price> {
        let own = self.best_order(side);
        let shown = self.crowd_best(side).map(|level| level.price);
        match (own, shown) {
            (Some(own), Some(shown)) => Some(if side == Side::Buy { own.max(shown) } else { own.min(shown) }),
            (own, shown) => own.or(shown),
        }
    }

    fn best_order(&self, side: Side) -> Option<Price> {
        let prices = &self.sides[side as usize];
        let best = match side {
            Side::Buy => prices.last_key_value(),
            Side::Sell => prices.first_key_value(),
        };
        best.map(|(price, _)| Price(*price))
    }

    fn crowd_best(&self, side: Side) -> Option<Level> {
        self.crowd.as_ref()?.levels(side).next()
    }

    /// The order that would trade next: price, number, what is left of it.
    pub fn front(&self, side: Side) -> Option<(Price, u64, Qty)> {
        let price = self.best(side)?;
        if let Some(shown) = self.crowd_best(side).filter(|level| level.price == price) {
            return Some((price, CROWD, shown.qty));
        }
        let (id, left) = self.sides[side as usize].get(&price.0)?.orders.front()?;
        Some((price, *id, Qty(*left)))
    }

    /// Every order that one on `side` with `limit` would meet, in the order it would meet them.
    pub fn in_reach(&self, side: Side, limit: Option<Price>) -> impl Iterator<Item = (Price, u64, Qty)> + '_ {
        self.all(side.opposite()).take_while(move |(price, ..)| reaches(side, limit, *price))
    }

    /// Everything on a side in the order in which it would trade.
    fn all(&self, side: Side) -> impl Iterator<Item = (Price, u64, Qty)> + '_ {
        let orders = self
            .walk(side)
            .flat_map(|(price, queue)| queue.orders.iter().map(move |(id, left)| (price, *id, Qty(*left))));
        let shown = self.crowd.iter().flat_map(move |crowd| crowd.levels(side));
        let (mut orders, mut shown) = (orders.peekable(), shown.peekable());
        std::iter::from_fn(move || {
            let shown_first = match (shown.peek(), orders.peek()) {
                (Some(level), Some((price, ..))) => reaches(side.opposite(), Some(*price), level.price),
                (shown, _) => shown.is_some(),
            };
            if shown_first {
                shown.next().map(|level| (level.price, CROWD, level.qty))
            } else {
                orders.next()
            }
        })
    }

    /// The best levels of a side, best first.
    pub fn levels(&self, side: Side, most: usize) -> Vec<Level> {
        let mut levels: Vec<Level> = Vec::new();
        for (price, _, qty) in self.all(side) {
            if let Some(last) = levels.last_mut().filter(|last| last.price == price) {
                last.qty = Qty(last.qty.0 + qty.0);
            } else if levels.len() < most {
                levels.push(Level { price, qty });
            } else {
                break;
            }
        }
        levels
    }

    /// The whole quantity at a price; zero when nothing rests there.
    pub fn at(&self, side: Side, price: Price) -> Qty {
        let orders = self.sides[side as usize].get(&price.0).map_or(0, |queue| queue.total);
        // Best first, and asked for prices near the best: the thousands of levels behind are not walked.
        let shown = self.crowd.iter().flat_map(|crowd| crowd.levels(side));
        let mut shown = shown
            .skip_while(|level| reaches(side.opposite(), Some(price), level.price) && level.price != price);
        let shown = shown.next().filter(|level| level.price == price);
        Qty(orders + shown.map_or(0, |level| level.qty.0))
    }

    /// Takes so much of the recorded liquidity at a price.
    pub fn take_shown(&mut self, side: Side, price: Price, qty: Qty) {
        if let Some(crowd) = &mut self.crowd {
            crowd.take(side, price, qty);
        }
    }

    /// Puts an order behind all others of its price.
    pub fn push(&mut self, side: Side, price: Price, id: u64, left: Qty) {
        let queue = self.sides[side as usize].entry(price.0).or_default();
        queue.total += left.0;
        queue.orders.push_back((id, left.0));
    }

    /// Changes what is left of an order without moving it; zero removes it. False when it is not there.
    pub fn set(&mut self, side: Side, price: Price, id: u64, left: Qty) -> bool {
        let prices = &mut self.sides[side as usize];
        let Some(queue) = prices.get_mut(&price.0) else { return false };
        let Some(at) = queue.orders.iter().position(|(order, _)| *order == id) else { return false };
        let entry = &mut queue.orders[at];
        queue.total += left.0 - entry.1;
        entry.1 = left.0;
        if left.0 == 0 {
            queue.orders.remove(at);
        }
        if queue.orders.is_empty() {
            prices.remove(&price.0);
        }
        true
    }

    fn walk(&self, side: Side) -> Box<dyn Iterator<Item = (Price, &Queue)> + '_> {
        let prices = &self.sides[side as usize];
        match side {
            Side::Buy => Box::new(prices.iter().rev().map(|(price, queue)| (Price(*price), queue))),
            Side::Sell => Box::new(prices.iter().map(|(price, queue)| (Price(*price), queue))),
        }
    }
}

fn reaches(side: Side, limit: Option<Price>, price: Price) -> bool {
    match (side, limit) {
        (_, None) => true,
        (Side::Buy, Some(limit)) => price <= limit,
        (Side::Sell, Some(limit)) => price >= limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_price_goes_first_and_the_oldest_within_it() {
        let mut book = Book::default();
        for (price, id, left) in [(101, 1, 5), (100, 2, 7), (100, 3, 2), (102, 4, 1)] {
            book.push(Side::Sell, Price(price), id, Qty(left));
        }
        let met: Vec<u64> = book.in_reach(Side::Buy, Some(Price(101))).map(|(_, id, _)| id).collect();
        assert_eq!(met, [2, 3, 1]);
        assert_eq!(book.levels(Side::Sell, 2), [Level::new(100, 9), Level::new(101, 5)]);
        assert!(book.set(Side::Sell, Price(100), 2, Qty(1)), "a cut keeps its place");
        assert_eq!(book.front(Side::Sell), Some((Price(100), 2, Qty(1))));
        assert!(book.set(Side::Sell, Price(100), 2, Qty(0)) && book.set(Side::Sell, Price(100), 3, Qty(0)));
        assert_eq!(book.at(Side::Sell, Price(100)), Qty(0));
        assert_eq!(book.best(Side::Sell), Some(Price(101)));
        assert!(!book.set(Side::Sell, Price(100), 3, Qty(0)));
        assert!(book.crosses(Side::Buy, Some(Price(101))) && !book.crosses(Side::Buy, Some(Price(100))));
    }
}
