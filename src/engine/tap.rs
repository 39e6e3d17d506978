//! The one point that every input of a stage passes before its turn. A capture is the log of this
//! point, and a replay feeds it back.

use crate::types::{Nanos, VenueId};
use crate::venue::{FeedInput, GatewayInput};

/// Sees the inputs of stages, each with the `now` that it came with. Called on the stage's thread:
/// an implementation that writes hands over to a slower one.
pub trait Tap: Send {
    /// An input of a venue's feed.
    fn feed(&mut self, venue: VenueId, now: Nanos, input: &FeedInput<'_>);

    /// An input of a venue's gateway. Private: whoever stores it blanks credentials first.
    fn gateway(&mut self, venue: VenueId, now: Nanos, input: &GatewayInput<'_>);
}
