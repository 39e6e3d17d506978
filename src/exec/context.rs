//! What the executor needs of the world outside during a call: the stage that drives it gives it.

use std::fmt;

use super::Misconduct;
use crate::account::Drift;
use crate::risk::Quote;
use crate::types::{ClientId, InstrumentId, Money, Nanos, VenueId, VenueRef};
use crate::venue::{Command, Gateway, Lane};

/// The outside of an executor. The stage implements it over its gateways, links and
/// published books; tests over vectors.
pub trait Context {
    /// A venue's gateway.
    fn gateway(&mut self, venue: VenueId) -> &mut dyn Gateway;

    /// A venue's best prices as last published; `None` when it has no book of the instrument.
    fn quote(&mut self, venue: VenueId, instrument: InstrumentId) -> Option<Quote>;

    /// Hands the complete bytes of one order to the venue's connection, now. They must not be kept,
    /// never be sent again, and not begin to leave after `expires`. For HTTP lanes `client`'s bits are
    /// the token of the answer.
    fn send(
        &mut self,
        venue: VenueId,
        lane: Lane,
        client: ClientId,
        bytes: &[u8],
        expires: Nanos,
    ) -> SendOutcome;

    /// Takes back the bytes of an order that still wait for their turn on a connection, if they do. What
    /// became of it comes as news.
    fn withdraw(&mut self, venue: VenueId, client: ClientId);

    /// Starts something that is not a new order. What follows from it (reports) comes back later,
    /// never from within this call.
    fn command(&mut self, venue: VenueId, command: Command);

    /// Tells people.
    fn alert(&mut self, alert: Alert);
}

/// What became of the bytes of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendOutcome {
    /// All of them were handed over, or kept to follow.
    Sent,
    /// Certainly none of them left: the connection is not there.
    NotSent,
    /// Some may have left before the connection broke.
    Unclear,
}

/// Something that people must know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Alert {
    /// A venue did what it must not do; no order goes there any more. The report is kept as
    /// evidence.
    Frozen {
        /// Which venue.
        venue: VenueId,
        /// What it did.
        why: Misconduct,
        /// To which order, when known.
        client: Option<ClientId>,
    },
    /// A venue refused our key or account; no order goes there any more.
    KeyRefused {
        /// Which venue.
        venue: VenueId,
        /// Its code.
        code: VenueRef,
    },
    /// What became of an order is not known.
    Unknown {
        /// Where.
        venue: VenueId,
        /// Which.
        client: ClientId,
    },
    /// A balance is not what fills and fees say.
    Drift(Drift),
    /// An order or fill on our account that is not ours.
    Foreign {
        /// Where.
        venue: VenueId,
        /// The venue's order id.
        venue_ref: VenueRef,
    },
    /// A difference between legs could not be hedged within its bounds: the instrument is halted.
    Unhedged {
        /// Of what.
        instrument: InstrumentId,
        /// What is left, of the base asset.
        residual: Money,
    },
    /// An intent did not end in time: the instrument is halted.
    Overdue {
        /// Of what.
        instrument: InstrumentId,
        /// Its number.
        intent: u64,
    },
    /// An instrument lost more than it may: it is halted.
    Loss {
        /// Of what.
        instrument: InstrumentId,
        /// Profit and loss, in the quote asset.
        pnl: Money,
    },
    /// A message from the venue's private side could not be read.
    Malformed {
        /// Where.
        venue: VenueId,
    },
    /// An order was stopped in the last function before the socket.
    Stopped {
        /// Which.
        client: ClientId,
        /// Why.
        why: crate::risk::Stopped,
    },
    /// A venue's order session is gone.
    Down {
        /// Which venue.
        venue: VenueId,
        /// Why.
        why: &'static str,
    },
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Alert::Frozen { venue, why, client: Some(client) } => {
                write!(f, "venue {}: frozen: {why} (order {client})", venue.0)
            }
            Alert::Frozen { venue, why, client: None } => write!(f, "venue {}: frozen: {why}", venue.0),
            Alert::KeyRefused { venue, code } => write!(f, "venue {}: key refused: {code}", venue.0),
            Alert::Unknown { venue, client } => {
                write!(f, "venue {}: order {client} is unknown", venue.0)
            }
            Alert::Drift(drift) => write!(
                f,
                "venue {}: {} is {} by our fills and {} by the venue",
                drift.venue.0, drift.asset, drift.ours, drift.theirs
            ),
            Alert::Foreign { venue, venue_ref } => {
                write!(f, "venue {}: order {venue_ref} is not ours", venue.0)
            }
            Alert::Unhedged { instrument, residual } => {
                write!(f, "instrument {}: {residual} could not be hedged; halted", instrument.0)
            }
            Alert::Overdue { instrument, intent } => {
                write!(f, "instrument {}: intent {intent} did not end in time; halted", instrument.0)
            }
            Alert::Loss { instrument, pnl } => {
                write!(f, "instrument {}: lost more than it may ({pnl}); halted", instrument.0)
            }
            Alert::Malformed { venue } => {
                write!(f, "venue {}: a private message could not be read", venue.0)
            }
            Alert::Stopped { client, why } => write!(f, "order {client} was stopped: {why}"),
            Alert::Down { venue, why } => write!(f, "venue {}: session down: {why}", venue.0),
        }
    }
}

/// When something was last known of a venue's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VenueClock {
    /// Their time less ours, at most this much too high.
    estimate: Option<(Nanos, Nanos)>,
}

impl VenueClock {
    /// Takes an answer to "what time is it there".
    pub fn learn(&mut self, venue: Nanos, asked: Nanos, now: Nanos) {
        // The venue read its clock somewhere between question and answer.
        let trip = (now - asked).max(Nanos::ZERO);
        let (half, rest) = (Nanos(trip.0 / 2), Nanos(trip.0 - trip.0 / 2));
        self.estimate = Some((venue - asked - half, rest));
    }

    /// The earliest that the venue's clock can show now; `None` when nothing is known of it.
    pub fn earliest(&self, now: Nanos) -> Option<Nanos> {
        self.estimate.map(|(offset, error)| now + offset - error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_venue_clock_is_never_taken_to_be_later_than_it_may_be() {
        let mut clock = VenueClock::default();
        assert_eq!(clock.earliest(Nanos(5)), None);
        // Asked at 100, answered at 200: the venue said 1,000 somewhere in between.
        clock.learn(Nanos(1_000), Nanos(100), Nanos(200));
        assert_eq!(clock.earliest(Nanos(200)), Some(Nanos(1_000)));
        clock.learn(Nanos(1_000), Nanos(300), Nanos(200));
        assert_eq!(clock.earliest(Nanos(300)), Some(Nanos(1_000)));
    }
}
