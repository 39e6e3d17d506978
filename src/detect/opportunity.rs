//! A spread worth taking, with the legs that would take it.

use crate::types::{Bps, InstrumentId, Money, Nanos, Price, Qty, Side, VenueId};

/// One order of an opportunity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leg {
    /// Where.
    pub venue: VenueId,
    /// Buy or sell.
    pub side: Side,
    /// The worst price taken: the limit that the order carries.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Value at the prices of the levels taken, before fees, in the quote asset.
    pub value: Money,
    /// Fee on that value, rounded up.
    pub fee: Money,
    /// Version of the published book that it was computed from.
    pub book_version: u64,
}

/// A spread worth taking: one to eight legs on one instrument, buys before sells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opportunity {
    /// Of what.
    pub instrument: InstrumentId,
    /// When it was seen.
    pub at: Nanos,
    legs: [Option<Leg>; Opportunity::MAX_LEGS],
    /// Value sold less value bought, as a share of the value bought. Rounded down.
    pub gross_bps: Bps,
    /// [`Opportunity::net_quote`] as a share of the value bought with its fees. Rounded down.
    pub net_bps: Bps,
    /// Value sold less value bought less fees, in the quote asset.
    pub net_quote: Money,
    /// The published levels ran out with edge left.
    pub depth_limited: bool,
}

impl Opportunity {
    /// The most legs an opportunity has.
    pub const MAX_LEGS: usize = 8;

    /// Computes what follows from the legs; `None` without a buy of positive value, or with more
    /// than [`Opportunity::MAX_LEGS`].
    pub fn new(
        instrument: InstrumentId,
        at: Nanos,
        legs: &[Leg],
        depth_limited: bool,
    ) -> Option<Opportunity> {
        let mut own = [None; Opportunity::MAX_LEGS];
        for (slot, leg) in own.get_mut(..legs.len())?.iter_mut().zip(legs) {
            *slot = Some(*leg);
        }
        let value = |side| legs.iter().filter(|leg| leg.side == side).map(|leg| leg.value).sum::<Money>();
        let (bought, sold) = (value(Side::Buy), value(Side::Sell));
        let buy_fees = legs.iter().filter(|leg| leg.side == Side::Buy).map(|leg| leg.fee).sum::<Money>();
        let fees = legs.iter().map(|leg| leg.fee).sum::<Money>();
        let net_quote = sold - bought - fees;
        Some(Opportunity {
            instrument,
            at,
            legs: own,
            gross_bps: Bps::of(sold - bought, bought)?,
            net_bps: Bps::of(net_quote, bought + buy_fees)?,
            net_quote,
            depth_limited,
        })
    }

    /// The legs, buys before sells.
    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().flatten()
    }
}

/// Why something that moved is not taken. Counted by reason, with the edge that was given up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Refused {
    /// A book is older than its venue's bound.
    Stale,
    /// A book is not live.
    Unsynced,
    /// A book's own bid is at or above its own ask.
    Crossed,
    /// Net edge below the minimum.
    BelowEdge,
    /// Below a venue's minimum once rounded to the lot.
    TooSmall,
    /// Not enough balance.
    NoBalance,
    /// A risk limit.
    Risk,
    /// One intent of this instrument and direction is already in flight.
    InFlight,
    /// Too soon after the last one.
    Cooldown,
    /// The executor's queue is full: what is in it is stale already.
    QueueFull,
    /// A venue's session is not ready to take orders.
    NotReady,
}

impl Refused {
    /// All reasons.
    pub const ALL: [Refused; 11] = [
        Refused::Stale,
        Refused::Unsynced,
        Refused::Crossed,
        Refused::BelowEdge,
        Refused::TooSmall,
        Refused::NoBalance,
        Refused::Risk,
        Refused::InFlight,
        Refused::Cooldown,
        Refused::QueueFull,
        Refused::NotReady,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Refused::Stale => "stale",
            Refused::Unsynced => "unsynced",
            Refused::Crossed => "crossed",
            Refused::BelowEdge => "below_edge",
            Refused::TooSmall => "too_small",
            Refused::NoBalance => "no_balance",
            Refused::Risk => "risk",
            Refused::InFlight => "in_flight",
            Refused::Cooldown => "cooldown",
            Refused::QueueFull => "queue_full",
            Refused::NotReady => "not_ready",
        }
    }
}
