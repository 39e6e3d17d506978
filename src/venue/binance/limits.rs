//! What the venue limits, and what requests cost.
//!
//! The venue's rules: each address may spend a weight a minute, and on spot send a number of requests in
//! five minutes; each account may place a number of orders in ten seconds and in a longer window. An
//! order or cancel that succeeds has no weight, one that fails has its own, so each is counted at its
//! worst. Windows are those of the clock. The numbers here are the documented ones, until answers tell
//! the account's.

use super::errors::ApiError;
use super::symbol::Market;
use crate::types::Nanos;
use crate::venue::{Costs, Forget, RULES_MAX, Rule, cost};

/// Where a rule is among the rules of its market.
pub const WEIGHT: usize = 0;
/// Orders in ten seconds.
pub const ORDERS: usize = 1;
/// Orders in a day (spot) or a minute (futures).
pub const ORDERS_LONG: usize = 2;
/// Requests of any kind, on spot.
pub const RAW: usize = 3;

const MINUTE: Nanos = Nanos::from_secs(60);
const TEN: Nanos = Nanos::from_secs(10);
const DAY: Nanos = Nanos::from_secs(86_400);

/// How long to stop when the venue says that we must, and not for how long.
const STOP: Nanos = MINUTE;
/// The same for a ban; the first are of two minutes, and each longer than the last.
const BANNED: Nanos = Nanos::from_secs(600);

/// By address: the feed has the other share. Questions leave half of ours to cancels and amendments.
const fn weight(most: u32) -> Rule {
    let forget = Forget::After(MINUTE);
    Rule { name: "weight 1m", most, forget, each: false, share: 35, orders: 30, urgent: 20 }
}

/// By account; an eighth is for hedges.
const fn orders(name: &'static str, most: u32, length: Nanos) -> Rule {
    Rule { name, most, forget: Forget::After(length), each: false, share: 100, orders: 0, urgent: 12 }
}

/// Spot.
pub const SPOT: [Rule; 4] = [
    weight(6_000),
    orders("orders 10s", 50, TEN),
    orders("orders 1d", 160_000, DAY),
    Rule {
        name: "raw 5m",
        most: 300_000,
        forget: Forget::After(Nanos::from_secs(300)),
        each: false,
        share: 45,
        orders: 30,
        urgent: 20,
    },
];

/// USD-M futures.
pub const USDM: [Rule; 3] =
    [weight(2_400), orders("orders 10s", 300, TEN), orders("orders 1m", 1_200, MINUTE)];

/// COIN-M futures. That changes count in ten seconds as well is documented, and not how many may: no more
/// than their share of the minute.
pub const COINM: [Rule; 3] =
    [weight(2_400), orders("orders 10s", 200, TEN), orders("orders 1m", 1_200, MINUTE)];

/// Of a limit by address, the feeds' share. A snapshot is counted when it is wanted, and may be asked for
/// a pause later together with those wanted then: hence no more than half of what the gateway leaves.
pub const fn of_feed(market: Market) -> [Rule; 1] {
    let most = match market {
        Market::Spot => 6_000,
        Market::UsdM | Market::CoinM => 2_400,
    };
    [Rule { share: 30, orders: 0, urgent: 0, ..weight(most) }]
}

/// A snapshot of so many levels.
pub const fn snapshot(market: Market, levels: u32) -> Costs {
    let weight = match (market, levels) {
        (Market::Spot, 0..=100) => 5,
        (Market::Spot, 101..=500) => 25,
        (Market::Spot, 501..=1_000) => 50,
        (Market::Spot, _) => 250,
        (_, 0..=50) => 2,
        (_, 51..=100) => 5,
        (_, 101..=500) => 10,
        (_, _) => 20,
    };
    cost(WEIGHT, weight)
}

/// A request of this weight that places no order.
pub const fn request(weight: u32) -> Costs {
    let mut costs: Costs = [0; RULES_MAX];
    costs[WEIGHT] = weight;
    costs[RAW] = 1;
    costs
}

/// A request that places an order, or counts as if it did.
pub const ORDER: Costs = {
    let mut costs = request(1);
    costs[ORDERS] = 1;
    costs[ORDERS_LONG] = 1;
    costs
};

/// The rule of a limit as reports name it.
pub fn find(rules: &[Rule], name: &str) -> Option<usize> {
    rules.iter().position(|rule| rule.name == name)
}

/// What an answer asks us to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Orders.
    Orders(Nanos),
    /// Everything.
    All(Nanos),
}

/// Whether an answer says that we must stop, and until when.
pub fn stop(status: u16, error: Option<&ApiError>, retry_at: Option<Nanos>, now: Nanos) -> Option<Stop> {
    let code = error.map_or(0, |error| error.code);
    match (status, code) {
        (_, -1015) => Some(Stop::Orders(retry_at.unwrap_or(now + TEN))),
        (418, _) => {
            let text = error.map_or("", |error| error.msg.as_str());
            Some(Stop::All(retry_at.or_else(|| banned_until(text)).unwrap_or(now + BANNED)))
        }
        (429, _) | (_, -1003) => Some(Stop::All(retry_at.unwrap_or(now + STOP))),
        _ => None,
    }
}

/// The end of a ban as its text has it: `... IP banned until 1537150923123. ...`.
pub fn banned_until(text: &str) -> Option<Nanos> {
    let (_, rest) = text.split_once("banned until ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let millis = rest[..end].parse::<i64>().ok()?;
    millis.checked_mul(1_000_000).map(Nanos)
}

/// How long a feed stops after such an answer to a snapshot.
pub fn feed_stop(status: u16, body: &[u8], now: Nanos) -> Option<Nanos> {
    let error = serde_json::from_slice::<ApiError>(body).ok();
    match stop(status, error.as_ref(), None, now) {
        Some(Stop::All(until) | Stop::Orders(until)) => Some(until),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_an_address_leave_room() {
        // A feed may have asked for what was counted in the minute before, on top of this minute's.
        let feed = of_feed(Market::Spot)[0];
        for rule in [SPOT[WEIGHT], USDM[WEIGHT], COINM[WEIGHT]] {
            assert!(rule.share + 2 * feed.share <= 95, "{rule:?}");
        }
        assert_eq!([SPOT[ORDERS], USDM[ORDERS], COINM[ORDERS]].map(|rule| rule.name), ["orders 10s"; 3]);
        assert_eq!(find(&SPOT, "orders 1d"), Some(ORDERS_LONG));
    }

    #[test]
    fn answers_say_what_to_stop_and_until_when() {
        let now = Nanos::from_secs(1_000);
        let error = |code, msg: &str| Some(ApiError { code, msg: msg.to_owned(), data: None });
        let banned = "Way too much request weight used; IP banned until 1537150923123. Please use WebSocket.";
        let at = Nanos::from_secs(1_007);
        for (status, error, retry_at, want) in [
            (200, None, None, None),
            (400, error(-2010, ""), None, None),
            (429, error(-1015, "Too many new orders."), Some(at), Some(Stop::Orders(at))),
            (429, error(-1003, ""), Some(at), Some(Stop::All(at))),
            (429, None, None, Some(Stop::All(now + STOP))),
            (418, error(-1003, banned), None, Some(Stop::All(Nanos::from_millis(1_537_150_923_123)))),
            (418, None, None, Some(Stop::All(now + BANNED))),
            (503, None, Some(at), None),
        ] {
            assert_eq!(stop(status, error.as_ref(), retry_at, now), want, "{status}");
        }
    }
}
