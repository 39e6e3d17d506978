//! The matching engine's rate counter, one for each account and pair, and that of calls over REST, one
//! for each key.
//!
//! The venue's rule for its highest tier: 180 points, of which 3.75 a second are forgotten. An
//! order costs one; a cancel costs nothing but a surcharge for the youth of the order, and an
//! amendment one with a smaller surcharge. Of 20 calls one a second is forgotten; trade lists cost two,
//! orders and their cancels and amendments none.

use std::collections::BTreeMap;

use crate::types::Nanos;
use crate::venue::AccountId;

/// In millionths of a point, so that decay is exact enough in integers.
const POINT: i64 = 1_000_000;
/// Most points of a pair.
pub const POINTS_MAX: i64 = 180;
/// Forgotten a millisecond.
const DECAY_MS: i64 = 3_750;
/// Most calls, and what of them is forgotten a millisecond.
const CALLS_MAX: i64 = 20;
const CALLS_DECAY_MS: i64 = 1_000;

/// All counters.
#[derive(Default)]
pub struct Counters {
    pairs: BTreeMap<(AccountId, usize), Counter>,
    calls: BTreeMap<String, Counter>,
}

/// What is counted, and when it was last looked at.
#[derive(Default)]
struct Counter(i64, Nanos);

impl Counter {
    fn spend(&mut self, points: i64, most: i64, decay_ms: i64, now: Nanos) -> bool {
        let Counter(used, at) = self;
        let millis = (now - *at).millis().max(0);
        *used = (*used - millis.saturating_mul(decay_ms)).max(0);
        *at = *at + Nanos::from_millis(millis);
        let fits = *used + points * POINT <= most * POINT;
        if fits {
            *used += points * POINT;
        }
        fits
    }
}

impl Counters {
    /// Spends points; false when there are not enough, and none are spent.
    pub fn spend(&mut self, account: AccountId, instrument: usize, points: i64, now: Nanos) -> bool {
        self.pairs.entry((account, instrument)).or_default().spend(points, POINTS_MAX, DECAY_MS, now)
    }

    /// Counts a call of a key; false when it is one too many.
    pub fn call(&mut self, key: &str, name: &str, now: Nanos) -> bool {
        let calls = match name {
            "AddOrder" | "AmendOrder" | "CancelOrder" => return true,
            "TradesHistory" | "Ledgers" => 2,
            _ => 1,
        };
        let own = self.calls.entry(key.to_owned()).or_default();
        own.spend(calls, CALLS_MAX, CALLS_DECAY_MS, now)
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
        assert!((0..20).all(|_| counters.call("k", "OpenOrders", at)) && counters.call("k", "AddOrder", at));
        assert!(!counters.call("k", "OpenOrders", at) && counters.call("other", "OpenOrders", at));
        assert!(counters.call("k", "TradesHistory", at + Nanos::from_secs(2)));
        assert_eq!((cancel_points(Nanos::ZERO), cancel_points(Nanos::from_secs(300))), (8, 0));
        assert_eq!(amend_points(Nanos::from_secs(10)), 2);
    }
}
