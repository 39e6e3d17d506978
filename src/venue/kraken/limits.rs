//! What the venue limits, and what requests cost.
//!
//! The venue's rules. The matching engine counts points, for each account and pair, and forgets some of
//! them steadily: an order is one, a cancel or an amendment more the younger its order is. Calls over
//! REST have a counter of their own, by key, that orders and cancels do not move. How high both may go,
//! and how fast they fall, is by the account's tier; the answer to the subscription of the account's
//! events tells the points, and with them the tier. Until then the lowest is taken.

use crate::types::Nanos;
use crate::venue::{Budget, Costs, Forget, Rule, cost};

/// Where a rule is among [`TRADING_RULES`].
pub const POINTS: usize = 0;
/// Where a rule is among [`CALL_RULES`].
pub const CALLS: usize = 0;

/// A tier: most points and how many thousandths are forgotten a second; the same of calls.
struct Tier {
    points: u32,
    decay: u32,
    calls: u32,
    calls_decay: u32,
}

const TIERS: [Tier; 3] = [
    Tier { points: 60, decay: 1_000, calls: 15, calls_decay: 330 },
    Tier { points: 125, decay: 2_340, calls: 20, calls_decay: 500 },
    Tier { points: 180, decay: 3_750, calls: 20, calls_decay: 1_000 },
];

/// Points of each pair. A twentieth is for what the network shifts; a fifth of the rest is kept for
/// cancels, of which a young one costs eight, and hedges.
pub const TRADING_RULES: [Rule; 1] = [Rule {
    name: "points of a pair",
    most: TIERS[0].points,
    forget: Forget::Steadily(TIERS[0].decay),
    each: true,
    share: 95,
    orders: 0,
    urgent: 20,
}];

/// Calls over REST. Some are kept for tokens, without which there is no session.
pub const CALL_RULES: [Rule; 1] = [Rule {
    name: "calls",
    most: TIERS[0].calls,
    forget: Forget::Steadily(TIERS[0].calls_decay),
    each: false,
    share: 95,
    orders: 0,
    urgent: 25,
}];

/// A new order.
pub const ORDER: Costs = cost(POINTS, 1);
/// A cancel at its dearest: how old the order is, is not known here.
pub const CANCEL: Costs = cost(POINTS, 8);
/// An amendment at its dearest.
pub const AMEND: Costs = cost(POINTS, 4);

/// What is said of a call that waited too long.
pub const NO_ROOM: &str = "not sent: the venue's limits had no room";

/// What a call over REST costs.
pub fn call(name: &str) -> Costs {
    match name {
        "AddOrder" | "AmendOrder" | "CancelOrder" => cost(CALLS, 0),
        "TradesHistory" | "Ledgers" => cost(CALLS, 2),
        _ => cost(CALLS, 1),
    }
}

/// Sets both budgets to the tier of an account that may have so many points.
pub fn set_tier(points: u64, trading: &mut Budget, calls: &mut Budget) {
    let tier = TIERS.iter().rev().find(|tier| u64::from(tier.points) <= points).unwrap_or(&TIERS[0]);
    trading.limit(POINTS, points);
    trading.decay(POINTS, tier.decay);
    calls.limit(CALLS, u64::from(tier.calls));
    calls.decay(CALLS, tier.calls_decay);
}

/// After a lockout every further try prolongs it.
const LOCKOUT: Nanos = Nanos::from_secs(15 * 60);
/// When the venue blocks an address or asks to wait, and does not say for how long.
const STOP: Nanos = Nanos::from_secs(60);

/// What an error asks us to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Orders, until points are forgotten.
    Points,
    /// Calls, until some are forgotten.
    Calls,
    /// Everything.
    All(Nanos),
}

/// Whether an error says that we must stop.
pub fn stop(error: &str, now: Nanos) -> Option<Stop> {
    let (_, retry_at) = super::error::classify(error);
    match error {
        _ if retry_at.is_some() => retry_at.map(Stop::All),
        _ if error.starts_with("EAPI:Rate limit exceeded") => Some(Stop::Calls),
        _ if error.starts_with("EOrder:") && error.contains("ate limit exceeded") => Some(Stop::Points),
        _ if error.starts_with("EGeneral:Temporary lockout") => Some(Stop::All(now + LOCKOUT)),
        "HTTP 429" | "HTTP 403" => Some(Stop::All(now + STOP)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::{Limited, Urgency};

    #[test]
    fn the_tier_follows_from_the_points() {
        let at = |ms: i64| Nanos::from_millis(1_700_000_000_000 + ms);
        for (points, orders, a_second_later) in [(60, 45, 1), (125, 94, 2), (180, 136, 3), (500, 380, 3)] {
            let (mut trading, mut calls) = (Budget::new(&TRADING_RULES, 2), Budget::new(&CALL_RULES, 1));
            set_tier(points, &mut trading, &mut calls);
            let mut place =
                |ms| (0..1_000).filter(|_| trading.spend(&ORDER, Urgency::Order, 1, at(ms)).is_ok()).count();
            assert_eq!((place(0), place(1_000)), (orders, a_second_later), "{points}");
            assert_eq!(trading.spend(&CANCEL, Urgency::Urgent, 1, at(1_000)), Ok(()));
            let none = trading.spend(&ORDER, Urgency::Order, 2, at(1_000));
            assert_eq!(none, Err(Limited("points of a pair")), "a pair that is not ours");
        }
    }

    #[test]
    fn errors_say_what_to_stop() {
        let now = Nanos::from_secs(1_000);
        for (error, want) in [
            ("EOrder:Rate limit exceeded", Some(Stop::Points)),
            ("EOrder:Domain rate limit exceeded", Some(Stop::Points)),
            ("EOrder:Orders limit exceeded", None),
            ("EAPI:Rate limit exceeded", Some(Stop::Calls)),
            ("EService:Throttled: 1785060000", Some(Stop::All(Nanos::from_secs(1_785_060_000)))),
            ("EGeneral:Temporary lockout", Some(Stop::All(now + LOCKOUT))),
            ("HTTP 429", Some(Stop::All(now + STOP))),
            ("HTTP 520", None),
            ("EOrder:Insufficient funds", None),
        ] {
            assert_eq!(stop(error, now), want, "{error}");
        }
    }
}
