//! Requests that are no new orders wait their turn when the venue's limits have no room for them now.
//!
//! What is urgent goes before questions; questions keep their order. One that waits holds up only those
//! behind it that are counted by the same rule, and of rules by instrument only those of its own.

use std::collections::VecDeque;

use super::{Budget, Costs, Urgency};
use crate::types::Nanos;

/// Most requests that wait.
const WAITING_MAX: usize = 256;

/// A budget, and what waits for it.
pub struct Turns<T> {
    /// The limits; orders are counted here too where they share them.
    pub budget: Budget,
    waiting: VecDeque<Waiting<T>>,
}

struct Waiting<T> {
    request: T,
    urgency: Urgency,
    costs: Costs,
    instrument: usize,
    since: Nanos,
}

impl<T> Turns<T> {
    /// Nothing waits.
    pub fn new(budget: Budget) -> Turns<T> {
        Turns { budget, waiting: VecDeque::new() }
    }

    /// Puts a request about an instrument in line (any, where no rule counts by instrument): take out
    /// what there is room for with [`Turns::next`]. What the line has no place for comes back; it will
    /// not be sent.
    pub fn push(
        &mut self,
        request: T,
        urgency: Urgency,
        costs: Costs,
        instrument: usize,
        now: Nanos,
    ) -> Option<T> {
        let last = if self.waiting.len() >= WAITING_MAX { self.waiting.pop_back() } else { None };
        let behind = |own: &Waiting<T>| own.urgency < urgency;
        let place = self.waiting.iter().position(behind).unwrap_or(self.waiting.len());
        self.waiting.insert(place, Waiting { request, urgency, costs, instrument, since: now });
        last.map(|last| last.request)
    }

    /// The next request that there is room for; it is counted, and must be sent now.
    pub fn next(&mut self, now: Nanos) -> Option<T> {
        let at = (0..self.waiting.len()).find(|&at| self.is_next(at, now))?;
        self.waiting.remove(at).map(|next| next.request)
    }

    /// Whether nobody before it waits for the same room, and there is some; it is counted then.
    fn is_next(&mut self, at: usize, now: Nanos) -> bool {
        let Some(own) = self.waiting.get(at) else { return false };
        let (costs, instrument) = (own.costs, own.instrument);
        let shares = |before: &Waiting<T>| {
            let mut rules = before.costs.iter().zip(&costs).enumerate();
            rules.any(|(rule, (theirs, ours))| {
                let apart = before.instrument != instrument && self.budget.is_by_instrument(rule);
                *theirs > 0 && *ours > 0 && !apart
            })
        };
        if self.waiting.iter().take(at).any(shares) {
            return false;
        }
        self.budget.spend(&costs, own.urgency, instrument, now).is_ok()
    }

    /// A request that has waited so long already; it will not be sent.
    pub fn late(&mut self, patience: Nanos, now: Nanos) -> Option<T> {
        let at = self.waiting.iter().position(|own| now - own.since >= patience)?;
        self.waiting.remove(at).map(|late| late.request)
    }

    /// What waits, first to last.
    pub fn waiting(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().map(|own| &own.request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::{Forget, Rule, cost};

    #[test]
    fn urgent_ones_overtake_questions_and_nobody_else() {
        let forget = Forget::Steadily(1_000);
        let rule = Rule { name: "r", most: 2, forget, each: false, share: 100, orders: 0, urgent: 50 };
        let mut turns = Turns::new(Budget::new(&[rule], 1));
        let at = Nanos::from_secs;
        for (name, urgency) in [
            ("ask 1", Urgency::Question),
            ("ask 2", Urgency::Question),
            ("cancel 1", Urgency::Urgent),
            ("cancel 2", Urgency::Urgent),
            ("ask 3", Urgency::Question),
        ] {
            assert_eq!(turns.push(name, urgency, cost(0, 1), 0, at(10)), None);
        }
        let mut all = |second| std::iter::from_fn(|| turns.next(at(second))).collect::<Vec<_>>();
        assert_eq!(all(10), ["cancel 1", "cancel 2"]);
        // One more is room for a cancel alone.
        assert_eq!(all(11), [] as [&str; 0]);
        assert_eq!(all(12), ["ask 1"]);
        assert_eq!(turns.late(Nanos::from_secs(3), at(12)), None);
        assert_eq!(turns.late(Nanos::from_secs(3), at(13)), Some("ask 2"));
        assert_eq!(turns.waiting().collect::<Vec<_>>(), [&"ask 3"]);
        for n in 1..WAITING_MAX {
            assert_eq!(turns.push("more", Urgency::Question, cost(0, 1), 0, at(13)), None, "{n}");
        }
        assert_eq!(turns.push("cancel", Urgency::Urgent, cost(0, 1), 0, at(13)), Some("more"));
    }

    #[test]
    fn one_that_waits_holds_up_its_own_rule_alone() {
        let forget = Forget::After(Nanos::from_secs(10));
        let rule = |each| Rule { name: "r", most: 1, forget, each, share: 100, orders: 0, urgent: 0 };
        let mut turns = Turns::new(Budget::new(&[rule(true), rule(false)], 2));
        let now = Nanos::from_secs(10);
        for (name, rule, instrument) in
            [("a", 0, 0), ("b", 0, 0), ("c", 0, 1), ("d", 1, 0), ("e", 1, 1), ("f", 0, 0)]
        {
            turns.push(name, Urgency::Question, cost(rule, 1), instrument, now);
        }
        let all: Vec<_> = std::iter::from_fn(|| turns.next(now)).collect();
        assert_eq!(all, ["a", "c", "d"]);
        let later = now + Nanos::from_secs(30);
        let all: Vec<_> = std::iter::from_fn(|| turns.next(later)).collect();
        assert_eq!((all, turns.waiting().collect::<Vec<_>>()), (vec!["b", "e"], vec![&"f"]));
    }
}
