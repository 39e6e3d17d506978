//! Requests that are no new orders wait their turn when the venue's limits have no room for them now.
//!
//! What is urgent goes before questions; questions keep their order.

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
    since: Nanos,
}

impl<T> Turns<T> {
    /// Nothing waits.
    pub fn new(budget: Budget) -> Turns<T> {
        Turns { budget, waiting: VecDeque::new() }
    }

    /// Puts a request in line: take out what there is room for with [`Turns::next`]. What the line has
    /// no place for comes back; it will not be sent.
    pub fn push(&mut self, request: T, urgency: Urgency, costs: Costs, now: Nanos) -> Option<T> {
        let last = if self.waiting.len() >= WAITING_MAX { self.waiting.pop_back() } else { None };
        let behind = |own: &Waiting<T>| own.urgency < urgency;
        let place = self.waiting.iter().position(behind).unwrap_or(self.waiting.len());
        self.waiting.insert(place, Waiting { request, urgency, costs, since: now });
        last.map(|last| last.request)
    }

    /// The next request that there is room for; it is counted, and must be sent now.
    pub fn next(&mut self, now: Nanos) -> Option<T> {
        let first = self.waiting.front()?;
        self.budget.spend(&first.costs, first.urgency, 0, now).ok()?;
        self.waiting.pop_front().map(|first| first.request)
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
            assert_eq!(turns.push(name, urgency, cost(0, 1), at(10)), None);
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
            assert_eq!(turns.push("more", Urgency::Question, cost(0, 1), at(13)), None, "{n}");
        }
        assert_eq!(turns.push("cancel", Urgency::Urgent, cost(0, 1), at(13)), Some("more"));
    }
}
