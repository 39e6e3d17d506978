//! What the venue limits, and what requests cost.
//!
//! The venue's rules: in two seconds an account may place 60 orders on an instrument, amend 60 and cancel
//! 60, over REST and WebSocket together. A sub-account may place and amend 1000 in all, spot left out.
//! Questions have limits of their own by endpoint.

use super::requests::Call;
use crate::types::Nanos;
use crate::venue::{Costs, Forget, RULES_MAX, Rule, Urgency};

/// Where a rule is among the rules.
pub const PLACE: usize = 0;
/// Amendments of an instrument's orders.
pub const AMEND: usize = 1;
/// Cancels of an instrument's orders.
pub const CANCEL: usize = 2;
/// Orders and amendments of a sub-account, without spot.
pub const SUB_ACCOUNT: usize = 3;
/// Single orders and lists of open ones or fills, each as often.
pub const ORDER_QUESTIONS: usize = 4;
/// Balances and positions, each as often.
pub const ACCOUNT_QUESTIONS: usize = 5;
/// Fees and settings of the account, each as often.
pub const SETTINGS: usize = 6;
/// The dead-man switch.
pub const DEAD_MAN: usize = 7;

const TWO: Nanos = Nanos::from_secs(2);

const fn rule(name: &'static str, most: u32, each: bool, urgent: u32) -> Rule {
    Rule { name, most, forget: Forget::After(TWO), each, share: 90, orders: 0, urgent }
}

/// All of them.
pub const RULES: [Rule; 8] = [
    rule("orders of an instrument 2s", 60, true, 12),
    rule("amends of an instrument 2s", 60, true, 0),
    rule("cancels of an instrument 2s", 60, true, 0),
    rule("orders of a sub-account 2s", 1_000, false, 12),
    rule("order questions 2s", 60, false, 0),
    rule("account questions 2s", 10, false, 0),
    rule("settings questions 2s", 5, false, 0),
    Rule {
        forget: Forget::After(Nanos::from_secs(1)),
        share: 100,
        ..rule("dead-man switch 1s", 1, false, 0)
    },
];

/// A request counted by one rule; orders and amendments of contracts by the sub-account's too.
pub const fn request(rule: usize, is_spot: bool) -> Costs {
    let mut costs: Costs = [0; RULES_MAX];
    costs[rule] = 1;
    if !is_spot && (rule == PLACE || rule == AMEND) {
        costs[SUB_ACCOUNT] = 1;
    }
    costs
}

/// What a call costs, and who goes first. Where nothing can be done without an answer, it is urgent.
pub fn of(call: &Call, is_spot: bool) -> (Costs, Urgency) {
    let (rule, urgency) = match call {
        // Rarely asked, and public: its limit is that of the address.
        Call::ServerTime => return ([0; RULES_MAX], Urgency::Urgent),
        // A limit of its own, of 300 orders, that one list after the other never comes near.
        Call::SweepBatch(sweep) if !sweep.is_single => return ([0; RULES_MAX], Urgency::Urgent),
        Call::SweepBatch(_) | Call::Cancel(_) => (CANCEL, Urgency::Urgent),
        Call::Amend(_) => (AMEND, Urgency::Urgent),
        Call::Sweep(_) => (ORDER_QUESTIONS, Urgency::Urgent),
        Call::Open { .. } | Call::Query(_) | Call::Fills { .. } => (ORDER_QUESTIONS, Urgency::Question),
        Call::Instruments => (ACCOUNT_QUESTIONS, Urgency::Urgent),
        Call::Balances => (ACCOUNT_QUESTIONS, Urgency::Question),
        Call::Fees(_) | Call::Rights => (SETTINGS, Urgency::Question),
        Call::DeadMan => (DEAD_MAN, Urgency::Urgent),
    };
    (request(rule, is_spot), urgency)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::{Budget, Limited, Urgency};

    #[test]
    fn instruments_are_counted_apart_and_contracts_together_too() {
        let now = Nanos::from_secs(1_700_000_000);
        let mut budget = Budget::new(&RULES, 40);
        let mut many = |rule, is_spot, instrument| {
            let costs = request(rule, is_spot);
            (0..1_000).filter(|_| budget.spend(&costs, Urgency::Order, instrument, now).is_ok()).count()
        };
        assert_eq!([many(PLACE, true, 0), many(CANCEL, true, 0), many(PLACE, true, 1)], [47, 54, 47]);
        let contracts: usize = (2..30).map(|instrument| many(PLACE, false, instrument)).sum();
        assert_eq!(contracts, 792);
        let refused = budget.spend(&request(PLACE, false), Urgency::Order, 39, now);
        assert_eq!(refused, Err(Limited("orders of a sub-account 2s")));
        assert_eq!(budget.spend(&request(PLACE, true), Urgency::Order, 39, now), Ok(()));
    }
}
