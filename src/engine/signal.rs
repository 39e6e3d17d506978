//! What passes between the roles.

use crate::detect::Opportunity;
use crate::telemetry::Stamps;

/// An opportunity on its way from the detector to the executor, over a bounded queue.
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    /// What was seen.
    pub opportunity: Opportunity,
    /// The journey of the frame that showed it.
    pub stamps: Stamps,
}

impl Signal {
    /// Writes another one down in its place.
    #[inline]
    pub fn write(&mut self, opportunity: &Opportunity, stamps: &Stamps) {
        self.opportunity.set(opportunity);
        self.stamps = *stamps;
    }
}

/// A message to a role, taken between turns. The kill flag alone is shared state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control {
    /// Open nothing new; finish what is in flight, flatten, then answer [`Status::Drained`].
    Drain,
    /// Nonces from this one on are not set aside yet: none of them may be used.
    NoncesBelow(u64),
}

/// A message from a role to whoever runs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Every gateway is logged in: trading may begin.
    Ready,
    /// After [`Control::Drain`]: no order is open or Unknown, no hedge is owed.
    Drained,
}
