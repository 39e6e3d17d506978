//! What the venue limits, and what requests cost.
//!
//! The venue's rules: each account may call each endpoint so often in any second; creating, amending and
//! cancelling orders count apart, over REST and WebSocket together, for spot and for contracts apart.
//! Every answer tells the account's own limit (`X-Bapi-Limit`) and what is left of it
//! (`X-Bapi-Limit-Status`); the numbers here are those of the lowest level. An address may send 600 HTTP
//! requests in five seconds, and is locked out for ten minutes beyond that.

use crate::types::Nanos;
use crate::venue::{Budget, Costs, Forget, RULES_MAX, Rule};

/// Where a rule is among those of a market.
pub const CREATE: usize = 0;
/// Amendments.
pub const AMEND: usize = 1;
/// Cancels.
pub const CANCEL: usize = 2;
/// Each of the questions, counted together: the lowest limit among them.
pub const QUESTIONS: usize = 3;
/// HTTP requests of an address.
pub const ADDRESS: usize = 4;

/// How long a locked out address must stay away.
pub const LOCKED_OUT: Nanos = Nanos::from_secs(600);

/// A second is short beside what the network shifts: a tenth more is left than windows leave anyway.
const fn second(name: &'static str, most: u32, urgent: u32) -> Rule {
    let forget = Forget::After(Nanos::from_secs(1));
    Rule { name, most, forget, each: false, share: 90, orders: 0, urgent }
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
            forget: Forget::After(Nanos::from_secs(5)),
            each: false,
            share: 60,
            orders: 40,
            urgent: 10,
        },
    ]
}

/// Spot.
pub const SPOT: [Rule; 5] = rules(20);
/// Linear contracts.
pub const LINEAR: [Rule; 5] = rules(10);

/// A request counted by one endpoint's rule; over HTTP also by its address's.
pub const fn request(rule: usize, over_http: bool) -> Costs {
    let mut costs: Costs = [0; RULES_MAX];
    costs[rule] = 1;
    costs[ADDRESS] = over_http as u32;
    costs
}

/// Takes what an answer's headers tell of an endpoint: its limit, and what is left.
pub fn told(budget: &mut Budget, rule: usize, limit: u64, left: u64, now: Nanos) {
    budget.limit(rule, limit);
    budget.told(rule, 0, limit.saturating_sub(left), now);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::Urgency;

    #[test]
    fn endpoints_are_counted_apart_and_headers_correct_them() {
        let at = |ms: i64| Nanos::from_millis(1_700_000_000_000 + ms);
        let mut budget = Budget::new(&SPOT, 1);
        let many = |budget: &mut Budget, rule, ms| {
            let costs = request(rule, false);
            (0..100).filter(|_| budget.spend(&costs, Urgency::Order, 0, at(ms)).is_ok()).count()
        };
        assert_eq!([many(&mut budget, CREATE, 0), many(&mut budget, CANCEL, 0)], [15, 18]);
        assert_eq!((many(&mut budget, CREATE, 999), many(&mut budget, CREATE, 1_200)), (0, 15));
        // A higher level, of which others on the account have used all but one.
        told(&mut budget, CREATE, 100, 13, at(2_450));
        assert_eq!(many(&mut budget, CREATE, 2_450), 1);
    }
}
