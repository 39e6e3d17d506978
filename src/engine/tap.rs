//! The one point that every input of a stage passes before its turn. A capture is the log of this
//! point, and a replay feeds it back.

use super::role::Role;
use crate::types::{Nanos, VenueId};
use crate::venue::{FeedInput, GatewayInput, Lane};

/// Sees the inputs of stages, each with the `now` that it came with. Called on the stage's thread:
/// an implementation that writes hands over to a slower one.
pub trait Tap: Send {
    /// An input of a venue's feed.
    fn feed(&mut self, venue: VenueId, now: Nanos, input: &FeedInput<'_>);

    /// An input of a venue's gateway. Private: whoever stores it blanks credentials first.
    fn gateway(&mut self, venue: VenueId, now: Nanos, input: &GatewayInput<'_>);

    /// The bytes of an order, as they are about to leave. Signed: not to be kept as they stand.
    fn sent(&mut self, venue: VenueId, lane: Lane, bytes: &[u8]) {
        let _ = (venue, lane, bytes);
    }
}

/// Tells a tap of every round in which roles are turned, as time that passed for the first venue's
/// gateway. Where one thread turns them all, time itself is an input: with the rounds, a capture says
/// when each timer was looked at.
pub struct Rounds(Box<dyn Tap>);

impl Rounds {
    /// To be turned before all others.
    pub fn new(tap: Box<dyn Tap>) -> Rounds {
        Rounds(tap)
    }
}

impl Role for Rounds {
    fn name(&self) -> &str {
        "rounds"
    }

    fn turn(&mut self, now: Nanos) -> bool {
        self.0.gateway(VenueId(0), now, &GatewayInput::Tick);
        false
    }
}
