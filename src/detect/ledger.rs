//! What was refused, how often, and the best edge that went with it.

use super::Refused;
use crate::types::Bps;

/// Refusals by reason. Detection and admission count into the same kind of ledger.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RefusalLedger {
    entries: [Entry; Refused::ALL.len()],
}

/// One reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    /// How often.
    pub count: u64,
    /// The best net edge at the touch that was given up; `None` when there never was one to see.
    pub best: Option<Bps>,
}

impl RefusalLedger {
    /// Counts one refusal.
    #[inline]
    pub fn count(&mut self, reason: Refused, edge: Option<Bps>) {
        self.add(reason, Entry { count: 1, best: edge });
    }

    /// Adds what was counted elsewhere.
    #[inline]
    pub fn add(&mut self, reason: Refused, other: Entry) {
        let entry = &mut self.entries[reason as usize];
        entry.count += other.count;
        entry.best = entry.best.max(other.best);
    }

    /// Adds another ledger.
    pub fn merge(&mut self, other: &RefusalLedger) {
        for reason in Refused::ALL {
            self.add(reason, other.of(reason));
        }
    }

    /// What was counted for a reason.
    pub fn of(&self, reason: Refused) -> Entry {
        self.entries[reason as usize]
    }

    /// Reasons that occurred, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Refused, Entry)> {
        Refused::ALL.into_iter().map(|reason| (reason, self.of(reason))).filter(|(_, entry)| entry.count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_edge_of_each_reason_is_kept() {
        let mut ledger = RefusalLedger::default();
        ledger.count(Refused::Stale, Some(Bps(-5)));
        ledger.count(Refused::Stale, None);
        ledger.count(Refused::Stale, Some(Bps(-7)));
        let mut other = RefusalLedger::default();
        other.count(Refused::Stale, Some(Bps(3)));
        other.count(Refused::NotReady, None);
        ledger.merge(&other);
        assert_eq!(ledger.of(Refused::Stale), Entry { count: 4, best: Some(Bps(3)) });
        let reasons: Vec<_> = ledger.iter().map(|(reason, _)| reason.name()).collect();
        assert_eq!(reasons, ["stale", "not_ready"]);
    }
}
