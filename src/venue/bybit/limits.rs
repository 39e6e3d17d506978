//! What the venue limits, and what requests cost.
//!
//! The venue's rules: each account may call each endpoint so often in any second; creating, amending and
//! cancelling orders count apart, over REST and WebSocket together, for spot and for contracts apart.
//! Every answer tells the account's own limit (`X-Bapi-Limit`) and what is left of it
//! (`X-Bapi-Limit-Status`); the numbers here are those of the lowest level. An address may send 600 HTTP
//! requests in five seconds, and is locked out for ten minutes beyond that.

use super::errors::BLOCKED;
use crate::types::Nanos;
use crate::venue::{Budget, Costs, Forget, RULES_MAX, Rule, cost};

/// Where a rule is among those of a market.
pub const CREATE: usize = 0;
/// Amendments.
pub const AMEND: usize = 1;
/// Cancels, of all orders too.
pub const CANCEL: usize = 2;
/// Each of the questions, counted together: the lowest limit among them.
pub const QUESTIONS: usize = 3;
/// HTTP requests of an address.
pub const ADDRESS: usize = 4;

/// How long to stop when the venue throttles us and does not say for how long: limits are of a second.
pub const STOP: Nanos = SECOND;
const SECOND: Nanos = Nanos::from_secs(1);

/// A second is short beside what the network shifts: a tenth more is left than windows leave anyway.
const fn second(name: &'static str, most: u32, urgent: u32) -> Rule {
    Rule { name, most, forget: Forget::Rolling(SECOND), each: false, share: 90, orders: 0, urgent }
}

const fn rules(orders: u32) -> [Rule; 5] {
    [
        second("creates 1s", orders, 12),
        second("amends 1s", orders, 0),
        second("cancels 1s", orders, 0),
        second("questions 1s", 10, 0),
        Rule {
            name: "requests 5s",
            most: 600,
            forget: Forget::Rolling(Nanos::from_secs(5)),
            each: false,
            share: 60,
            orders: 40,
            urgent: 10,
        },
    ]
}

/// Spot.
pub const SPOT: [Rule; 5] = rules(20);
/// Contracts.
pub const CONTRACTS: [Rule; 5] = rules(10);

/// A request counted by one endpoint's rule; over HTTP also by its address's.
pub const fn request(rule: usize, over_http: bool) -> Costs {
    let mut costs: Costs = [0; RULES_MAX];
    costs[rule] = 1;
    costs[ADDRESS] = over_http as u32;
    costs
}

/// A request that its address's rule alone counts.
pub const UNSIGNED: Costs = cost(ADDRESS, 1);

/// What an answer's headers tell of the endpoint that a rule counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// The endpoint's limit.
    pub limit: u64,
    /// What is left of it.
    pub left: u64,
}

/// Takes what an answer's headers tell. Questions share a rule and have limits of their own: the
/// least that one of them leaves is what all have left.
pub fn told(budget: &mut Budget, rule: usize, told: Told, now: Nanos) {
    if rule == QUESTIONS {
        let most = u64::from(SPOT[QUESTIONS].most);
        return budget.told(rule, 0, most.saturating_sub(told.left), now);
    }
    budget.limit(rule, told.limit);
    budget.told(rule, 0, told.limit.saturating_sub(told.left), now);
}

/// What an answer asks us to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// What its endpoint's rule counts.
    Rule(Nanos),
    /// Everything.
    All(Nanos),
}

/// Whether an answer says that we must stop, and until when. `reset` is when the venue says that the
/// endpoint's limit starts anew.
pub fn stop(status: u16, code: i64, reset: Option<Nanos>, now: Nanos) -> Option<Stop> {
    match (status, code) {
        // The address is blocked, and must be silent; or it is of the wrong country, for good.
        (403, _) => Some(Stop::All(now + BLOCKED)),
        // The venue protects itself, or a whole session is too fast.
        (429, _) | (_, 429 | 10_403 | 10_429 | 20_003) => Some(Stop::All(now + STOP)),
        (_, 10_006) => {
            // No reset is further off than a window: a time beyond is none.
            let reset = reset.filter(|at| *at > now && *at <= now + STOP + STOP);
            Some(Stop::Rule(reset.unwrap_or(now + STOP)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::Urgency;

    fn at(ms: i64) -> Nanos {
        Nanos::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn endpoints_are_counted_apart_and_headers_correct_them() {
        let mut budget = Budget::new(&SPOT, 1);
        let many = |budget: &mut Budget, rule, ms| {
            let costs = request(rule, false);
            (0..100).filter(|_| budget.spend(&costs, Urgency::Order, 0, at(ms)).is_ok()).count()
        };
        assert_eq!([many(&mut budget, CREATE, 0), many(&mut budget, CANCEL, 0)], [15, 18]);
        assert_eq!((many(&mut budget, CREATE, 999), many(&mut budget, CREATE, 1_200)), (0, 15));
        // A higher level, of which others on the account have used a good part.
        told(&mut budget, CREATE, Told { limit: 100, left: 22 }, at(2_450));
        assert_eq!(many(&mut budget, CREATE, 2_450), 1);
        // One question's limit is not that of the others; what it has left is.
        told(&mut budget, QUESTIONS, Told { limit: 50, left: 49 }, at(2_450));
        assert_eq!(many(&mut budget, QUESTIONS, 2_450), 9);
        told(&mut budget, QUESTIONS, Told { limit: 50, left: 3 }, at(4_450));
        assert_eq!(many(&mut budget, QUESTIONS, 4_450), 2);
    }

    #[test]
    fn answers_say_what_to_stop_and_until_when() {
        let now = at(0);
        for (status, code, reset, want) in [
            (200, 0, Some(at(300)), None),
            (200, 170_131, None, None),
            (200, 10_006, Some(at(300)), Some(Stop::Rule(at(300)))),
            (200, 10_006, Some(at(-1)), Some(Stop::Rule(at(1_000)))),
            (200, 10_006, Some(at(86_400_000)), Some(Stop::Rule(at(1_000)))),
            (200, 10_429, None, Some(Stop::All(at(1_000)))),
            (429, 0, None, Some(Stop::All(at(1_000)))),
            (403, 0, None, Some(Stop::All(at(600_000)))),
            (502, 0, None, None),
        ] {
            assert_eq!(stop(status, code, reset, now), want, "{status} {code}");
        }
    }
}
