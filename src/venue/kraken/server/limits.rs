//! The matching engine's rate counter: one for each account and pair.
//!
//! The venue's rule for its highest tier: 180 points, of which 3.75 a second are forgotten. An
//! order costs one; a cancel costs nothing but a surcharge for the youth of the order, and an
//! amendment one with a smaller surcharge.

use std::collections::BTreeMap;

use crate::types::Nanos;
use crate::venue::AccountId;

/// In millionths of a point, so that decay is exact enough in integers.
const POINT: i64 = 1_000_000;
const MOST: i64 = 180 * POINT;
/// Forgotten a millisecond.
const DECAY_MS: i64 = 3_750;

/// All counters.
#[derive(Default)]
pub struct Counters(BTreeMap<(AccountId, usize), (i64, Nanos)>);

impl Counters {
    /// Spends points; false when there are not enough, and none are spent.
    pub fn spend(&mut self, account: AccountId, instrument: usize, points: i64, now: Nanos) -> bool {
        let (used, at) = self.0.entry((account, instrument)).or_insert((0, now));
        let millis = (now - *at).millis().max(0);
        *used = (*used - millis.saturating_mul(DECAY_MS)).max(0);
        *at = (*at + Nanos::from_millis(millis)).max(*at);
        if *used + points * POINT > MOST {
            return false;
        }
        *used += points * POINT;
        true
    }
}

/// What cancelling an order of this age costs.
pub fn cancel_points(age: Nanos) -> i64 {
    surcharge(age, &[(5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1)])
}

/// What amending an order of this age costs.
pub fn amend_points(age: Nanos) -> i64 {
    1 + surcharge(age, &[(5, 3), (10, 2), (15, 1)])
}

fn surcharge(age: Nanos, table: &[(i64, i64)]) -> i64 {
    table.iter().find(|(below, _)| age < Nanos::from_secs(*below)).map_or(0, |(_, points)| *points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_are_taken_and_forgotten() {
        let mut counters = Counters::default();
        let at = Nanos::from_secs(1_000);
        assert!((0..180).all(|_| counters.spend(AccountId(1), 0, 1, at)));
        assert!(!counters.spend(AccountId(1), 0, 1, at));
        assert!(counters.spend(AccountId(1), 1, 1, at), "another pair");
        assert!(!counters.spend(AccountId(1), 0, 1, at + Nanos::from_millis(266)));
        assert!(counters.spend(AccountId(1), 0, 1, at + Nanos::from_millis(267)));
        assert_eq!((cancel_points(Nanos::ZERO), cancel_points(Nanos::from_secs(300))), (8, 0));
        assert_eq!(amend_points(Nanos::from_secs(10)), 2);
    }
}
