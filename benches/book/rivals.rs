//! Books as they are usually written.

use std::collections::BTreeMap;

use xarb::types::Level;

pub trait Rival: Default {
    fn apply(&mut self, bids: &[Level], asks: &[Level]);
    fn truncate(&mut self, keep: usize);
    fn best(&self) -> (Option<Level>, Option<Level>);
}

/// Two maps by price.
#[derive(Default)]
pub struct SortedMap {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Rival for SortedMap {
    fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        for (map, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels {
                match level.qty.0 {
                    0 => map.remove(&level.price.0),
                    qty => map.insert(level.price.0, qty),
                };
            }
        }
    }

    fn truncate(&mut self, keep: usize) {
        while self.bids.len() > keep {
            self.bids.pop_first();
        }
        while self.asks.len() > keep {
            self.asks.pop_last();
        }
    }

    fn best(&self) -> (Option<Level>, Option<Level>) {
        let level = |(price, qty): (&i64, &i64)| Level::new(*price, *qty);
        (self.bids.last_key_value().map(level), self.asks.first_key_value().map(level))
    }
}

/// Two vectors, best at the end, so that most insertions move little.
#[derive(Default)]
pub struct SortedVec {
    bids: Vec<(i64, i64)>,
    asks: Vec<(i64, i64)>,
}

impl Rival for SortedVec {
    fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        // Asks by their negated price, so that both are ascending towards the best.
        for (levels, new, sign) in [(&mut self.bids, bids, 1), (&mut self.asks, asks, -1)] {
            for level in new {
                let (key, qty) = (level.price.0 * sign, level.qty.0);
                match (levels.binary_search_by_key(&key, |(key, _)| *key), qty) {
                    (Ok(at), 0) => drop(levels.remove(at)),
                    (Ok(at), qty) => levels[at].1 = qty,
                    (Err(_), 0) => {}
                    (Err(at), qty) => levels.insert(at, (key, qty)),
                }
            }
        }
    }

    fn truncate(&mut self, keep: usize) {
        for levels in [&mut self.bids, &mut self.asks] {
            levels.drain(..levels.len().saturating_sub(keep));
        }
    }

    fn best(&self) -> (Option<Level>, Option<Level>) {
        let level = |sign: i64| move |(key, qty): &(i64, i64)| Level::new(key * sign, *qty);
        (self.bids.last().map(level(1)), self.asks.last().map(level(-1)))
    }
}
